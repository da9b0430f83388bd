"""Tables of reference sequences: what is known of a record, its features, and apart from both its bases."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.accounts.models import Laboratory, User
from labhub.db import Model, UtcDateTime, text_enum
from labhub.i18n import N_
from labhub.lmos.models import Element, Lmo


class SequenceState(StrEnum):
    """Where a record stands; the states are those of methods."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    IN_REVIEW = "in-review"
    RETURNED = "returned"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


STATE_NAMES: dict[SequenceState, str] = {
    SequenceState.DRAFT: N_("draft"),
    SequenceState.SUBMITTED: N_("submitted"),
    SequenceState.IN_REVIEW: N_("in review"),
    SequenceState.RETURNED: N_("returned"),
    SequenceState.PUBLISHED: N_("published"),
    SequenceState.SUPERSEDED: N_("superseded"),
    SequenceState.WITHDRAWN: N_("withdrawn"),
}


class Visibility(StrEnum):
    """Who sees a record once it is published."""

    PUBLIC = "public"
    NETWORK = "network"
    LABORATORY = "laboratory"
    SEALED = "sealed"


VISIBILITY_NAMES: dict[Visibility, str] = {
    Visibility.PUBLIC: N_("public"),
    Visibility.NETWORK: N_("network"),
    Visibility.LABORATORY: N_("laboratory"),
    Visibility.SEALED: N_("sealed"),
}

VISIBILITY_TEXTS: dict[Visibility, str] = {
    Visibility.PUBLIC: N_("Everybody may read and download it once it is published."),
    Visibility.NETWORK: N_(
        "Once it is published, laboratories, focal points, reviewers and the Secretariat may read and "
        "download it after signing in."
    ),
    Visibility.LABORATORY: N_("Only your laboratory reads it; reviewers and the Secretariat during review."),
    Visibility.SEALED: N_(
        "Set by a manager: your laboratory sees that it exists, only its managers see the bases. It is "
        "never reviewed or published."
    ),
}


class Topology(StrEnum):
    """Whether the molecule is closed."""

    LINEAR = "linear"
    CIRCULAR = "circular"


TOPOLOGY_NAMES: dict[Topology, str] = {Topology.LINEAR: N_("linear"), Topology.CIRCULAR: N_("circular")}


class ReferenceSequence(Model):
    """A reference sequence of a laboratory: everything but its bases."""

    __tablename__ = "reference_sequence"
    __table_args__ = (
        CheckConstraint("length_bp > 0", name="length_positive"),
        CheckConstraint(
            "state NOT IN ('published', 'superseded') OR published_at IS NOT NULL", name="published_has_time"
        ),
        CheckConstraint("state <> 'withdrawn' OR withdrawn_at IS NOT NULL", name="withdrawn_has_time"),
        CheckConstraint(
            "visibility <> 'sealed' OR state IN ('draft', 'returned', 'withdrawn')",
            name="sealed_not_reviewed",
        ),
        CheckConstraint("published_by_id <> submitted_by_id", name="two_people"),
        CheckConstraint("canonical_strand IN (-1, 1)", name="canonical_strand_known"),
        Index("ix_reference_sequence_source_accession", "source_accession"),
        Index("ix_reference_sequence_state_visibility", "state", "visibility"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    accession: Mapped[str] = mapped_column(String(20), unique=True)
    """Made by the hub: ``LHS-`` and a number (``docs/decisions/0016-sequences.md``)."""
    laboratory_id: Mapped[int] = mapped_column(ForeignKey("laboratory.id"), index=True)
    source_accession: Mapped[str] = mapped_column(String(200))
    """The name that the record carries in its file, without the version."""
    version: Mapped[str] = mapped_column(String(200), default="")
    """The version behind the source accession; empty when the file gives none."""
    name: Mapped[str] = mapped_column(String(200))
    """The LOCUS name, or the name of the FASTA header."""
    title: Mapped[str] = mapped_column(String(300))
    description: Mapped[str] = mapped_column(Text, default="")
    organism: Mapped[str] = mapped_column(String(300), default="", index=True)
    """As the file names it."""
    taxon: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"), index=True)
    """The accepted scientific name in the table of taxa; empty when the organism is not in it."""
    source: Mapped[str] = mapped_column(String(300), default="", server_default=text("''"))
    """Where the record comes from: a register, an article, the laboratory's own sequencing."""
    topology: Mapped[Topology] = mapped_column(text_enum(Topology))
    molecule_type: Mapped[str] = mapped_column(String(40))
    length_bp: Mapped[int]
    digest: Mapped[str] = mapped_column(String(40), index=True)
    """GA4GH refget identifier of the bases, ``SQ.`` and 32 characters."""
    reverse_digest: Mapped[str | None] = mapped_column(String(40), index=True)
    """The same of the reverse complement; with the next two it tells records of one molecule
    (``equivalence.py``). Empty until ``labhub init`` fills records that are older than the columns."""
    canonical_digest: Mapped[str | None] = mapped_column(String(40), index=True)
    canonical_strand: Mapped[int | None]
    visibility: Mapped[Visibility] = mapped_column(text_enum(Visibility))
    state: Mapped[SequenceState] = mapped_column(text_enum(SequenceState), default=SequenceState.DRAFT)
    lmo_id: Mapped[int | None] = mapped_column(ForeignKey("lmo.id"), index=True)
    """The first of its LMOs; all of them are ``lmo_links``."""
    element_id: Mapped[int | None] = mapped_column(ForeignKey("element.id"), index=True)
    """The first of its elements; all of them are ``element_links``."""
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("reference_sequence.id"), index=True)
    """The published record of the same laboratory that this one replaces once it is published itself."""
    note: Mapped[str] = mapped_column(Text, default="")
    licence: Mapped[str] = mapped_column(String(300), default="")
    warnings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """What the reader remarked: ``{"text": msgid, "values": {…}}``, put into words when shown."""
    file_sha256: Mapped[str | None] = mapped_column(ForeignKey("stored_file.sha256"), index=True)
    """The file that was sent; empty for a record that came by the command line."""
    file_name: Mapped[str] = mapped_column(String(255), default="")
    file_kind: Mapped[str] = mapped_column(String(20))
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    editor_ids: Mapped[list[int]] = mapped_column(JSON, default=list)
    """Everybody who made, changed or submitted this record: none of them may review it."""
    submitted_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reviewer_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    published_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why it was returned or withdrawn last."""
    row_version: Mapped[int] = mapped_column(default=1)

    laboratory: Mapped[Laboratory] = relationship()
    lmo: Mapped[Lmo | None] = relationship()
    element: Mapped[Element | None] = relationship()
    submitted_by: Mapped[User | None] = relationship(foreign_keys=[submitted_by_id])
    supersedes: Mapped["ReferenceSequence | None"] = relationship(remote_side=[id])
    lmo_links: Mapped[list["SequenceLmo"]] = relationship(
        order_by="SequenceLmo.position", cascade="all, delete-orphan"
    )
    element_links: Mapped[list["SequenceElement"]] = relationship(
        order_by="SequenceElement.position", cascade="all, delete-orphan"
    )
    method_links: Mapped[list["SequenceMethod"]] = relationship(
        order_by="SequenceMethod.position", cascade="all, delete-orphan"
    )
    features: Mapped[list["SequenceFeature"]] = relationship(
        order_by="SequenceFeature.position", cascade="all, delete-orphan", back_populates="sequence"
    )

    __mapper_args__ = {"version_id_col": row_version}

    @property
    def source_identifier(self) -> str:
        """The source accession with its version, as its own register writes it."""
        return f"{self.source_accession}.{self.version}" if self.version else self.source_accession

    @property
    def is_editable(self) -> bool:
        """Whether its laboratory may still change it."""
        return self.state in (SequenceState.DRAFT, SequenceState.RETURNED)


class SequenceLmo(Model):
    """An LMO that a record is of."""

    __tablename__ = "sequence_lmo"

    sequence_id: Mapped[int] = mapped_column(ForeignKey("reference_sequence.id"), primary_key=True)
    lmo_id: Mapped[int] = mapped_column(ForeignKey("lmo.id"), primary_key=True, index=True)
    position: Mapped[int]
    """Its place among the LMOs of the record, from 1."""

    lmo: Mapped[Lmo] = relationship()


class SequenceElement(Model):
    """An element that a record is of, or holds."""

    __tablename__ = "sequence_element"

    sequence_id: Mapped[int] = mapped_column(ForeignKey("reference_sequence.id"), primary_key=True)
    element_id: Mapped[int] = mapped_column(ForeignKey("element.id"), primary_key=True, index=True)
    position: Mapped[int]

    element: Mapped[Element] = relationship()


class SequenceMethod(Model):
    """A detection method that a record goes with, by its code: methods stand above sequences."""

    __tablename__ = "sequence_method"

    sequence_id: Mapped[int] = mapped_column(ForeignKey("reference_sequence.id"), primary_key=True)
    code: Mapped[str] = mapped_column(String(100), primary_key=True, index=True)
    position: Mapped[int]


class SequenceFeature(Model):
    """A feature of the record's table; coordinates are 1-based and inclusive on the plus strand."""

    __tablename__ = "sequence_feature"
    __table_args__ = (
        CheckConstraint("start_bp > 0 AND end_bp > 0", name="coordinates_positive"),
        CheckConstraint("strand IN (-1, 0, 1)", name="strand_known"),
        Index("ix_sequence_feature_sequence_id", "sequence_id", "position"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sequence_id: Mapped[int] = mapped_column(ForeignKey("reference_sequence.id"))
    position: Mapped[int]
    """Its place in the file, from 1."""
    kind: Mapped[str] = mapped_column(String(20))
    start_bp: Mapped[int]
    end_bp: Mapped[int]
    """Smaller than ``start_bp`` when the feature crosses the origin of a circular record."""
    strand: Mapped[int]
    label: Mapped[str] = mapped_column(String(200))
    location: Mapped[str] = mapped_column(Text)
    """The whole location in the notation of the INSDC."""
    qualifiers: Mapped[dict[str, list[str]]] = mapped_column(JSON, default=dict)

    sequence: Mapped[ReferenceSequence] = relationship(back_populates="features")


class SequenceBases(Model):
    """The bases, in a table of their own, so that no list or page loads them by accident."""

    __tablename__ = "sequence_bases"

    sequence_id: Mapped[int] = mapped_column(
        ForeignKey("reference_sequence.id"), primary_key=True, autoincrement=False
    )
    bases: Mapped[str] = mapped_column(Text)


class SequenceCounter(Model):
    """The one row with the last number given; it is locked while a number is taken."""

    __tablename__ = "sequence_counter"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]
