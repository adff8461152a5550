"""Where the machine is and how clean its electricity: for the whole process, and for one measurement."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Optional

from . import _native
from ._native import Host, Stopwatch
from .errors import ConfigurationError, DataError, EstimateWarning
from .quantities import Carbon, Energy

__all__ = ["Grid", "Settings", "configure"]


class Grid:
    """How clean the electricity is, and how much the facility adds."""

    __slots__ = ("_basis", "_found", "_given", "pue", "region")

    def __init__(self, region: Optional[str], pue: Optional[float], grid_intensity: Optional[float]) -> None:
        if pue is not None and not (math.isfinite(pue) and pue >= 1):
            raise ConfigurationError(f"a PUE of {pue} is not possible", "it is facility energy over IT energy: at least 1")
        if grid_intensity is not None and not (math.isfinite(grid_intensity) and grid_intensity >= 0):
            raise ConfigurationError(f"a grid intensity of {grid_intensity} is not possible", "give gCO2e/kWh, 0 or more")
        self.pue = 1.0 if pue is None else float(pue)
        self.region = region
        self._given = grid_intensity
        self._basis = "assumed" if region is None and grid_intensity is None else "stated"
        self._found: Optional[tuple[float, Optional[str], str]] = None
        if region is not None and grid_intensity is None:
            # Better told now than after a night of training.
            self.look_up()

    def look_up(self) -> tuple[float, Optional[str], str]:
        """Intensity in gCO2e/kWh, zone, source. Looked up once."""
        if self._found is None:
            if self._given is not None:
                self._found = (float(self._given), self.region, "given")
            else:
                value, zone, name, period, publisher = _native.grid_intensity(self.region)
                if value is None:
                    raise DataError(
                        f"nobody publishes the grid intensity of {name} ({zone})",
                        "give it with grid_intensity=, in gCO2e/kWh",
                    )
                self._found = (value, zone, f"{publisher} ({period})")
        return self._found

    def carbon(self, energy: Energy) -> Carbon:
        """What this energy emits."""
        intensity, zone, source = self.look_up()
        grams = energy.kilowatt_hours * self.pue * intensity
        return Carbon(grams, intensity, self.pue, zone, self._basis, source)


class Settings:
    """What `configure` and the environment say."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        procfs, sysfs = environment.get("KEPLER_HOST_PROCFS"), environment.get("KEPLER_HOST_SYSFS")
        self.host: Optional[Host] = Host(procfs=procfs, sysfs=sysfs) if procfs or sysfs else None
        meter = environment.get("KEPLER_METER", "auto").strip()
        self.meters: Optional[list[str]] = None if meter in ("", "auto") else [meter]
        self.region: Optional[str] = environment.get("KEPLER_REGION") or None
        self.pue: Optional[float] = _number(environment, "KEPLER_PUE")
        self.grid_intensity: Optional[float] = _number(environment, "KEPLER_GRID_INTENSITY")
        self._stopwatches: dict[tuple[Optional[Host], Optional[tuple[str, ...]]], Stopwatch] = {}
        self._grid: Optional[Grid] = None

    def stopwatch(self, host: Optional[Host], meters: Optional[Sequence[str]]) -> Stopwatch:
        """The one stopwatch of this machine and these meters; its files stay open."""
        host = self.host if host is None else host
        meters = self.meters if meters is None else meters
        key = (host, None if meters is None else tuple(meters))
        found = self._stopwatches.get(key)
        if found is None:
            found = Stopwatch(host, None if meters is None else list(meters))
            _warn_of_estimate(found)
            found = self._stopwatches.setdefault(key, found)
        return found

    def grid(self, region: Optional[str], pue: Optional[float], grid_intensity: Optional[float]) -> Grid:
        """The given grid; what is not given is the process's."""
        if region is None and pue is None and grid_intensity is None:
            if self._grid is None:
                self._grid = Grid(self.region, self.pue, self.grid_intensity)
            return self._grid
        # A region given here overrides an intensity that was set for another.
        intensity = self.grid_intensity if grid_intensity is None and region is None else grid_intensity
        return Grid(self.region if region is None else region, self.pue if pue is None else pue, intensity)

    def forget_grid(self) -> None:
        """After a change."""
        self._grid = None


def _number(environment: Mapping[str, str], name: str) -> Optional[float]:
    text = environment.get(name, "").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(f"the environment variable {name} is `{text}`", "it takes a number") from None


_warned = False


def _warn_of_estimate(stopwatch: Stopwatch) -> None:
    global _warned
    if _warned:
        return
    zones = stopwatch.mark().until(stopwatch.mark()).zones()
    estimated = [zone for zone in zones if zone[3] == "estimated" and zone[7]]
    if not estimated:
        return
    _warned = True
    error = estimated[0][4]
    reasons = stopwatch.refusals()
    why = f"{reasons[0][0]}: {reasons[0][1]}; {reasons[0][2]}" if reasons else "no better meter was asked for"
    warnings.warn(
        f"energy is estimated from CPU use, with an error of about ±{(error or 0) * 100:.0f} %: "
        f"no hardware counter can be read here ({why})",
        EstimateWarning,
        stacklevel=_stack_level(),
    )


def _stack_level() -> int:
    """The first frame outside this package: the line that the warning is about."""
    import sys

    level, frame = 1, sys._getframe(1)
    here = os.path.dirname(__file__)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(here):
        frame = frame.f_back
        level += 1
    return level


_current: Optional[Settings] = None


def current() -> Settings:
    """The process's settings, read from the environment when first needed."""
    global _current
    if _current is None:
        _current = Settings(os.environ)
    return _current


def configure(
    *,
    host: Optional[Host] = None,
    meters: Optional[Sequence[str]] = None,
    region: Optional[str] = None,
    pue: Optional[float] = None,
    grid_intensity: Optional[float] = None,
) -> None:
    """Sets defaults for the whole process. What is not given stays as it is.

    host: where the kernel's interfaces are; also `KEPLER_HOST_PROCFS` and `KEPLER_HOST_SYSFS`.
    meters: which meters to use, best first: powercap, msr, perf, hwmon, model; also `KEPLER_METER`.
    region: where the electricity comes from: an AWS, GCP or Azure region, an ISO 3166 code, a grid zone, a city; also `KEPLER_REGION`.
    pue: facility energy over IT energy, at least 1; also `KEPLER_PUE`.
    grid_intensity: gCO2e/kWh, instead of the region's yearly mean; also `KEPLER_GRID_INTENSITY`.

    Raises `UnknownNameError` for a region, `ConfigurationError` for a number that makes no sense, `MeterError` for a
    meter that cannot be used here.
    """
    settings = current()
    Grid(region, pue, grid_intensity)
    if host is not None or meters is not None:
        settings.stopwatch(host, meters)
    settings.host = settings.host if host is None else host
    settings.meters = settings.meters if meters is None else list(meters)
    settings.region = settings.region if region is None else region
    settings.pue = settings.pue if pue is None else pue
    if grid_intensity is not None or region is not None:
        settings.grid_intensity = grid_intensity
    settings.forget_grid()
