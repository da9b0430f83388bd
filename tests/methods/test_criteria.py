"""Judgement by the minimum performance criteria, with the worked example of the domain guide, section 6."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.errors import Invalid
from labhub.methods.criteria import RULE_NAMES, judge, limit_text, read_criteria, report_data

SEEDS = json.loads((Path(__file__).parents[2] / "seeds" / "criteria.json").read_text(encoding="utf-8"))
CRITERIA = read_criteria(SEEDS[0])


def level(**figures):
    return {"label": "A", "assigned": 0.9, **figures}


def study(*levels, **figures):
    return {
        "kind": "collaborative-trial",
        "title": "Trial",
        "unit": "% m/m",
        "levels": list(levels),
        **figures,
    }


def content(*studies, technique="qpcr", quantitative=True, **more):
    return {
        "technique": technique,
        "quantitative": quantitative,
        "studies": list(studies),
        "validation": {},
        **more,
    }


def verdicts(record):
    return {one.rule.id: one.verdict for one in judge(record, CRITERIA).judgements}


GUIDE = {"r2": 0.993}
GUIDE_LEVEL = {"bias_percent": -12, "rsdr_percent": 18, "rsdR_percent": 31}


def test_worked_example_of_the_domain_guide_passes():
    found = verdicts(content(study(level(**GUIDE_LEVEL), slope=-3.45, **GUIDE)))
    for rule in ("slope", "r2", "trueness", "repeatability", "reproducibility"):
        assert found[rule] == "pass"
    assert "fail" not in found.values()


def test_worked_example_with_slope_3_05_fails_on_slope_only():
    found = verdicts(content(study(level(**GUIDE_LEVEL), slope=-3.05, **GUIDE)))
    assert [rule for rule, verdict in found.items() if verdict == "fail"] == ["slope"]


def test_every_rule_of_the_guide_is_in_the_data():
    assert [rule.id for rule in CRITERIA.rules] == list(RULE_NAMES)
    assert {rule.id for rule in CRITERIA.rules if rule.mark == "M"} == {
        "lod-relative", "dynamic-range", "reproducibility", "specificity"
    }  # fmt: skip


def test_slope_and_r2_do_not_apply_to_digital_pcr():
    report = judge(content(study(slope=-1.0, r2=0.1), technique="dpcr"), CRITERIA)
    assert {"slope", "r2"} <= set(report.left_out)
    assert report.counts["fail"] == 0


def test_a_qualitative_method_is_not_judged_by_quantitative_rules():
    report = judge(content(technique="end-point", quantitative=False), CRITERIA)
    assert [one.rule.id for one in report.judgements] == [
        "lod",
        "lod-relative",
        "reproducibility",
        "specificity",
    ]


def test_a_blank_is_not_judged_by_its_relative_deviation():
    record = content(study(level(assigned=0, rsdr_percent=300), level(assigned=0.9, rsdr_percent=10)))
    assert verdicts(record)["repeatability"] == "pass"


def test_nothing_reported_is_neither_pass_nor_fail():
    report = judge(content(), CRITERIA)
    assert report.counts == {"pass": 0, "fail": 0, "not-reported": 10}


def test_one_level_that_fails_makes_the_rule_fail_and_all_numbers_are_shown():
    report = judge(content(study(level(rsdr_percent=10), level(label="B", rsdr_percent=26))), CRITERIA)
    one = next(one for one in report.judgements if one.rule.id == "repeatability")
    assert one.verdict == "fail"
    assert [(f.level, f.value, f.verdict) for f in one.findings] == [("A", 10, "pass"), ("B", 26, "fail")]


def test_a_good_second_study_does_not_hide_a_fail():
    report = judge(content(study(slope=-3.7), study(slope=-3.3)), CRITERIA)
    one = next(one for one in report.judgements if one.rule.id == "slope")
    assert one.verdict == "fail" and [finding.study for finding in one.findings] == [0, 1]


@pytest.mark.parametrize("slope, verdict", [(-3.6, "pass"), (-3.1, "pass"), (-3.61, "fail"), (-3.09, "fail")])
def test_limits_belong_to_the_range(slope, verdict):
    assert verdicts(content(study(slope=slope)))["slope"] == verdict


def test_reproducibility_may_be_wider_below_0_2_percent():
    assert verdicts(content(study(level(assigned=0.1, rsdR_percent=48))))["reproducibility"] == "pass"
    assert verdicts(content(study(level(assigned=0.2, rsdR_percent=48))))["reproducibility"] == "fail"
    assert verdicts(content(study(level(assigned=0.1, rsdR_percent=51))))["reproducibility"] == "fail"


def test_reproducibility_is_for_ring_trials():
    record = content(study(level(rsdR_percent=80), kind="single-laboratory"))
    assert verdicts(record)["reproducibility"] == "not-reported"


@pytest.mark.parametrize("loq, verdict", [(0.09, "pass"), (0.0901, "fail")])
def test_quantification_limit_is_a_tenth_of_the_target(loq, verdict):
    assert verdicts(content(study(loq_percent=loq)))["loq"] == verdict


def test_quantification_limit_needs_a_small_rsdr_there():
    bad = content(study(level(assigned=0.09, rsdr_percent=30), loq_percent=0.09))
    one = next(one for one in judge(bad, CRITERIA).judgements if one.rule.id == "loq")
    assert one.verdict == "fail" and one.findings[0].note == "rsdr-too-large"


def test_quantification_limit_in_copies_cannot_be_compared_and_is_shown():
    one = next(
        one for one in judge(content(study(loq_copies=40)), CRITERIA).judgements if one.rule.id == "loq"
    )
    assert one.verdict == "not-reported" and one.findings[0].value == 40


def test_detection_limit_is_judged_by_the_counts_at_it_and_above():
    levels = (
        level(label="5", assigned=5, tested=60, positive=40),
        level(label="10", assigned=10, tested=60, positive=58),
    )
    assert verdicts(content(study(*levels, unit="copies", lod_copies=10)))["lod"] == "pass"
    assert verdicts(content(study(*levels, unit="copies", lod_copies=5)))["lod"] == "fail"


def test_detection_limit_without_counts_is_not_reported_and_is_shown():
    one = next(
        one for one in judge(content(study(lod_copies=10)), CRITERIA).judgements if one.rule.id == "lod"
    )
    assert (one.verdict, one.findings[0].value, one.findings[0].note) == ("not-reported", 10, "no-counts")


def test_counts_without_a_stated_limit_pass_at_the_lowest_good_level():
    levels = (
        level(label="5", assigned=5, tested=60, positive=40),
        level(label="10", assigned=10, tested=60, positive=60),
    )
    one = next(
        one
        for one in judge(content(study(*levels, unit="copies")), CRITERIA).judgements
        if one.rule.id == "lod"
    )
    assert one.verdict == "pass" and [finding.level for finding in one.findings] == ["10"]


@pytest.mark.parametrize("lod, verdict", [(0.045, "pass"), (0.05, "fail")])
def test_relative_detection_limit_is_a_twentieth_of_the_target(lod, verdict):
    assert verdicts(content(study(lod_percent=lod)))["lod-relative"] == verdict


def test_dynamic_range_needs_both_ends():
    assert verdicts(content(study(dynamic_low=0.09, dynamic_high=4.5)))["dynamic-range"] == "pass"
    assert verdicts(content(study(dynamic_low=0.09, dynamic_high=4)))["dynamic-range"] == "fail"
    assert verdicts(content(study(dynamic_low=0.09)))["dynamic-range"] == "not-reported"


def test_one_amplified_non_target_fails():
    assert verdicts(content(study(specificity_tested=30, specificity_amplified=0)))["specificity"] == "pass"
    assert verdicts(content(study(specificity_tested=30, specificity_amplified=1)))["specificity"] == "fail"


def test_summary_figures_of_a_record_count_too():
    record = content(validation={"slope": -3.0, "bias_percent": 5.0})
    found = verdicts(record)
    assert (found["slope"], found["trueness"]) == ("fail", "pass")


def test_a_rule_that_nobody_knows_is_refused():
    with pytest.raises(Invalid) as refusal:
        read_criteria({**SEEDS[0], "rules": [{"id": "beauty", "mark": "S"}]})
    assert "rules.0.id" in refusal.value.errors


def test_each_limit_is_said_in_words():
    texts = [str(limit_text(rule, CRITERIA.target_percent)) for rule in CRITERIA.rules]
    assert texts[0] == "from -3.6 to -3.1"
    assert texts[4] == "at most 0.09 % with RSDr of at most 25 %"
    assert texts[7] == "from at most 0.09 % to at least 4.5 %"


def test_report_is_plain_data():
    data = report_data(judge(content(study(level(**GUIDE_LEVEL), slope=-3.05)), CRITERIA))
    assert json.loads(json.dumps(data))["counts"]["fail"] == 1
    assert data["criteria_version"] == "MPC-1"


@given(st.lists(st.floats(-200, 200), min_size=1, max_size=6))
def test_trueness_passes_exactly_when_every_level_is_within_25_percent(values):
    record = content(study(*[level(bias_percent=value) for value in values]))
    expected = "pass" if all(abs(value) <= 25 for value in values) else "fail"
    assert verdicts(record)["trueness"] == expected
