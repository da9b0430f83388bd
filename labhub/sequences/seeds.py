"""Where an oligo can lie, from its exact parts: the words that a search looks for.

A site that differs from its oligo in at most ``k`` bases has a window of ten bases with few of
the differences. So the windows' neighbourhoods are listed as 20-bit words once, and each place
of the reference is looked up once, whatever the number of oligos; what is found is then
compared base by base. Nothing is lost by this: the test compares with a search without seeds.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations, product
from math import comb, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 10
"""Bases of a word. The table of all words (1 MiB) stays in a processor's cache."""
MOST_WORDS = 1 << 16
"""An oligo with more words than this is compared at every place instead, which is then cheaper."""
WINDOW = 29
"""Bases that are compared at once: 32 in 64 bits, less the three that a byte may begin with."""

_MEMBERS: tuple[tuple[int, ...], ...] = tuple(
    tuple(base for base in range(4) if letter >> base & 1) for letter in range(16)
)
_SIZES = bytes(len(members) for members in _MEMBERS) + bytes(240)
_DIGITS = bytes(ord("0") + (members[0] if members else 0) for members in _MEMBERS) + bytes(240)
_EVEN = 0x5555555555555555
_ALL = 4**WIDTH - 1
OFFSET = 128
"""What is added to offsets, so that they are positive."""


@dataclass(frozen=True)
class Pattern:
    """An oligo as it lies on the plus strand: itself, or its reverse complement."""

    sets: bytes
    """The 4-bit set of each base, from left to right on the plus strand."""
    three_prime_right: bool
    """Whether the 3' end is the right end: true for the oligo itself."""


@dataclass(frozen=True)
class _Seed:
    """A window of an oligo (from base ``first``, which may lie outside) and where it may differ."""

    first: int
    places: tuple[int, ...]
    """Places in the window that may differ."""
    free: tuple[int, ...]
    """Places where everything is taken."""
    budget: int
    """How often it may differ."""

    def mirrored(self, size: int) -> "_Seed":
        """Return the same window of the reverse complement of an oligo."""
        return _Seed(
            size - WIDTH - self.first,
            tuple(WIDTH - 1 - place for place in reversed(self.places)),
            tuple(WIDTH - 1 - place for place in reversed(self.free)),
            self.budget,
        )


@lru_cache(maxsize=4096)
def seeds_of(sizes: bytes, most_mismatches: int, exact: int) -> tuple[_Seed, ...] | None:
    """Return the cheapest windows that together meet every site; None when comparing everywhere is cheaper.

    ``sizes`` is the number of bases that each letter stands for, 5' to 3'. Either the window at the 3' end
    holds all differences, or the oligo is cut in two and one of the parts holds few of them.
    """
    size = len(sizes)
    firm = size - min(exact, size)
    last = size - WIDTH

    def seed(first: int, begin: int, end: int, budget: int) -> tuple[int, _Seed]:
        """Return a window that says something about the bases ``begin`` to ``end``, and its words."""
        inside = range(max(first, begin), min(first + WIDTH, end))
        places = tuple(base - first for base in inside if base < firm)
        free = tuple(place for place in range(WIDTH) if first + place not in inside)
        words = 4 ** len(free) * prod(sizes[base] for base in inside)
        words *= sum(comb(len(places), number) * 3**number for number in range(budget + 1))
        return words, _Seed(first, places, free, budget)

    whole = seed(last, 0, size, min(most_mismatches, WIDTH))
    best = whole[0]
    chosen: tuple[_Seed, ...] = (whole[1],)
    if most_mismatches > 0:
        for cut in range(max(last, 1), min(size, last + 4)):
            for near in range(most_mismatches):
                one = seed(last, cut, size, near)
                if one[0] >= best:
                    break
                firsts = range(max(cut - WIDTH, 0) + 1)
                first = min(firsts, key=lambda first: (prod(sizes[first : first + WIDTH]), -first))
                two = seed(first, 0, cut, most_mismatches - 1 - near)
                if one[0] + two[0] < best:
                    best, chosen = one[0] + two[0], (one[1], two[1])
    return chosen if best <= MOST_WORDS else None


@lru_cache(maxsize=1024)
def _deltas(places: tuple[int, ...], free: tuple[int, ...], budget: int) -> NDArray[np.int64]:
    """Return what turns a word into each of its neighbours, by exclusive or."""
    changes = np.array(
        [
            sum(step << 2 * place for step, place in zip(steps, chosen, strict=True))
            for number in range(min(budget, len(places)) + 1)
            for chosen in combinations(places, number)
            for steps in product((1, 2, 3), repeat=number)
        ],
        np.int64,
    )
    for place in free:
        changes = (changes[:, None] ^ (np.arange(4, dtype=np.int64) << 2 * place)).ravel()
    return changes


@dataclass(frozen=True, eq=False)
class SeedTable:
    """All words of a set of patterns, and what is needed to compare them with a window of the reference.

    Arrays of the last group have one entry a pattern; ``postings`` one a word and pattern.
    """

    patterns: tuple[Pattern, ...]
    words: NDArray[np.int32]
    """The words that occur, ascending, shape ``(n,)``."""
    first_postings: NDArray[np.int64]
    """First posting of each of them, shape ``(n + 1,)``."""
    postings: NDArray[np.int32]
    """``pattern << 8 | offset + 128``: bases from the beginning of the compared window to the word."""
    slow: tuple[int, ...]
    """Patterns that are compared at every place."""
    lengths: NDArray[np.int64]
    bases: NDArray[np.uint64]
    """Two bits a base of the compared window."""
    masks: NDArray[np.uint64]
    """Both bits of each base of the window that has one letter."""
    exact: NDArray[np.uint64]
    """The lower bit of each base that may not differ."""
    skipped: NDArray[np.int64]
    """Bases of the pattern left of the window: more than none in long oligos only."""
    recount: NDArray[np.bool_]
    """Whether the window does not say everything: ambiguous letters, or an oligo longer than the window."""
    exact_bases: int
    most_mismatches: int

    @cached_property
    def is_word(self) -> NDArray[np.bool_]:
        """Return of each of the 4**10 words whether it occurs."""
        table = np.zeros(4**WIDTH, np.bool_)
        table[self.words] = True
        return table

    @cached_property
    def begins(self) -> NDArray[np.int32]:
        """Return the first posting of each of the 4**10 words, and behind them the number of postings."""
        counts = np.zeros(4**WIDTH, np.int32)
        counts[self.words] = np.diff(self.first_postings)
        table = np.zeros(4**WIDTH + 1, np.int32)
        np.cumsum(counts, out=table[1:])
        return table

    @cached_property
    def reach(self) -> int:
        """Return how many bases behind its beginning a word of a site may begin, at most."""
        offsets = (self.postings & 255) - OFFSET + self.skipped[self.postings >> 8]
        return int(offsets.max(initial=0)) + 1


def seed_table(patterns: tuple[Pattern, ...], most_mismatches: int, exact: int) -> SeedTable:
    """Return the words of patterns that may differ in some bases, but not in the ``exact`` 3' ones."""
    count = len(patterns)
    lengths = np.array([len(pattern.sets) for pattern in patterns], np.int64).reshape(count)
    windows: list[tuple[int, int, int]] = []
    skipped = np.zeros(count, np.int64)
    recount = np.zeros(count, np.bool_)
    slow: list[int] = []
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, pattern in enumerate(patterns):
        sets, right = pattern.sets, pattern.three_prime_right
        size = len(sets)
        left = size - WINDOW if size > WINDOW and right else 0
        sizes = sets.translate(_SIZES)
        plain = sizes == b"\x01" * size
        code = code_of(sets) if plain else 0
        skipped[number] = left
        windows.append(_window(pattern, left, exact, code if plain else None))
        recount[number] = not plain or size > WINDOW
        seeds = seeds_of(sizes if right else sizes[::-1], most_mismatches, exact)
        if seeds is None:
            slow.append(number)
            continue
        for seed in seeds if right else [seed.mirrored(size) for seed in seeds]:
            posting = number << 8 | seed.first - left + OFFSET
            group = groups.setdefault((seed.places, seed.free, seed.budget), [])
            if plain:
                word = code >> 2 * seed.first if seed.first >= 0 else code << -2 * seed.first
                group.append((word & _ALL) << 32 | posting)
            else:
                group += [word << 32 | posting for word in _expanded(sets, seed)]
    keys = [
        (np.array(members, np.int64)[:, None] ^ (_deltas(*layout) << 32)).ravel()
        for layout, members in groups.items()
    ]
    key: NDArray[np.int64] = np.sort(np.concatenate((*keys, np.zeros(0, np.int64))))
    key = key[np.append(True, key[1:] != key[:-1])[: len(key)]]
    every = (key >> 32).astype(np.int32)
    bases_of, masks, clamps = np.array(windows, np.uint64).reshape(count, 3).T.copy()
    first = np.flatnonzero(np.r_[True, every[1:] != every[:-1]]) if len(every) else np.zeros(0, np.int64)
    return SeedTable(
        patterns=patterns,
        words=every[first],
        first_postings=np.append(first, len(every)),
        postings=(key & 0x7FFFFFFF).astype(np.int32),
        slow=tuple(slow),
        lengths=lengths,
        bases=bases_of,
        masks=masks,
        exact=clamps,
        skipped=skipped,
        recount=recount,
        exact_bases=exact,
        most_mismatches=most_mismatches,
    )


def is_plain(sets: bytes) -> bool:
    """Say whether each letter of an oligo is one base."""
    return sets.translate(_SIZES) == b"\x01" * len(sets)


def code_of(sets: bytes) -> int:
    """Return plain bases as a number, two bits each, the first in the lowest."""
    return int(sets.translate(_DIGITS)[::-1], 4)


def _window(pattern: Pattern, left: int, exact: int, code: int | None) -> tuple[int, int, int]:
    """Return bases, mask and exact places of the compared window; ``code`` is that of a plain pattern."""
    size = len(pattern.sets)
    width = min(size - left, WINDOW)
    bits = 4**width - 1
    firm = min(exact, size)
    if pattern.three_prime_right:
        clamp = bits & ~(4 ** max(width - firm, 0) - 1)
    else:
        clamp = bits & (4**firm - 1)
    clamp &= _EVEN
    if code is not None:
        return code >> 2 * left & bits, bits, clamp
    bases = mask = 0
    for place, letter in enumerate(pattern.sets[left : left + WINDOW]):
        members = _MEMBERS[letter]
        if len(members) == 1:
            bases |= members[0] << 2 * place
            mask |= 3 << 2 * place
    return bases, mask, clamp


def _expanded(sets: bytes, seed: _Seed) -> list[int]:
    """Return the words of a window, one for each choice of bases."""
    free = set(seed.free)
    words = [0]
    for place in range(WIDTH):
        if place in free:
            continue
        members = _MEMBERS[sets[seed.first + place]]
        words = [word | base << 2 * place for word in words for base in members]
    return words
