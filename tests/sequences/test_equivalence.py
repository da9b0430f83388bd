"""Records of one molecule are recognised, whatever strand was written and wherever a circle was opened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.sequences.equivalence import Marks, Relation, least_rotation, marks, relation
from labhub.sequences.oligos import reverse_complement
from tests.factories import make_bases

BASES = make_bases(200)


def rotated(text: str, by: int) -> str:
    return text[by:] + text[:by]


def by_definition(text: str) -> str:
    return min((rotated(text, by) for by in range(len(text))), default=text)


pieces = st.text("ACGT", min_size=1, max_size=12)
texts = st.one_of(
    st.text("ACGTN", min_size=1, max_size=80),
    st.text("AC", min_size=1, max_size=80),
    st.builds(lambda piece, times, tail: piece * times + tail, pieces, st.integers(1, 12), st.text("ACGT")),
)


@given(texts)
def test_least_rotation_is_that_of_the_definition(text: str) -> None:
    assert least_rotation(text) == by_definition(text)


@given(texts, st.integers(0, 200))
def test_every_form_of_a_circle_has_one_canonical_digest(text: str, by: int) -> None:
    turned = rotated(text, by % len(text))
    first, second = marks(text), marks(reverse_complement(turned))
    assert first.canonical_digest == second.canonical_digest
    assert relation(first, second, circular=True) is not None


@pytest.mark.parametrize(
    "text",
    ["A" * 300_000, "A" * 299_999 + "C", "T" * 299_999 + "A", "AC" * 150_000, ("A" * 50 + "C") * 6_000],
    ids=["one letter", "one other at the end", "least at the end", "period 2", "period 51"],
)
def test_repeats_are_no_trap(text: str) -> None:
    """A slow way would compare the square of these lengths: 90,000 million letters."""
    assert sorted(least_rotation(text)) == sorted(text)


def fibonacci(length: int) -> str:
    one, other = "A", "C"
    while len(other) < length:
        one, other = other, other + one
    return other[:length]


def test_fibonacci_words_are_no_trap() -> None:
    assert least_rotation(fibonacci(377)) == by_definition(fibonacci(377))
    assert len(least_rotation(fibonacci(400_000))) == 400_000


@pytest.mark.parametrize(
    ("other", "circular", "expected"),
    [
        (BASES, False, Relation.SAME),
        (BASES.lower(), False, Relation.SAME),
        (reverse_complement(BASES), False, Relation.REVERSE_COMPLEMENT),
        (rotated(BASES, 50), True, Relation.ROTATION),
        (rotated(reverse_complement(BASES), 7), True, Relation.ROTATED_REVERSE_COMPLEMENT),
        (rotated(BASES, 50), False, None),
        (BASES[:-1] + ("A" if BASES[-1] != "A" else "C"), True, None),
    ],
)
def test_relation_is_named_by_its_kind(other: str, circular: bool, expected: Relation | None) -> None:
    assert relation(marks(BASES), marks(other), circular=circular) is expected
    assert relation(marks(other), marks(BASES), circular=circular) is expected


def test_reverse_complement_of_a_palindromic_circle_is_named_as_such() -> None:
    half = make_bases(60, seed=5)
    turned = rotated(half + reverse_complement(half), 17)
    assert relation(marks(turned), marks(reverse_complement(turned)), circular=False) is (
        Relation.REVERSE_COMPLEMENT
    )


def test_rna_stays_rna() -> None:
    made: Marks = marks("ACGUU")
    assert made.reverse_digest == marks("AACGU").digest
    assert made.canonical_digest != marks("ACGTT").canonical_digest
