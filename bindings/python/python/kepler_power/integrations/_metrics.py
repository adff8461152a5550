"""A measurement as numbers and texts by name, as experiment trackers take them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..errors import DataError

if TYPE_CHECKING:
    from ..figures import Figures


def metrics(figures: Figures, prefix: str = "energy/") -> dict[str, float]:
    """What was used, by name: ``energy/joules``, ``energy/watts``, ``energy/process_joules``, ``energy/co2e_grams``, ``energy/seconds`` and
    ``energy/error_ratio``. What is not known is not there. A measurement that runs gives the figures so far.

    >>> import kepler_power
    >>> from kepler_power.integrations import metrics
    >>> with kepler_power.measure("train") as m:
    ...     total = sum(range(1_000_000))
    >>> metrics(m)["energy/joules"] == m.energy.joules
    True
    """
    found = {
        "joules": figures.energy.joules,
        "watts": figures.power.watts,
        "process_joules": figures.tree.energy.joules,
        "seconds": figures.seconds,
    }
    try:
        found["co2e_grams"] = figures.co2e.grams
    except DataError:
        # No intensity is published for the region.
        pass
    error = figures.error_ratio
    if math.isfinite(error):
        found["error_ratio"] = error
    return {f"{prefix}{name}": value for name, value in found.items()}


def tags(figures: Figures, prefix: str = "energy.") -> dict[str, str]:
    """What the numbers rest on, by name: method, source, region and how they are known."""
    source = figures.source
    found = {"method": source.method, "source": source.name, "is_uncertain": str(figures.is_uncertain).lower()}
    try:
        co2e = figures.co2e
    except DataError:
        return {f"{prefix}{name}": value for name, value in found.items()}
    found["region"], found["region_basis"] = co2e.region or "stated intensity", co2e.basis
    found["grid_intensity_g_per_kwh"], found["pue"] = f"{co2e.grid_intensity:.6g}", f"{co2e.pue:.6g} ({co2e.pue_basis})"
    return {f"{prefix}{name}": value for name, value in found.items()}
