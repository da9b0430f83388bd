"""Exact search in sealed records, whose work depends on the question and the records' sizes only.

In-silico PCR (``insilico.py``) looks closer where a seed was hit, so that its time tells of hits. Here
every oligo is compared with every position of every record on both strands, whatever is found: no early
exit, no candidates, no sorting of hits. Products and sequences are decided by running sums and extremes
over the same arrays. A letter of a record matches when its bases are among those of the oligo's letter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labhub.sequences.oligos import reverse_complement
from labhub.sequences.packed import SETS
from labhub.sequences.sealed_walks import Question

MIN_SIZE = 40
MAX_SIZE = 1500
"""Bases of a product, primers included; nobody who asks chooses them."""

Flags = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
_SUBSETS: NDArray[np.bool_] = np.array(
    [[part != 0 and part & ~whole == 0 for part in range(16)] for whole in range(16)], np.bool_
)


@dataclass(frozen=True)
class SealedRecord:
    """The bases of a sealed record, for the time of one request; never printed."""

    bases: str
    circular: bool

    def __repr__(self) -> str:
        return "SealedRecord(…)"


@dataclass
class Work:
    """What a search has done: the same for every outcome."""

    records: int = 0
    bases: int = 0
    comparisons: int = 0
    """Letters of oligos times positions of records that they were compared with."""


def search(questions: Sequence[Question], records: Sequence[SealedRecord]) -> tuple[list[list[bool]], Work]:
    """Return for each question and each record whether it is found there, and the work it took.

    >>> part = SealedRecord("TTTTT" + "ACGGTCAGTTCAGGATCCATTGACCGTAAC" + "GGGGG", circular=False)
    >>> search([Question(sequence="GTTACGGTCAATGGATCCTGAACTGACCGT")], [part])[0]
    [[True]]
    """
    work = Work()
    return [[_is_found(question, record, work) for record in records] for question in questions], work


def _is_found(question: Question, record: SealedRecord, work: Work) -> bool:
    letters = np.take(SETS, np.frombuffer(record.bases.encode("ascii"), np.uint8))
    length = len(letters)
    longest = len(question.sequence) if question.sequence else MAX_SIZE
    if record.circular:  # what runs over the origin lies in one piece
        letters = np.concatenate((letters, letters[: min(length, longest) - 1]))
    work.records += 1
    work.bases += len(letters)
    if question.sequence:
        plus = _sites(question.sequence, letters, work)
        minus = _sites(reverse_complement(question.sequence), letters, work)
        return bool(np.count_nonzero(plus | minus))
    forward, reverse, probe = question.forward, question.reverse, question.probe
    probes = None
    if probe:
        probes = _sites(probe, letters, work) | _sites(reverse_complement(probe), letters, work)
    on_plus = _has_product(
        _sites(forward, letters, work),
        _sites(reverse_complement(reverse), letters, work),
        len(reverse),
        probes,
        len(probe),
        length,
    )
    on_minus = _has_product(
        _sites(reverse, letters, work),
        _sites(reverse_complement(forward), letters, work),
        len(forward),
        probes,
        len(probe),
        length,
    )
    return on_plus | on_minus


def _sites(oligo: str, letters: Bytes, work: Work) -> Flags:
    """Say of each position whether the oligo lies there on the strand as written."""
    work.comparisons += len(oligo) * len(letters)
    sites = np.zeros(len(letters), np.bool_)
    room = len(letters) - len(oligo) + 1
    if room < 1:
        return sites
    fits = {letter: np.take(_SUBSETS[SETS[ord(letter)]], letters) for letter in sorted(set(oligo))}
    found = np.ones(room, np.bool_)
    for place, letter in enumerate(oligo):
        found &= fits[letter][place : place + room]
    sites[:room] = found
    return sites


def _has_product(
    lefts: Flags, rights: Flags, right_size: int, probes: Flags | None, probe_size: int, length: int
) -> bool:
    """Say whether a left and a right site bound a product of a fitting size that begins in the record."""
    size = len(lefts)
    places = np.arange(size)
    lefts = lefts & (places < length)
    ends = np.full(size + 1, False)
    ends[right_size:] = rights[: size + 1 - right_size]  # by the position behind the right site
    if probes is None:
        before = np.concatenate(([0], np.cumsum(ends)))  # right ends before each position
        low = np.minimum(places + MIN_SIZE, size + 1)
        high = np.minimum(places + min(MAX_SIZE, length) + 1, size + 1)
        return bool(np.count_nonzero(lefts & (before[high] > before[low])))
    never = 4 * (size + MAX_SIZE)
    last_left = np.maximum.accumulate(np.where(lefts, places, -never))
    all_ends = np.arange(size + 1)
    next_end = np.minimum.accumulate(np.where(ends, all_ends, 2 * never)[::-1])[::-1]
    behind = np.minimum(places + probe_size, size)
    left, right = last_left, next_end[behind]  # the closest pair around each position
    # a pair closer than the smallest product: take the next left site, or the next right end
    further_left = last_left[np.clip(np.minimum(places, right - MIN_SIZE), 0, size - 1)]
    further_right = next_end[np.clip(np.maximum(behind, left + MIN_SIZE), 0, size)]
    most = min(MAX_SIZE, length)
    fits = np.zeros(size, np.bool_)
    for product in (right - left, right - further_left, further_right - left):
        fits |= (product >= MIN_SIZE) & (product <= most)
    return bool(np.count_nonzero(probes & fits))
