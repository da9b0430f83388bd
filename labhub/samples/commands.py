"""Everything that changes cases, samples, custody and results.

Each change writes one row of the case's own timeline and one entry of the audit trail. The trail
holds a salted digest of the row, not its content: who reads the trail may not read the case.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import select, text

from labhub import audit, clock
from labhub.accounts.actor import Actor
from labhub.accounts.models import Laboratory, Party
from labhub.accounts.policy import can, require
from labhub.accounts.queries import find_laboratory, find_party, own_laboratories
from labhub.audit import canonical
from labhub.db import db
from labhub.errors import Conflict, Invalid, NotFound, StaleEdit
from labhub.i18n import _
from labhub.lmos.models import Lmo
from labhub.lmos.queries import find_lmo
from labhub.methods.models import MethodState, MethodVersion
from labhub.methods.queries import find_published_version
from labhub.names import clean_name
from labhub.samples import queries
from labhub.samples.articles import Fact
from labhub.samples.custody import FIRST_HASH, HASHED_FIELDS, entry_hash, same_hands
from labhub.samples.models import (
    CASE_STATE_NAMES,
    SAMPLE_STATE_NAMES,
    Case,
    CaseCounter,
    CaseEvent,
    CaseState,
    CaseVisibility,
    CustodyAct,
    CustodyEntry,
    IdentificationResult,
    Outcome,
    PercentUnit,
    Sample,
    SampleState,
)

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
"""No sample of an LMO is older."""

NEXT_STATES: dict[CaseState, frozenset[CaseState]] = {
    CaseState.OPEN: frozenset({CaseState.UNDER_ANALYSIS, CaseState.CLOSED}),
    CaseState.UNDER_ANALYSIS: frozenset({CaseState.CONCLUDED, CaseState.CLOSED}),
    CaseState.CONCLUDED: frozenset({CaseState.UNDER_ANALYSIS, CaseState.NOTIFIED, CaseState.CLOSED}),
    CaseState.NOTIFIED: frozenset({CaseState.UNDER_ANALYSIS, CaseState.CLOSED}),
    CaseState.CLOSED: frozenset({CaseState.UNDER_ANALYSIS}),
}
REASON_NEEDED = frozenset({CaseState.CONCLUDED, CaseState.NOTIFIED, CaseState.CLOSED})
"""States that are left for ``under-analysis`` only with a reason."""

SAMPLE_FIELDS = (
    "label",
    "taken_at",
    "place",
    "sampler",
    "product",
    "lot",
    "mass_gram",
    "increments",
    "seal_number",
    "state",
)
BEFORE_ANALYSIS = frozenset({SampleState.REGISTERED, SampleState.RECEIVED})


# Cases ----------------------------------------------------------------------------------------


def open_case(
    actor: Actor,
    *,
    title: str,
    party: str,
    laboratory: str = "",
    party_of_release: str | None = None,
    article: int | None = None,
    inadvertent: Fact = Fact.UNKNOWN,
    contravention: Fact = Fact.UNKNOWN,
    significant_effects_likely: Fact = Fact.UNKNOWN,
    summary: str = "",
) -> Case:
    """Open a case of the detecting ``party`` (ISO 3166 code), worked on by ``laboratory`` (code).

    Without ``laboratory`` it is the actor's own laboratory of that Party, if there is exactly one.
    """
    detecting = _party(party, "party")
    release = _party(party_of_release, "party_of_release") if party_of_release else None
    works_on_it = _laboratory(actor, laboratory, detecting) if laboratory else _own(actor, detecting)
    case = Case(
        number="",
        title=clean_name(title, field="title", longest=300),
        party_id=detecting.id,
        party=detecting,
        party_of_release_id=release.id if release else None,
        party_of_release=release,
        laboratory_id=works_on_it.id if works_on_it else None,
        laboratory=works_on_it,
        article=article,
        inadvertent=inadvertent,
        contravention=contravention,
        significant_effects_likely=significant_effects_likely,
        state=CaseState.OPEN,
        visibility=CaseVisibility.PRIVATE,
        summary=summary.strip(),
        opened_at=clock.now(),
        created_by_id=actor.user_id,
    )
    require(actor, "case.create", case)
    case.number = _next_number(case.opened_at.year)
    db.session.add(case)
    db.session.flush()
    _record(actor, "case.open", case, object_kind="case", object_id=case.id, after=_case_fields(case))
    return case


def change_case(
    actor: Actor,
    ident: str | int,
    expected_version: int,
    changes: Mapping[str, Any],
    *,
    reason: str = "",
) -> Case:
    """Change facts, article, Parties, laboratory, text or state of a case; only what ``changes`` names.

    A case that is closed is first taken up again (state ``under-analysis``, with a reason).
    """
    case = queries.find_case(actor, ident, lock=True)
    require(actor, "case.change", case)
    if case.row_version != expected_version:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))
    before = _case_fields(case)
    was = case.state
    with db.session.no_autoflush:
        _apply(actor, case, changes)
    after = _case_fields(case)
    changed = {name for name in after if after[name] != before[name]}
    if not changed:
        return case
    if was is CaseState.CLOSED and changed != {"state"}:
        raise Conflict(
            _("This case is closed. Take it up again (state: under analysis) before you change it.")
        )
    if case.state is not was:
        _check_move(actor, case, was, reason)
    db.session.flush()
    _record(
        actor,
        "case.change",
        case,
        object_kind="case",
        object_id=case.id,
        version=case.row_version,
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
        reason=reason,
    )
    return case


def _apply(actor: Actor, case: Case, changes: Mapping[str, Any]) -> None:
    if "title" in changes:
        case.title = clean_name(changes["title"], field="title", longest=300)
    if "summary" in changes:
        case.summary = changes["summary"].strip()
    if "party_of_release" in changes:
        given = changes["party_of_release"]
        case.party_of_release = _party(given, "party_of_release") if given else None
        case.party_of_release_id = case.party_of_release.id if case.party_of_release else None
    if "laboratory" in changes:
        code = changes["laboratory"]
        if code != (case.laboratory.code if case.laboratory else None):
            require(actor, "case.assign", case)
            case.laboratory = _laboratory(actor, code, case.party) if code else None
            case.laboratory_id = case.laboratory.id if case.laboratory else None
    for name in ("article", "inadvertent", "contravention", "significant_effects_likely", "state"):
        if name in changes:
            setattr(case, name, changes[name])


def _check_move(actor: Actor, case: Case, was: CaseState, reason: str) -> None:
    if case.state not in NEXT_STATES[was]:
        raise Conflict(
            _(
                "A case that is %(was)s cannot become %(state)s. Possible now: %(names)s.",
                was=_(CASE_STATE_NAMES[was]),
                state=_(CASE_STATE_NAMES[case.state]),
                names=", ".join(sorted(state.value for state in NEXT_STATES[was])),
            ),
            field="state",
        )
    if case.state is CaseState.NOTIFIED:
        require(actor, "case.notify", case)
    if was in REASON_NEEDED and case.state is CaseState.UNDER_ANALYSIS and not reason.strip():
        raise Invalid(_("Give the reason why the case is taken up again."), field="reason")


def _party(code: str, field: str) -> Party:
    try:
        return find_party(code)
    except NotFound as error:
        raise Invalid(error.message, field=field) from error


def _laboratory(actor: Actor, code: str, party: Party) -> Laboratory:
    try:
        laboratory = find_laboratory(actor, code)
    except NotFound as error:
        raise Invalid(error.message, field="laboratory") from error
    if laboratory.party_id != party.id:
        raise Invalid(
            _("Laboratory %(code)s is not of the Party that detected.", code=laboratory.code),
            field="laboratory",
        )
    return laboratory


def _own(actor: Actor, party: Party) -> Laboratory | None:
    own = [laboratory for laboratory in own_laboratories(actor) if laboratory.party_id == party.id]
    if len(own) > 1:
        raise Invalid(
            _("Name the laboratory: you work in %(codes)s.", codes=", ".join(row.code for row in own)),
            field="laboratory",
        )
    return own[0] if own else None


def _next_number(year: int) -> str:
    db.session.execute(
        text("INSERT INTO case_counter (year, last) VALUES (:year, 0) ON CONFLICT (year) DO NOTHING"),
        {"year": year},
    )
    counter = db.session.get_one(CaseCounter, year, with_for_update=True, populate_existing=True)
    counter.last += 1
    return f"C-{year}-{counter.last:04d}"


def _case_fields(case: Case) -> dict[str, Any]:
    return {
        "title": case.title,
        "party": case.party.iso2,
        "party_of_release": case.party_of_release.iso2 if case.party_of_release else None,
        "laboratory": case.laboratory.code if case.laboratory else None,
        "article": case.article,
        "inadvertent": case.inadvertent.value,
        "contravention": case.contravention.value,
        "significant_effects_likely": case.significant_effects_likely.value,
        "state": case.state.value,
        "summary": case.summary,
    }


# Samples and custody --------------------------------------------------------------------------


def register_sample(
    actor: Actor,
    *,
    case: str | int,
    label: str,
    taken_at: datetime,
    place: str = "",
    sampler: str = "",
    product: str = "",
    lot: str = "",
    mass_gram: float | None = None,
    increments: int | None = None,
    seal_number: str = "",
) -> Sample:
    """Register a sample of a case; its chain of custody begins with the person who took it.

    A sample that the case's laboratory registers is in its hands; another one must be received.
    """
    record = queries.find_case(actor, case)
    require(actor, "sample.create", record)
    _check_open(record)
    _check_past(taken_at, "taken_at")
    holder = record.laboratory if can(actor, "sample.receive", record) else None
    sample = Sample(
        case_id=record.id,
        case=record,
        label=clean_name(label, field="label", longest=100),
        taken_at=taken_at,
        place=place.strip(),
        sampler=sampler.strip(),
        product=product.strip(),
        lot=lot.strip(),
        mass_gram=mass_gram,
        increments=increments,
        seal_number=seal_number.strip(),
        state=SampleState.REGISTERED,
        laboratory_id=holder.id if holder else None,
        laboratory=holder,
        custody_count=0,
        custody_hash=FIRST_HASH,
        created_by_id=actor.user_id,
    )
    _check_label(sample)
    db.session.add(sample)
    db.session.flush()
    entry = _append(
        actor,
        sample,
        act=CustodyAct.REGISTERED,
        at=taken_at,
        from_person="",
        to_person=sample.sampler or actor.name,
        place=sample.place,
        note=sample.seal_number,
    )
    _record(
        actor,
        "sample.create",
        record,
        object_kind="sample",
        object_id=sample.id,
        sample=sample,
        after={**_sample_fields(sample), "custody": entry.hash},
    )
    return sample


def change_sample(
    actor: Actor, sample_id: int, expected_version: int, changes: Mapping[str, Any], *, reason: str = ""
) -> Sample:
    """Correct what is recorded of a sample, or mark it as reported; only what ``changes`` names."""
    sample = queries.find_sample(actor, sample_id, lock=True)
    require(actor, "sample.change", sample.case)
    if sample.row_version != expected_version:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))
    _check_open(sample.case)
    before = _sample_fields(sample)
    with db.session.no_autoflush:
        for name in SAMPLE_FIELDS:
            if name in changes and name not in ("label", "state"):
                value = changes[name]
                setattr(sample, name, value.strip() if isinstance(value, str) else value)
        if "label" in changes:
            sample.label = clean_name(changes["label"], field="label", longest=100)
            _check_label(sample)
        if "taken_at" in changes:
            _check_taken(sample)
        if changes.get("state", sample.state) is not sample.state:
            _mark_reported(sample, changes["state"])
    after = _sample_fields(sample)
    changed = {name for name in after if after[name] != before[name]}
    if not changed:
        return sample
    db.session.flush()
    _record(
        actor,
        "sample.change",
        sample.case,
        object_kind="sample",
        object_id=sample.id,
        version=sample.row_version,
        sample=sample,
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
        reason=reason,
    )
    return sample


def _check_taken(sample: Sample) -> None:
    """Refuse a time of sampling that is later than what was done with the sample."""
    _check_past(sample.taken_at, "taken_at")
    first, *later = queries.custody_of(sample)
    if sample.taken_at > (sample.received_at or first.recorded_at):
        raise Invalid(_("The sample cannot be taken after it was received."), field="taken_at")
    if later and sample.taken_at > later[0].at:
        raise Invalid(
            _(
                "Custody entry 2 is of %(at)s; the sample cannot be taken after it.",
                at=later[0].at.isoformat(),
            ),
            field="taken_at",
        )
    days = [row.analysed_on for row in queries.results_of([sample.id])]
    if days and min(days) < _first_day(sample.taken_at):
        raise Invalid(
            _("A result is of %(day)s; the sample cannot be taken after it.", day=min(days).isoformat()),
            field="taken_at",
        )


def _mark_reported(sample: Sample, state: SampleState) -> None:
    if state is not SampleState.REPORTED or sample.state is not SampleState.IN_ANALYSIS:
        raise Conflict(
            _(
                "A sample that is %(was)s cannot be set to %(state)s here. Receiving, storing and disposal"
                " are custody entries; an analysis sets the sample to in analysis.",
                was=_(SAMPLE_STATE_NAMES[sample.state]),
                state=_(SAMPLE_STATE_NAMES[state]),
            ),
            field="state",
        )
    sample.state = state


def add_custody(
    actor: Actor, sample_id: int, *, act: CustodyAct = CustodyAct.HANDED_OVER, **given: Any
) -> CustodyEntry:
    """Add the link to a chain of custody that ``act`` names."""
    if act is CustodyAct.RECEIVED:
        return receive(actor, sample_id, **given)
    if act is CustodyAct.HANDED_OVER:
        return hand_over(actor, sample_id, **given)
    return put_away(actor, sample_id, act=act, **given)


def hand_over(
    actor: Actor,
    sample_id: int,
    *,
    to_person: str,
    from_person: str = "",
    at: datetime | None = None,
    place: str = "",
    note: str = "",
) -> CustodyEntry:
    """Record that a sample went from one person to another."""
    if not to_person.strip():
        raise Invalid(_("Name the person who takes the sample over."), field="to_person")
    return _custody(actor, sample_id, CustodyAct.HANDED_OVER, to_person, from_person, at, place, note)


def receive(
    actor: Actor,
    sample_id: int,
    *,
    to_person: str = "",
    from_person: str = "",
    at: datetime | None = None,
    place: str = "",
    note: str = "",
) -> CustodyEntry:
    """Record that the case's laboratory received a sample, and in which condition."""
    return _custody(
        actor, sample_id, CustodyAct.RECEIVED, to_person or actor.name, from_person, at, place, note
    )


def put_away(
    actor: Actor,
    sample_id: int,
    *,
    act: CustodyAct,
    to_person: str = "",
    from_person: str = "",
    at: datetime | None = None,
    place: str = "",
    note: str = "",
) -> CustodyEntry:
    """Record that a sample was put into the store (``retained``) or disposed of."""
    if act not in (CustodyAct.RETAINED, CustodyAct.DISPOSED):
        raise Invalid(_("A sample is put away by storing it or disposing of it."), field="act")
    return _custody(actor, sample_id, act, to_person or actor.name, from_person, at, place, note)


def _custody(
    actor: Actor,
    sample_id: int,
    act: CustodyAct,
    to_person: str,
    from_person: str,
    at: datetime | None,
    place: str,
    note: str,
) -> CustodyEntry:
    sample = queries.find_sample(actor, sample_id, lock=True)
    case = sample.case
    require(actor, "sample.receive" if act is CustodyAct.RECEIVED else "custody.add", case)
    if sample.state is SampleState.DISPOSED:
        raise Conflict(_("This sample was disposed of; its chain of custody has ended."))
    at = at or clock.now()
    _check_past(at, "at")
    last = queries.custody_of(sample)[-1]
    if at < last.at:
        raise Invalid(
            _("The entry before it is of %(at)s; a later one cannot be earlier.", at=last.at.isoformat()),
            field="at",
        )
    giver = clean_name(from_person, field="from_person") if from_person.strip() else last.to_person
    if not same_hands(giver, last.to_person) and not note.strip():
        raise Invalid(
            _(
                "%(holder)s held the sample last. Record that hand-over first, or explain the gap in the"
                " note.",
                holder=last.to_person,
            ),
            field="from_person",
        )
    was = sample.state
    if act is CustodyAct.RECEIVED:
        if sample.received_at is not None:
            raise Conflict(_("This sample was received already. Record a hand-over instead."))
        sample.received_at = at
        sample.laboratory, sample.laboratory_id = case.laboratory, case.laboratory_id
        if sample.state is SampleState.REGISTERED:
            sample.state = SampleState.RECEIVED
    elif act is CustodyAct.RETAINED:
        sample.state = SampleState.RETAINED
    elif act is CustodyAct.DISPOSED:
        sample.state = SampleState.DISPOSED
    entry = _append(
        actor,
        sample,
        act=act,
        at=at,
        from_person=giver,
        to_person=clean_name(to_person, field="to_person"),
        place=place.strip(),
        note=note.strip(),
    )
    _record(
        actor,
        "custody.add",
        case,
        object_kind="sample",
        object_id=sample.id,
        version=sample.row_version,
        sample=sample,
        before={"state": was.value},
        after={
            "state": sample.state.value,
            "act": act.value,
            "from_person": entry.from_person,
            "to_person": entry.to_person,
            "custody": entry.hash,
        },
    )
    return entry


def _append(
    actor: Actor,
    sample: Sample,
    *,
    act: CustodyAct,
    at: datetime,
    from_person: str,
    to_person: str,
    place: str,
    note: str,
) -> CustodyEntry:
    """Add a link to the chain and name it in the sample as the last one."""
    entry = CustodyEntry(
        sample_id=sample.id,
        seq=sample.custody_count + 1,
        act=act,
        at=at,
        from_person=from_person,
        to_person=to_person,
        place=place,
        note=note,
        recorded_at=clock.now(),
        recorded_by_id=actor.user_id,
        previous_hash=sample.custody_hash,
    )
    entry.hash = entry_hash({name: getattr(entry, name) for name in HASHED_FIELDS})
    sample.custody_count, sample.custody_hash = entry.seq, entry.hash
    db.session.add(entry)
    db.session.flush()
    return entry


def _check_label(sample: Sample) -> None:
    with db.session.no_autoflush:
        taken = db.session.scalar(
            select(Sample.id).where(Sample.case_id == sample.case_id, Sample.label == sample.label)
        )
    if taken is not None and taken != sample.id:
        raise Conflict(_("This case has a sample with this label already."), field="label")


def _check_open(case: Case) -> None:
    if case.state is CaseState.CLOSED:
        raise Conflict(
            _("This case is closed. Take it up again (state: under analysis) before you change it.")
        )


def _check_past(at: datetime, field: str) -> None:
    if at > clock.now():
        raise Invalid(_("This time lies in the future."), field=field)
    if at < EARLIEST:
        raise Invalid(_("This time is too long ago; check the year."), field=field)


def _sample_fields(sample: Sample) -> dict[str, Any]:
    fields = {name: getattr(sample, name) for name in SAMPLE_FIELDS}
    return {**fields, "state": sample.state.value}


# Results --------------------------------------------------------------------------------------


def add_analysis(
    actor: Actor,
    sample_id: int,
    *,
    method_code: str,
    version: int | None = None,
    accept_outdated: bool = False,
    outcome: Outcome = Outcome.PENDING,
    target: str = "",
    lmo: str = "",
    gm_percent: float | None = None,
    u_percent: float | None = None,
    unit: PercentUnit | None = None,
    lod_text: str = "",
    analysed_on: date | None = None,
    analyst: str = "",
    note: str = "",
    replaces_id: int | None = None,
    reason: str = "",
) -> IdentificationResult:
    """Record what a method version found in a sample; with ``replaces_id`` it corrects an earlier result.

    A superseded or withdrawn version is cited only with ``accept_outdated``, and the row keeps its state.
    """
    sample = queries.find_sample(actor, sample_id, lock=True)
    case = sample.case
    require(actor, "analysis.create", case)
    _check_open(case)
    _check_held(sample, case)
    cited = _cited_version(method_code, version, accept_outdated)
    _check_outcome(outcome, gm_percent, u_percent, unit, lod_text.strip())
    day = analysed_on or clock.now().date()
    _check_day(day, sample)
    reason = reason.strip()
    if replaces_id is not None:
        _check_replaced(actor, sample, replaces_id, reason)
    elif reason:
        raise Invalid(
            _("A reason belongs to a correction: name the result that is replaced."), field="reason"
        )
    known = _lmo(lmo) if lmo else None
    result = IdentificationResult(
        sample_id=sample.id,
        laboratory_id=case.laboratory_id,
        laboratory=case.laboratory,
        method_version_id=cited.id,
        method_version=cited,
        method_status=cited.state.value,
        outcome=outcome,
        target=target.strip(),
        lmo_id=known.id if known else None,
        lmo=known,
        gm_percent=gm_percent,
        u_percent=u_percent,
        unit=unit,
        lod_text=lod_text.strip(),
        analysed_on=day,
        analyst=analyst.strip() or actor.name,
        note=note.strip(),
        replaces_id=replaces_id,
        reason=reason,
        created_at=clock.now(),
        created_by_id=actor.user_id,
    )
    db.session.add(result)
    was = sample.state
    if sample.state in BEFORE_ANALYSIS:
        sample.state = SampleState.IN_ANALYSIS
    db.session.flush()
    _record(
        actor,
        "analysis.create",
        case,
        object_kind="analysis",
        object_id=result.id,
        sample=sample,
        before={"state": was.value},
        after={"state": sample.state.value, **_result_fields(result)},
        reason=reason,
    )
    return result


def _cited_version(code: str, number: int | None, accept_outdated: bool) -> MethodVersion:
    try:
        version = find_published_version(code, number)
    except NotFound as error:
        if number is not None and _is_citable(code):
            raise Invalid(
                _("Method %(code)s has no published version %(number)s.", code=code, number=number),
                field="version",
            ) from error
        raise Invalid(error.message, field="method_code") from error
    if version.state is not MethodState.PUBLISHED and not accept_outdated:
        raise Invalid(
            _(
                "Version %(number)s of %(code)s is no longer in force. Cite the present version, or confirm"
                " that this one was used.",
                number=version.number,
                code=version.method.code,
            ),
            field="version",
        )
    return version


def _is_citable(code: str) -> bool:
    try:
        find_published_version(code)
    except NotFound:
        return False
    return True


def _check_outcome(
    outcome: Outcome,
    gm_percent: float | None,
    u_percent: float | None,
    unit: PercentUnit | None,
    lod_text: str,
) -> None:
    quantified = outcome is Outcome.QUANTIFIED
    if quantified and gm_percent is None:
        raise Invalid(_("A quantified result needs its percentage."), field="gm_percent")
    if gm_percent is not None and not quantified:
        raise Invalid(_("A percentage belongs to the outcome quantified only."), field="gm_percent")
    if gm_percent is not None and unit is None:
        raise Invalid(_("Say what the percentage is of: cp/cp or m/m."), field="unit")
    if unit is not None and gm_percent is None:
        raise Invalid(_("A unit belongs to a percentage."), field="unit")
    if u_percent is not None and gm_percent is None:
        raise Invalid(_("An uncertainty belongs to a percentage."), field="u_percent")
    if outcome is Outcome.NOT_DETECTED and not lod_text:
        raise Invalid(
            _('Give the limit of detection: "not detected" means nothing without it.'), field="lod_text"
        )


def _check_day(day: date, sample: Sample) -> None:
    """Refuse a day that is nowhere on Earth between sampling and now (zones reach 14 hours from UTC)."""
    if day > (clock.now() + timedelta(hours=14)).date():
        raise Invalid(_("This day lies in the future."), field="analysed_on")
    if day < _first_day(sample.taken_at):
        raise Invalid(_("The sample was not yet taken on this day."), field="analysed_on")
    if sample.state is SampleState.DISPOSED:
        disposed_on = queries.custody_of(sample)[-1].at.date()
        if day > disposed_on:
            raise Invalid(
                _(
                    "The sample was disposed of on %(day)s. Give the day of the analysis.",
                    day=disposed_on.isoformat(),
                ),
                field="analysed_on",
            )


def _first_day(taken_at: datetime) -> date:
    """Return the earliest day that it was anywhere on Earth when a sample was taken."""
    return (taken_at - timedelta(hours=14)).date()


def _check_held(sample: Sample, case: Case) -> None:
    """Refuse a result of a sample that the case's laboratory neither registered nor received."""
    if sample.laboratory_id is None or sample.laboratory_id != case.laboratory_id:
        raise Conflict(
            _(
                "Your laboratory has not received this sample. Record its reception in the chain of custody"
                " first."
            )
        )


def _check_replaced(actor: Actor, sample: Sample, replaces_id: int, reason: str) -> None:
    try:
        replaced = queries.find_result(actor, sample, replaces_id)
    except NotFound as error:
        raise Invalid(error.message, field="replaces_id") from error
    if not reason:
        raise Invalid(_("Give the reason for the correction."), field="reason")
    later = queries.correction_of(replaced.id)
    if later is not None:
        raise Conflict(
            _("This result was corrected already; correct result %(number)s.", number=later),
            field="replaces_id",
        )


def _lmo(ident: str) -> Lmo:
    try:
        return find_lmo(ident)
    except NotFound as error:
        raise Invalid(error.message, field="lmo") from error


def _result_fields(result: IdentificationResult) -> dict[str, Any]:
    return {
        "result": result.id,
        "method_code": result.method_version.method.code,
        "version": result.method_version.number,
        "method_status": result.method_status,
        "outcome": result.outcome.value,
        "target": result.target,
        "gm_percent": result.gm_percent,
        "u_percent": result.u_percent,
        "unit": result.unit.value if result.unit else None,
        "lod_text": result.lod_text,
        "analysed_on": result.analysed_on,
        "replaces": result.replaces_id,
    }


# Timeline and audit trail ---------------------------------------------------------------------


def _record(
    actor: Actor,
    action: str,
    case: Case,
    *,
    object_kind: str,
    object_id: int,
    version: object = "",
    sample: Sample | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Write the change into the case's timeline, and its salted digest into the audit trail."""
    event = CaseEvent(
        case_id=case.id,
        sample_id=sample.id if sample else None,
        at=clock.now(),
        user_id=actor.user_id,
        roles=actor.role_names[:400],
        action=action,
        before=canonical(before or {}),
        after=canonical(after or {}),
        reason=reason.strip(),
        salt=secrets.token_hex(16),
    )
    db.session.add(event)
    db.session.flush()
    audit.record(
        actor,
        action,
        object_kind,
        object_id,
        version=version,
        after={"event": event.id, "sha256": event_digest(event)},
    )


def event_digest(event: CaseEvent) -> str:
    """Return the digest of a row of the timeline that the audit trail keeps."""
    text_of_it = canonical(
        {
            name: getattr(event, name)
            for name in ("case_id", "sample_id", "user_id", "action", "before", "after", "reason")
        }
    )
    return sha256(f"{event.salt}{text_of_it}".encode()).hexdigest()
