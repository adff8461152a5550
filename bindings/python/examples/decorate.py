"""Measures every call of a function and of a coroutine."""

from __future__ import annotations

import asyncio

import kepler_power


@kepler_power.measured
def preprocess(n: int) -> int:
    return sum(i * i for i in range(n))


@kepler_power.measured("fetch", on_result=lambda m: print(m))
async def fetch() -> None:
    await asyncio.sleep(0.05)


for size in (10_000, 100_000):
    preprocess(size)
asyncio.run(fetch())
found = kepler_power.results(preprocess)
print(f"{found.calls} calls: {found.energy} of the machine, {found.process_energy} of this process, {found.seconds:.3f} s")
