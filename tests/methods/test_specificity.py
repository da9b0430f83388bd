"""The rule by which products are judged, and what was to be expected of a pair."""

from hypothesis import given
from hypothesis import strategies as st

from labhub.methods.specificity import (
    RULE,
    Expectation,
    Judgement,
    Origin,
    Part,
    Product,
    Reason,
    Targets,
    best_of,
    best_site,
    expectation,
    judged,
)
from labhub.sequences.insilico import Assay
from labhub.sequences.oligos import IUPAC, matches, reverse_complement
from tests.methods.specificity_records import FORWARD, PROBE, REVERSE, amplicon, changed

ASSAY = Assay("LH-1", FORWARD, REVERSE, PROBE)


def product(published_bp: int | None = 92, assay: Assay = ASSAY, strand: int = 1, **sites: object) -> Product:
    bases = amplicon(**sites)  # type: ignore[arg-type]
    if strand < 0:
        bases = reverse_complement(bases)
    return judged(assay, bases, start=1, strand=strand, published_bp=published_bp)


def test_a_perfect_product_is_detected_on_both_strands() -> None:
    for strand in (1, -1):
        found = product(strand=strand)
        assert (found.judgement, found.reasons, found.mismatches) == (Judgement.DETECTED, (), ())
        assert (found.mm_forward, found.mm_reverse, found.mm_probe) == (0, 0, 0)


def test_one_mismatch_far_from_the_end_stays_detected_and_is_named() -> None:
    found = product(reverse=changed(REVERSE, 3))
    assert found.judgement is Judgement.DETECTED
    (one,) = found.mismatches
    assert (one.part, one.base, one.from_end) == (Part.REVERSE, 3, len(REVERSE) - 2)
    assert (one.oligo, one.sequence) == (REVERSE[2], changed(REVERSE, 3)[2])


def test_a_mismatch_at_the_last_base_is_doubtful_and_not_missed() -> None:
    for place in range(len(FORWARD) - RULE.near_end + 1, len(FORWARD) + 1):
        assert product(forward=changed(FORWARD, place)).reasons == (Reason.NEAR_END,)
    assert product(forward=changed(FORWARD, len(FORWARD) - RULE.near_end)).reasons == ()


def test_two_mismatches_in_one_primer_are_doubtful_one_in_each_is_not() -> None:
    assert product(forward=changed(FORWARD, 2, 9)).reasons == (Reason.MISMATCHES,)
    assert product(forward=changed(FORWARD, 2), reverse=changed(REVERSE, 9)).reasons == ()


def test_the_probe_counts_up_to_a_limit() -> None:
    assert product(probe=changed(PROBE, 2, 9)).reasons == ()
    three = product(probe=changed(PROBE, 2, 9, 14))
    assert (three.reasons, three.mm_probe) == ((Reason.PROBE,), 3)
    none = product(probe=changed(PROBE, 2, 5, 9, 14))
    assert (none.reasons, none.mm_probe, none.mismatches) == ((Reason.PROBE,), None, ())


def test_a_length_off_the_tolerance_is_doubtful() -> None:
    tolerance = RULE.tolerance(100)
    assert product(published_bp=100, size=100 + tolerance).reasons == ()
    assert product(published_bp=100, size=100 + tolerance + 1).reasons == (Reason.SIZE,)
    assert product(published_bp=None, size=300).reasons == ()


def test_published_lengths_of_the_shared_data_are_within_the_tolerance() -> None:
    assert abs(101 - 100) <= RULE.tolerance(100)  # P35S 1-5'/P35S 1-3'
    assert abs(163 - 151) <= RULE.tolerance(151) < abs(193 - 151)  # QL-CON-00-014, whose length varies


def test_the_best_product_is_the_surest() -> None:
    doubtful, detected = product(forward=changed(FORWARD, 23)), product(forward=changed(FORWARD, 1), size=95)
    assert best_of([doubtful, detected]) is detected
    assert best_of([detected, product()]).mismatches == ()


LETTERS = st.text(alphabet=sorted(IUPAC), min_size=4, max_size=12)


@given(LETTERS, st.text(alphabet="ACGTN-", max_size=60))
def test_best_site_is_that_of_a_plain_search(oligo: str, bases: str) -> None:
    def count(site: str) -> int:
        return sum(not matches(a, b) for a, b in zip(site, oligo, strict=True))

    windows = [
        strand[place : place + len(oligo)]
        for strand in (bases, reverse_complement(bases))
        for place in range(len(strand) - len(oligo) + 1)
    ]
    found = best_site(oligo, bases)
    assert (found is None) == (not windows)
    if found is not None:
        assert count(found) == min(map(count, windows))


def test_expectation_follows_what_both_records_say() -> None:
    event = Targets(lmo_ids=frozenset({7}))
    screening = Targets(element_ids=frozenset({1}))
    assert expectation(event, Origin(lmo_ids=frozenset({7, 8}))) is Expectation.TARGET
    assert expectation(event, Origin(lmo_ids=frozenset({9}))) is Expectation.UNEXPECTED
    assert expectation(event, Origin(element_ids=frozenset({1}))) is Expectation.UNEXPECTED
    assert expectation(event, Origin()) is Expectation.UNKNOWN
    assert expectation(Targets(), Origin(lmo_ids=frozenset({9}))) is Expectation.UNKNOWN
    assert expectation(screening, Origin(element_ids=frozenset({1}))) is Expectation.TARGET
    of_lmo = frozenset({9})
    assert expectation(screening, Origin(lmo_ids=of_lmo, within=frozenset({1}))) is Expectation.EXPECTED
    assert expectation(screening, Origin(lmo_ids=of_lmo, without=frozenset({1}))) is Expectation.UNEXPECTED
    assert expectation(screening, Origin(lmo_ids=of_lmo)) is Expectation.UNKNOWN  # nobody says


def test_taxon_methods_go_by_the_organism() -> None:
    maize = Targets(taxon="Zea mays")
    assert expectation(maize, Origin(organism="Zea mays subsp. mays")) is Expectation.EXPECTED
    assert expectation(maize, Origin(organism="Glycine max")) is Expectation.UNEXPECTED
    assert expectation(maize, Origin(organism="synthetic DNA construct")) is Expectation.UNKNOWN
    assert expectation(maize, Origin(organism="")) is Expectation.UNKNOWN


def test_a_changed_figure_needs_a_new_version_of_the_rule() -> None:
    """Pairs are computed anew only when the version changes: give the rule a new one, then change this."""
    figures = (
        RULE.max_mismatches,
        RULE.min_size,
        RULE.max_size,
        RULE.near_end,
        RULE.most_primer_mismatches,
        RULE.most_probe_mismatches,
        RULE.size_tolerance,
        RULE.size_tolerance_bp,
    )
    assert (RULE.version, figures) == ("2026-1", (3, 40, 1500, 5, 1, 2, 0.1, 5))
