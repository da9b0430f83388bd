"""Identification by the hub's records: what it costs, and what it finds for this person.

Records that the person may not see take no part: they are masked before anything is counted.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import func, select

from labhub.accounts.actor import OPERATOR, Actor
from labhub.db import db
from labhub.errors import Invalid
from labhub.i18n import Text, _
from labhub.lmos.models import Element, Lmo
from labhub.sequences.covered import JUNCTION_BASES, Feature, covered, rows_of, text_of
from labhub.sequences.identify import Block, Hit, Identification, Settings, identify_reads
from labhub.sequences.library_queries import (
    HubLibrary,
    bases_to_pack,
    hub_library,
    is_in_library,
    visible_records,
)
from labhub.sequences.models import ReferenceSequence, SequenceFeature, SequenceState, Topology
from labhub.sequences.packed import PackedLibrary
from labhub.sequences.queries import is_visible
from labhub.sequences.reads import Read, Reads

SHORT_SECONDS = 1.0
"""What takes longer becomes a job."""
MOST_SECONDS = 900.0
"""What takes longer is refused."""
MOST_HITS = 10
THREE_ALIGNMENTS = 300_000
"""Bases of all reads up to which three alignments of each are kept; up to ten times as many, one."""
MOST_PARTS = 60
"""Elements, and junctions, that are told of one reference."""
AT_ONCE = 500


@dataclass(frozen=True)
class Question:
    """Reads, and how they are identified."""

    reads: tuple[Read, ...]
    settings: Settings = field(default_factory=Settings)
    junction_bases: int = JUNCTION_BASES
    kind: str = "fasta"
    bad: tuple[tuple[str, int, Text], ...] = ()
    """Name, line and reason of reads that were left out."""
    cut: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """First and last base that were kept and the length before, of reads whose ends were cut off."""

    @classmethod
    def of_reads(cls, reads: Reads, settings: Settings, junction_bases: int) -> "Question":
        """Return the question about the reads of a file."""
        total = sum(len(read.bases) for read in reads.reads)
        alignments = 3 if total <= THREE_ALIGNMENTS else 1 if total <= 10 * THREE_ALIGNMENTS else 0
        return cls(
            reads=tuple(reads.reads),
            settings=Settings(**{**asdict(settings), "alignments": alignments}),
            junction_bases=junction_bases,
            kind=reads.kind,
            bad=tuple((bad.name, bad.line, bad.reason) for bad in reads.bad),
            cut={name: (cut.start, cut.end, cut.length) for name, cut in reads.cut.items()},
        )

    def as_payload(self) -> dict[str, Any]:
        """Return the question as what a job needs."""
        return {
            "reads": [list(read) for read in self.reads],
            "settings": asdict(self.settings),
            "junction_bases": self.junction_bases,
            "kind": self.kind,
            "bad": [list(each) for each in self.bad],
            "cut": {name: list(cut) for name, cut in self.cut.items()},
        }

    @classmethod
    def of_payload(cls, payload: Mapping[str, Any]) -> "Question":
        """Return the question of a job."""
        return cls(
            reads=tuple(Read(name, bases) for name, bases in payload["reads"]),
            settings=Settings(**payload["settings"]),
            junction_bases=payload["junction_bases"],
            kind=payload["kind"],
            bad=tuple((name, line, reason) for name, line, reason in payload["bad"]),
            cut={name: (start, end, length) for name, (start, end, length) in payload["cut"].items()},
        )


def count_of_records(actor: Actor | None) -> int:
    """Return how many records of the hub an identification by this person looks at."""
    query = (
        select(func.count())
        .select_from(ReferenceSequence)
        .where(is_visible(actor), is_in_library(), ReferenceSequence.state != SequenceState.SUPERSEDED)
    )
    return db.session.scalar(query) or 0


def estimated_seconds(question: Question) -> float:
    """Return about how long an identification takes, with the packing before it; too long is refused.

    Measured on the machine of ``docs/performance.md``: packing 60 ns a base, a pass over the library
    10 ns a base for about 5,000 reads, and 1.5 ms and 3 us a base for a read.
    """
    total = select(func.coalesce(func.sum(ReferenceSequence.length_bp), 0)).where(is_in_library())
    bases = int(db.session.scalar(total) or 0)
    own = sum(len(read.bases) for read in question.reads)
    passes = 3 + len(question.reads) // 5_000 + own // 5_000_000
    seconds = 1e-9 * (60 * bases_to_pack() + 10 * bases * passes) + 1.5e-3 * len(question.reads) + 3e-6 * own
    if seconds > MOST_SECONDS:
        raise Invalid(_("This is too much for the hub at a time. Send fewer reads."), field="file")
    return seconds


def find(
    actor: Actor | None, question: Question, progress: Callable[[float], object] | None = None
) -> dict[str, Any]:
    """Return where the reads come from, what of the records they cover, and what nothing explains."""
    library = hub_library()
    seen = visible_records(actor, library)
    old = select(ReferenceSequence.id).where(ReferenceSequence.state == SequenceState.SUPERSEDED)
    seen &= ~library.places(db.session.scalars(old))

    def told(done: float) -> None:
        if progress is not None:
            progress(0.9 * done)

    found = identify_reads(question.reads, library.packed, question.settings, visible=seen, progress=told)
    records = sorted({hit.record for each in found for hit in (*each.hits, *each.pieces)})
    numbers = [library.ids[record] for record in records]
    answer = _Answer(library, features_of_records(actor, numbers), question.junction_bases)
    return {
        "searched": {
            "reads": len(question.reads),
            "records": int(seen.sum()),
            "bases": int(library.packed.lengths[seen].sum()),
            "kind": question.kind,
        },
        "settings": {
            **{
                name: value
                for name, value in asdict(question.settings).items()
                if name in ("least_identity", "within", "most_hits", "unexplained_bases")
            },
            "junction_bases": question.junction_bases,
        },
        "bad_reads": [{"name": name, "line": line, "reason": reason} for name, line, reason in question.bad],
        "references": _about(actor, numbers),
        "reads": [
            answer.of(each, read.bases, question.cut.get(read.name))
            for each, read in zip(found, question.reads, strict=True)
        ],
    }


class _Answer:
    """Puts what was found into JSON; coordinates are 1-based."""

    def __init__(self, library: HubLibrary, features: dict[int, list[Feature]], junction_bases: int) -> None:
        self.packed = library.packed
        self.ids = library.ids
        self.features = features
        self.junction_bases = junction_bases

    def of(self, found: Identification, bases: str, cut: tuple[int, int, int] | None) -> dict[str, Any]:
        """Return what was found of one read."""
        return {
            "name": found.name,
            "length": found.length,
            "cut": {"start": cut[0], "end": cut[1], "length": cut[2]} if cut else None,
            "explained": found.explained,
            "unexplained": [{"start": start + 1, "end": end} for start, end in found.unexplained],
            "ties": found.ties,
            "crowded": found.crowded,
            "hits": [self._hit(hit, bases) for hit in found.hits],
            "pieces": [self._hit(piece, bases) for piece in found.pieces],
        }

    def _hit(self, hit: Hit, bases: str) -> dict[str, Any]:
        length, circular = int(self.packed.lengths[hit.record]), bool(self.packed.circular[hit.record])
        table = self.features.get(self.ids[hit.record], [])
        parts = covered(hit, table, length, circular=circular, junction_bases=self.junction_bases)
        return {
            "reference": self.packed.names[hit.record],
            "identity": round(hit.identity, 4),
            "coverage": round(hit.coverage, 4),
            "query_start": hit.query_start + 1,
            "query_end": hit.query_end,
            "ref_start": hit.reference_start + 1,
            "ref_end": (hit.reference_start + hit.reference_size - 1) % length + 1,
            "strand": "+" if hit.strand == 1 else "-",
            "distance": hit.distance,
            "best": hit.is_best,
            "wraps": hit.reference_start + hit.reference_size > length,
            "blocks": [self._block(hit, block, bases, length) for block in hit.blocks],
            "elements": [
                {
                    "kind": each.feature.kind,
                    "label": each.feature.label,
                    "start": each.feature.start,
                    "end": each.feature.end,
                    "strand": each.feature.strand,
                    "covered_start": each.start,
                    "covered_end": each.end,
                    "share": round(each.share, 4),
                    "query_start": each.query_start,
                    "query_end": each.query_end,
                }
                for each in parts.elements[:MOST_PARTS]
            ],
            "junctions": [each._asdict() for each in parts.junctions[:MOST_PARTS]],
        }

    def _block(self, hit: Hit, block: Block, bases: str, length: int) -> dict[str, Any]:
        rows: Sequence[str] = ()
        if block.path:
            under = self.packed.bases(hit.record, block.reference_start % length, block.reference_size)
            rows = text_of(rows_of(bases, hit, block, under, length)).split("\n")
        return {
            "query_start": block.query_start + 1,
            "query_end": block.query_end,
            "ref_start": block.reference_start % length + 1,
            "ref_end": (block.reference_start + block.reference_size - 1) % length + 1,
            "distance": block.distance,
            "alignment": list(rows),
        }


def _about(actor: Actor | None, numbers: Collection[int]) -> list[dict[str, Any]]:
    """Return what is known of the records that were found, by accession."""
    found: list[dict[str, Any]] = []
    for some in _portions(numbers):
        rows = db.session.execute(
            select(
                ReferenceSequence.accession,
                ReferenceSequence.title,
                ReferenceSequence.organism,
                ReferenceSequence.length_bp,
                ReferenceSequence.topology,
                Lmo.event,
                Element.name.label("element"),
            )
            .outerjoin(Lmo, Lmo.id == ReferenceSequence.lmo_id)
            .outerjoin(Element, Element.id == ReferenceSequence.element_id)
            .where(is_visible(actor), is_in_library(), ReferenceSequence.id.in_(some))
        )
        found += [
            {
                "accession": row.accession,
                "title": row.title,
                "organism": row.organism,
                "length_bp": row.length_bp,
                "circular": row.topology is Topology.CIRCULAR,
                "event": row.event,
                "element": row.element,
            }
            for row in rows
        ]
    return sorted(found, key=lambda row: row["accession"])


def _portions(values: Iterable[Any]) -> Iterable[list[Any]]:
    every = list(values)
    return (every[begin : begin + AT_ONCE] for begin in range(0, len(every), AT_ONCE))


def features_of_records(actor: Actor | None, numbers: Collection[int]) -> dict[int, list[Feature]]:
    """Return feature tables by the number of the record, of those whose bases ``actor`` may see."""
    found: dict[int, list[Feature]] = {}
    for some in _portions(numbers):
        rows = db.session.execute(
            select(
                SequenceFeature.sequence_id,
                SequenceFeature.kind,
                SequenceFeature.label,
                SequenceFeature.start_bp,
                SequenceFeature.end_bp,
                SequenceFeature.strand,
            )
            .join(ReferenceSequence, ReferenceSequence.id == SequenceFeature.sequence_id)
            .where(SequenceFeature.sequence_id.in_(some), is_visible(actor), is_in_library())
            .order_by(SequenceFeature.sequence_id, SequenceFeature.position)
        )
        for number, kind, label, start, end, strand in rows:
            found.setdefault(number, []).append(Feature(kind, label, start, end, strand))
    return found


def readable_now(actor: Actor, result: dict[str, Any]) -> dict[str, Any]:
    """Return a result without the records that ``actor`` may not see any more."""
    names = [each["accession"] for each in result["references"]]
    seen: set[str] = set()
    for some in _portions(names):
        seen.update(
            db.session.scalars(
                select(ReferenceSequence.accession).where(
                    is_visible(actor), is_in_library(), ReferenceSequence.accession.in_(some)
                )
            )
        )
    if len(seen) == len(names):
        return result
    return {
        **result,
        "references": [each for each in result["references"] if each["accession"] in seen],
        "reads": [
            _without_others(each, seen, result["settings"]["unexplained_bases"]) for each in result["reads"]
        ],
    }


def _without_others(read: dict[str, Any], seen: Collection[str], least: int) -> dict[str, Any]:
    """Return what was found of a read without hidden records; what only they explain is unexplained."""
    hits = [hit for hit in read["hits"] if hit["reference"] in seen]
    pieces = [hit for hit in read["pieces"] if hit["reference"] in seen]
    if len(hits) == len(read["hits"]) and len(pieces) == len(read["pieces"]):
        return read
    gone = sum(hit["best"] and hit["reference"] not in seen for hit in read["hits"])
    open_, at = [], 1
    for start, end in sorted(
        (block["query_start"], block["query_end"]) for hit in (*hits[:1], *pieces) for block in hit["blocks"]
    ):
        if start - at >= least:
            open_.append({"start": at, "end": start - 1})
        at = max(at, end + 1)
    if read["length"] + 1 - at >= least:
        open_.append({"start": at, "end": read["length"]})
    return {
        **read,
        "hits": hits,
        "pieces": pieces,
        "ties": max(0, read["ties"] - gone),
        "unexplained": open_,
        "explained": read["length"] - sum(each["end"] - each["start"] + 1 for each in open_),
    }


# The command line -----------------------------------------------------------------------------


@dataclass(frozen=True)
class HubReferences:
    """The hub's records as a library for the operator's command line."""

    library: HubLibrary

    @property
    def packed(self) -> PackedLibrary:
        """The packed records."""
        return self.library.packed

    def features_of(self, record: int) -> Sequence[Feature]:
        """Return the feature table of a record."""
        number = self.library.ids[record]
        return features_of_records(OPERATOR, [number]).get(number, [])


def references_of_hub() -> HubReferences:
    """Return every record of the hub that is neither sealed nor withdrawn."""
    return HubReferences(hub_library())
