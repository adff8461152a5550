"""A sysfs with RAPL zones laid out as the kernel lays them out, whose truth is known."""

from __future__ import annotations

import shutil
from pathlib import Path

import kepler_power

RANGE = 262_143_328_850
"""Microjoules in a round of a counter, less one unit: 2^32 units of 61.035 µJ, as Intel's packages."""

# No zone of the cores: on AMD, which the machine that runs the tests may be, it counts a single core and is not used.
ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "uncore", "intel-rapl:0:1": "dram", "intel-rapl:1": "psys"}


class PowercapTree:
    """Four zones. Each starts at a million joules' remainder, so that no test rests on a counter at zero."""

    def __init__(self, root: Path, start: int = 1_234_567) -> None:
        self.sysfs = root / "sys"
        self.totals: dict[str, int] = {}
        control_type = self.sysfs / "devices/virtual/powercap/intel-rapl"
        (self.sysfs / "class/powercap").mkdir(parents=True)
        # A machine without graphics processors.
        (self.sysfs / "bus/pci/devices").mkdir(parents=True)
        control_type.mkdir(parents=True)
        (self.sysfs / "class/powercap/intel-rapl").symlink_to(control_type)
        (control_type / "subsystem").symlink_to(self.sysfs / "class/powercap")
        for entry, name in ZONES.items():
            directory = control_type / entry.rsplit(":", 1)[0] / entry if entry.count(":") == 2 else control_type / entry
            directory.mkdir(parents=True)
            (directory / "name").write_text(f"{name}\n")
            (directory / "enabled").write_text("1\n")
            (directory / "max_energy_range_uj").write_text(f"{RANGE}\n")
            (self.sysfs / "class/powercap" / entry).symlink_to(directory)
            self.totals[entry] = start
            self._show(entry)

    def _show(self, entry: str) -> None:
        # In place, as the kernel's file changes under an open descriptor.
        path = self.sysfs / "class/powercap" / entry / "energy_uj"
        with open(path, "r+b" if path.exists() else "wb") as file:
            file.write(f"{self.totals[entry] % (RANGE + 61)}\n".encode())

    def draw(self, package: float, dram: float = 0.0) -> None:
        """Joules that package and memory draw; the platform adds a tenth, and the graphics are a tenth of the package."""
        for entry, joules in (
            ("intel-rapl:0", package),
            ("intel-rapl:0:0", package * 0.1),
            ("intel-rapl:0:1", dram),
            ("intel-rapl:1", (package + dram) * 1.1),
        ):
            if entry in self.totals:
                self.totals[entry] += round(joules * 1e6)
                self._show(entry)

    def remove(self, *entries: str) -> None:
        """As on a machine without these zones."""
        for entry in entries:
            link = self.sysfs / "class/powercap" / entry
            shutil.rmtree(link.resolve(), ignore_errors=True)
            link.unlink()
            del self.totals[entry]

    def start_at(self, microjoules: int) -> None:
        """The package's counter stands there."""
        self.totals["intel-rapl:0"] = microjoules
        self._show("intel-rapl:0")

    @property
    def host(self) -> kepler_power.Host:
        return kepler_power.Host(sysfs=self.sysfs)


def burn(seconds: float) -> None:
    """Uses one processor for some CPU time."""
    import time

    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
