"""Containers and units as data frames, without a copy per row."""
# needs: polars, pandas

from __future__ import annotations

import polars

import kepler_power

with kepler_power.Monitor(interval=0.2) as monitor:
    monitor.wait(after=1, timeout=5)
    snapshot = monitor.snapshot()

frame = polars.DataFrame(snapshot.processes())
print(frame.select("pid", "comm", "package_watts").sort("package_watts", descending=True).head(5))
print(snapshot.units().to_pandas()[["name", "package_joules"]].head(5))
