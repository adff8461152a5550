"""What can go wrong. Every exception of this package is a :class:`KeplerError` and says what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ConfigurationError",
    "DataError",
    "EstimateWarning",
    "KeplerError",
    "MeterError",
    "MissingDependencyError",
    "ModelError",
    "MonitorError",
    "PartialFigureWarning",
    "SourceError",
    "UnknownNameError",
    "UnknownRegionError",
    "UnknownStandardError",
    "UnknownWorkloadError",
]


class KeplerError(Exception):
    """The base of all exceptions of this package.

    ``remedy`` says what to do about it; it is part of the message and empty where nothing can be done.
    """

    remedy: str

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.remedy = remedy

    def __str__(self) -> str:
        message, remedy = self.args
        return f"{message}; {remedy}" if remedy else str(message)


class ConfigurationError(KeplerError, ValueError):
    """An argument or an environment variable has a value that is not possible."""


class UnknownNameError(KeplerError, LookupError):
    """A region, standard, workload, zone or model of that name does not exist.

    The remedy lists what does, and so does ``valid``, best first: all names where there are few, else the nearest.
    """

    valid: tuple[str, ...]

    def __init__(self, message: str, remedy: str = "", valid: Sequence[str] = ()) -> None:
        super().__init__(message, remedy)
        self.valid = tuple(valid)


class UnknownRegionError(UnknownNameError):
    """No region, country, grid zone or city has that name."""


class UnknownStandardError(UnknownNameError):
    """No rule has that code."""


class UnknownWorkloadError(UnknownNameError):
    """No workload of that name used energy in that time."""


class MeterError(KeplerError, OSError):
    """The meter asked for cannot be used here."""

    def __init__(self, message: str, remedy: str = "") -> None:
        KeplerError.__init__(self, message, remedy)


class MonitorError(KeplerError, RuntimeError):
    """The monitor cannot do this now: it is stopped, or belongs to another process."""


class DataError(KeplerError, ValueError):
    """Data that were read or passed in are not what they should be, or there are none."""


class SourceError(KeplerError, OSError):
    """A source of energy figures cannot be reached or used: no meter, no exporter, no server."""

    def __init__(self, message: str, remedy: str = "") -> None:
        KeplerError.__init__(self, message, remedy)


class ModelError(KeplerError, ValueError):
    """A power model cannot be read, trained or used."""


class MissingDependencyError(KeplerError, ImportError):
    """An optional package is needed for this and not installed."""


class EstimateWarning(UserWarning):
    """There is no hardware counter to read, so energy is estimated. Warned of once a process."""


class PartialFigureWarning(UserWarning):
    """A part of the machine has no meter and no estimate: sums leave it out, and are marked partial. Warned of once a process."""
