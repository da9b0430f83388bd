"""Charts of validation studies: their numbers, words and drawings."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient

from labhub.methods import charts
from labhub.methods.criteria import read_criteria
from labhub.methods.study_working import computed, working
from tests.factories import make_method

ROOT = Path(__file__).resolve().parent.parent.parent
CRITERIA = read_criteria(json.loads((ROOT / "seeds" / "criteria.json").read_text())[0])
BY_HAND = {
    "kind": "collaborative-trial",
    "title": "Trial",
    "unit": "% m/m",
    "slope": -3.4,
    "r2": 0.99,
    "levels": [
        {
            "label": "L1",
            "assigned": 0.1,
            "mean": 0.07,
            "bias_percent": -30,
            "rsdr_percent": 20,
            "rsdR_percent": 40,
        },
        {
            "label": "L2",
            "assigned": 1,
            "mean": 1.1,
            "bias_percent": 10,
            "rsdr_percent": 12,
            "rsdR_percent": None,
        },
    ],
    "data": [],
}


def raw_study() -> dict[str, Any]:
    """Return a study with raw results in which laboratory 9 lies far off."""
    data = [
        [
            f"{laboratory}",
            level,
            f"{replicate}",
            value * (3 if laboratory == 9 else 1) + 0.01 * replicate * value,
        ]
        for laboratory in range(1, 10)
        for level, value in (("low", 1 + laboratory / 50), ("high", 10 + laboratory / 5))
        for replicate in range(3)
    ]
    return computed({"kind": "collaborative-trial", "unit": "% m/m", "levels": [], "data": data})


def by_name(study: dict[str, Any]) -> dict[str, charts.Chart]:
    """Return the charts of a study by name."""
    return {chart.name: chart for chart in charts.charts_of(study, CRITERIA)}


def points(chart: charts.Chart) -> list[dict[str, Any]]:
    """Return the values of every layer."""
    layers = chart.layers.get("layer") or [
        layer for part in chart.layers["vconcat"] for layer in part["layer"]
    ]
    return [value for layer in layers for value in layer["data"]["values"]]


def test_figures_given_by_hand_are_drawn_as_they_are() -> None:
    found = by_name(BY_HAND)
    assert list(found) == ["precision", "bias", "standard-curve"]
    assert found["precision"].rows == (("L1", "20", "40"), ("L2", "12", ""))
    assert {"x": "L1", "y": 40, "kind": "RSDR, between laboratories"} in points(found["precision"])


def test_limits_come_from_the_criteria() -> None:
    found = by_name(BY_HAND)
    assert {"y": 25.0} in points(found["precision"])
    assert {"y": 35.0} in points(found["precision"])
    assert {"low": -25.0, "high": 25.0} in points(found["bias"])
    assert [value["kind"] for value in points(found["bias"]) if "kind" in value] == [
        "outside the limits",
        "inside the limits",
    ]
    without = charts.charts_of(BY_HAND)
    assert not [
        value
        for chart in without
        if chart.name == "precision"
        for value in points(chart)
        if value == {"y": 25.0}
    ]


def test_outliers_and_mandel_come_from_the_working() -> None:
    study = raw_study()
    trial = working(study).trial
    assert trial is not None
    found = by_name(study)
    left_out = {(row[0], row[1]) for row in found["laboratories"].rows if row[4] == "outlier, left out"}
    assert left_out == {
        (level.label, cell.laboratory) for level in trial.levels for cell in level.cells if not cell.used
    }
    assert left_out
    h = {(row[0], row[1]): row[2] for row in found["mandel-h"].rows}
    for level in trial.levels:
        for cell in level.cells:
            assert h[cell.laboratory, level.label] == charts.number(cell.h)
    assert {"y": round(trial.levels[0].h_1 or 0, 3)} in points(found["mandel-h"])


def test_the_limit_of_detection_is_drawn_with_its_interval() -> None:
    levels = [
        {"label": str(copies), "assigned": copies, "tested": 60, "positive": positive}
        for copies, positive in ((0.5, 22), (1, 38), (2, 51), (5, 59), (10, 60))
    ]
    study = {"kind": "single-laboratory", "unit": "detected, copies", "levels": levels, "data": []}
    fit = next(fit for fit in working(study).limits.fits if fit.model == "probit")  # type: ignore[union-attr]
    chart = by_name(study)["detection"]
    (limit,) = {json.dumps(value) for value in points(chart) if str(value.get("kind", "")).startswith("95 %")}
    assert json.loads(limit)["x"] == pytest.approx(fit.lod)
    assert (json.loads(limit)["low"], json.loads(limit)["high"]) == (fit.low, fit.high)
    assert charts.number(fit.lod) in str(chart.summary)


def test_a_study_without_figures_has_no_chart() -> None:
    assert charts.charts_of({"kind": "in-house-verification", "levels": [], "data": []}) == []


@pytest.mark.req("C4")
@pytest.mark.parametrize("width", charts.WIDTHS)
def test_drawings_are_svg_with_words_and_without_style_or_script(width: int) -> None:
    evil = '<script>alert(1)</script>" onload="x'
    study = {**BY_HAND, "title": evil, "levels": [{**BY_HAND["levels"][0], "label": evil}]}  # type: ignore[index]
    for chart in charts.charts_of(study, CRITERIA):
        tree = ElementTree.fromstring(charts.render(chart, width))
        tags = {each.tag.rpartition("}")[2] for each in tree.iter()}
        assert not tags & {"script", "style", "foreignObject", "image"}
        assert not [
            name for each in tree.iter() for name in each.attrib if name == "style" or name.startswith("on")
        ]
        assert tree.findtext("{http://www.w3.org/2000/svg}desc")


def test_levels_of_the_same_name_are_told_apart() -> None:
    study = {**BY_HAND, "levels": [dict(level, label="") for level in BY_HAND["levels"]] * 2}  # type: ignore[union-attr]
    names = [row[0] for row in by_name(study)["precision"].rows]
    assert len(set(names)) == 4


def test_the_page_shows_charts_and_their_numbers(client: FlaskClient) -> None:
    code = make_method(state="published", studies=[BY_HAND]).method.code
    page = client.get(f"/methods/{code}").text
    address = f"/methods/{code}/versions/1/studies/0/bias.svg"
    assert address in page
    picture = client.get(address)
    assert picture.status_code == 200
    assert picture.mimetype == "image/svg+xml"
    assert client.get(address.replace("/0/", "/1/")).status_code == 404
    assert client.get(address.replace("bias", "other")).status_code == 404
