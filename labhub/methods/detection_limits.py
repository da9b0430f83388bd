"""Limit of detection from counts of detected replicates per level: fitted curves and the plain rule.

Three models of P(detected) over the amount: probit and logit, straight lines on log10 of the amount;
and Poisson, in which one copy of the target in the reaction is enough, so that
P = 1 - exp(-yield x copies). Fitted by maximum likelihood; intervals are those of the profile likelihood,
95 %. Sources: D. J. Finney, Probit Analysis (1971); CLSI EP17-A2; M. Burns and H. Valdivia, European Food
Research and Technology 226 (2008) 1513.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import exp, expm1, isfinite, log, log1p, log10, sqrt
from statistics import NormalDist
from typing import Any, Literal

from labhub.i18n import Text, _
from labhub.methods.critical_values import chi_square_tail
from labhub.methods.trials import wilson_interval

PROBABILITY = 0.95
"""What the limit of detection asks for: at most 5 % false negatives."""
_FAR = 3
"""Powers of ten beyond the amounts tested within which a limit may be told."""
_HALF_CHI2 = 1.959963984540054**2 / 2
_NORMAL = NormalDist()

Model = Literal["probit", "logit", "poisson"]


@dataclass(frozen=True, slots=True)
class Dose:
    """Replicates tested at one amount (copies or percent, above 0) and how many were detected."""

    amount: float
    tested: int
    positive: int


@dataclass(frozen=True, slots=True)
class Point:
    """An amount with what was seen (share and Wilson interval) and what the curve expects."""

    amount: float
    tested: int
    positive: int
    share: float
    low: float
    high: float
    expected: float | None


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted curve, or the reason why there is none."""

    model: Model
    refusal: Text | None
    intercept: float | None = None
    """At log10(amount) = 0; probit and logit only."""
    slope: float | None = None
    """Per tenfold amount; probit and logit only."""
    detected_per_copy: float | None = None
    """Share of copies that are detected on their own; Poisson only."""
    lod: float | None = None
    """Amount detected in 95 % of the replicates."""
    low: float | None = None
    high: float | None = None
    """95 % interval; None where the data set no bound."""
    log_likelihood: float | None = None
    deviance: float | None = None
    """Twice the distance to the saturated model; large beside ``freedom`` means a poor fit."""
    freedom: int | None = None
    p_value: float | None = None
    """Chance of a deviance this large if the model were right; below 0.05 the fit is poor."""
    interval: Literal["profile-likelihood"] = "profile-likelihood"


@dataclass(frozen=True, slots=True)
class Limits:
    """All that the counts say about the limit of detection."""

    points: tuple[Point, ...]
    lowest_level: float | None
    """Lowest amount from which on each level has at most 5 % false negatives."""
    fits: tuple[Fit, ...]
    blank_tested: int
    blank_positive: int


def limits_of(doses: Sequence[Dose], *, copies: bool) -> Limits:
    """Return the plain rule and all fits; amounts of 0 are blanks and are only counted.

    ``copies`` says that the amounts are copies in the reaction: only then is Poisson's model meant.
    """
    blanks = [dose for dose in doses if dose.amount <= 0]
    used = _merged(dose for dose in doses if dose.amount > 0 and dose.tested > 0)
    fits = [fit_line(used, "probit"), fit_line(used, "logit")]
    if copies:
        fits.append(fit_poisson(used))
    best = next((fit for fit in fits if fit.refusal is None), None)
    return Limits(
        points=tuple(
            Point(
                dose.amount,
                dose.tested,
                dose.positive,
                dose.positive / dose.tested,
                *wilson_interval(dose.positive, dose.tested),
                expected=None if best is None else chance(best, dose.amount),
            )
            for dose in used
        ),
        lowest_level=lowest_level(used),
        fits=tuple(fits),
        blank_tested=sum(dose.tested for dose in blanks),
        blank_positive=sum(dose.positive for dose in blanks),
    )


def lowest_level(doses: Sequence[Dose]) -> float | None:
    """Return the lowest amount from which on at most 5 % of the replicates were missed at each level.

    >>> lowest_level([Dose(1, 96, 25), Dose(5, 96, 59), Dose(10, 96, 96), Dose(100, 96, 96)])
    10
    """
    found: float | None = None
    for dose in sorted(doses, key=lambda one: one.amount, reverse=True):
        if dose.tested == 0 or (dose.tested - dose.positive) > (1 - PROBABILITY) * dose.tested + 1e-9:
            break
        found = dose.amount
    return found


def poisson_copies(probability: float, detected_per_copy: float = 1.0) -> float:
    """Return the mean number of copies in the reaction that are detected with ``probability``.

    >>> round(poisson_copies(0.95), 1), round(poisson_copies(0.99), 1)
    (3.0, 4.6)
    """
    return -log1p(-probability) / detected_per_copy


def chance(fit: Fit, amount: float) -> float | None:
    """Return the probability of detection that a fit gives for an amount above 0."""
    if fit.detected_per_copy is not None:
        return -expm1(-fit.detected_per_copy * amount)
    if fit.slope is None or fit.intercept is None:
        return None
    return _inverse(fit.model)(fit.intercept + fit.slope * log10(amount))


def _merged(doses: Iterable[Dose]) -> list[Dose]:
    totals: dict[float, tuple[int, int]] = {}
    for dose in doses:
        tested, positive = totals.get(dose.amount, (0, 0))
        totals[dose.amount] = (tested + dose.tested, positive + dose.positive)
    return [Dose(amount, *totals[amount]) for amount in sorted(totals)]


def _why_not(doses: Sequence[Dose]) -> Text | None:
    if len(doses) < 2:
        return _("A curve needs at least two levels above zero.")
    if all(dose.positive == dose.tested for dose in doses):
        return _("Every replicate was detected at every level: the limit is below the lowest level tested.")
    if all(dose.positive == 0 for dose in doses):
        return _("No replicate was detected: the limit is above the highest level tested.")
    return None


def _log_likelihood(doses: Sequence[Dose], shares: Sequence[float]) -> float:
    total = 0.0
    for dose, share in zip(doses, shares, strict=True):
        inside = min(max(share, 1e-300), 1 - 1e-16)
        if dose.positive:
            total += dose.positive * log(inside)
        if dose.positive < dose.tested:
            total += (dose.tested - dose.positive) * log1p(-inside)
    return total


def _saturated(doses: Sequence[Dose]) -> float:
    return _log_likelihood(doses, [dose.positive / dose.tested for dose in doses])


def _goodness(doses: Sequence[Dose], best: float, freedom: int) -> dict[str, Any]:
    deviance = max(0.0, 2 * (_saturated(doses) - best))
    chance_of = chi_square_tail(deviance, freedom) if freedom > 0 else None
    return {"deviance": deviance, "freedom": freedom, "p_value": chance_of}


def _inverse(model: Model) -> Callable[[float], float]:
    return _NORMAL.cdf if model == "probit" else _logistic


def _logistic(value: float) -> float:
    return 1 / (1 + exp(-value)) if value >= 0 else exp(value) / (1 + exp(value))


def _density(model: Model, value: float) -> float:
    if model == "probit":
        return _NORMAL.pdf(value)
    share = _logistic(value)
    return share * (1 - share)


def _at_95(model: Model) -> float:
    return _NORMAL.inv_cdf(PROBABILITY) if model == "probit" else log(PROBABILITY / (1 - PROBABILITY))


def fit_line(doses: Sequence[Dose], model: Model) -> Fit:
    """Fit probit or logit on log10 of the amount, or say why the data allow no curve.

    >>> fit = fit_line([Dose(1, 60, 20), Dose(5, 60, 50), Dose(20, 60, 60)], "probit")
    >>> round(fit.lod, 1), round(fit.low, 1), round(fit.high, 1)
    (9.2, 6.1, 15.9)
    """
    doses = _merged(doses)
    if reason := _why_not(doses):
        return Fit(model, reason)
    if not any(0 < dose.positive < dose.tested for dose in doses):
        return Fit(
            model,
            _(
                "No level has a partial response (some replicates detected, some not): the slope of "
                "the curve cannot be told. Test a level between the two."
            ),
        )
    if _is_step(doses):
        return Fit(
            model,
            _(
                "Only one level has a partial response, with nothing detected below it and everything above: "
                "any steep curve fits. Test another level near it."
            ),
        )
    logs = [log10(dose.amount) for dose in doses]
    found = _scored(doses, logs, model)
    if found is None:
        return Fit(model, _("The fit does not converge: the counts do not rise along one curve."))
    intercept, slope = found
    if slope <= 0:
        return Fit(model, _("Detection does not rise with the amount; check levels and counts."))
    inverse = _inverse(model)
    best = _log_likelihood(doses, [inverse(intercept + slope * x) for x in logs])
    middle = (_at_95(model) - intercept) / slope
    if not min(logs) - _FAR <= middle <= max(logs) + _FAR or abs(middle) > 200:
        return Fit(
            model,
            _(
                "The curve is so flat that its limit lies more than a thousand times outside the amounts "
                "tested. Test other levels."
            ),
        )

    def drop(log_lod: float) -> float:
        return best - _profile(doses, logs, model, log_lod, slope) - _HALF_CHI2

    low, high = _crossing(drop, middle, -1), _crossing(drop, middle, 1)
    return Fit(
        model,
        None,
        intercept=intercept,
        slope=slope,
        lod=10**middle,
        low=None if low is None else 10**low,
        high=None if high is None else 10**high,
        log_likelihood=best,
        **_goodness(doses, best, len(doses) - 2),
    )


def _is_step(doses: Sequence[Dose]) -> bool:
    """Say whether one level alone is partial and all others are none below and all above it.

    The likelihood then rises with the slope without end, and any figure would be one of the computer's.
    """
    partial = [place for place, dose in enumerate(doses) if 0 < dose.positive < dose.tested]
    if len(partial) != 1:
        return False
    below, above = doses[: partial[0]], doses[partial[0] + 1 :]
    return all(dose.positive == 0 for dose in below) and all(dose.positive == dose.tested for dose in above)


def _scored(doses: Sequence[Dose], logs: Sequence[float], model: Model) -> tuple[float, float] | None:
    """Return intercept and slope by Fisher scoring with halved steps, or None without convergence."""
    inverse = _inverse(model)
    share = (sum(dose.positive for dose in doses) + 0.5) / (sum(dose.tested for dose in doses) + 1)
    start = _NORMAL.inv_cdf(share) if model == "probit" else log(share / (1 - share))
    centre = sum(logs) / len(logs)
    a, b = start, 1.0
    shifted = [x - centre for x in logs]
    current = _log_likelihood(doses, [inverse(a + b * x) for x in shifted])
    for _round in range(200):
        w0 = w1 = w2 = g0 = g1 = 0.0
        for dose, x in zip(doses, shifted, strict=True):
            value = a + b * x
            p = min(max(inverse(value), 1e-12), 1 - 1e-12)
            density = _density(model, value)
            weight = dose.tested * density * density / (p * (1 - p))
            score = (dose.positive - dose.tested * p) * density / (p * (1 - p))
            w0, w1, w2 = w0 + weight, w1 + weight * x, w2 + weight * x * x
            g0, g1 = g0 + score, g1 + score * x
        determinant = w0 * w2 - w1 * w1
        if determinant <= 1e-14 * max(w0 * w2, 1e-300):
            return None
        da, db = (w2 * g0 - w1 * g1) / determinant, (w0 * g1 - w1 * g0) / determinant
        step, better = 1.0, False
        while step > 1e-8:
            value = _log_likelihood(doses, [inverse(a + step * da + (b + step * db) * x) for x in shifted])
            if value >= current - 1e-12:
                better = True
                break
            step /= 2
        if not better:
            return None
        a, b, gain, current = a + step * da, b + step * db, value - current, value
        if abs(b) > 1e4 or not isfinite(a):
            return None
        if abs(gain) < 1e-12 and abs(step * da) + abs(step * db) < 1e-9 * (1 + abs(a) + abs(b)):
            return a - b * centre, b
    return None


def _profile(
    doses: Sequence[Dose], logs: Sequence[float], model: Model, log_lod: float, slope: float
) -> float:
    """Return the best log likelihood of all curves that pass through 95 % at ``log_lod``."""
    inverse, at = _inverse(model), _at_95(model)

    def worth(log_slope: float) -> float:
        b = exp(log_slope)
        return _log_likelihood(doses, [inverse(at + b * (x - log_lod)) for x in logs])

    return worth(_highest(worth, log(slope) - 5, log(slope) + 5))


def _highest(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one hill is highest, by golden section."""
    golden = (sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = function(left), function(right)
    for _round in range(60):
        if at_left < at_right:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = function(right)
        else:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = function(left)
    return (low + high) / 2


def _crossing(function: Callable[[float], float], start: float, side: int) -> float | None:
    """Return where the function leaves below zero on one side, or None within four tenfold steps."""
    inside, step = start, 0.02
    while abs(inside - start) < 4:
        outside = inside + side * step
        if function(outside) > 0:
            for _round in range(60):
                middle = (inside + outside) / 2
                if function(middle) > 0:
                    outside = middle
                else:
                    inside = middle
            return (inside + outside) / 2
        inside, step = outside, step * 1.5
    return None


def fit_poisson(doses: Sequence[Dose]) -> Fit:
    """Fit the single-target Poisson model (complementary log-log with slope one) to copies."""
    if reason := _why_not(doses):
        return Fit("poisson", reason)

    def worth(log_share: float) -> float:
        share = exp(log_share)
        return _log_likelihood(doses, [-expm1(-share * dose.amount) for dose in doses])

    amounts = [dose.amount for dose in doses]
    middle = _highest(worth, -log(max(amounts)) - 12, -log(min(amounts)) + 12)
    best = worth(middle)

    def drop(log_share: float) -> float:
        return best - worth(log_share) - _HALF_CHI2

    low, high = _crossing(drop, middle, -1), _crossing(drop, middle, 1)
    share = exp(middle)
    return Fit(
        "poisson",
        None,
        detected_per_copy=share,
        lod=poisson_copies(PROBABILITY, share),
        low=None if high is None else poisson_copies(PROBABILITY, exp(high)),
        high=None if low is None else poisson_copies(PROBABILITY, exp(low)),
        log_likelihood=best,
        **_goodness(doses, best, len(doses) - 1),
    )
