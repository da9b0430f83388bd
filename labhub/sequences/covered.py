"""What a read covers of its reference: elements, junctions between them, and the alignment as text.

Coordinates of features are 1-based and inclusive as in ``formats.ParsedFeature`` (``end`` before ``start``
crosses the origin); those of blocks are 0-based (``identify.Block``).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from labhub.sequences.identify import Block, Hit, runs_of
from labhub.sequences.oligos import reverse_complement

JUNCTION_BASES = 10
"""A junction is covered when so many bases on both sides of it are."""
MOST_GAP = 60
"""Bases between two elements that are still neighbours (a linker, what is left of a restriction site)."""
MOST_OVERLAP = 10
LEAST_COVERED = 20
"""Bases of an element that must be covered; all of a shorter one."""
WHOLE = 0.95
"""A feature over so much of the record is the record itself."""
WIDTH = 60
"""Columns of a line of an alignment."""

_NO_ELEMENT = frozenset(
    {
        "source",
        "gap",
        "assembly_gap",
        "primer_bind",
        "variation",
        "misc_difference",
        "modified_base",
        "conflict",
        "unsure",
        "old_sequence",
    }
)
"""Kinds that are no part of a construct: remarks, and places of oligos."""
_JUNCTION = re.compile(r"(?i)\b(?:junction|border)s?\b")


class Feature(NamedTuple):
    """An annotated stretch of a record."""

    kind: str
    label: str
    start: int
    end: int
    strand: int


class Annotated(Protocol):
    """A feature as the readers and the registry hold it."""

    @property
    def kind(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def strand(self) -> int: ...


class CoveredElement(NamedTuple):
    """An element of the reference with what of it is covered, on the record, 1-based."""

    feature: Feature
    bases: int
    """Covered bases of it."""
    share: float
    """Of its length, 0 to 1."""
    start: int
    """First covered base."""
    end: int
    query_start: int
    """Where that lies on the query as given, 1-based; to a base or two where there are gaps."""
    query_end: int


class CoveredJunction(NamedTuple):
    """A junction with the bases that are covered on either side."""

    left: str
    """The element before it on the plus strand; of an annotated junction its own label."""
    right: str
    """The element behind it; empty for an annotated junction."""
    start: int
    """Last base before the junction, 1-based on the record."""
    end: int
    """First base behind it."""
    before: int
    after: int
    query_start: int
    """The bases of the query on both sides, in its order."""
    query_end: int


class Covered(NamedTuple):
    """What the stretches of a hit cover."""

    elements: tuple[CoveredElement, ...]
    junctions: tuple[CoveredJunction, ...]


def covered(
    hit: Hit,
    features: Iterable[Annotated],
    length: int,
    *,
    circular: bool,
    junction_bases: int = JUNCTION_BASES,
) -> Covered:
    """Return the elements and junctions of a record of ``length`` bases that a hit covers.

    >>> hit = Hit(0, 1, (Block(0, 60, 20, 60, 0),), 60)
    >>> parts = [Feature("promoter", "P", 1, 50, 1), Feature("CDS", "bar", 53, 90, 1)]
    >>> found = covered(hit, parts, 90, circular=False)
    >>> [(each.feature.label, each.bases) for each in found.elements]
    [('P', 30), ('bar', 28)]
    >>> [(each.left, each.right, each.before, each.after) for each in found.junctions]
    [('P', 'bar', 30, 28)]
    """
    every = [Feature(each.kind, each.label, each.start, each.end, each.strand) for each in features]
    elements = [each for each in every if _is_element(each, length)]
    return Covered(
        tuple(sorted(_elements(hit, elements, length, circular), key=lambda each: each.query_start)),
        tuple(_junctions(hit, every, elements, length, circular, junction_bases)),
    )


def _size(feature: Feature, length: int) -> int:
    size = feature.end - feature.start + 1
    return size if size > 0 else size + length


def _is_element(feature: Feature, length: int) -> bool:
    return feature.kind not in _NO_ELEMENT and _size(feature, length) < WHOLE * length


def _turns(length: int, circular: bool) -> tuple[int, ...]:
    """Return the shifts under which a stretch of a circular record is looked for."""
    return (-length, 0, length) if circular else (0,)


def _on_query(hit: Hit, block: Block, low: int, high: int) -> tuple[int, int]:
    """Return the bases of the query (1-based) over a stretch of the record in a block."""
    scale = (block.query_end - block.query_start) / max(1, block.reference_size)
    if hit.strand == 1:
        start = block.query_start + round((low - block.reference_start) * scale)
        end = block.query_start + round((high - block.reference_start) * scale)
    else:
        start = block.query_end - round((high - block.reference_start) * scale)
        end = block.query_end - round((low - block.reference_start) * scale)
    return start + 1, end


def _elements(hit: Hit, elements: list[Feature], length: int, circular: bool) -> Iterator[CoveredElement]:
    for feature in elements:
        low, size = feature.start - 1, _size(feature, length)
        parts, on_query = [], []
        for turn in _turns(length, circular):
            for block in hit.blocks:
                start = max(low + turn, block.reference_start)
                end = min(low + turn + size, block.reference_start + block.reference_size)
                if end > start:
                    parts.append((start - turn, end - turn))
                    on_query.append(_on_query(hit, block, start, end))
        bases = min(size, sum(end - start for start, end in parts))
        if parts and bases >= min(LEAST_COVERED, size):
            yield CoveredElement(
                feature,
                bases,
                bases / size,
                min(parts)[0] % length + 1,
                (max(end for _start, end in parts) - 1) % length + 1,
                min(on_query)[0],
                max(end for _start, end in on_query),
            )


def _junctions(
    hit: Hit, every: list[Feature], elements: list[Feature], length: int, circular: bool, least: int
) -> Iterator[CoveredJunction]:
    borders: dict[tuple[int, int], tuple[list[str], list[str]]] = {}
    for low, high, left, right in _borders(elements, length, circular):
        names = borders.setdefault((low, high), ([], []))
        for known, name in zip(names, (left, right), strict=True):
            if name not in known:
                known.append(name)
    for feature in every:
        if feature.kind != "source" and (_JUNCTION.search(feature.label) or feature.kind == "misc_recomb"):
            low, high = feature.start - 1, feature.start - 1 + _size(feature, length)
            if high - low <= MOST_GAP:
                borders.setdefault((low, high), ([], []))[0].append(feature.label)
    for (low, high), (lefts, rights) in sorted(borders.items()):
        crossed = [
            (
                min(low + turn - block.reference_start, _end(block) - high - turn),
                low + turn - block.reference_start,
                _end(block) - high - turn,
                *_on_query(hit, block, low + turn, high + turn),
            )
            for turn in _turns(length, circular)
            for block in hit.blocks
        ]
        least_side, before, after, first, last = max(crossed)
        if least_side >= least:
            yield CoveredJunction(
                " / ".join(lefts),
                " / ".join(rights),
                (low - 1) % length + 1,
                high % length + 1,
                before,
                after,
                first - 1,
                last + 1,
            )


def _end(block: Block) -> int:
    return block.reference_start + block.reference_size


def _borders(elements: list[Feature], length: int, circular: bool) -> Iterator[tuple[int, int, str, str]]:
    """Yield the borders of neighbours: the stretch between them (or where they overlap), and their labels."""
    spans = sorted((each.start - 1, each.start - 1 + _size(each, length), each.label) for each in elements)
    if circular:
        spans += [(start + length, end + length, label) for start, end, label in spans]
    for number, (start, end, left) in enumerate(spans):
        if start >= length:
            break
        for next_start, next_end, right in spans[number + 1 :]:
            if next_start > end + MOST_GAP:
                break
            # neighbours, neither inside the other, and nothing between them
            if next_start <= start or next_end <= end or next_start < end - MOST_OVERLAP:
                continue
            if not any(
                low >= end - MOST_OVERLAP
                and high <= next_start + MOST_OVERLAP
                and low > start
                and high < next_end
                for low, high, _label in spans[number + 1 :][:50]
            ):
                low, high = sorted((end, next_start))
                turn = length if low >= length else 0
                yield low - turn, high - turn, left, right


# --- the alignment as text


class Row(NamedTuple):
    """A line of an alignment; places are 1-based and those of its first and last base (0 without any)."""

    query_start: int
    query: str
    query_end: int
    bars: str
    reference_start: int
    reference: str
    reference_end: int


def rows_of(query: str, hit: Hit, block: Block, reference: str, length: int, width: int = WIDTH) -> list[Row]:
    """Return the alignment of a block, the query as given from left to right.

    ``query`` is the whole query, ``reference`` the block's stretch of the plus strand, ``length`` that of
    the record: on the other strand and over the origin the places run as they do there.

    >>> hit = Hit(0, 1, (Block(0, 6, 10, 5, 2, "2=1I1X2="),), 6)
    >>> rows_of("ACTGTA", hit, hit.blocks[0], "ACCTA", 100)[0][1:6]
    ('ACTGTA', 6, '||  ||', 11, 'AC-CTA')
    """
    top, bars, bottom = _columns_of(query, hit, block, reference)
    at = block.query_start
    place = block.reference_start if hit.strand == 1 else block.reference_start + block.reference_size - 1
    rows = []
    for low in range(0, len(top), width):
        part, under = top[low : low + width], bottom[low : low + width]
        bases, matched = len(part) - part.count("-"), len(under) - under.count("-")
        rows.append(
            Row(
                at + 1 if bases else 0,
                part,
                at + bases if bases else 0,
                bars[low : low + width],
                place % length + 1 if matched else 0,
                under,
                (place + hit.strand * (matched - 1)) % length + 1 if matched else 0,
            )
        )
        at += bases
        place += hit.strand * matched
    return rows


def _columns_of(query: str, hit: Hit, block: Block, reference: str) -> tuple[str, str, str]:
    part = query[block.query_start : block.query_end]
    runs = list(runs_of(block.path))
    if hit.strand == -1:
        runs.reverse()
        reference = reverse_complement(reference)
    top, bars, bottom = [], [], []
    at = place = 0
    for size, kind in runs:
        top.append("-" * size if kind == "D" else part[at : at + size])
        bottom.append("-" * size if kind == "I" else reference[place : place + size])
        bars.append(("|" if kind == "=" else " ") * size)
        at += size if kind != "D" else 0
        place += size if kind != "I" else 0
    return "".join(top), "".join(bars), "".join(bottom)


def text_of(rows: Sequence[Row]) -> str:
    """Return an alignment as lines of text."""
    lines = []
    wide = max(
        (len(str(max(row.query_end, row.reference_start, row.reference_end))) for row in rows), default=1
    )
    for row in rows:
        lines += [
            f"{row.query_start or '':>{wide}} {row.query} {row.query_end or ''}".rstrip(),
            f"{'':>{wide}} {row.bars}".rstrip(),
            f"{row.reference_start or '':>{wide}} {row.reference} {row.reference_end or ''}".rstrip(),
            "",
        ]
    return "\n".join(lines[:-1])
