"""Starting a search that takes longer, and keeping the result of one that did not."""

from typing import Any

from labhub.accounts.actor import Actor
from labhub.accounts.policy import require
from labhub.i18n import N_
from labhub.sequences import insilico_queries as queries
from labhub.work import commands as work
from labhub.work import kinds
from labhub.work.models import BackgroundJob

KIND = "insilico"


def register() -> None:
    """Let jobs search."""
    kinds.register(KIND, run, title=N_("In-silico PCR"), answer=queries.readable_now)


def run(job: kinds.Work) -> dict[str, Any]:
    """Search as a job, with the rights that its owner holds now."""
    question = queries.Question.of_payload(job.payload)
    if question.accessions:
        queries.checked_accessions(job.actor, question.accessions)
    return queries.find(job.actor, question, job.progress)


def start_search(actor: Actor, question: queries.Question) -> BackgroundJob:
    """Search in the background."""
    require(actor, "insilico.run")
    return work.start_job(actor, KIND, question.as_payload())


def keep_search(actor: Actor, result: dict[str, Any]) -> BackgroundJob:
    """Keep what a search found, so that its page can be sorted, turned over and downloaded."""
    require(actor, "insilico.run")
    return work.keep_result(actor, KIND, result)
