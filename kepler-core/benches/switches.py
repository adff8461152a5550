#!/usr/bin/env python3
"""What following every switch costs, under `perf bench sched pipe`, beside an empty program at the same place.

usage: switches.py KEPLER [ROUNDS]   (as root; KEPLER as built for release; needs perf; a quiet machine)

Pinned to one processor an operation is two switches and little else. Left alone, the scheduler decides each time whether
the two processes share a processor, and runs differ by half: what the kernel itself counts for the program (run_time_ns)
tells more than a difference of runs.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

KEPLER, ROUNDS = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 15
OPERATIONS = 100_000
STATS = Path("/proc/sys/kernel/bpf_stats_enabled")
EMPTY = [sys.executable, str(Path(__file__).with_name("empty_switch.py"))]
PROGRAMS = {
    "nothing": None,
    "an empty program": EMPTY,
    "kepler": [KEPLER, "serve", "--usage=ebpf", "--meter=model", "--web.listen-address=127.0.0.1:0"],
}
MODES = {"pinned to one processor": ["taskset", "--cpu-list", "0"], "left alone": []}


@contextmanager
def attached(command: list[str] | None):
    if command is None:
        time.sleep(1)
        yield None
        return
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            time.sleep(1)
            yield process
        finally:
            process.terminate()


def pipe(pin: list[str]) -> float:
    """Microseconds of CPU time of an operation."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [*pin, "perf", "bench", "sched", "pipe", "--loop", str(OPERATIONS)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / OPERATIONS * 1e6


def counted(process: subprocess.Popen) -> tuple[int, int]:
    """Nanoseconds and runs of the program that ran most: the one at `sched_switch`."""
    found = [(0, 0)]
    for info in Path(f"/proc/{process.pid}/fdinfo").iterdir():
        fields = dict(line.split(":\t") for line in info.read_text().splitlines() if line.startswith("run_"))
        if fields:
            found.append((int(fields["run_cnt"]), int(fields["run_time_ns"])))
    runs, nanoseconds = max(found)
    return nanoseconds, runs


def by_the_kernel() -> None:
    before = STATS.read_text()
    STATS.write_text("1")
    try:
        for name, command in PROGRAMS.items():
            if command is None:
                continue
            with attached(command) as process:
                for mode, pin in MODES.items():
                    start = counted(process)
                    microseconds = statistics.fmean(pipe(pin) for _ in range(3))
                    nanoseconds, runs = (now - then for now, then in zip(counted(process), start))
                    share = nanoseconds / 1000 / (3 * OPERATIONS) / microseconds
                    print(
                        f"{name}, {mode}: {nanoseconds / runs:.0f} ns a switch, {runs / (3 * OPERATIONS):.1f} switches an"
                        f" operation, {share:.2%} of {microseconds:.2f} us of CPU time"
                    )
    finally:
        STATS.write_text(before)


def by_runs() -> None:
    for mode, pin in MODES.items():
        figures: dict[str, list[float]] = {name: [] for name in PROGRAMS}
        for _ in range(ROUNDS):
            for name, command in PROGRAMS.items():
                with attached(command):
                    figures[name].append(pipe(pin))
        nothing = statistics.median(figures["nothing"])
        print(f"{mode}, {ROUNDS} alternating runs, CPU time of an operation: median (quartiles)")
        for name, found in figures.items():
            low, median, high = statistics.quantiles(found, n=4)
            print(f"  {name}: {median:.2f} us ({low:.2f} to {high:.2f}), {median / nothing - 1:+.1%}")


if __name__ == "__main__":
    by_the_kernel()
    by_runs()
