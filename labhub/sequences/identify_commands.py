"""Starting an identification that takes longer, and keeping the result of one that did not."""

from typing import Any

from labhub.accounts.actor import Actor
from labhub.accounts.policy import require
from labhub.i18n import N_
from labhub.sequences import identify_queries as queries
from labhub.work import commands as work
from labhub.work import kinds
from labhub.work.models import BackgroundJob

KIND = "identify"


def register() -> None:
    """Let jobs identify reads."""
    kinds.register(KIND, run, title=N_("Identification"), answer=queries.readable_now)


def run(job: kinds.Work) -> dict[str, Any]:
    """Identify as a job, with the rights that its owner holds now."""
    return queries.find(job.actor, queries.Question.of_payload(job.payload), job.progress)


def start_identification(actor: Actor, question: queries.Question) -> BackgroundJob:
    """Identify reads in the background."""
    require(actor, "identify.run")
    return work.start_job(actor, KIND, question.as_payload())


def keep_identification(actor: Actor, result: dict[str, Any]) -> BackgroundJob:
    """Keep what was found, so that its page can be turned over and downloaded."""
    require(actor, "identify.run")
    return work.keep_result(actor, KIND, result)
