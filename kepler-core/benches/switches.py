#!/usr/bin/env python3
"""What following every switch costs, under `perf bench sched pipe`, beside an empty program at the same place.

usage: switches.py KEPLER [ROUNDS]   (as root; KEPLER as built for release; needs perf, two processors, a quiet machine)

Left alone, the scheduler has the two processes share a processor or not, and an operation takes some 2 us or 20 to 70: a
run of many operations is a mixture of both, and two such runs differ by half. So runs are short (each is mostly of one
kind), many, and alternate in blocks; and both kinds are also measured apart: both processes pinned to one processor, where
an operation is two switches and little else, and each pinned to its own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

KEPLER, ROUNDS = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 40
if ROUNDS < 6:
    sys.exit("fewer than 6 rounds give no interval of 95 %; some 40 are needed to tell a difference of 2 %")
# Seconds until what a start stirs up has settled.
SETTLED = 3
STATS = Path("/proc/sys/kernel/bpf_stats_enabled")
EMPTY = [sys.executable, str(Path(__file__).with_name("empty_switch.py"))]
PROGRAMS = {
    "nothing": None,
    "an empty program": EMPTY,
    "kepler": [KEPLER, "serve", "--usage=ebpf", "--meter=model", "--web.listen-address=127.0.0.1:0"],
}


class Mode(NamedTuple):
    name: str
    operations: int
    # In a block of a round.
    runs: int
    # What perf is started by.
    starter: tuple[str, ...] = ()
    # Whether each of the two processes is given a processor of its own.
    is_apart: bool = False


MODES = (
    Mode("pinned to one processor", 20_000, 5, starter=("taskset", "--cpu-list", "0")),
    Mode("each pinned to its own processor", 1_000, 15, is_apart=True),
    Mode("left alone", 500, 150),
)


@contextmanager
def attached(command: list[str] | None):
    if command is None:
        time.sleep(SETTLED)
        yield None
        return
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            time.sleep(SETTLED)
            yield process
        finally:
            process.terminate()


def part(process: subprocess.Popen) -> bool:
    """Has each of the two run on its own processor; false if they were done before."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None:
        if found := children.read_text().split():
            try:
                os.sched_setaffinity(process.pid, {0})
                os.sched_setaffinity(int(found[0]), {1})
            except ProcessLookupError:
                return False
            return True
    return False


def pipe(mode: Mode) -> float:
    """Microseconds of an operation, as perf says: by the clock on the wall."""
    command = [*mode.starter, "perf", "bench", "sched", "pipe", "--loop", str(mode.operations)]
    while True:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            is_as_wanted = not mode.is_apart or part(process)
            printed = process.stdout.read()
        if is_as_wanted:
            return float(printed.split("usecs/op")[0].split()[-1])


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
                for mode in MODES:
                    start = counted(process)
                    microseconds = [pipe(mode) for _ in range(10 * mode.runs)]
                    nanoseconds, runs = (now - then for now, then in zip(counted(process), start))
                    operations = mode.operations * len(microseconds)
                    print(
                        f"{name}, {mode.name}: {nanoseconds / runs:.0f} ns a switch, {runs / operations:.1f} switches and"
                        f" {statistics.fmean(microseconds):.2f} us an operation"
                    )
    finally:
        STATS.write_text(before)


def by_runs() -> None:
    # Of each block the median of its runs.
    blocks: dict[tuple[str, str], list[float]] = {(mode.name, name): [] for mode in MODES for name in PROGRAMS}
    for _ in range(ROUNDS):
        for name, command in PROGRAMS.items():
            with attached(command):
                for mode in MODES:
                    blocks[mode.name, name].append(statistics.median(pipe(mode) for _ in range(mode.runs)))
    for mode in MODES:
        print(f"{mode.name}, {ROUNDS} alternating blocks of {mode.runs} runs of {mode.operations} operations")
        base = blocks[mode.name, "nothing"]
        for name in PROGRAMS:
            found = blocks[mode.name, name]
            if name == "nothing":
                print(f"  {name}: {statistics.median(found):.2f} us")
                continue
            low, high = interval([block / other - 1 for block, other in zip(found, base)])
            change = statistics.median(found) / statistics.median(base) - 1
            print(f"  {name}: {statistics.median(found):.2f} us, {change:+.1%}, a round by median {low:+.1%} to {high:+.1%} (95 %)")


def interval(found: list[float]) -> tuple[float, float]:
    """In which the median lies with 95 % confidence, whatever the distribution (by order, as the sign test)."""
    found = sorted(found)
    off = round((len(found) - 1.96 * len(found) ** 0.5) / 2)
    return found[max(off - 1, 0)], found[min(len(found) - off, len(found) - 1)]


if __name__ == "__main__":
    by_the_kernel()
    by_runs()
