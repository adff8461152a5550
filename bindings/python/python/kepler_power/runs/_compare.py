"""Runs side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

from .._statistics import mean_of, normal_quantile
from .._text import shown
from ..quantities import Energy, Power, _scaled
from ._run import Run

_HEAD: tuple[str, ...] = ("run", "n", "time", "energy", "± (95 %)", "power", "CO2e", "method", "against the first")


class Group(NamedTuple):
    """Runs of one name."""

    name: str
    runs: Sequence[Run]
    energy_joules: Optional[float]
    """The mean; none where it is not known of every run."""
    spread_joules: Optional[float]
    """Half of the mean's 95 % interval by the spread of the runs; none with fewer than two."""
    error_joules: Optional[float]
    """The same with the meter's stated error in it; none where neither is known."""
    seconds: Optional[float]
    co2e_grams: Optional[float]
    method: str
    """That of all, else ``mixed``."""

    @property
    def watts(self) -> Optional[float]:
        """Mean power."""
        return self.energy_joules / self.seconds if self.energy_joules is not None and self.seconds else None


class Comparison(NamedTuple):
    """Groups of runs, the first of them the one that others are held against."""

    groups: Sequence[Group]

    def rows(self) -> list[list[str]]:
        """The cells of the table, header first."""
        found: list[list[str]] = [list(_HEAD)]
        for group in self.groups:
            found.append(
                [
                    shown(group.name),
                    str(len(group.runs)),
                    _known(group.seconds, "s"),
                    "unknown" if group.energy_joules is None else str(Energy.from_joules(group.energy_joules)),
                    "unknown" if group.error_joules is None else str(Energy.from_joules(group.error_joules)),
                    "unknown" if group.watts is None else str(Power(group.watts)),
                    _known(group.co2e_grams, "gCO2e"),
                    group.method,
                    self.against_first(group),
                ]
            )
        return found

    def against_first(self, group: Group) -> str:
        """By how much it used more or less, and whether the intervals tell the two apart."""
        first = self.groups[0]
        if group is first:
            return "-"
        if not first.energy_joules or group.energy_joules is None:
            return "unknown"
        change = f"{(group.energy_joules / first.energy_joules - 1) * 100:+.1f} %"
        ours, others = _errors(group, first)
        if ours is None or others is None:
            return f"{change}, error unknown"
        is_clear = abs(group.energy_joules - first.energy_joules) > math.hypot(ours, others)
        return change if is_clear else f"{change}, within the error"

    def text(self) -> str:
        """For a terminal."""
        rows = self.rows()
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
        return "\n".join(lines) + "\n"

    def markdown(self) -> str:
        """For a README or an issue."""
        head, *rows = ([cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;") for cell in row] for row in self.rows())
        lines = [head, ["---"] * len(head), *rows]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def latex(self) -> str:
        """A ``tabular`` for a paper, with nothing but LaTeX itself."""
        from .._latex import escaped

        head, *rows = ([escaped(cell) for cell in row] for row in self.rows())
        body = "".join(f"  {' & '.join(row)} \\\\\n" for row in rows)
        columns = "l" + "r" * (len(head) - 3) + "ll"
        return f"\\begin{{tabular}}{{{columns}}}\n  \\hline\n  {' & '.join(head)} \\\\\n  \\hline\n{body}  \\hline\n\\end{{tabular}}\n"

    def csv(self) -> str:
        """With units in the names and nothing rounded."""
        import csv
        import io

        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(
            ["name", "runs", "seconds", "energy_joules", "error_joules", "power_watts", "co2e_grams", "method", "against_first"]
        )
        for group in self.groups:
            figures = (group.seconds, group.energy_joules, group.error_joules, group.watts, group.co2e_grams)
            cells = ["" if figure is None else repr(figure) for figure in figures]
            writer.writerow([shown(group.name), len(group.runs), *cells, group.method, self.against_first(group)])
        return text.getvalue()

    def _repr_html_(self) -> str:
        from .._html import table

        head, *rows = self.rows()
        return table(head, rows)

    def __str__(self) -> str:
        return self.text()


def compare(runs: Iterable[Run]) -> Comparison:
    """Runs of one name are repeats of one thing: their mean, with the 95 % interval of Student's t."""
    named: dict[str, list[Run]] = {}
    for run in runs:
        named.setdefault(run.name, []).append(run)
    return Comparison([_group(name, found) for name, found in named.items()])


def _group(name: str, runs: Sequence[Run]) -> Group:
    joules = [run.energy_joules for run in runs if run.energy_joules is not None]
    methods = {run.method for run in runs}
    is_known = len(joules) == len(runs)
    spread = mean_of(joules) if is_known else None
    meter = _meter_error(runs)
    half = None if spread is None else spread.half_width
    error = None
    if spread is not None and (half is not None or meter is not None):
        error = math.hypot(half or 0.0, (meter or 0.0) * spread.value)
    return Group(
        name,
        runs,
        None if spread is None else spread.value,
        half,
        error,
        _mean([run.seconds for run in runs]),
        _mean([run.co2e_grams for run in runs]),
        methods.pop() if len(methods) == 1 else "mixed",
    )


def _meter_error(runs: Sequence[Run]) -> Optional[float]:
    """Of 95 %, as a part of the energy: the meter is off in one direction for all, so it does not average out."""
    if any(run.method == "unstated" for run in runs):
        return None
    return normal_quantile(0.975) * max((run.error_ratio or 0.0) for run in runs)


def _errors(one: Group, other: Group) -> tuple[Optional[float], Optional[float]]:
    """What tells two groups apart. By one meter and one method both are off in the same direction: the spread decides."""
    meters = {(run.method, run.source) for run in (*one.runs, *other.runs)}
    if len(meters) == 1 and one.spread_joules is not None and other.spread_joules is not None:
        return one.spread_joules, other.spread_joules
    return one.error_joules, other.error_joules


def _mean(values: Sequence[Optional[float]]) -> Optional[float]:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None


def _known(value: Optional[float], unit: str) -> str:
    return "unknown" if value is None else _scaled(value, unit, 3)
