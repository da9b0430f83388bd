"""Critical values of the tests of ISO 5725-2, computed instead of copied from its tables.

Cochran and single Grubbs use the usual bounds from the F and t distributions, which are what the
tables of the standard print; Mandel's h and k are exact; the double Grubbs test is integrated
numerically. Nothing is simulated. The only module of the trials that wraps NumPy and SciPy.
"""

from functools import lru_cache
from math import comb, lgamma, pi, sqrt
from typing import Any

OUTLIER = 0.01
"""Significance beyond which a value is a statistical outlier (ISO 5725-2, 7.3.2)."""
STRAGGLER = 0.05
"""Significance beyond which a value is a straggler."""

_POINTS = 4001
_NODES = 64


def cochran(laboratories: int, replicates: int, significance: float) -> float:
    """Return the critical value of the largest variance's share of the sum of variances.

    ``laboratories`` is the number of variances, each from ``replicates`` results; needs at least two
    of both. Source: W. G. Cochran 1941, by the F distribution at ``significance / laboratories``.

    >>> round(cochran(8, 3, 0.05), 3), round(cochran(8, 3, 0.01), 3)
    (0.516, 0.615)
    """
    from scipy.special import fdtri

    one, others = replicates - 1, (laboratories - 1) * (replicates - 1)
    quantile = float(fdtri(one, others, 1 - significance / laboratories))
    return quantile / (quantile + laboratories - 1)


def grubbs_single(laboratories: int, significance: float) -> float:
    """Return the critical value of the largest distance from the mean, in standard deviations.

    At the significance of a test of both ends, as the standard's table has it; at least three values.

    >>> round(grubbs_single(8, 0.05), 3), round(grubbs_single(8, 0.01), 3)
    (2.127, 2.274)
    """
    from scipy.special import stdtrit

    p = laboratories
    t = float(stdtrit(p - 2, 1 - significance / (2 * p)))
    return (p - 1) / sqrt(p) * sqrt(t * t / (p - 2 + t * t))


def mandel_h(laboratories: int, significance: float) -> float:
    """Return the indicator value of Mandel's h (both sides); at least three laboratories.

    >>> round(mandel_h(8, 0.05), 2), round(mandel_h(8, 0.01), 2)
    (1.75, 2.06)
    """
    from scipy.special import stdtrit

    p = laboratories
    t = float(stdtrit(p - 2, 1 - significance / 2))
    return (p - 1) * t / sqrt(p * (t * t + p - 2))


def mandel_k(laboratories: int, replicates: int, significance: float) -> float:
    """Return the indicator value of Mandel's k; at least two laboratories and two replicates."""
    from scipy.special import betaincinv

    one, others = (replicates - 1) / 2, (laboratories - 1) * (replicates - 1) / 2
    return sqrt(laboratories * float(betaincinv(one, others, 1 - significance)))


def chi_square_tail(value: float, freedom: int) -> float:
    """Return how often a chi-square with ``freedom`` degrees is above ``value``.

    >>> round(chi_square_tail(3.841, 1), 3)
    0.05
    """
    from scipy.special import chdtrc

    return float(chdtrc(freedom, value))


@lru_cache(maxsize=256)
def grubbs_double(laboratories: int, significance: float) -> float:
    """Return the critical value below which the two largest (or two smallest) values are outlying.

    The statistic is the sum of squares without the two, divided by that of all. For one given pair the
    ratio has the distribution Beta((p - 3)/2, 1); the pair is the largest if the greatest of the others,
    in the units of their own sum of squares, stays below both. The three parts are independent, so
    the probability is a double integral, solved here for the value. ``significance`` is that of
    a test of both ends. Between 4 and 200 values.

    >>> round(grubbs_double(8, 0.05), 4)
    0.1101
    """
    low, high = 0.0, 1.0
    for _step in range(24):
        middle = (low + high) / 2
        if grubbs_double_probability(laboratories, middle) < significance / 2:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def grubbs_double_probability(laboratories: int, ratio: float) -> float:
    """Return how often the two largest of normal values leave a share of squares below ``ratio``."""
    import numpy

    p = laboratories
    exponent = (p - 3) / 2
    nodes, weights = numpy.polynomial.legendre.leggauss(_NODES)
    top = ratio**exponent
    share = ((nodes + 1) / 2 * top) ** (1 / exponent)
    rho = numpy.sqrt(1 / share - 1)[:, None]
    angle = ((nodes + 1) / 2 * (pi / 2))[None, :]
    reach = rho * (sqrt(p / (2 * (p - 2))) * numpy.sin(angle) - numpy.cos(angle) / sqrt(2))
    inside = _largest_below(p - 2, reach) @ weights / 4
    return float(comb(p, 2) * top * (inside @ weights) / 2)


def _largest_below(count: int, limit: Any) -> Any:
    """Return P((largest - mean)/sqrt(sum of squares) <= limit) of ``count`` normal values."""
    import numpy

    if count == 2:
        return (limit >= 1 / sqrt(2)).astype(float)
    angles, values = _largest(count)
    asked = numpy.arcsin(numpy.clip(limit * sqrt(count / (count - 1)), 0.0, 1.0))
    return numpy.interp(asked, angles, values)


@lru_cache(maxsize=256)
def _largest(count: int) -> tuple[Any, Any]:
    """Return the distribution of the largest standardised residual, over the angle whose sine it is.

    By the recursion of F. E. Grubbs 1950: the largest of ``count`` values leaves ``count - 1`` whose own
    largest must stay below it, and the shape of these is independent of its distance.
    """
    import numpy

    for smaller in range(4, count):
        _largest(smaller)  # from below, so that the recursion stays flat
    angles = numpy.linspace(0.0, pi / 2, _POINTS)
    if count == 3:
        start = numpy.arctan(sqrt(2 / 3) / sqrt(2))
        values = numpy.where(angles > start, 3 / pi * (angles - start), 0.0)
        return angles, values
    with numpy.errstate(over="ignore"):
        below = _largest_below(count - 1, sqrt(count / (count - 1)) * numpy.tan(angles))
    log_beta = lgamma(0.5) + lgamma((count - 2) / 2) - lgamma((count - 1) / 2)
    density = count * numpy.cos(angles) ** (count - 3) * below * numpy.exp(-log_beta)
    steps = numpy.concatenate(([0.0], numpy.cumsum((density[1:] + density[:-1]) / 2)))
    return angles, steps / steps[-1]
