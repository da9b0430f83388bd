"""Tables beside the sealed content of methods: comments of the review, recalls, verifications by others."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.accounts.models import Laboratory, Party, User
from labhub.db import Model, UtcDateTime, text_enum
from labhub.i18n import N_
from labhub.methods.models import MethodVersion


class Side(StrEnum):
    """On which side of a review somebody writes."""

    REVIEWER = "reviewer"
    LABORATORY = "laboratory"


SIDE_NAMES: dict[Side, str] = {Side.REVIEWER: N_("reviewer"), Side.LABORATORY: N_("laboratory")}


class MethodComment(Model):
    """A remark on a field of a version, or on the whole, between its laboratory and the reviewers.

    It is no part of the sealed content. ``thread_id`` is empty for a remark and names it for a reply.
    """

    __tablename__ = "method_comment"
    __table_args__ = (
        CheckConstraint("(resolved_at IS NULL) = (resolved_by_id IS NULL)", name="resolved_by_somebody"),
        CheckConstraint("thread_id IS NULL OR resolved_at IS NULL", name="thread_is_resolved"),
        Index("ix_method_comment_version", "version_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"))
    thread_id: Mapped[int | None] = mapped_column(ForeignKey("method_comment.id"), index=True)
    field: Mapped[str] = mapped_column(String(200), default="")
    """A path into the content (``oligos.1.sequence``); empty for the whole version."""
    quoted: Mapped[str | None] = mapped_column(Text)
    """What the field said when the remark was written; empty where it said nothing."""
    text: Mapped[str] = mapped_column(Text)
    side: Mapped[Side] = mapped_column(text_enum(Side))
    author_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    """When the other side was written to; several remarks share one mail."""
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolved_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    row_version: Mapped[int] = mapped_column(default=1)

    version: Mapped[MethodVersion] = relationship()
    author: Mapped[User] = relationship(foreign_keys=[author_id])
    resolved_by: Mapped[User | None] = relationship(foreign_keys=[resolved_by_id])

    __mapper_args__ = {"version_id_col": row_version}


class RecallKind(StrEnum):
    """How serious a notice to those who downloaded a version is."""

    RECALL = "recall"
    """Do not use it; each person is asked to acknowledge."""
    CHANGE = "change"
    """There is a newer version."""


RECALL_NAMES: dict[RecallKind, str] = {
    RecallKind.RECALL: N_("recall"),
    RecallKind.CHANGE: N_("change notice"),
}


class RecallCause(StrEnum):
    """What a notice follows from; each cause tells once of a version."""

    WITHDRAWAL = "withdrawal"
    DECISION = "decision"
    NEW_VERSION = "new-version"


class MethodRecall(Model):
    """A notice to everybody who downloaded a version with an account."""

    __tablename__ = "method_recall"
    __table_args__ = (
        UniqueConstraint("version_id", "cause"),
        CheckConstraint("(kind = 'change') = (cause = 'new-version')", name="change_by_new_version"),
        CheckConstraint("(cause = 'new-version') = (new_version_id IS NOT NULL)", name="new_version_named"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"))
    kind: Mapped[RecallKind] = mapped_column(text_enum(RecallKind))
    cause: Mapped[RecallCause] = mapped_column(text_enum(RecallCause))
    new_version_id: Mapped[int | None] = mapped_column(ForeignKey("method_version.id"), index=True)
    reason: Mapped[str] = mapped_column(Text)
    """Shown to everybody: those without account cannot be told in another way."""
    issued_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)

    version: Mapped[MethodVersion] = relationship(foreign_keys=[version_id])
    new_version: Mapped[MethodVersion | None] = relationship(foreign_keys=[new_version_id])
    recipients: Mapped[list["MethodRecallRecipient"]] = relationship(
        order_by="MethodRecallRecipient.id", back_populates="recall"
    )


class MethodRecallRecipient(Model):
    """A person who has a recalled version, what was downloaded and when, and whether it was acknowledged."""

    __tablename__ = "method_recall_recipient"
    __table_args__ = (
        UniqueConstraint("recall_id", "user_id"),
        CheckConstraint("downloads >= 0", name="downloads_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    recall_id: Mapped[int] = mapped_column(ForeignKey("method_recall.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    """The person's Party at the last download, by the ledger."""
    laboratory_id: Mapped[int | None] = mapped_column(ForeignKey("laboratory.id"))
    """The laboratory at the last download, by the ledger."""
    first_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    downloads: Mapped[int] = mapped_column(default=0)
    """Rows of the ledger: programs of the person included."""
    formats: Mapped[list[str]] = mapped_column(JSON, default=list)
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the mail was written; empty for an account that is closed."""
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    recall: Mapped[MethodRecall] = relationship(back_populates="recipients")
    user: Mapped[User] = relationship()
    party: Mapped[Party | None] = relationship()
    laboratory: Mapped[Laboratory | None] = relationship()


class Outcome(StrEnum):
    """What a verification by another laboratory concludes."""

    AS_VALIDATED = "performs-as-validated"
    WITH_LIMITS = "with-limits"
    NOT = "does-not-perform"


OUTCOME_NAMES: dict[Outcome, str] = {
    Outcome.AS_VALIDATED: N_("performs as validated"),
    Outcome.WITH_LIMITS: N_("performs with limits"),
    Outcome.NOT: N_("does not perform"),
}


class VerificationState(StrEnum):
    """Where a verification stands."""

    DRAFT = "draft"
    PUBLISHED = "published"
    HIDDEN = "hidden"


VERIFICATION_STATE_NAMES: dict[VerificationState, str] = {
    VerificationState.DRAFT: N_("draft"),
    VerificationState.PUBLISHED: N_("published"),
    VerificationState.HIDDEN: N_("hidden"),
}


class MethodVerification(Model):
    """How a published version performed in another laboratory: its field performance."""

    __tablename__ = "method_verification"
    __table_args__ = (
        CheckConstraint("slope < 0", name="slope_negative"),
        CheckConstraint("r2 BETWEEN 0 AND 1", name="r2_fraction"),
        CheckConstraint("rsdr_percent >= 0", name="rsdr_not_negative"),
        CheckConstraint("lod_copies > 0", name="lod_copies_positive"),
        CheckConstraint("lod_percent > 0", name="lod_percent_positive"),
        CheckConstraint("state = 'draft' OR published_at IS NOT NULL", name="published_has_time"),
        CheckConstraint("state <> 'hidden' OR hide_reason <> ''", name="hidden_has_reason"),
        Index("ix_method_verification_version", "version_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"))
    laboratory_id: Mapped[int] = mapped_column(ForeignKey("laboratory.id"), index=True)
    """The laboratory that verified; never the one that owns the method."""
    state: Mapped[VerificationState] = mapped_column(
        text_enum(VerificationState), default=VerificationState.DRAFT
    )
    outcome: Mapped[Outcome] = mapped_column(text_enum(Outcome, "verification_outcome"))
    year: Mapped[int | None]
    matrices: Mapped[list[str]] = mapped_column(JSON, default=list)
    instrument: Mapped[str | None] = mapped_column(String(200))
    study: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The whole study in the shape of a method's ``studies``, as it was checked."""
    slope: Mapped[float | None]
    r2: Mapped[float | None]
    rsdr_percent: Mapped[float | None]
    """The largest of the levels."""
    bias_percent: Mapped[float | None]
    """The one farthest from 0 of the levels, with its sign."""
    lod_copies: Mapped[float | None]
    lod_percent: Mapped[float | None]
    editor_ids: Mapped[list[int]] = mapped_column(JSON, default=list)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    hidden_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    hidden_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    hide_reason: Mapped[str] = mapped_column(Text, default="")
    row_version: Mapped[int] = mapped_column(default=1)

    version: Mapped[MethodVersion] = relationship()
    laboratory: Mapped[Laboratory] = relationship()

    __mapper_args__ = {"version_id_col": row_version}

    @property
    def submitted_by_id(self) -> int | None:
        """Who published it: not a second person for the rules."""
        return self.published_by_id
