"""Quantities by the names and units that scripts import from ``codecarbon.core.units``: kW, kWh, kg/kWh, seconds, litres."""

from __future__ import annotations

import dataclasses

_SECONDS_AN_HOUR = 3600.0
_JOULES_PER_KWH = 3.6e6
_KG_PER_POUND = 0.45359237
_KWH_PER_MWH = 1000.0


@dataclasses.dataclass
class Time:
    """A length of time."""

    seconds: float

    @property
    def hours(self) -> float:
        """In hours."""
        return self.seconds / _SECONDS_AN_HOUR

    @classmethod
    def from_seconds(cls, seconds: float) -> Time:
        """From seconds."""
        return cls(seconds)


@dataclasses.dataclass
class EmissionsPerKWh:
    """What a kilowatt-hour emits."""

    kgs_per_kWh: float  # noqa: N815 - CodeCarbon's name

    @classmethod
    def from_lbs_per_mWh(cls, lbs_per_mWh: float) -> EmissionsPerKWh:  # noqa: N802, N803 - CodeCarbon's names
        """From pounds per megawatt-hour."""
        return cls(lbs_per_mWh * _KG_PER_POUND / _KWH_PER_MWH)

    @classmethod
    def from_g_per_kWh(cls, g_per_kWh: float) -> EmissionsPerKWh:  # noqa: N802, N803 - CodeCarbon's names
        """From grams per kilowatt-hour."""
        return cls(g_per_kWh / 1000.0)

    @classmethod
    def from_kgs_per_kWh(cls, kgs_per_kWh: float) -> EmissionsPerKWh:  # noqa: N802, N803 - CodeCarbon's names
        """From kilograms per kilowatt-hour."""
        return cls(kgs_per_kWh)


@dataclasses.dataclass(order=True)
class Energy:
    """An amount of energy."""

    kWh: float  # noqa: N815 - CodeCarbon's name

    def __post_init__(self) -> None:
        self.kWh = float(self.kWh)

    @classmethod
    def from_power_and_time(cls, *, power: Power, time: Time) -> Energy:
        """What a power draws in a time."""
        return cls(power.kW * time.hours)

    @classmethod
    def from_ujoules(cls, energy: float) -> Energy:
        """From microjoules."""
        return cls(energy / 1e6 / _JOULES_PER_KWH)

    @classmethod
    def from_millijoules(cls, energy: float) -> Energy:
        """From millijoules."""
        return cls(energy / 1e3 / _JOULES_PER_KWH)

    @classmethod
    def from_energy(cls, kWh: float) -> Energy:  # noqa: N803 - CodeCarbon's name
        """From kilowatt-hours."""
        return cls(kWh)

    def __add__(self, other: Energy) -> Energy:
        return Energy(self.kWh + other.kWh)

    def __sub__(self, other: Energy) -> Energy:
        return Energy(self.kWh - other.kWh)

    def __mul__(self, factor: float) -> Energy:
        return Energy(self.kWh * factor)

    def __truediv__(self, divisor: float) -> Energy:
        return Energy(self.kWh / divisor)

    def __float__(self) -> float:
        return self.kWh


@dataclasses.dataclass
class Power:
    """Energy per time."""

    kW: float  # noqa: N815 - CodeCarbon's name

    @classmethod
    def from_watts(cls, watts: float) -> Power:
        """From watts."""
        return cls(watts / 1e3)

    @classmethod
    def from_milli_watts(cls, milli_watts: float) -> Power:
        """From milliwatts."""
        return cls(milli_watts / 1e6)

    @classmethod
    def from_energies_and_delay(cls, e1: Energy, e2: Energy, delay: Time) -> Power:
        """The mean between two states of a counter; zero where no time passed."""
        return cls(abs(e2.kWh - e1.kWh) / delay.hours if delay.hours else 0.0)

    @classmethod
    def from_energy_delta_and_delay(cls, e: Energy, delay: Time) -> Power:
        """The mean of an amount over a time; zero where no time passed."""
        return cls.from_energies_and_delay(e, Energy(0.0), delay)

    @property
    def W(self) -> float:  # noqa: N802 - CodeCarbon's name
        """In watts."""
        return self.kW * 1e3

    def __add__(self, other: Power) -> Power:
        return Power(self.kW + other.kW)

    def __mul__(self, factor: float) -> Power:
        return Power(self.kW * factor)

    def __truediv__(self, divisor: float) -> Power:
        return Power(self.kW / divisor)

    def __floordiv__(self, divisor: float) -> Power:
        return Power(self.kW // divisor)


@dataclasses.dataclass
class Water:
    """An amount of water."""

    litres: float

    @classmethod
    def from_litres(cls, litres: float) -> Water:
        """From litres."""
        return cls(litres)

    def __add__(self, other: Water) -> Water:
        return Water(self.litres + other.litres)
