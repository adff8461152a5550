"""The board as one page of HTML."""

from __future__ import annotations

import base64
import datetime
import hashlib
import math
from collections.abc import Callable, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Optional

from .._html import table
from .._text import shown
from ..quantities import Energy, Power, _rounded, _scaled
from ..runs import Run, Runs, compare

_WIDTH, _NAMES, _VALUES, _BAR = 900, 220, 190, 24
# Groups that a chart shows, and rows that a table has: past that a page is of no use.
_BARS, _ROWS, _DAYS = 25, 5_000, 60


def _of(value: Optional[float], unit: str) -> str:
    return "unknown" if value is None else _scaled(value, unit, 3)


def _error(run: Run) -> str:
    if run.method == "unstated":
        return "not stated"
    return f"± {run.error_ratio * 100:.0f} %" if run.error_ratio else "meter's"


# Titles of the columns, and whether they are sorted by number.
_TITLES = (
    *(("run", False), ("started (UTC)", True), ("time", True), ("energy", True), ("of", False), ("error", True), ("power", True)),
    *(("CO2e", True), ("region", False), ("method", False), ("note", False), ("from", False)),
)
_WRAPPED = {"run", "note", "from"}


def _texts(run: Run) -> list[tuple[str, Optional[float]]]:
    """The cells of a run, as texts and as numbers to sort by."""
    joules, watts = run.energy_joules, run.watts
    return [
        (run.name, None),
        (run.started, run.started_at),
        (_of(run.seconds, "s"), run.seconds),
        ("unknown" if joules is None else str(Energy.from_joules(joules)), joules),
        (run.scope, None),
        (_error(run), run.error_ratio or 0.0),
        ("unknown" if watts is None else str(Power(watts)), watts),
        (_of(run.co2e_grams, "gCO2e"), run.co2e_grams),
        (run.region + (" (assumed)" if run.region_basis == "assumed" else ""), None),
        (f"{run.method} by {run.source}" if run.source else run.method, None),
        (run.note, None),
        (run.origin, None),
    ]


@cache
def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def policy() -> str:
    """What a browser lets the page do: run its own script and style, and nothing else."""

    def digest(name: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(_asset(name).encode()).digest()).decode()

    return (
        f"default-src 'none'; script-src '{digest('board.js')}'; style-src '{digest('board.css')}'; "
        "base-uri 'none'; form-action 'none'"
    )


def page(runs: Runs) -> str:
    """Sums, energy by run and by day, a comparison of runs with their error, and a table of all."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">\n'
        f"<title>Energy of {len(runs)} runs</title>\n<style>{_asset('board.css')}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>Energy of runs</h1><p>{_span(runs)}</p></header>\n"
        f"{_sums(runs)}\n{_problems(runs)}\n"
        f"<h2>Energy by run</h2>\n{_by_name(runs)}\n{_by_day(runs)}\n"
        f"<h2>Compared</h2>\n<div class=scroll>{_compared(runs)}</div>\n"
        f"<h2>All runs</h2>\n{_all(runs)}\n"
        "<footer>Blue is measured, orange is estimated, partial or not stated by the file. What is not known is left out of sums, which say so. "
        "Energy of different scope (machine, process, job) does not compare.</footer>\n"
        f"</main>\n<script>{_asset('board.js')}</script>\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    return escape(shown(text))


def _span(runs: Runs) -> str:
    moments = sorted(run.started for run in runs if run.started)
    return f"{moments[0]} to {moments[-1]} UTC" if moments else "No run says when it was."


def _sums(runs: Runs) -> str:
    cells: list[tuple[str, str, str]] = [("runs", str(len(runs)), f"{len({run.name for run in runs})} names")]
    parts: tuple[tuple[str, Callable[[Run], Optional[float]], str], ...] = (
        ("energy", lambda run: run.energy_joules, "J"),
        ("CO2e", lambda run: run.co2e_grams, "gCO2e"),
        ("time", lambda run: run.seconds, "s"),
    )
    for title, figure, unit in parts:
        known = [value for value in map(figure, runs) if value is not None]
        note = "" if len(known) == len(runs) else f"partial: unknown of {len(runs) - len(known)} runs"
        if title == "energy" and not note:
            measured = sum(run.method == "measured" for run in runs)
            note = f"{measured} of {len(runs)} runs measured"
        amount = math.fsum(known)
        text = _scaled(amount, unit, 3)
        if unit == "J" and amount >= 3.6e5:
            text = f"{_rounded(amount / 3.6e6, 3)} kWh"
        cells.append((title, text if known else "unknown", note))
    body = "".join(f"<div><dt>{name}</dt><dd>{_text(value)}<small>{_text(note)}</small></dd></div>" for name, value, note in cells)
    return f'<dl class="sums">{body}</dl>'


def _problems(runs: Runs) -> str:
    if not runs.problems:
        return ""
    listed = "".join(f"<li>{_text(problem)}</li>" for problem in runs.problems[:50])
    more = f"<li>and {len(runs.problems) - 50} more</li>" if len(runs.problems) > 50 else ""
    return f'<div class="problems"><p>Left out:</p><ul>{listed}{more}</ul></div>'


def _by_name(runs: Sequence[Run]) -> str:
    """Bars of the groups' mean energy, with a line for the 95 % interval."""
    groups = [group for group in compare(runs).groups if group.energy_joules is not None]
    groups.sort(key=lambda group: -(group.energy_joules or 0.0))
    if not groups:
        return "<p>No run's energy is known.</p>"
    most = max((group.energy_joules or 0.0) + (group.error_joules or 0.0) for group in groups) or 1.0
    scale = (_WIDTH - _NAMES - _VALUES) / most
    parts: list[str] = []
    for number, group in enumerate(groups[:_BARS]):
        top, joules = number * _BAR, group.energy_joules or 0.0
        kind = "measured" if group.method == "measured" else "other"
        label = group.name if len(group.name) <= 30 else f"{group.name[:29]}…"
        times = f" ×{len(group.runs)}" if len(group.runs) > 1 else ""
        end = joules * scale
        parts.append(
            f'<text x="{_NAMES - 8}" y="{top + 16}" text-anchor="end">{_text(label + times)}</text>'
            f'<rect class="{kind}" x="{_NAMES}" y="{top + 5}" width="{end:.2f}" height="{_BAR - 10}" rx="2"/>'
        )
        if group.error_joules:
            low, high = max(0.0, joules - group.error_joules) * scale, (joules + group.error_joules) * scale
            parts.append(f'<path d="M{_NAMES + low:.2f} {top + _BAR / 2}H{_NAMES + high:.2f}" stroke="currentColor" stroke-width="1.5"/>')
            end = high
        parts.append(f'<text x="{_NAMES + end + 6:.2f}" y="{top + 16}">{escape(str(Energy.from_joules(joules)))}, {group.method}</text>')
    height = min(len(groups), _BARS) * _BAR
    more = f"<p>The {_BARS} largest of {len(groups)}.</p>" if len(groups) > _BARS else ""
    return f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img" aria-label="Mean energy by run">{"".join(parts)}</svg>{more}'


def _by_day(runs: Sequence[Run]) -> str:
    """Columns: the energy of the days on which runs began."""
    days: dict[str, float] = {}
    for run in runs:
        if run.started and run.energy_joules is not None:
            began = run.started[:10]
            days[began] = days.get(began, 0.0) + run.energy_joules
    if len(days) < 2:
        return ""
    first, last = (datetime.date.fromisoformat(day) for day in (min(days), max(days)))
    length = (last - first).days + 1
    start = last - datetime.timedelta(days=min(length, _DAYS) - 1)
    found = [start + datetime.timedelta(days=number) for number in range(min(length, _DAYS))]
    most = max(days.get(day.isoformat(), 0.0) for day in found) or 1.0
    width = (_WIDTH - 20) / len(found)
    parts: list[str] = []
    for number, day in enumerate(found):
        joules = days.get(day.isoformat(), 0.0)
        tall = 110 * joules / most
        title = f"<title>{day.isoformat()}: {escape(str(Energy.from_joules(joules)))}</title>"
        parts.append(
            f'<rect class="measured" x="{10 + number * width:.2f}" y="{120 - tall:.2f}" width="{max(1.0, width - 2):.2f}" height="{tall:.2f}">{title}</rect>'
        )
    ends = (
        f'<text x="10" y="138">{found[0].isoformat()}</text>'
        f'<text x="{_WIDTH - 10}" y="138" text-anchor="end">{found[-1].isoformat()}, at most {escape(str(Energy.from_joules(most)))} a day</text>'
    )
    note = f"<p>The last {_DAYS} of {length} days.</p>" if length > _DAYS else ""
    return f'<h2>Energy by day</h2>\n<svg viewBox="0 0 {_WIDTH} 144" width="{_WIDTH}" role="img" aria-label="Energy by day">{"".join(parts)}{ends}</svg>{note}'


def _compared(runs: Sequence[Run]) -> str:
    if not runs:
        return "<p>There are no runs.</p>"
    head, *rows = compare(runs).rows()
    more = f"<p>The first {_BARS} of {len(rows)}.</p>" if len(rows) > _BARS else ""
    return table(head, rows[:_BARS]) + more


def _all(runs: Sequence[Run]) -> str:
    head = "".join(
        f'<th{" class=figure" if is_number else ""} scope="col"><button type="button">{title}</button></th>' for title, is_number in _TITLES
    )
    body = "".join(f"<tr>{_cells(run)}</tr>" for run in runs[:_ROWS])
    more = f"<p>The first {_ROWS} of {len(runs)} rows; sums are of all.</p>" if len(runs) > _ROWS else ""
    return (
        f'<label>Filter <input id="filter" type="search" autocomplete="off"></label> <output id="shown">{min(len(runs), _ROWS)} runs</output>'
        f'<div class=scroll><table id="runs"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'
    )


def _cells(run: Run) -> str:
    cells: list[str] = []
    for (title, is_number), (text, value) in zip(_TITLES, _texts(run)):
        if is_number:
            cells.append(f'<td class="figure" data-value="{"" if value is None else repr(float(value))}">{_text(text)}</td>')
        else:
            cells.append(f'<td class="name">{_text(text)}</td>' if title in _WRAPPED else f"<td>{_text(text)}</td>")
    return "".join(cells)
