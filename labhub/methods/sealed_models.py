"""The table of what published methods find in sealed records."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.db import Model, UtcDateTime, text_enum
from labhub.methods.models import MethodVersion
from labhub.sequences.models import ReferenceSequence
from labhub.sequences.sealed_models import SealedAnswer


class SealedMethodAnswer(Model):
    """Whether a published version of a method detects a sealed record: one of three words, nothing else."""

    __tablename__ = "sealed_method_answer"

    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"), primary_key=True)
    sequence_id: Mapped[int] = mapped_column(
        ForeignKey("reference_sequence.id"), primary_key=True, index=True
    )
    answer: Mapped[SealedAnswer] = mapped_column(text_enum(SealedAnswer))
    made_from: Mapped[str] = mapped_column(String(64))
    """SHA-256 over the record's digest and topology, the version's oligos and the rules of the search."""
    computed_at: Mapped[datetime] = mapped_column(UtcDateTime)

    version: Mapped[MethodVersion] = relationship()
    sequence: Mapped[ReferenceSequence] = relationship()
