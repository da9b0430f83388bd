"""Keeping living specificity current: only rows and columns that changed are searched, and owners are told.

What is to be done follows from the records themselves (``specificity_queries.dirty_versions`` and its
neighbours). Each step is one transaction that writes its pairs and marks together: a worker that dies in
the middle leaves the step to the next one. First new columns are compared with the rows that are current,
then new rows with all current columns, so that every pair of two marks has been searched.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from secrets import token_hex
from typing import Any

import numpy as np
from sqlalchemy import delete, insert, select, update

from labhub import audit, clock, outbox
from labhub.accounts import queries as accounts
from labhub.accounts.actor import OPERATOR, Role
from labhub.accounts.models import User
from labhub.db import db, transaction
from labhub.i18n import _, ngettext
from labhub.methods import specificity_queries as reading
from labhub.methods import specificity_words
from labhub.methods.assays import Searched, not_searched, searched_of
from labhub.methods.models import MethodState, MethodVersion
from labhub.methods.notice_commands import laboratory_of, link_to
from labhub.methods.specificity import RULE, Expectation, Judgement, Product, best_of, judged
from labhub.methods.specificity_models import (
    ChangeKind,
    SpecificityChange,
    SpecificityHit,
    SpecificityMethod,
    SpecificitySequence,
    SpecificityState,
)
from labhub.methods.specificity_queries import Pair
from labhub.sequences.insilico import Assay, Settings, search
from labhub.sequences.library_queries import hub_library
from labhub.sequences.models import ReferenceSequence, SequenceState, Topology, Visibility
from labhub.sequences.packed import PackedLibrary, pack
from labhub.sequences.records import stored_message

LEASE = timedelta(minutes=3)
"""How long a worker may take for one step before another one takes over."""
MOST_BASES = 8_000_000
"""Bases that are packed and searched together."""
MOST_SEQUENCES = 2_000
"""Columns of one step."""
MOST_VERSIONS = 500
"""Rows of one step."""
MOST_JUDGED = 50
"""Products of an assay in one sequence that are compared letter by letter: those with fewest mismatches."""
MOST_SIZES = 20
"""Different lengths that are kept of a pair."""
SETTINGS = Settings(
    max_mismatches=RULE.max_mismatches,
    three_prime_exact=0,
    min_size=RULE.min_size,
    max_size=RULE.max_size,
    probe_mismatches=RULE.max_mismatches,
)


@dataclass
class Done:
    """What a run has done."""

    busy: bool = False
    """Another worker is at it."""
    versions: int = 0
    """Rows that were searched."""
    sequences: int = 0
    """Columns that were searched."""
    searches: list[tuple[int, int, int]] = field(default_factory=list)
    """Assays, records and bases of each search."""
    pairs: int = 0
    """Pairs of a version and a sequence that were compared."""
    hits: int = 0
    changes: int = 0
    mails: int = 0

    def counts(self) -> dict[str, int]:
        """Return the figures of the run."""
        return {
            "methods": self.versions,
            "sequences": self.sequences,
            "pairs": self.pairs,
            "found": self.hits,
            "changes": self.changes,
            "mails": self.mails,
        }


class Superseded(Exception):
    """Another worker has taken over; what this one found is not written."""


def refresh(*, whole: bool = False) -> Done:
    """Compute what waits, step by step, and tell the owners; ``whole`` computes every pair anew."""
    if whole:
        with transaction():
            _forget_marks()
    run = _Run()
    if not run.begin():
        return Done(busy=True)
    try:
        run.drop_sequences(but=SequenceState.SUPERSEDED)  # their successors are compared with them
        while run.columns() or run.rows() or run.announce():
            pass
        run.drop_sequences()
        run.drop_versions()
    except Superseded:
        run.done.busy = True
    finally:
        run.end()
    return run.done


def _forget_marks() -> None:
    """Make all rows wait to be searched; what was found stays until then."""
    db.session.execute(update(SpecificityMethod).values(row_version=0, digest=""))
    audit.record(OPERATOR, "specificity.recompute", "specificity", "all")


@dataclass
class _Version:
    """A row to compute."""

    id: int
    row_version: int
    searched: list[Searched]
    digest: str
    remarks: list[dict[str, Any]]


class _Run:
    """One worker's run; every step writes only while the lease is its own."""

    def __init__(self) -> None:
        self.worker = token_hex(16)
        self.done = Done()
        self._searched: dict[int, list[Searched]] = {}

    # The lease

    def begin(self) -> bool:
        """Take the lease unless another worker has it."""
        with transaction():
            state = _locked_state()
            if state.leased_until is not None and state.leased_until > clock.now():
                return False
            state.worker, state.leased_until = self.worker, clock.now() + LEASE
        return True

    def end(self) -> None:
        """Give the lease back."""
        with transaction():
            state = _locked_state()
            if state.worker == self.worker:
                state.worker, state.leased_until = "", None

    def _renew(self) -> None:
        """Begin the writing part of a step: nobody else works, and the lease goes on."""
        state = _locked_state()
        if state.worker != self.worker:
            raise Superseded
        state.leased_until = clock.now() + LEASE

    # The steps

    def drop_sequences(self, *, but: SequenceState | None = None) -> None:
        """Take away the columns of records that were sealed, withdrawn or superseded."""
        dead = [number for number, state in db.session.execute(reading.dead_sequences()) if state is not but]
        db.session.rollback()
        for part in _parts(dead):
            with transaction():
                self._renew()
                for model in (SpecificityHit, SpecificitySequence):
                    db.session.execute(delete(model).where(model.sequence_id.in_(part)))
                db.session.execute(
                    delete(SpecificityChange).where(
                        SpecificityChange.sequence_id.in_(part),
                        SpecificityChange.method_told_at.is_(None)
                        | SpecificityChange.sequence_id.in_(
                            select(ReferenceSequence.id).where(
                                ReferenceSequence.visibility == Visibility.SEALED
                            )
                        ),
                    )
                )
                _note("specificity.drop", sequences=len(part))

    def drop_versions(self) -> None:
        """Take away the rows of versions that were superseded or withdrawn."""
        dead = list(db.session.scalars(reading.dead_versions()))
        db.session.rollback()
        for part in _parts(dead):
            with transaction():
                self._renew()
                for model in (SpecificityHit, SpecificityMethod):
                    db.session.execute(delete(model).where(model.version_id.in_(part)))
                db.session.execute(
                    delete(SpecificityChange).where(
                        SpecificityChange.version_id.in_(part), SpecificityChange.method_told_at.is_(None)
                    )
                )
                _note("specificity.drop", versions=len(part))

    def columns(self) -> bool:
        """Search a part of the new columns with all current rows; say whether there was any."""
        batch = _column_batch()
        if not batch:
            return False
        versions = list(db.session.scalars(reading.current_versions()))
        self._read_assays(versions)
        bases = reading.bases_of(list(batch))
        db.session.rollback()
        numbers = [number for number in batch if number in bases]
        library = pack((str(number), bases[number], batch[number].circular) for number in numbers)
        rows = {number: self._searched[number] for number in versions}
        found, _unfit = self._search(rows, library, numbers)
        with transaction():
            self._renew()
            still = _still_columns(batch)
            digests = _digests(SpecificityMethod, versions)
            old = _stored(SpecificityHit.sequence_id, still)
            had_mark = set(_digests(SpecificitySequence, still))
            for number, before in reading.replaced_by(set(still) - had_mark).items():
                had_mark.add(number)  # what is new about it is what the record before it did not have
                pairs = _stored(SpecificityHit.sequence_id, [before])
                old |= {(pair[0], number): judgement for pair, judgement in pairs.items()}
            for part in _parts(still):
                for model in (SpecificityHit, SpecificitySequence):
                    db.session.execute(delete(model).where(model.sequence_id.in_(part)))
            new = {pair: hit for pair, hit in found.items() if pair[1] in still and pair[0] in digests}
            now = clock.now()
            if still:
                db.session.execute(
                    insert(SpecificitySequence),
                    [
                        {
                            "sequence_id": number,
                            "digest": column.digest,
                            "circular": column.circular,
                            "computed_at": now,
                        }
                        for number, column in still.items()
                    ],
                )
            _insert_hits(new, digests, {number: column.mark for number, column in still.items()})
            changes = _column_changes(list(digests), list(still), old, new, had_mark)
            _insert_changes(changes)
            _note("specificity.compute", sequences=len(still), versions=len(digests), hits=len(new))
        self.done.sequences += len(still)
        self.done.pairs += len(still) * len(digests)
        self.done.hits += len(new)
        self.done.changes += len(changes)
        return True

    def rows(self) -> bool:
        """Search a part of the new rows in all current columns; say whether there was any."""
        batch = db.session.execute(reading.dirty_versions().limit(MOST_VERSIONS)).all()
        if not batch:
            return False
        contents = reading.contents_of([number for number, _row_version in batch])
        versions = [_version(number, row_version, contents[number]) for number, row_version in batch]
        marks = _digests(SpecificityMethod, [each.id for each in versions])
        changed = {each.id: each for each in versions if marks.get(each.id) != each.digest}
        found: dict[Pair, Row] = {}
        columns: dict[int, _Column] = {}
        if changed:
            rows = {number: each.searched for number, each in changed.items()}
            columns = {
                number: _Column(digest, circular)
                for number, digest, circular in db.session.execute(reading.current_sequences())
            }
            for numbers, library in _libraries(columns):
                part, unfit = self._search(rows, library, numbers)
                found |= part
                for number, remarks in unfit.items():
                    known = changed[number].remarks
                    known += [remark for remark in remarks if remark not in known]
        db.session.rollback()
        with transaction():
            self._renew()
            searched = _write_rows(versions, changed, found, columns)
            _note("specificity.compute", versions=len(versions), searched=searched, hits=len(found))
        for each in versions:
            self._searched.pop(each.id, None)
        self.done.versions += searched
        self.done.pairs += searched * len(columns)
        self.done.hits += len(found)
        return True

    def announce(self) -> bool:
        """Compare some published versions with the ones before; say whether there was any."""
        batch = db.session.execute(reading.unannounced_versions().limit(MOST_VERSIONS)).all()
        if not batch:
            return False
        with transaction():
            self._renew()
            changes = _version_changes(batch)
            _insert_changes(changes)
            db.session.execute(
                update(SpecificityMethod)
                .where(SpecificityMethod.version_id.in_([number for number, _method, _number in batch]))
                .values(announced=True)
            )
            _note("specificity.compare", versions=len(batch), changes=len(changes))
        self.done.changes += len(changes)
        return True

    # Searching

    def _read_assays(self, versions: Iterable[int]) -> None:
        missing = [number for number in versions if number not in self._searched]
        for number, content in reading.contents_of(missing).items():
            self._searched[number] = searched_of(content)

    def _search(
        self, rows: Mapping[int, Sequence[Searched]], library: PackedLibrary, numbers: Sequence[int]
    ) -> tuple[dict[Pair, "Row"], dict[int, list[dict[str, Any]]]]:
        """Return what versions find in a library, and what was not searched.

        ``numbers`` are those of its records; what is found in a record with 0 is left out.

        Equal assays of several versions are searched once.
        """
        users: dict[tuple[str, str, str], list[tuple[int, Searched]]] = defaultdict(list)
        for version_id, searched in rows.items():
            for each in searched:
                oligos = (each.assay.forward, each.assay.reverse, each.assay.probe)
                users[oligos].append((version_id, each))
        assays = [Assay(str(place), *oligos) for place, oligos in enumerate(users)]
        records = len(numbers) - numbers.count(0)
        self.done.searches.append((len(assays), records, library.total_bases))
        if not assays or not records:
            return {}, {}
        result = search(assays, library, SETTINGS)
        of_assay = list(users.values())
        unfit: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for name, message in (*result.refused, *result.truncated):
            for version_id, _each in of_assay[int(name)]:
                unfit[version_id].append(stored_message(message))
        found: dict[Pair, list[_Group]] = defaultdict(list)
        for assay, record, products in _groups(result.products):
            if not numbers[record]:
                continue
            amplicons = [
                library.bases(record, start, size) for start, size, _strand in products[:MOST_JUDGED]
            ]
            sizes = sorted({size for _start, size, _strand in products})[:MOST_SIZES]
            for version_id, each in of_assay[assay]:
                best = best_of(
                    [
                        judged(
                            each.assay,
                            amplicon,
                            start=start + 1,
                            strand=strand,
                            published_bp=each.amplicon_bp,
                        )
                        for amplicon, (start, _size, strand) in zip(amplicons, products, strict=False)
                    ]
                )
                label = each.assay.name.strip(" /")
                found[version_id, numbers[record]].append(_Group(label, best, len(products), sizes))
        return (
            {pair: _row(groups, several=len(rows[pair[0]]) > 1) for pair, groups in found.items()},
            dict(unfit),
        )


Row = dict[str, Any]


@dataclass(frozen=True)
class _Group:
    """What one assay finds in one sequence."""

    label: str
    best: Product
    products: int
    sizes: list[int]


def _groups(products: Any) -> Iterator[tuple[int, int, list[tuple[int, int, int]]]]:
    """Give the products of each assay in each record: start, size, strand, fewest mismatches first."""
    assay, record = np.asarray(products.assay), np.asarray(products.record)
    if not len(assay):
        return
    counts = np.asarray(products.mm_f, np.int64) + np.asarray(products.mm_r, np.int64)
    order = np.lexsort((np.asarray(products.start), counts, record, assay))
    assay, record = assay[order], record[order]
    begins = np.flatnonzero(np.r_[True, (np.diff(assay) != 0) | (np.diff(record) != 0)])
    for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(order)], strict=True):
        chosen = order[begin:end]
        rows = zip(
            products.start[chosen].tolist(),
            products.size[chosen].tolist(),
            products.strand[chosen].tolist(),
            strict=True,
        )
        yield int(assay[begin]), int(record[begin]), list(rows)


def _row(groups: Sequence[_Group], *, several: bool) -> Row:
    """Return a pair as its table has it, from what the assays of the version find."""
    chosen = min(groups, key=lambda group: group.best.rank)
    best = chosen.best
    return {
        "judgement": best.judgement,
        "reasons": [reason.value for reason in best.reasons],
        "assay": chosen.label[:300] if several else "",
        "assays": {group.label: group.best.judgement.value for group in groups} if several else {},
        "products": sum(group.products for group in groups),
        "sizes": sorted({size for group in groups for size in group.sizes})[:MOST_SIZES],
        "start_bp": best.start,
        "size_bp": best.size_bp,
        "strand": best.strand,
        "published_bp": best.published_bp,
        "mm_forward": best.mm_forward,
        "mm_reverse": best.mm_reverse,
        "mm_probe": best.mm_probe,
        "mismatches": [
            [one.part.value, one.base, one.from_end, one.oligo, one.sequence] for one in best.mismatches
        ],
    }


# Reading and writing parts of a step ----------------------------------------------------------


@dataclass(frozen=True)
class _Column:
    """A column to compute."""

    digest: str
    circular: bool

    @property
    def mark(self) -> str:
        """What its mark says."""
        return f"{self.digest} {'circular' if self.circular else 'linear'}"


def _parts(numbers: Collection[int]) -> Iterator[list[int]]:
    wanted = sorted(numbers)
    for start in range(0, len(wanted), MOST_VERSIONS):
        yield wanted[start : start + MOST_VERSIONS]


def _locked_state() -> SpecificityState:
    return db.session.get_one(SpecificityState, 1, with_for_update=True, populate_existing=True)


def _note(action: str, **counts: int) -> None:
    """Write the step into the trail, by which kept pages learn that something is new."""
    audit.record(OPERATOR, action, "specificity", "matrix", after=counts)


def _column_batch() -> dict[int, _Column]:
    """Return the next columns to compute, not too many bases at once."""
    batch: dict[int, _Column] = {}
    bases = 0
    for row in db.session.execute(reading.dirty_sequences().limit(MOST_SEQUENCES)):
        if batch and bases + row.length_bp > MOST_BASES:
            break
        batch[row.id] = _Column(row.digest, row.topology is Topology.CIRCULAR)
        bases += row.length_bp
    return batch


def _still_columns(batch: Mapping[int, _Column]) -> dict[int, _Column]:
    """Return those columns whose records are what they were when they were read."""
    still = {}
    for part in _parts(batch):
        for number, topology in db.session.execute(
            select(ReferenceSequence.id, ReferenceSequence.topology).where(
                ReferenceSequence.id.in_(part), reading.is_searched()
            )
        ):
            if batch[number].circular == (topology is Topology.CIRCULAR):
                still[number] = batch[number]
    return still


def _libraries(columns: Mapping[int, _Column]) -> Iterator[tuple[list[int], PackedLibrary]]:
    """Give packed records with the numbers of their columns; 0 for a record that is no column now.

    First the hub's library, as it is; then, a part at a time, columns that it does not hold as they are.
    """
    library = hub_library()
    db.session.rollback()
    numbers = [
        number if number in columns and columns[number].circular == circular else 0
        for number, circular in zip(library.ids, library.packed.circular.tolist(), strict=True)
    ]
    yield numbers, library.packed
    for part in _parts(set(columns) - set(numbers)):
        letters = reading.bases_of(part)
        db.session.rollback()
        known = [number for number in part if number in letters]
        yield known, pack((str(number), letters[number], columns[number].circular) for number in known)


def _version(number: int, row_version: int, content: Mapping[str, Any]) -> _Version:
    """Return a row to compute: its assays, their digest, and what of it cannot be searched."""
    searched = searched_of(content)
    said = [
        [each.assay.name, each.assay.forward, each.assay.reverse, each.assay.probe, each.amplicon_bp]
        for each in searched
    ]
    digest = sha256(json.dumps([RULE.version, said]).encode()).hexdigest()
    remarks = [stored_message(reason) for reason in not_searched(content)]
    return _Version(number, row_version, searched, digest, remarks)


def _digests(model: Any, numbers: Collection[int]) -> dict[int, str]:
    """Return the digests that the marks of versions or sequences have."""
    key = model.version_id if model is SpecificityMethod else model.sequence_id
    found: dict[int, str] = {}
    for part in _parts(numbers):
        found |= dict(db.session.execute(select(key, model.digest).where(key.in_(part))).all())
    return found


def _stored(key: Any, numbers: Collection[int]) -> dict[Pair, Judgement]:
    """Return the judgements that the table has of versions or of sequences."""
    found: dict[Pair, Judgement] = {}
    for part in _parts(numbers):
        for version_id, sequence_id, judgement in db.session.execute(
            select(SpecificityHit.version_id, SpecificityHit.sequence_id, SpecificityHit.judgement).where(
                key.in_(part)
            )
        ):
            found[version_id, sequence_id] = judgement
    return found


def _insert_hits(hits: Mapping[Pair, Row], versions: Mapping[int, str], sequences: Mapping[int, str]) -> None:
    now = clock.now()
    rows = [
        {
            "version_id": version_id,
            "sequence_id": sequence_id,
            "digest": sha256(f"{versions[version_id]} {sequences[sequence_id]}".encode()).hexdigest(),
            "rule": RULE.version,
            "computed_at": now,
            **hit,
        }
        for (version_id, sequence_id), hit in hits.items()
    ]
    if rows:
        db.session.execute(insert(SpecificityHit), rows)


def _write_rows(
    versions: Sequence[_Version],
    changed: Mapping[int, _Version],
    found: Mapping[Pair, Row],
    columns: Mapping[int, _Column],
) -> int:
    """Write the rows of versions that are what they were when they were read; return how many were searched.

    Marks of columns that this step has not searched are taken away, so that they are searched again.
    """
    numbers = [each.id for each in versions]
    present = dict(
        db.session.execute(
            select(MethodVersion.id, MethodVersion.row_version).where(MethodVersion.id.in_(numbers))
        ).all()
    )
    still = [each for each in versions if present.get(each.id) == each.row_version]
    searched = [each for each in still if each.id in changed]
    for each in still:
        if each.id not in changed:
            db.session.execute(
                update(SpecificityMethod)
                .where(SpecificityMethod.version_id == each.id)
                .values(row_version=each.row_version, rule=RULE.version)
            )
    if not searched:
        return 0
    wanted = [each.id for each in searched]
    marked = set(db.session.scalars(select(SpecificitySequence.sequence_id)))
    for part in _parts(marked - set(columns)):
        db.session.execute(delete(SpecificitySequence).where(SpecificitySequence.sequence_id.in_(part)))
    announced = set(
        db.session.scalars(
            select(SpecificityMethod.version_id).where(
                SpecificityMethod.version_id.in_(wanted), SpecificityMethod.announced
            )
        )
    )
    db.session.execute(delete(SpecificityHit).where(SpecificityHit.version_id.in_(wanted)))
    db.session.execute(delete(SpecificityMethod).where(SpecificityMethod.version_id.in_(wanted)))
    now = clock.now()
    db.session.execute(
        insert(SpecificityMethod),
        [
            {
                "version_id": each.id,
                "row_version": each.row_version,
                "digest": each.digest,
                "assays": len(each.searched),
                "remarks": each.remarks,
                "rule": RULE.version,
                "announced": each.id in announced,
                "computed_at": now,
            }
            for each in searched
        ],
    )
    ids = set(wanted)
    new = {pair: hit for pair, hit in found.items() if pair[0] in ids and pair[1] in columns}
    marks = {number: column.mark for number, column in columns.items()}
    _insert_hits(new, {each.id: each.digest for each in searched}, marks)
    return len(searched)


# Differences -----------------------------------------------------------------------------------


def _column_changes(
    versions: Sequence[int],
    sequences: Sequence[int],
    old: Mapping[Pair, Judgement],
    new: Mapping[Pair, Row],
    had_mark: set[int],
) -> list[Row]:
    """Return what new or changed sequences bring for published versions."""
    published = _published(versions)
    was_to_find = reading.Expectations(published, sequences)
    changes = []
    for pair in sorted({*old, *new, *was_to_find.declared()}):
        if pair[0] in published:
            before = old.get(pair, Judgement.NOT_DETECTED) if pair[1] in had_mark else None
            hit = new.get(pair)
            kind = _kind(before, hit, was_to_find(*pair))
            if kind is not None:
                changes.append(_change(pair, kind, before, hit))
    return changes


def _published(versions: Collection[int]) -> set[int]:
    found: set[int] = set()
    for part in _parts(versions):
        found.update(
            db.session.scalars(
                select(MethodVersion.id).where(
                    MethodVersion.id.in_(part), MethodVersion.state == MethodState.PUBLISHED
                )
            )
        )
    return found


def _version_changes(batch: Iterable[tuple[int, int, int]]) -> list[Row]:
    """Return what newly published versions find otherwise than the version before each of them."""
    changes = []
    for version_id, method_id, number in batch:
        before_id = db.session.scalar(
            select(MethodVersion.id)
            .join(SpecificityMethod, SpecificityMethod.version_id == MethodVersion.id)
            .where(
                MethodVersion.method_id == method_id,
                MethodVersion.number < number,
                MethodVersion.published_at.is_not(None),
            )
            .order_by(MethodVersion.number.desc())
            .limit(1)
        )
        if before_id is None:
            continue
        old = {
            pair[1]: judgement for pair, judgement in _stored(SpecificityHit.version_id, [before_id]).items()
        }
        new = {
            hit.sequence_id: hit
            for hit in db.session.scalars(
                select(SpecificityHit).where(SpecificityHit.version_id == version_id)
            )
        }
        both = reading.columns_older_than(version_id, {*old, *new})
        was_to_find = reading.Expectations([version_id], both)
        for sequence_id in sorted(both):
            hit = new.get(sequence_id)
            row = {name: getattr(hit, name) for name in _OF_HIT} if hit else None
            before = old.get(sequence_id, Judgement.NOT_DETECTED)
            kind = _kind(before, row, was_to_find(version_id, sequence_id))
            if kind is not None:
                changes.append(_change((version_id, sequence_id), kind, before, row))
    return changes


_OF_HIT = ("judgement", "reasons", "mismatches", "size_bp", "published_bp")


def _kind(before: Judgement | None, hit: Row | None, expected: Expectation) -> ChangeKind | None:
    """Return what is worth telling of a pair; nothing of a new sequence that is found as it should be.

    ``before`` is empty for a sequence that is new.
    """
    after: Judgement = hit["judgement"] if hit else Judgement.NOT_DETECTED
    is_unexpected = expected is Expectation.UNEXPECTED
    if before is None:
        if expected in (Expectation.TARGET, Expectation.EXPECTED):
            if hit is None:
                return ChangeKind.LOST if expected is Expectation.TARGET else None
            return ChangeKind.MISMATCH if after is Judgement.DOUBTFUL or hit["mismatches"] else None
        return ChangeKind.UNEXPECTED if is_unexpected and after is Judgement.DETECTED else None
    if before is after:
        return None
    if after is Judgement.NOT_DETECTED:
        return ChangeKind.LOST
    if is_unexpected:
        return ChangeKind.UNEXPECTED
    return ChangeKind.FOUND if after is Judgement.DETECTED else ChangeKind.MISMATCH


def _change(pair: Pair, kind: ChangeKind, before: Judgement | None, hit: Row | None) -> Row:
    return {
        "version_id": pair[0],
        "sequence_id": pair[1],
        "kind": kind,
        "before": before,
        "after": hit["judgement"] if hit else Judgement.NOT_DETECTED,
        "reasons": hit["reasons"] if hit else [],
        "mismatches": hit["mismatches"] if hit else [],
        "size_bp": hit["size_bp"] if hit else None,
        "published_bp": hit["published_bp"] if hit else None,
        "found_at": clock.now(),
    }


def _insert_changes(changes: Sequence[Row]) -> None:
    """Write differences down; an older one of the same pair that nobody was told of yet is forgotten."""
    for change in changes:
        db.session.execute(
            delete(SpecificityChange).where(
                SpecificityChange.version_id == change["version_id"],
                SpecificityChange.sequence_id == change["sequence_id"],
                SpecificityChange.method_told_at.is_(None),
                SpecificityChange.sequence_told_at.is_(None),
            )
        )
    if changes:
        db.session.execute(insert(SpecificityChange), changes)


# Telling the owners ----------------------------------------------------------------------------

MOST_TOLD = 5_000
"""Differences that one run tells of; the rest follow with the next one."""
MOST_LINES = 50
"""Differences that one mail names; it says how many more there are."""


def tell() -> int:
    """Write to the laboratories whose methods and sequences differences concern, one mail to each person.

    Everybody reads only of records that they may see; what one side may not see yet waits until it may.
    Returns the number of mails.
    """
    if not reading.untold("method", 1) and not reading.untold("sequence", 1):
        return 0
    db.session.rollback()
    with transaction():
        _locked_state()  # one worker at a time tells
        now = clock.now()
        readers: dict[int, User] = {}
        concerns: dict[int, dict[int, SpecificityChange]] = defaultdict(dict)
        for side in ("method", "sequence"):
            for change in reading.untold(side, MOST_TOLD):
                people = _of_method(change.version) if side == "method" else _of_sequence(change.sequence)
                for person in people:
                    readers[person.id] = person
                    concerns[person.id][change.id] = change
                setattr(change, f"{side}_told_at", now)
        count = 0
        for number, changes in sorted(concerns.items()):
            count += _tell(readers[number], list(changes.values()))
    return count


def _of_method(version: MethodVersion) -> list[User]:
    return laboratory_of(version) if version.laboratory_id is not None else []


def _of_sequence(sequence: ReferenceSequence) -> list[User]:
    """Return the managers of a sequence's laboratory and its people who worked on the record."""
    managers = accounts.members_of(sequence.laboratory_id, Role.MANAGER)
    members = accounts.members_of(sequence.laboratory_id, Role.ANALYST)
    return [*managers, *(user for user in members if user.id in sequence.editor_ids)]


def _tell(reader: User, changes: Sequence[SpecificityChange]) -> bool:
    versions, sequences = reading.visible_numbers(accounts.actor_of(reader), changes)
    seen = [each for each in changes if each.version_id in versions and each.sequence_id in sequences]
    if not seen or not reader.active:
        return False
    seen.sort(key=lambda each: (each.version.method.code_key, each.sequence_id))
    subject = ngettext(
        "In silico: %(number)s change for your methods and sequences",
        "In silico: %(number)s changes for your methods and sequences",
        len(seen),
    )
    body = _(
        "Methods are compared with reference sequences as soon as one of them is new or changed. This is a "
        "computation, no laboratory result.\n\n%(lines)s\n\nThe whole list: %(list)s\n",
        lines=_Lines(seen),
        list=link_to("/specificity/changes"),
    )
    outbox.add(reader.email, subject, body, language=reader.language)
    return True


class _Lines:
    """Differences as lines of a mail, put into words in the reader's language when the mail is written."""

    def __init__(self, changes: Sequence[SpecificityChange]) -> None:
        self.changes = changes

    def __str__(self) -> str:
        parts = []
        for each in self.changes[:MOST_LINES]:
            code, accession = each.version.method.code, each.sequence.accession
            sentence = specificity_words.sentence(
                each.kind, each.reasons, each.mismatches, each.size_bp, each.published_bp
            )
            parts.append(
                f"- {code} – {accession} ({' '.join(each.sequence.title.split())}): {sentence}\n"
                f"  {link_to(f'/methods/{code}')}#in-silico\n  {link_to(f'/sequences/{accession}')}"
            )
        if (rest := len(self.changes) - MOST_LINES) > 0:
            parts.append(str(ngettext("And %(number)s more.", "And %(number)s more.", rest)))
        return "\n".join(parts)


def work(*, whole: bool = False) -> Done:
    """Compute what waits and tell the owners, as the job does; nothing is written where nothing waits."""
    waits = whole or reading.something_waits()
    db.session.rollback()
    done = refresh(whole=whole) if waits else Done()
    if not done.busy:
        done.mails = tell()
    return done
