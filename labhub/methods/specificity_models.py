"""Tables of living specificity: which method version finds which sequence, and what changed of it.

A pair is current when its version and its sequence both have a mark that says what they now say; a pair
without a row then was searched and nothing found. Marks are compared with the records themselves, so that
nothing a command does can be forgotten and a worker that dies loses nothing.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.db import Model, UtcDateTime, text_enum
from labhub.i18n import N_
from labhub.methods.models import MethodVersion
from labhub.methods.specificity import Judgement
from labhub.sequences.models import ReferenceSequence


class SpecificityState(Model):
    """The one row that every step of the work locks: who works, so that two workers never mix."""

    __tablename__ = "specificity_state"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    worker: Mapped[str] = mapped_column(String(40), default="")
    """Who works; a step of anybody else is not written."""
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Until then nobody else begins; each step moves it on. A worker that died is followed after it."""


class SpecificityMethod(Model):
    """The mark of a version whose row is current."""

    __tablename__ = "specificity_method"

    version_id: Mapped[int] = mapped_column(
        ForeignKey("method_version.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    row_version: Mapped[int]
    """The version's, when it was looked at last."""
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of what was searched: oligos, published lengths, version of the rule."""
    assays: Mapped[int]
    remarks: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """What of it was not searched: ``{"text": msgid, "values": {…}}``, put into words when shown."""
    rule: Mapped[str] = mapped_column(String(20))
    announced: Mapped[bool] = mapped_column(default=False)
    """Whether it was compared, once published, with the version before it."""
    computed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SpecificitySequence(Model):
    """The mark of a sequence whose column is current."""

    __tablename__ = "specificity_sequence"

    sequence_id: Mapped[int] = mapped_column(
        ForeignKey("reference_sequence.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    digest: Mapped[str] = mapped_column(String(40))
    """The refget digest of the bases that were searched."""
    circular: Mapped[bool]
    computed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SpecificityHit(Model):
    """What a method version finds in a sequence; no row where it finds nothing."""

    __tablename__ = "specificity_hit"
    __table_args__ = (
        CheckConstraint("judgement IN ('detected', 'doubtful')", name="found"),
        CheckConstraint("products > 0", name="products_positive"),
        Index("ix_specificity_hit_sequence_id", "sequence_id", "version_id"),
    )

    version_id: Mapped[int] = mapped_column(
        ForeignKey("method_version.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    sequence_id: Mapped[int] = mapped_column(
        ForeignKey("reference_sequence.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    judgement: Mapped[Judgement] = mapped_column(text_enum(Judgement))
    """Of the best product of all assays."""
    reasons: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Values of ``specificity.Reason``."""
    assay: Mapped[str] = mapped_column(String(300), default="")
    """The assay of the best product, where the method has several."""
    assays: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Judgement by assay, where the method has several."""
    products: Mapped[int]
    sizes: Mapped[list[int]] = mapped_column(JSON, default=list)
    """Different lengths of the products, bases; the first ones where there are many."""
    start_bp: Mapped[int]
    """First base of the best product on the plus strand, from 1; it may run over the origin."""
    size_bp: Mapped[int]
    strand: Mapped[int]
    published_bp: Mapped[int | None]
    mm_forward: Mapped[int]
    mm_reverse: Mapped[int]
    mm_probe: Mapped[int | None]
    mismatches: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    """Of the best product: ``[part, base from 5', base from 3', oligo's letter, sequence's letter]``."""
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of what was compared: the marks of version and sequence."""
    rule: Mapped[str] = mapped_column(String(20))
    computed_at: Mapped[datetime] = mapped_column(UtcDateTime)

    version: Mapped[MethodVersion] = relationship()
    sequence: Mapped[ReferenceSequence] = relationship()


class ChangeKind(StrEnum):
    """What is new about a pair of method and sequence."""

    MISMATCH = "mismatch"
    LOST = "not-detected"
    UNEXPECTED = "unexpected"
    FOUND = "detected"


CHANGE_NAMES: dict[ChangeKind, str] = {
    ChangeKind.MISMATCH: N_("mismatches with a target"),
    ChangeKind.LOST: N_("a target is not detected"),
    ChangeKind.UNEXPECTED: N_("an unexpected detection"),
    ChangeKind.FOUND: N_("detected now"),
}


class SpecificityChange(Model):
    """A difference that a step of the work made, and whether both laboratories have been told."""

    __tablename__ = "specificity_change"
    __table_args__ = (
        Index("ix_specificity_change_version_id", "version_id", "sequence_id"),
        Index("ix_specificity_change_method_told_at", "method_told_at"),
        Index("ix_specificity_change_sequence_told_at", "sequence_told_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id", ondelete="CASCADE"))
    sequence_id: Mapped[int] = mapped_column(
        ForeignKey("reference_sequence.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[ChangeKind] = mapped_column(text_enum(ChangeKind))
    before: Mapped[Judgement | None] = mapped_column(text_enum(Judgement, "judgement_before"))
    """Empty for a sequence that is new."""
    after: Mapped[Judgement] = mapped_column(text_enum(Judgement, "judgement_after"))
    reasons: Mapped[list[str]] = mapped_column(JSON, default=list)
    mismatches: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    size_bp: Mapped[int | None]
    published_bp: Mapped[int | None]
    found_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    method_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the laboratory of the method was told; empty while its people may not see the sequence."""
    sequence_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    version: Mapped[MethodVersion] = relationship()
    sequence: Mapped[ReferenceSequence] = relationship()
