"""An NVIDIA GPU on a machine without one: the stand-in of kepler-core's tests in the place of the driver's library."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "kepler-core/tests/devices/libnvidia-ml.c"

# The program believes that a process uses a GPU which holds a descriptor of a file that is called so.
DEVICE = Path("/dev/nvidia-e2e")


class Gpu:
    """A GPU whose counter rises by its power. `lines` are those of its processes and instances, as the stand-in's source says."""

    def __init__(self, folder: Path, descriptor: int, watts: float):
        self.library, self.descriptor, self.watts = folder / "libnvidia-ml.so.1", descriptor, watts
        self.lines: list[str] = []
        self.more = ""
        self._counted, self._joules = time.monotonic(), 0.0
        self._writing = threading.Lock()
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", self.library, SOURCE, "-ldl"], check=True, timeout=60)
        self.write()

    def write(self) -> None:
        with self._writing:
            self._write()

    def drawn(self) -> float:
        """What it has drawn until now, in joules."""
        self.write()
        return self._joules

    def _write(self) -> None:
        now = time.monotonic()
        self._joules += (now - self._counted) * self.watts
        self._counted, millijoules = now, int(self._joules * 1000)
        script = f"gpu uuid=GPU-e2e name=H200 bus=0x41 energy={millijoules} limit=700000 util=90 {self.more}\n" + "".join(
            f"{line}\n" for line in self.lines
        )
        # As a whole: a call never sees half of it.
        new = self.library.with_suffix(".new")
        new.write_text(script)
        new.rename(f"{self.library}.script")


@contextmanager
def gpu(folder: Path, watts: float = 300) -> Iterator[Gpu | None]:
    """`None` where it cannot be made: no compiler, or no right to make a file in /dev."""
    if shutil.which(os.environ.get("CC", "cc")) is None:
        yield None
        return
    try:
        descriptor = os.open(DEVICE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield None
        return
    made, ended = Gpu(folder, descriptor, watts), threading.Event()

    def count() -> None:
        while not ended.wait(0.05):
            made.write()

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield made
    finally:
        ended.set()
        thread.join()
        os.close(descriptor)
        DEVICE.unlink(missing_ok=True)
