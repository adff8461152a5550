"""Quantities that know their unit."""

from __future__ import annotations

import math
from functools import total_ordering
from typing import Optional

__all__ = ["Carbon", "Energy", "Power"]


@total_ordering
class Energy:
    """An amount of energy, held in whole microjoules as the counters give it (0 ... 18.4 TJ)."""

    __slots__ = ("microjoules",)

    microjoules: int
    """In microjoules (1e-6 J)."""

    def __init__(self, microjoules: int) -> None:
        self.microjoules = microjoules

    @classmethod
    def from_joules(cls, joules: float) -> Energy:
        """From joules, rounded to the nearest microjoule."""
        return cls(round(joules * 1e6))

    @property
    def joules(self) -> float:
        """In joules (watt-seconds)."""
        return self.microjoules / 1e6

    @property
    def watt_hours(self) -> float:
        """In watt-hours (3,600 J)."""
        return self.microjoules / 3.6e9

    @property
    def kilowatt_hours(self) -> float:
        """In kilowatt-hours (3.6 MJ)."""
        return self.microjoules / 3.6e12

    def __add__(self, other: Energy) -> Energy:
        return Energy(self.microjoules + other.microjoules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Energy) and self.microjoules == other.microjoules

    def __lt__(self, other: Energy) -> bool:
        return self.microjoules < other.microjoules

    def __hash__(self) -> int:
        return hash((Energy, self.microjoules))

    def __repr__(self) -> str:
        return f"Energy(joules={self.joules!r})"

    def __str__(self) -> str:
        return _scaled(self.joules, "J", 3)


@total_ordering
class Power:
    """Mean power over an interval of time."""

    __slots__ = ("watts",)

    watts: float
    """In watts (joules per second)."""

    def __init__(self, watts: float) -> None:
        self.watts = watts

    @property
    def kilowatts(self) -> float:
        """In kilowatts."""
        return self.watts / 1e3

    def __add__(self, other: Power) -> Power:
        return Power(self.watts + other.watts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Power) and self.watts == other.watts

    def __lt__(self, other: Power) -> bool:
        return self.watts < other.watts

    def __hash__(self) -> int:
        return hash((Power, self.watts))

    def __repr__(self) -> str:
        return f"Power(watts={self.watts!r})"

    def __str__(self) -> str:
        return _scaled(self.watts, "W", 3)


class Carbon:
    """Emissions, in CO2 equivalents, with what they were computed from: energy * PUE * grid intensity."""

    __slots__ = ("basis", "grams", "grid_intensity", "grid_method", "pue", "pue_basis", "region", "source")

    grams: float
    """In grams."""
    grid_intensity: float
    """Grams of CO2 equivalent per kilowatt-hour of electricity."""
    pue: float
    """Facility energy over IT energy, at least 1."""
    region: Optional[str]
    """The region of the intensity, as it was named; none where only the intensity itself was stated."""
    basis: str
    """``stated`` where region or intensity was stated, ``assumed`` where the default region stands in."""
    source: str
    """Who published the intensity, and for which period."""
    pue_basis: str
    """``measured``, ``published``, ``estimated``, or ``assumed``: also where no PUE is known and 1 stands in."""
    grid_method: Optional[str]
    """How the intensity was made: ``direct`` (at the stack) or ``lifecycle``; none where it is not stated."""

    def __init__(
        self,
        grams: float,
        grid_intensity: float,
        pue: float,
        region: Optional[str],
        basis: str,
        source: str,
        pue_basis: str = "assumed",
        grid_method: Optional[str] = None,
    ) -> None:
        self.grams = grams
        self.grid_intensity = grid_intensity
        self.pue = pue
        self.region = region
        self.basis = basis
        self.source = source
        self.pue_basis = pue_basis
        self.grid_method = grid_method

    @property
    def kilograms(self) -> float:
        """In kilograms."""
        return self.grams / 1e3

    def __repr__(self) -> str:
        return (
            f"Carbon(grams={self.grams!r}, grid_intensity={self.grid_intensity!r}, pue={self.pue!r}, "
            f"region={self.region!r}, basis={self.basis!r}, pue_basis={self.pue_basis!r})"
        )

    def __str__(self) -> str:
        return _scaled(self.grams, "gCO2e", 3)


_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def _scaled(value: float, unit: str, digits: int) -> str:
    """`value` with so many significant digits and an SI prefix: `12.3 kJ`; long times in minutes or hours."""
    if unit == "s" and value >= 120:
        return _duration(value)
    for factor, prefix in _PREFIXES:
        # What is rounded up to the next prefix has that one: 1 kJ, not 1000 J.
        if float(f"{abs(value):.{digits}g}") >= factor:
            return f"{_rounded(value / factor, digits)} {prefix}{unit}"
    return f"{_rounded(value, digits)} {unit}"


def _rounded(value: float, digits: int) -> str:
    """So many significant digits, all of them written out: `130`, where a format `g` gives `1.3e+02`."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    places = digits - 1 - int(f"{value:e}".partition("e")[2])
    text = f"{round(value, places):.{max(places, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _duration(seconds: float) -> str:
    """A time in the unit that people say it in: `0.48 s`, `61.2 s`, `20.5 min`, `3.43 h`."""
    for unit, factor, least in (("h", 3600, 7200), ("min", 60, 120)):
        if seconds >= least:
            return f"{_rounded(seconds / factor, 3)} {unit}"
    return f"{_rounded(seconds, 3)} s"
