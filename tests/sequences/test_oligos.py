"""Oligos are read as people write them, and never expanded: D11."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.errors import Invalid
from labhub.sequences.oligos import (
    IUPAC,
    Oligo,
    amplicon_fits,
    gc_fraction,
    matches,
    read_oligo,
    reverse_complement,
)

letters = st.text("".join(IUPAC), min_size=1, max_size=40)
bases = st.text("ACGT", min_size=1, max_size=40)


@pytest.mark.req("D11")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acgt", Oligo("ACGT")),
        (" AC GT\n", Oligo("ACGT")),
        ("AcGu", Oligo("ACGT")),
        ("5'-ACGT-3'", Oligo("ACGT")),
        ("5′ ACGT 3′", Oligo("ACGT")),
        ("N" * 40, Oligo("N" * 40)),
        ("[FAM]-ACGT-[TAMRA]", Oligo("ACGT", ((0, "FAM"), (4, "TAMRA")))),
        ("(HEX)AC(ZEN)GT{BHQ1}", Oligo("ACGT", ((0, "HEX"), (2, "ZEN"), (4, "BHQ1")))),
        ("/56-FAM/ACGT/3IABkFQ/", Oligo("ACGT", ((0, "56-FAM"), (4, "3IABkFQ")))),
        ("5'-[FAM]ACGT-3'", Oligo("ACGT", ((0, "FAM"),))),
        ("A" * 200, Oligo("A" * 200)),
    ],
)
def test_oligo_is_read(text: str, expected: Oligo) -> None:
    assert read_oligo(text) == expected


@pytest.mark.req("D11")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no bases"),
        ("  ", "no bases"),
        ("[FAM]", "no bases"),
        ("5'-3'", "no bases"),
        ("ACXT", "X at base 3"),
        ("AC-GT", "- at base 3"),
        ("ACJT", "J at base 3"),
        ("ACGT+", r"\+ at base 5"),
        ("AC#GT", "at base 3"),
        ("FAM-ACGT", "F at base 1"),
        ("АCGT", r"U\+0410 at base 1"),
        ("A\u202eCGT", r"U\+202E at base 2"),
        ("A\0CGT", "at base 2"),
        ("AC[GT", r"\[ at base 3"),
        ("A[]C", "after base 1"),
        ("A" * 201, "200 bases"),
        ("A" * 1_000_000, "200 bases"),
        ("[" * 1_000_000, "200 bases"),
        ("[" * 1_000, r"\[ at base 1"),
    ],
)
def test_oligo_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read_oligo(text)


@given(letters)
def test_reverse_complement_twice_is_the_oligo(text: str) -> None:
    assert reverse_complement(reverse_complement(text)) == text


@given(letters)
def test_strands_have_the_same_gc(text: str) -> None:
    assert gc_fraction(text) == pytest.approx(gc_fraction(reverse_complement(text)))
    assert 0 <= gc_fraction(text) <= 1


@given(letters, letters)
def test_match_is_the_subset_of_bases(reference: str, oligo: str) -> None:
    size = min(len(reference), len(oligo))
    reference, oligo = reference[:size], oligo[:size]
    assert matches(reference, oligo) == all(
        IUPAC[a] <= IUPAC[b] for a, b in zip(reference, oligo, strict=True)
    )
    assert matches(reference, reference)


def test_n_of_a_reference_matches_only_n() -> None:
    assert [letter for letter in IUPAC if matches("N", letter)] == ["N"]
    assert all(matches(letter, "N") for letter in IUPAC)


def test_lengths_must_agree_and_case_does_not_matter() -> None:
    assert not matches("AC", "A")
    assert matches("acgu", "ACGT")


@given(bases, bases, st.integers(0, 500))
def test_made_amplicon_fits_its_primers(forward: str, reverse: str, gap: int) -> None:
    amplicon = forward + "N" * gap + reverse_complement(reverse)
    assert amplicon_fits(amplicon, forward, reverse)
    assert amplicon_fits(amplicon.lower(), forward, reverse)
    assert amplicon_fits(reverse_complement(amplicon), reverse, forward)


@pytest.mark.parametrize(
    ("amplicon", "forward", "reverse", "fits"),
    [
        ("ACGTNNNNTTGG", "ACGT", "CCAA", True),
        ("ACGTNNNNTTGG", "ACRT", "CYAA", True),
        ("ACRTNNNNTTGG", "ACGT", "CCAA", False),
        ("NNNNNNNNTTGG", "ACGT", "CCAA", False),
        ("GACGTNNNTTGG", "ACGT", "CCAA", False),
        ("ACG", "ACGT", "CCAA", False),
        ("ACGTTGG", "ACGTT", "CCAACG", True),
    ],
)
def test_amplicon(amplicon: str, forward: str, reverse: str, fits: bool) -> None:
    assert amplicon_fits(amplicon, forward, reverse) is fits


def test_amplicon_with_a_wrong_letter_is_refused() -> None:
    with pytest.raises(Invalid, match="X at base 2"):
        amplicon_fits("AXGT", "A", "A")
