"""Parts of the machine by the names that scripts import from ``codecarbon.external.hardware``."""

from __future__ import annotations

from ..core.cpu import is_rapl_available

MODE_CPU_LOAD = "cpu_load"
B_TO_GB = 1024 * 1024 * 1024


class BaseHardware:
    """A part of the machine; a tracker has its energy."""

    def description(self) -> str:
        """Its kind."""
        return type(self).__name__


class CPU(BaseHardware):
    """The processors."""

    def __init__(self, model: str, *, tracking_mode: str = "machine") -> None:
        self._model = model
        self._tracking_mode = tracking_mode
        self._mode = "intel_rapl" if is_rapl_available() else MODE_CPU_LOAD

    def get_model(self) -> str:
        """Their name."""
        return self._model


class GPU(BaseHardware):
    """The graphics processors, which are not measured."""
