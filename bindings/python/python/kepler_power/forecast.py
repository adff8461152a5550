"""Saying before the end what a run will have used: `Measurement.forecast`."""

from __future__ import annotations

import math
from typing import NamedTuple, Optional

from ._measured import Measured, PhaseTotal
from ._statistics import Passes, t_quantile
from .errors import DataError
from .quantities import Carbon, Energy, _duration
from .settings import carbon_of

__all__ = ["Forecast"]


class Forecast(NamedTuple):
    """What a run will have used at its end, from what its first passes used. Energies are the machine's."""

    unit: str
    """The phase or laps that it rests on."""
    done: int
    total: int
    energy: Energy
    energy_interval: Optional[tuple[Energy, Energy]]
    """Holds the energy with the probability `level`; none after a single pass, which says nothing of the spread."""
    seconds: float
    seconds_interval: Optional[tuple[float, float]]
    co2e: Carbon
    level: float
    method: str
    """Of the energy so far: ``measured``, ``partial``, ``estimated``."""

    def __str__(self) -> str:
        if self.energy_interval is None:
            bounds = "interval unknown after one pass"
        else:
            bounds = f"{self.level * 100:.0f} %: {self.energy_interval[0]} to {self.energy_interval[1]}"
        return (
            f"after {self.done} of {self.total} {self.unit}: {self.energy} ({bounds}; {self.method}) "
            f"in {_duration(self.seconds)}, {self.co2e}"
        )


def forecast(measurement: Measured, unit: str, total: int, level: float) -> Forecast:
    """See :meth:`Measurement.forecast`."""
    if not 0.0 < level < 1.0:
        raise DataError(f"a level of {level} is not possible", "give a probability such as 0.9")
    passes = _passes(measurement, unit)
    if passes.count == 0:
        raise DataError(f"no pass through `{unit}` has ended yet", "ask after the first one, better after four")
    if total < passes.count:
        raise DataError(f"{passes.count} {unit} have ended, more than {total}", "give the number of the whole run")
    source, spent, remaining = measurement.source, measurement.energy.joules, total - passes.count
    # What is estimated is off in one direction for the whole run: this error does not average out.
    energy = _whole(spent, passes, 0, remaining, level, source.error_ratio or 0.0)
    seconds = _whole(measurement.seconds, passes, 1, remaining, level, 0.0)
    joules = Energy.from_joules(energy[0])
    interval = None if energy[1] is None else (Energy.from_joules(energy[1][0]), Energy.from_joules(energy[1][1]))
    co2e = carbon_of(joules, measurement._facility)
    return Forecast(unit, passes.count, total, joules, interval, seconds[0], seconds[1], co2e, level, source.method)


def _whole(
    spent: float, passes: Passes, which: int, remaining: int, level: float, error_ratio: float
) -> tuple[float, Optional[tuple[float, float]]]:
    mean, variance, known = passes.rate(which)
    value = spent + remaining * mean
    if variance is None and remaining:
        return value, None
    # Of a sum of further passes: their own spread, and that of the mean which stands for each of them.
    spread = math.sqrt((variance or 0.0) * (remaining + remaining * remaining / known))
    half = t_quantile((1 + level) / 2, max(1, known - 1)) * spread
    half = math.hypot(half, t_quantile((1 + level) / 2, 1_000_000) * error_ratio * value)
    return value, (max(spent * max(0.0, 1 - 3 * error_ratio), value - half), value + half)


def _passes(measurement: Measured, unit: str) -> Passes:
    """Those of the phase of that name, in the singular or the plural and wherever it is nested, else the laps."""
    phases = measurement.phases
    found: Optional[PhaseTotal] = None
    for name in (unit, unit[:-1] if unit.endswith("s") else unit):
        inside = [total for path, total in phases.items() if path == name or path.endswith(f"/{name}")]
        found = found or (inside[0] if inside else None)
    if found is not None:
        return found._passes
    if measurement.laps:
        passes = Passes()
        for lap in measurement.laps:
            passes.add(lap.energy.joules, lap.seconds)
        return passes
    known = ", ".join(phases) or "none yet"
    raise DataError(
        f"`{measurement.name}` has neither a phase `{unit}` nor laps (phases: {known})",
        f'put each pass into `with m.phase("{unit.rstrip("s")}"):`, or take laps',
    )
