"""Parameters of the trackers: given, else from the environment, else from ``.codecarbon.config``."""

from __future__ import annotations

import configparser
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from ..errors import ConfigurationError


class IgnoredParameterWarning(UserWarning):
    """A parameter of CodeCarbon's has no effect here; the message names it and says why."""


class _NotGiven:
    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Any = _NotGiven()

_DASHBOARD = "CodeCarbon's dashboard is not served; use emissions_endpoint or a handler of your own (output_handlers)"
_YEARLY = "intensities come from published yearly figures; state force_carbon_intensity_g_co2e_kwh"
_METERED = "energy is read from meters, or estimated with its stated error, not set"

# Parameters of every tracker that have a meaning here; those of IGNORED are taken, and warned about.
COMMON = (
    "project_name",
    "output_dir",
    "output_file",
    "output_methods",
    "save_to_file",
    "save_to_logger",
    "logging_logger",
    "output_handlers",
    "experiment_id",
    "experiment_name",
    "tracking_mode",
    "log_level",
    "on_csv_write",
    "pue",
    "wue",
    "force_carbon_intensity_g_co2e_kwh",
    "measure_power_secs",
    "api_call_interval",
    "emissions_endpoint",
    "save_to_prometheus",
    "prometheus_url",
    "save_to_logfire",
    "logger_preamble",
)
OFFLINE = ("country_iso_code", "region", "cloud_provider", "cloud_region", "country_2letter_iso_code")
# As CodeCarbon's trackers take them by position.
_POSITIONS = (
    "project_name",
    "measure_power_secs",
    "api_call_interval",
    "api_endpoint",
    "api_key",
    "output_dir",
    "output_file",
    "output_methods",
    "save_to_file",
    "save_to_api",
    "save_to_logger",
    "logging_logger",
    "save_to_prometheus",
    "save_to_logfire",
    "prometheus_url",
    "output_handlers",
    "gpu_ids",
    "emissions_endpoint",
    "experiment_id",
    "experiment_name",
)

# Why a parameter has no effect.
IGNORED: Mapping[str, str] = {
    "api_endpoint": _DASHBOARD,
    "api_key": _DASHBOARD,
    "save_to_api": _DASHBOARD,
    "electricitymaps_api_token": _YEARLY,
    "co2_signal_api_token": _YEARLY,
    "force_cpu_power": _METERED,
    "force_ram_power": _METERED,
    "force_mode_cpu_load": _METERED,
    "rapl_include_dram": "memory is always counted, as ram_energy",
    "rapl_prefer_psys": "packages and memory are added up; a platform meter is used where there is nothing else",
    "gpu_ids": "graphics processors are not measured",
    "allow_multiple_runs": "trackers do not disturb each other; each writes a row of its own",
    "metadata": "BoAmps reports are not written",
}
# Values that ask for what happens anyway.
HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "api_key": ("",),
    "save_to_api": (False,),
    "rapl_include_dram": (True,),
    "rapl_prefer_psys": (False,),
    "force_mode_cpu_load": (False,),
    "allow_multiple_runs": (True,),
}

Settings = Mapping[str, Any]


def configured() -> dict[str, str]:
    """What the files of home and working directory and then the environment say."""
    parser = configparser.ConfigParser()
    name = ".codecarbon.config"
    try:
        parser.read([Path.home() / name, Path.cwd() / name], encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        remedy = "write `[codecarbon]`, then `name = value`"
        raise ConfigurationError(f"{name} cannot be read: {error}", remedy) from error
    found = dict(parser["codecarbon"]) if parser.has_section("codecarbon") else {}
    prefix = "codecarbon_"
    variables = {key.lower(): value for key, value in os.environ.items() if key.lower().startswith(prefix)}
    return {**found, **{key[len(prefix) :]: value for key, value in variables.items()}}


class Parameters:
    """The parameters of one tracker."""

    def __init__(self, given: Settings) -> None:
        self._given = {name: value for name, value in given.items() if value is not NOT_GIVEN}
        self._configured = configured()

    def warn_of_ignored(self, stacklevel: int) -> None:
        """Names every parameter that has no effect, and why."""
        for name, reason in IGNORED.items():
            value = self.get(name)
            harmless = [str(one).lower() for one in HARMLESS.get(name, ())]
            if value is None or str(value).lower() in harmless:
                continue
            warnings.warn(f"{name} has no effect: {reason}", IgnoredParameterWarning, stacklevel=stacklevel + 1)

    def get(self, name: str, default: Any = None) -> Any:
        """As given, else as configured, else the default."""
        value = self._given.get(name)
        if value is None:
            value = self._configured.get(name)
        return default if value is None else value

    def text(self, name: str, default: str) -> str:
        """A text."""
        return str(self.get(name, default))

    def number(self, name: str, default: Optional[float], highest: float = 1e9) -> Optional[float]:
        """A number of 0 or more."""
        value = self.get(name, default)
        if value is None:
            return None
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if not 0 <= number <= highest:
            raise ConfigurationError(f"{name} = {value!r}", f"give a number from 0 to {highest:g}")
        return number

    def flag(self, name: str, default: bool) -> bool:
        """Yes or no; text as configuration files write it."""
        value = self.get(name, default)
        return value if isinstance(value, bool) else str(value).strip().lower() == "true"


def given_by_name(positions: tuple[Any, ...], names: dict[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """Arguments by name; an unknown name is an error."""
    if len(positions) > len(_POSITIONS):
        raise TypeError(f"at most {len(_POSITIONS)} arguments by position, not {len(positions)}")
    given: dict[str, Any] = dict(zip(_POSITIONS, positions))
    for name, value in names.items():
        if name in given:
            raise TypeError(f"{name} is given twice")
        if name not in known and name not in IGNORED:
            raise TypeError(f"unknown parameter {name!r}; known are {', '.join((*known, *IGNORED))}")
        given[name] = value
    return given
