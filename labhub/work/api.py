"""JSON addresses of jobs."""

from typing import Any

from flask import Response

from labhub.accounts.actor import Actor
from labhub.db import transaction
from labhub.web.access import SIGNED_IN
from labhub.web.api import Blueprint, answer_record
from labhub.web.auth import current_actor
from labhub.work import commands, queries, schemas
from labhub.work.models import BackgroundJob

blp = Blueprint("api_jobs", __name__, url_prefix="/api/v1/jobs", description="Long work, looked at later")

BLUEPRINTS = (blp,)
ACCESS = {blp: {"show": SIGNED_IN, "cancel": "job.cancel"}}

ASK_AGAIN_SECONDS = 2


def record_of(actor: Actor, job: BackgroundJob) -> dict[str, Any]:
    """Return a job as the API shows it to its owner."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "progress": round(job.progress, 3),
        "tries": job.tries,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "kept_until": job.finished_at + queries.KEPT_FOR if job.finished_at else None,
        "refusal": queries.refusal_of(job),
        "result": queries.result_of(actor, job),
    }


@blp.get("/<int:number>")
@blp.response(200, schemas.JobOut)
@blp.refuses(401, 404)
def show(number: int) -> Response:
    """Show one of one's own jobs: state, progress, and the result once it is done."""
    actor = current_actor()
    job = queries.find_job(actor, number)
    response = answer_record(record_of(actor, job))
    if job.is_open:
        response.headers["Retry-After"] = str(ASK_AGAIN_SECONDS)
    return response


@blp.post("/<int:number>/cancellation")
@blp.response(200, schemas.JobOut)
@blp.refuses(401, 404, 409)
def cancel(number: int) -> Response:
    """Give up one of one's own jobs that waits or runs."""
    actor = current_actor()
    with transaction():
        job = commands.cancel_job(actor, number)
    return answer_record(record_of(actor, job))
