"""Everything that reads of sealed records: what may be used, who is named, what was asked, who is stopped."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true
from sqlalchemy.orm import aliased, selectinload

from labhub import clock
from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory, Party, User
from labhub.accounts.policy import can, require
from labhub.audit import AuditEntry
from labhub.cells import write_csv
from labhub.db import db
from labhub.errors import Conflict, NotFound
from labhub.i18n import _
from labhub.lmos.models import Lmo
from labhub.sequences import queries
from labhub.sequences.models import (
    ReferenceSequence,
    SequenceBases,
    SequenceState,
    Topology,
    Visibility,
)
from labhub.sequences.sealed_grant_queries import USING_ROLES, holds_now, is_named
from labhub.sequences.sealed_matching import SealedRecord
from labhub.sequences.sealed_models import (
    SealedAnswer,
    SealedGrant,
    SealedQuestion,
    SealedQuestionScope,
    SealedRight,
    SealedStop,
    SealedUse,
    SealedWord,
)
from labhub.sequences.sealed_walks import A_DAY_AND_LABORATORY, A_DAY_AND_PERSON, CHAIN, DAYS_KEPT

MOST_VARIABLES = 5_000
"""Values of one IN list."""


@dataclass(frozen=True)
class Usable:
    """A sealed record that the actor may use: what answers call it, and whose it is."""

    id: int
    accession: str
    event: str
    """The event of its LMO, or its accession."""
    lmo: str
    """Unique identifier or slug of its LMO; empty when it names none."""
    slug: str
    """The event in an address: the slug of its LMO, or its accession."""
    owner_id: int
    owner: str
    is_seen: bool
    """Whether the actor may see its bases anyway."""

    @property
    def key(self) -> tuple[str, str]:
        """What answers are given by: the event."""
        return (self.event, self.lmo)


# Who may use ----------------------------------------------------------------------------------


def is_usable(actor: Actor | None) -> ColumnElement[bool]:
    """Return the condition under which ``actor`` may use a sealed record: named, or allowed to see it."""
    return and_(
        ReferenceSequence.visibility == Visibility.SEALED,
        ReferenceSequence.state != SequenceState.WITHDRAWN,
        or_(
            is_named(actor, SealedRight.USE),
            ReferenceSequence.laboratory_id.in_(queries.managed_laboratory_ids(actor)),
        ),
    )


def usable_records(actor: Actor | None) -> list[Usable]:
    """Return the sealed records that the actor may use now, in a fixed order."""
    if actor is None or not any(actor.has(role) for role in USING_ROLES):
        return []
    rows = db.session.execute(
        select(
            ReferenceSequence.id,
            ReferenceSequence.accession,
            Lmo.event,
            Lmo.unique_identifier,
            Lmo.slug,
            ReferenceSequence.laboratory_id,
            Laboratory.name,
            queries.has_open_bases(actor).label("is_seen"),
        )
        .join(Laboratory, Laboratory.id == ReferenceSequence.laboratory_id)
        .outerjoin(Lmo, Lmo.id == ReferenceSequence.lmo_id)
        .where(is_usable(actor))
        .order_by(ReferenceSequence.id)
    )
    return [
        Usable(
            row.id,
            row.accession,
            row.event or row.accession,
            row.unique_identifier or row.slug or "",
            row.slug or row.accession,
            row.laboratory_id,
            row.name,
            bool(row.is_seen),
        )
        for row in rows
    ]


def find_event(actor: Actor | None, name: str) -> list[Usable]:
    """Return the sealed records of an event that the actor may use, at least one."""
    found = [each for each in usable_records(actor) if each.slug.casefold() == name.casefold()]
    if not found:
        raise NotFound(_("There is no sealed event %(name)s.", name=name[:200]))
    return found


def bases_for_search(records: Sequence[Usable]) -> list[SealedRecord]:
    """Return the bases of records for the time of one search; they go nowhere else."""
    rows = db.session.execute(
        select(SequenceBases.sequence_id, SequenceBases.bases, ReferenceSequence.topology)
        .join(ReferenceSequence, ReferenceSequence.id == SequenceBases.sequence_id)
        .where(SequenceBases.sequence_id.in_([each.id for each in records]))
    )
    found = {row.sequence_id: SealedRecord(row.bases, row.topology is Topology.CIRCULAR) for row in rows}
    return [found[each.id] for each in records]


# Grants ---------------------------------------------------------------------------------------


def find_own_sealed(actor: Actor | None, accession: str, action: str = "sealed.grant") -> ReferenceSequence:
    """Return a sealed record that the actor decides on; one that is merely seen is not allowed."""
    sequence = queries.find_sequence(actor, accession)
    require(actor, action, sequence)
    if sequence.visibility is not Visibility.SEALED:
        raise Conflict(_("This record is not sealed. Who sees it is said by its visibility."))
    return sequence


def grants_of(sequence: ReferenceSequence) -> list[SealedGrant]:
    """Return all grants of a record, those that hold first, newest first."""
    rows = db.session.scalars(
        select(SealedGrant)
        .where(SealedGrant.sequence_id == sequence.id)
        .options(
            selectinload(SealedGrant.user),
            selectinload(SealedGrant.laboratory),
            selectinload(SealedGrant.party),
            selectinload(SealedGrant.granted_by),
        )
        .order_by(SealedGrant.id.desc())
    )
    return sorted(rows, key=lambda grant: not grant_holds(grant))


def grant_holds(grant: SealedGrant) -> bool:
    """Whether a grant holds at this moment."""
    return grant.revoked_at is None and (grant.until_on is None or grant.until_on >= clock.now().date())


def find_grant(sequence: ReferenceSequence, grant_id: int) -> SealedGrant:
    """Return a grant of a record, locked until it is changed."""
    found = db.session.scalar(
        select(SealedGrant)
        .where(SealedGrant.id == grant_id, SealedGrant.sequence_id == sequence.id)
        .with_for_update(of=SealedGrant)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound(_("There is no grant %(number)s.", number=grant_id))
    return found


def same_grant(
    sequence: ReferenceSequence,
    right: SealedRight,
    *,
    user_id: int | None,
    laboratory_id: int | None,
    party_id: int | None,
) -> SealedGrant | None:
    """Return a grant that holds now and says the same."""
    return db.session.scalar(
        select(SealedGrant)
        .where(
            SealedGrant.sequence_id == sequence.id,
            SealedGrant.right == right,
            SealedGrant.user_id == user_id if user_id else SealedGrant.user_id.is_(None),
            SealedGrant.laboratory_id == laboratory_id
            if laboratory_id
            else SealedGrant.laboratory_id.is_(None),
            SealedGrant.party_id == party_id if party_id else SealedGrant.party_id.is_(None),
            holds_now(),
        )
        .limit(1)
    )


def grantee_name(grant: SealedGrant) -> str:
    """Return whom a grant names."""
    if grant.user is not None:
        return grant.user.name
    if grant.laboratory is not None:
        return f"{grant.laboratory.name} ({grant.laboratory.code})"
    return grant.party.name if grant.party is not None else ""


# Limits and walks -----------------------------------------------------------------------------


def scopes_of(actor: Actor) -> tuple[str, ...]:
    """Return for whom a question of the actor counts: the person, the laboratories, the Parties."""
    parties = {actor.party_id, *actor.focal_party_ids}
    if actor.laboratory_ids:
        parties |= set(
            db.session.scalars(select(Laboratory.party_id).where(Laboratory.id.in_(actor.laboratory_ids)))
        )
    return (
        f"user:{actor.user_id}",
        *(f"laboratory:{number}" for number in actor.laboratory_ids),
        *(f"party:{number}" for number in sorted(each for each in parties if each)),
    )


def lock_scopes(actor: Actor) -> None:
    """Let questions of one person or laboratory be counted one after another."""
    db.session.scalars(select(User.id).where(User.id == actor.user_id).with_for_update(key_share=True)).all()
    db.session.scalars(
        select(Laboratory.id)
        .where(Laboratory.id.in_(actor.laboratory_ids))
        .order_by(Laboratory.id)
        .with_for_update(key_share=True)
    ).all()


@dataclass(frozen=True)
class Allowance:
    """How many questions are left today, and when the day ends."""

    left: int
    person: int
    laboratory: int | None
    ends_at: datetime


def allowance(actor: Actor) -> Allowance:
    """Return how many questions the actor may still ask today (UTC)."""
    now = clock.now()
    begins = now.replace(hour=0, minute=0, second=0, microsecond=0)
    asked = (
        db.session.scalar(
            select(func.count())
            .select_from(SealedQuestion)
            .where(SealedQuestion.user_id == actor.user_id, SealedQuestion.at >= begins)
        )
        or 0
    )
    person = max(0, A_DAY_AND_PERSON - asked)
    laboratory: int | None = None
    for number in actor.laboratory_ids:
        count = (
            db.session.scalar(
                select(func.count())
                .select_from(SealedQuestionScope)
                .join(SealedQuestion, SealedQuestion.id == SealedQuestionScope.question_id)
                .where(SealedQuestionScope.scope == f"laboratory:{number}", SealedQuestion.at >= begins)
            )
            or 0
        )
        left = max(0, A_DAY_AND_LABORATORY - count)
        laboratory = left if laboratory is None else min(laboratory, left)
    return Allowance(
        person if laboratory is None else min(person, laboratory),
        person,
        laboratory,
        begins + timedelta(days=1),
    )


@dataclass(frozen=True)
class Past:
    """An earlier question that belongs to a new one."""

    id: int
    mark: int
    at: datetime


def linked(
    words: Mapping[int, bool], scopes: Collection[str] | None, since: datetime
) -> tuple[list[Past], list[Past]]:
    """Return the earlier questions that share a word, and those that hang together by long words.

    ``scopes`` limits them to the questions of these persons, laboratories and Parties; None: of everybody.
    The search through a chain ends once it is long enough to be a walk.
    """
    since = max(since, clock.now() - timedelta(days=DAYS_KEPT))
    near = _sharing(words, scopes, since)
    chained = _sharing([word for word, is_long in words.items() if is_long], scopes, since)
    found = {past.id: past for past in chained}
    edge = list(found)
    while edge and len({past.mark for past in found.values()}) < CHAIN:
        further = [past for past in _chained_to(edge, scopes, since) if past.id not in found]
        found |= {past.id: past for past in further}
        edge = [past.id for past in further]
    return near, list(found.values())


def _past(scopes: Collection[str] | None, since: datetime) -> Select[Any]:
    columns: list[Any] = [SealedQuestion.id, SealedQuestion.mark, SealedQuestion.at]
    query = select(*columns).where(SealedQuestion.at > since, SealedQuestion.mark.is_not(None))
    if scopes is not None:
        query = query.where(
            SealedQuestion.id.in_(
                select(SealedQuestionScope.question_id).where(SealedQuestionScope.scope.in_(scopes))
            )
        )
    return query


def _sharing(words: Iterable[int], scopes: Collection[str] | None, since: datetime) -> list[Past]:
    given = list(words)
    found: dict[int, Past] = {}
    for low in range(0, len(given), MOST_VARIABLES):
        ids = select(SealedWord.question_id).where(SealedWord.digest.in_(given[low : low + MOST_VARIABLES]))
        for row in db.session.execute(_past(scopes, since).where(SealedQuestion.id.in_(ids))):
            found[row.id] = Past(row.id, row.mark, row.at)
    return list(found.values())


def _chained_to(ids: Collection[int], scopes: Collection[str] | None, since: datetime) -> list[Past]:
    here, there = aliased(SealedWord), aliased(SealedWord)
    others = (
        select(there.question_id)
        .join(here, here.digest == there.digest)
        .where(here.question_id.in_(ids), here.is_long, there.is_long)
    )
    rows = db.session.execute(_past(scopes, since).where(SealedQuestion.id.in_(others)))
    return [Past(row.id, row.mark, row.at) for row in rows]


def stopped_owners(scopes: Collection[str]) -> set[int]:
    """Return the laboratories in whose records questions for any of these are not answered."""
    return set(
        db.session.scalars(
            select(SealedStop.owner_id).where(SealedStop.scope.in_(scopes), SealedStop.lifted_at.is_(None))
        )
    )


def lifted_since(scopes: Collection[str]) -> dict[int, datetime]:
    """Return for each owner when a stop of any of these was lifted last: older questions count no more."""
    rows = db.session.execute(
        select(SealedStop.owner_id, func.max(SealedStop.lifted_at))
        .where(SealedStop.scope.in_(scopes), SealedStop.lifted_at.is_not(None))
        .group_by(SealedStop.owner_id)
    )
    return {owner: at for owner, at in rows if at is not None}


def was_warned(owner_id: int, day: str) -> bool:
    """Whether the owner was told on this day of questions of several askers that belong together."""
    return (
        db.session.scalar(
            select(AuditEntry.seq)
            .where(
                AuditEntry.object_kind == "laboratory",
                AuditEntry.object_id == str(owner_id),
                AuditEntry.action == "sealed.warn",
                AuditEntry.object_version == day,
            )
            .limit(1)
        )
        is not None
    )


# The owner's view -----------------------------------------------------------------------------


def visible_stops(actor: Actor | None) -> Select[Any]:
    """Select stops: of one's own records for managers, all for the Secretariat."""
    query = select(SealedStop).options(selectinload(SealedStop.owner), selectinload(SealedStop.user))
    if actor is not None and (actor.operator or actor.has(Role.SECRETARIAT)):
        return query.where(true())
    return query.where(SealedStop.owner_id.in_(queries.managed_laboratory_ids(actor)))


@dataclass(frozen=True)
class StopCase:
    """One stop: the person and laboratories that it holds for."""

    key: str
    owner_id: int
    owner: str
    who: str
    stopped: tuple[str, ...]
    questions: int
    at: datetime
    lifted_at: datetime | None
    lift_reason: str

    @property
    def laboratory_id(self) -> int:
        """The laboratory that the rules ask for: the owner."""
        return self.owner_id


def stop_cases(actor: Actor | None) -> list[StopCase]:
    """Return the stops that the actor may know of, those that hold first."""
    rows = list(db.session.scalars(visible_stops(actor).order_by(SealedStop.id.desc()).limit(500)))
    names = _scope_names({row.scope for row in rows})
    cases: dict[str, list[SealedStop]] = {}
    for row in rows:
        cases.setdefault(row.case_key, []).append(row)
    found = [
        StopCase(
            key,
            members[0].owner_id,
            members[0].owner.name,
            members[0].user.name,
            tuple(names[row.scope] for row in reversed(members)),
            members[0].questions,
            members[0].at,
            members[0].lifted_at,
            members[0].lift_reason,
        )
        for key, members in cases.items()
    ]
    return sorted(found, key=lambda case: case.lifted_at is not None)


def find_stop(actor: Actor | None, case_key: str) -> list[SealedStop]:
    """Return the rows of one stop, locked until they are changed."""
    rows = list(
        db.session.scalars(
            visible_stops(actor).where(SealedStop.case_key == case_key).with_for_update(of=SealedStop)
        )
    )
    if not rows or not can(actor, "sealed.lift", rows[0]):
        raise NotFound(_("There is no such stop."))
    return rows


def _scope_names(scopes: Collection[str]) -> dict[str, str]:
    """Return the names of persons, laboratories and Parties that scopes mean."""
    tables: dict[str, Any] = {"user": User, "laboratory": Laboratory, "party": Party}
    names: dict[str, str] = {}
    for kind, table in tables.items():
        numbers = [int(scope.split(":")[1]) for scope in scopes if scope.startswith(f"{kind}:")]
        for row in db.session.scalars(select(table).where(table.id.in_(numbers))):
            names[f"{kind}:{row.id}"] = row.name
    return names


USE_COLUMNS: dict[str, Any] = {"at": SealedUse.at}
"""What the list of uses may be sorted by."""
USE_TIE = SealedUse.id


def uses_of(sequence: ReferenceSequence) -> Select[Any]:
    """Select the uses of a record for its owner: who, when, by which door, what class of answer."""
    columns: list[Any] = [
        SealedUse.id,
        SealedUse.at,
        User.name.label("person"),
        SealedUse.user_id,
        SealedUse.kind,
        SealedUse.door,
        SealedUse.answer,
    ]
    query = select(*columns).join(User, User.id == SealedUse.user_id)
    return query.where(SealedUse.sequence_id == sequence.id)


def with_places(rows: Iterable[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """Return uses with the laboratories that the people work in now, without their numbers."""
    given = [dict(row) for row in rows]
    places = places_of({row["user_id"] for row in given})
    return [{**row, "laboratories": places.get(row.pop("user_id"), "")} for row in given]


CSV_COLUMNS = ("at", "person", "laboratories", "kind", "door", "answer")


def uses_csv(sequence: ReferenceSequence) -> bytes:
    """Return all uses of a record as a table, oldest first."""
    rows = db.session.execute(uses_of(sequence).order_by(SealedUse.id)).mappings()
    return write_csv(
        CSV_COLUMNS,
        [
            {
                "at": row["at"].isoformat(timespec="seconds"),
                "person": row["person"],
                "laboratories": row["laboratories"],
                "kind": row["kind"].value,
                "door": row["door"],
                "answer": row["answer"].value if row["answer"] else "",
            }
            for row in with_places(rows.all())
        ],
    )


def places_of(user_ids: Collection[int]) -> dict[int, str]:
    """Return the laboratories that people work in now, for the list of uses."""
    found: dict[int, list[str]] = {}
    people = db.session.scalars(select(User).where(User.id.in_(user_ids)).options(selectinload(User.grants)))
    for user in people:
        found[user.id] = sorted({g.laboratory.code for g in user.current_grants if g.laboratory is not None})
    return {number: ", ".join(codes) for number, codes in found.items()}


def uses_between(owner_id: int, begins: datetime, ends: datetime) -> list[tuple[str, str, int]]:
    """Return (person, accession, how many) of the uses of an owner's records."""
    own = select(ReferenceSequence.id).where(ReferenceSequence.laboratory_id == owner_id)
    rows = db.session.execute(
        select(User.name, ReferenceSequence.accession, func.count())
        .select_from(SealedUse)
        .join(User, User.id == SealedUse.user_id)
        .join(ReferenceSequence, ReferenceSequence.id == SealedUse.sequence_id)
        .where(SealedUse.sequence_id.in_(own), SealedUse.at >= begins, SealedUse.at < ends)
        .group_by(User.name, ReferenceSequence.accession)
        .order_by(User.name, ReferenceSequence.accession)
    )
    return [(name, accession, count) for name, accession, count in rows]


def owners_used_between(begins: datetime, ends: datetime) -> list[int]:
    """Return the laboratories whose sealed records were used."""
    return list(
        db.session.scalars(
            select(ReferenceSequence.laboratory_id)
            .join(SealedUse, SealedUse.sequence_id == ReferenceSequence.id)
            .where(SealedUse.at >= begins, SealedUse.at < ends)
            .distinct()
            .order_by(ReferenceSequence.laboratory_id)
        )
    )


def use_since(actor: Actor, sequence_ids: Collection[int], kind: Any, since: datetime) -> set[int]:
    """Return the records whose use of this kind by the actor is noted since then already."""
    return set(
        db.session.scalars(
            select(SealedUse.sequence_id).where(
                SealedUse.sequence_id.in_(sequence_ids),
                SealedUse.user_id == actor.user_id,
                SealedUse.kind == kind,
                SealedUse.at >= since,
            )
        )
    )


def by_event(records: Sequence[Usable], answers: Sequence[SealedAnswer]) -> list[tuple[Usable, SealedAnswer]]:
    """Return one answer for each event: found in any record, else not decided in any, else not found."""
    order = (SealedAnswer.FOUND, SealedAnswer.NOT_DECIDED, SealedAnswer.NOT_FOUND)
    first: dict[tuple[str, str], Usable] = {}
    best: dict[tuple[str, str], SealedAnswer] = {}
    for record, answer in zip(records, answers, strict=True):
        first.setdefault(record.key, record)
        best[record.key] = min(best.get(record.key, answer), answer, key=order.index)
    return [(first[key], best[key]) for key in sorted(first)]
