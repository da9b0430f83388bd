"""Reading jobs: each person sees their own."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true

from labhub import clock
from labhub.accounts.actor import Actor
from labhub.accounts.policy import require
from labhub.db import db
from labhub.errors import NotFound
from labhub.i18n import _
from labhub.work.kinds import KINDS
from labhub.work.models import OPEN_STATES, BackgroundJob, JobState
from labhub.work.parcels import unpack

STALE_AFTER = timedelta(seconds=25)
"""A running job whose worker has not been heard of for so long is taken up again."""
KEPT_FOR = timedelta(days=7)
"""How long a job that has ended, and its result, are kept."""


def is_own(actor: Actor) -> ColumnElement[bool]:
    """Return the condition under which ``actor`` knows of a job: the only reading rule."""
    return true() if actor.operator else BackgroundJob.user_id == actor.user_id


def visible_jobs(actor: Actor) -> Select[BackgroundJob]:
    """Select a person's own jobs."""
    return select(BackgroundJob).where(is_own(actor))


def find_job(actor: Actor, number: int, *, kind: str | None = None) -> BackgroundJob:
    """Return one of a person's own jobs; everybody else's do not exist."""
    job = db.session.scalar(visible_jobs(actor).where(BackgroundJob.id == number))
    if job is None or kind not in (None, job.kind):
        raise NotFound(_("There is no job %(number)s.", number=number))
    return job


def lock_job(actor: Actor, number: int) -> BackgroundJob:
    """Return one of a person's own jobs for a change."""
    job = db.session.scalar(
        visible_jobs(actor)
        .where(BackgroundJob.id == number)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if job is None:
        raise NotFound(_("There is no job %(number)s.", number=number))
    return job


def recent_jobs(actor: Actor, limit: int = 50) -> list[BackgroundJob]:
    """Return a person's latest jobs, the newest first."""
    return list(db.session.scalars(visible_jobs(actor).order_by(BackgroundJob.id.desc()).limit(limit)))


def result_of(actor: Actor, job: BackgroundJob) -> dict[str, Any] | None:
    """Return what a job found, as ``actor`` may read it now; nothing before it is done."""
    parcel = db.session.scalar(
        select(BackgroundJob.result).where(BackgroundJob.id == job.id, BackgroundJob.state == JobState.DONE)
    )
    if parcel is None:
        return None
    found: dict[str, Any] = unpack(parcel)
    kind = KINDS.get(job.kind)
    return kind.answer(actor, found) if kind is not None and kind.answer is not None else found


def refusal_of(job: BackgroundJob) -> str:
    """Return why a job failed, in the reader's language; empty when it did not."""
    if job.state is not JobState.FAILED:
        return ""
    if job.refusal is not None:
        return str(unpack(job.refusal))
    return str(_("A fault of the hub stopped this job; the administrators see it. Start it again later."))


def open_count(user_id: int | None) -> int:
    """Return how many jobs of a person wait or run."""
    return (
        db.session.scalar(
            select(func.count())
            .select_from(BackgroundJob)
            .where(BackgroundJob.user_id == user_id, BackgroundJob.state.in_(OPEN_STATES))
        )
        or 0
    )


def is_due() -> ColumnElement[bool]:
    """Return the condition under which a worker may take a job up."""
    now = clock.now()
    return or_(
        and_(BackgroundJob.state == JobState.QUEUED, BackgroundJob.next_try_at <= now),
        and_(BackgroundJob.state == JobState.RUNNING, BackgroundJob.heartbeat_at < now - STALE_AFTER),
    )


def due_jobs(limit: int = 20) -> list[int]:
    """Return the numbers of jobs to take up now, oldest first."""
    return list(
        db.session.scalars(select(BackgroundJob.id).where(is_due()).order_by(BackgroundJob.id).limit(limit))
    )


def faults(actor: Actor, limit: int = 100) -> list[BackgroundJob]:
    """Return the jobs that a fault of the hub stopped for good, for administrators, the newest first."""
    require(actor, "job.faults")
    return list(db.session.scalars(_faulty().limit(limit)))


def fault_lines() -> list[str]:
    """Return one line for each such job, for ``labhub doctor``."""
    return [
        f"job {job.id} ({job.kind}) was given up after {job.tries} tries: {job.fault}"
        for job in db.session.scalars(_faulty())
    ]


def _faulty() -> Select[BackgroundJob]:
    return (
        select(BackgroundJob)
        .where(BackgroundJob.state == JobState.FAILED, BackgroundJob.fault != "")
        .order_by(BackgroundJob.id.desc())
    )
