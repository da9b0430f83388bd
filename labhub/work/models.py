"""The table of background jobs."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, deferred, mapped_column

from labhub.db import Model, UtcDateTime, text_enum
from labhub.i18n import N_


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


STATE_NAMES: dict[JobState, str] = {
    JobState.QUEUED: N_("waiting for its turn"),
    JobState.RUNNING: N_("running"),
    JobState.DONE: N_("done"),
    JobState.FAILED: N_("failed"),
    JobState.CANCELLED: N_("cancelled"),
}

OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)


class BackgroundJob(Model):
    """A piece of work of one person; what it needs and what it found are compressed JSON."""

    __tablename__ = "background_job"
    __table_args__ = (
        CheckConstraint("progress BETWEEN 0 AND 1", name="progress_fraction"),
        CheckConstraint("tries >= 0", name="tries_positive"),
        CheckConstraint("state <> 'done' OR result IS NOT NULL", name="done_has_result"),
        CheckConstraint("state <> 'running' OR heartbeat_at IS NOT NULL", name="running_has_heartbeat"),
        CheckConstraint("state IN ('queued', 'running') OR finished_at IS NOT NULL", name="ended_has_time"),
        Index("ix_background_job_state", "state", "next_try_at"),
        Index("ix_background_job_user_id", "user_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    """Whose job it is; empty for one of the operator."""
    state: Mapped[JobState] = mapped_column(text_enum(JobState), default=JobState.QUEUED)
    progress: Mapped[float] = mapped_column(default=0.0)
    """The fraction that is done, 0 to 1."""
    payload: Mapped[bytes | None] = deferred(mapped_column(LargeBinary))
    """What the work needs; removed when the job has ended."""
    result: Mapped[bytes | None] = deferred(mapped_column(LargeBinary))
    refusal: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Why the work was refused, for its owner; a message that is put into words when it is shown."""
    fault: Mapped[str] = mapped_column(String(200), default="")
    """Which fault stopped the last try, for administrators: its kind and place, never its words."""
    tries: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(String(40), default="")
    """The mark of the worker that has the job in hand: only the holder may end it."""
    cancel_asked: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)

    @property
    def is_open(self) -> bool:
        """Whether it waits or runs."""
        return self.state in OPEN_STATES
