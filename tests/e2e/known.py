"""A machine whose load and power a test decides, whatever this one does: procfs and RAPL of its own."""

import os
import threading
import time
from pathlib import Path

from linux import goes_first
from powercap import PowercapTree

PACKAGE = "intel-rapl:0"
TICKS = 100
# Between two updates, seconds: RAPL is updated about each millisecond.
STEP = 0.002


class KnownMachine:
    """Two CPUs; draws `idle` watts, and `per_cpu` more for each busy one. `busy` says how many are."""

    CPUS = 2

    def __init__(self, root: Path, idle: float = 40, per_cpu: float = 20):
        self.tree = PowercapTree(root)
        self.tree.add_zone(PACKAGE, "package-0", 1_000_000)
        self.procfs = root / "proc"
        self.procfs.mkdir()
        cpu = "processor\t: {}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Known\nphysical id\t: 0\n\n"
        (self.procfs / "cpuinfo").write_text("".join(cpu.format(number) for number in range(self.CPUS)))
        self.idle, self.per_cpu = idle, per_cpu
        self.busy = 0.0
        self._start, self._last = time.monotonic(), time.monotonic()
        self._busy_seconds, self._joules = 0.0, 1.0
        self._latest = 0.0
        self._stop = threading.Event()
        self._stat = os.open(self.procfs / "stat", os.O_CREAT | os.O_WRONLY)
        self._energy = os.open(self.tree.counter(PACKAGE), os.O_WRONLY)
        self._advance()
        self._thread = threading.Thread(target=self._run)

    @property
    def flags(self) -> tuple[str, str]:
        return f"--host.sysfs={self.tree.sysfs}", f"--host.procfs={self.procfs}"

    def power(self, share: float) -> float:
        """The truth at this busy share of all CPUs."""
        return self.idle + self.per_cpu * self.CPUS * share

    def drawn(self) -> tuple[float, float]:
        """A moment of the clock that does not jump, and the joules drawn by then."""
        return self._drawn

    def off(self, seconds: float) -> float:
        """By which share a mean over this time may be off, because an update came late at one end or the other."""
        return self._latest / seconds

    def __enter__(self) -> "KnownMachine":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self._stat)
        os.close(self._energy)

    def _run(self) -> None:
        goes_first(threading.get_native_id())
        while not self._stop.wait(STEP):
            self._advance()

    def _advance(self) -> None:
        now = time.monotonic()
        elapsed, self._last = now - self._last, now
        self._latest = max(self._latest, elapsed)
        self._busy_seconds += self.busy * elapsed
        self._joules += self.power(self.busy / self.CPUS) * elapsed
        self._drawn = (now, self._joules)
        busy = round(self._busy_seconds * TICKS)
        idle = round((now - self._start) * TICKS * self.CPUS) - busy

        def line(name: str, share: int) -> str:
            return f"{name} {busy // share:012} 0 0 {idle // share:012} 0 0 0 0 0 0\n"

        text = line("cpu ", 1) + "".join(line(f"cpu{number}", self.CPUS) for number in range(self.CPUS))
        self._write(self._stat, text)
        self._write(self._energy, f"{round(self._joules * 1e6):012}\n")

    @staticmethod
    def _write(file: int, text: str) -> None:
        """Over what was there, of the same length: who reads meanwhile sees no empty file."""
        os.pwrite(file, text.encode(), 0)
