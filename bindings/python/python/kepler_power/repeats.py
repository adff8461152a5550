"""The same work measured several times: `%%energy --repeat`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from ._chart import Bar, svg
from ._html import table
from ._statistics import Mean, mean_of
from .quantities import Carbon, Energy, _duration, _scaled

if TYPE_CHECKING:
    from .measurement import Measurement

__all__ = ["Repeats"]


class Repeats:
    """Measurements of one thing, with their mean and the 95 % interval of Student's t."""

    runs: Sequence[Measurement]
    """In order."""

    def __init__(self, runs: Sequence[Measurement]) -> None:
        self.runs = runs

    @property
    def energy(self) -> Mean:
        """Joules of the machine."""
        return mean_of([run.energy.joules for run in self.runs])

    @property
    def process_energy(self) -> Mean:
        """Joules of this process and its children."""
        return mean_of([run.tree.energy.joules for run in self.runs])

    @property
    def seconds(self) -> Mean:
        """How long a run took."""
        return mean_of([run.seconds for run in self.runs])

    def __str__(self) -> str:
        first = self.runs[0]
        parts = f"{_with_error(self.energy, 'J')} in {_with_error(self.seconds, 's')}"
        return f"{first.name} ×{len(self.runs)}: {parts}; this process {_with_error(self.process_energy, 'J')} ({first.source})"

    def __repr__(self) -> str:
        return f"<Repeats {self}>"

    def _repr_html_(self) -> str:
        first = self.runs[0]
        head = ("", "time", "energy", "power", "CO2e", "this process")
        rows: list[Sequence[str]] = [
            (f"{number}", _duration(run.seconds), str(run.energy), str(run.power), str(run.co2e), str(run.tree.energy))
            for number, run in enumerate(self.runs, start=1)
        ]
        power = mean_of([run.power.watts for run in self.runs])
        co2e = mean_of([run.co2e.grams for run in self.runs])
        means = ((self.seconds, "s"), (self.energy, "J"), (power, "W"), (co2e, "gCO2e"), (self.process_energy, "J"))
        rows.append(("mean", *(_with_error(mean, unit) for mean, unit in means)))
        error = self._relative()
        mean = Bar("mean", Energy.from_joules(self.energy.value), error, "machine")
        found = [Bar(f"{number}", run.energy, None, "part") for number, run in enumerate(self.runs, start=1)]
        note = f"{first.name}: {first.source}; ± is the 95 % interval of the mean by the spread of the runs"
        return table(head, rows, f"{note}{_assumed(first.co2e)}") + svg([mean, *found[:50]])

    def _relative(self) -> Optional[float]:
        energy = self.energy
        return energy.half_width / energy.value if energy.half_width and energy.value else None


def _with_error(mean: Mean, unit: str) -> str:
    text = _scaled(mean.value, unit, 3)
    return text if mean.half_width is None else f"{text} ± {_scaled(mean.half_width, unit, 2)}"


def _assumed(co2e: Carbon) -> str:
    return f"; region {co2e.region} assumed: give region=" if co2e.basis == "assumed" else ""
