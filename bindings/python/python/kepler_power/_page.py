"""The report of a run as one page of HTML that needs nothing else."""

from __future__ import annotations

import datetime
from html import escape

from ._chart import bars, curve_svg, svg
from ._html import table
from ._measured import Measured
from ._text import shown
from .quantities import _duration

_STYLE = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th,td{text-align:start;padding:.25rem .5rem;border-bottom:1px solid #8886;overflow-wrap:anywhere}"
    "@media print{body{margin:0;max-width:none}tr,svg{break-inside:avoid}}@page{size:A4;margin:15mm}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(measurement: Measured) -> str:
    """What was measured, a chart, its zones, and what the figures rest on."""
    name, co2e, source = escape(shown(measurement.name)), measurement.co2e, measurement.source
    error = f" (± {source.error_ratio * 100:.0f} %)" if source.error_ratio is not None else ""
    started = datetime.datetime.fromtimestamp(measurement.started_at, datetime.timezone.utc)
    facts = [
        ("Started", started.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("Duration", _duration(measurement.seconds)),
        ("Energy of the machine", str(measurement.energy)),
        ("Mean power", str(measurement.power)),
        ("This process, with its children", str(measurement.tree.energy)),
        ("Emissions", str(co2e)),
        ("Method", f"{source.method} by {source.name}{error}"),
        ("Grid", f"{co2e.region or 'stated intensity'} ({co2e.basis}): {co2e.grid_intensity:.4g} gCO2e/kWh, {co2e.source}"),
        ("PUE", f"{co2e.pue:.4g} ({co2e.pue_basis})"),
    ]
    zones = [
        (zone.name, str(zone.energy), str(zone.source), "yes" if zone.is_counted else "no")
        for zone in measurement.zones.values()
    ]
    notes: list[str] = []
    if measurement.is_uncertain:
        notes.append("A counter was reset or could not be read in time: more or less may have been drawn.")
    if measurement.error_ratio > 1:
        notes.append("It was over before the meter moved often enough: the energy is not resolvable.")
    if co2e.basis == "assumed":
        notes.append(f"No region was stated; {co2e.region} is assumed.")
    below = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{name}</h1>\n"
        f"{table(('', ''), facts)}\n<h2>Energy</h2>\n{svg(bars(measurement))}\n{curve_svg(measurement.curve)}\n"
        f"<h2>Zones</h2>\n{table(('zone', 'energy', 'by', 'counts in the machine'), zones)}\n"
        f"{f'<h2>Caveats</h2><ul>{below}</ul>' if below else ''}\n</main>\n</body>\n</html>\n"
    )
