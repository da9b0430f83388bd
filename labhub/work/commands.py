"""Starting, running, cancelling and tidying jobs.

A job is a row, so none is lost: whoever holds its mark works on it and says so every few seconds. When a
worker dies its job is taken up again by another; only the holder of the mark can end it, so its changes are
made once (``docs/jobs.md``).
"""

import secrets
import threading
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from labhub import audit, clock
from labhub.accounts.actor import OPERATOR, Actor
from labhub.accounts.models import User
from labhub.accounts.policy import require
from labhub.accounts.queries import actor_of
from labhub.db import after_commit, db, transaction
from labhub.errors import Conflict, NotAllowed, Refusal, TooMany
from labhub.i18n import Text, _, in_language
from labhub.work import queries
from labhub.work.kinds import KINDS, Cancelled, Work
from labhub.work.models import BackgroundJob, JobState
from labhub.work.parcels import pack, unpack

log = structlog.get_logger("labhub.work")

MOST_OPEN = 5
"""Jobs of one person that wait or run."""
MOST_KEPT = 50
"""Jobs of one person that have ended and are kept; the oldest go first."""
MOST_TRIES = 5
BEAT_SECONDS = 3.0
LONGEST_TRY = timedelta(hours=2)
"""A try that takes longer is given up for lost."""

InHub = Callable[[], AbstractContextManager[Any]]
WAKERS: "WeakKeyDictionary[Engine, Callable[[], object]]" = WeakKeyDictionary()
"""What tells the workers of a hub that there is work, by the database of the hub."""


def start_job(actor: Actor, kind: str, payload: dict[str, Any]) -> BackgroundJob:
    """Put work into the queue for ``actor``; it begins once the present transaction is committed."""
    if kind not in KINDS:
        raise ValueError(f"{kind} is no kind of job")
    _lock_person(actor)
    if not actor.operator and queries.open_count(actor.user_id) >= MOST_OPEN:
        raise TooMany(
            _(
                "You have %(number)s jobs that wait or run. Wait until one is done, or cancel one.",
                number=MOST_OPEN,
            ),
            retry_after=30,
        )
    now = clock.now()
    job = BackgroundJob(
        kind=kind, user_id=actor.user_id, payload=pack(payload), created_at=now, next_try_at=now
    )
    db.session.add(job)
    db.session.flush()
    audit.record(actor, "job.start", "job", job.id, after={"kind": kind})
    after_commit(wake)
    return job


def keep_result(actor: Actor, kind: str, result: dict[str, Any]) -> BackgroundJob:
    """Keep a result that was found at once as a job that is done, so that it has an address."""
    if kind not in KINDS:
        raise ValueError(f"{kind} is no kind of job")
    _lock_person(actor)
    now = clock.now()
    job = BackgroundJob(
        kind=kind,
        user_id=actor.user_id,
        state=JobState.DONE,
        progress=1.0,
        result=pack(result),
        tries=1,
        created_at=now,
        started_at=now,
        finished_at=now,
    )
    db.session.add(job)
    db.session.flush()
    _forget_oldest(actor.user_id)
    return job


def _lock_person(actor: Actor) -> None:
    """Let two requests of one person count jobs one after the other."""
    if actor.user_id is None:
        if not actor.operator:
            raise NotAllowed(_("Sign in to do this."))
        return
    db.session.execute(select(User.id).where(User.id == actor.user_id).with_for_update())


def _forget_oldest(user_id: int | None) -> None:
    ended = (
        select(BackgroundJob.id)
        .where(BackgroundJob.user_id == user_id, BackgroundJob.finished_at.is_not(None))
        .order_by(BackgroundJob.id.desc())
        .offset(MOST_KEPT)
    )
    old = list(db.session.scalars(ended))
    if old:
        db.session.execute(delete(BackgroundJob).where(BackgroundJob.id.in_(old)))


def cancel_job(actor: Actor, number: int) -> BackgroundJob:
    """Give a job up: at once while it waits, at the next step of the work while it runs."""
    job = queries.lock_job(actor, number)
    require(actor, "job.cancel", job)
    if not job.is_open:
        raise Conflict(_("This job has ended."))
    if job.state is JobState.QUEUED:
        _end(job, JobState.CANCELLED)
    job.cancel_asked = True
    db.session.flush()
    audit.record(actor, "job.cancel", "job", job.id)
    return job


def tidy_jobs() -> int:
    """Remove jobs that ended long ago, with their results; return how many."""
    border = clock.now() - queries.KEPT_FOR
    old = list(db.session.scalars(select(BackgroundJob.id).where(BackgroundJob.finished_at < border)))
    db.session.execute(delete(BackgroundJob).where(BackgroundJob.finished_at < border))
    return len(old)


def wake() -> None:
    """Tell the workers of this hub that there is work; a queue that is down finds it later by itself."""
    call = WAKERS.get(db.engine)
    if call is not None:
        call()


def wake_by(call: Callable[[], object]) -> None:
    """Let ``call`` tell the workers of the present hub that there is work."""
    WAKERS[db.engine] = call


# Working --------------------------------------------------------------------------------------


def is_work_waiting(in_hub: InHub) -> bool:
    """Whether a job is due; a database that does not answer now has none."""
    try:
        with in_hub():
            return bool(queries.due_jobs(1))
    except SQLAlchemyError as error:
        log.warning("look-for-jobs", error=type(error).__name__)
        return False


def work_off(in_hub: InHub) -> int:
    """Run the jobs that are due, one after the other; return how many were taken up."""
    taken = 0
    while True:
        found = queries.due_jobs()
        db.session.rollback()
        for number in found:
            if run_job(number, in_hub):
                taken += 1
                break  # look again: an older one may be due now
        else:
            return taken


def run_job(number: int, in_hub: InHub) -> bool:
    """Take a job up and run it; False when it is not to be had (another worker has it, or it has ended).

    ``in_hub`` opens the hub for the thread that says that the work goes on. A fault of the work is raised
    after it was noted.
    """
    mark = secrets.token_hex(16)
    with transaction():
        work = _claim(number, mark)
    if work is None:
        return False
    kind = KINDS[work[0]]
    with _Try(work[1], mark, in_hub), in_language("en"):
        result = kind.run(work[1])
        parcel = pack(result)
        with transaction():
            job = _held(number, mark)
            if job.cancel_asked:
                raise Cancelled
            if kind.finish is not None:
                kind.finish(work[1], result)
            job.result, job.progress = parcel, 1.0
            _end(job, JobState.DONE)
            _forget_oldest(job.user_id)
    return True


def _claim(number: int, mark: str) -> tuple[str, Work] | None:
    """Take a job that is due, or end one that nobody can run."""
    job = db.session.scalar(
        select(BackgroundJob)
        .where(BackgroundJob.id == number, queries.is_due())
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if job is None:
        return None
    actor = _actor(job)
    if job.cancel_asked:
        _end(job, JobState.CANCELLED)
    elif job.tries >= MOST_TRIES:
        job.fault = job.fault or "the worker died"
        _end(job, JobState.FAILED)
    elif job.kind not in KINDS or job.payload is None:
        job.fault = "this hub does not know the kind"
        _end(job, JobState.FAILED)
    elif actor is None:
        _refuse(job, _("The account that this job belongs to is closed."))
    if not job.is_open or actor is None or job.payload is None:
        return None
    if job.state is JobState.RUNNING:
        log.warning("job-taken-over", job=job.id, kind=job.kind, tries=job.tries)
    job.state, job.worker = JobState.RUNNING, mark
    job.tries += 1
    job.started_at = job.heartbeat_at = clock.now()
    job.next_try_at, job.progress = None, 0.0
    return job.kind, Work(job.id, actor, unpack(job.payload))


def _actor(job: BackgroundJob) -> Actor | None:
    if job.user_id is None:
        return OPERATOR
    user = db.session.get(User, job.user_id, populate_existing=True)
    return actor_of(user) if user is not None and user.active else None


def _end(job: BackgroundJob, state: JobState) -> None:
    job.state, job.finished_at, job.payload = state, clock.now(), None
    job.next_try_at, job.worker = None, ""


def _refuse(job: BackgroundJob, reason: Text) -> None:
    job.refusal = pack(reason)
    _end(job, JobState.FAILED)


class _Lost(Exception):
    """Another worker has the job now, or nobody wants it any more."""


def _held(number: int, mark: str) -> BackgroundJob:
    """Return the job in hand for its end; raises ``_Lost`` when another worker has taken it up."""
    job = db.session.scalar(
        select(BackgroundJob)
        .where(BackgroundJob.id == number, BackgroundJob.worker == mark)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if job is None or job.state is not JobState.RUNNING:
        raise _Lost
    return job


class _Try:
    """One try of a job: says that the work goes on, and notes how it ended when it did not end well."""

    def __init__(self, work: Work, mark: str, in_hub: InHub) -> None:
        self.work, self.mark, self.in_hub = work, mark, in_hub
        self.over = threading.Event()
        self.heart = threading.Thread(target=self._beat, name=f"labhub-job-{work.number}", daemon=True)

    def __enter__(self) -> None:
        self.heart.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.over.set()
        self.heart.join()
        if error is None:
            return False
        db.session.rollback()
        if isinstance(error, _Lost) or not isinstance(error, Exception):
            return isinstance(error, _Lost)  # a worker that is stopped leaves the job to the next one
        with transaction():
            job = db.session.scalar(
                select(BackgroundJob)
                .where(BackgroundJob.id == self.work.number, BackgroundJob.worker == self.mark)
                .with_for_update()
                .execution_options(populate_existing=True)
            )
            if job is not None:
                _note(job, error)
        return isinstance(error, (Cancelled, Refusal))

    def _beat(self) -> None:
        border = clock.now() + LONGEST_TRY
        while not self.over.wait(BEAT_SECONDS) and clock.now() < border:
            try:
                with self.in_hub():
                    self._say_alive()
            except SQLAlchemyError as error:
                log.warning("heartbeat", job=self.work.number, error=type(error).__name__)

    def _say_alive(self) -> None:
        with transaction() as session:
            job = session.scalar(
                update(BackgroundJob)
                .where(
                    BackgroundJob.id == self.work.number,
                    BackgroundJob.worker == self.mark,
                    BackgroundJob.state == JobState.RUNNING,
                )
                .values(heartbeat_at=clock.now(), progress=self.work.done)
                .returning(BackgroundJob.cancel_asked)
            )
            if job is None or job:
                self.work.stopped.set()


def _note(job: BackgroundJob, error: Exception) -> None:
    if isinstance(error, Cancelled):
        _end(job, JobState.CANCELLED)
    elif isinstance(error, Refusal):
        _refuse(job, error.message)
    else:
        job.fault = _place(error)
        if job.tries >= MOST_TRIES:
            _end(job, JobState.FAILED)
        else:
            job.state, job.worker = JobState.QUEUED, ""
            job.next_try_at = clock.now() + timedelta(seconds=10 * 2 ** (job.tries - 1))


def _place(error: Exception) -> str:
    """Return kind and place of a fault; never its words, which may hold what the job was about."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"[:200]
