"""Tables of the network: what laboratories can run, links found later, and conflicts of names."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.accounts.models import Laboratory
from labhub.db import Model, UtcDateTime, text_enum
from labhub.i18n import N_
from labhub.lmos.models import Element, Lmo
from labhub.methods.models import DetectionMethod, MethodTarget, MethodVersion


class CapabilityList(Model):
    """The list of what a laboratory can run: whether others may read it, and its version as a whole."""

    __tablename__ = "capability_list"

    id: Mapped[int] = mapped_column(primary_key=True)
    laboratory_id: Mapped[int] = mapped_column(ForeignKey("laboratory.id"), unique=True)
    is_listed: Mapped[bool] = mapped_column(default=True)
    """Whether others read it, not only the laboratory, its Party's focal points and the Secretariat."""
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    row_version: Mapped[int] = mapped_column(default=1)

    laboratory: Mapped[Laboratory] = relationship()

    __mapper_args__ = {"version_id_col": row_version}

    @property
    def party_id(self) -> int | None:
        """The Party that the rules ask for: the laboratory's."""
        return self.laboratory.party_id


class Capability(Model):
    """A laboratory says that it can run a method. It holds until a day; after it the entry stays, marked."""

    __tablename__ = "laboratory_capability"
    __table_args__ = (
        UniqueConstraint("laboratory_id", "method_id"),
        CheckConstraint("turnaround_days BETWEEN 1 AND 1000", name="turnaround_plausible"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    laboratory_id: Mapped[int] = mapped_column(ForeignKey("laboratory.id"))
    method_id: Mapped[int] = mapped_column(ForeignKey("detection_method.id"), index=True)
    runs: Mapped[bool] = mapped_column(default=True)
    """Whether it runs the method now; false keeps the entry of a pause."""
    accredited: Mapped[bool] = mapped_column(default=False)
    accreditation_reference: Mapped[str] = mapped_column(String(100), default="")
    accreditation_body: Mapped[str] = mapped_column(String(200), default="")
    accreditation_standard: Mapped[str] = mapped_column(String(100), default="")
    accredited_until: Mapped[date | None]
    material: Mapped[str] = mapped_column(String(200), default="")
    """Name of the reference material at hand."""
    material_code: Mapped[str] = mapped_column(String(60), default="")
    material_until: Mapped[date | None]
    verified_on: Mapped[date | None]
    """When the laboratory verified the method in its own rooms."""
    turnaround_days: Mapped[int | None]
    """From receipt of a sample to the report, in days."""
    note: Mapped[str] = mapped_column(Text, default="")
    valid_until: Mapped[date] = mapped_column(index=True)
    """Last day on which the entry counts."""
    confirmed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reminded_for: Mapped[date | None]
    """The ``valid_until`` of which the laboratory has been reminded."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    row_version: Mapped[int] = mapped_column(default=1)

    laboratory: Mapped[Laboratory] = relationship()
    method: Mapped[DetectionMethod] = relationship()

    __mapper_args__ = {"version_id_col": row_version}


class TargetLink(Model):
    """The LMO or element that a target of a sealed version turned out to mean after its publication."""

    __tablename__ = "method_target_link"
    __table_args__ = (
        CheckConstraint("lmo_id IS NOT NULL OR element_id IS NOT NULL", name="means_something"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("method_target.id", ondelete="CASCADE"), unique=True)
    lmo_id: Mapped[int | None] = mapped_column(ForeignKey("lmo.id"), index=True)
    element_id: Mapped[int | None] = mapped_column(ForeignKey("element.id"), index=True)
    linked_at: Mapped[datetime] = mapped_column(UtcDateTime)

    target: Mapped[MethodTarget] = relationship()
    lmo: Mapped[Lmo | None] = relationship()
    element: Mapped[Element | None] = relationship()


class ConflictKind(StrEnum):
    """What is wrong with a name."""

    UNMATCHED = "unmatched-target"
    AMBIGUOUS = "ambiguous-name"
    CHECK_DIGIT = "check-digit"
    TWO_LMOS = "identifier-and-event"
    TAXON = "taxon"
    SAME_OLIGOS = "same-oligos"
    SHARED_SYNONYM = "shared-synonym"
    CLAIMED_NAME = "claimed-name"


CONFLICT_NAMES: dict[ConflictKind, str] = {
    ConflictKind.UNMATCHED: N_("name that the register does not know"),
    ConflictKind.AMBIGUOUS: N_("name with several meanings"),
    ConflictKind.CHECK_DIGIT: N_("doubtful unique identifier"),
    ConflictKind.TWO_LMOS: N_("identifier and event of different LMOs"),
    ConflictKind.TAXON: N_("taxon of the method and of its LMO differ"),
    ConflictKind.SAME_OLIGOS: N_("same oligos, different targets"),
    ConflictKind.SHARED_SYNONYM: N_("synonym shared by several elements"),
    ConflictKind.CLAIMED_NAME: N_("name claimed by several LMOs"),
}

CONFLICT_REMEDIES: dict[ConflictKind, str] = {
    ConflictKind.UNMATCHED: N_(
        "Correct the spelling in a new version, or ask the Secretariat to add the name to the register."
    ),
    ConflictKind.AMBIGUOUS: N_("Name the unique identifier, or a name that only one record has."),
    ConflictKind.CHECK_DIGIT: N_(
        "Compare the identifier with its source and correct it where it is a misprint."
    ),
    ConflictKind.TWO_LMOS: N_("Correct the identifier or the target, so that both mean the same LMO."),
    ConflictKind.TAXON: N_("Correct the taxon of the method or, in the register, that of the LMO."),
    ConflictKind.SAME_OLIGOS: N_(
        "Compare both methods at their sources; one of them may name a wrong target."
    ),
    ConflictKind.SHARED_SYNONYM: N_(
        "Give the synonym to the element that it means; the Secretariat changes the register."
    ),
    ConflictKind.CLAIMED_NAME: N_(
        "Give the name to the LMO that it means; the Secretariat changes the register."
    ),
}


class NameConflict(Model):
    """A contradiction among names, as found by the last look at methods and register."""

    __tablename__ = "name_conflict"
    __table_args__ = (Index("ix_name_conflict_gone_at_kind", "gone_at", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of what is in conflict: the same conflict is one row, however often it is found."""
    kind: Mapped[ConflictKind] = mapped_column(text_enum(ConflictKind))
    version_id: Mapped[int | None] = mapped_column(
        ForeignKey("method_version.id", ondelete="CASCADE"), index=True
    )
    """The version of a method that it is about; empty for a conflict inside the register."""
    name: Mapped[str] = mapped_column(String(400))
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What the name meets: ``{"means": ["MON810", …], "source": "…"}``."""
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was mended; empty while it stands."""
    reported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the Secretariat was told."""

    version: Mapped[MethodVersion | None] = relationship()


class ConflictLook(Model):
    """The one row that says when conflicts were last looked for."""

    __tablename__ = "conflict_look"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    looked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
