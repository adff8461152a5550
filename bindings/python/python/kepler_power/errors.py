"""What can go wrong. Every exception of this package is a :class:`KeplerError` and says what to do about it."""

from __future__ import annotations

__all__ = [
    "ConfigurationError",
    "DataError",
    "EstimateWarning",
    "KeplerError",
    "MeterError",
    "MissingDependencyError",
    "ModelError",
    "MonitorError",
    "UnknownNameError",
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
    """An argument or an environment variable has a value that makes no sense."""


class UnknownNameError(KeplerError, LookupError):
    """A region, standard, workload, zone or model of that name does not exist; the remedy lists the nearest."""


class MeterError(KeplerError, OSError):
    """The meter asked for cannot be used here."""

    def __init__(self, message: str, remedy: str = "") -> None:
        KeplerError.__init__(self, message, remedy)


class MonitorError(KeplerError, RuntimeError):
    """The monitor cannot do this now: it is stopped, or belongs to another process."""


class DataError(KeplerError, ValueError):
    """Data that were read or passed in are not what they should be, or there are none."""


class ModelError(KeplerError, ValueError):
    """A power model cannot be read, trained or used."""


class MissingDependencyError(KeplerError, ImportError):
    """An optional package is needed for this and not installed."""


class EstimateWarning(UserWarning):
    """There is no hardware counter to read, so energy is estimated. Given once a process."""
