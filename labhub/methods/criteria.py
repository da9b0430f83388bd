"""Minimum performance criteria as versioned data, and how the figures of a method fare by them.

A set of criteria has a version and a list of rules: limits, what a rule applies to, and a mark that says
whether it was read at its source (S) or not yet (M). Each rule is answered pass, fail or not reported, with
every number that was looked at beside it, and the study and level that it comes from. One level that
fails makes the rule fail; nothing is averaged away. Source: domain guide, section 6.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import isclose
from typing import Any, Literal

from labhub.errors import Invalid
from labhub.i18n import N_, Text, _

Verdict = Literal["pass", "fail", "not-reported"]
VERDICT_NAMES: dict[str, str] = {
    "pass": N_("pass"),
    "fail": N_("fail"),
    "not-reported": N_("not reported"),
}
RULE_NAMES: dict[str, str] = {
    "slope": N_("Slope of the standard curve"),
    "r2": N_("R² of the standard curve"),
    "trueness": N_("Trueness (bias)"),
    "repeatability": N_("Repeatability (RSDr)"),
    "loq": N_("Limit of quantification, in relation to the target concentration"),
    "lod": N_("Limit of detection (false negatives)"),
    "lod-relative": N_("Limit of detection, in relation to the target concentration"),
    "dynamic-range": N_("Dynamic range"),
    "reproducibility": N_("Reproducibility (RSDR)"),
    "specificity": N_("Specificity (non-targets amplified)"),
}
NOTE_NAMES: dict[str, str] = {
    "no-counts": N_("The limit is given; the counts behind it are not."),
    "other-unit": N_("The figure is in another unit than the target concentration."),
    "rsdr-not-shown": N_("RSDr at this amount is not reported."),
    "rsdr-too-large": N_("RSDr at this amount is above its limit."),
    "one-end": N_("Only one end of the range is reported."),
    "low-level": N_("The wider limit for low levels applies."),
}
NUMBERS = ("least", "most", "most_of_target", "least_of_target", "low_below", "low_most")


@dataclass(frozen=True, slots=True)
class Rule:
    """One criterion. A limit that it does not use is None; empty lists mean: applies to all."""

    id: str
    mark: Literal["S", "M"]
    least: float | None = None
    most: float | None = None
    most_of_target: float | None = None
    """Limits as parts of the target concentration."""
    least_of_target: float | None = None
    low_below: float | None = None
    """Below this assigned value, in percent, ``low_most`` stands in for ``most``."""
    low_most: float | None = None
    techniques: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    """Kinds of studies that it applies to."""
    quantitative: bool = False
    """Applies to quantitative methods only."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """A version of the minimum performance criteria."""

    version: str
    adopted_on: date
    title: str
    source: str
    target_percent: float
    """The concentration that a law or a user asks for, which some limits are parts of."""
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One number that a rule looked at. Without study it is the summary figure of the record."""

    verdict: Verdict
    value: float | None
    unit: str
    study: int | None = None
    """Position of the study, from 0."""
    study_title: str = ""
    level: str | None = None
    limit: float | None = None
    note: str | None = None
    """A key of ``NOTE_NAMES``."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a rule says of a method."""

    rule: Rule
    verdict: Verdict
    findings: tuple[Finding, ...]

    @property
    def name(self) -> Text:
        """The rule in words."""
        return _(RULE_NAMES[self.rule.id])


@dataclass(frozen=True, slots=True)
class Report:
    """All rules that apply to a method, by one version of the criteria."""

    criteria: Criteria
    judgements: tuple[Judgement, ...]
    counts: dict[Verdict, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    """Rules that do not apply to the technique."""


# Reading -------------------------------------------------------------------------------------


def read_criteria(given: Mapping[str, Any]) -> Criteria:
    """Return criteria from data, or refuse them and say where; a rule nobody knows is a mistake."""
    errors: dict[str, list[Text]] = {}
    rules: list[Rule] = []
    for place, item in enumerate(given.get("rules") or []):
        name = f"rules.{place}"
        known = {"id", "mark", "techniques", "kinds", "quantitative", *NUMBERS}
        if unknown := sorted(set(item) - known):
            errors[name] = [_("Unknown: %(names)s.", names=", ".join(unknown))]
        elif item.get("id") not in RULE_NAMES:
            errors[f"{name}.id"] = [_("Choose among %(names)s.", names=", ".join(RULE_NAMES))]
        elif item.get("mark") not in ("S", "M"):
            errors[f"{name}.mark"] = [_("Choose among %(names)s.", names="S, M")]
        else:
            numbers = {key: float(item[key]) for key in NUMBERS if item.get(key) is not None}
            rules.append(
                Rule(
                    item["id"],
                    item["mark"],
                    techniques=tuple(item.get("techniques") or ()),
                    kinds=tuple(item.get("kinds") or ()),
                    quantitative=bool(item.get("quantitative")),
                    **numbers,
                )
            )
    if len({rule.id for rule in rules}) != len(rules):
        errors["rules"] = [_("A rule stands twice in the list.")]
    if errors or not rules or not given.get("version"):
        raise Invalid(_("These criteria cannot be used."), errors=errors)
    return Criteria(
        version=str(given["version"]),
        adopted_on=date.fromisoformat(str(given["adopted_on"])),
        title=str(given["title"]),
        source=str(given["source"]),
        target_percent=float(given["target_percent"]),
        rules=tuple(rules),
    )


def limit_text(rule: Rule, target_percent: float) -> Text:
    """Return the limit of a rule in words."""
    number = _plain
    match rule.id:
        case "slope":
            return _("from %(low)s to %(high)s", low=number(rule.least), high=number(rule.most))
        case "r2":
            return _("at least %(low)s", low=number(rule.least))
        case "trueness":
            return _("within ±%(high)s %% at each level", high=number(rule.most))
        case "repeatability":
            return _("at most %(high)s %% at each level", high=number(rule.most))
        case "loq":
            return _(
                "at most %(high)s %% with RSDr of at most %(rsdr)s %%",
                high=number(_part(rule.most_of_target, target_percent)),
                rsdr=number(rule.most),
            )
        case "lod":
            return _("at most %(high)s %% false negatives at the limit", high=number(rule.most))
        case "lod-relative":
            return _("at most %(high)s %%", high=number(_part(rule.most_of_target, target_percent)))
        case "dynamic-range":
            return _(
                "from at most %(low)s %% to at least %(high)s %%",
                low=number(_part(rule.most_of_target, target_percent)),
                high=number(_part(rule.least_of_target, target_percent)),
            )
        case "reproducibility":
            return _(
                "at most %(high)s %%, below %(level)s %% at most %(wider)s %%",
                high=number(rule.most),
                level=number(rule.low_below),
                wider=number(rule.low_most),
            )
        case _other:
            return _("at most %(high)s of the non-targets tested", high=number(rule.most))


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"


def _part(share: float | None, target_percent: float) -> float | None:
    return None if share is None else share * target_percent


# Judging -------------------------------------------------------------------------------------


def judge(content: Mapping[str, Any], criteria: Criteria) -> Report:
    """Return what each rule that applies says of a method, from the content of its record.

    Figures of the studies count; the summary figures of ``validation`` count beside them.
    """
    judgements: list[Judgement] = []
    left_out: list[str] = []
    studies = [
        (place, study)
        for place, study in enumerate(content.get("studies") or [])
        if isinstance(study, Mapping)
    ]
    for rule in criteria.rules:
        wrong_technique = rule.techniques and content["technique"] not in rule.techniques
        if wrong_technique or (rule.quantitative and not content["quantitative"]):
            left_out.append(rule.id)
            continue
        look = _LOOKS[rule.id]
        findings = [
            finding
            for place, study in studies
            if not rule.kinds or study["kind"] in rule.kinds
            for finding in look(_Figures(study, place), rule, criteria.target_percent)
        ]
        findings += look(_Figures(_summary(content)), rule, criteria.target_percent)
        judgements.append(Judgement(rule, _verdict(findings), tuple(findings)))
    counts: dict[Verdict, int] = {"pass": 0, "fail": 0, "not-reported": 0}
    for judgement in judgements:
        counts[judgement.verdict] += 1
    return Report(criteria, tuple(judgements), counts, tuple(left_out))


def _verdict(findings: Iterable[Finding]) -> Verdict:
    verdicts = {finding.verdict for finding in findings}
    if "fail" in verdicts:
        return "fail"
    return "pass" if "pass" in verdicts else "not-reported"


def _summary(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the summary figures of a record in the shape of a study with one level."""
    given = content.get("validation") or {}
    level = {key: given.get(key) for key in ("bias_percent", "rsdr_percent", "rsdR_percent")}
    return {**given, "levels": [level] if any(value is not None for value in level.values()) else []}


class _Figures:
    """The figures of one study, or of the summary, and the findings made of them."""

    def __init__(self, study: Mapping[str, Any], place: int | None = None) -> None:
        self.study = study
        self.place = place
        self.levels: Sequence[Mapping[str, Any]] = study.get("levels") or []
        unit = (study.get("unit") or "").casefold()
        self.percent = "%" in unit
        self.copies = "cop" in unit and not self.percent

    def get(self, name: str) -> float | None:
        value = self.study.get(name)
        return None if value is None else float(value)

    def finding(
        self,
        verdict: Verdict | bool,
        value: float | None,
        unit: str = "",
        *,
        level: Mapping[str, Any] | None = None,
        limit: float | None = None,
        note: str | None = None,
    ) -> Finding:
        if isinstance(verdict, bool):
            verdict = "pass" if verdict else "fail"
        title = str(self.study.get("title") or self.study.get("body") or "") if self.place is not None else ""
        label = None if level is None else (level.get("label") or None)
        return Finding(verdict, value, unit, self.place, title, label, limit, note)


Look = Callable[[_Figures, Rule, float], list[Finding]]


def _no_more(value: float, limit: float | None) -> bool:
    return limit is None or value <= limit or isclose(value, limit, rel_tol=1e-9)


def _no_less(value: float, limit: float | None) -> bool:
    return limit is None or value >= limit or isclose(value, limit, rel_tol=1e-9)


def _one(name: str) -> Look:
    def look(figures: _Figures, rule: Rule, _target: float) -> list[Finding]:
        value = figures.get(name)
        if value is None:
            return []
        return [figures.finding(_no_less(value, rule.least) and _no_more(value, rule.most), value)]

    return look


def _each_level(name: str) -> Look:
    def look(figures: _Figures, rule: Rule, _target: float) -> list[Finding]:
        found = []
        for level in figures.levels:
            if level.get(name) is None:
                continue
            value, limit, note = float(level[name]), rule.most, None
            assigned = level.get("assigned")
            if assigned == 0:
                continue  # a blank: a share of nothing says nothing
            if (
                rule.low_below is not None
                and figures.percent
                and assigned is not None
                and 0 < assigned < rule.low_below
            ):
                limit, note = rule.low_most, "low-level"
            found.append(
                figures.finding(_no_more(abs(value), limit), value, "%", level=level, limit=limit, note=note)
            )
        return found

    return look


def _loq(figures: _Figures, rule: Rule, target: float) -> list[Finding]:
    value, limit = figures.get("loq_percent"), _part(rule.most_of_target, target)
    if value is None:
        copies = figures.get("loq_copies")
        if copies is None:
            return []
        return [figures.finding("not-reported", copies, "copies", limit=limit, note="other-unit")]
    shown = [
        level
        for level in figures.levels
        if figures.percent
        and level.get("assigned") is not None
        and isclose(float(level["assigned"]), value, rel_tol=1e-6)
        and level.get("rsdr_percent") is not None
    ]
    note = None if shown else "rsdr-not-shown"
    within = all(_no_more(float(level["rsdr_percent"]), rule.most) for level in shown)
    if not within:
        note = "rsdr-too-large"
    return [figures.finding(_no_more(value, limit) and within, value, "%", limit=limit, note=note)]


def _lod(figures: _Figures, rule: Rule, _target: float) -> list[Finding]:
    """Look at false negatives from the stated limit up; without one, from the best level up."""
    counted = sorted(
        (
            level
            for level in figures.levels
            if (level.get("assigned") or 0) > 0 and level.get("tested") and level.get("positive") is not None
        ),
        key=lambda level: float(level["assigned"]),
    )
    stated = figures.get("lod_percent") if figures.percent else None
    stated = figures.get("lod_copies") if figures.copies else stated
    if not counted:
        for name, unit in (("lod_copies", "copies"), ("lod_percent", "%")):
            if (value := figures.get(name)) is not None:
                return [figures.finding("not-reported", value, unit, note="no-counts")]
        return []
    missed = [(level, 100 * (1 - level["positive"] / level["tested"])) for level in counted]
    if stated is not None:
        missed = [one for one in missed if _no_less(float(one[0]["assigned"]), stated)]
        if not missed:
            return [
                figures.finding("not-reported", stated, "copies" if figures.copies else "%", note="no-counts")
            ]
    else:
        good = 0
        for _level, share in reversed(missed):
            if not _no_more(share, rule.most):
                break
            good += 1
        missed = missed[-good:] if good else missed[-1:]
    return [
        figures.finding(_no_more(share, rule.most), share, "%", level=level, limit=rule.most)
        for level, share in missed
    ]


def _lod_relative(figures: _Figures, rule: Rule, target: float) -> list[Finding]:
    value, limit = figures.get("lod_percent"), _part(rule.most_of_target, target)
    if value is not None:
        return [figures.finding(_no_more(value, limit), value, "%", limit=limit)]
    copies = figures.get("lod_copies")
    if copies is None:
        return []
    return [figures.finding("not-reported", copies, "copies", limit=limit, note="other-unit")]


def _dynamic_range(figures: _Figures, rule: Rule, target: float) -> list[Finding]:
    found = []
    low, high = figures.get("dynamic_low"), figures.get("dynamic_high")
    ends = (
        (low, _part(rule.most_of_target, target), _no_more),
        (high, _part(rule.least_of_target, target), _no_less),
    )
    for value, limit, holds in ends:
        if value is None:
            continue
        if not figures.percent:
            found.append(figures.finding("not-reported", value, "", limit=limit, note="other-unit"))
        elif not holds(value, limit):
            found.append(figures.finding("fail", value, "%", limit=limit))
        elif low is None or high is None:
            found.append(figures.finding("not-reported", value, "%", limit=limit, note="one-end"))
        else:
            found.append(figures.finding("pass", value, "%", limit=limit))
    return found


def _specificity(figures: _Figures, rule: Rule, _target: float) -> list[Finding]:
    tested, amplified = figures.get("specificity_tested"), figures.get("specificity_amplified")
    if amplified is None or (not tested and not amplified):
        return []
    return [figures.finding(_no_more(amplified, rule.most), amplified, "", limit=rule.most)]


_LOOKS: dict[str, Look] = {
    "slope": _one("slope"),
    "r2": _one("r2"),
    "trueness": _each_level("bias_percent"),
    "repeatability": _each_level("rsdr_percent"),
    "loq": _loq,
    "lod": _lod,
    "lod-relative": _lod_relative,
    "dynamic-range": _dynamic_range,
    "reproducibility": _each_level("rsdR_percent"),
    "specificity": _specificity,
}


def report_data(report: Report) -> dict[str, Any]:
    """Return a report as plain data for JSON; texts are those of the reader's language."""
    criteria = report.criteria
    return {
        "criteria_version": criteria.version,
        "adopted_on": criteria.adopted_on.isoformat(),
        "source": criteria.source,
        "target_percent": criteria.target_percent,
        "counts": {key.replace("-", "_"): value for key, value in report.counts.items()},
        "left_out": list(report.left_out),
        "judgements": [
            {
                "rule": one.rule.id,
                "name": str(one.name),
                "limit": str(limit_text(one.rule, criteria.target_percent)),
                "mark": one.rule.mark,
                "verdict": one.verdict,
                "findings": [
                    {
                        "verdict": finding.verdict,
                        "value": finding.value,
                        "unit": finding.unit,
                        "study": finding.study,
                        "study_title": finding.study_title,
                        "level": finding.level,
                        "limit": finding.limit,
                        "note": str(_(NOTE_NAMES[finding.note])) if finding.note else "",
                    }
                    for finding in one.findings
                ],
            }
            for one in report.judgements
        ],
    }
