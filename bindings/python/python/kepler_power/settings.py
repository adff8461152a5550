"""Which meters measure, and for which facility: for the whole process, and for one measurement."""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from ._facility import Facility, facility
from ._native import Host, Stopwatch, check_platform
from .errors import DataError, EstimateWarning
from .quantities import Carbon, Energy

if TYPE_CHECKING:
    from .platform import PlatformMeter

__all__ = ["carbon_of", "current", "facility_for", "stack_level", "use_meters"]


def carbon_of(energy: Energy, where: Facility) -> Carbon:
    """What this energy emits at a facility."""
    grams, intensity = where.co2e_grams(energy.joules), where.grid_intensity
    if grams is None or intensity is None:
        raise DataError(
            f"no grid intensity is published for {where.zone_name} ({where.zone})",
            "state it with grid_intensity=, in gCO2e/kWh",
        )
    basis = "stated" if where.is_stated else "assumed"
    # A stated intensity is not that of the default region.
    is_assumed_beside_stated = where.is_grid_intensity_stated and not where.is_region_stated
    region = None if is_assumed_beside_stated else where.region
    pue, pue_basis = (1.0, "assumed") if where.pue is None else (where.pue, where.pue_basis or "assumed")
    return Carbon(grams, intensity, pue, region, basis, where.grid_source or "", pue_basis, where.grid_method)


# Finding a region's figures takes longer than a measurement; a program has few facilities.
_found: dict[tuple[Any, ...], Facility] = {}
_FACILITIES_KEPT = 64


def facility_for(region: Optional[str], pue: Optional[float], grid_intensity: Optional[float]) -> Facility:
    """The process's facility without arguments; that of a region; or the process's with another PUE or intensity."""
    if region is None and pue is None and grid_intensity is None:
        return facility()
    options: dict[str, Any] = {}
    if region is None:
        (region,), options = facility().__getnewargs_ex__()
    if pue is not None:
        options["pue"] = pue
    if grid_intensity is not None:
        options["grid_intensity"] = grid_intensity
    key = (region, repr(sorted(options.items())))
    found = _found.get(key)
    if found is None:
        if len(_found) >= _FACILITIES_KEPT:
            _found.clear()
        found = _found[key] = Facility(region, **options)
    return found


class Settings:
    """What `use_meters` and the environment say."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        procfs, sysfs = environment.get("KEPLER_HOST_PROCFS"), environment.get("KEPLER_HOST_SYSFS")
        self.host: Optional[Host] = Host(procfs=procfs or None, sysfs=sysfs or None) if procfs or sysfs else None
        meter = environment.get("KEPLER_METER", "auto").strip()
        self.meters: Optional[list[str]] = None if meter in ("", "auto") else [meter]
        self.accelerators = environment.get("KEPLER_EXPERIMENTAL_GPU_ENABLED", "true").strip().lower() not in ("false", "0", "no", "off")
        self.nvml_library: Optional[str] = environment.get("KEPLER_EXPERIMENTAL_GPU_NVML_LIBRARY") or None
        self.platform: tuple[PlatformMeter, ...] = tuple(
            name for name in ("hwmon", "ipmi") if _is_on(environment.get(f"KEPLER_EXPERIMENTAL_PLATFORM_{name.upper()}_ENABLED", ""))
        )
        self._stopwatches: dict[tuple[Any, ...], Stopwatch] = {}

    def stopwatch(self, host: Optional[Host], meters: Optional[Sequence[str]]) -> Stopwatch:
        """The one stopwatch of this machine and these meters; its files stay open."""
        host = self.host if host is None else host
        meters = self.meters if meters is None else meters
        key = (host, None if meters is None else tuple(meters), self.accelerators, self.nvml_library, self.platform)
        found = self._stopwatches.get(key)
        if found is None:
            names = None if meters is None else list(meters)
            found = Stopwatch(host, names, self.accelerators, self.nvml_library, self.platform)
            _warn_of_estimate(found)
            found = self._stopwatches.setdefault(key, found)
            if self.platform:
                # A BMC has room for a few sessions only.
                atexit.register(found.leave_platform)
        return found

    def take_platform(self, platform: Sequence[PlatformMeter], host: Optional[Host]) -> None:
        """Reads these meters of the whole machine from now on."""
        check_platform(host, platform)
        self.platform = tuple(platform)
        for key in [key for key in self._stopwatches if key[-1] and key[-1] != self.platform]:
            left = self._stopwatches.pop(key)
            atexit.unregister(left.leave_platform)
            left.leave_platform()


def _is_on(text: str) -> bool:
    return text.strip().lower() in ("true", "1", "yes", "on")


_warned = False


def _warn_of_estimate(stopwatch: Stopwatch) -> None:
    global _warned
    if _warned:
        return
    zones = stopwatch.mark().until(stopwatch.mark()).zones()
    estimated = [zone for zone in zones if zone[3] in ("estimated", "partial") and zone[7]]
    if not estimated:
        return
    _warned = True
    error = estimated[0][4]
    reasons = stopwatch.unavailable()
    why = f"{reasons[0][0]}: {reasons[0][1]}; {reasons[0][2]}" if reasons else "no better meter was asked for"
    warnings.warn(
        f"energy is estimated from CPU use, with an error of about ±{(error or 0) * 100:.0f} %: "
        f"no hardware counter can be read here ({why})",
        EstimateWarning,
        stacklevel=stack_level(),
    )


def stack_level() -> int:
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


def use_meters(
    meters: Optional[Sequence[str]] = None,
    *,
    host: Optional[Host] = None,
    accelerators: Optional[bool] = None,
    nvml_library: Optional[Union[str, os.PathLike[str]]] = None,
    platform: Optional[Sequence[PlatformMeter]] = None,
) -> None:
    """States what measurements and monitors of this process read from now on. What is not given stays as it is.

    Without a call the environment decides, as for ``kepler serve``: ``KEPLER_METER``, ``KEPLER_HOST_PROCFS``, ``KEPLER_HOST_SYSFS``,
    ``KEPLER_EXPERIMENTAL_GPU_ENABLED``, ``KEPLER_EXPERIMENTAL_GPU_NVML_LIBRARY``, ``KEPLER_EXPERIMENTAL_PLATFORM_HWMON_ENABLED``,
    ``KEPLER_EXPERIMENTAL_PLATFORM_IPMI_ENABLED``.
    What ``kepler calibrate`` learned of this machine is used in any case; ``KEPLER_CALIBRATION_PATH`` names another file.

    :param meters: which meters to use, best first: powercap, msr, perf, hwmon, model. One alone is forced.
    :param host: where the kernel's interfaces are.
    :param accelerators: whether GPUs and other accelerators are read. Where there are none, nothing is loaded for them.
    :param nvml_library: NVIDIA's library, where it is not in its usual place.
    :param platform: meters of the whole machine: ``"hwmon"``, ``"ipmi"``, `Bmc`, `ExternalMeter`; each is asked once, which takes as long as it
        needs, and then on threads of its own. None is read unless it is named.
    :raises kepler_power.errors.MeterError: a meter that cannot be used here.
    :raises kepler_power.errors.ConfigurationError: a meter of the whole machine is not described so that it could be asked.
    """
    settings = current()
    if platform is not None:
        settings.take_platform(platform, settings.host if host is None else host)
    settings.accelerators = settings.accelerators if accelerators is None else accelerators
    settings.nvml_library = settings.nvml_library if nvml_library is None else os.fspath(nvml_library)
    settings.stopwatch(host, meters)
    settings.host = settings.host if host is None else host
    settings.meters = settings.meters if meters is None else list(meters)
