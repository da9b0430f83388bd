"""How a method performs in other laboratories: figures of their verifications beside those of its validation.

Each verification counts once: its slope, R² and limits of detection, the largest RSDr and the bias farthest
from 0 of its levels. Nothing here knows a database.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from labhub.i18n import N_, Text, _
from labhub.methods.criteria import Criteria

FIGURES: dict[str, str] = {
    "slope": N_("Slope of the standard curve"),
    "r2": N_("R² of the standard curve"),
    "rsdr_percent": N_("Repeatability RSDr, %"),
    "bias_percent": N_("Bias, %"),
    "lod_copies": N_("Limit of detection, copies"),
    "lod_percent": N_("Limit of detection, %"),
}
"""What is compared, in the order of the page."""
RULES = {
    "slope": "slope",
    "r2": "r2",
    "rsdr_percent": "repeatability",
    "bias_percent": "trueness",
    "lod_percent": "lod-relative",
}
"""Which minimum performance criterion a figure is held against."""
KINDS = ("collaborative-trial", "single-laboratory", "in-house-verification")
"""Whose figures count first where the record has no summary figure."""

Figures = dict[str, float | None]
Limits = tuple[float | None, float | None]

ENGL: dict[str, Limits] = {
    "slope": (-3.6, -3.1),
    "r2": (0.98, None),
    "rsdr_percent": (None, 25),
    "bias_percent": (-25, 25),
}


def figures_of(study: Mapping[str, Any]) -> Figures:
    """Return the figures that are compared out of a study; null means not reported.

    >>> levels = [{"rsdr_percent": 8, "bias_percent": 4}, {"rsdr_percent": 21, "bias_percent": -12}]
    >>> found = figures_of({"slope": -3.4, "levels": levels})
    >>> found["slope"], found["rsdr_percent"], found["bias_percent"], found["r2"]
    (-3.4, 21, -12, None)
    """
    levels = study.get("levels") or []
    rsdr = [level["rsdr_percent"] for level in levels if level.get("rsdr_percent") is not None]
    bias = [level["bias_percent"] for level in levels if level.get("bias_percent") is not None]
    found: Figures = {name: study.get(name) for name in ("slope", "r2", "lod_copies", "lod_percent")}
    found["rsdr_percent"] = max(rsdr, default=None)
    found["bias_percent"] = max(bias, key=abs, default=None)
    return found


def validated_figures(content: Mapping[str, Any]) -> Figures:
    """Return what the validation of a method says: its summary figures, else those of its studies."""
    summary = content.get("validation") or {}
    studies = sorted(content.get("studies") or (), key=lambda study: KINDS.index(study["kind"]))
    of_studies = [figures_of(study) for study in studies]
    return {
        name: next(
            (
                value
                for value in (summary.get(name), *(each[name] for each in of_studies))
                if value is not None
            ),
            None,
        )
        for name in FIGURES
    }


def limits_of(criteria: Criteria | None, technique: str, quantitative: bool) -> dict[str, Limits]:
    """Return the least and the greatest value that the criteria allow for each figure that they speak of.

    Without criteria the minimum performance of ENGL stands in (domain guide, section 6).
    """
    if criteria is None:
        return {
            name: limits
            for name, limits in ENGL.items()
            if (technique == "qpcr" or name not in ("slope", "r2"))
            and (quantitative or name not in ("bias_percent", "rsdr_percent"))
        }
    found: dict[str, Limits] = {}
    rules = {rule.id: rule for rule in criteria.rules}
    for name, rule_id in RULES.items():
        rule = rules.get(rule_id)
        if rule is None or (rule.techniques and technique not in rule.techniques):
            continue
        if rule.quantitative and not quantitative:
            continue
        if rule.most_of_target is not None:
            found[name] = (None, rule.most_of_target * criteria.target_percent)
        elif name == "bias_percent":
            found[name] = (None if rule.most is None else -rule.most, rule.most)
        else:
            found[name] = (rule.least, rule.most)
    return found


def is_outside(value: float, limits: Limits | None) -> bool:
    """Say whether a figure breaks its limits.

    >>> is_outside(-3.05, (-3.6, -3.1)), is_outside(-3.4, (-3.6, -3.1)), is_outside(9.0, None)
    (True, False, False)
    """
    least, most = limits or (None, None)
    return (least is not None and value < least) or (most is not None and value > most)


@dataclass(frozen=True)
class Compared:
    """One figure in the field beside the validation."""

    name: str
    count: int
    """Verifications that report it."""
    median: float
    low: float
    high: float
    validated: float | None
    limits: Limits | None
    outside: int
    """Verifications that break the limits."""

    @property
    def words(self) -> Text:
        """The figure's name."""
        return _(FIGURES[self.name])

    @property
    def drifts(self) -> bool:
        """Whether the median breaks the limits that the method was judged by."""
        return is_outside(self.median, self.limits)


def compare(
    verifications: Iterable[Figures], validated: Figures, limits: Mapping[str, Limits]
) -> list[Compared]:
    """Return median and spread of each figure that at least one verification reports."""
    rows: Sequence[Figures] = list(verifications)
    found = []
    for name in FIGURES:
        values = [value for row in rows if (value := row.get(name)) is not None]
        if not values:
            continue
        found.append(
            Compared(
                name=name,
                count=len(values),
                median=median(values),
                low=min(values),
                high=max(values),
                validated=validated.get(name),
                limits=limits.get(name),
                outside=sum(is_outside(value, limits.get(name)) for value in values),
            )
        )
    return found
