"""Melting temperatures of primers on their sites."""

import pytest

from labhub.errors import Invalid
from labhub.sequences.insilico import Assay, search
from labhub.sequences.melting import Conditions, Melting, melting, of_products
from labhub.sequences.packed import pack
from tests.sequences.brute_force import turned

OLIGO = "ACGTTGCAACGGTCATTGCA"
PLAIN = Conditions()


def test_it_is_that_of_primer3() -> None:
    """primer3-py 2.4.0: calc_tm(OLIGO, mv_conc=50, dv_conc=0, dntp_conc=0, dna_conc=50)."""
    found = melting(OLIGO, OLIGO, PLAIN)
    assert found is not None
    assert found.mean == pytest.approx(55.98, abs=0.01)


def test_a_mismatch_lowers_it_and_more_oligo_or_salt_raises_it() -> None:
    whole = melting(OLIGO, OLIGO, PLAIN)
    less = melting(OLIGO, "ACGTTGCAACCGTCATTGCA", PLAIN)
    more = melting(OLIGO, OLIGO, PLAIN, 500)
    salt = melting(OLIGO, OLIGO, Conditions(magnesium_millimolar=3, dntp_millimolar=0.8))
    assert whole and less and more and salt
    assert less.mean < whole.mean < more.mean
    assert salt.mean > whole.mean


def test_a_degenerate_oligo_has_a_least_a_mean_and_a_most() -> None:
    found = melting(OLIGO.replace("GG", "RN"), OLIGO, PLAIN)
    whole = melting(OLIGO, OLIGO, PLAIN)
    assert found and whole
    assert found.least < found.mean < found.most == whole.mean
    many = melting("N" * 20, OLIGO, PLAIN)
    assert many is None or many.least <= many.most


def test_where_there_are_no_published_neighbours_there_is_no_figure() -> None:
    assert melting(OLIGO, "ACGAAGCAACGGTCATTGCA", PLAIN) is None


@pytest.mark.parametrize(
    "wrong",
    [
        Conditions(oligo_nanomolar=0),
        Conditions(sodium_millimolar=0),
        Conditions(magnesium_millimolar=-1),
        Conditions(sodium_millimolar=float("nan")),
    ],
)
def test_impossible_conditions_are_refused(wrong: Conditions) -> None:
    with pytest.raises(Invalid):
        wrong.check()


def test_products_have_the_temperature_of_each_primer_on_either_strand() -> None:
    assay = Assay("a", OLIGO, "GGATTCCGATTGCAGGTTAC")
    product = OLIGO + "CATCATTAGG" + turned(assay.reverse)
    for bases in (product, turned(product)):
        library = pack([("r", bases, False)])
        found = search([assay], library).products
        forward, reverse = of_products([assay], library, found, PLAIN, {"a": (None, 500.0)})
        assert forward == [str(melting(OLIGO, OLIGO, PLAIN))]
        assert reverse == [str(melting(assay.reverse, assay.reverse, PLAIN, 500))]
    assert isinstance(melting(OLIGO, OLIGO, PLAIN), Melting)
