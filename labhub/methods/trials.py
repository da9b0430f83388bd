"""Analysis of a collaborative trial after ISO 5725-2: precision, trueness, outliers, and all the working.

Raw results come in as rows ``(laboratory, level, replicate, value)``; every number that is needed to redo
the sums goes out. Results of yes/no tests (1 detected, 0 not detected) are counted instead.

The outlier procedure of a level is always the same:

1. Laboratories that a person excluded are left out; laboratories that a person keeps stay in.
2. Cochran's test on the variances of the cells, again after each outlier, until none is left.
3. Grubbs' test on the cell means, at both ends; after an outlier again on the rest. If the single test
   finds none, the double test at both ends.

Beyond the 1 % critical value a laboratory is an outlier and leaves the level; between 5 % and 1 % it is a
straggler, stays and is shown. Sources: ISO 5725-2 (1994), 7.3 to 7.4; W. Horwitz, Pure and Applied
Chemistry 67 (1995) 331, for the limit of 2/9; ISO 5725-4 for bias.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, fsum, log, sqrt
from typing import Literal

from labhub.methods import critical_values
from labhub.methods.critical_values import OUTLIER, STRAGGLER

Row = tuple[str, str, int, float | None]
"""Laboratory, level, number of the replicate, result (None where it is missing)."""

Verdict = Literal["outlier", "straggler", "correct", "not-run"]
Cause = Literal["cochran", "grubbs-high", "grubbs-low", "grubbs-two-high", "grubbs-two-low", "hand"]
Caution = Literal[
    "too-many-excluded",
    "few-laboratories",
    "negative-between",
    "unequal-replicates",
    "no-replicates",
    "one-laboratory",
    "no-results",
]

MOST_EXCLUDED = 2 / 9
"""Share of the laboratories beyond which exclusions are a warning (IUPAC/AOAC harmonised protocol)."""
FEWEST_LABORATORIES = 8
"""Valid laboratories that the harmonised protocol asks for at a level."""
LIMIT_FACTOR = 2.8
"""Repeatability and reproducibility limits are this many standard deviations (ISO 5725-6)."""
MOST_IN_DOUBLE_TEST = 200
"""Laboratories beyond which the double test is left out: no trial has as many."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A laboratory kept or excluded by a person; an empty level means all levels."""

    laboratory: str
    level: str
    action: Literal["keep", "exclude"]
    reason: str


@dataclass(frozen=True, slots=True)
class Cell:
    """The results of one laboratory at one level, with Mandel's h and k over all laboratories."""

    laboratory: str
    values: tuple[float, ...]
    missing: int
    mean: float
    s: float | None
    h: float | None
    k: float | None
    used: bool
    straggler: bool


@dataclass(frozen=True, slots=True)
class OutlierTest:
    """One test with its numbers. Grubbs' double statistic is significant when it is *small*."""

    kind: Literal["cochran", "grubbs-high", "grubbs-low", "grubbs-two-high", "grubbs-two-low"]
    laboratories: tuple[str, ...]
    count: int
    """Laboratories in the test."""
    replicates: int | None
    """Results in most cells, which Cochran's critical value is read for."""
    statistic: float | None
    critical_5: float | None
    critical_1: float | None
    verdict: Verdict
    kept_by_hand: bool = False
    """The test found an outlier and a person decided to keep it."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A laboratory left out of a level, and why."""

    laboratory: str
    cause: Cause
    statistic: float | None
    critical: float | None
    reason: str
    """What the person wrote who excluded it; empty when a test did."""


@dataclass(frozen=True, slots=True)
class Sums:
    """The five sums of ISO 5725-2, 7.4.5, from which the variances follow."""

    t1: float
    """Sum of n times mean."""
    t2: float
    """Sum of n times the square of the mean."""
    t3: int
    """Sum of n."""
    t4: int
    """Sum of the squares of n."""
    t5: float
    """Sum of (n - 1) times the variance of the cell."""


@dataclass(frozen=True, slots=True)
class Level:
    """A level of a quantitative trial: cells, tests, exclusions and the figures from what is left."""

    label: str
    assigned: float | None
    cells: tuple[Cell, ...]
    tests: tuple[OutlierTest, ...]
    exclusions: tuple[Exclusion, ...]
    warnings: tuple[Caution, ...]
    h_5: float | None
    h_1: float | None
    k_5: float | None
    k_1: float | None
    laboratories: int
    """Laboratories in the figures."""
    results: int
    replicates: int | None
    """Results in most cells."""
    sums: Sums | None
    n_bar: float | None
    """Mean number of replicates in the sense of formula (23)."""
    mean: float | None
    s_r: float | None
    s_L: float | None
    s_R: float | None
    r: float | None
    R: float | None
    rsdr_percent: float | None
    rsdR_percent: float | None
    bias: float | None
    bias_percent: float | None
    horrat: float | None


@dataclass(frozen=True, slots=True)
class Count:
    """How often one laboratory detected the target at one level."""

    laboratory: str
    tested: int
    positive: int


@dataclass(frozen=True, slots=True)
class QualitativeLevel:
    """A level of a yes/no trial. POD is the probability of detection, with Wilson's 95 % interval."""

    label: str
    assigned: float | None
    counts: tuple[Count, ...]
    exclusions: tuple[Exclusion, ...]
    laboratories: int
    tested: int
    positive: int
    pod: float | None
    pod_low: float | None
    pod_high: float | None
    false_negative_percent: float | None
    """Only where the assigned value is above zero."""
    false_positive_percent: float | None
    """Only where the assigned value is zero."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The analysis of a trial: quantitative levels, or counts of a yes/no test."""

    levels: tuple[Level, ...]
    qualitative: tuple[QualitativeLevel, ...]
    decisions: tuple[Decision, ...]
    unused_decisions: tuple[Decision, ...]
    """Decisions that name a laboratory or level that is not in the data."""


def analyse(
    rows: Iterable[Sequence[object]],
    *,
    assigned: dict[str, float | None] | None = None,
    decisions: Sequence[Decision] = (),
    mass_fraction_of_one: float | None = None,
) -> Trial:
    """Return the analysis of a quantitative trial, levels in the order in which they come.

    ``assigned`` gives the assigned value of a level; without one there is no bias. HorRat is given only if
    ``mass_fraction_of_one`` says what mass fraction the value 1 is (0.01 for a percentage by mass).
    """
    typed = [_typed(row) for row in rows]
    given = assigned or {}
    levels = tuple(
        _level(label, table, given.get(label), decisions, mass_fraction_of_one)
        for label, table in _by_level(typed).items()
    )
    return Trial(levels, (), tuple(decisions), _unused(typed, decisions))


def count(
    rows: Iterable[Sequence[object]],
    *,
    assigned: dict[str, float | None] | None = None,
    decisions: Sequence[Decision] = (),
) -> Trial:
    """Return the counts of a trial of a yes/no test; the results are 1 (detected) or 0."""
    typed = [_typed(row) for row in rows]
    given = assigned or {}
    levels = tuple(
        _qualitative(label, table, given.get(label), decisions) for label, table in _by_level(typed).items()
    )
    return Trial((), levels, tuple(decisions), _unused(typed, decisions))


def _typed(row: Sequence[object]) -> Row:
    laboratory, level, replicate, value = row
    number = None if value is None else float(value)  # type: ignore[arg-type]
    return str(laboratory), str(level), int(replicate), number  # type: ignore[call-overload]


def _by_level(rows: Iterable[Row]) -> dict[str, dict[str, list[float | None]]]:
    table: dict[str, dict[str, list[tuple[int, float | None]]]] = defaultdict(lambda: defaultdict(list))
    for laboratory, level, replicate, value in rows:
        table[level][laboratory].append((replicate, value))
    return {
        level: {
            laboratory: [value for _number, value in sorted(results, key=lambda pair: pair[0])]
            for laboratory, results in laboratories.items()
        }
        for level, laboratories in table.items()
    }


def _unused(rows: Sequence[Row], decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    pairs = {(laboratory, level) for laboratory, level, _replicate, _value in rows}
    laboratories = {laboratory for laboratory, _level in pairs}
    return tuple(
        one
        for one in decisions
        if (one.laboratory not in laboratories if not one.level else (one.laboratory, one.level) not in pairs)
    )


def _decided(laboratory: str, level: str, decisions: Sequence[Decision]) -> Decision | None:
    """Return the decision for a cell; one for the level goes before one for all levels."""
    own = [one for one in decisions if one.laboratory == laboratory and one.level in ("", level)]
    return max(own, key=lambda one: one.level != "", default=None)


# Quantitative --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Cell:
    laboratory: str
    values: list[float]
    missing: int
    mean: float
    variance: float | None


def mean_of(values: Sequence[float]) -> float:
    """Return the arithmetic mean.

    >>> mean_of([4.0, 5.0])
    4.5
    """
    return fsum(values) / len(values)


def variance_of(values: Sequence[float]) -> float:
    """Return the sample variance, with n - 1; exactly 0 for equal values.

    >>> round(variance_of([91.0, 89.6]), 3)
    0.98
    """
    if min(values) == max(values):
        return 0.0
    centre = mean_of(values)
    return fsum((value - centre) ** 2 for value in values) / (len(values) - 1)


def _level(
    label: str,
    table: dict[str, list[float | None]],
    assigned: float | None,
    decisions: Sequence[Decision],
    mass_fraction_of_one: float | None,
) -> Level:
    cells: list[_Cell] = []
    for laboratory, results in table.items():
        values = [value for value in results if value is not None]
        if values:
            variance = variance_of(values) if len(values) > 1 else None
            cells.append(_Cell(laboratory, values, len(results) - len(values), mean_of(values), variance))
    exclusions: list[Exclusion] = []
    kept: set[str] = set()
    for cell in cells:
        decision = _decided(cell.laboratory, label, decisions)
        if decision and decision.action == "exclude":
            exclusions.append(Exclusion(cell.laboratory, "hand", None, None, decision.reason))
        elif decision:
            kept.add(cell.laboratory)
    tests: list[OutlierTest] = []
    _run_cochran(cells, exclusions, kept, tests)
    _run_grubbs(cells, exclusions, kept, tests)
    out = {one.laboratory for one in exclusions}
    stragglers = {name for test in tests if test.verdict == "straggler" for name in test.laboratories}
    stragglers |= {name for test in tests if test.kept_by_hand for name in test.laboratories}
    h, k = _mandel(cells)
    replicates = _usual_replicates(cells)
    varied = sum(cell.variance is not None for cell in cells)
    several = replicates is not None and replicates > 1 and varied > 1
    figures = _figures([cell for cell in cells if cell.laboratory not in out], assigned, mass_fraction_of_one)
    return Level(
        label=label,
        assigned=assigned,
        cells=tuple(
            Cell(
                laboratory=cell.laboratory,
                values=tuple(cell.values),
                missing=cell.missing,
                mean=cell.mean,
                s=None if cell.variance is None else sqrt(cell.variance),
                h=h.get(cell.laboratory),
                k=k.get(cell.laboratory),
                used=cell.laboratory not in out,
                straggler=cell.laboratory in stragglers and cell.laboratory not in out,
            )
            for cell in cells
        ),
        tests=tuple(tests),
        exclusions=tuple(exclusions),
        warnings=_warnings(cells, out, figures),
        h_5=critical_values.mandel_h(len(cells), STRAGGLER) if h else None,
        h_1=critical_values.mandel_h(len(cells), OUTLIER) if h else None,
        k_5=critical_values.mandel_k(varied, replicates or 0, STRAGGLER) if k and several else None,
        k_1=critical_values.mandel_k(varied, replicates or 0, OUTLIER) if k and several else None,
        laboratories=len(cells) - len(out),
        results=figures.results,
        replicates=replicates,
        sums=figures.sums,
        n_bar=figures.n_bar,
        mean=figures.mean,
        s_r=figures.s_r,
        s_L=figures.s_L,
        s_R=figures.s_R,
        r=None if figures.s_r is None else LIMIT_FACTOR * figures.s_r,
        R=None if figures.s_R is None else LIMIT_FACTOR * figures.s_R,
        rsdr_percent=_relative(figures.s_r, figures.mean),
        rsdR_percent=_relative(figures.s_R, figures.mean),
        bias=figures.bias,
        bias_percent=_percent_of(figures.bias, assigned),
        horrat=figures.horrat,
    )


def _usual_replicates(cells: Sequence[_Cell]) -> int | None:
    """Return the number of results in most cells; the larger one if two numbers are as frequent."""
    sizes = Counter(len(cell.values) for cell in cells)
    return max(sizes, key=lambda size: (sizes[size], size), default=None)


def _mandel(cells: Sequence[_Cell]) -> tuple[dict[str, float], dict[str, float]]:
    """Return h and k by laboratory, over all laboratories (7.3.1); nothing where all agree."""
    h: dict[str, float] = {}
    k: dict[str, float] = {}
    if len(cells) >= 3:
        total = sum(len(cell.values) for cell in cells)
        centre = fsum(len(cell.values) * cell.mean for cell in cells) / total
        spread = sqrt(fsum((cell.mean - centre) ** 2 for cell in cells) / (len(cells) - 1))
        if spread > 1e-12 * abs(centre):
            h = {cell.laboratory: (cell.mean - centre) / spread for cell in cells}
    variances = {cell.laboratory: cell.variance for cell in cells if cell.variance is not None}
    pooled = fsum(variances.values())
    if len(variances) >= 2 and pooled > 0:
        k = {name: sqrt(len(variances) * value / pooled) for name, value in variances.items()}
    return h, k


def _judge(value: float, at_5: float, at_1: float) -> Verdict:
    if value > at_1:
        return "outlier"
    return "straggler" if value > at_5 else "correct"


def _remaining(cells: Sequence[_Cell], exclusions: Sequence[Exclusion]) -> list[_Cell]:
    out = {one.laboratory for one in exclusions}
    return [cell for cell in cells if cell.laboratory not in out]


def _run_cochran(
    cells: Sequence[_Cell], exclusions: list[Exclusion], kept: set[str], tests: list[OutlierTest]
) -> None:
    while True:
        left = [cell for cell in _remaining(cells, exclusions) if cell.variance is not None]
        replicates = _usual_replicates(left)
        total = fsum(cell.variance or 0.0 for cell in left)
        if len(left) < 2 or replicates is None or total <= 0:
            if not tests:
                tests.append(OutlierTest("cochran", (), len(left), replicates, None, None, None, "not-run"))
            return
        largest = max(left, key=lambda cell: cell.variance or 0.0)
        statistic = (largest.variance or 0.0) / total
        at_5 = critical_values.cochran(len(left), replicates, STRAGGLER)
        at_1 = critical_values.cochran(len(left), replicates, OUTLIER)
        verdict = _judge(statistic, at_5, at_1)
        by_hand = verdict == "outlier" and largest.laboratory in kept
        tests.append(
            OutlierTest(
                "cochran",
                (largest.laboratory,),
                len(left),
                replicates,
                statistic,
                at_5,
                at_1,
                verdict,
                kept_by_hand=by_hand,
            )
        )
        if verdict != "outlier" or by_hand:
            return
        exclusions.append(Exclusion(largest.laboratory, "cochran", statistic, at_1, ""))


def _run_grubbs(
    cells: Sequence[_Cell], exclusions: list[Exclusion], kept: set[str], tests: list[OutlierTest]
) -> None:
    found = False
    while True:
        left = sorted(_remaining(cells, exclusions), key=lambda cell: cell.mean)
        means = [cell.mean for cell in left]
        spread = sqrt(variance_of(means)) if len(means) >= 3 else 0.0
        if spread <= 1e-12 * max((abs(mean) for mean in means), default=0.0):
            if not found:
                tests.append(OutlierTest("grubbs-high", (), len(left), None, None, None, None, "not-run"))
            return
        centre = mean_of(means)
        at_5 = critical_values.grubbs_single(len(left), STRAGGLER)
        at_1 = critical_values.grubbs_single(len(left), OUTLIER)
        ends: list[tuple[Cause, _Cell, float]] = [
            ("grubbs-high", left[-1], (means[-1] - centre) / spread),
            ("grubbs-low", left[0], (centre - means[0]) / spread),
        ]
        outlying: list[tuple[Cause, _Cell, float]] = []
        for kind, cell, statistic in ends:
            verdict = _judge(statistic, at_5, at_1)
            by_hand = verdict == "outlier" and cell.laboratory in kept
            tests.append(
                OutlierTest(
                    kind,  # type: ignore[arg-type]
                    (cell.laboratory,),
                    len(left),
                    None,
                    statistic,
                    at_5,
                    at_1,
                    verdict,
                    kept_by_hand=by_hand,
                )
            )
            if verdict == "outlier":
                found = True
                if not by_hand:
                    outlying.append((kind, cell, statistic))
        if not outlying:
            break
        cause, cell, statistic = max(outlying, key=lambda one: one[2])
        exclusions.append(Exclusion(cell.laboratory, cause, statistic, at_1, ""))
    if not found:
        _run_grubbs_double(cells, exclusions, kept, tests)


def _run_grubbs_double(
    cells: Sequence[_Cell], exclusions: list[Exclusion], kept: set[str], tests: list[OutlierTest]
) -> None:
    """Test the two largest, then the two smallest means; the stronger outlying pair leaves."""
    left = sorted(_remaining(cells, exclusions), key=lambda cell: cell.mean)
    if not 4 <= len(left) <= MOST_IN_DOUBLE_TEST:
        return
    means = [cell.mean for cell in left]
    whole = variance_of(means) * (len(means) - 1)
    at_5 = critical_values.grubbs_double(len(left), STRAGGLER)
    at_1 = critical_values.grubbs_double(len(left), OUTLIER)
    ends: list[tuple[Cause, list[_Cell], list[float]]] = [
        ("grubbs-two-high", left[-2:], means[:-2]),
        ("grubbs-two-low", left[:2], means[2:]),
    ]
    outlying: list[tuple[float, Cause, list[_Cell]]] = []
    for kind, pair, others in ends:
        statistic = variance_of(others) * (len(others) - 1) / whole
        verdict = _judge(-statistic, -at_5, -at_1)
        names = tuple(cell.laboratory for cell in pair)
        by_hand = verdict == "outlier" and any(name in kept for name in names)
        tests.append(
            OutlierTest(
                kind,  # type: ignore[arg-type]
                names,
                len(left),
                None,
                statistic,
                at_5,
                at_1,
                verdict,
                kept_by_hand=by_hand,
            )
        )
        if verdict == "outlier":
            outlying.append((statistic, kind, [cell for cell in pair if cell.laboratory not in kept]))
    if outlying:
        statistic, cause, pair = min(outlying, key=lambda one: one[0])
        exclusions.extend(Exclusion(cell.laboratory, cause, statistic, at_1, "") for cell in pair)


@dataclass(slots=True)
class _Figures:
    results: int = 0
    sums: Sums | None = None
    n_bar: float | None = None
    mean: float | None = None
    s_r: float | None = None
    s_L: float | None = None
    s_R: float | None = None
    bias: float | None = None
    horrat: float | None = None
    negative: bool = False


def _figures(cells: Sequence[_Cell], assigned: float | None, mass_fraction_of_one: float | None) -> _Figures:
    """Return mean and variances from the cells left (7.4.5, formulae 19 to 23)."""
    figures = _Figures(results=sum(len(cell.values) for cell in cells))
    if not cells:
        return figures
    sizes = [len(cell.values) for cell in cells]
    t1 = fsum(n * cell.mean for n, cell in zip(sizes, cells, strict=True))
    t2 = fsum(n * cell.mean**2 for n, cell in zip(sizes, cells, strict=True))
    t3, t4 = sum(sizes), sum(n * n for n in sizes)
    t5 = fsum((n - 1) * (cell.variance or 0.0) for n, cell in zip(sizes, cells, strict=True))
    p = len(cells)
    figures.sums = Sums(t1, t2, t3, t4, t5)
    figures.mean = t1 / t3
    if t3 > p:
        figures.s_r = sqrt(t5 / (t3 - p))
    if p > 1 and figures.s_r is not None:
        n_bar = (t3 - t4 / t3) / (p - 1)
        # The same as (T2 T3 - T1^2) / (T3 (p - 1)), without the loss of digits.
        between = fsum(n * (cell.mean - figures.mean) ** 2 for n, cell in zip(sizes, cells, strict=True)) / (
            p - 1
        )
        variance = (between - figures.s_r**2) / n_bar
        figures.n_bar = n_bar
        figures.negative = variance < 0
        figures.s_L = sqrt(max(variance, 0.0))
        figures.s_R = sqrt(figures.s_L**2 + figures.s_r**2)
    if assigned is not None:
        figures.bias = figures.mean - assigned
    if mass_fraction_of_one is not None and figures.s_R is not None and figures.mean > 0:
        fraction = (assigned if assigned and assigned > 0 else figures.mean) * mass_fraction_of_one
        expected = predicted_rsdR(fraction)
        figures.horrat = 100 * figures.s_R / figures.mean / expected
    return figures


def predicted_rsdR(mass_fraction: float) -> float:
    """Return the relative standard deviation between laboratories that is usual, in percent.

    Horwitz' function with Thompson's changes at both ends. ``mass_fraction`` is above 0 and at most 1.
    Source: M. Thompson, Analyst 125 (2000) 385.

    >>> [round(predicted_rsdR(fraction), 2) for fraction in (0.5, 0.01, 1e-6, 1e-9)]
    [1.41, 4.0, 16.0, 22.0]
    """
    if mass_fraction < 1.2e-7:
        return 22.0
    if mass_fraction > 0.138:
        return 1 / sqrt(mass_fraction)
    return 2 * exp(-0.1505 * log(mass_fraction))


def _relative(s: float | None, mean: float | None) -> float | None:
    return None if s is None or mean is None or mean <= 0 else 100 * s / mean


def _percent_of(difference: float | None, whole: float | None) -> float | None:
    return None if difference is None or not whole else 100 * difference / whole


def _warnings(cells: Sequence[_Cell], out: set[str], figures: _Figures) -> tuple[Caution, ...]:
    left = [cell for cell in cells if cell.laboratory not in out]
    found: list[Caution] = []
    if not left:
        return ("no-results",)
    if len(cells) == 1:
        found.append("one-laboratory")
    elif len(left) < FEWEST_LABORATORIES:
        found.append("few-laboratories")
    if len(out) > MOST_EXCLUDED * len(cells):
        found.append("too-many-excluded")
    if figures.s_r is None:
        found.append("no-replicates")
    if len({len(cell.values) for cell in left}) > 1:
        found.append("unequal-replicates")
    if figures.negative:
        found.append("negative-between")
    return tuple(found)


# Yes or no -----------------------------------------------------------------------------------


def wilson_interval(positive: int, tested: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Return Wilson's interval of a share, 95 % unless ``z`` says otherwise. ``tested`` is above 0.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209.

    >>> [round(limit, 4) for limit in wilson_interval(59, 60)]
    [0.9114, 0.9971]
    """
    share = positive / tested
    scale = 1 + z * z / tested
    centre = (share + z * z / (2 * tested)) / scale
    half = z * sqrt(share * (1 - share) / tested + z * z / (4 * tested * tested)) / scale
    low = 0.0 if positive == 0 else max(0.0, centre - half)
    high = 1.0 if positive == tested else min(1.0, centre + half)
    return low, high


def _qualitative(
    label: str,
    table: dict[str, list[float | None]],
    assigned: float | None,
    decisions: Sequence[Decision],
) -> QualitativeLevel:
    counts: list[Count] = []
    exclusions: list[Exclusion] = []
    for laboratory, results in table.items():
        seen = [value for value in results if value is not None]
        if not seen:
            continue
        counts.append(Count(laboratory, len(seen), sum(value > 0 for value in seen)))
        decision = _decided(laboratory, label, decisions)
        if decision and decision.action == "exclude":
            exclusions.append(Exclusion(laboratory, "hand", None, None, decision.reason))
    out = {one.laboratory for one in exclusions}
    left = [one for one in counts if one.laboratory not in out]
    tested, positive = sum(one.tested for one in left), sum(one.positive for one in left)
    pod = positive / tested if tested else None
    low, high = wilson_interval(positive, tested) if tested else (None, None)
    return QualitativeLevel(
        label=label,
        assigned=assigned,
        counts=tuple(counts),
        exclusions=tuple(exclusions),
        laboratories=len(left),
        tested=tested,
        positive=positive,
        pod=pod,
        pod_low=low,
        pod_high=high,
        false_negative_percent=100 * (1 - pod) if pod is not None and assigned else None,
        false_positive_percent=100 * pod if pod is not None and assigned == 0 else None,
    )
