"""Which graphics processors and accelerators there are. Their energy is not measured; whether it is zero is known."""

from __future__ import annotations

import dataclasses
import glob
from pathlib import Path
from typing import Optional

# PCI class codes (PCI Code and ID Assignment, base classes 03h and 12h).
_DISPLAY, _PROCESSING_ACCELERATOR = 0x03, 0x12
_NVIDIA, _AMD, _INTEL = 0x10DE, 0x1002, 0x8086
_VENDORS = {_NVIDIA: "NVIDIA", _AMD: "AMD", _INTEL: "Intel"}
# Intel's processor graphics are always this function of the root complex; their energy is in the package's.
_INTEL_PROCESSOR_GRAPHICS = "0000:00:02.0"
# What drivers make that have no PCI device of their own: NVIDIA's, AMD's compute, WSL's.
_DEVICES = ("/dev/nvidia[0-9]*", "/dev/kfd", "/dev/dxg")


@dataclasses.dataclass(frozen=True)
class Accelerators:
    """What was found."""

    names: Optional[tuple[str, ...]]
    """One each; ``None`` where it is not known."""

    @classmethod
    def of(cls, sysfs: Path) -> Accelerators:
        """Those of the machine with this sysfs: display controllers that compute, and processing accelerators."""
        pci = sysfs / "bus/pci/devices"
        if not (sysfs / "bus").is_dir():
            return cls(None)
        found = tuple(name for device in sorted(pci.glob("*")) if (name := _name(device)) is not None)
        if not found and sysfs == Path("/sys"):
            found = tuple(path for pattern in _DEVICES for path in sorted(glob.glob(pattern)))
        return cls(found)

    @property
    def are_absent(self) -> bool:
        """It is known that there are none: their energy is zero."""
        return self.names == ()

    @property
    def count(self) -> int | None:
        """How many; ``None`` where it is not known."""
        return None if self.names is None else len(self.names)

    @property
    def description(self) -> str | None:
        """``2 x NVIDIA 10de:2330``; ``None`` where there are none, or it is not known."""
        names = self.names or ()
        kinds = dict.fromkeys(names)
        return ", ".join(f"{names.count(name)} x {name}" for name in kinds) or None


def _name(device: Path) -> str | None:
    """The device's name, if it is a graphics processor or an accelerator. Virtual and management displays are not."""
    try:
        kind = int((device / "class").read_text(), 16) >> 16
        vendor, model = (int((device / name).read_text(), 16) for name in ("vendor", "device"))
    except (OSError, ValueError):
        return None
    is_display = kind == _DISPLAY and vendor in _VENDORS and device.name != _INTEL_PROCESSOR_GRAPHICS
    if not is_display and kind != _PROCESSING_ACCELERATOR:
        return None
    return f"{_VENDORS.get(vendor, 'PCI')} {vendor:04x}:{model:04x}"
