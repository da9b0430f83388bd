"""Living specificity: what a product found in silico says of a method, by a rule that has a version.

A hit in silico is no laboratory result: the rule sorts what the search finds into detected, doubtful and not
detected, and says why. The figures are choices of this project (``docs/specificity.md``); whoever changes one
gives the rule a new version, and every pair is judged anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from labhub.i18n import N_
from labhub.sequences.insilico import Assay
from labhub.sequences.oligos import reverse_complement
from labhub.sequences.packed import SETS, Bytes


@dataclass(frozen=True)
class Rule:
    """The figures by which products are searched for and judged."""

    version: str
    max_mismatches: int
    """Substitutions in a primer up to which a site is looked for."""
    min_size: int
    max_size: int
    """Length of a product, bases."""
    near_end: int
    """Bases at the 3' end of a primer in which a mismatch makes a detection doubtful."""
    most_primer_mismatches: int
    """Mismatches in a primer, away from its 3' end, that leave a detection sure."""
    most_probe_mismatches: int
    """Mismatches of the probe that leave a detection sure."""
    size_tolerance: float
    """Allowed difference from the published length, as a fraction of it."""
    size_tolerance_bp: int
    """Difference that is always allowed, bases."""

    def tolerance(self, published_bp: int) -> int:
        """Return by how many bases a product may differ from its published length.

        >>> RULE.tolerance(82), RULE.tolerance(20)
        (8, 5)
        """
        return max(self.size_tolerance_bp, int(published_bp * self.size_tolerance))


RULE = Rule(
    version="2026-1",
    max_mismatches=3,
    min_size=40,
    max_size=1500,
    near_end=5,
    most_primer_mismatches=1,
    most_probe_mismatches=2,
    size_tolerance=0.1,
    size_tolerance_bp=5,
)
"""The present rule. The search asks for no exact base at the 3' end: a mismatch there is a finding."""


class Judgement(StrEnum):
    """What the best product of a method in a sequence says."""

    DETECTED = "detected"
    DOUBTFUL = "doubtful"
    NOT_DETECTED = "not-detected"


JUDGEMENT_NAMES: dict[Judgement, str] = {
    Judgement.DETECTED: N_("detected"),
    Judgement.DOUBTFUL: N_("doubtful"),
    Judgement.NOT_DETECTED: N_("not detected"),
}
JUDGEMENT_SIGNS: dict[Judgement, str] = {
    Judgement.DETECTED: "+",
    Judgement.DOUBTFUL: "±",
    Judgement.NOT_DETECTED: "−",
}


class Reason(StrEnum):
    """Why a detection is doubtful."""

    NEAR_END = "mismatch-near-3-end"
    MISMATCHES = "mismatches"
    PROBE = "probe"
    SIZE = "size"


REASON_NAMES: dict[Reason, str] = {
    Reason.NEAR_END: N_("mismatch near the 3' end of a primer"),
    Reason.MISMATCHES: N_("several mismatches in a primer"),
    Reason.PROBE: N_("the probe does not fit"),
    Reason.SIZE: N_("another length than published"),
}


class Part(StrEnum):
    """Which oligo a mismatch is in."""

    FORWARD = "forward"
    REVERSE = "reverse"
    PROBE = "probe"


@dataclass(frozen=True)
class Mismatch:
    """A base of an oligo that the sequence does not have there."""

    part: Part
    base: int
    """Place in the oligo, from 1 at its 5' end."""
    from_end: int
    """Place from the 3' end: 1 is the last base."""
    oligo: str
    """The oligo's letter."""
    sequence: str
    """The letter that the sequence has there, on the strand that the oligo has."""


@dataclass(frozen=True)
class Product:
    """One product of an assay in a sequence, judged."""

    start: int
    """First base on the plus strand, from 1."""
    size_bp: int
    strand: int
    """1 when the forward primer lies on the plus strand, else -1."""
    mm_forward: int
    mm_reverse: int
    mm_probe: int | None
    """Mismatches of the probe's best site in the product; empty without probe or above the limit."""
    published_bp: int | None
    mismatches: tuple[Mismatch, ...]
    judgement: Judgement
    reasons: tuple[Reason, ...]

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """Sorts products, the best first: judgement, mismatches, difference in length, place."""
        difference = abs(self.size_bp - self.published_bp) if self.published_bp else 0
        return (
            list(Judgement).index(self.judgement),
            self.mm_forward + self.mm_reverse + (self.mm_probe or 0),
            difference,
            self.start,
        )


def judged(
    assay: Assay,
    amplicon: str,
    *,
    start: int,
    strand: int,
    published_bp: int | None = None,
    rule: Rule = RULE,
) -> Product:
    """Return a product with its mismatches and what they say.

    ``amplicon`` is the plus strand of the sequence from the left primer's first base to the right one's
    last; ``start`` its place there, from 1.

    >>> assay = Assay("LH-1", "ACGTACGTAC", "TTGACCGATT")
    >>> found = judged(assay, "ACGTACGTACGGGGGAATCGGTCTA", start=7, strand=1)
    >>> found.judgement.value, [(one.part.value, one.base, one.sequence) for one in found.mismatches]
    ('detected', [('reverse', 2, 'A')])
    """
    along = amplicon if strand > 0 else reverse_complement(amplicon)
    forward = tuple(mismatches(Part.FORWARD, assay.forward, along[: len(assay.forward)]))
    reverse = tuple(mismatches(Part.REVERSE, assay.reverse, reverse_complement(along)[: len(assay.reverse)]))
    probe: tuple[Mismatch, ...] = ()
    fitting = True
    if assay.probe:
        site = best_site(assay.probe, along)
        fitting = site is not None
        probe = tuple(mismatches(Part.PROBE, assay.probe, site)) if site is not None else ()
        if len(probe) > rule.max_mismatches:
            fitting, probe = False, ()
    reasons = []
    if any(one.from_end <= rule.near_end for one in (*forward, *reverse)):
        reasons.append(Reason.NEAR_END)
    if max(len(forward), len(reverse)) > rule.most_primer_mismatches:
        reasons.append(Reason.MISMATCHES)
    if not fitting or len(probe) > rule.most_probe_mismatches:
        reasons.append(Reason.PROBE)
    if published_bp and abs(len(amplicon) - published_bp) > rule.tolerance(published_bp):
        reasons.append(Reason.SIZE)
    return Product(
        start=start,
        size_bp=len(amplicon),
        strand=strand,
        mm_forward=len(forward),
        mm_reverse=len(reverse),
        mm_probe=len(probe) if assay.probe and fitting else None,
        published_bp=published_bp,
        mismatches=(*forward, *reverse, *probe),
        judgement=Judgement.DOUBTFUL if reasons else Judgement.DETECTED,
        reasons=tuple(reasons),
    )


def mismatches(part: Part, oligo: str, site: str) -> Iterable[Mismatch]:
    """Give the bases in which a site, on the oligo's strand, does not fit the oligo.

    >>> [(one.base, one.from_end, one.oligo, one.sequence) for one in mismatches(Part.PROBE, "ACRT", "ATGT")]
    [(2, 3, 'C', 'T')]
    """
    wrong = _differences(_sets(oligo), _sets(site))
    for place in np.flatnonzero(wrong).tolist():
        yield Mismatch(part, place + 1, len(oligo) - place, oligo[place], site[place])


def best_site(oligo: str, amplicon: str) -> str | None:
    """Return the window of either strand that fits an oligo best, on the oligo's strand; none when too short.

    >>> best_site("GGCA", "TTTGGCATT"), best_site("GGCA", "TTTGCCTT"), best_site("ACGT", "AC")
    ('GGCA', 'GGCA', None)
    """
    size = len(oligo)
    if len(amplicon) < size:
        return None
    wanted = _sets(oligo)
    best, found = size + 1, None
    for strand in (amplicon, reverse_complement(amplicon)):
        windows = np.lib.stride_tricks.sliding_window_view(_sets(strand), size)
        counts = _differences(wanted, windows).sum(axis=1)
        place = int(counts.argmin())
        if counts[place] < best:
            best, found = int(counts[place]), strand[place : place + size]
    return found


@lru_cache(maxsize=4096)
def _sets(letters: str) -> Bytes:
    found: Bytes = SETS[np.frombuffer(letters.encode("ascii", "replace"), np.uint8)]
    return found


def _differences(oligo: Bytes, site: Bytes) -> NDArray[np.bool_]:
    """Say where a site's letter is empty or may be a base that the oligo's letter does not stand for."""
    wrong: NDArray[np.bool_] = (site == 0) | ((site & ~oligo) != 0)
    return wrong


def best_of(products: Sequence[Product]) -> Product:
    """Return the product that says most for a detection."""
    return min(products, key=lambda product: product.rank)


# What a detection means ------------------------------------------------------------------------


class Expectation(StrEnum):
    """Whether a method was to find a sequence, by what both records say."""

    TARGET = "target"
    """The sequence is of an LMO or element that the method declares as its target, or names the method."""
    EXPECTED = "expected"
    """It is of an LMO that is said to have the target, or of the method's taxon."""
    UNEXPECTED = "unexpected"
    """It is of something else."""
    UNKNOWN = "unknown"
    """The sequence does not say what it is of, or the method's targets are not in the register."""


@dataclass(frozen=True)
class Targets:
    """What a method version declares to detect, in records of the hub."""

    lmo_ids: frozenset[int] = frozenset()
    element_ids: frozenset[int] = frozenset()
    taxon: str = ""
    """Scientific name, for methods that look for a taxon; else empty."""
    codes: frozenset[str] = frozenset()
    """The method's codes, in lower case."""


@dataclass(frozen=True)
class Origin:
    """What a sequence is of."""

    lmo_ids: frozenset[int] = frozenset()
    """The LMOs that it names, and the parents of stacks."""
    element_ids: frozenset[int] = frozenset()
    """The elements that it names."""
    within: frozenset[int] = frozenset()
    """Elements that its LMOs are said to have, undisputed."""
    without: frozenset[int] = frozenset()
    """Elements that its LMOs are said to lack, undisputed."""
    organism: str = ""
    """Its taxon, or the organism as its file names it."""
    codes: frozenset[str] = frozenset()
    """The methods that it says it goes with, by their codes in lower case."""


NO_ORGANISM = ("synthetic", "artificial", "vector", "unclassified", "unidentified", "construct", "plasmid")
"""Words of an organism that says nothing of a taxon."""


def expectation(targets: Targets, origin: Origin) -> Expectation:
    """Say whether a detection was to be expected.

    >>> p35s, mon810 = 1, 7
    >>> screening = Targets(element_ids=frozenset({p35s}))
    >>> of_event = Origin(lmo_ids=frozenset({mon810}), within=frozenset({p35s}))
    >>> expectation(screening, of_event).value, expectation(screening, Origin()).value
    ('expected', 'unknown')
    """
    if (
        targets.lmo_ids & origin.lmo_ids
        or targets.element_ids & origin.element_ids
        or targets.codes & origin.codes
    ):
        return Expectation.TARGET
    if targets.element_ids & origin.within or _is_of(targets.taxon, origin.organism):
        return Expectation.EXPECTED
    if targets.taxon:
        return Expectation.UNEXPECTED if _says_taxon(origin.organism) else Expectation.UNKNOWN
    if not (targets.lmo_ids or targets.element_ids) or not (origin.lmo_ids or origin.element_ids):
        return Expectation.UNKNOWN
    if origin.lmo_ids and not targets.element_ids <= origin.without:
        return Expectation.UNKNOWN  # that no source speaks of an element never excludes an LMO
    return Expectation.UNEXPECTED


def _is_of(taxon: str, organism: str) -> bool:
    wanted, given = taxon.casefold().split(), organism.casefold().split()
    return bool(wanted) and given[: len(wanted)] == wanted


def _says_taxon(organism: str) -> bool:
    text = organism.casefold()
    return len(text.split()) > 1 and not any(word in text for word in NO_ORGANISM)
