"""Where a figure comes from."""

from __future__ import annotations

from typing import Optional

__all__ = ["Source"]

# Seconds between two updates of what a meter shows (docs/accuracy.md): RAPL counters a millisecond, /proc/stat a
# tick of 10 ms, sensors of hwmon a second at worst. BMCs and meters outside are read every ten seconds unless they say otherwise.
_RESOLUTION = {
    **{"powercap": 0.001, "msr": 0.001, "perf": 0.001, "model": 0.01, "hwmon": 1.0, "acpi": 1.0, "nvml": 1.0, "drm": 1.0},
    **{"redfish": 10.0, "ipmi": 10.0, "prometheus": 10.0, "http": 10.0},
}


class Source:
    """How a figure was found."""

    __slots__ = ("error_ratio", "method", "name", "resolution_seconds")

    name: str
    """The meter: powercap, msr, perf, hwmon or model; nvml or drm of accelerators; redfish, ipmi, acpi, hwmon, prometheus or http of the
    whole machine."""
    method: str
    """``measured``; ``partial``: a part of it has no meter and is estimated; ``estimated``: all of it is."""
    error_ratio: Optional[float]
    """Relative error of what is estimated, one standard deviation (0.5 is ±50 %); none where all is measured."""
    resolution_seconds: float
    """What the meter shows changes this often. A measurement of this length may be off by all of it."""

    def __init__(self, name: str, method: str, error_ratio: Optional[float]) -> None:
        self.name = name
        self.method = method
        self.error_ratio = error_ratio
        self.resolution_seconds = _RESOLUTION.get(name, 0.001)

    @property
    def is_measured(self) -> bool:
        """All of it by hardware counters or sensors, nothing by a model."""
        return self.method == "measured"

    def __eq__(self, other: object) -> bool:
        same = ("name", "method", "error_ratio")
        return isinstance(other, Source) and all(getattr(self, part) == getattr(other, part) for part in same)

    def __hash__(self) -> int:
        return hash((self.name, self.method, self.error_ratio))

    def __str__(self) -> str:
        error = "" if self.error_ratio is None else f" ± {self.error_ratio * 100:.0f} %"
        return f"{self.method} by {self.name}{error}"

    def __repr__(self) -> str:
        return f"Source({self.name!r}, {self.method!r}, {self.error_ratio!r})"
