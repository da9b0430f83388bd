"""Limits of detection: published fits, the project's own real data, and refusals."""

import csv
from math import log, log10
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labhub.methods.detection_limits import (
    Dose,
    chance,
    fit_line,
    fit_poisson,
    limits_of,
    lowest_level,
    poisson_copies,
)

BEETLES = [
    Dose(10**log_dose, tested, killed)
    for log_dose, tested, killed in (
        (1.6907, 59, 6), (1.7242, 60, 13), (1.7552, 62, 18), (1.7842, 56, 28), (1.8113, 63, 52),
        (1.8369, 59, 53), (1.8610, 62, 61), (1.8839, 60, 60),
    )
]  # fmt: skip
"""C. I. Bliss 1935, as in A. J. Dobson, An Introduction to Generalized Linear Models, table 7.2."""

USGS = [Dose(10_000, 96, 96), Dose(1_000, 96, 96), Dose(100, 96, 96), Dose(10, 96, 96), Dose(5, 96, 59),
        Dose(1, 96, 25), Dose(0, 96, 0)]  # fmt: skip


def test_bliss_1935_is_fitted_as_dobson_prints_it():
    """Dobson, table 7.4 (typed from knowledge): probit -34.94 and 19.73, deviance 10.12 on 6."""
    fit = fit_line(BEETLES, "probit")
    assert (round(fit.intercept, 2), round(fit.slope, 2)) == (-34.94, 19.73)
    assert (round(fit.deviance, 2), fit.freedom) == (10.12, 6)


def test_the_logit_of_bliss_1935_is_fitted_as_dobson_prints_it():
    """Dobson, table 7.4 (typed from knowledge): logit -60.72 and 34.27, deviance 11.23."""
    fit = fit_line(BEETLES, "logit")
    assert (round(fit.intercept, 2), round(fit.slope, 2)) == (-60.72, 34.27)
    assert round(fit.deviance, 2) == 11.23


def test_the_profile_interval_ends_where_twice_the_likelihood_has_fallen_by_3_84():
    """Checked with another optimiser: SciPy's, over the slope, at the ends found here."""
    from scipy.optimize import minimize_scalar
    from scipy.stats import norm

    fit = fit_line(BEETLES, "probit")

    def loss(slope: float, at: float) -> float:
        total = 0.0
        for dose in BEETLES:
            p = norm.cdf(norm.ppf(0.95) + slope * (log10(dose.amount) - at))
            total -= dose.positive * log(p) + (dose.tested - dose.positive) * log(max(1 - p, 1e-300))
        return total

    for end in (fit.low, fit.high):
        best = minimize_scalar(
            lambda slope, end=end: loss(slope, log10(end)), bounds=(1, 60), method="bounded"
        )
        assert 2 * (best.fun + fit.log_likelihood) == pytest.approx(3.8415, abs=0.002)
    assert fit.low < fit.lod < fit.high


def test_real_qpcr_data_give_a_limit_between_the_partial_and_the_full_level():
    """The counts of ../shared/data/qpcr/lod_example (USGS, public domain)."""
    limits = limits_of(USGS, copies=True)
    assert limits.lowest_level == 10
    assert (limits.blank_tested, limits.blank_positive) == (96, 0)
    for fit in limits.fits:
        assert fit.refusal is None
        assert 5 < fit.lod < 20 and fit.low < fit.lod < fit.high
        assert fit.p_value < 0.05  # all three fit poorly: from 61 % at 5 to 100 % at 10 copies


@pytest.mark.shared
def test_the_counts_are_those_of_the_shared_file(shared_data: Path):
    seen: dict[str, dict[float, list[bool]]] = {}
    with (shared_data / "qpcr/lod_example/Data.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            amount = float(row["SQ"]) if row["SQ"] not in ("", "NaN", "NA") else 0.0
            seen.setdefault(row["Target"], {}).setdefault(amount, []).append(
                row["Cq"] not in ("NaN", "NA", "")
            )
    assert set(seen) == {"BHC", "SVC"}
    for levels in seen.values():
        assert {Dose(a, len(hits), sum(hits)) for a, hits in levels.items()} == set(USGS)


def test_a_single_target_needs_three_copies_for_95_percent():
    """Domain guide, section 5: 3.0 copies for 95 %, 4.6 for 99 %."""
    assert poisson_copies(0.95) == pytest.approx(2.9957, abs=1e-4)
    assert poisson_copies(0.99) == pytest.approx(4.6052, abs=1e-4)


def test_counts_that_follow_poisson_give_three_copies():
    doses = [Dose(0.5, 10_000, 3935), Dose(1, 10_000, 6321), Dose(2, 10_000, 8647), Dose(4, 10_000, 9817)]
    fit = fit_poisson(doses)
    assert fit.detected_per_copy == pytest.approx(1.0, abs=0.001)
    assert fit.lod == pytest.approx(3.0, abs=0.01)


def test_one_partial_level_is_enough_for_poisson_and_not_for_a_line_through_one_point():
    doses = [Dose(1, 60, 38)]
    assert fit_line(doses, "probit").refusal is not None
    assert "two levels" in str(fit_poisson(doses).refusal)


def test_without_partial_response_the_line_is_refused_with_the_reason():
    fit = fit_line([Dose(1, 20, 0), Dose(10, 20, 20)], "probit")
    assert fit.lod is None and "partial response" in str(fit.refusal)


def test_all_detected_is_refused_with_the_reason():
    fit = fit_line([Dose(1, 20, 20), Dose(10, 20, 20)], "logit")
    assert "below the lowest level" in str(fit.refusal)


def test_none_detected_is_refused_with_the_reason():
    assert "above the highest" in str(fit_line([Dose(1, 20, 0), Dose(10, 20, 0)], "probit").refusal)


def test_detection_that_falls_with_the_amount_is_refused():
    fit = fit_line([Dose(1, 20, 15), Dose(10, 20, 10), Dose(100, 20, 5)], "probit")
    assert "does not rise" in str(fit.refusal)


@pytest.mark.parametrize(
    "doses", [[Dose(1, 20, 0), Dose(2, 20, 10), Dose(4, 20, 20)], [Dose(1, 60, 30), Dose(10, 60, 60)]]
)
def test_one_partial_level_between_none_and_all_is_refused_for_a_line_and_not_for_poisson(doses):
    assert "Only one level" in str(fit_line(doses, "probit").refusal)
    assert fit_poisson(doses).refusal is None


def test_the_plain_rule_stops_at_the_first_level_with_more_than_5_percent_missed():
    doses = [Dose(1, 60, 60), Dose(2, 60, 50), Dose(5, 60, 57), Dose(10, 60, 60)]
    assert lowest_level(doses) == 5
    assert lowest_level([Dose(1, 60, 56)]) is None


def test_percent_levels_get_no_poisson_model():
    assert [fit.model for fit in limits_of([Dose(0.1, 9, 8), Dose(0.5, 9, 9)], copies=False).fits] == [
        "probit",
        "logit",
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from([0.01, 0.1, 1.0, 5.0, 10.0, 100.0]), st.integers(1, 60), st.floats(0, 1)),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_a_fit_is_either_refused_or_says_95_percent_at_its_limit(drawn):
    doses = [Dose(amount, tested, round(share * tested)) for amount, tested, share in drawn]
    for fit in limits_of(doses, copies=True).fits:
        if fit.refusal is None:
            assert fit.lod > 0
            assert chance(fit, fit.lod) == pytest.approx(0.95, abs=1e-6)
            assert fit.low is None or fit.low <= fit.lod * 1.000001
            assert fit.high is None or fit.high >= fit.lod * 0.999999
