"""Tables of detection methods: the method, its versions, and what a version consists of.

Only versions have content. Once published a version never changes: triggers of the migration
refuse it, and ``content_hash`` shows a change that went past them (``trust.md`` G4, F12).
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.accounts.models import Laboratory, User
from labhub.db import Model, UtcDateTime, text_enum
from labhub.i18n import N_
from labhub.lmos.models import Element, Lmo
from labhub.storage import StoredFile


class MethodOrigin(StrEnum):
    """Who put a method into the hub."""

    SUBMITTED = "submitted"
    """A laboratory, with its files, reviewed by a second person."""
    COMPILED = "compiled"
    """The hub, from public sources: no owner, no SOP, figures only where a source prints them."""


ORIGIN_NAMES: dict[MethodOrigin, str] = {
    MethodOrigin.SUBMITTED: N_("submitted by a laboratory"),
    MethodOrigin.COMPILED: N_("compiled from public sources"),
}


class MethodState(StrEnum):
    """Where a version stands (``contract.md``)."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    IN_REVIEW = "in-review"
    RETURNED = "returned"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


STATE_NAMES: dict[MethodState, str] = {
    MethodState.DRAFT: N_("draft"),
    MethodState.SUBMITTED: N_("submitted"),
    MethodState.IN_REVIEW: N_("in review"),
    MethodState.RETURNED: N_("returned to the laboratory"),
    MethodState.PUBLISHED: N_("published"),
    MethodState.SUPERSEDED: N_("superseded by a newer version"),
    MethodState.WITHDRAWN: N_("withdrawn"),
}

PUBLIC_STATES = (MethodState.PUBLISHED, MethodState.SUPERSEDED, MethodState.WITHDRAWN)
EDITABLE_STATES = (MethodState.DRAFT, MethodState.RETURNED)
REVIEW_STATES = (MethodState.SUBMITTED, MethodState.IN_REVIEW)
OPEN_STATES = EDITABLE_STATES + REVIEW_STATES


class Specificity(StrEnum):
    """The method class: what a positive result tells."""

    SCREENING = "screening"
    CONSTRUCT = "construct"
    EVENT = "event"
    TAXON = "taxon"


SPECIFICITY_NAMES: dict[Specificity, str] = {
    Specificity.SCREENING: N_("screening (element)"),
    Specificity.CONSTRUCT: N_("construct-specific"),
    Specificity.EVENT: N_("event-specific"),
    Specificity.TAXON: N_("taxon-specific (reference gene)"),
}


class Technique(StrEnum):
    """The type of assay."""

    END_POINT = "end-point"
    QPCR = "qpcr"
    DPCR = "dpcr"
    ISOTHERMAL = "isothermal"
    PROTEIN = "protein"
    SEQUENCING = "sequencing"


TECHNIQUE_NAMES: dict[Technique, str] = {
    Technique.END_POINT: N_("end-point PCR"),
    Technique.QPCR: N_("real-time PCR (qPCR)"),
    Technique.DPCR: N_("digital PCR (dPCR)"),
    Technique.ISOTHERMAL: N_("isothermal amplification"),
    Technique.PROTEIN: N_("protein test"),
    Technique.SEQUENCING: N_("sequencing"),
}


class AssayFormat(StrEnum):
    """How the technique is carried out, where the technique alone does not say it."""

    ELISA = "elisa"
    LATERAL_FLOW = "lateral-flow"
    WESTERN_BLOT = "western-blot"
    LAMP = "lamp"
    RPA = "rpa"
    NASBA = "nasba"
    SANGER = "sanger"
    AMPLICON_SEQUENCING = "amplicon-sequencing"
    TARGETED_ENRICHMENT = "targeted-enrichment"
    WHOLE_GENOME = "whole-genome"
    OTHER = "other"


ASSAY_FORMAT_NAMES: dict[AssayFormat, str] = {
    AssayFormat.ELISA: N_("ELISA"),
    AssayFormat.LATERAL_FLOW: N_("lateral-flow strip"),
    AssayFormat.WESTERN_BLOT: N_("western blot"),
    AssayFormat.LAMP: N_("LAMP"),
    AssayFormat.RPA: N_("RPA"),
    AssayFormat.NASBA: N_("NASBA"),
    AssayFormat.SANGER: N_("Sanger sequencing"),
    AssayFormat.AMPLICON_SEQUENCING: N_("amplicon sequencing"),
    AssayFormat.TARGETED_ENRICHMENT: N_("sequencing after targeted enrichment"),
    AssayFormat.WHOLE_GENOME: N_("whole-genome sequencing"),
    AssayFormat.OTHER: N_("another format"),
}


class Right(StrEnum):
    """Under which conditions a method may be used; several may hold."""

    OPEN = "open"
    FREE_FOR_REGULATORS = "free-for-regulators"
    MATERIAL_TRANSFER_NEEDED = "material-transfer-needed"
    PERMISSION_NEEDED = "permission-needed"
    PATENT_NOTE = "patent-note"


RIGHT_NAMES: dict[Right, str] = {
    Right.OPEN: N_("free to use for everybody"),
    Right.FREE_FOR_REGULATORS: N_("free for regulators"),
    Right.MATERIAL_TRANSFER_NEEDED: N_("material transfer agreement needed"),
    Right.PERMISSION_NEEDED: N_("permission of the owner needed"),
    Right.PATENT_NOTE: N_("patent note"),
}


class StudyKind(StrEnum):
    """How a validation study was organised."""

    COLLABORATIVE_TRIAL = "collaborative-trial"
    SINGLE_LABORATORY = "single-laboratory"
    IN_HOUSE_VERIFICATION = "in-house-verification"


STUDY_KIND_NAMES: dict[StudyKind, str] = {
    StudyKind.COLLABORATIVE_TRIAL: N_("collaborative trial"),
    StudyKind.SINGLE_LABORATORY: N_("single-laboratory validation"),
    StudyKind.IN_HOUSE_VERIFICATION: N_("in-house verification"),
}


class DecisionAction(StrEnum):
    """What a person decided about a laboratory of a trial."""

    KEEP = "keep"
    EXCLUDE = "exclude"


class OligoRole(StrEnum):
    """What an oligonucleotide does in the reaction."""

    FORWARD = "forward"
    REVERSE = "reverse"
    PROBE = "probe"
    OTHER = "other"


OLIGO_ROLE_NAMES: dict[OligoRole, str] = {
    OligoRole.FORWARD: N_("forward primer"),
    OligoRole.REVERSE: N_("reverse primer"),
    OligoRole.PROBE: N_("probe"),
    OligoRole.OTHER: N_("other oligo"),
}


class TargetKind(StrEnum):
    """In which words a target is named."""

    TARGET = "target"
    LMO = "lmo"
    """By the unique identifier of an LMO that the method detects."""


class FileRole(StrEnum):
    """What a file of a method is."""

    SOP = "sop"
    VALIDATION_REPORT = "validation-report"
    PLATE_TEMPLATE = "plate-template"
    RAW_DATA = "raw-data"
    OTHER = "other"


FILE_ROLE_NAMES: dict[FileRole, str] = {
    FileRole.SOP: N_("standard operating procedure"),
    FileRole.VALIDATION_REPORT: N_("validation report"),
    FileRole.PLATE_TEMPLATE: N_("plate template"),
    FileRole.RAW_DATA: N_("raw data"),
    FileRole.OTHER: N_("other file"),
}


class FileVisibility(StrEnum):
    """Who may see a file of a published version."""

    PUBLIC = "public"
    NETWORK = "network"
    """Everybody with an account."""
    LABORATORY = "laboratory"
    """The owning laboratory, and reviewers while the version waits for review."""


FILE_VISIBILITY_NAMES: dict[FileVisibility, str] = {
    FileVisibility.PUBLIC: N_("everybody"),
    FileVisibility.NETWORK: N_("people with an account"),
    FileVisibility.LABORATORY: N_("the laboratory, and reviewers during the review"),
}


class MethodCounter(Model):
    """The one row with the last number given to a hub-made code (``LH-`` and the number)."""

    __tablename__ = "method_counter"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class DetectionMethod(Model):
    """A procedure that detects, identifies or quantifies an LMO; its content lives on its versions."""

    __tablename__ = "detection_method"
    __table_args__ = (
        CheckConstraint("origin = 'compiled' OR laboratory_id IS NOT NULL", name="submitted_has_laboratory"),
        Index(
            "uq_detection_method_source_code",
            "source_code",
            unique=True,
            sqlite_where=text("origin = 'compiled'"),
            postgresql_where=text("origin = 'compiled'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(60), unique=True)
    """Safe in an address. ``LH-`` and a number until a wished code is published."""
    code_key: Mapped[str] = mapped_column(String(60), unique=True)
    """The code in lower case: codes differ by more than case."""
    hub_key: Mapped[str | None] = mapped_column(String(60), unique=True)
    """The hub-made code in lower case: it stays an address after publication under a wished code."""
    wished_code: Mapped[str] = mapped_column(String(60), default="")
    """Asked for by the laboratory; given at publication if it is still free then."""
    source_code: Mapped[str | None] = mapped_column(String(120))
    """The name at the source; unique among compiled methods."""
    laboratory_id: Mapped[int | None] = mapped_column(ForeignKey("laboratory.id"), index=True)
    origin: Mapped[MethodOrigin] = mapped_column(text_enum(MethodOrigin))
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    laboratory: Mapped[Laboratory | None] = relationship()
    versions: Mapped[list["MethodVersion"]] = relationship(
        order_by="MethodVersion.number", back_populates="method"
    )


class MethodVersion(Model):
    """One version of a method: content, state, and who did what to it. Null means not reported."""

    __tablename__ = "method_version"
    __table_args__ = (
        UniqueConstraint("method_id", "number"),
        CheckConstraint("number >= 1", name="number_positive"),
        CheckConstraint("amplicon_bp > 0", name="amplicon_positive"),
        CheckConstraint("reaction_microlitre > 0", name="reaction_positive"),
        CheckConstraint("template_nanogram > 0", name="template_positive"),
        CheckConstraint("target_copies_per_haploid_genome > 0", name="target_copies_positive"),
        CheckConstraint(
            "state NOT IN ('published', 'superseded', 'withdrawn') "
            "OR (published_at IS NOT NULL AND length(content_hash) = 64)",
            name="published_is_sealed",
        ),
        CheckConstraint("published_by_id <> submitted_by_id", name="two_people"),
        Index(
            "uq_method_version_open",
            "method_id",
            unique=True,
            sqlite_where=text("state IN ('draft', 'submitted', 'in-review', 'returned')"),
            postgresql_where=text("state IN ('draft', 'submitted', 'in-review', 'returned')"),
        ),
        Index(
            "uq_method_version_published",
            "method_id",
            unique=True,
            sqlite_where=text("state = 'published'"),
            postgresql_where=text("state = 'published'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    method_id: Mapped[int] = mapped_column(ForeignKey("detection_method.id"))
    number: Mapped[int]
    state: Mapped[MethodState] = mapped_column(text_enum(MethodState), default=MethodState.DRAFT, index=True)

    # Content.
    title: Mapped[str] = mapped_column(String(300))
    specificity: Mapped[Specificity] = mapped_column(text_enum(Specificity))
    technique: Mapped[Technique] = mapped_column(text_enum(Technique))
    chemistry: Mapped[str | None] = mapped_column(String(100))
    assay_format: Mapped[AssayFormat | None] = mapped_column(text_enum(AssayFormat))
    multiplex: Mapped[bool | None]
    """Several targets in one reaction."""
    quantitative: Mapped[bool]
    target: Mapped[str] = mapped_column(String(300), default="")
    taxon_scientific: Mapped[str | None] = mapped_column(String(200))
    taxon_common: Mapped[str | None] = mapped_column(String(200))
    amplicon_bp: Mapped[int | None]
    amplicon: Mapped[str | None] = mapped_column(Text)
    """Plus strand from forward to reverse primer; N stands for bases that the source does not print."""
    amplicon_accession: Mapped[str | None] = mapped_column(String(100))
    analyte: Mapped[str | None] = mapped_column(String(300))
    """Protein tests: the protein that is detected."""
    antibodies: Mapped[str | None] = mapped_column(Text)
    instrument: Mapped[str | None] = mapped_column(String(300))
    reference_gene: Mapped[str | None] = mapped_column(String(200))
    reference_gene_verified: Mapped[bool | None]
    reference_gene_source: Mapped[str | None] = mapped_column(String(500))
    reference_method: Mapped[str | None] = mapped_column(String(200), index=True)
    """The taxon-specific method that results are set in relation to: its code or title."""
    calibrant: Mapped[str | None] = mapped_column(Text)
    """Calibrant or certified reference material, with its supplier."""
    reaction_microlitre: Mapped[float | None]
    template_nanogram: Mapped[float | None]
    """DNA in one reaction."""
    thermal_profile: Mapped[str | None] = mapped_column(Text)
    reagents: Mapped[str | None] = mapped_column(Text)
    matrices: Mapped[list[str]] = mapped_column(JSON, default=list)
    licence: Mapped[str | None] = mapped_column(String(200))
    rights: Mapped[list[str] | None] = mapped_column(JSON, default=list)
    """Values of ``Right``, in the order of its members."""
    rights_note: Mapped[str | None] = mapped_column(Text)
    standardisation: Mapped[str | None] = mapped_column(String(200))
    target_copies_per_haploid_genome: Mapped[int | None]
    same_oligos_as: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Codes at the source of methods with the same oligos."""
    notes: Mapped[list[str]] = mapped_column(JSON, default=list)
    verified: Mapped[bool | None]
    """Compiled methods: read at the source (true) or from memory (false)."""
    amplicon_consistent: Mapped[bool | None]
    """Compiled methods: whether the primers agree with the amplicon of the source."""
    seen_in: Mapped[list[str]] = mapped_column(JSON, default=list)
    n_places: Mapped[int | None]

    # What happened to it.
    change_note: Mapped[str] = mapped_column(Text, default="")
    """Why this version replaces the one before."""
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    editor_ids: Mapped[list[int]] = mapped_column(JSON, default=list)
    """Everybody who wrote on this version or those before it: none of them may review it."""
    submitted_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reviewer_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    review_started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    returned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    return_reason: Mapped[str] = mapped_column(Text, default="")
    published_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    content_hash: Mapped[str] = mapped_column(String(64), default="")
    """SHA-256 of the content at publication."""
    criteria_version: Mapped[str | None] = mapped_column(String(40))
    """The minimum performance criteria by which the version was judged at publication."""
    superseded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawal_reason: Mapped[str] = mapped_column(Text, default="")
    row_version: Mapped[int] = mapped_column(default=1)
    form_edition: Mapped[int | None]
    """The oldest row version whose content is still the present one: only files were changed since."""

    method: Mapped[DetectionMethod] = relationship(back_populates="versions")
    oligos: Mapped[list["Oligo"]] = relationship(
        order_by="Oligo.position", cascade="all, delete-orphan", back_populates="version"
    )
    targets: Mapped[list["MethodTarget"]] = relationship(
        order_by="MethodTarget.position", cascade="all, delete-orphan", back_populates="version"
    )
    sources: Mapped[list["MethodSource"]] = relationship(
        order_by="MethodSource.position", cascade="all, delete-orphan", back_populates="version"
    )
    files: Mapped[list["MethodFile"]] = relationship(
        order_by="MethodFile.id", cascade="all, delete-orphan", back_populates="version"
    )
    validation: Mapped["MethodValidation | None"] = relationship(
        cascade="all, delete-orphan", back_populates="version"
    )
    oligo_digest: Mapped["OligoDigest | None"] = relationship(
        cascade="all, delete-orphan", back_populates="version"
    )
    oligo_sets: Mapped[list["OligoSet"]] = relationship(
        order_by="OligoSet.position", cascade="all, delete-orphan", back_populates="version"
    )
    reference_materials: Mapped[list["ReferenceMaterial"]] = relationship(
        order_by="ReferenceMaterial.position", cascade="all, delete-orphan", back_populates="version"
    )
    studies: Mapped[list["ValidationStudy"]] = relationship(
        order_by="ValidationStudy.position", cascade="all, delete-orphan", back_populates="version"
    )
    submitted_by: Mapped[User | None] = relationship(foreign_keys=[submitted_by_id])
    reviewer: Mapped[User | None] = relationship(foreign_keys=[reviewer_id])

    __mapper_args__ = {"version_id_col": row_version}

    @property
    def laboratory_id(self) -> int | None:
        """The laboratory that the rules ask for: the method's."""
        return self.method.laboratory_id

    @property
    def edition(self) -> int:
        """What an ETag says: the version's number and its row's, so that two versions never share one."""
        return self.number * 1_000_000 + self.row_version


class Oligo(Model):
    """A primer or probe, 5' to 3', in IUPAC letters; labels and modifications stand apart."""

    __tablename__ = "method_oligo"
    __table_args__ = (
        UniqueConstraint("version_id", "position"),
        CheckConstraint("final_concentration_nanomolar > 0", name="concentration_positive"),
        CheckConstraint("length(sequence) BETWEEN 1 AND 200", name="sequence_length"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"))
    position: Mapped[int]
    role: Mapped[OligoRole] = mapped_column(text_enum(OligoRole))
    name: Mapped[str] = mapped_column(String(100), default="")
    sequence: Mapped[str] = mapped_column(String(200), index=True)
    label5: Mapped[str | None] = mapped_column(String(60))
    """Fluorophore or other label at the 5' end."""
    label3: Mapped[str | None] = mapped_column(String(60))
    """Quencher or other label at the 3' end."""
    final_concentration_nanomolar: Mapped[float | None]
    modifications: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """Inside the oligo: ``{"after_base": 9, "name": "iZEN"}``."""
    set_name: Mapped[str] = mapped_column(String(60), default="", server_default=text("''"))
    """The oligo set that it belongs to; empty: the method's first or only one."""

    version: Mapped[MethodVersion] = relationship(back_populates="oligos")


class OligoDigest(Model):
    """By what a version's oligos are found again in other methods; made of its oligos, sealed with them."""

    __tablename__ = "method_oligo_digest"

    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), index=True)
    """SHA-256 of the sorted sequences (``twins.oligo_digest``)."""

    version: Mapped[MethodVersion] = relationship(back_populates="oligo_digest")


class OligoSet(Model):
    """A further set of oligos of a version: a reaction of its own, or one of a multiplex."""

    __tablename__ = "method_oligo_set"
    __table_args__ = (
        UniqueConstraint("version_id", "position"),
        UniqueConstraint("version_id", "name"),
        CheckConstraint("name <> ''", name="named"),
        CheckConstraint("amplicon_bp > 0", name="amplicon_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(60))
    target: Mapped[str | None] = mapped_column(String(300))
    amplicon_bp: Mapped[int | None]
    amplicon: Mapped[str | None] = mapped_column(Text)
    amplicon_accession: Mapped[str | None] = mapped_column(String(100))

    version: Mapped[MethodVersion] = relationship(back_populates="oligo_sets")


class ReferenceMaterial(Model):
    """A certified or other reference material that the method is calibrated or checked with."""

    __tablename__ = "method_reference_material"
    __table_args__ = (
        UniqueConstraint("version_id", "position"),
        CheckConstraint("name IS NOT NULL OR code IS NOT NULL", name="named"),
        CheckConstraint("certified_value >= 0", name="value_not_negative"),
        CheckConstraint("expanded_uncertainty >= 0", name="uncertainty_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"))
    position: Mapped[int]
    name: Mapped[str | None] = mapped_column(String(300))
    code: Mapped[str | None] = mapped_column(String(100), index=True)
    producer: Mapped[str | None] = mapped_column(String(200))
    matrix: Mapped[str | None] = mapped_column(String(200))
    certified_value: Mapped[float | None]
    certified_unit: Mapped[str | None] = mapped_column(String(60))
    """Unit of value and uncertainty, for instance % m/m or copies/copies."""
    expanded_uncertainty: Mapped[float | None]
    """U with k = 2, in the unit of the value."""
    note: Mapped[str | None] = mapped_column(Text)

    version: Mapped[MethodVersion] = relationship(back_populates="reference_materials")


class ValidationStudy(Model):
    """One validation study of a version with its figures; null means not reported."""

    __tablename__ = "method_study"
    __table_args__ = (
        UniqueConstraint("version_id", "position"),
        CheckConstraint("laboratories >= 1", name="laboratories_positive"),
        CheckConstraint("replicates >= 1", name="replicates_positive"),
        CheckConstraint("year BETWEEN 1980 AND 2200", name="year_plausible"),
        CheckConstraint("slope < 0", name="slope_negative"),
        CheckConstraint("r2 BETWEEN 0 AND 1", name="r2_fraction"),
        CheckConstraint("pcr_efficiency_percent > 0", name="efficiency_positive"),
        CheckConstraint("specificity_amplified <= specificity_tested", name="amplified_among_tested"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"))
    position: Mapped[int]
    kind: Mapped[StudyKind] = mapped_column(text_enum(StudyKind), index=True)
    title: Mapped[str | None] = mapped_column(String(300))
    body: Mapped[str | None] = mapped_column(String(300))
    """Who organised it."""
    laboratory: Mapped[str | None] = mapped_column(String(300))
    """Single-laboratory studies: where it was done."""
    year: Mapped[int | None]
    standard: Mapped[str | None] = mapped_column(String(300))
    """The standard or protocol that was followed."""
    matrix: Mapped[str | None] = mapped_column(String(300))
    instrument: Mapped[str | None] = mapped_column(String(300))
    laboratories: Mapped[int | None]
    replicates: Mapped[int | None]
    """Per level and laboratory."""
    unit: Mapped[str | None] = mapped_column(String(60))
    """Unit of the levels, for instance % m/m, % cp/cp or copies."""
    slope: Mapped[float | None]
    r2: Mapped[float | None]
    pcr_efficiency_percent: Mapped[float | None]
    lod_copies: Mapped[float | None]
    lod_copies_low: Mapped[float | None]
    lod_copies_high: Mapped[float | None]
    """Ends of the 95 % confidence interval of the limit of detection, copies per reaction."""
    lod_percent: Mapped[float | None]
    loq_copies: Mapped[float | None]
    loq_percent: Mapped[float | None]
    dynamic_low: Mapped[float | None]
    dynamic_high: Mapped[float | None]
    """Ends of the dynamic range, in the unit of the levels."""
    specificity_tested: Mapped[int | None]
    """Non-targets that were tried."""
    specificity_amplified: Mapped[int | None]
    """Those of them that gave a signal."""
    note: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    data: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    """Raw results: ``[laboratory, level, replicate, value]``; empty where figures were given by hand."""
    decisions: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    """Laboratories kept or excluded by hand: ``{laboratory, level, action, reason}``."""

    version: Mapped[MethodVersion] = relationship(back_populates="studies")
    levels: Mapped[list["StudyLevel"]] = relationship(
        order_by="StudyLevel.position", cascade="all, delete-orphan", back_populates="study"
    )


class StudyLevel(Model):
    """The figures of one level (amount) of a study; null means not reported."""

    __tablename__ = "method_study_level"
    __table_args__ = (
        UniqueConstraint("study_id", "position"),
        CheckConstraint("assigned >= 0", name="assigned_not_negative"),
        CheckConstraint("laboratories >= 1", name="laboratories_positive"),
        CheckConstraint("s_r >= 0", name="s_r_not_negative"),
        CheckConstraint("s_reproducibility >= 0", name="s_reproducibility_not_negative"),
        CheckConstraint("positive <= tested", name="positive_among_tested"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("method_study.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"), index=True)
    position: Mapped[int]
    label: Mapped[str] = mapped_column(String(100), default="")
    assigned: Mapped[float | None]
    """The true or assigned value."""
    laboratories: Mapped[int | None]
    laboratories_excluded: Mapped[int | None]
    replicates: Mapped[int | None]
    results: Mapped[int | None]
    mean: Mapped[float | None]
    bias_percent: Mapped[float | None]
    s_r: Mapped[float | None]
    """Repeatability standard deviation, in the unit of the study."""
    s_reproducibility: Mapped[float | None]
    """Reproducibility standard deviation s_R, in the unit of the study."""
    repeatability_percent: Mapped[float | None]
    """RSDr."""
    reproducibility_percent: Mapped[float | None]
    """RSDR."""
    tested: Mapped[int | None]
    positive: Mapped[int | None]
    """Results tested, and those that were positive."""

    study: Mapped[ValidationStudy] = relationship(back_populates="levels")
    version: Mapped[MethodVersion] = relationship()


class MethodTarget(Model):
    """What a version detects, in the words given, and the LMO or element of the hub that they mean."""

    __tablename__ = "method_target"
    __table_args__ = (UniqueConstraint("version_id", "kind", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"))
    kind: Mapped[TargetKind] = mapped_column(text_enum(TargetKind))
    position: Mapped[int]
    text: Mapped[str] = mapped_column(String(300))
    lmo_id: Mapped[int | None] = mapped_column(ForeignKey("lmo.id"), index=True)
    element_id: Mapped[int | None] = mapped_column(ForeignKey("element.id"), index=True)

    version: Mapped[MethodVersion] = relationship(back_populates="targets")
    lmo: Mapped[Lmo | None] = relationship()
    element: Mapped[Element | None] = relationship()


class MethodValidation(Model):
    """Performance figures of a version as its validation reported them; null means not reported."""

    __tablename__ = "method_validation"
    __table_args__ = (
        CheckConstraint("laboratories >= 1", name="laboratories_positive"),
        CheckConstraint("year BETWEEN 1980 AND 2200", name="year_plausible"),
        CheckConstraint("lod_copies > 0", name="lod_copies_positive"),
        CheckConstraint("lod_percent > 0", name="lod_percent_positive"),
        CheckConstraint("loq_copies > 0", name="loq_copies_positive"),
        CheckConstraint("loq_percent > 0", name="loq_percent_positive"),
        CheckConstraint("repeatability_percent >= 0", name="repeatability_not_negative"),
        CheckConstraint("reproducibility_percent >= 0", name="reproducibility_not_negative"),
        CheckConstraint("slope < 0", name="slope_negative"),
        CheckConstraint("pcr_efficiency_percent > 0", name="efficiency_positive"),
        CheckConstraint("r2 BETWEEN 0 AND 1", name="r2_fraction"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"), unique=True)
    collaborative_trial: Mapped[bool | None]
    laboratories: Mapped[int | None]
    year: Mapped[int | None]
    body: Mapped[str | None] = mapped_column(String(300))
    note: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    inferred: Mapped[bool | None]
    """The trial is concluded from the method's standing, not read."""
    lod_text: Mapped[str | None] = mapped_column(String(500))
    lod_copies: Mapped[float | None]
    """Limit of detection, copies of the target per reaction."""
    lod_percent: Mapped[float | None]
    loq_text: Mapped[str | None] = mapped_column(String(500))
    loq_copies: Mapped[float | None]
    loq_percent: Mapped[float | None]
    repeatability_percent: Mapped[float | None]
    """RSDr: within a laboratory."""
    reproducibility_percent: Mapped[float | None]
    """RSDR: between laboratories."""
    slope: Mapped[float | None]
    pcr_efficiency_percent: Mapped[float | None]
    r2: Mapped[float | None]
    bias_percent: Mapped[float | None]
    dynamic_range: Mapped[str | None] = mapped_column(String(500))
    figures_note: Mapped[str | None] = mapped_column(Text)
    figures_source: Mapped[str | None] = mapped_column(Text)

    version: Mapped[MethodVersion] = relationship(back_populates="validation")


class MethodSource(Model):
    """Where the facts of a version were read."""

    __tablename__ = "method_source"
    __table_args__ = (UniqueConstraint("version_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"))
    position: Mapped[int]
    title: Mapped[str] = mapped_column(String(500))
    url: Mapped[str | None] = mapped_column(String(1000))
    year: Mapped[int | None]

    version: Mapped[MethodVersion] = relationship(back_populates="sources")


class MethodFile(Model):
    """A file of a version: its SOP, validation report or another."""

    __tablename__ = "method_file"
    __table_args__ = (UniqueConstraint("version_id", "name_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"))
    sha256: Mapped[str] = mapped_column(ForeignKey(StoredFile.sha256), index=True)
    name: Mapped[str] = mapped_column(String(255))
    """As shown and offered; never a path."""
    name_key: Mapped[str] = mapped_column(String(255))
    role: Mapped[FileRole] = mapped_column(text_enum(FileRole))
    kind: Mapped[str] = mapped_column(String(20))
    """What the one reader of ``labhub/file_kinds.py`` found it to be."""
    media_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    visibility: Mapped[FileVisibility] = mapped_column(
        text_enum(FileVisibility), default=FileVisibility.PUBLIC, server_default="public"
    )
    licence: Mapped[str | None] = mapped_column(String(200))
    language: Mapped[str | None] = mapped_column(String(35))
    """BCP 47 tag of the file's language."""
    uploaded_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime)

    version: Mapped[MethodVersion] = relationship(back_populates="files")


class PerformanceCriteria(Model):
    """A version of the minimum performance criteria; once loaded it never changes."""

    __tablename__ = "performance_criteria"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(String(40), unique=True)
    adopted_on: Mapped[date]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Title, source, target and rules, as ``criteria.read_criteria`` takes them."""
    loaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
