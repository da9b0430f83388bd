"""Everything that reads cases; ``visible_cases`` is the only reading rule, samples follow it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, false, func, or_, select, true
from sqlalchemy.orm import aliased, joinedload

from labhub.accounts.actor import Actor
from labhub.accounts.models import Laboratory, Party, RoleGrant, User
from labhub.db import db
from labhub.errors import NotFound
from labhub.i18n import Text, _
from labhub.methods.models import DetectionMethod, MethodState, MethodVersion
from labhub.samples.articles import Fact, is_illegal_movement, is_unintentional_movement
from labhub.samples.custody import broken_link, gaps
from labhub.samples.models import (
    Case,
    CaseEvent,
    CaseState,
    CustodyEntry,
    IdentificationResult,
    Sample,
    SampleState,
)

LARGEST_ID = 2**31 - 1


def visible_cases(actor: Actor | None) -> Select[Case]:
    """Select what the members of its laboratory and the focal points of the detecting Party see.

    Nobody else sees a private case: not the Secretariat, not the administrator, not another
    laboratory of the same Party, not the Party of release.
    """
    if actor is None:
        return select(Case).where(false())
    if actor.operator:
        return select(Case)
    return select(Case).where(
        or_(Case.laboratory_id.in_(actor.laboratory_ids), Case.party_id.in_(actor.focal_party_ids))
    )


def visible_samples(actor: Actor | None) -> Select[Sample]:
    """Select the samples of the cases that the actor sees."""
    cases = visible_cases(actor).with_only_columns(Case.id)
    return select(Sample).where(Sample.case_id.in_(cases))


def find_case(actor: Actor | None, ident: str | int, *, lock: bool = False) -> Case:
    """Return a case by its number (``C-2026-0001``, any case of letters) or its ``id``.

    ``lock`` keeps others from changing it until the transaction ends.
    """
    text = str(ident).strip()
    query = visible_cases(actor).options(
        joinedload(Case.party), joinedload(Case.party_of_release), joinedload(Case.laboratory)
    )
    if text.isascii() and text.isdecimal():
        query = query.where(Case.id == int(text) if len(text) < 10 else false())
    else:
        query = query.where(Case.number == text.upper())
    if lock:
        query = query.with_for_update(of=Case).execution_options(populate_existing=True)
    case = db.session.scalar(query)
    if case is None:
        raise NotFound(_("There is no case %(number)s.", number=text))
    return case


def find_sample(actor: Actor | None, sample_id: int, *, lock: bool = False) -> Sample:
    """Return a sample by its ``id``; ``lock`` keeps others from changing it until the transaction ends."""
    query = visible_samples(actor).where(Sample.id == sample_id if sample_id <= LARGEST_ID else false())
    query = query.options(joinedload(Sample.laboratory))
    if lock:
        query = query.with_for_update(of=Sample).execution_options(populate_existing=True)
    sample = db.session.scalar(query)
    if sample is None:
        raise NotFound(_("There is no sample %(number)s.", number=sample_id))
    return sample


# Lists ----------------------------------------------------------------------------------------

CASE_SORTS = {
    "number": Case.id,
    "title": Case.title,
    "state": Case.state,
    "opened_at": Case.opened_at,
}
SAMPLE_SORTS = {"id": Sample.id, "label": Sample.label, "taken_at": Sample.taken_at, "state": Sample.state}


def _pattern(q: str) -> str:
    """Return the LIKE pattern (escape sign ``!``) of a piece of text, in lower case."""
    return f"%{q.strip().lower().replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"


def case_rows(
    actor: Actor | None, *, q: str = "", state: CaseState | None = None, article: int | None = None
) -> Select[Any]:
    """Select the columns of the case list; ``q`` is a piece of title or number."""
    release = aliased(Party)
    samples = select(func.count()).where(Sample.case_id == Case.id).scalar_subquery()
    columns: list[Any] = [
        Case.id,
        Case.number,
        Case.title,
        Party.iso2.label("party"),
        release.iso2.label("party_of_release"),
        Laboratory.code.label("laboratory"),
        Case.article,
        Case.inadvertent,
        Case.contravention,
        Case.significant_effects_likely,
        Case.state,
        Case.visibility,
        Case.opened_at,
        samples.label("samples"),
    ]
    query: Select[Any] = (
        visible_cases(actor)
        .join(Case.party)
        .outerjoin(release, Case.party_of_release_id == release.id)
        .outerjoin(Case.laboratory)
        .with_only_columns(*columns)
    )
    if q.strip():
        pattern = _pattern(q)
        query = query.where(
            or_(
                func.lower(Case.title).like(pattern, escape="!"),
                func.lower(Case.number).like(pattern, escape="!"),
            )
        )
    if state is not None:
        query = query.where(Case.state == state)
    if article is not None:
        query = query.where(Case.article == article)
    return query


def with_articles(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the case list with what its facts mean for Articles 17 and 25."""
    return {
        **row,
        **article_answers(row["inadvertent"], row["contravention"], row["significant_effects_likely"]),
    }


def article_answers(
    inadvertent: Fact, contravention: Fact, significant_effects_likely: Fact
) -> dict[str, Fact]:
    """Return what the three facts mean for Articles 17 and 25."""
    return {
        "article_17": is_unintentional_movement(inadvertent, significant_effects_likely),
        "article_25": is_illegal_movement(contravention),
    }


def sample_rows(
    actor: Actor | None,
    *,
    case_id: int | None = None,
    q: str = "",
    state: SampleState | None = None,
) -> Select[Any]:
    """Select the columns of the sample list; ``q`` is a piece of label or product."""
    columns: list[Any] = [
        Sample.id,
        Sample.case_id,
        Case.number.label("case_number"),
        Sample.label,
        Sample.taken_at,
        Sample.place,
        Sample.sampler,
        Sample.product,
        Sample.lot,
        Sample.mass_gram,
        Sample.increments,
        Sample.seal_number,
        Sample.state,
        Sample.received_at,
        Laboratory.code.label("laboratory"),
    ]
    query: Select[Any] = (
        visible_samples(actor)
        .join(Sample.case)
        .outerjoin(Laboratory, Sample.laboratory_id == Laboratory.id)
        .with_only_columns(*columns)
    )
    if case_id is not None:
        query = query.where(Sample.case_id == case_id)
    if q.strip():
        pattern = _pattern(q)
        query = query.where(
            or_(
                func.lower(Sample.label).like(pattern, escape="!"),
                func.lower(Sample.product).like(pattern, escape="!"),
            )
        )
    if state is not None:
        query = query.where(Sample.state == state)
    return query


def samples_of(case: Case) -> list[Sample]:
    """Return the samples of a case that the actor was shown, in the order of registration."""
    return list(db.session.scalars(select(Sample).where(Sample.case_id == case.id).order_by(Sample.id)))


def laboratories_of(party_ids: set[int]) -> list[Laboratory]:
    """Return the laboratories of Parties, by name."""
    return list(
        db.session.scalars(
            select(Laboratory).where(Laboratory.party_id.in_(party_ids)).order_by(Laboratory.name)
        )
    )


# Custody and results --------------------------------------------------------------------------


def custody_of(sample: Sample) -> list[CustodyEntry]:
    """Return the chain of custody, first entry first."""
    return list(
        db.session.scalars(
            select(CustodyEntry).where(CustodyEntry.sample_id == sample.id).order_by(CustodyEntry.seq)
        )
    )


def gaps_of(entries: Sequence[CustodyEntry]) -> set[int]:
    """Return the numbers of the entries whose giver is not the person who held the sample before."""
    return gaps([(entry.seq, entry.from_person, entry.to_person) for entry in entries])


@dataclass(frozen=True)
class CustodyCheck:
    """Whether a chain of custody holds; ``problem`` is empty when it does."""

    entries: int
    problem: Text = ""


def check_custody(actor: Actor | None, sample_id: int) -> CustodyCheck:
    """Read a chain of custody again and say whether it holds."""
    sample = find_sample(actor, sample_id)
    columns = CustodyEntry.__table__.columns
    rows = db.session.execute(
        select(*columns).where(CustodyEntry.sample_id == sample.id).order_by(CustodyEntry.seq)
    ).mappings()
    entries: Sequence[Mapping[str, Any]] = [dict(row) for row in rows]
    return CustodyCheck(len(entries), broken_link(entries, sample.custody_count, sample.custody_hash))


def _results() -> Select[IdentificationResult]:
    return select(IdentificationResult).options(
        joinedload(IdentificationResult.method_version).joinedload(MethodVersion.method),
        joinedload(IdentificationResult.lmo),
        joinedload(IdentificationResult.laboratory),
    )


def results_of(sample_ids: Sequence[int]) -> list[IdentificationResult]:
    """Return the results of samples, oldest first, replaced ones too."""
    return list(
        db.session.scalars(
            _results().where(IdentificationResult.sample_id.in_(sample_ids)).order_by(IdentificationResult.id)
        )
    )


def find_result(actor: Actor | None, sample: Sample, result_id: int) -> IdentificationResult:
    """Return one result of a sample."""
    here = IdentificationResult.id == result_id if result_id <= LARGEST_ID else false()
    result = db.session.scalar(_results().where(IdentificationResult.sample_id == sample.id, here))
    if result is None:
        raise NotFound(_("There is no result %(number)s of this sample.", number=result_id))
    return result


def correction_of(result_id: int) -> int | None:
    """Return the ``id`` of the result that corrects this one."""
    return db.session.scalar(
        select(IdentificationResult.id).where(IdentificationResult.replaces_id == result_id)
    )


def citable_methods() -> list[tuple[str, int, str]]:
    """Return code, number and title of the published method versions, for a picker."""
    rows = db.session.execute(
        select(DetectionMethod.code, MethodVersion.number, MethodVersion.title)
        .join(MethodVersion, MethodVersion.method_id == DetectionMethod.id)
        .where(MethodVersion.state == MethodState.PUBLISHED)
        .order_by(DetectionMethod.code)
    )
    return [(code, number, title) for code, number, title in rows]


LEAST_CASES = 3
"""A Party with fewer cases is left out of counts that others read (domain guide, section 11)."""


@dataclass(frozen=True)
class CasesOfMethod:
    """In how many cases a method was used: those that the reader may see, and all that may be counted."""

    seen: int
    counted: int
    """Over Parties with at least ``LEAST_CASES`` such cases; 0 may hide fewer."""


def cases_of_method(actor: Actor | None, method_id: int) -> CasesOfMethod:
    """Count the cases in which any version of a method was used, without revealing a small Party's."""
    used = (
        select(Sample.case_id)
        .join(IdentificationResult, IdentificationResult.sample_id == Sample.id)
        .join(MethodVersion, MethodVersion.id == IdentificationResult.method_version_id)
        .where(MethodVersion.method_id == method_id)
    )
    per_party = db.session.scalars(
        select(func.count())
        .select_from(Case)
        .where(Case.id.in_(used))
        .group_by(Case.party_id)
        .having(func.count() >= LEAST_CASES)
    )
    seen = visible_cases(actor).where(Case.id.in_(used)).with_only_columns(func.count())
    return CasesOfMethod(db.session.scalar(seen) or 0, sum(per_party))


# Timeline -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    """One line of a case's timeline. ``by`` is empty for a person whom the reader does not work with."""

    at: datetime
    action: str
    by: str
    roles: str
    sample_id: int | None
    sample_label: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str


def timeline(actor: Actor, case: Case) -> list[Moment]:
    """Return what was done in a case, oldest first."""
    rows = db.session.execute(
        select(CaseEvent, Sample.label)
        .outerjoin(Sample, CaseEvent.sample_id == Sample.id)
        .where(CaseEvent.case_id == case.id)
        .order_by(CaseEvent.id)
    ).all()
    names = _colleague_names(actor, {event.user_id for event, _label in rows if event.user_id})
    return [
        Moment(
            at=event.at,
            action=event.action,
            by=names.get(event.user_id or 0, ""),
            roles=event.roles,
            sample_id=event.sample_id,
            sample_label=label or "",
            before=json.loads(event.before),
            after=json.loads(event.after),
            reason=event.reason,
        )
        for event, label in rows
    ]


def _colleague_names(actor: Actor, user_ids: set[int]) -> dict[int, str]:
    """Return the names of oneself and of those who share a laboratory or focal Party with the actor."""
    shared = select(RoleGrant.user_id).where(
        RoleGrant.revoked_at.is_(None),
        or_(
            RoleGrant.laboratory_id.in_(actor.laboratory_ids),
            RoleGrant.party_id.in_(actor.focal_party_ids),
        ),
    )
    known = true() if actor.operator else or_(User.id == (actor.user_id or 0), User.id.in_(shared))
    rows = db.session.execute(select(User.id, User.name).where(User.id.in_(user_ids), known))
    return {row.id: row.name for row in rows}
