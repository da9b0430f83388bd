"""Charts of validation studies: a Vega-Lite specification as data, its words and its table.

The numbers are those of the study and of its working (``study_working``); a chart computes nothing but the
points of a curve that is given. ``render`` makes SVG of it; the maker is heavy and loaded at first use.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import log10
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from labhub.i18n import Text, _, current_language
from labhub.methods.criteria import Criteria
from labhub.methods.detection_limits import Fit, Limits, chance
from labhub.methods.pictures import BLUE, GREEN, GREY, INK, RED
from labhub.methods.study_working import working
from labhub.methods.trials import Level

FONTS = Path(__file__).resolve().parent.parent / "fonts"
WIDTHS = (340, 560)
MOST_LEVELS = 24
"""Levels that a chart of laboratories shows; more are left to the table."""
MOST_LABORATORIES = 120
CURVE_POINTS = 60
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_CONFIG: dict[str, Any] = {
    "background": "#ffffff",
    "font": "Noto Sans, Noto Sans Arabic, system-ui, sans-serif",
    "view": {"stroke": "#dfe6dc"},
    "axis": {
        "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelColor": INK,
        "titleColor": INK, "gridColor": "#e6ece4", "domainColor": GREY, "tickColor": GREY, "labelLimit": 120,
    },
    "legend": {
        "orient": "bottom", "labelFontSize": 11, "labelColor": INK, "title": None, "labelLimit": 280,
    },
    "header": {"labelFontSize": 11, "labelColor": INK, "titleFontSize": 11},
}  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """One chart: what it is, what it says, and its numbers as a table."""

    name: str
    """In its address."""
    title: Text
    summary: Text
    """What the picture shows, for those who do not see it."""
    columns: tuple[Text, ...]
    rows: tuple[tuple[str, ...], ...]
    layers: dict[str, Any] = field(repr=False)
    """The Vega-Lite specification without width."""
    height: int = 200


def number(value: float | None) -> str:
    """Return a figure as it is shown in a table: at most four digits that count.

    >>> number(0.123456), number(None), number(12.0)
    ('0.1235', '', '12')
    """
    return "" if value is None else f"{value:.4g}"


def charts_of(study: Mapping[str, Any], criteria: Criteria | None = None) -> list[Chart]:
    """Return the charts that the figures of a study allow, in the order of the page."""
    found = _charts(json.dumps(study, sort_keys=True), _limits_of(criteria), current_language())
    return list(found)


@lru_cache(maxsize=128)
def _charts(study_json: str, limits: tuple[tuple[str, float], ...], language: str) -> tuple[Chart, ...]:
    """``language`` is not read, but the words in a chart are of it."""
    study = json.loads(study_json)
    bounds = dict(limits)
    done = working(study)
    found: list[Chart | None] = [_precision(study, bounds), _bias(study, bounds)]
    if done.trial is not None and done.trial.levels:
        found += [_laboratories(study, done.trial.levels), *_mandel(done.trial.levels)]
    if done.limits is not None:
        found.append(_detection(study, done.limits))
    found.append(_standard_curve(study, bounds))
    return tuple(chart for chart in found if chart is not None)


def _limits_of(criteria: Criteria | None) -> tuple[tuple[str, float], ...]:
    """Return the limits that charts draw, as they can be kept."""
    found: dict[str, float] = {}
    for rule in criteria.rules if criteria else ():
        if rule.id in ("trueness", "repeatability", "reproducibility") and rule.most is not None:
            found[rule.id] = rule.most
        if rule.id == "reproducibility" and rule.low_most is not None:
            found["reproducibility-low"] = rule.low_most
        if rule.id == "slope" and rule.least is not None and rule.most is not None:
            found["slope-least"], found["slope-most"] = rule.least, rule.most
    return tuple(sorted(found.items()))


# Parts of specifications ----------------------------------------------------------------------


def _level_names(levels: Sequence[Mapping[str, Any]], unit: str | None) -> list[str]:
    """Return a name for each level that no other one has: label or assigned value."""
    names: list[str] = []
    for place, level in enumerate(levels, start=1):
        assigned = level.get("assigned")
        value = "" if assigned is None else f"{number(assigned)} {unit or ''}".strip()
        name = str(level.get("label") or value or place)
        while name in names:
            name += f" ({place})"
        names.append(name)
    return names


def _x(title: Text | str, names: Sequence[str]) -> dict[str, Any]:
    return {
        "field": "x",
        "type": "nominal",
        "sort": list(names),
        "title": str(title),
        "axis": {"labelAngle": 0 if len(names) <= 8 and all(len(name) < 9 for name in names) else -60},
    }


def _y(title: Text | str, **scale: Any) -> dict[str, Any]:
    return {"field": "y", "type": "quantitative", "title": str(title), "scale": {"nice": True, **scale}}


def _line(value: float, colour: str, dash: Sequence[int] = (6, 4)) -> dict[str, Any]:
    return {
        "data": {"values": [{"y": value}]},
        "mark": {"type": "rule", "color": colour, "strokeDash": list(dash), "strokeWidth": 1.5},
        "encoding": {"y": {"field": "y", "type": "quantitative"}},
    }


def _marked(
    values: Sequence[Mapping[str, Any]], kinds: Sequence[tuple[str, str, str]], x: Any, y: Any
) -> Any:
    """Return points with a colour and a shape for each kind: (text, colour, shape)."""
    texts = [text for text, _colour, _shape in kinds]
    return {
        "data": {"values": list(values)},
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
        "encoding": {
            "x": x,
            "y": y,
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": texts, "range": [colour for _text, colour, _shape in kinds]},
            },
            "shape": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": texts, "range": [shape for _text, _colour, shape in kinds]},
            },
        },
    }


# Charts ---------------------------------------------------------------------------------------


def _precision(study: Mapping[str, Any], bounds: Mapping[str, float]) -> Chart | None:
    levels = study.get("levels") or []
    if not any(
        level.get("rsdr_percent") is not None or level.get("rsdR_percent") is not None for level in levels
    ):
        return None
    names = _level_names(levels, study.get("unit"))
    within, between = str(_("RSDr, within laboratories")), str(_("RSDR, between laboratories"))
    values = [
        {"x": name, "y": level[key], "kind": kind}
        for name, level in zip(names, levels, strict=True)
        for key, kind in (("rsdr_percent", within), ("rsdR_percent", between))
        if level.get(key) is not None
    ]
    layers = [
        _marked(
            values,
            [(within, GREEN, "circle"), (between, BLUE, "square")],
            _x(_("Level"), names),
            _y("%", zero=True),
        )
    ]
    said = []
    if "repeatability" in bounds:
        layers.append(_line(bounds["repeatability"], GREEN))
        said.append(
            str(
                _(
                    "The green line is the most that RSDr may be: %(number)s %%.",
                    number=number(bounds["repeatability"]),
                )
            )
        )
    if "reproducibility" in bounds and study.get("kind") == "collaborative-trial":
        low = bounds.get("reproducibility-low")
        layers.append(_line(bounds["reproducibility"], BLUE, (2, 3)))
        said.append(
            str(
                _(
                    "The dotted blue line is the most that RSDR may be: %(number)s %%.",
                    number=number(bounds["reproducibility"]),
                )
            )
        )
        if low is not None:
            said.append(str(_("At low levels RSDR may be up to %(number)s %%.", number=number(low))))
    return Chart(
        "precision",
        _("Precision at each level"),
        _(
            "Relative standard deviations at %(count)s levels. %(limits)s",
            count=len(levels),
            limits=" ".join(said),
        ),
        (_("Level"), _("RSDr, %"), _("RSDR, %")),
        tuple(
            (name, number(level.get("rsdr_percent")), number(level.get("rsdR_percent")))
            for name, level in zip(names, levels, strict=True)
        ),
        {"layer": layers},
    )


def _bias(study: Mapping[str, Any], bounds: Mapping[str, float]) -> Chart | None:
    levels = study.get("levels") or []
    if not any(level.get("bias_percent") is not None for level in levels):
        return None
    names = _level_names(levels, study.get("unit"))
    known = [
        (name, level)
        for name, level in zip(names, levels, strict=True)
        if level.get("bias_percent") is not None
    ]
    limit = bounds.get("trueness")
    layers: list[dict[str, Any]] = []
    if limit is not None:
        layers.append(
            {
                "data": {"values": [{"low": -limit, "high": limit}]},
                "mark": {"type": "rect", "color": "#d5eedb", "opacity": 1},
                "encoding": {
                    "y": {"field": "low", "type": "quantitative"},
                    "y2": {"field": "high"},
                },
            }
        )
    layers.append(_line(0, GREY, ()))
    inside, outside = str(_("inside the limits")), str(_("outside the limits"))
    values = [
        {
            "x": name,
            "y": level["bias_percent"],
            "kind": outside if limit is not None and abs(level["bias_percent"]) > limit else inside,
        }
        for name, level in known
    ]
    if limit is None:
        for value in values:
            value["kind"] = str(_("bias"))
    kinds = (
        [(inside, GREEN, "circle"), (outside, RED, "cross")]
        if limit is not None
        else [(str(_("bias")), GREEN, "circle")]
    )
    layers.append(_marked(values, kinds, _x(_("Level"), names), _y(_("Bias, %"))))
    if limit is None:
        summary: Text = _("Bias at %(count)s levels.", count=len(known))
    else:
        wrong = sum(value["kind"] == outside for value in values)
        summary = _(
            "Bias at %(count)s levels; the green band reaches from -%(limit)s to %(limit)s %%. "
            "Outside it: %(wrong)s.",
            count=len(known),
            limit=number(limit),
            wrong=wrong,
        )
    return Chart(
        "bias",
        _("Trueness: bias at each level"),
        summary,
        (_("Level"), _("Assigned value"), _("Mean"), _("Bias, %")),
        tuple(
            (name, number(level.get("assigned")), number(level.get("mean")), number(level["bias_percent"]))
            for name, level in known
        ),
        {"layer": layers},
    )


def _laboratories(study: Mapping[str, Any], levels: Sequence[Level]) -> Chart | None:
    """The mean of each laboratory at each level, with the general mean and what the tests left out."""
    used, straggler, out = str(_("in the figures")), str(_("straggler, kept")), str(_("outlier, left out"))
    kinds = [(used, GREEN, "circle"), (straggler, BLUE, "triangle-up"), (out, RED, "cross")]
    shown = [level for level in levels if level.cells][:MOST_LEVELS]
    if not shown:
        return None
    names = list(dict.fromkeys(cell.laboratory for level in shown for cell in level.cells))[
        :MOST_LABORATORIES
    ]
    parts = []
    rows = []
    for level in shown:
        values = []
        for cell in level.cells:
            kind = out if not cell.used else straggler if cell.straggler else used
            rows.append((level.label, cell.laboratory, number(cell.mean), number(cell.s), kind))
            if cell.laboratory in names:
                values.append({"x": cell.laboratory, "y": cell.mean, "kind": kind})
        x, y = _x("", names), _y(study.get("unit") or _("Mean"), zero=False)
        layers = []
        if level.mean is not None and level.s_R is not None:
            layers.append(
                {
                    "data": {
                        "values": [{"low": level.mean - 2 * level.s_R, "high": level.mean + 2 * level.s_R}]
                    },
                    "mark": {"type": "rect", "color": "#e6ece4", "opacity": 1},
                    "encoding": {
                        "y": {"field": "low", "type": "quantitative", "scale": {"zero": False}},
                        "y2": {"field": "high"},
                    },
                }
            )
        if level.mean is not None:
            layers.append(_line(level.mean, GREEN, ()))
        layers.append(_marked(values, kinds, x, y))
        parts.append(
            {
                "title": {"text": level.label, "fontSize": 11, "anchor": "start", "color": INK},
                "height": 110,
                "layer": layers,
            }
        )
    left_out = sum(not cell.used for level in levels for cell in level.cells)
    return Chart(
        "laboratories",
        _("Mean of each laboratory at each level"),
        _(
            "Means of %(count)s laboratories; line: general mean; band: two reproducibility standard "
            "deviations to each side. Left out as outliers: %(out)s.",
            count=len(names),
            out=left_out,
        ),
        (_("Level"), _("Laboratory"), _("Mean"), _("Standard deviation"), _("Standing")),
        tuple(rows),
        {"vconcat": parts, "spacing": 6},
    )


def _mandel(levels: Sequence[Level]) -> list[Chart | None]:
    return [_mandel_of(levels, "h"), _mandel_of(levels, "k")]


def _mandel_of(levels: Sequence[Level], which: str) -> Chart | None:
    """Mandel's h (between laboratories) or k (within) by laboratory, with both critical values."""
    shown = levels[:MOST_LEVELS]
    values, rows = [], []
    names = list(dict.fromkeys(cell.laboratory for level in shown for cell in level.cells))[
        :MOST_LABORATORIES
    ]
    for level in shown:
        at_5, at_1 = (level.h_5, level.h_1) if which == "h" else (level.k_5, level.k_1)
        for cell in level.cells:
            value = cell.h if which == "h" else cell.k
            if value is None:
                continue
            rows.append((cell.laboratory, level.label, number(value), number(at_5), number(at_1)))
            if cell.laboratory in names:
                values.append({"x": cell.laboratory, "y": value, "level": level.label})
    if not values:
        return None
    labels = [level.label for level in shown]
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": values},
            "mark": {"type": "bar", "width": {"band": 0.9}},
            "encoding": {
                "x": _x(_("Laboratory"), names),
                "xOffset": {"field": "level", "sort": labels},
                "y": _y(which, zero=True),
                "color": {
                    "field": "level",
                    "type": "nominal",
                    "sort": labels,
                    "scale": {"scheme": "dark2"},
                    "legend": {"columns": 4},
                },
            },
        }
    ]
    signs = (1, -1) if which == "h" else (1,)
    for at, colour, dash in (("5", BLUE, (2, 3)), ("1", RED, (6, 4))):
        critical = {
            round(value, 3) for level in shown if (value := getattr(level, f"{which}_{at}")) is not None
        }
        layers += [_line(sign * value, colour, dash) for value in sorted(critical)[:4] for sign in signs]
    title = (
        _("Mandel's h: consistency between laboratories")
        if which == "h"
        else _("Mandel's k: consistency within laboratories")
    )
    return Chart(
        f"mandel-{which}",
        title,
        _(
            "Mandel's %(which)s of %(count)s laboratories, a bar for each level. Dotted blue: critical "
            "at 5 %%; dashed red: critical at 1 %%.",
            which=which,
            count=len(names),
        ),
        (_("Laboratory"), _("Level"), which, _("Critical at 5 %"), _("Critical at 1 %")),
        tuple(rows),
        {"layer": layers},
    )


def _detection(study: Mapping[str, Any], limits: Limits) -> Chart | None:
    """Share of replicates detected by amount, the fitted curve, and the 95 % limit with its interval."""
    points = limits.points
    if not points:
        return None
    fit = next((fit for fit in limits.fits if fit.refusal is None and fit.lod is not None), None)
    seen, curve, limit = (
        str(_("replicates detected, with 95 % interval")),
        str(_("fitted curve")),
        str(_("95 % limit of detection, with interval")),
    )
    amounts = [point.amount for point in points]
    ends = [*amounts, *(value for value in ((fit.lod, fit.low, fit.high) if fit else ()) if value)]
    low, high = min(ends) / 1.3, max(ends) * 1.3
    scale = {"type": "log", "domain": [low, high], "nice": False}
    x = {
        "field": "x",
        "type": "quantitative",
        "title": _amount(study),
        "scale": scale,
        "axis": {"tickCount": 6, "format": "~g"},
    }
    y = {
        "field": "y",
        "type": "quantitative",
        "title": str(_("Share detected")),
        "scale": {"domain": [0, 1]},
        "axis": {"format": "~%"},
    }
    colour = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": [seen, curve, limit], "range": [GREEN, BLUE, RED]},
        "legend": {"columns": 1},
    }
    values = [
        {"x": point.amount, "y": point.share, "low": point.low, "high": point.high, "kind": seen}
        for point in points
    ]
    layers: list[dict[str, Any]] = [
        _line(0.95, GREY, (3, 3)),
        {
            "data": {"values": values},
            "mark": {"type": "rule", "strokeWidth": 1.5},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
        },
        {
            "data": {"values": values},
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {"x": x, "y": y, "color": colour},
        },
    ]
    if fit is not None:
        layers.append(
            {
                "data": {"values": _curve(fit, low, high, curve)},
                "mark": {"type": "line", "strokeWidth": 2},
                "encoding": {"x": x, "y": y, "color": colour},
            }
        )
        at = {"x": fit.lod, "y": 0.95, "low": fit.low or low, "high": fit.high or high, "kind": limit}
        layers += [
            {
                "data": {"values": [at]},
                "mark": {"type": "rule", "strokeWidth": 3},
                "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour},
            },
            {
                "data": {"values": [at]},
                "mark": {"type": "point", "filled": True, "shape": "diamond", "size": 130, "opacity": 1},
                "encoding": {"x": x, "y": y, "color": colour},
            },
        ]
    return Chart(
        "detection",
        _("Limit of detection"),
        _detection_words(fit, len(points)),
        (
            _("Amount"),
            _("Tested"),
            _("Positive"),
            _("Share detected"),
            _("Lower end"),
            _("Upper end"),
            _("Expected"),
        ),
        tuple(
            (
                number(point.amount),
                str(point.tested),
                str(point.positive),
                number(point.share),
                number(point.low),
                number(point.high),
                number(point.expected),
            )
            for point in points
        ),
        {"layer": layers},
        height=240,
    )


def _amount(study: Mapping[str, Any]) -> str:
    unit = str(study.get("unit") or "")
    if unit.casefold().startswith("detected"):
        unit = unit.partition(",")[2].strip()
    return str(_("Amount, %(unit)s", unit=unit)) if unit else str(_("Amount"))


def _detection_words(fit: Fit | None, count: int) -> Text:
    if fit is None or fit.lod is None:
        return _("Share of replicates detected at %(count)s amounts; no curve could be fitted.", count=count)
    if fit.low is None or fit.high is None:
        return _(
            "Share of replicates detected at %(count)s amounts. The fitted curve reaches 95 %% at %(lod)s; "
            "the data set no interval.",
            count=count,
            lod=number(fit.lod),
        )
    return _(
        "Share of replicates detected at %(count)s amounts. The fitted curve reaches 95 %% at %(lod)s "
        "(95 %% interval %(low)s to %(high)s).",
        count=count,
        lod=number(fit.lod),
        low=number(fit.low),
        high=number(fit.high),
    )


def _curve(fit: Fit, low: float, high: float, kind: str) -> list[dict[str, Any]]:
    start, stop = log10(low), log10(high)
    amounts = [10 ** (start + (stop - start) * step / CURVE_POINTS) for step in range(CURVE_POINTS + 1)]
    return [{"x": amount, "y": chance(fit, amount), "kind": kind} for amount in amounts]


def _standard_curve(study: Mapping[str, Any], bounds: Mapping[str, float]) -> Chart | None:
    """The slope as a line over the range in tenfold steps, beside the steepest and flattest allowed."""
    slope = study.get("slope")
    if slope is None:
        return None
    low, high = study.get("dynamic_low"), study.get("dynamic_high")
    decades = log10(high / low) if low and high and high > low else 4.0
    decades = max(1.0, min(decades, 8.0))
    own = str(_("this study"))
    lines = [{"x": step, "y": slope * (step - decades), "kind": own} for step in (0.0, decades)]
    layers: list[dict[str, Any]] = []
    x = {
        "field": "x",
        "type": "quantitative",
        "title": str(_("Tenfold steps of the amount")),
        "scale": {"domain": [0, decades], "nice": False},
        "axis": {"values": list(range(int(decades) + 1)), "format": "d"},
    }
    y = _y(_("Cq above that of the largest amount"), zero=True)
    if "slope-least" in bounds:
        band = [
            {
                "x": step,
                "y": bounds["slope-least"] * (step - decades),
                "y2": bounds["slope-most"] * (step - decades),
            }
            for step in (0.0, decades)
        ]
        layers.append(
            {
                "data": {"values": band},
                "mark": {"type": "area", "color": "#d5eedb", "opacity": 1},
                "encoding": {"x": x, "y": y, "y2": {"field": "y2"}},
            }
        )
        allowed: Text = _(
            "The green band holds slopes from %(least)s to %(most)s.",
            least=number(bounds["slope-least"]),
            most=number(bounds["slope-most"]),
        )
    else:
        allowed = ""
    layers.append(
        {
            "data": {"values": lines},
            "mark": {"type": "line", "color": BLUE, "strokeWidth": 2.5},
            "encoding": {"x": x, "y": y},
        }
    )
    return Chart(
        "standard-curve",
        _("Standard curve"),
        _("Cq falls by %(fall)s for each tenfold amount. %(allowed)s", fall=number(-slope), allowed=allowed),
        (_("Figure"), _("Value")),
        tuple(
            (str(name), number(value))
            for name, value in (
                (_("Slope of the standard curve"), slope),
                (_("R² of the standard curve"), study.get("r2")),
                (_("PCR efficiency, %"), study.get("pcr_efficiency_percent")),
            )
            if value is not None
        ),
        {"layer": layers},
    )


# Making the picture ---------------------------------------------------------------------------


def specification(chart: Chart, width: int) -> dict[str, Any]:
    """Return the whole Vega-Lite specification of a chart for a picture ``width`` pixels wide."""
    inner = width - 70
    body = dict(chart.layers)
    if "vconcat" in body:
        body["vconcat"] = [{**part, "width": inner} for part in body["vconcat"]]
    else:
        body |= {"width": inner, "height": chart.height}
    return {
        "$schema": _SCHEMA,
        "autosize": {"type": "pad"},
        "padding": 6,
        "config": {**_CONFIG, "legend": {**_CONFIG["legend"], "columns": 1 if width < 500 else 2}},
        **body,
    }


def render(chart: Chart, width: int) -> str:
    """Return a chart as an SVG document of about this width, with title and description."""
    nearest = min(WIDTHS, key=lambda each: abs(each - width))
    drawing = _rendered(json.dumps(specification(chart, nearest), sort_keys=True))
    return _titled(drawing, [chart.title, chart.summary])


@lru_cache(maxsize=256)
def _rendered(specification_json: str) -> str:
    import vl_convert

    _know_fonts(vl_convert.register_font_directory)
    drawing: str = vl_convert.vegalite_to_svg(specification_json, vl_version="v5.20", allowed_base_urls=[])
    return drawing


@lru_cache(maxsize=1)
def _know_fonts(register: Callable[[str], None]) -> None:
    """Let labels be measured with the hub's own fonts: a fresh machine has none."""
    for folder in sorted(FONTS.glob("*/")):
        register(str(folder))


def _titled(drawing: str, texts: Iterable[Text]) -> str:
    title, summary = (escape(str(text)) for text in texts)
    head, _bracket, rest = drawing.partition(">")
    return f'{head} role="img"><title>{title}</title><desc>{summary}</desc>{rest}'
