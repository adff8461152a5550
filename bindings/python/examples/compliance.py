"""Asks the questions of the tools: where and when to run, and which workloads meet a standard."""

from __future__ import annotations

import datetime as dt

import kepler_power
from kepler_power import compliance

site = kepler_power.configure("ap-northeast-2")
print(site)

# Where? No measurement is needed for that.
ranking = compliance.get_regional_comparison(limit=3)
for region in ranking.regions:
    print(f"  {region.rank}. {region.region:<14} {region.effective_intensity_gCO2eq_kWh:6.1f} gCO2e per kWh of IT energy")
print(ranking.advice.text)

# When? With a forecast of your own: here cleaner at noon.
now = dt.datetime.now(dt.timezone.utc).replace(minute=0, second=0, microsecond=0)
forecast = {now + dt.timedelta(hours=hour): 450.0 - 200.0 * (10 <= hour < 14) for hour in range(24)}
plan = compliance.calculate_optimal_schedule("3h", power_watts=400, intensity=forecast)
print(f"start at {plan.best.local_start}: {plan.best.emissions_kgCO2eq:.3f} kg, {plan.saving_percent:.0f} % less than now")

# Who? One observation answers many questions.
observation = compliance.observe("local", window="1s")
summary = compliance.get_cluster_carbon_summary(source=observation)
print(f"this host: {summary.power_watts:.1f} W, {summary.emissions_gCO2eq_per_hour:.2f} gCO2e/h, {summary.nodes[0].basis}")
for hotspot in compliance.get_power_hotspots(source=observation, limit=3).hotspots:
    print(f"  {hotspot.workload:<20} {hotspot.power_watts:6.2f} W  {hotspot.share_percent:4.1f} %")
