"""Bars of energy as SVG, for notebooks and reports: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple, Optional

from ._measured import Measured
from ._text import shown
from .figures import Figures
from .quantities import Energy, Power, _duration

# Okabe and Ito's colours, which colour-blind people tell apart (2008).
_COLOURS = {"machine": "#0072b2", "part": "#56b4e9", "other": "#999999"}
_WIDTH, _NAMES, _VALUES, _BAR = 640, 190, 130, 22


class Bar(NamedTuple):
    """A bar: whose energy, and how far off an estimate may be (one standard deviation)."""

    label: str
    energy: Energy
    error_ratio: Optional[float]
    kind: str


def bars(measurement: Measured) -> list[Bar]:
    """The machine's energy, then its parts: this process, its children and all else; then phases and laps."""
    error = measurement.source.error_ratio
    process, children = measurement.process.energy, measurement.children.energy
    rest = Energy(max(0, measurement.energy.microjoules - process.microjoules - children.microjoules))
    found = [
        Bar("machine", measurement.energy, error, "machine"),
        Bar("this process", process, error, "part"),
        Bar("its children", children, error, "part"),
        Bar("all else", rest, error, "other"),
    ]
    inside: list[tuple[str, Figures]] = [*measurement.phases.items(), *((lap.name, lap) for lap in measurement.laps)]
    found += [Bar(name, part.energy, part.source.error_ratio, "machine") for name, part in inside]
    return found


def svg(found: Sequence[Bar]) -> str:
    """The bars, with a line for the error of an estimate."""
    most = max((bar.energy.joules * (1 + (bar.error_ratio or 0.0)) for bar in found), default=0.0) or 1.0
    scale = (_WIDTH - _NAMES - _VALUES) / most
    parts: list[str] = []
    for number, bar in enumerate(found):
        top, width = number * _BAR, bar.energy.joules * scale
        end = width
        parts.append(
            f'<text x="{_NAMES - 8}" y="{top + 15}" text-anchor="end">{escape(shown(bar.label[:28]))}</text>'
            f'<rect x="{_NAMES}" y="{top + 4}" width="{width:.2f}" height="{_BAR - 8}" fill="{_COLOURS[bar.kind]}"/>'
        )
        if bar.error_ratio:
            low, end = width * max(0.0, 1 - bar.error_ratio), width * (1 + bar.error_ratio)
            middle = top + _BAR / 2
            parts.append(f'<path d="M{_NAMES + low:.2f} {middle}H{_NAMES + end:.2f}" stroke="currentColor"/>')
        parts.append(f'<text x="{_NAMES + end + 6:.2f}" y="{top + 15}">{escape(str(bar.energy))}</text>')
    height = len(found) * _BAR
    label = "Energy: " + ", ".join(f"{bar.label} {bar.energy}" for bar in found)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img" aria-label="{escape(shown(label))}" '
        f'style="max-width:100%;font:12px sans-serif;fill:currentColor">{"".join(parts)}</svg>'
    )


def curve_svg(points: Sequence[tuple[float, float]]) -> str:
    """Watts over time as a stepped line, each step the mean of its interval; empty for fewer than two points."""
    if len(points) < 2:
        return ""
    height, left, width = 110, 10, _WIDTH - 20
    end, most = points[-1][0] or 1.0, max(watts for _, watts in points) or 1.0
    drawn: list[str] = []
    before = 0.0
    for seconds, watts in points:
        y = 14 + (height - 30) * (1 - watts / most)
        drawn.append(f"{left + width * before / end:.1f} {y:.1f} {left + width * seconds / end:.1f} {y:.1f}")
        before = seconds
    line = "M" + "L".join(drawn)
    area = f"{line}L{left + width:.1f} {height - 16}L{left} {height - 16}Z"
    mean = sum((after - start) * watts for (start, _), (after, watts) in zip([(0.0, 0.0), *points], points)) / end
    label = f"Power over {_duration(end)}: mean {Power(mean)}, at most {Power(most)}"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img" aria-label="{escape(label)}" '
        f'style="max-width:100%;font:12px sans-serif;fill:currentColor">'
        f'<path d="{area}" fill="{_COLOURS["part"]}" opacity=".3"/><path d="{line}" fill="none" stroke="{_COLOURS["machine"]}" stroke-width="1.5"/>'
        f'<text x="{left}" y="11">{escape(label)}</text><text x="{left}" y="{height - 3}">0 s</text>'
        f'<text x="{left + width}" y="{height - 3}" text-anchor="end">{_duration(end)}</text></svg>'
    )
