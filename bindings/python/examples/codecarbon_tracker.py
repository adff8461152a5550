"""A script written for CodeCarbon, with one import changed."""

from __future__ import annotations

from kepler_power.codecarbon import OfflineEmissionsTracker, track_emissions


@track_emissions(offline=True, country_iso_code="FRA", save_to_file=False)
def train() -> int:
    return sum(n * n for n in range(200_000))


train()

with OfflineEmissionsTracker(country_iso_code="DEU", project_name="sweep", save_to_file=False) as tracker:
    for name in ("small", "large"):
        tracker.start_task(name)
        train()
        task = tracker.stop_task()
        if task is not None:
            print(f"{name}: {task.energy_consumed * 3.6e6:.3f} J in {task.duration:.3f} s")

print(f"{tracker.final_emissions} kg CO2e")
