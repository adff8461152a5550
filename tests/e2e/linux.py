"""What the kernel says, read here independently of the program under test."""

import contextlib
import os
import socket
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def node_busy_seconds() -> float:
    """CPU time that all processors spent on something (proc_stat(5)): user, nice, system, irq, softirq."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq = fields[:7]
    return (user + nice + system + irq + softirq) / TICKS


def process_seconds(pid: int) -> float:
    """CPU time of a process, all its threads."""
    # The name, in parentheses, may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cgroup_seconds(pid: int) -> float:
    """CPU time of the cgroup that a process is in, with that of all members that have ended."""
    mount = Path("/sys/fs/cgroup")
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        if "cpuacct" in controllers.split(","):
            return int((mount / controllers / path.lstrip("/") / "cpuacct.usage").read_text()) / 1e9
    unified = path.lstrip("/")
    statistics = dict(line.split() for line in (mount / unified / "cpu.stat").read_text().splitlines())
    return int(statistics["usage_usec"]) / 1e6


def resident_bytes(pid: int, of: str = "VmRSS") -> int:
    """Memory of a process that is resident; `RssAnon` is its own, without the pages of files that the kernel can drop."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(f"{of}:"))
    return int(line.split()[1]) * 1024


def forks() -> int:
    """Processes and threads made since boot."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("processes "))
    return int(line.split()[1])


def goes_first(thread: int = 0) -> None:
    """Lets a thread, this one by default, run before whatever else keeps the machine busy, where we may say so."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(1))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
