"""What is said of the repeated runs of a command, and of two commands: as `kepler measure` has it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, Optional

from ._statistics import mean_of

# Further from the median than this many scaled deviations, a run is an outlier (Iglewicz and Hoaglin, How to Detect and
# Handle Outliers, 1993). The other is the half-width of 50 % of a normal distribution.
_FAR, _QUARTILE = 3.5, 0.6745
_SIGNIFICANT = 0.05


def summary(values: Sequence[float]) -> Optional[dict[str, Any]]:
    """What is known of a figure from several runs; none of nothing, no deviation of one run."""
    if not values:
        return None
    mean, median = mean_of(values), statistics.median(values)
    half = mean.half_width
    spread = statistics.median(abs(value - median) for value in values)
    far = [value for value in values if spread > 0 and _QUARTILE * abs(value - median) / spread > _FAR]
    return {
        "runs": len(values),
        "mean": mean.value,
        "standard_deviation": mean.deviation,
        "interval_95": None if half is None else [mean.value - half, mean.value + half],
        "minimum": min(values),
        "median": median,
        "maximum": max(values),
        "outliers": len(far),
    }


def difference(first: Sequence[float], second: Sequence[float]) -> Optional[dict[str, Any]]:
    """The second minus the first, by Welch's t-test; none where one of them has no run."""
    if not first or not second:
        return None
    a, b = statistics.fmean(first), statistics.fmean(second)
    found: dict[str, Any] = {"mean": b - a, "ratio": (b - a) / a if a else None}
    found.update(interval_95=None, t=None, degrees_of_freedom=None, p_value=None)
    if len(first) < 2 or len(second) < 2:
        return found
    v, w = statistics.variance(first) / len(first), statistics.variance(second) / len(second)
    if v + w <= 0:
        return found
    freedom = (v + w) ** 2 / (v * v / (len(first) - 1) + w * w / (len(second) - 1))
    error = math.sqrt(v + w)
    half, t = _t_quantile_95(freedom) * error, (b - a) / error
    found.update(interval_95=[b - a - half, b - a + half], t=t, degrees_of_freedom=freedom, p_value=_beyond(t, freedom))
    return found


def verdict(judged: Optional[dict[str, Any]]) -> str:
    """``less``, ``more``, ``no_difference`` (not at the 5 % level) or ``unknown``."""
    if judged is None or judged["p_value"] is None:
        return "unknown"
    if judged["p_value"] >= _SIGNIFICANT:
        return "no_difference"
    return "less" if judged["mean"] < 0 else "more"


def _beyond(t: float, freedom: float) -> float:
    """How probable a Student's t at least as far from zero is."""
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def _t_quantile_95(freedom: float) -> float:
    """The t that is exceeded on either side with 5 % probability."""
    low, high = 0.0, 1e6
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _beyond(middle, freedom) > 0.05 else (low, middle)
    return (low + high) / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Regularised, by its continued fraction (Abramowitz and Stegun, 26.5.8) from the end."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    rest = 1.0
    for n in range(300, 0, -1):
        m = n // 2
        if n % 2:
            coefficient = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            coefficient = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        rest = 1 + coefficient / rest
    return front / rest
