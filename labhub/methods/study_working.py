"""From the raw results of a validation study to its figures, and the working that shows how.

A study is the plain record of ``exchange.STUDY`` with ``levels``, ``data`` and ``decisions``. Its unit says
how the results are read: a unit that begins with ``detected`` means a yes/no test (``detected, copies`` when
the levels are amounts in copies). Figures of levels with raw results are always those computed here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isclose
from typing import Any

from labhub.i18n import N_, Text, _
from labhub.methods.critical_values import OUTLIER, STRAGGLER
from labhub.methods.detection_limits import Dose, Fit, Limits, limits_of
from labhub.methods.trial_tables import amount_of
from labhub.methods.trials import Decision, QualitativeLevel, Trial, analyse, count
from labhub.methods.trials import Level as TrialLevel

Study = Mapping[str, Any]

TEST_NAMES: dict[str, str] = {
    "cochran": N_("Cochran: largest variance"),
    "grubbs-high": N_("Grubbs: largest mean"),
    "grubbs-low": N_("Grubbs: smallest mean"),
    "grubbs-two-high": N_("Grubbs: two largest means"),
    "grubbs-two-low": N_("Grubbs: two smallest means"),
}
TEST_VERDICT_NAMES: dict[str, str] = {
    "outlier": N_("outlier, excluded"),
    "straggler": N_("straggler, kept"),
    "correct": N_("nothing found"),
    "not-run": N_("not run: too few laboratories, or no variation"),
    "kept": N_("outlier, kept by a decision"),
}
CAUSE_NAMES: dict[str, str] = {
    "cochran": N_("Cochran's test: its results are too far apart"),
    "grubbs-high": N_("Grubbs' test: its mean is too high"),
    "grubbs-low": N_("Grubbs' test: its mean is too low"),
    "grubbs-two-high": N_("Grubbs' double test: two means are too high"),
    "grubbs-two-low": N_("Grubbs' double test: two means are too low"),
    "hand": N_("excluded by a decision"),
}
CAUTION_NAMES: dict[str, str] = {
    "too-many-excluded": N_(
        "More than 2/9 of the laboratories are excluded. The harmonised protocol does not allow that: "
        "look at the trial again before the figures are used."
    ),
    "few-laboratories": N_(
        "Fewer than eight laboratories have valid results, as the harmonised protocol asks."
    ),
    "negative-between": N_("The variance between laboratories came out negative and counts as zero."),
    "unequal-replicates": N_(
        "The laboratories have different numbers of results. The critical values are those for the "
        "usual number."
    ),
    "no-replicates": N_("Each laboratory has one result: there is no repeatability."),
    "one-laboratory": N_("One laboratory: there is no reproducibility."),
    "no-results": N_("No results are left."),
}
MODEL_NAMES: dict[str, str] = {
    "probit": N_("Probit on log10 of the amount"),
    "logit": N_("Logit on log10 of the amount"),
    "poisson": N_("Poisson: one copy is enough"),
}
ACTION_NAMES: dict[str, str] = {"keep": N_("keep"), "exclude": N_("exclude")}

COMPUTED_LEVEL = (
    "laboratories", "laboratories_excluded", "replicates", "results", "mean", "bias_percent", "s_r", "s_R",
    "rsdr_percent", "rsdR_percent", "tested", "positive",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """A stored figure that its raw results do not give."""

    level: str
    figure: str
    stored: float | None
    computed: float | None


@dataclass(frozen=True, slots=True)
class Working:
    """How the figures of a study come about: plain numbers for pages, pictures and JSON."""

    trial: Trial | None
    """None where the figures were given by hand."""
    limits: Limits | None
    """None where no level has counts."""
    differences: tuple[Difference, ...]


def is_qualitative(unit: str | None) -> bool:
    """Say whether a unit means results of a yes/no test.

    >>> is_qualitative("detected, copies"), is_qualitative("% m/m"), is_qualitative(None)
    (True, False, False)
    """
    return (unit or "").casefold().startswith("detected")


def means_copies(unit: str | None) -> bool:
    """Say whether the levels are amounts in copies.

    >>> means_copies("detected, copies"), means_copies("% cp/cp"), means_copies("detected")
    (True, False, False)
    """
    text = (unit or "").casefold()
    return "cop" in text and "%" not in text


def means_percent(unit: str | None) -> bool:
    """Say whether the levels are percentages."""
    return "%" in (unit or "")


def working(study: Study) -> Working:
    """Return the analysis of a study's raw results and counts."""
    trial = _trial(study)
    differences: list[Difference] = []
    if trial is not None:
        stored = {level["label"]: level for level in study["levels"]}
        for due in _levels(study, trial):
            have = stored.get(due["label"], {})
            for name in COMPUTED_LEVEL:
                if not _agree(have.get(name), due[name]):
                    differences.append(Difference(due["label"], name, have.get(name), due[name]))
    return Working(trial, _limits(study), tuple(differences))


def _agree(stored: Any, due: Any) -> bool:
    if stored is None or due is None:
        return stored is due
    return isclose(float(stored), float(due), rel_tol=1e-4, abs_tol=1e-9)


def _trial(study: Study) -> Trial | None:
    data = study.get("data") or []
    if not data:
        return None
    assigned = {level["label"]: level.get("assigned") for level in study.get("levels") or []}
    decisions = [Decision(**one) for one in study.get("decisions") or []]
    if is_qualitative(study.get("unit")):
        return count(data, assigned=assigned, decisions=decisions)
    fraction = 0.01 if _is_mass_percent(study.get("unit")) else None
    return analyse(data, assigned=assigned, decisions=decisions, mass_fraction_of_one=fraction)


def _is_mass_percent(unit: str | None) -> bool:
    return "".join((unit or "").casefold().split()) in ("%m/m", "%(m/m)")


def computed(study: Study, *, assigned: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Return a study with the figures that its raw results give; without raw results as it is.

    ``assigned`` are values that came with the results; other levels keep theirs, or take the amount that
    their name says (``0.1 %``). From a yes/no test in copies or percent the limit of detection follows:
    the probit fit, or the plain rule where there is none.
    """
    if not study.get("data"):
        return dict(study)
    known = {level["label"]: level for level in study.get("levels") or []}
    labels = list(dict.fromkeys(str(row[1]) for row in study["data"]))
    levels = []
    for label in labels:
        value = (assigned or {}).get(label, known.get(label, {}).get("assigned"))
        levels.append({**dict.fromkeys(COMPUTED_LEVEL), "label": label, "assigned": value})
        if value is None and amount_of(label) is not None:
            levels[-1]["assigned"] = amount_of(label)
    result = {**study, "levels": levels}
    trial = _trial(result)
    assert trial is not None  # noqa: S101  (there are raw results)
    result["levels"] = _levels(result, trial)
    seen = {str(row[0]) for row in study["data"] if row[3] is not None}
    result["laboratories"] = len(seen) or None
    sizes = [level["replicates"] for level in result["levels"] if level["replicates"]]
    result["replicates"] = Counter(sizes).most_common(1)[0][0] if sizes else None
    if trial.qualitative:
        result.update(_detection(result))
    return result


def _parts(trial: Trial) -> tuple[TrialLevel | QualitativeLevel, ...]:
    return (*trial.levels, *trial.qualitative)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _levels(study: Study, trial: Trial) -> list[dict[str, Any]]:
    known = {level["label"]: level for level in study.get("levels") or []}
    found = []
    for one in _parts(trial):
        figures: dict[str, Any] = dict.fromkeys(COMPUTED_LEVEL)
        figures.update(_qualitative_figures(one) if isinstance(one, QualitativeLevel) else _figures(one))
        found.append({"label": one.label, "assigned": known.get(one.label, {}).get("assigned"), **figures})
    return found


def _figures(level: TrialLevel) -> dict[str, Any]:
    return {
        "laboratories": level.laboratories or None,
        "laboratories_excluded": len(level.exclusions),
        "replicates": level.replicates,
        "results": level.results,
        "mean": _rounded(level.mean),
        "bias_percent": _rounded(level.bias_percent),
        "s_r": _rounded(level.s_r),
        "s_R": _rounded(level.s_R),
        "rsdr_percent": _rounded(level.rsdr_percent),
        "rsdR_percent": _rounded(level.rsdR_percent),
    }


def _qualitative_figures(level: QualitativeLevel) -> dict[str, Any]:
    sizes = Counter(one.tested for one in level.counts)
    return {
        "laboratories": level.laboratories or None,
        "laboratories_excluded": len(level.exclusions),
        "replicates": max(sizes, key=lambda size: (sizes[size], size), default=None),
        "results": level.tested,
        "tested": level.tested,
        "positive": level.positive,
    }


def _limits(study: Study) -> Limits | None:
    doses = [
        Dose(float(level["assigned"]), int(level["tested"]), int(level["positive"]))
        for level in study.get("levels") or []
        if level.get("assigned") is not None and level.get("tested") and level.get("positive") is not None
    ]
    if not doses:
        return None
    return limits_of(doses, copies=means_copies(study.get("unit")))


def _detection(study: Study) -> dict[str, Any]:
    limits = _limits(study)
    unit = study.get("unit")
    if limits is None or not (means_copies(unit) or means_percent(unit)):
        return {}
    fit = next((fit for fit in limits.fits if fit.model == "probit" and fit.refusal is None), None)
    value = fit.lod if fit else limits.lowest_level
    if means_percent(unit):
        fits = value is not None and 0 < value <= 100
        return {"lod_percent": _rounded(value) if fits else None}
    return {
        "lod_copies": _rounded(value),
        "lod_copies_low": _rounded(fit.low) if fit else None,
        "lod_copies_high": _rounded(fit.high) if fit else None,
    }


def fit_warning(fit: Fit) -> Text | None:
    """Return a warning where the counts lie far off a fitted curve."""
    if fit.p_value is not None and fit.p_value < 0.05:
        return _("The counts do not follow this curve well. Trust the plain rule more.")
    return None


def data_of(study: Study, found: Working) -> dict[str, Any]:
    """Return the working as plain data for JSON."""
    trial = found.trial
    levels: list[dict[str, Any]] = []
    for one in _parts(trial) if trial else ():
        data = asdict(one)
        data["exclusions"] = [
            {**asdict(each), "text": str(_(CAUSE_NAMES[each.cause]))} for each in one.exclusions
        ]
        if isinstance(one, TrialLevel):
            data["warnings"] = [{"id": name, "text": str(_(CAUTION_NAMES[name]))} for name in one.warnings]
        levels.append(data)
    limits: dict[str, Any] | None = None
    if found.limits is not None:
        limits = asdict(found.limits)
        for data, fit in zip(limits["fits"], found.limits.fits, strict=True):
            warning = fit_warning(fit)
            data["refusal"] = str(fit.refusal) if fit.refusal else None
            data["warning"] = str(warning) if warning else None
    return {
        "kind": "yes-no" if trial and trial.qualitative else "quantitative" if trial else "by-hand",
        "significance": {"outlier": OUTLIER, "straggler": STRAGGLER},
        "levels": levels,
        "unused_decisions": [asdict(one) for one in trial.unused_decisions] if trial else [],
        "detection": limits,
        "differences": [asdict(one) for one in found.differences],
    }
