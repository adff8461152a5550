"""Memory by the names that scripts import from ``codecarbon.external.ram``."""

from __future__ import annotations

from .. import _memory
from .._machine import Machine, Roots
from ..core.units import Power
from .hardware import BaseHardware


class RAM(BaseHardware):
    """The machine's memory."""

    def __init__(self, *, tracking_mode: str = "machine") -> None:
        self._tracking_mode = tracking_mode
        self._machine = Machine.of(Roots.now())

    @property
    def machine_memory_GB(self) -> float:  # noqa: N802 - CodeCarbon's name
        """Its size, GiB."""
        return self._machine.ram_total_size

    def total_power(self) -> Power:
        """Its power as estimated from its size, which is taken only where there is no counter."""
        return Power.from_watts(_memory.watts(self._machine.ram_total_size, self._machine.memory_modules))
