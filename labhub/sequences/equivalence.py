"""Which records hold the same molecule, whatever strand was written and wherever a circle was opened.

Each record gets three marks, so that its relation to another follows from marks alone and no bases are
compared: the refget digest of its bases, that of its reverse complement, and one of the *canonical*
form: the least of all rotations of both strands. Records with equal canonical forms are the same
circle; two linear ones are the same only where they do not differ by a rotation.
"""

from dataclasses import dataclass
from enum import StrEnum

from labhub.i18n import N_
from labhub.sequences.formats import refget_digest
from labhub.sequences.oligos import reverse_complement

SEED = 16
"""Letters of the least piece by which places of least rotations are found."""


class Relation(StrEnum):
    """How the bases of another record stand to those of this one."""

    SAME = "same"
    REVERSE_COMPLEMENT = "reverse-complement"
    ROTATION = "rotation"
    ROTATED_REVERSE_COMPLEMENT = "rotated-reverse-complement"


RELATION_NAMES: dict[Relation, str] = {
    Relation.SAME: N_("the same bases"),
    Relation.REVERSE_COMPLEMENT: N_("reverse complement"),
    Relation.ROTATION: N_("the same circle, opened elsewhere"),
    Relation.ROTATED_REVERSE_COMPLEMENT: N_("reverse complement of the same circle, opened elsewhere"),
}


@dataclass(frozen=True)
class Marks:
    """What is kept of the bases of a record to compare it with others."""

    digest: str
    """Refget identifier of the bases as written."""
    reverse_digest: str
    """Refget identifier of the reverse complement."""
    canonical_digest: str
    """``CN.`` and the truncated SHA-512 of the least rotation of both strands."""
    canonical_strand: int
    """1 when the least rotation lies on the strand as written (or on both), -1 on the other."""


def marks(bases: str) -> Marks:
    """Return the marks of a record; letters count as upper case, U and T as different.

    >>> one, other = marks("ACGGT"), marks("GTACG")
    >>> one.canonical_digest == other.canonical_digest
    True
    """
    forward = bases.upper()
    if "U" in forward:
        backward = reverse_complement(forward.replace("U", "T")).replace("T", "U")
    else:
        backward = reverse_complement(forward)
    here, there = least_rotation(forward), least_rotation(backward)
    return Marks(
        digest=refget_digest(forward),
        reverse_digest=refget_digest(backward),
        canonical_digest=refget_digest(min(here, there)).replace("SQ.", "CN.", 1),
        canonical_strand=1 if here <= there else -1,
    )


def relation(one: Marks, other: Marks, *, circular: bool) -> Relation | None:
    """Return how ``other`` stands to ``one``; ``circular`` when at least one of them is a circle.

    None when they are different molecules. Where several hold (a palindrome), the plainest is named.
    """
    if one.digest == other.digest:
        return Relation.SAME
    if one.digest == other.reverse_digest:
        return Relation.REVERSE_COMPLEMENT
    if not circular or one.canonical_digest != other.canonical_digest:
        return None
    if one.canonical_strand == other.canonical_strand:
        return Relation.ROTATION
    return Relation.ROTATED_REVERSE_COMPLEMENT


def least_rotation(text: str) -> str:
    """Return the first in the alphabet of all rotations of an ASCII text, in time that grows as its length.

    The two candidates of the classic algorithm (the place of the least rotation so far, and the next that
    may beat it) are moved by whole equal stretches; candidates are only places where the least piece of
    ``SEED`` letters begins, which the text search of Python finds without a look at each letter.

    >>> least_rotation("GTACG")
    'ACGGT'
    """
    length = len(text)
    if length < 2:
        return text
    ring = text.encode("ascii") * 2
    seed = _least_piece(ring, length, min(SEED, length))
    most = length + len(seed) - 1  # a candidate begins inside the first turn
    best = ring.find(seed)
    other = ring.find(seed, best + 1, most)
    while other >= 0:
        equal = _equal_stretch(ring, best, other, length)
        if equal == length:  # the text repeats itself: this rotation and all later ones are known
            break
        if ring[best + equal] <= ring[other + equal]:
            other = ring.find(seed, other + equal + 1, most)
        else:
            best, passed = other, best + equal
            other = ring.find(seed, max(best, passed) + 1, most)
    return (ring[best : best + length]).decode("ascii")


def _least_piece(ring: bytes, length: int, size: int) -> bytes:
    """Return the least piece of ``size`` letters that begins inside the first turn of the ring."""
    letters = [bytes([letter]) for letter in sorted(set(ring[:length]))]
    piece = b""
    while len(piece) < size:
        end = length + len(piece)  # pieces that begin at the last letter of the first turn
        piece = next(piece + letter for letter in letters if ring.find(piece + letter, 0, end) >= 0)
    return piece


def _equal_stretch(ring: bytes, one: int, other: int, length: int) -> int:
    """Return how many letters behind two places are equal, at most ``length``."""
    equal, step = 0, 64
    while equal < length:
        step = min(step, length - equal)
        if ring[one + equal : one + equal + step] == ring[other + equal : other + equal + step]:
            equal += step
            step *= 2
        elif step == 1:
            return equal
        else:
            # The first difference lies inside the piece: halve until it is found.
            while step > 1:
                half = step // 2
                if ring[one + equal : one + equal + half] == ring[other + equal : other + equal + half]:
                    equal += half
                    step -= half
                else:
                    step = half
            return equal
    return length
