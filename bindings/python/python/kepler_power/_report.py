"""The report of a command, in the words and the layout of `kepler measure` (docs/measure.md)."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Sequence
from typing import Any, Optional, cast

from ._rest import Rest
from ._summary import difference, summary, verdict
from ._text import shown
from .figures import Zone, platform_cells
from .measurement import Measurement

_FOLLOWED = "process clocks, and the accounts of children that were waited for"
_UNRESOLVED = (
    "Not resolvable: it was over before the energy counters moved (they do so every {refresh} ms). Its energy is unknown, "
    "not zero. Measure something longer, such as a loop of 100: sh -c 'for i in $(seq 100); do …; done'."
)
_NOT_BUSIER = (
    "The machine was not busier than at the baseline: other load ended, or left no room. What lies above it is unknown for some "
    "runs; measure on a calmer machine."
)
_OUTLIERS = (
    "Outliers: {number}. Some runs are far from the others: something else ran, or caches were cold. Try --warmup=3 on a calm machine."
)
_SAME_MODEL = (
    "Both are estimated by the same model: the test speaks of the scatter between runs, not of the model's error."
)
_LONGEST_TITLE = 72
# What is shown of several runs: name, figure, unit.
_ROWS = [
    ("energy", "energy_joules", "J"),
    ("above baseline", "above_baseline_joules", "J"),
    ("power", "power_watts", "W"),
    ("duration", "duration_seconds", "s"),
    ("CPU time", "cpu_seconds", "s"),
    ("machine", "machine_energy_joules", "J"),
    ("carbon", "emissions_gCO2eq", "gCO2e"),
]
_SUMMARISED = [figure for _, figure, _ in _ROWS]
_COMPARED = [figure for figure in _SUMMARISED if figure not in ("cpu_seconds", "emissions_gCO2eq")]


class Run:
    """One run of a command: what it used."""

    def __init__(self, measurement: Measurement, status: int, rest: Optional[Rest] = None, busy: Optional[float] = None) -> None:
        self._status = status
        self._rest, self._busy = rest, busy
        self.measurement = measurement
        self._source = measurement.source
        self.refresh = measurement.source.resolution_seconds
        self.is_known = measurement.seconds >= self.refresh and measurement.energy.microjoules > 0
        self.state = "unresolved" if not self.is_known else "uncertain" if measurement.is_uncertain else "known"

    def _known(self, value: Optional[float]) -> Optional[float]:
        return value if self.is_known else None

    def to_dict(self) -> dict[str, Any]:
        """As the report has it."""
        whole, share = self.measurement, self.measurement.children
        error, joules = self._source.error_ratio, share.energy.joules
        # 90 % of a normal error are 1.645 standard deviations.
        bounds = None if error is None else {"lower": joules * max(0.0, 1 - 1.645 * error), "upper": joules * (1 + 1.645 * error)}
        rest, spent = self._rest, share.cpu_seconds
        above = rest.above(whole) if rest else None
        part = rest.part_above(whole, self._busy, spent) if rest else None
        started = datetime.datetime.fromtimestamp(whole.started_at, datetime.timezone.utc)
        return {
            "started_at": started.isoformat().replace("+00:00", "Z"),
            "exit_status": self._status if self._status >= 0 else None,
            "signal": -self._status if self._status < 0 else None,
            "state": self.state,
            "method": self._source.method,
            "source": self._source.name,
            "error_ratio": error,
            "resolution_ratio": self.refresh / whole.seconds if whole.seconds else None,
            "duration_seconds": whole.seconds,
            "cpu_seconds": share.cpu_seconds,
            "energy_joules": self._known(joules),
            "energy_interval_joules": bounds if self.is_known else None,
            "above_baseline_joules": self._known(part),
            "power_watts": self._known(share.power.watts),
            "share": self._known(share.ratio),
            "emissions_gCO2eq": self._known(share.co2e.grams),
            "cost": None,
            "machine": {
                "energy_joules": self._known(whole.energy.joules),
                "above_baseline_joules": self._known(above),
                "power_watts": self._known(whole.power.watts),
                "emissions_gCO2eq": self._known(whole.co2e.grams),
                "cost": None,
            },
            "zones": [_zone(zone) for zone in whole.zones.values()] if self.is_known else [],
            **({"platform": [meter.to_dict() for meter in whole.platforms]} if whole.platforms else {}),
            "left_running": None,
        }


def _rounded(value: Any) -> Any:
    """Figures of nine digits, as `kepler measure` writes them: no counter knows more."""
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_rounded(item) for item in cast("list[object]", value)]
    return float(f"{value:.9g}") if isinstance(value, float) else value


class Command:
    """A command with its runs."""

    def __init__(self, arguments: Sequence[str], name: Optional[str] = None) -> None:
        self.arguments = list(arguments)
        self.name = name or " ".join(arguments)
        self.runs: list[Run] = []

    def values(self, figure: str, of_machine: bool = False) -> list[float]:
        """A figure of all runs that know it."""
        runs = [run.to_dict() for run in self.runs]
        found = [run["machine"][figure] if of_machine else run[figure] for run in runs]
        return [value for value in found if value is not None]

    def of(self, name: str) -> list[float]:
        """The same by its name in summaries."""
        return self.values("energy_joules", True) if name == "machine_energy_joules" else self.values(name)

    def to_dict(self) -> dict[str, Any]:
        """As the report has it."""
        summaries = {name: summary(self.of(name)) for name in _SUMMARISED}
        runs = [run.to_dict() for run in self.runs]
        return {"kind": "command", "name": self.name, "arguments": self.arguments, "runs": runs, "summary": summaries}


class Report:
    """What one command used, or two beside each other."""

    def __init__(self, commands: Sequence[Command], rest: Optional[Rest] = None) -> None:
        self._commands = [command for command in commands if command.runs]
        self._rest = rest
        self._runs = [run for command in self._commands for run in command.runs]
        self._first = self._runs[0]

    def render(self, format: str) -> str:
        """As ``text``, ``json`` or ``csv``."""
        return {"text": self._text, "json": self._json, "csv": self._csv}[format]()

    def _site(self) -> dict[str, Any]:
        co2e = self._first.measurement.co2e
        grid = {"value": co2e.grid_intensity, "basis": co2e.basis, "source": co2e.source, "method": co2e.grid_method}
        return {"region": co2e.region, "grid_intensity": grid, "pue": {"value": co2e.pue, "basis": co2e.pue_basis}}

    def _caveats(self) -> list[str]:
        co2e = self._first.measurement.co2e
        caveats: list[str] = []
        if any(not run.is_known for run in self._runs):
            caveats.append(_UNRESOLVED.format(refresh=_digits(self._first.refresh * 1000)))
        if any(run.state == "uncertain" for run in self._runs):
            caveats.append("A counter was reset or could not be read in time: more or less may have been drawn.")
        if self._rest and any(run.is_known and run.to_dict()["above_baseline_joules"] is None for run in self._runs):
            caveats.append(_NOT_BUSIER)
        outliers = 0
        for command in self._commands:
            found = [summary(command.of(name)) for name in ("energy_joules", "duration_seconds")]
            outliers += max(each["outliers"] if each else 0 for each in found)
        if outliers:
            caveats.append(_OUTLIERS.format(number=outliers))
        if len(self._commands) > 1 and any(run.measurement.source.error_ratio is not None for run in self._runs):
            caveats.append(_SAME_MODEL)
        if co2e.basis == "assumed":
            caveats.append(f"No region is configured; {co2e.region} is assumed: give --region.")
        return caveats

    def _comparison(self) -> Optional[dict[str, Any]]:
        if len(self._commands) < 2:
            return None
        first, second = self._commands
        found = {name: difference(first.of(name), second.of(name)) for name in _COMPARED}
        figure = "above_baseline_joules" if self._rest else "energy_joules"
        return {"verdict": verdict(found[figure]), "figure": figure, **found}

    def _json(self) -> str:
        report = {
            "version": 1,
            "followed_by": "process_clocks",
            "counters_refresh_seconds": self._first.refresh,
            "baseline": self._rest.to_dict() if self._rest else None,
            "site": self._site(),
            "currency": None,
            "measurements": [command.to_dict() for command in self._commands],
            "comparison": self._comparison(),
            "caveats": self._caveats(),
        }
        text = json.dumps(_rounded(report), ensure_ascii=False, indent=2)
        # Readable in any language, with what acts on a terminal as JSON's own escapes.
        return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text) + "\n"

    def _csv(self) -> str:
        rows = [
            self._csv_row(command.name, number, run.to_dict(), run.measurement)
            for command in self._commands
            for number, run in enumerate(command.runs, 1)
        ]
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(_rounded, rows))
        return text.getvalue()

    def _csv_row(self, name: str, number: int, run: dict[str, Any], whole: Measurement) -> dict[str, Any]:
        plain = {name: value for name, value in run.items() if not isinstance(value, (dict, list))}
        bounds: dict[str, float] = run["energy_interval_joules"] or {}
        row: dict[str, Any] = {
            "kind": "command",
            "name": shown(name),
            "run": number,
            **plain,
            "energy_lower_joules": bounds.get("lower"),
            "energy_upper_joules": bounds.get("upper"),
            "followed_by": "process_clocks",
            **{f"machine_{name}": value for name, value in run["machine"].items()},
            "region": self._site()["region"],
            "region_basis": self._site()["grid_intensity"]["basis"],
            **platform_cells(whole.platform),
        }
        row.pop("energy_interval_joules", None)
        return row

    def _text(self) -> str:
        is_repeated = len(self._runs) > 1
        parts = [self._several(command) if is_repeated else self._one(command) for command in self._commands]
        comparison = self._comparison()
        if comparison:
            parts.append(self._compared(comparison))
        notes = self._caveats()
        below = "\nNote:\n" + "".join(f"  - {shown(note)}\n" for note in notes) if notes else ""
        return "\n".join(parts) + "\n" + _facts(self._basis()) + below

    def _several(self, command: Command) -> str:
        rows = [["", "mean ± deviation", "95 % of the mean", "min … max"]]
        for name, figure, unit in _ROWS:
            if figure != "above_baseline_joules" or self._rest:
                rows.append([name, *_summarised(summary(command.of(figure)), unit, self._why_unknown(figure))])
        return f"{_title(command)}: {len(command.runs)} runs\n{_table(rows)}"

    def _why_unknown(self, figure: str) -> str:
        is_resolved = all(run.is_known for run in self._runs)
        return "unknown" if is_resolved or figure == "above_baseline_joules" else "unknown: not resolvable"

    def _compared(self, comparison: dict[str, Any]) -> str:
        first, second = map(_title, self._commands)
        judged: dict[str, Any] = comparison[comparison["figure"]] or {}
        percent = "" if judged.get("ratio") is None else f"{_digits(abs(judged['ratio']) * 100)} % "
        p = "" if judged.get("p_value") is None else _p_value(judged["p_value"])
        # `p = 0.03`, and `p < 0.0001`.
        p = f"p {p}" if p.startswith("<") else f"p = {p}"
        said = {
            "less": f"`{second}` uses {percent}less energy than `{first}` ({p}, Welch's t-test).",
            "more": f"`{second}` uses {percent}more energy than `{first}` ({p}, Welch's t-test).",
            "no_difference": f"No difference in energy shows at the 5 % level ({p}, Welch's t-test).",
            "unknown": "Too few runs, or too little known, to compare the energy.",
        }
        rows = [["", "difference", "95 %", "p"]]
        for name, figure, unit in _ROWS:
            if figure in _COMPARED and (figure != "above_baseline_joules" or self._rest):
                rows.append([name, *_differing(comparison[figure], unit)])
        return f"{said[comparison['verdict']]}\n{_table(rows)}"

    def _one(self, command: Command) -> str:
        run = command.runs[0].to_dict()
        ended = ""
        if run["signal"] is not None:
            ended = f"  (ended by signal {run['signal']})"
        elif run["exit_status"]:
            ended = f"  (exit status {run['exit_status']})"
        energy = _figure(run["energy_joules"], "J")
        if run["share"] is not None:
            counted = [zone for zone in run["zones"] if zone["is_counted"]]
            idle = "left out" if all(zone["is_idle_excluded"] for zone in counted) else "included"
            energy += f"  ({_digits(run['share'] * 100)} % of the machine's, idle {idle})"
        if run["energy_interval_joules"]:
            bounds = run["energy_interval_joules"]
            energy += f"  90 %: {_digits(bounds['lower'])} … {_digits(bounds['upper'])} J"
        machine = _figure(run["machine"]["energy_joules"], "J")
        if run["machine"]["power_watts"] is not None:
            machine += f"  ({_figure(run['machine']['power_watts'], 'W')})"
        rows = [("energy", energy)]
        if self._rest:
            above = run["above_baseline_joules"]
            rows.append(("above baseline", "unknown" if above is None else f"{_digits(above)} J"))
        rows += [
            ("power", _figure(run["power_watts"], "W")),
            ("duration", f"{_digits(run['duration_seconds'])} s  (CPU time {_digits(run['cpu_seconds'])} s)"),
            ("machine", machine),
        ]
        for zone in run["zones"]:
            mark = "+" if zone["is_counted"] else " "
            value = f"{_digits(zone['machine_joules'])} J  ({zone['method']}, {zone['source']})"
            rows.append((f"{mark} {zone['zone']}", value))
        rows.append(("carbon", _figure(run["emissions_gCO2eq"], "gCO2e")))
        return f"{_title(command)}{ended}\n{_facts(rows)}"

    def _basis(self) -> list[tuple[str, str]]:
        run, site = self._first.to_dict(), self._site()
        error = "" if run["error_ratio"] is None else f", ± {run['error_ratio'] * 100:.0f} %"
        grid, pue = site["grid_intensity"], site["pue"]
        where = f"{_digits(grid['value'])} gCO2e/kWh ({grid['basis']}, {grid['source']})"
        rows = [("method", f"{run['method']} ({run['source']}{error})"), ("followed by", _FOLLOWED)]
        if self._rest:
            rest = self._rest.to_dict()
            busy = "unknown" if rest["busy_processors"] is None else f"{_digits(rest['busy_processors'])} CPU"
            rows.append(("baseline", f"{_digits(rest['power_watts'])} W, {busy}, {rest['duration_seconds']:.1f} s"))
        rows.append(("grid", f"{site['region'] or 'stated intensity'}: {where}; PUE {_digits(pue['value'])} ({pue['basis']})"))
        return rows


def _title(command: Command) -> str:
    name = shown(command.name)
    return name if len(name) <= _LONGEST_TITLE else f"{name[:_LONGEST_TITLE]}…"


def _summarised(found: Optional[dict[str, Any]], unit: str, unknown: str) -> list[str]:
    if found is None:
        return [unknown, "", ""]
    deviation, interval = found["standard_deviation"], found["interval_95"]
    return [
        f"{_digits(found['mean'])} ± {'unknown' if deviation is None else _digits(deviation)} {unit}",
        "unknown" if interval is None else _range(interval, unit),
        _range([found["minimum"], found["maximum"]], unit),
    ]


def _differing(found: Optional[dict[str, Any]], unit: str) -> list[str]:
    if found is None:
        return ["unknown"]
    percent = "" if found["ratio"] is None else f" ({found['ratio'] * 100:+.1f} %)"
    return [
        f"{_digits(found['mean'])} {unit}{percent}",
        "unknown" if found["interval_95"] is None else _range(found["interval_95"], unit),
        "unknown" if found["p_value"] is None else _p_value(found["p_value"]),
    ]


def _range(ends: Sequence[float], unit: str) -> str:
    return f"{_digits(ends[0])} … {_digits(ends[1])} {unit}"


def _p_value(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else _digits(p)


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(len(rows[0]))]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def _zone(zone: Zone) -> dict[str, Any]:
    return {
        "zone": zone.name,
        "method": zone.source.method,
        "source": zone.source.name,
        "machine_joules": zone.energy.joules,
        "energy_joules": None,
        "is_counted": zone.is_counted,
        "is_idle_excluded": zone.idle_energy is not None,
    }


def _facts(rows: Sequence[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return "".join(f"{name:<{width}}  {shown(value)}\n" for name, value in rows)


def _figure(value: Optional[float], unit: str) -> str:
    return "unknown: not resolvable" if value is None else f"{_digits(value)} {unit}"


def _digits(value: float) -> str:
    """Four significant digits without trailing zeros, as people read them."""
    rounded = float(f"{value:.3e}")
    if rounded == 0 or 1e-6 <= abs(rounded) < 1e9:
        text = f"{rounded:.10f}".rstrip("0").rstrip(".")
        return text or "0"
    return f"{rounded:.3e}".replace("e-0", "e-").replace("e+", "e")
