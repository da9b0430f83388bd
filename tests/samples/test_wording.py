"""A result never says that there is no LMO."""

from hypothesis import given
from hypothesis import strategies as st

from labhub.samples.models import Outcome, PercentUnit
from labhub.samples.wording import statement


def test_not_detected_names_the_limit_and_the_sampled_amount() -> None:
    words = str(statement(Outcome.NOT_DETECTED, lod_text="20 copies", mass_gram=2500, increments=10))
    assert words == "not detected (LOD 20 copies; sampled: 2500 g in increments: 10)"
    words = str(statement(Outcome.NOT_DETECTED, lod_text="20 copies"))
    assert words == "not detected (LOD 20 copies; sampled: amount not recorded)"


@given(st.sampled_from(Outcome))
def test_no_outcome_says_no_lmo(outcome: Outcome) -> None:
    words = str(statement(outcome, lod_text="0.05 %", gm_percent=0.0, unit=PercentUnit.COPIES))
    assert words
    assert "no LMO" not in words
    assert "negative" not in words
