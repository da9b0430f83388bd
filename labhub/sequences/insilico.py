"""In-silico PCR: which assays make which products of which records (``docs/insilico.md``).

Pure: assays and a packed library in, columns of numbers out. A site is where an oligo lies with few
enough differences; two sites of an assay that face each other make a product. Sites are found over all
assays at once (``seeds.py``) and belong to the place where they begin, so that any cut of the library gives
the same sites; products are paired afterwards. Coordinates are 0-based, on the plus strand as written.

A reference letter matches an oligo letter when its bases are a part of the oligo letter's: so N in a
reference matches only N. Case is ignored, U is T, inosine is N. Every product is reported once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labhub.errors import Invalid
from labhub.i18n import Message, _
from labhub.sequences.oligos import matches, read_oligo, reverse_complement
from labhub.sequences.packed import SETS, UNPACKED, WRAP, PackedLibrary
from labhub.sequences.position_index import PositionIndex
from labhub.sequences.seeds import OFFSET, WIDTH, Pattern, SeedTable, code_of, is_plain, seed_table

MOST_MISMATCHES = 5
"""Differences a primer may have in a search."""
MOST_SITES = 1_000_000
"""Sites of one oligo on one strand that are kept; then the search says that it was cut off."""
MOST_PRODUCTS = 1_000_000
"""Products of one assay that are kept; then the search says that it was cut off."""
CHUNK = 1 << 18
"""Places that are looked up at once: what is computed of them fits a processor's cache."""
PIECE = 1 << 23
"""Places that one thread takes at a time."""
REACH = 256
"""No site begins this far before a place that it reaches."""

FORWARD_REVERSE, FORWARD_FORWARD, REVERSE_REVERSE = 0, 1, 2
"""Kinds of products: of both primers, or of one primer on both sides."""

INDEX_COST = 16
"""Places that can be looked up in the time of comparing one that the index names."""

Numbers = NDArray[Any]
Columns = tuple[Numbers, Numbers, Numbers]
"""Pattern, position and mismatches of sites."""


@dataclass(frozen=True)
class Assay:
    """A pair of primers and perhaps a probe, 5' to 3', as people write them (``read_oligo``)."""

    name: str
    forward: str
    reverse: str
    probe: str = ""


@dataclass(frozen=True)
class Settings:
    """What counts as a product; differences are substitutions, per oligo."""

    max_mismatches: int = 2
    three_prime_exact: int = 3
    """Bases at the 3' end of a primer that may not differ."""
    min_size: int = 40
    """Bases of a product, with its primers."""
    max_size: int = 1500
    probe_mismatches: int | None = None
    """None: as many as a primer may have."""
    self_products: bool = False
    """Whether products of one primer on both sides are reported too."""
    most_sites: int = MOST_SITES
    most_products: int = MOST_PRODUCTS

    @property
    def most_probe_mismatches(self) -> int:
        """Return how often the probe may differ."""
        return self.max_mismatches if self.probe_mismatches is None else self.probe_mismatches

    def check(self) -> None:
        """Raise ``Invalid`` naming what is out of its range."""
        if not 0 <= self.max_mismatches <= MOST_MISMATCHES:
            raise Invalid(
                _("A search allows 0 to %(most)s mismatches a primer.", most=MOST_MISMATCHES),
                field="max_mismatches",
            )
        if self.probe_mismatches is not None and not 0 <= self.probe_mismatches <= 2 * MOST_MISMATCHES:
            raise Invalid(
                _("A search allows 0 to %(most)s mismatches of a probe.", most=2 * MOST_MISMATCHES),
                field="probe_mismatches",
            )
        if self.three_prime_exact < 0:
            raise Invalid(_("The number of exact 3' bases must be 0 or more."), field="three_prime_exact")
        if self.min_size < 1 or self.max_size < self.min_size:
            raise Invalid(
                _("The sizes of a product must be 1 or more, the least not above the most."), field="min_size"
            )
        if self.max_size >= 1 << 31:
            raise Invalid(_("The largest product is too large."), field="max_size")
        if self.most_sites < 1 or self.most_products < 1:
            raise Invalid(_("The most sites and products must be 1 or more."), field="most_sites")


@dataclass(eq=False)
class Products:
    """Products as columns, sorted by assay, record, start, size, strand and kind."""

    assay: Numbers = field(default_factory=lambda: np.zeros(0, np.int32))
    """Place of the assay in what was asked."""
    record: Numbers = field(default_factory=lambda: np.zeros(0, np.int32))
    start: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    """First base, always in the record; over the origin when ``start + size`` is more than its length."""
    size: Numbers = field(default_factory=lambda: np.zeros(0, np.int32))
    strand: Numbers = field(default_factory=lambda: np.zeros(0, np.int8))
    """1 when the left primer is the forward one, -1 when it is the reverse one."""
    kind: Numbers = field(default_factory=lambda: np.zeros(0, np.int8))
    """0 of both primers, 1 of the forward primer alone, 2 of the reverse one alone."""
    mm_f: Numbers = field(default_factory=lambda: np.zeros(0, np.int8))
    """Mismatches of the forward primer; of a product of one primer, those of its left site."""
    mm_r: Numbers = field(default_factory=lambda: np.zeros(0, np.int8))
    probe_mm: Numbers = field(default_factory=lambda: np.zeros(0, np.int8))
    """Fewest mismatches of the probe inside the product on either strand; -1 when above the limit or none."""

    def __len__(self) -> int:
        return len(self.assay)

    def take(self, rows: Numbers) -> "Products":
        """Return some rows, by number or by mask."""
        return Products(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})


@dataclass(eq=False)
class Sites:
    """Sites as columns, sorted by pattern and position, each once."""

    pattern: Numbers = field(default_factory=lambda: np.zeros(0, np.int32))
    """Number of the oligo and orientation among those that the assays make."""
    position: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    """Packed position of the leftmost base."""
    mismatches: Numbers = field(default_factory=lambda: np.zeros(0, np.int8))
    cut: frozenset[int] = frozenset()
    """Patterns with more sites than are kept; the leftmost are."""

    def __len__(self) -> int:
        return len(self.pattern)


@dataclass(frozen=True)
class Searched:
    """What was searched."""

    assays: int
    records: int
    bases: int


@dataclass(eq=False)
class Found:
    """What a search found, and what it could not do."""

    products: Products
    refused: list[tuple[str, Message]]
    """Names of assays that could not be searched, and why."""
    truncated: list[tuple[str, Message]]
    """Names of assays whose products are not complete, and why."""
    searched: Searched


# --- assays to patterns


@dataclass(frozen=True, eq=False)
class _Combination:
    """A left and a right pattern whose sites make products of an assay."""

    assay: int
    left: int
    right: int
    strand: int
    kind: int


@dataclass(frozen=True, eq=False)
class Prepared:
    """Assays made ready: their different oligos in both orientations, and what pairs with what."""

    table: SeedTable
    combinations: tuple[_Combination, ...]
    probes: tuple[bytes, ...]
    """The 4-bit sets of each assay's probe; empty without one."""
    refused: tuple[tuple[int, Message], ...]


def prepare(assays: Sequence[Assay], settings: Settings) -> Prepared:
    """Return assays ready to be searched; those that cannot be are named in ``refused``."""
    settings.check()
    return _prepared(
        tuple(assays), settings.max_mismatches, settings.three_prime_exact, settings.self_products
    )


@lru_cache(maxsize=8)
def _prepared(assays: tuple[Assay, ...], most: int, exact: int, self_products: bool) -> Prepared:
    patterns: dict[Pattern, int] = {}
    combinations: list[_Combination] = []
    refused: list[tuple[int, Message]] = []
    probes: list[bytes] = []

    def number(bases: str, right: bool) -> int:
        sets = SETS[np.frombuffer(bases.encode(), np.uint8)].tobytes()
        return patterns.setdefault(Pattern(sets, right), len(patterns))

    for place, assay in enumerate(assays):
        try:
            forward, reverse, probe = _oligos(assay)
        except Invalid as refusal:
            refused.append(
                (
                    place,
                    refusal.message
                    if isinstance(refusal.message, Message)
                    else _("%(text)s", text=refusal.message),
                )
            )
            probes.append(b"")
            continue
        probes.append(SETS[np.frombuffer(probe.encode(), np.uint8)].tobytes())
        both = [(forward, reverse, 1, FORWARD_REVERSE)]
        if forward != reverse:
            both.append((reverse, forward, -1, FORWARD_REVERSE))
            if self_products:
                both.append((forward, forward, 1, FORWARD_FORWARD))
                both.append((reverse, reverse, -1, REVERSE_REVERSE))
        for left, right, strand, kind in both:
            combinations.append(
                _Combination(
                    place, number(left, True), number(reverse_complement(right), False), strand, kind
                )
            )
    return Prepared(
        table=seed_table(tuple(patterns), most, exact),
        combinations=tuple(combinations),
        probes=tuple(probes),
        refused=tuple(refused),
    )


def _oligos(assay: Assay) -> tuple[str, str, str]:
    """Return the bases of an assay's oligos; raises ``Invalid`` naming the oligo and the letter."""
    found = []
    for role, text in (("forward", assay.forward), ("reverse", assay.reverse), ("probe", assay.probe)):
        if role == "probe" and not text.strip():
            found.append("")
            continue
        try:
            found.append(read_oligo(text).bases)
        except Invalid as refusal:
            message = {
                "forward": _("Forward primer: %(problem)s", problem=refusal.message),
                "reverse": _("Reverse primer: %(problem)s", problem=refusal.message),
                "probe": _("Probe: %(problem)s", problem=refusal.message),
            }[role]
            raise Invalid(message) from None
    return found[0], found[1], found[2]


# --- search


def search(
    assays: Sequence[Assay],
    library: PackedLibrary,
    settings: Settings = Settings(),
    *,
    index: PositionIndex | None = None,
    threads: int = 1,
    progress: Callable[[int, int], object] | None = None,
) -> Found:
    """Return every product of the assays in the library.

    ``index`` (of the same library) makes few assays faster. ``progress`` is told how many
    of how many packed positions were searched.
    """
    prepared = prepare(assays, settings)
    if index is not None and _index_is_cheaper(prepared.table, library, index):
        every = _indexed(prepared, library, index, settings)
    else:
        every = _every_site(prepared, library, settings, threads, progress)
    return found_from(assays, every, library, settings)


def found_from(assays: Sequence[Assay], every: Sites, library: PackedLibrary, settings: Settings) -> Found:
    """Return what the sites of a whole library make: the last step of a search, wherever they were found."""
    prepared = prepare(assays, settings)
    products, cut = _paired(prepared, every, library, settings)
    truncated: dict[int, Message] = {}
    for combination in prepared.combinations:
        if combination.left in every.cut or combination.right in every.cut:
            truncated[combination.assay] = _(
                "A primer has more than %(most)s sites on one strand; products are missing.",
                most=settings.most_sites,
            )
        elif combination.assay in cut:
            truncated.setdefault(
                combination.assay,
                _(
                    "There are more than %(most)s products; the others are missing.",
                    most=settings.most_products,
                ),
            )
    return Found(
        products=products,
        refused=[(assays[place].name, message) for place, message in prepared.refused],
        truncated=[
            (assays[place].name, message)
            for place, message in sorted(truncated.items(), key=lambda item: item[0])
        ],
        searched=Searched(
            assays=len(assays) - len(prepared.refused),
            records=len(library.lengths),
            bases=library.total_bases,
        ),
    )


def sites(assays: Sequence[Assay], library: PackedLibrary, low: int, high: int, settings: Settings) -> Sites:
    """Return the sites that begin in the packed positions ``low`` to ``high``, each once."""
    prepared = prepare(assays, settings)
    return merged([_sites_between(prepared, library, low, high)], settings)


def pair(assays: Sequence[Assay], every: Sites, library: PackedLibrary, settings: Settings) -> Products:
    """Return the products that the sites of a whole library make."""
    return _paired(prepare(assays, settings), every, library, settings)[0]


def merged(pieces: Iterable[Sites], settings: Settings) -> Sites:
    """Return the sites of several pieces of a library, sorted and each once, with no more than are kept."""
    parts = list(pieces)
    if not parts:
        return Sites()
    pattern = np.concatenate([part.pattern for part in parts])
    position = np.concatenate([part.position for part in parts])
    mismatches = np.concatenate([part.mismatches for part in parts])
    cut = frozenset().union(*(part.cut for part in parts))
    order = np.lexsort((position, pattern))
    pattern, position, mismatches = pattern[order], position[order], mismatches[order]
    keep = np.ones(len(pattern), np.bool_)
    keep[1:] = (pattern[1:] != pattern[:-1]) | (position[1:] != position[:-1])
    pattern, position, mismatches = pattern[keep], position[keep], mismatches[keep]
    counts = np.bincount(pattern) if len(pattern) else np.zeros(0, np.int64)
    if (counts > settings.most_sites).any():
        cut |= frozenset(np.flatnonzero(counts > settings.most_sites).tolist())
        rank = np.arange(len(pattern)) - np.repeat(np.cumsum(counts) - counts, counts)
        few = rank < settings.most_sites
        pattern, position, mismatches = pattern[few], position[few], mismatches[few]
    return Sites(pattern, position, mismatches, cut)


def _every_site(
    prepared: Prepared,
    library: PackedLibrary,
    settings: Settings,
    threads: int,
    progress: Callable[[int, int], object] | None,
) -> Sites:
    """Return the sites of the whole library, cut into pieces for the threads."""
    lows = range(0, library.size, PIECE)

    def one(low: int) -> Sites:
        return merged([_sites_between(prepared, library, low, min(low + PIECE, library.size))], settings)

    parts: list[Sites] = []
    with ThreadPoolExecutor(threads) as pool:
        results: Iterator[Sites] = map(one, lows) if threads == 1 else pool.map(one, lows)
        for number, part in enumerate(results, 1):
            parts.append(part)
            if progress is not None:
                progress(min(number * PIECE, library.size), library.size)
    return merged(parts, settings)


# --- sites


def _sites_between(prepared: Prepared, library: PackedLibrary, low: int, high: int) -> Sites:
    """Return the sites that begin between two positions, unsorted and perhaps twice."""
    table = prepared.table
    found: list[Columns] = []
    high = min(high, library.size)
    if low >= high:
        return Sites()
    if len(table.words):
        end = high + table.reach
        for first in range(max(low - WIDTH, 0) // 4 * 4, end, CHUNK):
            found += _scanned(table, library, first, min(first + CHUNK, end), low, high)
    for number in table.slow:
        found += _compared_everywhere(table, library, number, low, high)
    return _joined(found)


def _joined(found: Sequence[Columns]) -> Sites:
    if not found:
        return Sites()
    pattern, position, mismatches = (np.concatenate(column) for column in zip(*found, strict=True))
    return Sites(pattern, position, mismatches)


def _packed_bytes(library: PackedLibrary, low: int, high: int) -> NDArray[np.uint8]:
    """Return packed bytes ``low`` to ``high``, zeros outside the library."""
    inside = library.packed[max(low, 0) : max(high, 0)]
    if len(inside) == high - low:
        return inside
    whole = np.zeros(high - low, np.uint8)
    whole[max(-low, 0) : max(-low, 0) + len(inside)] = inside
    return whole


def _scanned(
    table: SeedTable, library: PackedLibrary, first: int, end: int, low: int, high: int
) -> list[Columns]:
    """Look up the words of places ``first`` (a multiple of 4) to ``end``; compare what they may begin."""
    margin = REACH // 4
    begin = first // 4 - margin
    count = -(-(end - first) // 4)
    windows = _windows(_packed_bytes(library, begin, begin + count + 2 * margin + 8))
    scanned = windows[margin : margin + count].view(np.int64)
    code = np.empty(count, np.int64)
    hit = np.empty(count, np.bool_)
    found = []
    for phase in range(4):
        np.right_shift(scanned, 2 * phase, out=code)
        np.bitwise_and(code, 4**WIDTH - 1, out=code)
        np.take(table.is_word, code, out=hit, mode="clip")
        places = np.flatnonzero(hit)
        if len(places):
            words = code[places]
            begins = table.begins[words]
            which, row = _ragged(begins, table.begins[words + 1] - begins)
            posting = table.postings[row]
            pattern = posting >> 8
            starts = (
                4 * places[which] + (phase + OFFSET) - (posting & 255)
            )  # of the window, from ``first`` on
            seen = windows[(starts >> 2) + margin] >> ((starts & 3) << 1).view(np.uint64)
            if sound := _verified(table, library, pattern, seen, starts + first, low, high):
                found.append(sound)
    return found


def _windows(packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the 32 bases that begin with each packed byte but the last 7."""
    two = packed[:-1].astype(np.uint16) | packed[1:].astype(np.uint16) << np.uint16(8)
    four = two[:-2].astype(np.uint32) | two[2:].astype(np.uint32) << np.uint32(16)
    return four[:-4].astype(np.uint64) | four[4:].astype(np.uint64) << np.uint64(32)


def _ragged(begins: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
    """Return the members of ranges one after the other: which range each is of, and the member."""
    which = np.repeat(np.arange(len(counts)), counts)
    if len(which) == len(counts) and counts.all():  # one of each
        return which, begins
    return which, np.arange(len(which)) + np.repeat(begins - (np.cumsum(counts) - counts), counts)


_EVEN_BITS = np.uint64(0x5555555555555555)


def _verified(
    table: SeedTable,
    library: PackedLibrary,
    pattern: Numbers,
    seen: NDArray[np.uint64],
    starts: Numbers,
    low: int,
    high: int,
) -> Columns | None:
    """Compare patterns with what is seen where they may begin; return pattern, position, mismatches."""
    differ = (seen ^ table.bases[pattern]) & table.masks[pattern]
    differ = (differ | differ >> np.uint64(1)) & _EVEN_BITS
    number = np.bitwise_count(differ)
    keep = np.flatnonzero(number <= table.most_mismatches)
    if not len(keep):
        return None
    pattern, number = pattern[keep], number[keep].astype(np.int8)
    position = starts[keep] - table.skipped[pattern]
    sound = (differ[keep] & table.exact[pattern] == 0) & (position >= low) & (position < high)
    pattern, number, position = pattern[sound], number[sound], position[sound]
    if not len(pattern):
        return None
    doubtful = np.flatnonzero(
        table.recount[pattern] | _touches_odd(library, position, table.lengths[pattern])
    )
    if len(doubtful):
        number[doubtful] = _counted(table, library, pattern[doubtful], position[doubtful])
        keep = number <= table.most_mismatches
        pattern, number, position = pattern[keep], number[keep], position[keep]
    return pattern, position, number


def _indexed(prepared: Prepared, library: PackedLibrary, index: PositionIndex, settings: Settings) -> Sites:
    """Return every site of the library, by what the index says of the words."""
    table = prepared.table
    occurrences = index.occurrences(table.words)
    packed = library.packed
    windows = np.ndarray((max(len(packed) - 7, 0),), "<u8", np.ascontiguousarray(packed), strides=(1,))
    ends = np.cumsum(occurrences)
    parts: list[Sites] = []
    first = 0
    while first < len(table.words) and len(windows):
        done = int(ends[first - 1]) if first else 0
        end = max(int(np.searchsorted(ends, done + CHUNK, side="right")), first + 1)
        words = np.arange(first, end)
        which, row = _ragged(index.begins[table.words[first:end]], occurrences[first:end])
        places = index.positions[row].astype(np.int64)
        begins = table.first_postings[words[which]]
        of, row = _ragged(begins, table.first_postings[words[which] + 1] - begins)
        posting = table.postings[row]
        pattern = posting >> 8
        starts = places[of] + OFFSET - (posting & 255)
        seen = windows[np.clip(starts >> 2, 0, len(windows) - 1)] >> ((starts & 3) << 1).view(np.uint64)
        if sound := _verified(table, library, pattern, seen, starts, 0, library.size):
            parts.append(merged([_joined([sound])], settings))
        first = end
    everywhere = [
        _joined(_compared_everywhere(table, library, number, 0, library.size)) for number in table.slow
    ]
    return merged([*parts, *everywhere], settings)


def _index_is_cheaper(table: SeedTable, library: PackedLibrary, index: PositionIndex) -> bool:
    """Say whether comparing what the index names costs less than looking every place up."""
    if index.digest != library.digest:
        raise ValueError("the index is that of another library")
    candidates = np.dot(np.diff(table.first_postings), index.occurrences(table.words))
    return bool(candidates * INDEX_COST < library.size)


def _touches_odd(library: PackedLibrary, position: Numbers, sizes: Numbers) -> NDArray[np.bool_]:
    """Say of windows whether they hold a base that is not A, C, G or T."""
    if not len(library.odd_end):
        return np.zeros(len(position), np.bool_)
    run = np.searchsorted(library.odd_end, position, side="right")
    inside = np.minimum(run, len(library.odd_end) - 1)
    return (run < len(library.odd_end)) & (library.odd_start[inside] < position + sizes)


TOO_MANY = 100
"""Mismatches of what is no site: a 3' base that had to be exact differs, or the record ends."""
FIRM = 50
"""The same where bases are counted in a byte; with those of the longest oligo it is below 256."""


def _counted(table: SeedTable, library: PackedLibrary, pattern: Numbers, position: Numbers) -> Numbers:
    """Return mismatches by sets of bases, one site at a time: for the few that the window cannot decide."""
    counts = np.empty(len(pattern), np.int8)
    for row, (number, start) in enumerate(zip(pattern.tolist(), position.tolist(), strict=True)):
        wanted = table.patterns[number]
        size = len(wanted.sets)
        if start < 0 or start + size > library.size:
            counts[row] = TOO_MANY
            continue
        seen = library.sets(start, start + size)
        differ = (seen & ~np.frombuffer(wanted.sets, np.uint8) != 0) | (seen == 0)
        exact = min(table.exact_bases, size)
        firm = differ[size - exact :] if wanted.three_prime_right else differ[:exact]
        counts[row] = TOO_MANY if firm.any() else min(int(differ.sum()), TOO_MANY)
    return counts


def _compared_everywhere(
    table: SeedTable, library: PackedLibrary, number: int, low: int, high: int
) -> list[Columns]:
    """Compare one pattern with every place: for what is so ambiguous that words do not help."""
    wanted = table.patterns[number]
    size = len(wanted.sets)
    exact = min(table.exact_bases, size)
    firm = range(size - exact, size) if wanted.three_prime_right else range(exact)
    found = []
    for first in range(low, high, CHUNK):
        end = min(first + CHUNK, high, library.size - size + 1)
        if end <= first:
            break
        seen = library.sets(first, end + size - 1)
        seen = seen | (seen == 0).view(np.uint8) << np.uint8(4)  # 16 is in no letter's set
        count = np.zeros(end - first, np.uint8)
        for place, letter in enumerate(wanted.sets):
            differs = (seen[place : place + len(count)] & np.uint8(255 - letter)) != 0
            if place in firm:
                np.maximum(count, differs.view(np.uint8) * np.uint8(FIRM), out=count)
            else:
                count += differs.view(np.uint8)
        places = np.flatnonzero(count <= table.most_mismatches)
        if len(places):
            found.append(
                (
                    np.full(len(places), number, np.int32),
                    places + first,
                    count[places].astype(np.int8),
                )
            )
    return found


# --- products


def _paired(
    prepared: Prepared, every: Sites, library: PackedLibrary, settings: Settings
) -> tuple[Products, set[int]]:
    """Return the products of sites, and the assays that have more than are kept."""
    record, place = library.locate(every.position)
    inside = place < library.lengths[record] if len(record) else np.zeros(0, np.bool_)
    pattern, position = every.pattern[inside], every.position[inside]  # one in the wrap is a repeat
    mismatches, record, place = every.mismatches[inside], record[inside], place[inside]
    begins = np.searchsorted(pattern, np.arange(len(prepared.table.patterns) + 1))
    pairs = np.array([(each.left, each.right) for each in prepared.combinations], np.int64).reshape(
        len(prepared.combinations), 2
    )
    some = np.flatnonzero((np.diff(begins)[pairs] > 0).all(1))
    if not len(some):
        return Products(), set()
    # each left site of each combination, then the right sites between the least and the largest size
    lefts, rights = pairs[some].T
    combination, left = _ragged(begins[lefts], begins[lefts + 1] - begins[lefts])
    sizes = prepared.table.lengths
    left_size, right_size = sizes[lefts][combination], sizes[rights][combination]
    whole, origin = library.lengths[record[left]], library.offsets[record[left]]
    circular = library.circular[record[left]]
    least = np.maximum(np.maximum(left_size, right_size), settings.min_size)
    most = np.minimum(whole, settings.max_size)
    end = np.where(circular, origin + whole - 1, origin + whole - right_size)
    key = pattern.astype(np.int64) << POSITION_BITS | position
    base = rights[combination] << POSITION_BITS
    at = position[left] - right_size
    turns = [(np.arange(len(left)), 0)]
    if circular.any():
        turns.append((np.flatnonzero(circular), 1))
    firsts, counts, which, shifts = [], [], [], []
    for rows, turn in turns:
        shift = whole[rows] * turn
        low = np.maximum(at[rows] + least[rows] - shift, origin[rows])
        high = np.minimum(at[rows] + most[rows] - shift, end[rows])
        begin = np.searchsorted(key, base[rows] | low, side="left")
        firsts.append(begin)
        counts.append(
            np.maximum(np.searchsorted(key, base[rows] | np.maximum(high, 0), side="right") - begin, 0)
        )
        counts[-1][high < low] = 0
        which.append(rows)
        shifts.append(shift)
    rows, shift = np.concatenate(which), np.concatenate(shifts)
    number, cut = _capped(
        np.concatenate(counts),
        np.array([prepared.combinations[each].assay for each in some.tolist()], np.int32)[combination][rows],
        settings.most_products,
    )
    of, right = _ragged(np.concatenate(firsts), number)
    rows, shift = rows[of], shift[of]
    left, combination = left[rows], combination[rows]
    facts = np.array(
        [
            (each.assay, each.strand, each.kind)
            for each in (prepared.combinations[number] for number in some.tolist())
        ],
        np.int32,
    )[combination]
    is_reverse = (facts[:, 1] < 0) & (facts[:, 2] == FORWARD_REVERSE)
    found = Products(
        assay=facts[:, 0],
        record=record[left].astype(np.int32),
        start=place[left],
        size=(position[right] + shift - at[rows]).astype(np.int32),
        strand=facts[:, 1].astype(np.int8),
        kind=facts[:, 2].astype(np.int8),
        mm_f=np.where(is_reverse, mismatches[right], mismatches[left]),
        mm_r=np.where(is_reverse, mismatches[left], mismatches[right]),
        probe_mm=np.full(len(left), -1, np.int8),
    )
    found = found.take(
        np.lexsort((found.kind, found.strand, found.size, found.start, found.record, found.assay))
    )
    found.probe_mm = _probed(prepared, found, library, settings.most_probe_mismatches)
    return found, cut


POSITION_BITS = 40
"""Bits of a packed position beside the number of a pattern."""


def _capped(counts: Numbers, assays: Numbers, most: int) -> tuple[Numbers, set[int]]:
    """Return counts of products cut down so that no assay has too many, and the assays that had."""
    totals = np.bincount(assays, counts)
    over = np.flatnonzero(totals > most)
    for assay in over.tolist():
        mine = np.flatnonzero(assays == assay)
        before = np.cumsum(counts[mine]) - counts[mine]
        counts[mine] = np.clip(most - before, 0, counts[mine])
    return counts, set(over.tolist())


PROBED = 1 << 17
"""Bases of products in which probes are looked for at once."""
_EVEN_PLACES = 32
"""Bases of a window of 64 bits."""


def _probed(prepared: Prepared, products: Products, library: PackedLibrary, most: int) -> Numbers:
    """Return the fewest mismatches of each product's probe inside it, on either strand, or -1."""
    best = np.full(len(products), -1, np.int8)
    sizes = np.array([len(probe) for probe in prepared.probes], np.int64)
    strands, masks = _plain_probes(prepared.probes)
    fits = np.flatnonzero((sizes[products.assay] > 0) & (sizes[products.assay] <= products.size))
    begin = library.offsets[products.record[fits]] + products.start[fits]
    end = products.start[fits] + products.size[fits]
    room = library.lengths[products.record[fits]] + np.where(library.circular[products.record[fits]], WRAP, 0)
    fast = (masks[products.assay[fits]] > 0) & (end <= room)
    fast &= ~_touches_odd(library, begin, products.size[fits])
    for row in fits[~fast].tolist():
        number = _fewest(prepared.probes[products.assay[row]], products, row, library)
        best[row] = number if number <= most else -1
    fits, begin = fits[fast], begin[fast]
    ends = np.cumsum(products.size[fits], dtype=np.int64)
    first = 0
    while first < len(fits):
        done = int(ends[first - 1]) if first else 0
        last = max(int(np.searchsorted(ends, done + PROBED, side="right")), first + 1)
        rows, at = fits[first:last], begin[first:last]
        counts = (products.size[rows] - sizes[products.assay[rows]] + 1).astype(np.int64)
        windows, starts = _windows_of(library, at, products.size[rows])
        which, places = _ragged(starts, counts)
        seen = windows[places]
        mask = masks[products.assay[rows]][which]
        fewest = np.full(len(rows), TOO_MANY, np.int64)
        for strand in strands:
            differ = (seen ^ strand[products.assay[rows]][which]) & mask
            wrong = np.bitwise_count((differ | differ >> np.uint64(1)) & _EVEN_BITS)
            fewest = np.minimum(fewest, np.minimum.reduceat(wrong, np.cumsum(counts) - counts))
        best[rows] = np.where(fewest <= most, fewest, -1)
        first = last
    return best


def _plain_probes(
    probes: Sequence[bytes],
) -> tuple[tuple[NDArray[np.uint64], NDArray[np.uint64]], NDArray[np.uint64]]:
    """Return the two strands of probes that fit a window and are not ambiguous, and their masks (else 0)."""
    table = np.zeros((3, len(probes)), np.uint64)
    for number, probe in enumerate(probes):
        if 0 < len(probe) <= _EVEN_PLACES and is_plain(probe):
            table[0, number] = code_of(probe)
            table[1, number] = code_of(_complement(np.frombuffer(probe, np.uint8)).tobytes())
            table[2, number] = 4 ** len(probe) - 1
    return (table[0], table[1]), table[2]


def _windows_of(
    library: PackedLibrary, begins: Numbers, sizes: Numbers
) -> tuple[NDArray[np.uint64], Numbers]:
    """Return the 32 bases from each base of some stretches on, and where each stretch begins among them."""
    first = begins >> 2
    counts = ((begins + sizes + 3) >> 2) - first
    _which, places = _ragged(first, counts)
    codes = np.append(UNPACKED[library.packed[places]].view(np.uint8), np.zeros(_EVEN_PLACES, np.uint8))
    two = codes[:-1] | codes[1:] << np.uint8(2)
    four = two[:-2] | two[2:] << np.uint8(4)
    eight = four[:-4].astype(np.uint16) | four[4:].astype(np.uint16) << np.uint16(8)
    sixteen = eight[:-8].astype(np.uint32) | eight[8:].astype(np.uint32) << np.uint32(16)
    windows = sixteen[:-16].astype(np.uint64) | sixteen[16:].astype(np.uint64) << np.uint64(32)
    return windows, 4 * (np.cumsum(counts) - counts) + (begins & 3)


def _fewest(probe: bytes, products: Products, row: int, library: PackedLibrary) -> int:
    """Return the fewest mismatches of a probe inside a product, by sets of bases."""
    text = _sets_of(library, int(products.record[row]), int(products.start[row]), int(products.size[row]))
    text |= (text == 0).view(np.uint8) << np.uint8(4)  # 16 is in no letter's set
    wanted = np.frombuffer(probe, np.uint8)
    fewest = TOO_MANY
    for strand in (wanted, _complement(wanted)):
        count = np.zeros(len(text) - len(wanted) + 1, np.uint8)
        for place, letter in enumerate(strand.tolist()):
            count += ((text[place : place + len(count)] & np.uint8(255 - letter)) != 0).view(np.uint8)
        fewest = min(fewest, int(count.min()))
    return fewest


def _complement(sets: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the sets of the other strand, 5' to 3'."""
    back = sets[::-1]
    turned: NDArray[Any] = (back & 1) << 3 | (back & 2) << 1 | (back & 4) >> 1 | (back & 8) >> 3
    return turned


def _sets_of(library: PackedLibrary, record: int, start: int, size: int) -> NDArray[np.uint8]:
    """Return the 4-bit sets of a stretch of a record, over its origin where it reaches that."""
    begin, length = int(library.offsets[record]), int(library.lengths[record])
    if start + size <= length:
        return library.sets(begin + start, begin + start + size)
    return np.concatenate(
        (library.sets(begin + start, begin + length), library.sets(begin, begin + start + size - length))
    )


# --- pictures of a site


@dataclass(frozen=True)
class Aligned:
    """An oligo and the site that it lies on, both 5' to 3' of the oligo."""

    oligo: str
    site: str
    mismatches: tuple[int, ...]
    """Bases that differ, 1-based from the 5' end of the oligo."""

    @property
    def bars(self) -> str:
        """Return a line between the two: ``|`` where they match and ``.`` where they differ."""
        wrong = set(self.mismatches)
        return "".join("." if place in wrong else "|" for place in range(1, len(self.oligo) + 1))

    def __str__(self) -> str:
        return f"{self.oligo}\n{self.bars}\n{self.site}"


def aligned(oligo: str, site: str) -> Aligned:
    """Return an oligo beside a site of its length.

    >>> print(aligned("ACRT", "TCAT"))
    ACRT
    .|||
    TCAT
    """
    wrong = tuple(
        place
        for place, (letter, wanted) in enumerate(zip(site, oligo, strict=True), 1)
        if not matches(letter, wanted)
    )
    return Aligned(oligo, site, wrong)


def aligned_primers(
    assay: Assay, library: PackedLibrary, products: Products, row: int
) -> tuple[Aligned, Aligned]:
    """Return the left and the right primer of a product on their sites; the left is on the plus strand."""
    forward, reverse = read_oligo(assay.forward).bases, read_oligo(assay.reverse).bases
    record, start, size = (int(column[row]) for column in (products.record, products.start, products.size))
    left, right = (forward, reverse) if products.strand[row] > 0 else (reverse, forward)
    if products.kind[row] != FORWARD_REVERSE:
        right = left
    product = library.bases(record, start, size)
    return aligned(left, product[: len(left)]), aligned(right, reverse_complement(product)[: len(right)])
