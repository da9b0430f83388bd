"""The working of a study: what is stored, what is computed, and where both differ."""

import json

import pytest

from labhub.methods import exchange
from labhub.methods.study_working import computed, data_of, is_qualitative, means_copies, working
from tests.methods.test_trials import COAL, rows_of


def study(**fields):
    given, errors = exchange.check_study({"kind": "collaborative-trial", **fields})
    assert not errors, errors
    return given


DATA = [list(row) for row in rows_of(COAL)]


def test_raw_results_without_figures_are_computed_when_they_are_read():
    assert [round(level["s_R"], 3) for level in study(data=DATA)["levels"]] == [0.026, 0.061, 0.035, 0.058]


def test_computed_figures_agree_with_the_working():
    assert working(study(data=DATA, unit="% m/m")).differences == ()


def test_a_stored_figure_that_the_results_do_not_give_is_named():
    levels = study(data=DATA)["levels"]
    levels[1]["rsdR_percent"] = 1.0
    (one,) = working(study(data=DATA, levels=levels)).differences
    assert (one.level, one.figure, one.stored) == ("2", "rsdR_percent", 1.0)


def test_figures_by_hand_have_no_working():
    found = working(study(levels=[{"label": "A", "mean": 1}]))
    assert found.trial is None and found.limits is None and found.differences == ()


def test_counts_by_hand_give_a_limit_of_detection_to_look_at():
    levels = [
        {"label": "1", "assigned": 1, "tested": 60, "positive": 30},
        {"label": "10", "assigned": 10, "tested": 60, "positive": 60},
    ]
    limits = working(study(levels=levels, unit="copies")).limits
    assert limits.lowest_level == 10
    assert [fit.model for fit in limits.fits] == ["probit", "logit", "poisson"]


def test_a_bare_number_as_name_of_a_level_is_no_assigned_value():
    assert [level["assigned"] for level in study(data=DATA)["levels"]] == [None] * 4


def test_horrat_needs_percent_by_mass():
    assert working(study(data=DATA, unit="% (m/m)")).trial.levels[0].horrat is not None
    assert working(study(data=DATA, unit="% cp/cp")).trial.levels[0].horrat is None


def test_a_yes_no_test_in_percent_gives_a_limit_in_percent():
    data = [
        ["A", label, n + 1, int(n < hits)]
        for label, hits in (("0.1 %", 30), ("0.01 %", 12))
        for n in range(30)
    ]
    found = study(data=data, unit="detected, %")
    assert found["lod_copies"] is None and 0.01 < found["lod_percent"] <= 0.1


def test_a_new_assigned_value_goes_before_the_one_known():
    result = computed(study(data=DATA, levels=[{"label": "1", "assigned": 5}]), assigned={"1": 0.7})
    assert result["levels"][0]["assigned"] == 0.7


def test_the_working_is_plain_data_with_reasons_in_words():
    decision = {"laboratory": "6", "level": "2", "action": "exclude", "reason": "x"}
    one = study(data=DATA, decisions=[decision])
    data = json.loads(json.dumps(data_of(one, working(one))))
    assert data["levels"][1]["exclusions"][0]["text"] == "excluded by a decision"
    assert data["levels"][1]["warnings"][0]["text"].startswith("Fewer than eight")


@pytest.mark.parametrize("unit, yes_no, copies", [
    ("detected", True, False), ("Detected, copies", True, True), ("% cp/cp", False, False),
    (None, False, False),
])  # fmt: skip
def test_units_say_how_results_are_read(unit, yes_no, copies):
    assert (is_qualitative(unit), means_copies(unit)) == (yes_no, copies)


@pytest.mark.parametrize(
    "decision, field",
    [
        ({"laboratory": "1", "action": "exclude"}, "decisions.0.reason"),
        ({"laboratory": "1", "action": "forget", "reason": "x"}, "decisions.0.action"),
        ({"laboratory": "1", "action": "keep", "reason": "x", "by": "me"}, "decisions.0.by"),
    ],
)
def test_a_decision_says_what_and_why(decision, field):
    _study, errors = exchange.check_study({"kind": "single-laboratory", "decisions": [decision]})
    assert field in errors
