"""Measures a training loop with its phases."""

from __future__ import annotations

import kepler_power

with kepler_power.measure("train", region="eu-north-1") as m:
    with m.phase("load"):
        rows = [i * 7 % 1000 for i in range(200_000)]
    for _ in range(3):
        with m.phase("epoch"), m.phase("forward"):
            loss = sum(row * row for row in rows)

print(m)
for path, total in m.phases.items():
    print(f"  {path:<14} x{total.count}  {total.energy}  {total.seconds:.3f} s")
