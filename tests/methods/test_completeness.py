"""The completeness meter: what counts, what is left out, what is missing."""

import json

import pytest

from labhub.methods import exchange
from labhub.methods.completeness import LISTS, SECTION_NAMES, is_filled, meter_data, meters


def record(**more):
    return exchange.check(
        {"title": "A method", "specificity": "event", "technique": "qpcr", "quantitative": True, **more}
    ).content


def texts(answers):
    return {answer.item.id for answer in answers}


def test_an_empty_qpcr_record_answers_nothing_and_names_where_to_go_on():
    (meter,) = meters(record())
    assert meter.title == "MIQE 2.0" and meter.essential_answered == 0 and meter.percent == 0
    assert all(answer.item.form_field for answer in meter.missing)
    assert meter.missing[0].item.weight == "essential"


def test_a_field_that_is_filled_answers_its_item():
    (before,) = meters(record())
    (after,) = meters(record(reagents="Polymerase, 5 mmol/L MgCl2"))
    assert after.essential_answered == before.essential_answered + 1
    assert "reagents" not in texts(after.missing)


def test_what_the_hub_does_not_keep_is_shown_and_not_counted():
    (meter,) = meters(record())
    assert "extraction" in texts(meter.not_kept)
    assert meter.essential + meter.desirable + len(meter.not_kept) == len(meter.answers)


def test_digital_pcr_has_its_own_list_without_standard_curve():
    (meter,) = meters(record(technique="dpcr"))
    assert meter.title == "dMIQE"
    assert not {"slope", "r2", "intercept"} & texts(meter.answers)
    assert "partitions" in texts(meter.not_kept)


@pytest.mark.parametrize("technique", ["end-point", "isothermal", "protein", "sequencing"])
def test_other_techniques_have_no_list(technique):
    assert meters(record(technique=technique)) == ()


def test_a_dye_needs_a_melting_curve_and_no_probe():
    (meter,) = meters(record(chemistry="SYBR Green"))
    assert "melt" in texts(meter.answers)
    assert not {"probe", "labels"} & texts(meter.answers)


def test_a_qualitative_method_needs_no_calibrant():
    (meter,) = meters(record(quantitative=False))
    assert not {"calibrant", "reference", "repeatability", "trueness"} & texts(meter.answers)


def test_a_taxon_method_needs_no_reference_method():
    (meter,) = meters(record(specificity="taxon"))
    assert "reference" not in texts(meter.answers)


def test_concentrations_count_only_when_every_oligo_has_one():
    oligos = [
        {
            "role": "forward",
            "name": "F",
            "sequence": "ACGTACGTACGTACGT",
            "final_concentration_nanomolar": 300,
        },
        {"role": "reverse", "name": "R", "sequence": "ACGTACGTACGTACGA"},
    ]
    (meter,) = meters(record(oligos=oligos))
    assert "concentrations" in texts(meter.missing)
    oligos[1]["final_concentration_nanomolar"] = 300
    (meter,) = meters(record(oligos=oligos))
    assert "concentrations" not in texts(meter.missing)


def test_a_file_answers_too():
    (meter,) = meters(record(), [{"role": "sop", "name": "sop.pdf"}])
    assert "sop" not in texts(meter.missing)


def test_figures_of_studies_answer():
    study = {
        "kind": "single-laboratory",
        "slope": -3.4,
        "r2": 0.99,
        "levels": [{"label": "A", "rsdr_percent": 12}],
    }
    (meter,) = meters(record(studies=[study]))
    assert not {"slope", "r2", "repeatability"} & texts(meter.missing)


def test_every_path_begins_with_a_key_of_the_record():
    known = {*exchange.CONTENT, "files"}
    for _name, _title, _techniques, items in LISTS:
        assert len({item.id for item in items}) == len(items)
        for item in items:
            assert item.section in SECTION_NAMES
            assert bool(item.fields) == bool(item.form_field)
            for path in item.fields:
                assert path.split(".")[0].split("[")[0] in known


def test_false_and_zero_are_something():
    assert is_filled({"multiplex": False}, "multiplex") and is_filled({"n": 0}, "n")
    assert not is_filled({"n": None}, "n") and not is_filled({}, "n.m")


def test_a_meter_is_plain_data():
    (meter,) = meters(record())
    assert json.loads(json.dumps(meter_data(meter)))["list"] == "miqe-2.0"
