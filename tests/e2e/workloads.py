"""Processes for the program under test to measure. Each is ended with its `with` block."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
SPIN = "while :; do :; done"


@contextmanager
def running(arguments: Sequence[str | bytes], **options) -> Iterator[subprocess.Popen]:
    """A process, and all that it starts."""
    process = subprocess.Popen(arguments, start_new_session=True, stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


@contextmanager
def spinning(folder: Path, name: bytes = b"e2e-spin") -> Iterator[subprocess.Popen]:
    """A process that keeps one CPU busy; `name` is that of its executable, and so its comm."""
    executable = os.path.join(os.fsencode(folder), name)
    if not os.path.exists(executable):
        shutil.copy(os.fsencode(BUSYBOX), executable)
    with running(["sh", "-c", SPIN], executable=executable) as process:
        yield process


@contextmanager
def sleeping(count: int) -> Iterator[None]:
    """Idle processes."""
    pids: list[int] = []
    try:
        for _ in range(count):
            pids.append(os.posix_spawn(BUSYBOX, ["sleep", "600"], {}))
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)
