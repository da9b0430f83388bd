"""Everything that reads reference sequences: who sees which record, and who sees its bases."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, selectinload

from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory
from labhub.db import db
from labhub.errors import Invalid, NotAllowed, NotFound, TooLarge
from labhub.i18n import _
from labhub.lmos.models import Element, Lmo
from labhub.lmos.queries import match_element, match_lmo
from labhub.lmos.taxa_models import TaxonName
from labhub.names import name_key
from labhub.sequences.equivalence import Marks, Relation, relation
from labhub.sequences.formats import ParsedFeature, ParsedRecord
from labhub.sequences.models import (
    ReferenceSequence,
    SequenceBases,
    SequenceElement,
    SequenceFeature,
    SequenceLmo,
    SequenceMethod,
    SequenceState,
    Topology,
    Visibility,
)
from labhub.sequences.records import DownloadFormat, written
from labhub.sequences.sealed_grant_queries import SEEING_ROLES, is_named, is_named_to_see
from labhub.sequences.sealed_models import SealedRight

NETWORK_ROLES = frozenset({Role.ANALYST, Role.MANAGER, Role.FOCAL_POINT, Role.REVIEWER, Role.SECRETARIAT})
"""Who reads what is published for the network (``docs/decisions/0016-sequences.md``)."""
REVIEWING_ROLES = frozenset({Role.REVIEWER, Role.SECRETARIAT})
ONCE_PUBLISHED = (SequenceState.PUBLISHED, SequenceState.SUPERSEDED, SequenceState.WITHDRAWN)
PREVIEW_BASES = 120


def managed_laboratory_ids(actor: Actor | None) -> tuple[int, ...]:
    """Return the laboratories that the actor manages."""
    grants = actor.grants if actor else frozenset()
    return tuple(sorted(g.laboratory_id for g in grants if g.role is Role.MANAGER and g.laboratory_id))


def is_visible(actor: Actor | None) -> ColumnElement[bool]:
    """Return the condition under which ``actor`` knows of a record: the only reading rule.

    Public and network records once they were published; those of one's own laboratory always; sealed
    ones that the owner named the actor to see; what waits for review for reviewers and the Secretariat,
    but never a sealed record. Who may only use a sealed record asks by ``sealed_queries``.
    """
    if actor is not None and actor.operator:
        return true()
    was_published = and_(
        ReferenceSequence.state.in_(ONCE_PUBLISHED), ReferenceSequence.published_at.is_not(None)
    )
    conditions = [and_(was_published, ReferenceSequence.visibility == Visibility.PUBLIC)]
    if actor is not None:
        if any(actor.has(role) for role in NETWORK_ROLES):
            conditions.append(and_(was_published, ReferenceSequence.visibility == Visibility.NETWORK))
        if any(actor.has(role) for role in REVIEWING_ROLES):
            conditions.append(
                and_(
                    ReferenceSequence.state.in_((SequenceState.SUBMITTED, SequenceState.IN_REVIEW)),
                    ReferenceSequence.visibility != Visibility.SEALED,
                )
            )
        if actor.laboratory_ids:
            conditions.append(ReferenceSequence.laboratory_id.in_(actor.laboratory_ids))
        if any(actor.has(role) for role in SEEING_ROLES):
            conditions.append(
                and_(ReferenceSequence.visibility == Visibility.SEALED, is_named(actor, SealedRight.SEE))
            )
    return or_(*conditions)


def has_open_bases(actor: Actor | None) -> ColumnElement[bool]:
    """Return the condition under which ``actor`` may see the bases of a record that is visible."""
    return or_(
        ReferenceSequence.visibility != Visibility.SEALED,
        ReferenceSequence.laboratory_id.in_(managed_laboratory_ids(actor)),
        is_named(actor, SealedRight.SEE),
    )


def may_see_bases(actor: Actor | None, sequence: ReferenceSequence) -> bool:
    """Whether ``actor`` may see the bases, digest and features of a record that is visible."""
    if sequence.visibility is not Visibility.SEALED:
        return True
    return sequence.laboratory_id in managed_laboratory_ids(actor) or is_named_to_see(actor, sequence)


def is_counted(sequence: ReferenceSequence) -> bool:
    """Whether a download counts: the record was published, and for more people than its laboratory."""
    return (
        sequence.state in ONCE_PUBLISHED
        and sequence.published_at is not None
        and sequence.visibility in (Visibility.PUBLIC, Visibility.NETWORK)
    )


def visible_sequences(actor: Actor | None) -> Select[ReferenceSequence]:
    """Select the records that ``actor`` knows of."""
    return select(ReferenceSequence).where(is_visible(actor))


def find_sequence(actor: Actor | None, accession: str) -> ReferenceSequence:
    """Return a record by the hub's accession, or the newest published one by its source's accession."""
    wanted = accession.strip()
    if wanted.isprintable() and 0 < len(wanted) <= 200:
        with_parts = (
            selectinload(ReferenceSequence.laboratory),
            selectinload(ReferenceSequence.lmo),
            selectinload(ReferenceSequence.element),
            selectinload(ReferenceSequence.lmo_links).joinedload(SequenceLmo.lmo),
            selectinload(ReferenceSequence.element_links).joinedload(SequenceElement.element),
            selectinload(ReferenceSequence.method_links),
        )
        found = db.session.scalar(
            visible_sequences(actor).where(ReferenceSequence.accession == wanted.upper()).options(*with_parts)
        )
        found = (
            found
            or db.session.scalars(
                visible_sequences(actor)
                .where(
                    _is_source_name(wanted),
                    ReferenceSequence.state == SequenceState.PUBLISHED,
                    ReferenceSequence.visibility.in_((Visibility.PUBLIC, Visibility.NETWORK)),
                )
                .order_by(ReferenceSequence.published_at.desc(), ReferenceSequence.id.desc())
                .limit(1)
                .options(*with_parts)
            ).first()
        )
        if found is not None:
            return found
    raise NotFound(_("There is no sequence %(accession)s.", accession=accession[:200]))


def _is_source_name(wanted: str) -> ColumnElement[bool]:
    base, _dot, version = wanted.rpartition(".")
    return or_(
        ReferenceSequence.source_accession == wanted,
        and_(ReferenceSequence.source_accession == base, ReferenceSequence.version == version)
        if base and version
        else false(),
    )


def lock_sequence(actor: Actor, accession: str) -> ReferenceSequence:
    """Return a record that is about to change; others wait until the transaction ends."""
    found = None
    if accession.isascii() and accession.isprintable():
        found = db.session.scalar(
            visible_sequences(actor)
            .where(ReferenceSequence.accession == accession.strip().upper())
            .with_for_update(of=ReferenceSequence)
            .execution_options(populate_existing=True)
        )
    if found is None:
        raise NotFound(_("There is no sequence %(accession)s.", accession=accession[:200]))
    return found


LIST_COLUMNS: dict[str, ColumnElement[Any] | InstrumentedAttribute[Any]] = {
    "accession": ReferenceSequence.id,
    "title": func.lower(ReferenceSequence.title),
    "organism": func.lower(ReferenceSequence.organism),
    "length_bp": ReferenceSequence.length_bp,
    "state": ReferenceSequence.state,
    "changed_at": ReferenceSequence.changed_at,
    "published_at": ReferenceSequence.published_at,
}
"""What lists may be sorted by; accessions by their number."""
LIST_TIE = ReferenceSequence.id


def listed_sequences(
    actor: Actor | None,
    *,
    q: str = "",
    taxon: str = "",
    lmo: str = "",
    element: str = "",
    state: SequenceState | None = None,
    visibility: Visibility | None = None,
    topology: Topology | None = None,
    laboratory: str = "",
    methods: Sequence[str] = (),
) -> Select[Any]:
    """Select the columns of the list, never bases: what the actor sees and the filters let through.

    ``lmo`` and ``element`` are names or identifiers; one that nobody knows lets nothing through. ``taxon``
    is any name of a taxon, or a part of the organism as the file writes it; ``methods`` are codes.
    """
    query = (
        select(
            ReferenceSequence.accession,
            ReferenceSequence.title,
            ReferenceSequence.organism,
            ReferenceSequence.taxon,
            ReferenceSequence.topology,
            ReferenceSequence.molecule_type,
            ReferenceSequence.length_bp,
            case((has_open_bases(actor), ReferenceSequence.digest), else_=None).label("digest"),
            ReferenceSequence.source_accession,
            ReferenceSequence.version,
            ReferenceSequence.state,
            ReferenceSequence.visibility,
            Laboratory.code.label("laboratory"),
            Lmo.slug.label("lmo"),
            Lmo.event.label("event"),
            Element.name.label("element"),
            ReferenceSequence.published_at,
            ReferenceSequence.changed_at,
        )
        .join(Laboratory, Laboratory.id == ReferenceSequence.laboratory_id)
        .outerjoin(Lmo, Lmo.id == ReferenceSequence.lmo_id)
        .outerjoin(Element, Element.id == ReferenceSequence.element_id)
        .where(is_visible(actor))
    )
    for word in q.split()[:10]:
        pattern = _pattern(word)
        query = query.where(
            or_(
                *(
                    func.lower(column).like(pattern, escape="!")
                    for column in (
                        ReferenceSequence.accession,
                        ReferenceSequence.source_accession,
                        ReferenceSequence.title,
                        ReferenceSequence.organism,
                        Lmo.event,
                        Lmo.unique_identifier,
                        Element.name,
                    )
                )
            )
        )
    return _filtered(
        query,
        taxon=taxon,
        lmo=lmo,
        element=element,
        methods=methods,
        state=state,
        visibility=visibility,
        topology=topology,
        laboratory=laboratory,
    )


def _filtered(
    query: Select[Any],
    *,
    taxon: str,
    lmo: str,
    element: str,
    methods: Sequence[str],
    state: SequenceState | None,
    visibility: Visibility | None,
    topology: Topology | None,
    laboratory: str,
) -> Select[Any]:
    if taxon:
        named = accepted_taxa({taxon}).get(taxon, "")
        written = func.lower(ReferenceSequence.organism).like(_pattern(taxon), escape="!")
        query = query.where(or_(written, ReferenceSequence.taxon == named) if named else written)
    if lmo:
        of_lmo = match_lmo(lmo)
        query = query.where(is_of_lmos([of_lmo.id] if of_lmo else []))
    if element:
        of_element = match_element(element)
        query = query.where(is_of_elements([of_element.id] if of_element else []))
    if methods:
        query = query.where(goes_with(methods))
    if state is not None:
        query = query.where(ReferenceSequence.state == state)
    if visibility is not None:
        query = query.where(ReferenceSequence.visibility == visibility)
    if topology is not None:
        query = query.where(ReferenceSequence.topology == topology)
    if laboratory:
        query = query.where(Laboratory.code == laboratory)
    return query


def _pattern(text: str) -> str:
    clean = text.replace("\x00", "").lower()
    return "%" + clean.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"


def is_of_lmos(lmo_ids: Iterable[int]) -> ColumnElement[bool]:
    """Return the condition that a record names one of these LMOs."""
    return ReferenceSequence.id.in_(
        select(SequenceLmo.sequence_id).where(SequenceLmo.lmo_id.in_(list(lmo_ids)))
    )


def is_of_elements(element_ids: Iterable[int]) -> ColumnElement[bool]:
    """Return the condition that a record names one of these elements."""
    return ReferenceSequence.id.in_(
        select(SequenceElement.sequence_id).where(SequenceElement.element_id.in_(list(element_ids)))
    )


def goes_with(codes: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that a record names one of these methods."""
    return ReferenceSequence.id.in_(
        select(SequenceMethod.sequence_id).where(
            func.lower(SequenceMethod.code).in_([code.casefold() for code in codes])
        )
    )


MOST_TOGETHER = 5_000
"""Values in one question to the database, and rows of its answer."""


def _portions(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), MOST_TOGETHER):
        yield values[start : start + MOST_TOGETHER]


def accepted_taxa(names: Collection[str]) -> dict[str, str]:
    """Return the accepted scientific names that organisms mean, where the table of taxa knows one.

    What stands behind a binomial (a strain, an isolate, a cultivar) is no part of the name of the taxon.
    """
    keys = {name: [name_key(name), " ".join(name_key(name).split()[:2])] for name in names if name.strip()}
    wanted = sorted({key for both in keys.values() for key in both if len(key) <= 200})
    known: dict[str, set[str]] = {}
    for some in _portions(wanted):
        for key, scientific in db.session.execute(
            select(TaxonName.name_key, TaxonName.scientific).where(TaxonName.name_key.in_(some))
        ):
            known.setdefault(key, set()).add(scientific)
    found = {}
    for name, both in keys.items():
        meant: set[str] = next((known[key] for key in both if key in known), set())
        if len(meant) == 1:
            found[name] = next(iter(meant))
    return found


@dataclass(frozen=True)
class Equivalent:
    """Another record of the same molecule."""

    accession: str
    title: str
    relation: Relation
    other_topology: bool


MOST_EQUIVALENTS = 50


def equivalents(actor: Actor | None, sequence: ReferenceSequence) -> list[Equivalent]:
    """Return the other records of the same molecule, among those whose bases ``actor`` may see."""
    return equivalents_of(actor, [sequence]).get(sequence.id, [])


def equivalents_of(
    actor: Actor | None, sequences: Sequence[ReferenceSequence]
) -> dict[int, list[Equivalent]]:
    """Return the equivalents of several records, by the number of the record; at most 50 of each."""
    mine = [sequence for sequence in sequences if may_see_bases(actor, sequence)]
    digests = {each.digest for each in mine} | {each.reverse_digest for each in mine}
    by_mark = _rows_by(actor, ReferenceSequence.digest, digests)
    by_mark |= _rows_by(actor, ReferenceSequence.canonical_digest, {each.canonical_digest for each in mine})
    found: dict[int, list[Equivalent]] = {}
    for sequence in mine:
        others = {}
        for mark in (sequence.digest, sequence.reverse_digest, sequence.canonical_digest):
            others.update({row.id: row for row in by_mark.get(mark or "", ())})
        others.pop(sequence.id, None)
        related = [_equivalent(sequence, row) for _number, row in sorted(others.items())]
        found[sequence.id] = [each for each in related if each is not None][:MOST_EQUIVALENTS]
    return found


def _rows_by(
    actor: Actor | None, column: InstrumentedAttribute[Any], marks: Collection[str | None]
) -> dict[str, list[Any]]:
    """Return what is needed of records with open bases to compare them, by one of their marks."""
    found: dict[str, list[Any]] = {}
    for some in _portions(sorted(mark for mark in marks if mark)):
        for row in db.session.execute(
            select(
                column.label("mark"),
                ReferenceSequence.id,
                ReferenceSequence.accession,
                ReferenceSequence.title,
                ReferenceSequence.topology,
                ReferenceSequence.digest,
                ReferenceSequence.reverse_digest,
                ReferenceSequence.canonical_digest,
                ReferenceSequence.canonical_strand,
            )
            .where(is_visible(actor), has_open_bases(actor), column.in_(some))
            .order_by(ReferenceSequence.id)
            .limit(MOST_TOGETHER)
        ):
            found.setdefault(row.mark, []).append(row)
    return found


def _equivalent(sequence: ReferenceSequence, row: Any) -> Equivalent | None:
    circular = Topology.CIRCULAR in (sequence.topology, row.topology)
    related = relation(_marks(sequence), _marks(row), circular=circular)
    if related is None:
        return None
    return Equivalent(row.accession, row.title, related, sequence.topology is not row.topology)


def _marks(row: Any) -> Marks:
    return Marks(
        row.digest, row.reverse_digest or "", row.canonical_digest or row.digest, row.canonical_strand or 1
    )


def successor(actor: Actor | None, sequence: ReferenceSequence) -> ReferenceSequence | None:
    """Return the published record that replaced this one, if ``actor`` may know of it."""
    return db.session.scalars(
        visible_sequences(actor)
        .where(
            ReferenceSequence.supersedes_id == sequence.id,
            ReferenceSequence.state.in_(ONCE_PUBLISHED),
            ReferenceSequence.published_at.is_not(None),
        )
        .order_by(ReferenceSequence.published_at, ReferenceSequence.id)
        .limit(1)
    ).first()


def predecessor(actor: Actor | None, sequence: ReferenceSequence) -> ReferenceSequence | None:
    """Return the record that this one replaces, if ``actor`` may know of it."""
    if sequence.supersedes_id is None:
        return None
    return db.session.scalar(visible_sequences(actor).where(ReferenceSequence.id == sequence.supersedes_id))


def features_of(actor: Actor | None, sequence: ReferenceSequence) -> list[SequenceFeature]:
    """Return the feature table; none of a record whose bases are closed to ``actor``."""
    if not may_see_bases(actor, sequence):
        return []
    return list(
        db.session.scalars(
            select(SequenceFeature)
            .where(SequenceFeature.sequence_id == sequence.id)
            .order_by(SequenceFeature.position)
        )
    )


def feature_rows(actor: Actor | None, sequence: ReferenceSequence) -> Sequence[Any]:
    """Return what maps and tables show of the features, without their qualifiers; none when closed."""
    if not may_see_bases(actor, sequence):
        return []
    return db.session.execute(
        select(
            SequenceFeature.position,
            SequenceFeature.kind,
            SequenceFeature.label,
            SequenceFeature.start_bp,
            SequenceFeature.end_bp,
            SequenceFeature.strand,
            SequenceFeature.location,
        )
        .where(SequenceFeature.sequence_id == sequence.id)
        .order_by(SequenceFeature.position)
    ).all()


def has_wrapping_features(sequence: ReferenceSequence) -> bool:
    """Whether a feature crosses the origin, which a linear record has none of."""
    return (
        db.session.scalar(
            select(SequenceFeature.id)
            .where(
                SequenceFeature.sequence_id == sequence.id, SequenceFeature.end_bp < SequenceFeature.start_bp
            )
            .limit(1)
        )
        is not None
    )


def ends_of(actor: Actor | None, sequence: ReferenceSequence) -> tuple[str, str]:
    """Return the first and the last bases for a look; empty when they are closed to ``actor``."""
    if not may_see_bases(actor, sequence):
        return "", ""
    length = sequence.length_bp
    if length <= 2 * PREVIEW_BASES:
        return bases_of(actor, sequence), ""
    first, last = db.session.execute(
        select(
            func.substr(SequenceBases.bases, 1, PREVIEW_BASES),
            func.substr(SequenceBases.bases, length - PREVIEW_BASES + 1, PREVIEW_BASES),
        ).where(SequenceBases.sequence_id == sequence.id)
    ).one()
    return first, last


def bases_of(actor: Actor | None, sequence: ReferenceSequence) -> str:
    """Return all bases, or refuse."""
    if not may_see_bases(actor, sequence):
        raise NotAllowed(
            _(
                "The bases of a sealed record are shown to the managers of its laboratory and to those whom "
                "they name."
            )
        )
    return db.session.execute(
        select(SequenceBases.bases).where(SequenceBases.sequence_id == sequence.id)
    ).scalar_one()


def parsed_record(actor: Actor | None, sequence: ReferenceSequence) -> ParsedRecord:
    """Return a record under the hub's accession, as the writers take it."""
    return _as_record(sequence, features_of(actor, sequence), bases_of(actor, sequence))


def _as_record(sequence: ReferenceSequence, features: Sequence[SequenceFeature], bases: str) -> ParsedRecord:
    return ParsedRecord(
        accession=sequence.accession,
        version="",
        name=sequence.accession,
        description=sequence.title,
        topology=sequence.topology.value,
        molecule_type=sequence.molecule_type,
        organism=sequence.organism,
        features=tuple(
            ParsedFeature(
                kind=feature.kind,
                start=feature.start_bp,
                end=feature.end_bp,
                strand=feature.strand,
                label=feature.label,
                qualifiers={key: tuple(values) for key, values in feature.qualifiers.items()},
                location=feature.location,
            )
            for feature in features
        ),
        bases=bases,
    )


def remarks(sequence: ReferenceSequence) -> list[str]:
    """Return what a downloaded file says of its record, in English as all flat files do."""
    said = [f"labhub {sequence.accession}, {sequence.state.value}."]
    if sequence.source_identifier != sequence.accession:
        said.append(f"Source {sequence.source_identifier}.")
    if sequence.licence:
        said.append(f"Licence: {sequence.licence}")
    return said


def sequence_file(actor: Actor | None, sequence: ReferenceSequence, form: DownloadFormat) -> bytes:
    """Return a record as a file."""
    return written(parsed_record(actor, sequence), form, remarks(sequence)).encode()


def download_name(sequence: ReferenceSequence, form: DownloadFormat) -> str:
    """Return the name of a downloaded file."""
    return f"{sequence.accession}.{form.extension}"


def export_sequences(actor: Actor, format_: str, *, published: bool = False) -> bytes:
    """Return every record that ``actor`` sees as one file; sealed ones are left out."""
    if format_ not in list(DownloadFormat):
        raise Invalid(_("Choose genbank, fasta or embl."), field="format")
    form = DownloadFormat(format_)
    query = (
        visible_sequences(actor)
        .where(ReferenceSequence.visibility != Visibility.SEALED)
        .order_by(ReferenceSequence.id)
    )
    if published:
        query = query.where(ReferenceSequence.state == SequenceState.PUBLISHED)
    return b"".join(sequence_file(actor, sequence, form) for sequence in db.session.scalars(query))


MOST_IN_ONE_FILE = 500
MOST_BASES_IN_ONE_FILE = 20_000_000


def selected_sequences(actor: Actor | None, selection: Select[Any]) -> tuple[list[ReferenceSequence], int]:
    """Return the records of a list that go into one file, by number, and how many sealed ones do not.

    Raises ``TooLarge`` when they are too many for an answer, ``NotFound`` when there are none.
    """
    chosen = selection.with_only_columns(ReferenceSequence.id).order_by(None).subquery()
    facts = db.session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(ReferenceSequence.length_bp), 0),
            func.coalesce(func.sum(case((ReferenceSequence.visibility == Visibility.SEALED, 1), else_=0)), 0),
        ).where(ReferenceSequence.id.in_(select(chosen.c.id)))
    ).one()
    count, bases, sealed = (int(number) for number in facts)
    if count == sealed:
        raise NotFound(_("No sequence fits. Use fewer words or filters."))
    if count > MOST_IN_ONE_FILE or bases > MOST_BASES_IN_ONE_FILE:
        raise TooLarge(
            _(
                "One file takes %(records)s records and %(bases)s bases; these are %(count)s records. Use "
                "more filters.",
                records=MOST_IN_ONE_FILE,
                bases=MOST_BASES_IN_ONE_FILE,
                count=count,
            )
        )
    found = db.session.scalars(
        select(ReferenceSequence)
        .where(
            ReferenceSequence.id.in_(select(chosen.c.id)), ReferenceSequence.visibility != Visibility.SEALED
        )
        .order_by(ReferenceSequence.id)
    ).all()
    return list(found), sealed


def same_sequences(
    laboratory_id: int, records: Sequence[ParsedRecord], digests: Sequence[str]
) -> list[str | None]:
    """Return, record by record, the accession of what an import would only repeat: same name, same bases."""
    known: dict[tuple[str, str, str], str] = {}
    for some in _portions(sorted(set(digests))):
        for row in db.session.execute(
            select(
                ReferenceSequence.accession,
                ReferenceSequence.source_accession,
                ReferenceSequence.version,
                ReferenceSequence.digest,
            )
            .where(ReferenceSequence.laboratory_id == laboratory_id, ReferenceSequence.digest.in_(some))
            .order_by(ReferenceSequence.id.desc())
        ):
            known[row.source_accession, row.version, row.digest] = row.accession
            known[row.accession, "", row.digest] = row.accession
    return [
        known.get((record.accession, record.version, digest))
        for record, digest in zip(records, digests, strict=True)
    ]


def lmo_choices() -> Sequence[Mapping[str, Any]]:
    """Return LMOs to choose from: identifier (or event) and the event."""
    rows = db.session.execute(select(Lmo.unique_identifier, Lmo.event).order_by(Lmo.event)).all()
    return [{"value": row.unique_identifier or row.event, "text": row.event} for row in rows]


def element_choices() -> Sequence[Mapping[str, Any]]:
    """Return elements to choose from."""
    rows = db.session.execute(select(Element.name, Element.donor_organism).order_by(Element.name)).all()
    return [{"value": row.name, "text": row.donor_organism or ""} for row in rows]


def naming(
    actor: Actor | None,
    *,
    lmo_id: int = 0,
    element_id: int = 0,
    method_codes: Sequence[str] = (),
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Return the published records that name an LMO, element or method and that ``actor`` knows of."""
    means = (
        is_of_lmos([lmo_id])
        if lmo_id
        else is_of_elements([element_id])
        if element_id
        else goes_with(method_codes)
    )
    rows = db.session.execute(
        select(ReferenceSequence.accession, ReferenceSequence.title, ReferenceSequence.visibility)
        .where(is_visible(actor), means, ReferenceSequence.state == SequenceState.PUBLISHED)
        .order_by(ReferenceSequence.accession)
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]
