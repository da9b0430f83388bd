"""Tables of LMOs: events and their names, genetic elements, and who says which LMO has which element."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.db import Model, UtcDateTime, text_enum
from labhub.lmos.terms import ElementKind, NameKind, Sign


class Lmo(Model):
    """A living modified organism: one transformation event, or a stack of several.

    Everything known may be missing but the event's name; an empty field means not reported.
    """

    __tablename__ = "lmo"
    __table_args__ = (
        CheckConstraint("(unique_identifier IS NULL) = (identifier_key IS NULL)", name="identifier_has_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    unique_identifier: Mapped[str | None] = mapped_column(String(400), unique=True)
    """OECD unique identifier in canonical spelling: 0 for Ø, ` x ` between the events of a stack."""
    identifier_key: Mapped[str | None] = mapped_column(String(400), unique=True)
    """The same without dashes and with the events of a stack in order: what spellings share."""
    slug: Mapped[str] = mapped_column(String(400), unique=True)
    """The address: of the identifier, or of the event where there is none."""
    event: Mapped[str] = mapped_column(String(200))
    event_key: Mapped[str] = mapped_column(String(200), unique=True)
    event_slug: Mapped[str] = mapped_column(String(200), unique=True)
    trade_name: Mapped[str | None] = mapped_column(String(200))
    taxon_scientific: Mapped[str | None] = mapped_column(String(200), index=True)
    taxon_common: Mapped[str | None] = mapped_column(String(200))
    developer: Mapped[str | None] = mapped_column(String(300))
    traits: Mapped[list[str]] = mapped_column(JSON, default=list)
    is_stack: Mapped[bool] = mapped_column(default=False)
    parents: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Unique identifiers or events of the parents of a stack; some are not in the register."""
    notes: Mapped[list[str]] = mapped_column(JSON, default=list)
    verified: Mapped[bool] = mapped_column(default=False)
    """Whether the record was read at its sources; false means from memory or not checked again."""
    fields_from_memory: Mapped[list[str]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    row_version: Mapped[int] = mapped_column(default=1)

    names: Mapped[list["LmoName"]] = relationship(
        order_by="LmoName.id", cascade="all, delete-orphan", back_populates="lmo"
    )
    sources: Mapped[list["LmoSource"]] = relationship(
        order_by="LmoSource.id", cascade="all, delete-orphan", back_populates="lmo"
    )
    claims: Mapped[list["Claim"]] = relationship(
        order_by="Claim.id", cascade="all, delete-orphan", back_populates="lmo"
    )

    __mapper_args__ = {"version_id_col": row_version}


class LmoName(Model):
    """Another name of an LMO: who uses it, and when that was noted."""

    __tablename__ = "lmo_name"
    __table_args__ = (UniqueConstraint("lmo_id", "name_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    lmo_id: Mapped[int] = mapped_column(ForeignKey("lmo.id"))
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(200), index=True)
    kind: Mapped[NameKind] = mapped_column(text_enum(NameKind), default=NameKind.SYNONYM)
    source: Mapped[str] = mapped_column(String(500), default="")
    recorded_on: Mapped[date | None]
    """The day on which the name was noted; empty means not known."""

    lmo: Mapped[Lmo] = relationship(back_populates="names")


class LmoSource(Model):
    """Where the facts of an LMO were read."""

    __tablename__ = "lmo_source"

    id: Mapped[int] = mapped_column(primary_key=True)
    lmo_id: Mapped[int] = mapped_column(ForeignKey("lmo.id"), index=True)
    title: Mapped[str | None] = mapped_column(String(500))
    url: Mapped[str | None] = mapped_column(String(1000))
    year: Mapped[int | None]

    lmo: Mapped[Lmo] = relationship(back_populates="sources")


class Element(Model):
    """A genetic element that can be looked for, or the junction of two (a construct)."""

    __tablename__ = "element"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(200), unique=True)
    slug: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[ElementKind] = mapped_column(text_enum(ElementKind))
    donor_organism: Mapped[str | None] = mapped_column(String(300))
    is_construct: Mapped[bool] = mapped_column(default=False)
    codes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The element's name in other registers, by register."""
    accession: Mapped[str | None] = mapped_column(String(60))
    source: Mapped[str] = mapped_column(String(500), default="")
    verified: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    row_version: Mapped[int] = mapped_column(default=1)

    names: Mapped[list["ElementName"]] = relationship(
        order_by="ElementName.id", cascade="all, delete-orphan", back_populates="element"
    )

    __mapper_args__ = {"version_id_col": row_version}


class ElementName(Model):
    """Another name of an element. Several elements may share one (*Vip3A*)."""

    __tablename__ = "element_name"
    __table_args__ = (UniqueConstraint("element_id", "name_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    element_id: Mapped[int] = mapped_column(ForeignKey("element.id"))
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(200), index=True)
    source: Mapped[str] = mapped_column(String(500), default="")

    element: Mapped[Element] = relationship(back_populates="names")


class Claim(Model):
    """One source says that an LMO has or lacks an element. Sources may disagree: one row for each."""

    __tablename__ = "claim"
    __table_args__ = (UniqueConstraint("lmo_id", "element_id", "source"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    lmo_id: Mapped[int] = mapped_column(ForeignKey("lmo.id"))
    element_id: Mapped[int] = mapped_column(ForeignKey("element.id"), index=True)
    sign: Mapped[Sign] = mapped_column(text_enum(Sign))
    source: Mapped[str] = mapped_column(String(500))
    verified: Mapped[bool] = mapped_column(default=False)
    recorded_on: Mapped[date | None]

    lmo: Mapped[Lmo] = relationship(back_populates="claims")
    element: Mapped[Element] = relationship()
