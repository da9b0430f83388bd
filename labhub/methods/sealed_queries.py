"""What published methods find in sealed records: which answers are due, and who is shown which."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Select, select
from sqlalchemy.orm import selectinload

from labhub.accounts.actor import Actor
from labhub.db import db
from labhub.methods import queries
from labhub.methods.models import DetectionMethod, MethodState, MethodVersion
from labhub.methods.sealed_models import SealedMethodAnswer
from labhub.sequences import sealed_queries as sealed
from labhub.sequences.models import ReferenceSequence, SequenceState, Visibility
from labhub.sequences.sealed_models import SealedAnswer
from labhub.sequences.sealed_queries import Usable

RULES = "2 mismatches, 3 exact at 3', 40 to 1500 bases; 1"
"""The rules of the search, with a number that rises when they change: old answers are then made anew."""


@dataclass(frozen=True)
class Due:
    """A sealed record and the published versions whose answers for it are missing or out of date."""

    sequence: ReferenceSequence
    versions: Mapping[int, str]
    """By number of the version, what its answer is made from."""


def due(most: int) -> list[Due]:
    """Return what has to be worked out, for at most so many records."""
    versions = db.session.execute(
        select(MethodVersion.id, MethodVersion.content_hash).where(
            MethodVersion.state == MethodState.PUBLISHED
        )
    ).all()
    known = {
        (row.version_id, row.sequence_id): row.made_from
        for row in db.session.execute(
            select(
                SealedMethodAnswer.version_id, SealedMethodAnswer.sequence_id, SealedMethodAnswer.made_from
            )
        )
    }
    found: list[Due] = []
    for sequence in db.session.scalars(_sealed().order_by(ReferenceSequence.id)):
        missing = {}
        for version_id, content_hash in versions:
            made_from = made_of(sequence, content_hash)
            if known.get((version_id, sequence.id)) != made_from:
                missing[version_id] = made_from
        if missing:
            found.append(Due(sequence, missing))
            if len(found) >= most:
                break
    return found


def _sealed() -> Select[ReferenceSequence]:
    return select(ReferenceSequence).where(
        ReferenceSequence.visibility == Visibility.SEALED,
        ReferenceSequence.state != SequenceState.WITHDRAWN,
    )


def made_of(sequence: ReferenceSequence, content_hash: str) -> str:
    """Return the digest of everything that an answer depends on."""
    parts = (sequence.digest, sequence.topology.value, content_hash, RULES)
    return sha256("\n".join(parts).encode()).hexdigest()


def versions_by_id(ids: Iterable[int]) -> list[MethodVersion]:
    """Return versions with all that they say."""
    return list(
        db.session.scalars(
            select(MethodVersion)
            .where(MethodVersion.id.in_(list(ids)))
            .options(*queries.whole_version())
            .order_by(MethodVersion.id)
        )
    )


def bases_of(sequence: ReferenceSequence) -> tuple[str, str, bool]:
    """Return a sealed record for the packing of one search: a name that says nothing, bases, topology."""
    (record,) = sealed.bases_for_search([_as_usable(sequence)])
    return "sealed", record.bases, record.circular


def _as_usable(sequence: ReferenceSequence) -> Usable:
    return Usable(
        sequence.id, sequence.accession, sequence.accession, "", "", sequence.laboratory_id, "", False
    )


# Who is shown what ----------------------------------------------------------------------------


@dataclass(frozen=True)
class MethodRow:
    """A published method and what it finds in an event."""

    code: str
    title: str
    answer: SealedAnswer


def events_of(actor: Actor, method: DetectionMethod) -> list[tuple[Usable, SealedAnswer]]:
    """Return the answer of a published method for each event that the actor may use."""
    records = sealed.usable_records(actor)
    version_id = db.session.scalar(
        select(MethodVersion.id).where(
            MethodVersion.method_id == method.id, MethodVersion.state == MethodState.PUBLISHED
        )
    )
    if version_id is None:
        return []
    known = _known(records, version_id)
    view = _View(actor)
    answers = [view.shown(record, method, known.get((version_id, record.id))) for record in records]
    return sealed.by_event(records, answers)


def methods_of(actor: Actor, records: Sequence[Usable]) -> list[MethodRow]:
    """Return what each published method finds in an event, those that find it first."""
    known = _known(records)
    view = _View(actor)
    rows: list[MethodRow] = []
    versions = db.session.scalars(
        select(MethodVersion)
        .where(MethodVersion.state == MethodState.PUBLISHED)
        .options(selectinload(MethodVersion.method).selectinload(DetectionMethod.laboratory))
    )
    for version in versions:
        answers = [
            view.shown(record, version.method, known.get((version.id, record.id))) for record in records
        ]
        for _record, answer in sealed.by_event(records, answers):
            rows.append(MethodRow(version.method.code, version.title, answer))
    order = (SealedAnswer.FOUND, SealedAnswer.NOT_DECIDED, SealedAnswer.NOT_FOUND)
    return sorted(rows, key=lambda row: (order.index(row.answer), row.code))


def _known(records: Sequence[Usable], version_id: int | None = None) -> dict[tuple[int, int], SealedAnswer]:
    query = (
        select(SealedMethodAnswer.version_id, SealedMethodAnswer.sequence_id, SealedMethodAnswer.answer)
        .join(ReferenceSequence, ReferenceSequence.id == SealedMethodAnswer.sequence_id)
        .where(SealedMethodAnswer.sequence_id.in_([record.id for record in records]))
    )
    if version_id is not None:
        query = query.where(SealedMethodAnswer.version_id == version_id)
    return {(row.version_id, row.sequence_id): row.answer for row in db.session.execute(query)}


class _View:
    """What may be said to one actor: a method of one's own laboratory or Party is no free question."""

    def __init__(self, actor: Actor) -> None:
        self.scopes = frozenset(sealed.scopes_of(actor))
        self.stopped = sealed.stopped_owners(self.scopes)

    def shown(self, record: Usable, method: DetectionMethod, answer: SealedAnswer | None) -> SealedAnswer:
        """Return the answer for this actor; not decided when it is not known or not to be said."""
        if record.is_seen:
            return answer or SealedAnswer.NOT_DECIDED
        if record.owner_id in self.stopped or self._is_own(method):
            return SealedAnswer.NOT_DECIDED
        return answer or SealedAnswer.NOT_DECIDED

    def _is_own(self, method: DetectionMethod) -> bool:
        laboratory = method.laboratory
        return laboratory is not None and not self.scopes.isdisjoint(
            (f"laboratory:{laboratory.id}", f"party:{laboratory.party_id}")
        )
