"""Attackers who walk along a hidden sequence by a yes/no service, knowing every rule but the key.

Used by the test of the real service and by ``benchmarks/sealed/walk.py``, which plays whole months in
memory against the same rules.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import log2
from random import Random

from labhub.sequences.oligos import IUPAC, reverse_complement
from labhub.sequences.sealed_walks import CHAIN, MOST_FOLD, Question, is_walk, mark_of, words_of

SIZE = 18
"""The shortest oligo that is allowed: it shares the least with its neighbours."""
CODE = {bases: letter for letter, bases in IUPAC.items()}
Ask = Callable[[Question], bool | None]
"""Ask the service: found, not found, or (None) not decided or no answer today."""


@dataclass
class Guard:
    """The rules by which the hub notices a walk, over questions in memory (``sealed_queries.linked``)."""

    key: bytes = b"any"
    marks: list[int] = field(default_factory=list)
    by_word: dict[int, list[int]] = field(default_factory=dict)
    long_words: list[list[int]] = field(default_factory=list)
    of_part: dict[str, dict[int, bool]] = field(default_factory=dict)

    def words(self, question: Question) -> dict[int, bool]:
        """Return the words of a question, each part's worked out once."""
        found: dict[int, bool] = {}
        for part in question.parts:
            if part not in self.of_part:
                self.of_part[part] = words_of(Question(sequence=part), self.key)
            found |= self.of_part[part]
        return found

    def stops(self, question: Question) -> bool:
        """Say whether this question would complete a walk."""
        words = self.words(question)
        near = {place for word in words for place in self.by_word.get(word, ())}
        long_words = [word for word, is_long in words.items() if is_long]
        chained = {place for word in long_words for place in self.by_word.get(word, ())}
        edge = set(chained)
        while edge and len({self.marks[place] for place in chained}) < CHAIN:
            further = {
                other for place in edge for word in self.long_words[place] for other in self.by_word[word]
            }
            edge = further - chained
            chained |= edge
        return is_walk(
            mark_of(question, self.key),
            [self.marks[place] for place in near],
            [self.marks[place] for place in chained],
        )

    def add(self, question: Question) -> None:
        """Remember a question that was asked."""
        words = self.words(question)
        place = len(self.marks)
        self.marks.append(mark_of(question, self.key))
        self.long_words.append([word for word, is_long in words.items() if is_long])
        for word in words:
            self.by_word.setdefault(word, []).append(place)


@dataclass
class Walker:
    """Extends a known flank into what is hidden behind it, base by base or by longer guesses."""

    flank: str
    """Known bases up to the border."""
    ask: Ask
    chance: Random
    guard: Guard | None = None
    """With one it asks no question that would be stopped; without, it walks straight on."""
    sets: list[frozenset[str]] = field(default_factory=list)
    """What each base behind the border may be."""
    asked: int = 0
    least: int = 1
    """Unknown bases that the next oligo has at least."""

    @property
    def gained(self) -> float:
        """Bases gained: two bits are one base."""
        return sum(log2(4 / len(options)) / 2 for options in self.sets)

    def step(self) -> bool:
        """Ask one question; False when there is none left that is worth it and allowed."""
        choice = self._choice()
        if choice is None:
            return False
        question, pattern, place = choice
        if self.guard is not None:
            self.guard.add(question)
        self.asked += 1
        answer = self.ask(question)
        if answer:
            for offset, letters in enumerate(pattern):
                self._narrow(place + offset, letters)
        elif answer is False:
            open_places = [
                offset
                for offset, letters in enumerate(pattern)
                if not self._options(place + offset) <= letters
            ]
            if len(open_places) == 1:  # everything else was known, so this one base is none of these
                offset = open_places[0]
                self._narrow(place + offset, self._options(place + offset) - pattern[offset])
        return True

    def _options(self, place: int) -> frozenset[str]:
        return self.sets[place] if place < len(self.sets) else frozenset("ACGT")

    def _narrow(self, place: int, letters: frozenset[str]) -> None:
        while len(self.sets) <= place:
            self.sets.append(frozenset("ACGT"))
        self.sets[place] &= letters
        self.least = 1

    def _choice(self) -> tuple[Question, list[frozenset[str]], int] | None:
        border = next((place for place, options in enumerate(self.sets) if len(options) > 1), len(self.sets))
        known = self.flank + "".join(next(iter(options)) for options in self.sets[:border])
        for unknown in range(self.least, 11 if self.guard is not None else 2):
            self.least = unknown  # what was not allowed once is not tried again until more is known
            for _try in range(3 if unknown == 1 else 8):
                pattern = self._pattern(border, unknown)
                oligo = known[-(SIZE - unknown) :] + "".join(CODE[letters] for letters in pattern)
                question = Question(forward=self._anchor(), reverse=reverse_complement(oligo))
                if self.guard is None or not self.guard.stops(question):
                    return question, pattern, border
        return None

    def _pattern(self, border: int, unknown: int) -> list[frozenset[str]]:
        """Guess the next bases; the last ones by halves, where degenerate letters link it least to others."""
        pattern: list[frozenset[str]] = []
        fold = 1
        for offset in reversed(range(unknown)):
            options = sorted(self._options(border + offset))
            self.chance.shuffle(options)
            size = max(1, len(options) // 2) if fold * 2 <= MOST_FOLD else 1
            fold *= size
            pattern.insert(0, frozenset(options[:size]))
        return pattern

    def _anchor(self) -> str:
        """Return a primer in the known flank, far enough for a product; neighbours share no word of 12."""
        start = self.chance.randrange((len(self.flank) - 100) // 7) * 7
        return self.flank[start : start + SIZE]


def both_ends(left: str, right: str, ask: Ask, *, seed: int, guard: Guard | None = None) -> Iterator[Walker]:
    """Yield the walkers from the left flank into the insert and from the right one."""
    yield Walker(left, ask, Random(seed), guard)
    yield Walker(reverse_complement(right), ask, Random(seed + 1), guard)
