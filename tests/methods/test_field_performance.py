"""The field performance of a method: median and spread of verifications beside the validation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.methods.criteria import Criteria, read_criteria
from labhub.methods.field_performance import (
    Figures,
    compare,
    figures_of,
    limits_of,
    validated_figures,
)

NOTHING: Figures = dict.fromkeys(
    ("slope", "r2", "rsdr_percent", "bias_percent", "lod_copies", "lod_percent"), None
)


def some_criteria() -> Criteria:
    """Return the limits of the domain guide (section 6)."""
    return read_criteria(
        {
            "version": "T-1",
            "adopted_on": "2026-01-01",
            "title": "Test",
            "source": "domain guide, section 6",
            "target_percent": 0.9,
            "rules": [
                {"id": "slope", "least": -3.6, "most": -3.1, "techniques": ["qpcr"], "mark": "S"},
                {"id": "r2", "least": 0.98, "techniques": ["qpcr"], "mark": "S"},
                {"id": "trueness", "most": 25, "quantitative": True, "mark": "S"},
                {"id": "repeatability", "most": 25, "quantitative": True, "mark": "S"},
                {"id": "lod-relative", "most_of_target": 0.05, "mark": "M"},
            ],
        }
    )


def test_median_and_spread_stand_beside_the_validation() -> None:
    rows = [{**NOTHING, "slope": slope} for slope in (-3.3, -3.4, -3.7)]
    (row,) = compare(rows, {**NOTHING, "slope": -3.35}, limits_of(some_criteria(), "qpcr", True))
    assert (row.count, row.median, row.low, row.high) == (3, -3.4, -3.7, -3.3)
    assert (row.validated, row.limits, row.outside, row.drifts) == (-3.35, (-3.6, -3.1), 1, False)


def test_median_outside_the_criteria_is_a_drift() -> None:
    rows = [{**NOTHING, "bias_percent": bias} for bias in (-31.0, -28.0, 4.0)]
    (row,) = compare(rows, NOTHING, limits_of(some_criteria(), "qpcr", True))
    assert row.drifts
    assert row.outside == 2


@pytest.mark.parametrize(
    ("technique", "quantitative", "names"),
    [
        ("qpcr", True, {"slope", "r2", "bias_percent", "rsdr_percent", "lod_percent"}),
        ("dpcr", True, {"bias_percent", "rsdr_percent", "lod_percent"}),
        ("qpcr", False, {"slope", "r2", "lod_percent"}),
    ],
)
def test_limits_apply_where_the_criteria_do(technique: str, quantitative: bool, names: set[str]) -> None:
    assert set(limits_of(some_criteria(), technique, quantitative)) == names


def test_limit_of_detection_is_a_part_of_the_target_concentration() -> None:
    assert limits_of(some_criteria(), "qpcr", True)["lod_percent"] == (None, pytest.approx(0.045))


def test_without_criteria_the_minimum_performance_of_engl_stands_in() -> None:
    assert limits_of(None, "qpcr", True)["slope"] == (-3.6, -3.1)
    assert limits_of(None, "dpcr", False) == {}


def test_summary_figures_go_before_those_of_studies_and_trials_before_others() -> None:
    studies = [
        {"kind": "single-laboratory", "slope": -3.2, "lod_copies": 9, "levels": []},
        {"kind": "collaborative-trial", "slope": -3.3, "levels": [{"rsdr_percent": 12.0}]},
    ]
    found = validated_figures({"validation": {"r2": 0.99, "slope": None}, "studies": studies})
    assert (found["slope"], found["r2"], found["rsdr_percent"], found["lod_copies"]) == (-3.3, 0.99, 12.0, 9)


def test_figures_that_nobody_reports_are_left_out() -> None:
    assert compare([NOTHING, NOTHING], NOTHING, {}) == []


@given(st.lists(st.floats(-60, 60), min_size=1, max_size=12))
def test_median_lies_within_the_spread_and_a_drift_means_that_somebody_is_outside(
    values: list[float],
) -> None:
    rows = [{**NOTHING, "bias_percent": value} for value in values]
    (row,) = compare(rows, NOTHING, limits_of(None, "qpcr", True))
    assert row.low <= row.median <= row.high
    assert row.outside >= (1 if row.drifts and len(values) % 2 else 0)


def test_worst_level_of_a_study_counts() -> None:
    levels = [{"rsdr_percent": 10.0, "bias_percent": 20.0}, {"rsdr_percent": None, "bias_percent": -22.0}]
    found = figures_of({"levels": levels})
    assert (found["rsdr_percent"], found["bias_percent"]) == (10.0, -22.0)
