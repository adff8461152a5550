"""Shows the biggest processes for two seconds, and keeps all of them as CSV."""

from __future__ import annotations

import kepler_power

with kepler_power.Monitor(interval=0.5) as monitor:
    monitor.wait(after=1, timeout=5)  # the second snapshot has powers
    for snapshot in monitor:
        processes = snapshot.processes()
        processes.write_csv("processes.csv", append=True)
        for process in sorted(processes, key=lambda row: -row.watts.get("package", 0.0))[:3]:
            print(f"{process.watts.get('package', 0.0):8.3f} W  {process.pid:>8}  {process.comm}")
        if snapshot.sequence >= 4:
            break
