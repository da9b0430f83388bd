"""Tables of what methods find in background genomes, and how far the search of each pair has come."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.db import Model, UtcDateTime, text_enum
from labhub.methods.models import MethodVersion
from labhub.sequences.background_models import BackgroundGenome


class BackgroundWork(Model):
    """Who searches a genome now. A worker that dies leaves a claim that runs out."""

    __tablename__ = "background_work"

    genome_id: Mapped[int] = mapped_column(
        ForeignKey("background_genome.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    worker: Mapped[str] = mapped_column(String(40), default="")
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    """Claims in a row that ran out without a step; after five the genome waits for the operator."""


class BackgroundResult(Model):
    """The search of one method version in one genome: where it stands, and what it has counted."""

    __tablename__ = "background_result"
    __table_args__ = (
        UniqueConstraint("genome_id", "version_id"),
        CheckConstraint("position >= 0", name="position_not_negative"),
        CheckConstraint("products >= 0", name="products_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    genome_id: Mapped[int] = mapped_column(ForeignKey("background_genome.id", ondelete="CASCADE"))
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id", ondelete="CASCADE"), index=True)
    row_version: Mapped[int]
    """The version's row version when its assays were read last."""
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of what is searched: assays, settings, version of the rule."""
    rule: Mapped[str] = mapped_column(String(20))
    """Version of the rule by which it is searched (``background_commands.RULE``)."""
    searched: Mapped[list[list[str]]] = mapped_column(JSON, default=list)
    """The assays: name, forward primer, reverse primer, probe (or nothing)."""
    refused: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Assays that could not be searched."""
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    position: Mapped[int] = mapped_column(BigInteger, default=0)
    """Place in the packed genome up to which products were looked for."""
    products: Mapped[int] = mapped_column(default=0)
    """All that were found; the first ones have rows."""
    truncated: Mapped[bool] = mapped_column(default=False)
    """Whether an oligo had so many sites that not all were looked at."""
    computed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the last base was searched; empty while it is not."""

    genome: Mapped[BackgroundGenome] = relationship()
    version: Mapped[MethodVersion] = relationship()
    found: Mapped[list["BackgroundProduct"]] = relationship(
        order_by="BackgroundProduct.id",
        cascade="all, delete-orphan",
        passive_deletes=True,
        back_populates="result",
    )


class ProductKind(StrEnum):
    """Which primers bound a product."""

    BOTH = "fr"
    FORWARD_ONLY = "ff"
    REVERSE_ONLY = "rr"


class BackgroundProduct(Model):
    """A product of a method in a genome; coordinates are 1-based and inclusive on the plus strand."""

    __tablename__ = "background_product"
    __table_args__ = (
        CheckConstraint("strand IN (-1, 1)", name="strand_known"),
        Index("ix_background_product_result_id", "result_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    result_id: Mapped[int] = mapped_column(ForeignKey("background_result.id", ondelete="CASCADE"))
    assay: Mapped[str] = mapped_column(String(300))
    record: Mapped[str] = mapped_column(String(200))
    """Chromosome or other record of the genome."""
    start_bp: Mapped[int] = mapped_column(BigInteger)
    end_bp: Mapped[int] = mapped_column(BigInteger)
    """Smaller than ``start_bp`` when the product crosses the origin of a circular record."""
    size_bp: Mapped[int]
    strand: Mapped[int]
    kind: Mapped[ProductKind] = mapped_column(text_enum(ProductKind))
    forward_mismatches: Mapped[int]
    reverse_mismatches: Mapped[int]
    probe_mismatches: Mapped[int | None]
    """Of the probe inside the product; empty without probe or above the limit."""

    result: Mapped[BackgroundResult] = relationship(back_populates="found")
