"""Means, spreads and Student's t: what is said of repeated runs and passes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Optional

# A first pass compiles, fills caches and reads from disk: with this many passes it no longer counts for the rate.
_WARMED_UP = 4


def normal_quantile(probability: float) -> float:
    """Of the standard normal distribution, by bisection of its error function: rarely asked, and exact enough."""
    low, high = -40.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        if 0.5 * math.erfc(-middle / math.sqrt(2)) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def t_quantile(probability: float, freedom: int) -> float:
    """Of Student's t with this many degrees of freedom.

    Exact for one and two; else by bisection of the distribution, whose tail is integrated by its finite series
    (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4); past 200 the normal distribution's with Hill's correction.
    """
    if freedom == 1:
        return math.tan(math.pi * (probability - 0.5))
    if freedom == 2:
        centred = 2 * probability - 1
        return centred * math.sqrt(2 / (1 - centred * centred)) if abs(centred) < 1 else math.inf
    if freedom > 200:
        z = normal_quantile(probability)
        return z + (z**3 + z) / (4 * freedom)
    low, high = -1e3, 1e3
    for _ in range(80):
        middle = (low + high) / 2
        if _t_distribution(middle, freedom) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _t_distribution(t: float, freedom: int) -> float:
    angle = math.atan(t / math.sqrt(freedom))
    cosine, term, total = math.cos(angle), 1.0, 0.0
    if freedom % 2:
        term = cosine
        for step in range(1, freedom - 1, 2):
            total += term
            term *= cosine * cosine * (step + 1) / (step + 2)
        inside = 2 / math.pi * (angle + math.sin(angle) * total)
    else:
        for step in range(0, freedom - 1, 2):
            total += term
            term *= cosine * cosine * (step + 1) / (step + 2)
        inside = math.sin(angle) * total
    return (1 + inside) / 2


class Mean(NamedTuple):
    """Of repeated values."""

    of: int
    """How many there are."""
    value: float
    deviation: Optional[float]
    """Standard deviation of a single one; none of one value."""
    half_width: Optional[float]
    """The mean's confidence interval is this much to both sides; none of one value."""


def mean_of(values: Sequence[float], level: float = 0.95) -> Mean:
    """Mean, spread, and the mean's confidence interval."""
    count = len(values)
    value = math.fsum(values) / count
    if count < 2:
        return Mean(count, value, None, None)
    deviation = math.sqrt(math.fsum((one - value) ** 2 for one in values) / (count - 1))
    return Mean(count, value, deviation, t_quantile((1 + level) / 2, count - 1) * deviation / math.sqrt(count))


class Passes:
    """Mean and spread of what passes used, the first of them apart (Welford's method: nothing but sums is kept)."""

    __slots__ = ("count", "first", "mean", "squares")

    def __init__(self) -> None:
        self.count = 0
        self.first = (0.0, 0.0)
        self.mean = (0.0, 0.0)
        self.squares = (0.0, 0.0)

    def add(self, joules: float, seconds: float) -> None:
        """One more."""
        self.count += 1
        if self.count == 1:
            self.first = (joules, seconds)
            return
        number = self.count - 1
        means, squares = self.mean, self.squares
        away = joules - means[0], seconds - means[1]
        self.mean = means[0] + away[0] / number, means[1] + away[1] / number
        self.squares = squares[0] + away[0] * (joules - self.mean[0]), squares[1] + away[1] * (seconds - self.mean[1])

    def rate(self, which: int) -> tuple[float, Optional[float], int]:
        """Mean of joules (0) or seconds (1), its variance between passes, and how many passes tell."""
        rest = self.count - 1
        if self.count >= _WARMED_UP:
            return self.mean[which], self.squares[which] / (rest - 1), rest
        if rest == 0:
            return self.first[which], None, 1
        away = self.first[which] - self.mean[which]
        mean = self.mean[which] + away / self.count
        return mean, (self.squares[which] + away * away * rest / self.count) / (self.count - 1), self.count
