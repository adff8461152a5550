"""Processes for the program under test to measure. Each is ended with its `with` block."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
SPIN = "while :; do :; done"

# Successive processes of some 20 ms each: none lives from one measurement to the next.
SHORT_LIVED = "while :; do sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'; done"


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
def spinning(folder: Path, name: bytes = b"e2e-spin", **options) -> Iterator[subprocess.Popen]:
    """A process that keeps one CPU busy; `name` is that of its executable, and so its comm."""
    executable = os.path.join(os.fsencode(folder), name)
    if not os.path.exists(executable):
        shutil.copy(os.fsencode(BUSYBOX), executable)
    with running(["sh", "-c", SPIN], executable=executable, **options) as process:
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


def _hierarchies() -> list[Path]:
    """Where cgroups are made: the one of version 2, else those of version 1 that are kept for names and CPU time."""
    mount = Path("/sys/fs/cgroup")
    if (mount / "cgroup.controllers").exists():
        return [mount]
    return [mount / name for name in ("unified", "cpu", "cpuacct", "systemd") if (mount / name / "cgroup.procs").exists()]


@contextmanager
def cgroup(name: str) -> Iterator[Callable[[int], None] | None]:
    """A cgroup, as pods, units and jobs have one; what it gives puts a process in. `None` where none can be made."""
    made: list[Path] = []
    roots = _hierarchies()
    try:
        for root in roots:
            for part in reversed([Path(name), *Path(name).parents[:-1]]):
                if not (path := root / part).exists():
                    path.mkdir()
                    made.append(path)
    except OSError:
        roots = []

    def enter(pid: int) -> None:
        for root in roots:
            (root / name / "cgroup.procs").write_text(str(pid))

    try:
        yield enter if roots else None
    finally:
        _remove(made)


def _remove(cgroups: list[Path]) -> None:
    """What has ended leaves its cgroup a moment later."""
    for path in reversed(cgroups):
        for _ in range(50):
            try:
                path.rmdir()
                break
            except OSError:
                time.sleep(0.05)
