"""Pages of jobs, and what works them off."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, Flask, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from huey import crontab
from markupsafe import Markup

from labhub import audit, clock
from labhub.accounts.policy import may_ever
from labhub.db import transaction
from labhub.errors import Conflict
from labhub.i18n import _
from labhub.jobs import Jobs
from labhub.web.access import SIGNED_IN
from labhub.web.auth import current_actor
from labhub.web.forms import load_form
from labhub.work import commands, queries, schemas
from labhub.work.kinds import KINDS, title_of
from labhub.work.models import STATE_NAMES, JobState

bp = Blueprint("jobs", __name__)

ACCESS = {"index": SIGNED_IN, "show": SIGNED_IN, "cancel": "job.cancel"}


def init_jobs(app: Flask) -> None:
    """Set up the tasks that work jobs off, look for left ones, and tidy old ones each night."""
    jobs: Jobs = app.extensions["labhub.jobs"]
    huey = jobs.huey

    @contextmanager
    def in_hub() -> Iterator[None]:
        with app.app_context(), audit.from_source("", "job"):
            yield

    @huey.task()
    def work_off_jobs() -> int:
        turns = jobs.turns
        if not turns.acquire(blocking=False):
            return 0  # who holds the turn looks for further jobs when it is done
        try:
            with in_hub():
                return commands.work_off(in_hub)
        finally:
            turns.release()

    def look_for_jobs() -> None:
        if commands.is_work_waiting(in_hub):
            work_off_jobs()

    @huey.periodic_task(crontab(minute="15", hour="4"))
    @huey.lock_task("tidy-jobs")
    def tidy_jobs() -> int:
        with in_hub(), transaction():
            return commands.tidy_jobs()

    jobs.watches.append(look_for_jobs)
    with app.app_context():
        commands.wake_by(work_off_jobs)


@bp.get("/jobs")
def index() -> ResponseReturnValue:
    """List one's own jobs; administrators also see what faults stopped."""
    actor = current_actor()
    return render_template(
        "work/index.html",
        jobs=[(job, _(title_of(job.kind)), _(STATE_NAMES[job.state])) for job in queries.recent_jobs(actor)],
        faults=queries.faults(actor) if may_ever(actor, "job.faults") else None,
        kept_days=queries.KEPT_FOR.days,
    )


@bp.get("/jobs/<int:number>")
def show(number: int) -> ResponseReturnValue:
    """Show one of one's own jobs; the page loads itself again until the job has ended."""
    actor = current_actor()
    job = queries.find_job(actor, number)
    kind = KINDS.get(job.kind)
    found = queries.result_of(actor, job)
    shown = Markup(kind.show(number, found)) if found is not None and kind is not None and kind.show else ""  # noqa: S704 (made by a template)
    waited = (clock.now() - job.created_at).total_seconds()
    return render_template(
        "work/show.html",
        job=job,
        title=_(title_of(job.kind)),
        state_name=_(STATE_NAMES[job.state]),
        failed=job.state is JobState.FAILED,
        refusal=queries.refusal_of(job),
        percent=round(100 * job.progress),
        again_seconds=2 if waited < 60 else 10,
        kept_until=job.finished_at + queries.KEPT_FOR if job.finished_at else None,
        shown=shown,
    )


@bp.post("/jobs/<int:number>/cancellation")
def cancel(number: int) -> ResponseReturnValue:
    """Give up one of one's own jobs."""
    load_form(schemas.JobForm())
    try:
        with transaction():
            job = commands.cancel_job(current_actor(), number)
        flash(
            str(_("The job is cancelled.") if not job.is_open else _("The job will stop in a few seconds."))
        )
    except Conflict as refusal:
        flash(str(refusal), "warning")
    return redirect(url_for("jobs.show", number=number), 303)
