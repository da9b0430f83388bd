"""Which reference a read, amplicon or contig comes from, and what of it no reference explains.

The design is that of ``engines.md`` section 5, with the sampling turned round: the reference is looked at
every few bases, and each query enters groups of as many neighbouring 12-mers, so that exactly one of a group
meets the sampled positions whatever the phase. Hits are binned by query, strand and diagonal; neighbouring
bins are added; the best diagonals are verified by edlib over the whole query (infix edit distance, both
strands, over the origin of circular records) under a falling bound. A candidate with so few hits that its
distance must lie over the bound is not even tried (q-gram lemma). What the best reference leaves
unexplained is looked for piece by piece in all others.

Coordinates here are 0-based and half-open; ``identify_cli``, API and pages write them 1-based and inclusive.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from math import ceil, log, sqrt
from typing import Any, NamedTuple

import numpy as np

from labhub.sequences.oligos import reverse_complement
from labhub.sequences.packed import PackedLibrary
from labhub.sequences.reads import MOST_BASES, Read

WORD = 12
"""Bases of a seed."""
SPACED_GROUPS = 60
"""About so many groups of seeds are taken of a query, the next at most ``MOST_STEP`` bases further on."""
MOST_STEP = 16
LONG_STEP = 24
"""The same for reads over 1,000 bases, which have seeds enough."""
CHUNK = 1 << 20
"""Bases of the reference that are looked at in one go."""
BATCH_WORDS = 600_000
"""Seeds of one pass over the reference (both strands)."""
BATCH_READS = 8_000
MOST_OF_A_WORD = 20_000
"""A seed that stands at more sampled places of the reference says nothing and is dropped."""
MOST_PAIRS = 8_000_000
"""Pairs of a seed of a query and a place in the reference that are held at once (64 MB)."""
MOST_PAIRS_OF_A_READ = 500_000
LETTERS_AT_ONCE = 160 << 20
"""Up to this size the letters of a library are unpacked once; over it, window by window."""
MISMATCH = -2
"""Score of a difference when stretches are judged; an equal base counts 1 (as in megablast)."""
DROP = 12
"""A stretch ends where its score has fallen by this much."""
ALIEN_CHANCE = 1e-3
"""How many chance stretches a search of random DNA may give on average."""
MOST_TIES = 300
"""References as near as the best that are counted."""
MERGED_EDITS = 7
"""With no more differences than these no stretch of 20 bases can be random (engines.md: random DNA is
aligned with a difference every other base)."""
PIECE_CANDIDATES = 12
MOST_PIECES = 40
"""Pieces that one read is explained by, at most."""
PIECE_MARGIN = 150
"""Bases beyond its outermost seeds in which the end of a piece is looked for."""
FAR_SEEDS = 400
LEAST_EXTENSION = 4
MOST_GROWTH = 2_000
GROWTH_DROP = 4
"""A block grows over two neighbouring differences, not over three."""

Span = tuple[int, int]
_RUNS = re.compile(r"(\d+)([=XID])")


@dataclass(frozen=True)
class Settings:
    """How a search is done; the defaults are those of every door."""

    least_identity: float = 70.0
    """Percent of the whole query below which a reference is no hit."""
    within: float = 0.5
    """References so many percent points under the best are told too."""
    most_hits: int = 10
    """References told of one query."""
    candidates: int = 30
    """Diagonals of a query that are verified; more when they have as many seeds as the best."""
    unexplained_bases: int = 20
    """A stretch of the query that nothing explains is told from this length on."""
    alignments: int = 3
    """Of so many best references the alignment itself is kept."""


class Block(NamedTuple):
    """A stretch of the query that a stretch of the reference explains."""

    query_start: int
    query_end: int
    reference_start: int
    """On the plus strand, of the record; may lie behind the origin (0 <= start < length)."""
    reference_size: int
    distance: int
    """Substitutions and inserted or left out bases in it."""
    path: str = ""
    """The alignment along the plus strand of the record, as ``runs_of`` reads it; empty if not wanted."""


@dataclass(frozen=True)
class Hit:
    """A reference of a query; ``blocks`` has one entry unless a stretch within is not explained."""

    record: int
    strand: int
    """1, or -1 when the reverse complement of the query stands in the record."""
    blocks: tuple[Block, ...]
    length: int
    """Bases of the query."""
    is_best: bool = False
    """As near as the nearest: more than one is a tie."""

    @property
    def query_start(self) -> int:
        return min(block.query_start for block in self.blocks)

    @property
    def query_end(self) -> int:
        return max(block.query_end for block in self.blocks)

    @property
    def reference_start(self) -> int:
        return self.blocks[0].reference_start

    @property
    def reference_size(self) -> int:
        """Bases of the record from the first block's start to the last one's end."""
        last = self.blocks[-1]
        return last.reference_start - self.blocks[0].reference_start + last.reference_size

    @property
    def explained(self) -> int:
        """Bases of the query in its blocks."""
        return sum(block.query_end - block.query_start for block in self.blocks)

    @property
    def distance(self) -> int:
        return sum(block.distance for block in self.blocks)

    @property
    def identity(self) -> float:
        """Percent of the explained bases of the query that are equal."""
        return max(0.0, 100 * (1 - self.distance / self.explained))

    @property
    def coverage(self) -> float:
        """Share of the query (0 to 1) that the reference explains."""
        return self.explained / self.length


@dataclass(frozen=True)
class Identification:
    """What was found of one query."""

    name: str
    length: int
    hits: tuple[Hit, ...] = ()
    """References of the whole query, best first."""
    pieces: tuple[Hit, ...] = ()
    """References of what the best hit leaves open (of all, when there is no hit), in order of the query."""
    unexplained: tuple[tuple[int, int], ...] = ()
    """Stretches of the query that no reference explains."""
    ties: int = 0
    """References as near as the best, it included; more than ``hits`` shows when there are many."""
    crowded: bool = False
    """Some seeds of the query stand at so many places that they were not followed."""

    @property
    def explained(self) -> int:
        """Bases of the query that some reference explains."""
        return self.length - sum(end - start for start, end in self.unexplained)


Progress = Callable[[float], None]


def identify_reads(
    reads: Sequence[Read],
    library: PackedLibrary,
    settings: Settings = Settings(),
    *,
    visible: Any = None,
    progress: Progress | None = None,
) -> list[Identification]:
    """Return what was found of each read, in their order.

    ``visible`` is a mask of the records that may be told; others take no part in the search.
    """
    found: list[Identification | None] = [None] * len(reads)
    if not len(library.lengths) or (visible is not None and not visible.any()):
        return [_nothing(read) for read in reads]
    letters = _Letters(library)
    done = 0
    for batch in _batches(reads, library):
        search = _Search(batch, library, letters, settings, visible)
        for number, each in search.run():
            found[number] = each
            done += 1
            if progress is not None and not done % 50:
                progress(done / len(reads))
    for number, read in enumerate(reads):
        if found[number] is None:
            found[number] = _nothing(read)
    return [each for each in found if each is not None]


def _nothing(read: Read) -> Identification:
    return Identification(read.name, len(read.bases), unexplained=((0, len(read.bases)),))


# --- letters of the reference


_FOURS = np.frombuffer(
    b"".join(bytes(b"ACGT"[byte >> shift & 3] for shift in (0, 2, 4, 6)) for byte in range(256)), np.uint32
)
"""The four letters of each packed byte."""
_SET_LETTERS = np.frombuffer(b".ACMGRSVTWYHKDBN", np.uint8)


class _Letters:
    """Windows of records as text for edlib, over the origin when the record is circular."""

    def __init__(self, library: PackedLibrary) -> None:
        self.library = library
        self.offsets = library.offsets.tolist()
        self.lengths = library.lengths.tolist()
        self.circular = library.circular.tolist()
        self.all = self._all() if library.size <= LETTERS_AT_ONCE else None

    def _all(self) -> bytes:
        library = self.library
        text = np.take(_FOURS, library.packed).view(np.uint8)
        sizes = library.odd_end - library.odd_start
        inside = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        text[np.repeat(library.odd_start, sizes) + inside] = np.repeat(
            _SET_LETTERS[library.odd_set & 15], sizes
        )
        return text.tobytes()

    def window(self, record: int, start: int, size: int) -> tuple[bytes, int]:
        """Return the letters from ``start`` on and where they really start (0 when ``start`` is before)."""
        length = self.lengths[record]
        if not self.circular[record]:
            end = min(start + size, length)
            start = min(max(start, 0), length)
            size = max(end - start, 0)
            if self.all is not None:
                first = self.offsets[record] + start
                return self.all[first : first + size], start
        elif self.all is not None:
            start %= length
            first = self.offsets[record] + start
            text = self.all[first : first + min(size, length - start)]
            while len(text) < size:
                more = min(size - len(text), length)
                text += self.all[self.offsets[record] : self.offsets[record] + more]
            return text, start
        else:
            start %= length
        return self.library.bases(record, start, size).encode("ascii"), start


# --- batches


class _Batch(NamedTuple):
    numbers: list[int]
    reads: list[Read]
    stride: int
    """The reference is looked at every so many bases."""
    shift: int
    """A bin holds ``1 << shift`` diagonals."""


_CLASSES = ((160, 2, 4), (1_000, 4, 5), (MOST_BASES + 1, 4, 6))
"""Reads up to so many bases: stride, shift."""


def _batches(reads: Sequence[Read], library: PackedLibrary) -> Iterator[_Batch]:
    """Yield reads of about one length together, as many as one pass over the reference takes."""
    share = (library.size >> 2) / 4**WORD  # chance hits of one seed
    most_words = int(min(BATCH_WORDS, max(2_000, MOST_PAIRS / 2 / max(share, 1e-9))))
    order = sorted(range(len(reads)), key=lambda number: len(reads[number].bases))
    lengths = np.array([len(read.bases) for read in reads])
    low = 0
    for most, stride, shift in _CLASSES:
        words, batch = 0, []
        seeds = (2 * stride * (np.maximum(0, lengths - WORD) // _steps(lengths, stride) + 1)).tolist()
        while low < len(order) and len(reads[order[low]].bases) <= most:
            number = order[low]
            words += seeds[number]
            batch.append(number)
            low += 1
            if words >= most_words or len(batch) >= BATCH_READS:
                yield _Batch(batch, [reads[n] for n in batch], stride, shift)
                words, batch = 0, []
        if batch:
            yield _Batch(batch, [reads[n] for n in batch], stride, shift)


def _steps(lengths: Any, stride: int) -> Any:
    """Return how far apart the groups of seeds of reads are."""
    most = np.where(lengths > _CLASSES[1][0], LONG_STEP, MOST_STEP)
    return np.maximum(stride, np.minimum(most, (lengths - WORD + 1) // SPACED_GROUPS))


# --- the search


_CODES = np.full(256, 4, np.uint8)
for _code, _pair in enumerate((b"Aa", b"Cc", b"Gg", b"TtUu")):
    for _letter in _pair:
        _CODES[_letter] = _code


def _words(codes: Any) -> Any:
    """Return the 12-mer that begins at each base, the first base lowest; uint32, 11 fewer than bases."""
    pairs = codes[:-1] | (codes[1:] << np.uint8(2))
    fours = pairs[:-2] | (pairs[2:] << np.uint8(4))
    words = fours[8:].astype(np.uint32)
    for part in (fours[4:-4], fours[:-8]):
        words <<= np.uint32(8)
        words |= part
    return words


class _Bins(NamedTuple):
    """Diagonal bins of a batch, sorted by query and strand (``pair``), then by place."""

    pair: Any
    place: Any
    count: Any
    """Hits of the bin and its two neighbours."""
    peak: Any
    """Whether no neighbour holds more."""


class _Seeds(NamedTuple):
    """Single hits of some queries, sorted by ``pair``, place of the bin and base of the query."""

    pair: Any
    place: Any
    at: Any


class _Search:
    def __init__(
        self,
        batch: _Batch,
        library: PackedLibrary,
        letters: _Letters,
        settings: Settings,
        visible: Any,
    ) -> None:
        from edlib import align

        self.align = align
        self.batch, self.library, self.letters = batch, library, letters
        self.settings, self.visible = settings, visible
        self.longest = max(len(read.bases) for read in batch.reads)
        wide = 1 << batch.shift
        spans = library.lengths + self.longest + 4 * wide
        spans = (spans + wide - 1) >> batch.shift
        self.bin_first = np.concatenate([[0], np.cumsum(spans)])  # of each record
        self.bin_firsts = self.bin_first.tolist()
        size = int(library.lengths.sum() if visible is None else library.lengths[visible].sum())
        mean = sum(len(read.bases) for read in batch.reads) / len(batch.reads)
        # Karlin and Altschul for +1/-2: lambda 1.33, K 0.62
        self.least_score = ceil(log(0.62 * mean * 2 * max(size, 1) / ALIEN_CHANCE) / 1.33)

    def run(self) -> Iterator[tuple[int, Identification]]:
        """Yield the number of each read of the batch with what was found of it."""
        self._enter()
        places, ranks = self._located(*self._scanned())
        for low, high in self._portions(ranks):
            bins = self._binned(places, ranks, low, high)
            tops = self._tops(bins)
            found = {number: self._whole(number, bins, tops.get(number, [])) for number in range(low, high)}
            del bins
            rest = [number for number, each in found.items() if each.unexplained]
            if rest:
                seeds = self._seeds(places, ranks, rest)
                for number in rest:
                    found[number] = self._in_pieces(number, seeds, found[number])
            for number, each in found.items():
                yield self.batch.numbers[number], each

    # seeds of the queries

    def _enter(self) -> None:
        """Collect the seeds of both strands of each query, sorted by word."""
        stride = self.batch.stride
        self.forward = [read.bases.encode("ascii") for read in self.batch.reads]
        self.backward = [reverse_complement(read.bases).encode("ascii") for read in self.batch.reads]
        texts = [text for both in zip(self.forward, self.backward, strict=True) for text in both]
        sizes = np.array([len(text) for text in texts])
        codes = _CODES[np.frombuffer(b"".join(texts) + b"." * WORD, np.uint8)]
        starts = np.cumsum(sizes) - sizes
        pair = np.repeat(np.arange(len(texts)), sizes)
        at = np.arange(int(sizes.sum())) - np.repeat(starts, sizes)
        steps = _steps(sizes, stride)
        self.steps = steps[::2]
        taken = (at % np.repeat(steps, sizes) < stride) & (at <= np.repeat(sizes, sizes) - WORD)
        odd = np.concatenate([[0], np.cumsum(codes > 3)])
        clean = odd[WORD : WORD + len(at)] == odd[: len(at)]
        # groups of which each word is clean: as many hits an errorless reference has at least
        whole = np.bincount(pair[taken & clean], minlength=len(texts)) // stride
        broken = np.bincount(pair[taken & ~clean], minlength=len(texts))
        self.sure = np.maximum(0, whole - broken - 1)[::2]
        self.killed = -(-(WORD + stride - 1) // steps[::2])  # groups that one difference can spoil
        chosen = np.flatnonzero(taken & clean)
        words = _words(codes & np.uint8(3))[chosen]
        key = words.astype(np.uint64) << np.uint64(32) | np.arange(len(words), dtype=np.uint64)
        key.sort()  # faster than argsort
        order = (key & np.uint64(0xFFFFFFFF)).astype(np.int64)
        words = (key >> np.uint64(32)).astype(np.uint32)
        self.entry_pair = pair[chosen][order].astype(np.int64)
        self.entry_at = at[chosen][order].astype(np.int64)
        is_first = np.ones(len(words), bool)
        is_first[1:] = words[1:] != words[:-1]
        self.entry_first = np.append(np.flatnonzero(is_first), len(words))
        self.words = words[is_first]
        self.dropped = np.zeros(len(self.words), bool)

    # places in the reference

    def _scanned(self) -> tuple[Any, Any]:
        """Return (packed position, rank of its word) of each place that holds a seed."""
        stride, size = self.batch.stride, self.library.size
        table = np.zeros(4**WORD >> 3, np.uint8)  # a bit a word: 2 MB, so that it stays in the cache
        byte = self.words >> np.uint32(3)
        first = np.flatnonzero(np.r_[True, byte[1:] != byte[:-1]][: len(byte)])
        if len(first):
            bit = np.uint8(1) << (self.words & np.uint32(7)).astype(np.uint8)
            table[byte[first]] = np.bitwise_or.reduceat(bit, first)
        eights = table.view(np.uint64).copy()  # dropping a word from the table must not move the ranks
        ones = np.bitwise_count(eights)
        before = (np.cumsum(ones, dtype=np.int64) - ones).astype(np.int32)
        found_places, found_ranks = [], []
        counts, counted, fresh = np.zeros(len(self.words), np.int64), 0, 0
        for low, phase in product(range(0, size, CHUNK), range(0, 4, stride)):
            words = self._words_of(low, min(low + CHUNK, size), phase)
            hit = table.take(np.right_shift(words, 3, dtype=np.int64), mode="clip")
            hit >>= words.view(np.uint8)[::4] & np.uint8(7)
            hit &= np.uint8(1)
            where = np.flatnonzero(hit.view(bool))
            if not len(where):
                continue
            words = words[where]
            eight = words >> np.uint32(6)
            below = (np.uint64(1) << (words & np.uint32(63)).astype(np.uint64)) - np.uint64(1)
            ranks = before[eight] + np.bitwise_count(eights[eight] & below)
            places = where * 4 + (low + phase)
            found_places.append(places)
            found_ranks.append(ranks.astype(np.int32))
            fresh += len(ranks)
            if fresh > MOST_PAIRS // 4:
                self._drop_common(found_ranks[counted:], counts, table)
                counted, fresh = len(found_ranks), 0
        self._drop_common(found_ranks[counted:], counts, table)
        if not found_places:
            return np.zeros(0, np.int64), np.zeros(0, np.int32)
        places, ranks = np.concatenate(found_places), np.concatenate(found_ranks)
        if self.dropped.any():
            kept = ~self.dropped[ranks]
            places, ranks = places[kept], ranks[kept]
        return places, ranks

    def _drop_common(self, ranks: list[Any], counts: Any, table: Any) -> None:
        """Take words that stand at too many places out of the table; ``counts`` goes on."""
        if ranks:
            counts += np.bincount(np.concatenate(ranks), minlength=len(counts))
        many = np.flatnonzero((counts > MOST_OF_A_WORD) & ~self.dropped)
        self.dropped[many] = True
        for word in self.words[many].tolist():
            table[word >> 3] &= ~(1 << (word & 7)) & 255

    def _words_of(self, low: int, high: int, phase: int) -> Any:
        """Return the words at each fourth place of [low, high) from ``low + phase`` on; 4 divides ``low``."""
        wanted = -(-high // 4) - (low >> 2)
        fours = -(-wanted // 4)
        packed = self.library.packed[low >> 2 : (low >> 2) + 4 * fours + 3]
        if len(packed) < 4 * fours + 3:
            packed = np.concatenate([packed, np.zeros(4 * fours + 3 - len(packed), np.uint8)])
        sixteens = np.empty((fours, 4), np.uint32)
        for shift in range(4):
            sixteens[:, shift] = packed[shift : shift + 4 * fours].view("<u4")
        sixteens = sixteens.ravel()[:wanted]
        if phase:
            sixteens >>= np.uint32(2 * phase)
        sixteens &= np.uint32(4**WORD - 1)
        return sixteens

    # pairs of a seed and a place, binned by diagonal

    def _portions(self, ranks: Any) -> Iterator[tuple[int, int]]:
        """Yield runs of queries whose pairs fit into memory; drop the commonest seeds of crowded ones."""
        reads = len(self.batch.reads)
        counts = np.bincount(ranks, minlength=len(self.words))
        entries = np.diff(self.entry_first)
        of_entry = np.repeat(counts, entries)
        self.kept = np.ones(len(of_entry), bool)
        number = self.entry_pair >> 1
        pairs = np.bincount(number, weights=of_entry, minlength=reads)
        self.crowded = np.zeros(reads, bool)
        if self.dropped.any():
            self.crowded[number[np.repeat(self.dropped, entries)]] = True
        for crowded in np.flatnonzero(pairs > MOST_PAIRS_OF_A_READ).tolist():
            own = np.flatnonzero(number == crowded)
            own = own[np.argsort(of_entry[own], kind="stable")]
            self.kept[own[np.cumsum(of_entry[own]) > MOST_PAIRS_OF_A_READ]] = False
            self.crowded[crowded] = True
            pairs[crowded] = MOST_PAIRS_OF_A_READ
        self.sure[self.crowded] = 0
        total = np.cumsum(pairs)
        low = 0
        while low < reads:
            before = total[low - 1] if low else 0
            high = max(low + 1, int(np.searchsorted(total, before + MOST_PAIRS, side="right")))
            yield low, min(high, reads)
            low = high

    def _located(self, places: Any, ranks: Any) -> tuple[Any, Any]:
        """Return of each hit the place of its diagonal for base 0 of a query, and the rank of its word.

        A place is a number over all records: each has so many bins of diagonals that queries may hang
        over its ends. ``self.early`` marks hits whose diagonals may run over the origin.
        """
        library, shift = self.library, self.batch.shift
        if self.batch.stride == 4:  # places ascend
            edges = np.append(np.searchsorted(places, library.offsets), len(places))
            records = np.repeat(np.arange(len(library)), np.diff(edges))
            offsets = places - library.offsets[records]
        else:
            records, offsets = library.locate(places)
        good = offsets < library.lengths[records]  # what begins in the wrap was seen at the start
        if self.visible is not None:
            good &= self.visible[records]
        if not good.all():
            records, offsets, ranks = records[good], offsets[good], ranks[good]
        early = library.circular[records] & (offsets < self.longest + (2 << shift))
        self.early = np.flatnonzero(early)
        self.early_length = library.lengths[records[self.early]]
        self.early_offset = offsets[self.early]
        return (self.bin_first[records] << shift) + offsets + self.longest, ranks

    def _pairs(self, places: Any, ranks: Any, mine: Any, added: Any) -> tuple[Any, Any]:
        """Return place and entry of each pair of a hit with an entry of its word, among entries ``mine``.

        ``added`` is what an entry adds to the place of its hit.
        """
        if mine is None:
            firsts, entries = self.entry_first, None
        else:
            firsts = np.concatenate([[0], np.cumsum(mine)])[self.entry_first]
            entries = np.flatnonzero(mine)
        first = firsts[ranks]
        repeats = firsts[ranks + 1] - first
        ends = np.cumsum(repeats)
        entry = np.repeat((first - (ends - repeats)).astype(np.int32), repeats)
        entry += np.arange(len(entry), dtype=np.int32)
        if entries is not None:
            entry = entries[entry]
        place = added[entry]
        place += np.repeat(places, repeats)
        if len(self.early):
            # pairs of the early hits only: those over the origin go to the end of the record, and
            # the first bins of a circular record lie beside its last ones
            size = repeats[self.early]
            at = np.repeat(ends[self.early] - np.cumsum(size), size) + np.arange(int(size.sum()))
            length = np.repeat(self.early_length, size)
            diagonal = np.repeat(self.early_offset, size) - self.entry_at[entry[at]]
            turned = diagonal % length
            place[at] += turned - diagonal
            again = turned < 2 << self.batch.shift
            place = np.concatenate([place, place[at[again]] + length[again]])
            entry = np.concatenate([entry, entry[at[again]]])
        return place, entry

    def _binned(self, places: Any, ranks: Any, low: int, high: int) -> _Bins:
        whole = low == 0 and high == len(self.batch.reads) and bool(self.kept.all())
        mine = None
        if not whole:
            mine = self.kept & (self.entry_pair >= 2 * low) & (self.entry_pair < 2 * high)
        bits, shift = int(self.bin_first[-1]).bit_length(), self.batch.shift
        added = ((self.entry_pair - 2 * low) << (bits + shift)) - self.entry_at
        place, _entry = self._pairs(places, ranks, mine, added)
        place >>= shift
        if (2 * (high - low)) << bits <= 1 << 32:
            place = place.astype(np.uint32)  # sorts in half the time
        place.sort()
        is_first = np.ones(len(place), bool)
        is_first[1:] = place[1:] != place[:-1]
        first = np.flatnonzero(is_first)
        key = place[first].astype(np.int64)
        own = np.diff(np.append(first, len(place)))
        count = own.copy()
        peak = np.ones(len(key), bool)
        beside = np.flatnonzero(key[1:] == key[:-1] + 1)
        one, other = own[beside], own[beside + 1]
        count[beside] += other
        count[beside + 1] += one
        peak[beside[one < other]] = False
        peak[beside[one >= other] + 1] = False
        return _Bins((key >> bits) + 2 * low, key & ((1 << bits) - 1), count, peak)

    def _seeds(self, places: Any, ranks: Any, numbers: list[int]) -> _Seeds:
        """Return the single hits of some queries."""
        wanted = np.zeros(len(self.batch.reads), bool)
        wanted[numbers] = True
        mine = self.kept & wanted[self.entry_pair >> 1]
        place, entry = self._pairs(places, ranks, mine, -self.entry_at)
        order = np.lexsort((self.entry_at[entry], place >> self.batch.shift, self.entry_pair[entry]))
        entry = entry[order]
        return _Seeds(self.entry_pair[entry], place[order] >> self.batch.shift, self.entry_at[entry])

    def _tops(self, bins: _Bins) -> dict[int, list[tuple[int, int]]]:
        """Return of each query its best bins as (hits, bin), most hits first."""
        few = np.minimum(2, np.maximum(1, self.sure // 6))  # a short query has few seeds
        few = np.maximum(few, self.sure // 50)  # even at 75 % identity one in thirty is whole
        good = np.flatnonzero(bins.peak & (bins.count >= few.min()))
        number, count = bins.pair[good] >> 1, np.minimum(bins.count[good], 0xFFFF)
        if not len(number):
            return {}
        # what has a third of the best one's hits is no nearest reference
        starts = np.flatnonzero(np.r_[True, number[1:] != number[:-1]])
        runs = np.diff(np.r_[starts, len(number)])
        least = np.maximum(few[number[starts]], np.maximum.reduceat(count, starts) // 3)
        kept = count >= np.repeat(least, runs)
        number, count, good = number[kept], count[kept], good[kept]
        order = np.argsort((number << 16) | (0xFFFF - count), kind="stable")
        number, good, count = number[order], good[order], bins.count[good][order]
        if not len(number):
            return {}
        is_first = np.ones(len(number), bool)
        is_first[1:] = number[1:] != number[:-1]
        starts = np.flatnonzero(is_first)
        nth = np.arange(len(number)) - np.repeat(starts, np.diff(np.append(starts, len(number))))
        best = nth < max(MOST_TIES, self.settings.candidates)
        tops: dict[int, list[tuple[int, int]]] = {}
        for each, hits, bin_ in zip(
            number[best].tolist(), count[best].tolist(), good[best].tolist(), strict=True
        ):
            tops.setdefault(each, []).append((hits, bin_))
        return tops

    # one query

    def _whole(self, number: int, bins: _Bins, tops: list[tuple[int, int]]) -> Identification:
        """Return what the references of the whole query are, and what of it the best one leaves open."""
        read, settings = self.batch.reads[number], self.settings
        hits, ties = self._hits(number, self._nearest(number, bins, tops))
        hits = hits[: settings.most_hits]
        open_ = _gaps(len(read.bases), hits[0].blocks if hits else (), settings.unexplained_bases)
        return Identification(
            read.name,
            len(read.bases),
            tuple(hits),
            unexplained=tuple(open_),
            ties=ties,
            crowded=bool(self.crowded[number]),
        )

    def _in_pieces(self, number: int, seeds: _Seeds, found: Identification) -> Identification:
        """Return the same with what other references explain of the rest."""
        pieces = self._pieces(number, seeds, list(found.unexplained))
        open_ = list(found.unexplained)
        for piece in pieces:
            open_ = _minus(open_, piece.blocks, self.settings.unexplained_bases)
        return replace(found, pieces=tuple(pieces), unexplained=tuple(open_))

    def _where(self, pair: int, place: int) -> tuple[int, int, int]:
        """Return (strand, record, first diagonal) of a bin."""
        record = bisect_right(self.bin_firsts, place) - 1
        return pair & 1, record, ((place - self.bin_firsts[record]) << self.batch.shift) - self.longest

    def _nearest(
        self, number: int, bins: _Bins, tops: list[tuple[int, int]]
    ) -> list[tuple[int, int, int, int]]:
        """Return (distance, strand, record, end) of the references near the best one."""
        length = len(self.forward[number])
        bound = most = int(length * (1 - self.settings.least_identity / 100))
        margin = int(length * self.settings.within / 100)
        sure, killed = int(self.sure[number]), int(self.killed[number])
        wide, pad = 1 << self.batch.shift, 16 + length // 50
        near: list[tuple[int, int, int, int]] = []
        best, needed, tied = most, 0, 0
        for nth, (count, bin_) in enumerate(tops):
            if count < needed or (nth >= self.settings.candidates and count < tied):
                break  # nor can those after it, which have no more hits, be as near
            strand, record, diagonal = self._where(int(bins.pair[bin_]), int(bins.place[bin_]))
            text, start = self.letters.window(record, diagonal - wide - pad, length + 3 * wide + 2 * pad)
            query = self.backward[number] if strand else self.forward[number]
            # lost seeds tell about how far it is; a low bound is quick
            likely = 8 + max(sure - count, 0) * int(self.steps[number]) // 6
            found = self.align(query, text, mode="HW", task="distance", k=min(bound, likely))
            if found["editDistance"] < 0 and likely < bound:
                found = self.align(query, text, mode="HW", task="distance", k=bound)
            distance = found["editDistance"]
            if distance < 0 or distance == length:
                continue
            near.append((distance, strand, record, start + found["locations"][0][1] + 1))
            if distance < best:
                best, tied = distance, count - 1
                bound = min(most, best + margin)
                # each difference spoils so many groups of seeds; and a rival within chance of the best
                chance = 3 * sqrt(count * max(0.0, 1 - count / max(sure, 1)) + 1)
                needed = max(sure - best * killed, int(count - chance) if sure else 0)
        return near

    def _hits(self, number: int, near: list[tuple[int, int, int, int]]) -> tuple[list[Hit], int]:
        """Return the hits, best first, and how many are as near as the best."""
        if not near:
            return [], 0
        near.sort()
        length = len(self.forward[number])
        margin = int(length * self.settings.within / 100)
        best = near[0][0]
        hits: list[Hit] = []
        seen: set[tuple[int, int, int]] = set()
        ties = 0
        for distance, strand, record, end in near:
            if distance > best + margin:
                break
            if self.letters.circular[record]:
                end = (end - 1) % self.letters.lengths[record] + 1
            # one place a record and strand, unless copies lie clearly apart
            here = end // length
            if any((record, strand, place) in seen for place in (here - 1, here, here + 1)):
                continue
            seen.add((record, strand, here))
            if len(hits) < self.settings.most_hits:
                hit = self._aligned(
                    number, strand, record, end, distance, len(hits) < self.settings.alignments
                )
                if hit is None or hit.coverage < self.settings.least_identity / 100:
                    continue  # what is left of it is a piece
                best = distance if not hits else best
                hits.append(replace(hit, is_best=distance == best))
            ties += distance == best
        hits.sort(key=lambda hit: -round(hit.identity * hit.coverage, 9))
        return hits, ties if hits else 0

    def _aligned(
        self, number: int, strand: int, record: int, end: int, distance: int, with_path: bool
    ) -> Hit | None:
        """Return the hit of a known end, with its path if that is wanted; none of a chance one."""
        query = self.backward[number] if strand else self.forward[number]
        length = len(query)
        needs_path = with_path or distance > MERGED_EDITS
        if distance == 0:
            start, path = end - length, f"{length}="
        else:
            # from the known end backwards, which needs one pass instead of two
            text, first = self.letters.window(record, end - length - distance, length + distance)
            end = first + len(text)
            found = self.align(
                query[::-1], text[::-1], mode="SHW", task="path" if needs_path else "distance", k=distance
            )
            if found["editDistance"] < 0:
                return None
            start = end - found["locations"][0][1] - 1
            path = "".join(size + kind for size, kind in reversed(_RUNS.findall(found["cigar"] or "")))
        if distance <= MERGED_EDITS:
            if length + (MISMATCH - 1) * distance < self.least_score:
                return None
            blocks = [Block(0, length, start, end - start, distance, path if with_path else "")]
        else:
            blocks = _blocks(path, 0, start, self.settings.unexplained_bases, self.least_score, with_path)
            blocks = self._grown(query, record, blocks, with_path)
        if not blocks:
            return None
        return self._hit(record, strand, blocks, length)

    def _grown(self, query: bytes, record: int, blocks: list[Block], with_path: bool) -> list[Block]:
        """Return blocks that go on as long as bases are equal.

        Where the query goes on in something else, the bases beside it can be spread over the other
        side of the gap at the same cost, and the alignment does not say which way is meant.
        """
        if len(blocks) == 1 and blocks[0].query_start == 0 and blocks[0].query_end == len(query):
            return blocks
        grown: list[Block] = []
        for number, block in enumerate(blocks):
            floor = grown[-1].query_end if grown else 0
            least = grown[-1].reference_start + grown[-1].reference_size if grown else None
            left = query[max(floor, block.query_start - MOST_GROWTH) : block.query_start]
            size = len(left) if least is None else max(0, min(len(left), block.reference_start - least))
            if not self.letters.circular[record]:
                size = min(size, block.reference_start)
            text, _start = self.letters.window(record, block.reference_start - size, size)
            pairs = zip(reversed(left), reversed(text), strict=False)
            block = _with_growth(block, *_growth(pairs), -1, with_path)
            ceiling = blocks[number + 1].query_start if number + 1 < len(blocks) else len(query)
            right = query[block.query_end : min(ceiling, block.query_end + MOST_GROWTH)]
            end = block.reference_start + block.reference_size
            if number + 1 < len(blocks):
                right = right[: max(0, blocks[number + 1].reference_start - end)]
            text, _start = self.letters.window(record, end, len(right))
            grown.append(_with_growth(block, *_growth(zip(right, text, strict=False)), 1, with_path))
        return grown

    def _hit(self, record: int, strand: int, blocks: list[Block], length: int) -> Hit:
        """Return a hit with query coordinates on the query as given; ``blocks`` come along the record."""
        turned = self.letters.lengths[record] * (blocks[0].reference_start // self.letters.lengths[record])
        placed = []
        for block in blocks:
            block = block._replace(reference_start=block.reference_start - turned)
            if strand:
                first, last = length - block.query_end, length - block.query_start
                block = block._replace(query_start=first, query_end=last)
            placed.append(block)
        return Hit(record, -1 if strand else 1, tuple(placed), length)

    # what the best reference leaves open

    def _pieces(self, number: int, seeds: _Seeds, open_: list[Span]) -> list[Hit]:
        """Return references of stretches of the query, chosen so that each adds to what is explained."""
        length = len(self.forward[number])
        low, high = np.searchsorted(seeds.pair, [2 * number, 2 * number + 2]).tolist()
        if low == high:
            return []
        pair, place, at = seeds.pair[low:high], seeds.place[low:high], seeds.at[low:high]
        new = np.r_[True, (pair[1:] != pair[:-1]) | (place[1:] != place[:-1])]
        owner = np.cumsum(new) - 1
        first = np.append(np.flatnonzero(new), len(at))
        pair, place = pair[first[:-1]], place[first[:-1]]  # of bins from here on
        base = np.where(pair[owner] & 1, length - WORD - at, at)  # on the query as given
        joins = (np.diff(place) == 1) & (pair[1:] == pair[:-1])  # each bin with the next
        beside = np.flatnonzero(joins)
        known: dict[int, list[Hit]] = {}
        pieces: list[Hit] = []
        while open_ and len(pieces) < MOST_PIECES:
            inside = np.zeros(length + 1, bool)
            for start, end in open_:
                inside[start : max(start, end - WORD) + 1] = True
            own = np.bincount(owner[inside[base]], minlength=len(place))
            both = own.copy()
            both[beside] += own[beside + 1]
            both[beside + 1] += own[beside]
            order = np.argsort(-both, kind="stable")[:PIECE_CANDIDATES].tolist()
            for each in order:
                if each not in known and both[each]:
                    left = each - int(each > 0 and joins[each - 1])
                    right = each + int(each < len(joins) and joins[each])
                    near = np.sort(at[first[left] : first[right + 1]])
                    known[each] = self._local(number, int(pair[each]), int(place[each]), near, open_)
            gains = [(_gain(piece, open_), piece) for each in order for piece in known.get(each, ())]
            gain, best = max(gains, key=lambda pair: pair[0], default=(0, None))
            if best is None or gain < self.least_score:
                break
            pieces.append(best)
            open_ = _minus(open_, best.blocks, self.settings.unexplained_bases)
            known.clear()  # seen again with what is open now
        return self._joined(sorted(pieces, key=lambda piece: (piece.query_start, piece.query_end)))

    def _local(self, number: int, pair: int, place: int, at: Any, open_: list[Span]) -> list[Hit]:
        """Return the stretches of the query that the diagonals about a bin explain; ``at`` are its seeds."""
        strand, record, diagonal = self._where(pair, place)
        query = self.backward[number] if strand else self.forward[number]
        length, wide = len(query), 1 << self.batch.shift
        inside = np.zeros(len(at), bool)
        for start, end in open_:
            if strand:
                start, end = length - end, length - start
            inside |= (at >= start) & (at + WORD <= end)
        at = at[inside]
        if not len(at):
            return []
        # seeds far from the others are chance: the longest row of neighbours
        cuts = np.flatnonzero(np.diff(at) > FAR_SEEDS)
        begins, ends = np.r_[0, cuts + 1], np.r_[cuts, len(at) - 1]
        row = int(np.argmax(ends - begins))
        low = max(0, int(at[begins[row]]) - PIECE_MARGIN)
        high = min(length, int(at[ends[row]]) + WORD + PIECE_MARGIN)
        part = query[low:high]
        pad = wide + 32
        text, first = self.letters.window(record, diagonal + low - pad, len(part) + wide + 2 * pad)
        if not self._goes_on(query, at[begins[row] : ends[row] + 1], part, low, text):
            return []
        found = self.align(part, text, mode="HW", task="path")
        here = next(((a, b) for a, b in found["locations"] if a is not None), None)
        if here is None or not found["cigar"]:
            return []
        blocks = _blocks(found["cigar"], low, first + here[0], 0, self.least_score)
        blocks = self._grown(query, record, blocks, True)
        return [self._hit(record, strand, [block], length) for block in blocks]

    def _goes_on(self, query: bytes, at: Any, part: bytes, low: int, text: bytes) -> bool:
        """Say whether one of the seeds is more than a word that stands there by chance."""
        for base in at[:: max(1, len(at) // 8)].tolist():
            place = text.find(query[base : base + WORD])
            while place >= 0:
                left, right = base - low, place
                before = zip(part[:left][-1:-65:-1], text[:right][-1:-65:-1], strict=False)
                after = zip(part[left + WORD :][:64], text[right + WORD :][:64], strict=False)
                signs = _growth(before)[1] + _growth(after)[1]
                if len(signs) + (MISMATCH - 1) * signs.count("X") >= LEAST_EXTENSION:
                    return True
                place = text.find(query[base : base + WORD], place + 1)
        return False

    def _joined(self, pieces: list[Hit]) -> list[Hit]:
        """Return pieces with those that go on in the same record put together."""
        joined: list[Hit] = []
        for piece in pieces:
            both = self._together(joined[-1], piece) if joined else None
            if both is not None:
                joined[-1] = both
            else:
                joined.append(piece)
        return joined

    def _together(self, left: Hit, right: Hit) -> Hit | None:
        """Return two pieces as one, when the right one goes on in the record where the left one ends."""
        if (left.record, left.strand) != (right.record, right.strand):
            return None
        one, other = (left, right) if left.strand == 1 else (right, left)  # along the record
        end = one.blocks[-1].reference_start + one.blocks[-1].reference_size
        gap = other.blocks[0].reference_start - end
        size = self.letters.lengths[left.record]
        turned = size if self.letters.circular[left.record] and gap < 0 else 0
        gap += turned
        most = self.settings.unexplained_bases
        if not 0 <= gap < most or not 0 <= right.query_start - left.query_end < most:
            return None
        moved = [block._replace(reference_start=block.reference_start + turned) for block in other.blocks]
        return replace(one, blocks=(*one.blocks, *moved))


# --- stretches


def _gaps(length: int, blocks: Iterable[Block], least: int) -> list[Span]:
    """Return the stretches of at least ``least`` bases that no block holds.

    >>> _gaps(100, [Block(10, 40, 0, 30, 0), Block(30, 90, 0, 60, 0)], 10)
    [(0, 10), (90, 100)]
    """
    return _minus([(0, length)], blocks, least)


def _minus(spans: list[Span], blocks: Iterable[Block], least: int) -> list[Span]:
    for block in blocks:
        rest = []
        for start, end in spans:
            rest.append((start, min(end, block.query_start)))
            rest.append((max(start, block.query_end), end))
        spans = [(start, end) for start, end in dict.fromkeys(rest) if end - start >= least]
    return spans


def _gain(piece: Hit, spans: Iterable[Span]) -> int:
    """Return the bases of open stretches that a piece explains, less its differences."""
    return (
        sum(
            max(0, min(end, block.query_end) - max(start, block.query_start))
            for start, end in spans
            for block in piece.blocks
        )
        - piece.distance
    )


# --- alignments


def runs_of(path: str) -> Iterator[tuple[int, str]]:
    """Yield (columns, kind) of a path: ``=`` equal, ``X`` another base, ``I`` only in the query,
    ``D`` only in the reference.

    >>> list(runs_of("12=1X3="))
    [(12, '='), (1, 'X'), (3, '=')]
    """
    for size, kind in _RUNS.findall(path):
        yield int(size), kind


class _Point(NamedTuple):
    """A place in an alignment: columns, bases of both and differences before it."""

    column: int
    query: int
    reference: int
    edits: int


def _blocks(
    path: str, query: int, reference: int, merged: int, least_score: int, with_path: bool = True
) -> list[Block]:
    """Return the stretches of an alignment whose score is too high for chance.

    They begin and end where the score is highest. Stretches less than ``merged`` bases apart are one,
    and reach the ends of the alignment when less than that is left there.
    """
    first = start = end = _Point(0, query, reference, 0)
    found: list[tuple[_Point, _Point]] = []
    column = edits = score = best = 0
    for text, kind in _RUNS.findall(path):
        size = int(text)
        if kind == "=":
            if score == 0:
                start = _Point(column, query, reference, edits)
            score += size
            column += size
            query += size
            reference += size
            if score > best:
                best, end = score, _Point(column, query, reference, edits)
            continue
        score += MISMATCH * size
        column += size
        edits += size
        if kind != "D":
            query += size
        if kind != "I":
            reference += size
        if score <= 0 or score <= best - DROP:
            if best >= WORD:
                found.append((start, end))
            score = best = 0
    if best >= WORD:
        found.append((start, end))
    here = _Point(column, query, reference, edits)
    joined: list[tuple[_Point, _Point]] = []
    for begin, end in found:
        last = joined[-1][1] if joined else first
        near = max(begin.query - last.query, begin.reference - last.reference) < merged
        if near and joined:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((last if near else begin, end))
    if joined and max(here.query - joined[-1][1].query, here.reference - joined[-1][1].reference) < merged:
        joined[-1] = (joined[-1][0], here)
    return [
        Block(
            begin.query,
            end.query,
            begin.reference,
            end.reference - begin.reference,
            end.edits - begin.edits,
            _columns(path, begin.column, end.column) if with_path else "",
        )
        for begin, end in joined
        if (end.query - begin.query) + (MISMATCH - 1) * (end.edits - begin.edits) >= least_score
    ]


def _growth(pairs: Iterable[tuple[int, int]]) -> tuple[int, str]:
    """Return how many pairs of bases a block grows by, and their signs, nearest first."""
    score = best = taken = 0
    signs: list[str] = []
    for one, other in pairs:
        equal = one == other
        signs.append("=" if equal else "X")
        score += 1 if equal else MISMATCH
        if score > best:
            best, taken = score, len(signs)
        elif score < best - GROWTH_DROP:
            break
    return taken, "".join(signs[:taken])


def _with_growth(block: Block, taken: int, signs: str, side: int, with_path: bool) -> Block:
    if not taken:
        return block
    text = "".join(f"{len(list(run))}{sign}" for sign, run in groupby(signs if side == 1 else signs[::-1]))
    block = block._replace(
        reference_size=block.reference_size + taken,
        distance=block.distance + signs.count("X"),
    )
    if side == 1:
        path = _merged(block.path + text) if with_path else ""
        return block._replace(query_end=block.query_end + taken, path=path)
    return block._replace(
        query_start=block.query_start - taken,
        reference_start=block.reference_start - taken,
        path=_merged(text + block.path) if with_path else "",
    )


def _merged(path: str) -> str:
    """Return a path in which neighbouring runs are of different kinds.

    >>> _merged("3=2=1X")
    '5=1X'
    """
    pieces = []
    for kind, runs in groupby(runs_of(path), key=lambda run: run[1]):
        pieces.append(f"{sum(size for size, _kind in runs)}{kind}")
    return "".join(pieces)


def _columns(path: str, low: int, high: int) -> str:
    """Return the columns ``low`` to ``high`` of a path.

    >>> _columns("5=1X5=", 2, 8)
    '3=1X2='
    """
    if low == 0 and high == sum(size for size, _kind in runs_of(path)):
        return path
    pieces, here = [], 0
    for size, kind in runs_of(path):
        taken = min(here + size, high) - max(here, low)
        if taken > 0:
            pieces.append(f"{taken}{kind}")
        here += size
    return "".join(pieces)
