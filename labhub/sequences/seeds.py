"""Where an oligo can lie, from its exact parts: the words that a search looks for.

A site that differs from its oligo in at most ``k`` bases has a window of ten bases with few of
the differences. So the windows' neighbourhoods are listed as 20-bit words once, and each place
of the reference is looked up once, whatever the number of oligos; what is found is then
compared base by base. Nothing is lost by this: the test compares with a search without seeds.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations, product
from math import prod
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
_EVEN = 0x5555555555555555


@dataclass(frozen=True)
class Pattern:
    """An oligo as it lies on the plus strand: itself, or its reverse complement."""

    sets: bytes
    """The 4-bit set of each base, from left to right on the plus strand."""
    three_prime_right: bool
    """Whether the 3' end is the right end: true for the oligo itself."""


@dataclass(frozen=True)
class _Seed:
    """A window of a pattern (from base ``first``, which may lie outside) and where it may differ."""

    first: int
    layout: tuple[tuple[int, ...], tuple[int, ...], int]
    """Places in the window that may differ, places where everything is taken, and how often it may differ."""


def seeds_of(pattern: Pattern, most_mismatches: int, exact: int) -> list[_Seed] | None:
    """Return the cheapest windows that together meet every site; None when comparing everywhere is cheaper.

    Either the window at the 3' end holds all differences, or with two windows one of them holds few.
    """
    sets = pattern.sets if pattern.three_prime_right else pattern.sets[::-1]
    size = len(sets)
    sizes = [len(_MEMBERS[letter]) for letter in sets]
    exact = min(exact, size)
    last = size - WIDTH

    def seed(first: int, budget: int, beyond: int) -> tuple[int, _Seed]:
        """Take all letters at or behind ``beyond`` (another window's) and outside the oligo."""
        places, free, words = [], [], 1
        for place in range(WIDTH):
            base = first + place
            if base < 0 or base >= beyond:
                free.append(place)
                words *= 4
                continue
            words *= sizes[base]
            if base < size - exact:
                places.append(place)
        words *= sum(len(list(_chosen(len(places), number))) * 3**number for number in range(budget + 1))
        if not pattern.three_prime_right:
            places = [WIDTH - 1 - place for place in reversed(places)]
            free = [WIDTH - 1 - place for place in reversed(free)]
            first = size - WIDTH - first
        return words, _Seed(first, (tuple(places), tuple(free), budget))

    whole = seed(last, min(most_mismatches, WIDTH), size)
    best, chosen = whole[0], [whole[1]]
    if last > 0 and most_mismatches > 0:
        firsts = range(last - WIDTH + 1) if last >= WIDTH else (0,)
        for near in range(most_mismatches):
            one = seed(last, near, size)
            if one[0] >= best:
                break
            cheapest = min(firsts, key=lambda first: (prod(sizes[first : first + WIDTH]), -first))
            two = seed(cheapest, most_mismatches - 1 - near, last)
            if one[0] + two[0] < best:
                best, chosen = one[0] + two[0], [one[1], two[1]]
    return chosen if best <= MOST_WORDS else None


@lru_cache(maxsize=256)
def _chosen(number: int, of: int) -> tuple[tuple[int, ...], ...]:
    return tuple(combinations(range(number), of))


@lru_cache(maxsize=1024)
def _deltas(layout: tuple[tuple[int, ...], tuple[int, ...], int]) -> NDArray[np.int32]:
    """Return what turns a word into each of its neighbours, by exclusive or."""
    places, free, budget = layout
    changes = np.array(
        [
            sum(step << 2 * place for step, place in zip(steps, chosen, strict=True))
            for number in range(min(budget, len(places)) + 1)
            for chosen in combinations(places, number)
            for steps in product((1, 2, 3), repeat=number)
        ],
        np.int32,
    )
    for place in free:
        changes = (changes[:, None] ^ (np.arange(4, dtype=np.int32) << 2 * place)).ravel()
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
    posting_pattern: NDArray[np.int32]
    posting_offset: NDArray[np.int32]
    """Bases from the beginning of the compared window to the word (may be negative)."""
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
    def number_of_word(self) -> NDArray[np.int32]:
        """Return the place among ``words`` of each word that occurs."""
        table = np.zeros(4**WIDTH, np.int32)
        table[self.words] = np.arange(len(self.words), dtype=np.int32)
        return table

    @cached_property
    def reach(self) -> int:
        """Return how many bases behind its beginning a word of a site may begin, at most."""
        return int((self.posting_offset + self.skipped[self.posting_pattern]).max(initial=0)) + 1


def seed_table(patterns: tuple[Pattern, ...], most_mismatches: int, exact: int) -> SeedTable:
    """Return the words of patterns that may differ in some bases, but not in the ``exact`` 3' ones."""
    count = len(patterns)
    lengths = np.array([len(pattern.sets) for pattern in patterns], np.int64).reshape(count)
    bases, masks, clamps = np.zeros(count, np.uint64), np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    skipped = np.zeros(count, np.int64)
    recount = np.zeros(count, np.bool_)
    slow: list[int] = []
    groups: dict[tuple[Any, ...], list[tuple[int, int, int]]] = {}
    for number, pattern in enumerate(patterns):
        size = len(pattern.sets)
        left = size - WINDOW if size > WINDOW and pattern.three_prime_right else 0
        skipped[number] = left
        bases[number], masks[number], clamps[number], plain = _window(pattern, left, exact)
        recount[number] = not plain or size > WINDOW
        seeds = seeds_of(pattern, most_mismatches, exact)
        if seeds is None:
            slow.append(number)
            continue
        for seed in seeds:
            groups.setdefault(seed.layout, []).extend(
                (word, number, seed.first - left) for word in _expanded(pattern.sets, seed)
            )
    words, whose, offsets = [], [], []
    for layout, members in groups.items():
        deltas = _deltas(layout)
        table = np.array(members, np.int32)
        words.append((table[:, 0, None] ^ deltas).ravel())
        whose.append(np.repeat(table[:, 1], len(deltas)))
        offsets.append(np.repeat(table[:, 2], len(deltas)))
    word = np.concatenate((*words, np.zeros(0, np.int32)))
    pattern_of = np.concatenate((*whose, np.zeros(0, np.int32)))
    offset = np.concatenate((*offsets, np.zeros(0, np.int32)))
    order = np.argsort(word, kind="stable")
    word, pattern_of, offset = word[order], pattern_of[order], offset[order]
    first = np.flatnonzero(np.r_[True, word[1:] != word[:-1]]) if len(word) else np.zeros(0, np.int64)
    return SeedTable(
        patterns=patterns,
        words=word[first],
        first_postings=np.append(first, len(word)),
        posting_pattern=pattern_of,
        posting_offset=offset,
        slow=tuple(slow),
        lengths=lengths,
        bases=bases,
        masks=masks,
        exact=clamps,
        skipped=skipped,
        recount=recount,
        exact_bases=exact,
        most_mismatches=most_mismatches,
    )


def _window(pattern: Pattern, left: int, exact: int) -> tuple[int, int, int, bool]:
    """Return bases, mask and exact places of the compared window, and whether every letter is one base."""
    size = len(pattern.sets)
    bases = mask = clamp = 0
    plain = True
    firm = range(max(size - exact, 0), size) if pattern.three_prime_right else range(min(exact, size))
    for place, letter in enumerate(pattern.sets[left : left + WINDOW]):
        members = _MEMBERS[letter]
        if left + place in firm:
            clamp |= 1 << 2 * place
        if len(members) == 1:
            bases |= members[0] << 2 * place
            mask |= 3 << 2 * place
        else:
            plain = False
    return bases, mask, clamp, plain


def _expanded(sets: bytes, seed: _Seed) -> list[int]:
    """Return the words of a window, one for each choice of bases."""
    free = set(seed.layout[1])
    words = [0]
    for place in range(WIDTH):
        if place in free:
            continue
        members = _MEMBERS[sets[seed.first + place]]
        words = [word | base << 2 * place for word in words for base in members]
    return words
