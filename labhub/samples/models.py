"""Tables of cases, samples, custody and identification results."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.accounts.models import Laboratory, Party
from labhub.db import Model, UtcDateTime, text_enum
from labhub.i18n import N_
from labhub.lmos.models import Lmo
from labhub.methods.models import MethodVersion
from labhub.samples.articles import Fact


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    UNDER_ANALYSIS = "under-analysis"
    CONCLUDED = "concluded"
    NOTIFIED = "notified"
    CLOSED = "closed"


CASE_STATE_NAMES: dict[CaseState, str] = {
    CaseState.OPEN: N_("open"),
    CaseState.UNDER_ANALYSIS: N_("under analysis"),
    CaseState.CONCLUDED: N_("concluded"),
    CaseState.NOTIFIED: N_("notified"),
    CaseState.CLOSED: N_("closed"),
}


class CaseVisibility(StrEnum):
    """Who may see a case; the Party publishes it."""

    PRIVATE = "private"
    PUBLISHED = "published"


class SampleState(StrEnum):
    """Where a sample stands."""

    REGISTERED = "registered"
    RECEIVED = "received"
    IN_ANALYSIS = "in-analysis"
    REPORTED = "reported"
    RETAINED = "retained"
    DISPOSED = "disposed"


SAMPLE_STATE_NAMES: dict[SampleState, str] = {
    SampleState.REGISTERED: N_("registered"),
    SampleState.RECEIVED: N_("received"),
    SampleState.IN_ANALYSIS: N_("in analysis"),
    SampleState.REPORTED: N_("reported"),
    SampleState.RETAINED: N_("retained"),
    SampleState.DISPOSED: N_("disposed"),
}


class CustodyAct(StrEnum):
    """What happened to a sample when it changed hands."""

    REGISTERED = "registered"
    HANDED_OVER = "handed-over"
    RECEIVED = "received"
    RETAINED = "retained"
    DISPOSED = "disposed"


CUSTODY_ACT_NAMES: dict[CustodyAct, str] = {
    CustodyAct.REGISTERED: N_("registered"),
    CustodyAct.HANDED_OVER: N_("handed over"),
    CustodyAct.RECEIVED: N_("received by the laboratory"),
    CustodyAct.RETAINED: N_("put into the store"),
    CustodyAct.DISPOSED: N_("disposed of"),
}


class Outcome(StrEnum):
    """What an analysis found; ``pending`` is one that was begun and has no outcome yet."""

    PENDING = "pending"
    DETECTED = "detected"
    NOT_DETECTED = "not-detected"
    QUANTIFIED = "quantified"
    INCONCLUSIVE = "inconclusive"


OUTCOME_NAMES: dict[Outcome, str] = {
    Outcome.PENDING: N_("under way"),
    Outcome.DETECTED: N_("detected"),
    Outcome.NOT_DETECTED: N_("not detected"),
    Outcome.QUANTIFIED: N_("quantified"),
    Outcome.INCONCLUSIVE: N_("inconclusive"),
}


class PercentUnit(StrEnum):
    """What a percentage of an LMO is a percentage of: copies of the genome, or mass."""

    COPIES = "cp/cp"
    MASS = "m/m"


class CaseCounter(Model):
    """The last case number given in a year; its row is locked while the next one is taken."""

    __tablename__ = "case_counter"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class Case(Model):
    """A detection that may concern Article 17, 18 or 25; private to its laboratory and Party."""

    __tablename__ = "case_record"
    __table_args__ = (CheckConstraint("article IN (17, 18, 25)", name="article"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    """Made by the hub, like C-2026-0001."""
    title: Mapped[str] = mapped_column(String(300))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    """The detecting Party."""
    party_of_release_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    """The Party under whose jurisdiction the release occurred; empty while it is not known."""
    laboratory_id: Mapped[int | None] = mapped_column(ForeignKey("laboratory.id"), index=True)
    """The laboratory that works on the case."""
    article: Mapped[int | None]
    inadvertent: Mapped[Fact] = mapped_column(text_enum(Fact, "inadvertent"), default=Fact.UNKNOWN)
    contravention: Mapped[Fact] = mapped_column(text_enum(Fact, "contravention"), default=Fact.UNKNOWN)
    significant_effects_likely: Mapped[Fact] = mapped_column(
        text_enum(Fact, "significant_effects_likely"), default=Fact.UNKNOWN
    )
    state: Mapped[CaseState] = mapped_column(text_enum(CaseState), default=CaseState.OPEN, index=True)
    visibility: Mapped[CaseVisibility] = mapped_column(
        text_enum(CaseVisibility), default=CaseVisibility.PRIVATE
    )
    summary: Mapped[str] = mapped_column(Text, default="")
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    row_version: Mapped[int] = mapped_column(default=1)

    party: Mapped[Party] = relationship(foreign_keys=[party_id])
    party_of_release: Mapped[Party | None] = relationship(foreign_keys=[party_of_release_id])
    laboratory: Mapped[Laboratory | None] = relationship()

    __mapper_args__ = {"version_id_col": row_version}


class CaseEvent(Model):
    """What was done in a case: its timeline. The audit trail keeps only a salted digest of each row,
    because those who read the trail may not read the case."""

    __tablename__ = "case_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_record.id"), index=True)
    sample_id: Mapped[int | None] = mapped_column(ForeignKey("sample.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    roles: Mapped[str] = mapped_column(String(400))
    action: Mapped[str] = mapped_column(String(60))
    before: Mapped[str] = mapped_column(Text)
    """Canonical JSON of the fields before the change."""
    after: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text, default="")
    salt: Mapped[str] = mapped_column(String(32))


class Sample(Model):
    """A sample of a case. Seen by whoever sees the case."""

    __tablename__ = "sample"
    __table_args__ = (
        UniqueConstraint("case_id", "label"),
        CheckConstraint("mass_gram > 0", name="mass_positive"),
        CheckConstraint("increments > 0", name="increments_positive"),
        CheckConstraint("received_at >= taken_at", name="received_after_taken"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_record.id"), index=True)
    label: Mapped[str] = mapped_column(String(100))
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime)
    place: Mapped[str] = mapped_column(String(200), default="")
    sampler: Mapped[str] = mapped_column(String(200), default="")
    product: Mapped[str] = mapped_column(String(300), default="")
    """The product or matrix, as maize grain or soybean meal."""
    lot: Mapped[str] = mapped_column(String(100), default="")
    mass_gram: Mapped[float | None]
    increments: Mapped[int | None]
    seal_number: Mapped[str] = mapped_column(String(100), default="")
    state: Mapped[SampleState] = mapped_column(text_enum(SampleState), default=SampleState.REGISTERED)
    received_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    laboratory_id: Mapped[int | None] = mapped_column(ForeignKey("laboratory.id"), index=True)
    """The laboratory that holds or analyses it: the one that registered or received it; none before that."""
    custody_count: Mapped[int] = mapped_column(default=0)
    custody_hash: Mapped[str] = mapped_column(String(64), default="")
    """Number and digest of the last custody entry: a chain that lost its end is noticed."""
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    row_version: Mapped[int] = mapped_column(default=1)

    case: Mapped[Case] = relationship()
    laboratory: Mapped[Laboratory | None] = relationship()

    __mapper_args__ = {"version_id_col": row_version}


class CustodyEntry(Model):
    """One link of the chain of custody. Rows are never changed or removed: triggers refuse it."""

    __tablename__ = "custody_entry"
    __table_args__ = (UniqueConstraint("sample_id", "seq"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"))
    seq: Mapped[int]
    act: Mapped[CustodyAct] = mapped_column(text_enum(CustodyAct))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When it happened."""
    from_person: Mapped[str] = mapped_column(String(200))
    to_person: Mapped[str] = mapped_column(String(200))
    place: Mapped[str] = mapped_column(String(200))
    note: Mapped[str] = mapped_column(Text)
    """Condition and seal as found."""
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class IdentificationResult(Model):
    """What one method version found in a sample. Never changed: a correction is a new row that names it."""

    __tablename__ = "analysis"
    __table_args__ = (
        CheckConstraint("(outcome = 'quantified') = (gm_percent IS NOT NULL)", name="percent_if_quantified"),
        CheckConstraint("(gm_percent IS NULL) = (unit IS NULL)", name="unit_with_percent"),
        CheckConstraint("u_percent IS NULL OR gm_percent IS NOT NULL", name="u_with_percent"),
        CheckConstraint("gm_percent >= 0 AND gm_percent <= 100", name="percent_range"),
        CheckConstraint("u_percent >= 0", name="u_positive"),
        CheckConstraint("outcome <> 'not-detected' OR lod_text <> ''", name="lod_if_not_detected"),
        CheckConstraint("(replaces_id IS NULL) = (reason = '')", name="reason_if_replacing"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"), index=True)
    laboratory_id: Mapped[int] = mapped_column(ForeignKey("laboratory.id"), index=True)
    method_version_id: Mapped[int] = mapped_column(ForeignKey("method_version.id"), index=True)
    method_status: Mapped[str] = mapped_column(String(40))
    """The state of the method version when it was cited; a superseded one was cited knowingly."""
    outcome: Mapped[Outcome] = mapped_column(text_enum(Outcome))
    target: Mapped[str] = mapped_column(String(200), default="")
    """The LMO, event or element looked for, in the laboratory's words."""
    lmo_id: Mapped[int | None] = mapped_column(ForeignKey("lmo.id"), index=True)
    gm_percent: Mapped[float | None]
    u_percent: Mapped[float | None]
    """Expanded uncertainty U (k = 2), in the unit of ``gm_percent`` (percentage points)."""
    unit: Mapped[PercentUnit | None] = mapped_column(text_enum(PercentUnit))
    lod_text: Mapped[str] = mapped_column(String(200), default="")
    """Limit of detection with its unit, as 0.05 % or 20 copies."""
    analysed_on: Mapped[date]
    analyst: Mapped[str] = mapped_column(String(200), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("analysis.id"), unique=True)
    """The result that this one corrects; a result is corrected once, then its correction."""
    reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)

    method_version: Mapped[MethodVersion] = relationship()
    lmo: Mapped[Lmo | None] = relationship()
    laboratory: Mapped[Laboratory] = relationship()
