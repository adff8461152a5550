"""Adds up what the workers of a pool used."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

from kepler_power import distributed


def simulate(seed: int) -> int:
    return sum((seed * n) % 7 for n in range(200_000))


if __name__ == "__main__":
    with distributed.collect() as job, ProcessPoolExecutor(2) as pool:
        total = sum(pool.map(job.task(simulate), range(6)))
    print(total, job.report())
