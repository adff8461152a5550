"""Says after some epochs what a whole training will use, and compares two settings at the end."""

from __future__ import annotations

import kepler_power
from kepler_power import runs


def epoch(size: int) -> int:
    return sum(n * n for n in range(size))


for name, size in (("small", 50_000), ("large", 200_000)):
    with kepler_power.measure(name, region="eu-north-1", progress=True) as m:
        for number in range(8):
            with m.phase("epoch"):
                epoch(size)
            if number == 4:
                print(m.forecast(epochs=8))
    m.save("runs.csv")

print(runs.compare(runs.read(["runs.csv"])).text())
