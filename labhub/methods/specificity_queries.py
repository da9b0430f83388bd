"""Everything that reads living specificity; who may see a pair sees both the version and the sequence.

What is counted and listed is only what the reader may see; sealed and withdrawn records are in none of it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import contains_eager

from labhub.accounts.actor import Actor
from labhub.accounts.queries import slice_of
from labhub.cells import write_csv
from labhub.db import db
from labhub.lmos.models import Claim, Lmo
from labhub.lmos.queries import match_element, match_lmo
from labhub.lmos.terms import Sign
from labhub.methods import coverage_queries, queries
from labhub.methods.models import (
    OPEN_STATES,
    DetectionMethod,
    MethodState,
    MethodTarget,
    MethodVersion,
    Oligo,
    OligoSet,
    Specificity,
)
from labhub.methods.network_models import TargetLink
from labhub.methods.specificity import RULE, Expectation, Judgement, Origin, Targets, expectation
from labhub.methods.specificity_models import (
    SpecificityChange,
    SpecificityHit,
    SpecificityMethod,
    SpecificitySequence,
)
from labhub.sequences.models import (
    ReferenceSequence,
    SequenceBases,
    SequenceElement,
    SequenceLmo,
    SequenceMethod,
    SequenceState,
    Topology,
    Visibility,
)
from labhub.sequences.queries import goes_with, is_of_elements, is_of_lmos, is_visible
from labhub.workbooks import MANY_CELLS, Column, Due, SheetToWrite, write_book

LIVING_STATES = (MethodState.PUBLISHED, *OPEN_STATES)
"""Versions whose row is kept current; a superseded or withdrawn one has none."""
ENDED = (SequenceState.WITHDRAWN, SequenceState.SUPERSEDED)
MOST_SHOWN = 100
"""Entries of one kind in a section of a page; the number of all is told."""
MOST_LINES = 20_000
"""Pairs of one download."""


def is_searched() -> ColumnElement[bool]:
    """Return the condition on ``ReferenceSequence`` for records of which a column is kept."""
    return and_(ReferenceSequence.visibility != Visibility.SEALED, ReferenceSequence.state.not_in(ENDED))


def is_current() -> ColumnElement[bool]:
    """Return the condition that a sequence's mark still says what the record says."""
    return and_(
        is_searched(),
        SpecificitySequence.digest == ReferenceSequence.digest,
        SpecificitySequence.circular == (ReferenceSequence.topology == Topology.CIRCULAR),
    )


def seen_sequences(actor: Actor | None) -> ColumnElement[bool]:
    """Return the condition for sequences of the matrix that ``actor`` may see."""
    return and_(is_visible(actor), is_searched())


def seen_versions(actor: Actor | None) -> Select[int]:
    """Select the numbers of versions of the matrix that ``actor`` may see."""
    return (
        queries.visible_versions(actor)
        .where(MethodVersion.state.in_(LIVING_STATES))
        .with_only_columns(MethodVersion.id)
    )


_CURRENT_ROW = and_(
    SpecificityMethod.version_id == MethodVersion.id,
    SpecificityMethod.row_version == MethodVersion.row_version,
    SpecificityMethod.rule == RULE.version,
)
"""The join of versions with their marks that says that a row is current."""
_CURRENT_COLUMN = and_(SpecificitySequence.sequence_id == ReferenceSequence.id, is_current())


# What waits to be computed -------------------------------------------------------------------


def dirty_versions() -> Select[int, int]:
    """Select number and row version of living versions whose row is missing or of an older reading."""
    return (
        select(MethodVersion.id, MethodVersion.row_version)
        .outerjoin(SpecificityMethod, _CURRENT_ROW)
        .where(MethodVersion.state.in_(LIVING_STATES), SpecificityMethod.version_id.is_(None))
        .order_by(MethodVersion.id)
    )


def current_versions() -> Select[int]:
    """Select the numbers of living versions whose row is current."""
    return (
        select(MethodVersion.id)
        .join(SpecificityMethod, _CURRENT_ROW)
        .where(MethodVersion.state.in_(LIVING_STATES))
        .order_by(MethodVersion.id)
    )


def dirty_sequences() -> Select[int, str, Topology, int]:
    """Select sequences whose column is missing or of other bases or another topology."""
    return (
        select(
            ReferenceSequence.id,
            ReferenceSequence.digest,
            ReferenceSequence.topology,
            ReferenceSequence.length_bp,
        )
        .outerjoin(SpecificitySequence, _CURRENT_COLUMN)
        .where(is_searched(), SpecificitySequence.sequence_id.is_(None))
        .order_by(ReferenceSequence.id)
    )


def current_sequences() -> Select[int, str, bool]:
    """Select number, digest and topology of the sequences whose column is current."""
    return (
        select(
            ReferenceSequence.id,
            SpecificitySequence.digest,
            SpecificitySequence.circular,
        )
        .join(SpecificitySequence, SpecificitySequence.sequence_id == ReferenceSequence.id)
        .where(is_current())
        .order_by(ReferenceSequence.id)
    )


def dead_sequences() -> Select[int, SequenceState]:
    """Select the marks of sequences that are sealed, withdrawn or superseded now."""
    return (
        select(SpecificitySequence.sequence_id, ReferenceSequence.state)
        .join(ReferenceSequence, ReferenceSequence.id == SpecificitySequence.sequence_id)
        .where(~is_searched())
    )


def dead_versions() -> Select[int]:
    """Select the marks of versions that are superseded or withdrawn now."""
    return (
        select(SpecificityMethod.version_id)
        .join(MethodVersion, MethodVersion.id == SpecificityMethod.version_id)
        .where(MethodVersion.state.not_in(LIVING_STATES))
    )


def unannounced_versions() -> Select[int, int, int]:
    """Select published versions that were not compared yet with the version before."""
    return (
        select(MethodVersion.id, MethodVersion.method_id, MethodVersion.number)
        .join(SpecificityMethod, _CURRENT_ROW)
        .where(MethodVersion.state == MethodState.PUBLISHED, ~SpecificityMethod.announced)
        .order_by(MethodVersion.id)
    )


def replaced_by(sequence_ids: Collection[int]) -> dict[int, int]:
    """Return, for sequences that replace a record which is still compared, that record."""
    rows = db.session.execute(
        select(ReferenceSequence.id, SpecificitySequence.sequence_id)
        .join(SpecificitySequence, SpecificitySequence.sequence_id == ReferenceSequence.supersedes_id)
        .where(ReferenceSequence.id.in_(sequence_ids))
    )
    return dict(rows.all())


def columns_older_than(version_id: int, sequence_ids: Collection[int]) -> set[int]:
    """Return the sequences that were compared already when a version was published.

    The version before it has no pairs with later ones: it was superseded then.
    """
    published_at = select(MethodVersion.published_at).where(MethodVersion.id == version_id).scalar_subquery()
    return set(
        db.session.scalars(
            select(SpecificitySequence.sequence_id).where(
                SpecificitySequence.sequence_id.in_(sequence_ids),
                SpecificitySequence.computed_at <= published_at,
            )
        )
    )


def something_waits() -> bool:
    """Say whether there is anything to compute, compare or take away."""
    waiting: tuple[Any, ...] = (
        dirty_versions(),
        dirty_sequences(),
        dead_sequences(),
        dead_versions(),
        unannounced_versions(),
    )
    return any(db.session.execute(query.limit(1)).first() is not None for query in waiting)


def contents_of(version_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return what ``assays`` reads of versions, by one query for each table."""
    numbers = sorted(version_ids)
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(numbers), queries.IN_ONE_QUERY):
        part = numbers[start : start + queries.IN_ONE_QUERY]
        for row in db.session.execute(
            select(MethodVersion.id, MethodVersion.technique, MethodVersion.amplicon_bp).where(
                MethodVersion.id.in_(part)
            )
        ):
            found[row.id] = {
                "code": "",
                "technique": row.technique.value,
                "amplicon_bp": row.amplicon_bp,
                "oligos": [],
                "oligo_sets": [],
            }
        for oligo in db.session.execute(
            select(Oligo.version_id, Oligo.set_name, Oligo.role, Oligo.name, Oligo.sequence)
            .where(Oligo.version_id.in_(part))
            .order_by(Oligo.version_id, Oligo.position)
        ):
            found[oligo.version_id]["oligos"].append(
                {
                    "set": oligo.set_name,
                    "role": oligo.role.value,
                    "name": oligo.name,
                    "sequence": oligo.sequence,
                }
            )
        for each in db.session.execute(
            select(OligoSet.version_id, OligoSet.name, OligoSet.amplicon_bp)
            .where(OligoSet.version_id.in_(part))
            .order_by(OligoSet.version_id, OligoSet.position)
        ):
            found[each.version_id]["oligo_sets"].append({"name": each.name, "amplicon_bp": each.amplicon_bp})
    return found


def bases_of(sequence_ids: Collection[int]) -> dict[int, str]:
    """Return the bases of sequences that are searched; never those of a sealed record."""
    return dict(
        db.session.execute(
            select(SequenceBases.sequence_id, SequenceBases.bases)
            .join(ReferenceSequence, ReferenceSequence.id == SequenceBases.sequence_id)
            .where(SequenceBases.sequence_id.in_(sequence_ids), is_searched())
        ).all()
    )


# What was to be expected -----------------------------------------------------------------------


Pair = tuple[int, int]
"""Numbers of a version and a sequence."""


class Expectations:
    """Whether versions were to find sequences: their targets, and what the sequences are of."""

    def __init__(self, version_ids: Iterable[int], sequence_ids: Iterable[int]) -> None:
        self.targets = _targets(sorted(set(version_ids)))
        self.origins = _origins(sorted(set(sequence_ids)))

    def __call__(self, version_id: int, sequence_id: int) -> Expectation:
        return expectation(self.targets[version_id], self.origins[sequence_id])

    def declared(self) -> set[Pair]:
        """Return the pairs of a version and a sequence of one of its declared targets."""
        known: dict[tuple[str, int | str], set[int]] = defaultdict(set)
        for version_id, targets in self.targets.items():
            for key in _links(targets):
                known[key].add(version_id)
        return {
            (version_id, sequence_id)
            for sequence_id, origin in self.origins.items()
            for key in _links(origin)
            for version_id in known.get(key, ())
        }


def _links(record: Targets | Origin) -> Iterable[tuple[str, int | str]]:
    """Give what a record names, as keys that tell LMOs, elements and methods apart."""
    for kind, named in (("lmo", record.lmo_ids), ("element", record.element_ids), ("method", record.codes)):
        for each in named:
            yield kind, each


def _parts(numbers: Sequence[int]) -> Iterable[Sequence[int]]:
    for start in range(0, len(numbers), queries.IN_ONE_QUERY):
        yield numbers[start : start + queries.IN_ONE_QUERY]


def _targets(version_ids: Sequence[int]) -> dict[int, Targets]:
    lmos: dict[int, set[int]] = defaultdict(set)
    elements: dict[int, set[int]] = defaultdict(set)
    taxa: dict[int, str] = {}
    codes: dict[int, frozenset[str]] = {}
    for part in _parts(version_ids):
        for row in db.session.execute(
            select(
                MethodTarget.version_id,
                func.coalesce(MethodTarget.lmo_id, TargetLink.lmo_id).label("lmo_id"),
                func.coalesce(MethodTarget.element_id, TargetLink.element_id).label("element_id"),
            )
            .outerjoin(TargetLink, TargetLink.target_id == MethodTarget.id)
            .where(MethodTarget.version_id.in_(part))
        ):
            if row.lmo_id:
                lmos[row.version_id].add(row.lmo_id)
            if row.element_id:
                elements[row.version_id].add(row.element_id)
        for version in db.session.execute(
            select(
                MethodVersion.id,
                MethodVersion.specificity,
                MethodVersion.taxon_scientific,
                DetectionMethod.code_key,
                DetectionMethod.hub_key,
            )
            .join(DetectionMethod, DetectionMethod.id == MethodVersion.method_id)
            .where(MethodVersion.id.in_(part))
        ):
            if version.specificity is Specificity.TAXON:
                taxa[version.id] = version.taxon_scientific or ""
            codes[version.id] = frozenset(key for key in (version.code_key, version.hub_key) if key)
    return {
        number: Targets(
            frozenset(lmos[number]), frozenset(elements[number]), taxa.get(number, ""), codes[number]
        )
        for number in version_ids
    }


def _origins(sequence_ids: Sequence[int]) -> dict[int, Origin]:
    organisms: dict[int, str] = {}
    lmos: dict[int, set[int]] = defaultdict(set)
    elements: dict[int, set[int]] = defaultdict(set)
    codes: dict[int, set[str]] = defaultdict(set)
    for part in _parts(sequence_ids):
        for row in db.session.execute(
            select(ReferenceSequence.id, ReferenceSequence.taxon, ReferenceSequence.organism).where(
                ReferenceSequence.id.in_(part)
            )
        ):
            organisms[row.id] = row.taxon or row.organism
        for number, lmo_id in db.session.execute(
            select(SequenceLmo.sequence_id, SequenceLmo.lmo_id).where(SequenceLmo.sequence_id.in_(part))
        ):
            lmos[number].add(lmo_id)
        for number, element_id in db.session.execute(
            select(SequenceElement.sequence_id, SequenceElement.element_id).where(
                SequenceElement.sequence_id.in_(part)
            )
        ):
            elements[number].add(element_id)
        for number, code in db.session.execute(
            select(SequenceMethod.sequence_id, SequenceMethod.code).where(
                SequenceMethod.sequence_id.in_(part)
            )
        ):
            codes[number].add(code.casefold())
    events = _events({lmo_id for each in lmos.values() for lmo_id in each})
    claims = _claims({number for each in events.values() for number in each})
    found = {}
    for sequence_id, organism in organisms.items():
        of = {number for lmo_id in lmos[sequence_id] for number in events[lmo_id]}
        has = {element for number in of for element in claims[number][0]}
        lacks = {element for number in of for element in claims[number][1]}
        found[sequence_id] = Origin(
            lmo_ids=frozenset(of),
            element_ids=frozenset(elements[sequence_id]),
            within=frozenset(has - lacks),
            without=frozenset(lacks - has),
            organism=organism,
            codes=frozenset(codes[sequence_id]),
        )
    return found


def _events(lmo_ids: set[int]) -> dict[int, set[int]]:
    """Return each LMO with the parents of a stack."""
    if not lmo_ids:
        return {}
    known = coverage_queries.known_lmos()
    return {
        number: coverage_queries.events_of(number, parents or () if is_stack else (), known)
        for number, is_stack, parents in db.session.execute(
            select(Lmo.id, Lmo.is_stack, Lmo.parents).where(Lmo.id.in_(lmo_ids))
        )
    }


def _claims(lmo_ids: set[int]) -> dict[int, tuple[set[int], set[int]]]:
    """Return the elements that LMOs are said to have, and those that they are said to lack."""
    found: dict[int, tuple[set[int], set[int]]] = {number: (set(), set()) for number in lmo_ids}
    for lmo_id, element_id, sign in db.session.execute(
        select(Claim.lmo_id, Claim.element_id, Claim.sign).where(Claim.lmo_id.in_(lmo_ids))
    ):
        found[lmo_id][0 if sign is Sign.HAS else 1].add(element_id)
    return found


# Whom to tell ----------------------------------------------------------------------------------


def untold(side: str, limit: int) -> list[SpecificityChange]:
    """Return differences of which the people of one side, ``method`` or ``sequence``, are to be told now.

    Only those of published methods, and of sequences that the laboratory of that side may see by now.
    """
    told_at = getattr(SpecificityChange, f"{side}_told_at")
    was_published = and_(
        ReferenceSequence.published_at.is_not(None),
        ReferenceSequence.visibility.in_((Visibility.PUBLIC, Visibility.NETWORK)),
    )
    query = (
        select(SpecificityChange)
        .join(SpecificityChange.version)
        .join(MethodVersion.method)
        .join(SpecificityChange.sequence)
        .where(told_at.is_(None), MethodVersion.state == MethodState.PUBLISHED, is_searched())
        .options(
            contains_eager(SpecificityChange.version).contains_eager(MethodVersion.method),
            contains_eager(SpecificityChange.sequence),
        )
        .order_by(SpecificityChange.id)
        .limit(limit)
    )
    if side == "method":
        is_own = ReferenceSequence.laboratory_id == DetectionMethod.laboratory_id
        query = query.where(or_(was_published, is_own, DetectionMethod.laboratory_id.is_(None)))
    return list(db.session.scalars(query))


def visible_numbers(actor: Actor, changes: Collection[SpecificityChange]) -> tuple[set[int], set[int]]:
    """Return the versions and the sequences of changes that a person may see."""
    versions = seen_versions(actor).where(MethodVersion.id.in_({each.version_id for each in changes}))
    sequences = select(ReferenceSequence.id).where(
        seen_sequences(actor), ReferenceSequence.id.in_({each.sequence_id for each in changes})
    )
    return set(db.session.scalars(versions)), set(db.session.scalars(sequences))


# What a reader sees ----------------------------------------------------------------------------

_PAIR: dict[str, Any] = {
    "version_id": SpecificityHit.version_id,
    "sequence_id": SpecificityHit.sequence_id,
    "method": DetectionMethod.code,
    "method_version": MethodVersion.number,
    "method_state": MethodVersion.state,
    "method_title": MethodVersion.title,
    "specificity": MethodVersion.specificity,
    "sequence": ReferenceSequence.accession,
    "sequence_name": ReferenceSequence.source_accession,
    "sequence_title": ReferenceSequence.title,
    "organism": ReferenceSequence.organism,
    "length_bp": ReferenceSequence.length_bp,
    "judgement": SpecificityHit.judgement,
    "reasons": SpecificityHit.reasons,
    "assay": SpecificityHit.assay,
    "assays": SpecificityHit.assays,
    "products": SpecificityHit.products,
    "sizes": SpecificityHit.sizes,
    "start": SpecificityHit.start_bp,
    "size_bp": SpecificityHit.size_bp,
    "published_bp": SpecificityHit.published_bp,
    "strand": SpecificityHit.strand,
    "mm_forward": SpecificityHit.mm_forward,
    "mm_reverse": SpecificityHit.mm_reverse,
    "mm_probe": SpecificityHit.mm_probe,
    "mismatches": SpecificityHit.mismatches,
    "rule": SpecificityHit.rule,
    "computed_at": SpecificityHit.computed_at,
}
"""Columns of a pair as readers get them."""
_BETTER = case(
    (SpecificityHit.judgement == Judgement.DETECTED, 0),
    else_=1,
)
PAIR_SORTS: dict[str, Any] = {
    "method": DetectionMethod.code_key,
    "sequence": ReferenceSequence.id,
    "judgement": _BETTER,
    "computed_at": SpecificityHit.computed_at,
}
PAIR_TIE = SpecificityHit.sequence_id


@dataclass(frozen=True)
class Filters:
    """What narrows the matrix; empty filters let everything through."""

    q: str = ""
    """Part of a method's code or title."""
    scope: str = ""
    taxon: str = ""
    """Part of the scientific or common name of the method's taxon."""
    lmo: str = ""
    element: str = ""
    """What the method declares as a target."""
    method: str = ""
    record: str = ""
    """Part of accession, title, organism or source accession of the sequence."""
    sequence: str = ""
    records: str = "found"
    """``found``: methods and sequences of pairs in which something is found; ``target``: all methods, and
    sequences of the chosen LMO and element; ``all``."""
    judgement: str = ""


def _text(column: Any, word: str) -> ColumnElement[bool]:
    return func.lower(column).contains(word.replace("\x00", "").strip().lower(), autoescape=True)


def _rows(actor: Actor | None, filters: Filters) -> Select[Any]:
    """Select the numbers of the versions that the filters let through and that have assays."""
    query = (
        queries.visible_versions(actor)
        .join(SpecificityMethod, _CURRENT_ROW)
        .where(MethodVersion.state.in_(LIVING_STATES), SpecificityMethod.assays > 0)
    )
    if filters.q.strip():
        query = query.where(
            or_(_text(DetectionMethod.code, filters.q), _text(MethodVersion.title, filters.q))
        )
    if filters.method:
        query = query.where(queries.has_code(filters.method))
    if filters.scope:
        query = query.where(MethodVersion.specificity == Specificity(filters.scope))
    if filters.taxon.strip():
        query = query.where(
            or_(
                _text(MethodVersion.taxon_scientific, filters.taxon),
                _text(MethodVersion.taxon_common, filters.taxon),
            )
        )
    if filters.lmo.strip():
        lmo = match_lmo(filters.lmo)
        query = query.where(
            MethodVersion.id.in_(coverage_queries.versions_naming("lmo_id", [lmo.id] if lmo else []))
        )
    if filters.element.strip():
        element = match_element(filters.element)
        query = query.where(
            MethodVersion.id.in_(
                coverage_queries.versions_naming("element_id", [element.id] if element else [])
            )
        )
    return query.with_only_columns(MethodVersion.id)


def _columns(actor: Actor | None, filters: Filters) -> Select[Any]:
    """Select the numbers of the sequences that the filters let through, whatever is found in them."""
    query = (
        select(ReferenceSequence.id).join(SpecificitySequence, _CURRENT_COLUMN).where(seen_sequences(actor))
    )
    if filters.record.strip():
        query = query.where(
            or_(
                *(
                    _text(column, filters.record)
                    for column in (
                        ReferenceSequence.accession,
                        ReferenceSequence.title,
                        ReferenceSequence.organism,
                        ReferenceSequence.source_accession,
                    )
                )
            )
        )
    if filters.sequence:
        query = query.where(ReferenceSequence.accession == filters.sequence.upper())
    if filters.records == "target" and (filters.lmo.strip() or filters.element.strip()):
        lmo = match_lmo(filters.lmo) if filters.lmo.strip() else None
        element = match_element(filters.element) if filters.element.strip() else None
        query = query.where(
            sequences_of(
                Targets(frozenset({lmo.id} if lmo else ()), frozenset({element.id} if element else ()))
            )
        )
    return query


def sequences_of(targets: Targets) -> ColumnElement[bool]:
    """Return the condition for sequences that name one of these LMOs, elements or methods."""
    return or_(is_of_lmos(targets.lmo_ids), is_of_elements(targets.element_ids), goes_with(targets.codes))


def pairs(actor: Actor | None, filters: Filters | None = None) -> Select[Any]:
    """Select the pairs in which something is found, among what ``actor`` may see."""
    filters = filters or Filters()
    query = (
        select(*(column.label(name) for name, column in _PAIR.items()))
        .select_from(SpecificityHit)
        .join(MethodVersion, MethodVersion.id == SpecificityHit.version_id)
        .join(DetectionMethod, DetectionMethod.id == MethodVersion.method_id)
        .join(ReferenceSequence, ReferenceSequence.id == SpecificityHit.sequence_id)
        .where(
            SpecificityHit.version_id.in_(_rows(actor, filters)),
            SpecificityHit.sequence_id.in_(_columns(actor, filters)),
        )
    )
    if filters.judgement:
        query = query.where(SpecificityHit.judgement == Judgement(filters.judgement))
    return query


def with_expectation(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return pairs with what was to be expected of each, and where the product ends."""
    given = [dict(row) for row in rows]
    was_to_find = Expectations((row["version_id"] for row in given), (row["sequence_id"] for row in given))
    for row in given:
        row["expectation"] = was_to_find(row["version_id"], row["sequence_id"])
        end = row["start"] + row["size_bp"] - 1
        row["end"] = (end - 1) % row["length_bp"] + 1
    return given


def records_compared(actor: Actor | None) -> int:
    """Return the number of sequences that the reader may see and that are compared with every method."""
    return db.session.scalar(select(func.count()).select_from(_columns(actor, Filters()).subquery())) or 0


def methods_compared(actor: Actor | None) -> int:
    """Return the number of versions with assays that the reader may see and that are compared."""
    return db.session.scalar(select(func.count()).select_from(_rows(actor, Filters()).subquery())) or 0


@dataclass
class Listing:
    """The pairs of one kind: the first ones, and how many there are."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0

    def add(self, row: dict[str, Any]) -> None:
        """Count a pair, and keep it while there is room."""
        self.total += 1
        if len(self.rows) < MOST_SHOWN:
            self.rows.append(row)


@dataclass
class Section:
    """What the page of a method or of a sequence shows of living specificity."""

    is_current: bool
    """Whether it has been computed for what the record says now; else it waits."""
    compared: int = 0
    """Records of the other kind that the reader may see and that were compared."""
    computed_at: datetime | None = None
    assays: int = 0
    remarks: list[dict[str, Any]] = field(default_factory=list)
    expected: Listing = field(default_factory=Listing)
    unexpected: Listing = field(default_factory=Listing)
    other: Listing = field(default_factory=Listing)
    missing: Listing = field(default_factory=Listing)

    def sort(self, rows: Iterable[Any]) -> None:
        """Put pairs under their headings."""
        kinds = {
            Expectation.TARGET: self.expected,
            Expectation.EXPECTED: self.expected,
            Expectation.UNEXPECTED: self.unexpected,
            Expectation.UNKNOWN: self.other,
        }
        for row in with_expectation(rows):
            kinds[row["expectation"]].add(row)


def of_version(actor: Actor | None, version: MethodVersion) -> Section | None:
    """Return what a version finds; nothing for one that is superseded or withdrawn."""
    if version.state not in LIVING_STATES:
        return None
    mark = db.session.get(SpecificityMethod, version.id)
    if mark is None or mark.row_version != version.row_version or mark.rule != RULE.version:
        return Section(is_current=False)
    section = Section(
        is_current=True,
        compared=records_compared(actor),
        computed_at=mark.computed_at,
        assays=mark.assays,
        remarks=mark.remarks,
    )
    query = pairs(actor).where(SpecificityHit.version_id == version.id)
    section.sort(db.session.execute(query.order_by(_BETTER, SpecificityHit.sequence_id)).mappings())
    if mark.assays:
        _add_missing_sequences(actor, version.id, section)
    return section


def _add_missing_sequences(actor: Actor | None, version_id: int, section: Section) -> None:
    """Add the sequences of declared targets in which nothing was found."""
    targets = _targets([version_id])[version_id]
    found = select(SpecificityHit.sequence_id).where(SpecificityHit.version_id == version_id)
    query = (
        select(
            ReferenceSequence.accession.label("sequence"),
            ReferenceSequence.source_accession.label("sequence_name"),
            ReferenceSequence.title.label("sequence_title"),
            ReferenceSequence.organism,
            ReferenceSequence.length_bp,
        )
        .where(
            ReferenceSequence.id.in_(_columns(actor, Filters())),
            ReferenceSequence.id.not_in(found),
            sequences_of(targets),
        )
        .order_by(ReferenceSequence.id)
    )
    for row in db.session.execute(query).mappings():
        section.missing.add(dict(row))


def of_sequence(actor: Actor | None, sequence: ReferenceSequence) -> Section | None:
    """Return the methods that find a sequence; nothing for one that is sealed, withdrawn or superseded."""
    if sequence.visibility is Visibility.SEALED or sequence.state in ENDED:
        return None
    mark = db.session.get(SpecificitySequence, sequence.id)
    is_circular = sequence.topology is Topology.CIRCULAR
    if mark is None or mark.digest != sequence.digest or mark.circular != is_circular:
        return Section(is_current=False)
    section = Section(is_current=True, compared=methods_compared(actor), computed_at=mark.computed_at)
    query = pairs(actor).where(SpecificityHit.sequence_id == sequence.id)
    section.sort(db.session.execute(query.order_by(_BETTER, DetectionMethod.code_key)).mappings())
    _add_missing_methods(actor, sequence.id, section)
    return section


def _add_missing_methods(actor: Actor | None, sequence_id: int, section: Section) -> None:
    """Add the methods that declare as a target what the sequence is of, and do not find it."""
    origin = _origins([sequence_id])[sequence_id]
    naming = [
        coverage_queries.versions_naming(column, numbers)
        for column, numbers in (("lmo_id", origin.lmo_ids), ("element_id", origin.element_ids))
        if numbers
    ]
    ways = [MethodVersion.id.in_(each) for each in naming]
    if origin.codes:
        ways += [DetectionMethod.code_key.in_(origin.codes), DetectionMethod.hub_key.in_(origin.codes)]
    if not ways:
        return
    found = select(SpecificityHit.version_id).where(SpecificityHit.sequence_id == sequence_id)
    query = (
        select(
            DetectionMethod.code.label("method"),
            MethodVersion.number.label("method_version"),
            MethodVersion.state.label("method_state"),
            MethodVersion.title.label("method_title"),
            MethodVersion.specificity,
        )
        .join(MethodVersion.method)
        .where(
            MethodVersion.id.in_(_rows(actor, Filters())),
            MethodVersion.id.not_in(found),
            or_(*ways),
        )
        .order_by(DetectionMethod.code_key, MethodVersion.number)
    )
    for row in db.session.execute(query).mappings():
        section.missing.add(dict(row))


# The matrix ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Matrix:
    """One page of the matrix: some methods by some sequences."""

    methods: Sequence[Mapping[str, Any]]
    sequences: Sequence[Mapping[str, Any]]
    cells: dict[tuple[int, int], Mapping[str, Any]]
    total_methods: int
    total_sequences: int
    page: int
    column_page: int
    page_size: int
    column_size: int

    @property
    def pages(self) -> int:
        """Pages of methods, at least one."""
        return max(1, -(-self.total_methods // self.page_size))

    @property
    def column_pages(self) -> int:
        """Pages of sequences, at least one."""
        return max(1, -(-self.total_sequences // self.column_size))

    def cell(self, method: Mapping[str, Any], sequence: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return what a method finds in a sequence; nothing where it finds nothing."""
        return self.cells.get((method["id"], sequence["id"]))


def matrix(
    actor: Actor | None,
    filters: Filters,
    *,
    page: int = 1,
    column_page: int = 1,
    page_size: int = 25,
    column_size: int = 25,
) -> Matrix:
    """Return a page of the matrix; everything comes from the tables, nothing is searched."""
    rows, columns = _rows(actor, filters), _columns(actor, filters)
    hits = select(SpecificityHit).where(
        SpecificityHit.version_id.in_(rows), SpecificityHit.sequence_id.in_(columns)
    )
    if filters.judgement:
        hits = hits.where(SpecificityHit.judgement == Judgement(filters.judgement))
    counts: dict[int, int] = dict(
        db.session.execute(
            hits.with_only_columns(SpecificityHit.version_id, func.count()).group_by(
                SpecificityHit.version_id
            )
        ).all()
    )
    if filters.records == "found":
        columns = columns.where(
            ReferenceSequence.id.in_(hits.with_only_columns(SpecificityHit.sequence_id).distinct())
        )
        rows = rows.where(MethodVersion.id.in_(hits.with_only_columns(SpecificityHit.version_id).distinct()))
    methods = (
        select(
            MethodVersion.id,
            DetectionMethod.code,
            MethodVersion.number,
            MethodVersion.state,
            MethodVersion.title,
            MethodVersion.specificity,
        )
        .join(MethodVersion.method)
        .where(MethodVersion.id.in_(rows))
        .order_by(DetectionMethod.code_key, MethodVersion.number)
    )
    sequences = (
        select(
            ReferenceSequence.id,
            ReferenceSequence.accession,
            ReferenceSequence.title,
            ReferenceSequence.source_accession,
            ReferenceSequence.organism,
        )
        .where(ReferenceSequence.id.in_(columns))
        .order_by(ReferenceSequence.id)
    )
    shown_methods = [{**row, "found": counts.get(row["id"], 0)} for row in _page(methods, page, page_size)]
    shown_sequences = _page(sequences, column_page, column_size)
    cells = db.session.execute(
        hits.where(
            SpecificityHit.version_id.in_([row["id"] for row in shown_methods]),
            SpecificityHit.sequence_id.in_([row["id"] for row in shown_sequences]),
        ).with_only_columns(
            SpecificityHit.version_id,
            SpecificityHit.sequence_id,
            SpecificityHit.judgement,
            SpecificityHit.reasons,
            SpecificityHit.mismatches,
            SpecificityHit.size_bp,
            SpecificityHit.published_bp,
            SpecificityHit.products,
        )
    ).mappings()
    found = {(cell["version_id"], cell["sequence_id"]): cell for cell in cells}
    was_to_find = Expectations((row["id"] for row in shown_methods), (row["id"] for row in shown_sequences))
    return Matrix(
        methods=shown_methods,
        sequences=shown_sequences,
        cells={pair: {**cell, "expectation": was_to_find(*pair)} for pair, cell in found.items()},
        total_methods=_count(rows),
        total_sequences=_count(columns),
        page=page,
        column_page=column_page,
        page_size=page_size,
        column_size=column_size,
    )


def _count(query: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(query.subquery())) or 0


def _page(query: Any, page: int, size: int) -> list[dict[str, Any]]:
    found = db.session.execute(query.limit(size).offset((page - 1) * size)).mappings()
    return [dict(row) for row in found]


# Differences -----------------------------------------------------------------------------------


def visible_changes(actor: Actor | None, *, own: bool = False) -> Select[SpecificityChange]:
    """Select differences of methods and sequences that ``actor`` may both see, newest first.

    ``own`` keeps those of the laboratories that the actor works in.
    """
    query = (
        select(SpecificityChange)
        .join(SpecificityChange.version)
        .join(MethodVersion.method)
        .join(SpecificityChange.sequence)
        .where(MethodVersion.id.in_(seen_versions(actor)), seen_sequences(actor))
        .options(
            contains_eager(SpecificityChange.version).contains_eager(MethodVersion.method),
            contains_eager(SpecificityChange.sequence),
        )
        .order_by(SpecificityChange.id.desc())
    )
    if own:
        numbers = actor.laboratory_ids if actor else ()
        query = query.where(
            or_(DetectionMethod.laboratory_id.in_(numbers), ReferenceSequence.laboratory_id.in_(numbers))
        )
    return query


@dataclass(frozen=True)
class Changes:
    """One page of differences."""

    rows: Sequence[SpecificityChange]
    total: int
    page: int
    page_size: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.page_size))


def page_of_changes(actor: Actor | None, *, own: bool, page: int, page_size: int) -> Changes:
    """Return one page of the differences that ``actor`` may see."""
    query = visible_changes(actor, own=own)
    rows, total = slice_of(query, page_size, (page - 1) * page_size)
    return Changes(rows, total, page, page_size)


# Files -----------------------------------------------------------------------------------------

TABLE = (
    "method", "method_version", "method_state", "method_title", "specificity", "sequence", "sequence_name",
    "sequence_title", "organism", "judgement", "expectation", "reasons", "mismatches", "mm_forward",
    "mm_reverse", "mm_probe", "size_bp", "published_bp", "products", "sizes", "start", "end", "strand",
    "assay", "rule", "computed_at",
)  # fmt: skip
"""Columns of a downloaded table, a pair a line."""


def mismatch_records(mismatches: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return stored mismatches as JSON has them."""
    names = ("oligo", "base", "from_end", "oligo_base", "sequence_base")
    return [dict(zip(names, each, strict=True)) for each in mismatches]


def record_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pair as JSON has it."""
    record = {name: row[name] for name in TABLE}
    record["mismatches"] = mismatch_records(row["mismatches"])
    record["strand"] = "+" if row["strand"] > 0 else "-"
    record["assays"] = row["assays"]
    return record


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {name: row[name] for name in TABLE}
    cells["reasons"] = "; ".join(row["reasons"])
    cells["mismatches"] = "; ".join(
        f"{part} {base}: {oligo}>{sequence}" for part, base, _end, oligo, sequence in row["mismatches"]
    )
    cells["sizes"] = "; ".join(str(size) for size in row["sizes"])
    cells["strand"] = "plus" if row["strand"] > 0 else "minus"
    cells["computed_at"] = row["computed_at"].isoformat()
    return cells


def export(actor: Actor | None, filters: Filters, format_: str, *, right_to_left: bool = False) -> bytes:
    """Return the pairs of the matrix, a pair a line, as ``csv`` or ``xlsx``."""
    query = pairs(actor, filters).order_by(DetectionMethod.code_key, MethodVersion.number, PAIR_TIE)
    found = with_expectation(db.session.execute(query.limit(MOST_LINES)).mappings())
    lines = [_cells(row) for row in found]
    if format_ == "csv":
        return write_csv(
            TABLE,
            [{name: "" if value is None else str(value) for name, value in line.items()} for line in lines],
        )
    numbers = {
        "method_version",
        "mm_forward",
        "mm_reverse",
        "mm_probe",
        "size_bp",
        "published_bp",
        "products",
    }
    numbers |= {"start", "end"}
    codes = {"method", "sequence", "sizes", "rule"}
    columns = [
        Column(name, Due.NUMBER if name in numbers else Due.CODE if name in codes else Due.TEXT)
        for name in TABLE
    ]
    sheet = SheetToWrite("specificity", columns, lines)
    return write_book([sheet], many=len(lines) * len(TABLE) > MANY_CELLS, right_to_left=right_to_left)
