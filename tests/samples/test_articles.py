"""What three facts mean for Articles 17 and 25."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.samples.articles import Fact, both, is_illegal_movement, is_unintentional_movement

facts = st.sampled_from(Fact)


@pytest.mark.parametrize(
    ("inadvertent", "effects", "expected"),
    [
        (Fact.YES, Fact.YES, Fact.YES),
        (Fact.YES, Fact.NO, Fact.NO),
        (Fact.NO, Fact.UNKNOWN, Fact.NO),
        (Fact.YES, Fact.UNKNOWN, Fact.UNKNOWN),
        (Fact.UNKNOWN, Fact.UNKNOWN, Fact.UNKNOWN),
    ],
)
def test_article_17_needs_an_inadvertent_crossing_and_likely_effects(
    inadvertent: Fact, effects: Fact, expected: Fact
) -> None:
    assert is_unintentional_movement(inadvertent, effects) is expected


@given(facts)
def test_article_25_is_the_contravention_of_domestic_measures(contravention: Fact) -> None:
    assert is_illegal_movement(contravention) is contravention


@given(facts, facts)
def test_the_order_of_two_facts_does_not_matter(first: Fact, second: Fact) -> None:
    assert both(first, second) is both(second, first)


@given(facts, facts)
def test_what_becomes_known_never_turns_an_answer_round(first: Fact, second: Fact) -> None:
    """An answer given while a fact was not known holds whatever the fact turns out to be."""
    early = both(first, Fact.UNKNOWN)
    if early is not Fact.UNKNOWN:
        assert both(first, second) is early


@given(facts, facts)
def test_yes_needs_yes_twice_and_no_needs_no_once(first: Fact, second: Fact) -> None:
    assert (both(first, second) is Fact.YES) == (first is second is Fact.YES)
    assert (both(first, second) is Fact.NO) == (Fact.NO in (first, second))
