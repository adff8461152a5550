"""Reading runs from the files that this package, `kepler` and CodeCarbon write."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Callable, Optional, Union

from ..errors import DataError, KeplerError
from ._run import Run
from ._save import OLDER_COLUMNS

_JOULES_PER_KWH = 3.6e6
# Larger files are no lists of runs.
_BYTES, _ROWS = 64 * 1024 * 1024, 100_000

_Row = Mapping[str, Optional[str]]


class Runs(list[Run]):
    """Runs, and what could not be read."""

    def __init__(self, found: Iterable[Run] = (), problems: Iterable[str] = ()) -> None:
        super().__init__(found)
        self.problems: list[str] = list(problems)
        """Files and rows that were left out, and why."""


def read(paths: Iterable[Union[str, os.PathLike[str]]]) -> Runs:
    """All runs of these files and directories, in the order of the files.

    A directory is one of :mod:`kepler_power.distributed`, or stands for the CSV and JSON files in it. Bad rows and files are named
    in `problems`; the rest is read.
    """
    runs = Runs()
    for given in paths:
        path = Path(given)
        if path.is_dir():
            _directory(path, runs)
        else:
            _file(path, runs)
    return runs


def _directory(path: Path, runs: Runs) -> None:
    from ..distributed import SUFFIX, reports

    files = sorted(path.iterdir())
    if any(file.name.endswith(SUFFIX) for file in files):
        for report in reports(path):
            runs.append(report.as_run(str(path)))
        return
    files = [file for file in files if file.suffix in (".csv", ".json") and file.is_file()]
    if not files:
        runs.problems.append(f"{path}: no CSV or JSON file is in this directory")
    for file in files:
        _file(file, runs)


def _file(path: Path, runs: Runs) -> None:
    try:
        if not path.is_file():
            raise DataError("there is no such file" if not path.exists() else "it is not a file")
        size = path.stat().st_size
        if size > _BYTES:
            raise DataError(f"it has {size} bytes, more than {_BYTES}")
        text = path.read_text(encoding="utf-8-sig")
        if text.lstrip()[:1] == "{":
            # All of it or nothing: half a report would look like a whole one.
            runs.extend(list(_of_report(json.loads(text), str(path))))
        else:
            _table(text, path, runs)
    except (KeplerError, OSError, UnicodeError, ValueError, csv.Error, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        runs.problems.append(f"{path}: {reason}")
    except (AttributeError, TypeError):
        runs.problems.append(f"{path}: it is no report of `kepler measure`: a part of it is of another kind")


def _table(text: str, path: Path, runs: Runs) -> None:
    rows = csv.DictReader(io.StringIO(text, newline=""), restkey="")
    columns = set(rows.fieldnames or ())
    for needed, make in _KINDS:
        if needed <= columns:
            break
    else:
        raise DataError("its columns are not those of runs: save them by m.save(), `measure -o` or CodeCarbon")
    for number, row in enumerate(rows, start=1):
        if number > _ROWS:
            runs.problems.append(f"{path}: only the first {_ROWS} rows were read")
            return
        origin = f"{path}, row {number}"
        if "" in row or None in row.values():
            runs.problems.append(f"{origin}: it has not as many cells as the header")
            continue
        try:
            runs.append(make(row, origin))
        except ValueError as error:
            runs.problems.append(f"{origin}: {error}")


def _number(row: _Row, name: str, factor: float = 1.0) -> Optional[float]:
    """A cell as a finite figure that is not negative; none where it is empty or says that it is unknown."""
    text = (row.get(name) or "").strip()
    if text.lower() in ("", "nan", "none", "null"):
        return None
    try:
        value = float(text) * factor
    except ValueError:
        raise ValueError(f"{name} = `{text[:40]}` is not a number") from None
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} = `{text[:40]}` cannot be")
    return value


def _word(row: _Row, name: str) -> str:
    return (row.get(name) or "").strip()


def _moment(text: str) -> Optional[float]:
    """An RFC 3339 moment, or one of local time, in seconds since 1970."""
    try:
        return datetime.datetime.fromisoformat(text.strip().replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _of_saved(row: _Row, origin: str) -> Run:
    name = _word(row, "name")
    return Run(
        name[1:] if name[:2] in ("'=", "'+", "'-", "'@") else name,
        origin,
        _number(row, "energy_joules"),
        error_ratio=_number(row, "error_ratio"),
        method=_word(row, "method") or "unstated",
        source=_word(row, "source"),
        seconds=_number(row, "seconds"),
        started_at=_number(row, "started_at"),
        co2e_grams=_number(row, "co2e_grams"),
        grid_intensity=_number(row, "grid_intensity_g_per_kwh"),
        region=_word(row, "region"),
        region_basis=_word(row, "region_basis"),
        pue=_number(row, "pue"),
        note="a counter was reset" if _word(row, "is_uncertain") == "True" else "",
    )


def _of_measure(row: _Row, origin: str) -> Run:
    """A row of `kepler measure` or `kepler-power measure`."""
    return Run(
        _word(row, "name"),
        origin,
        _number(row, "energy_joules"),
        "process",
        _number(row, "error_ratio"),
        _word(row, "method") or "unstated",
        _word(row, "source"),
        _number(row, "duration_seconds"),
        _moment(_word(row, "started_at")),
        _number(row, "emissions_gCO2eq"),
        grid_intensity=_number(row, "grid_intensity_gCO2eq_kWh"),
        region=_word(row, "region"),
        region_basis=_word(row, "region_basis"),
        pue=_number(row, "pue"),
        note=_note(_word(row, "state")),
    )


def _of_codecarbon(row: _Row, origin: str) -> Run:
    """A row of emissions.csv, by CodeCarbon or by this package."""
    seconds = _number(row, "duration")
    ended = _moment(_word(row, "timestamp"))
    joules, grams = _number(row, "energy_consumed", _JOULES_PER_KWH), _number(row, "emissions", 1000.0)
    intensity = _number(row, "grid_intensity_g_per_kwh")
    if intensity is None and joules and grams is not None:
        intensity = grams / joules * _JOULES_PER_KWH
    place = _word(row, "cloud_region") or _word(row, "region") or _word(row, "country_iso_code")
    # The energy of CodeCarbon has the PUE in it already.
    return Run(
        _word(row, "project_name") or "codecarbon",
        origin,
        joules,
        "process" if _word(row, "tracking_mode") == "process" else "machine",
        _number(row, "energy_error_ratio"),
        _word(row, "energy_method") or "unstated",
        _word(row, "codecarbon_version") if "energy_method" in row else f"CodeCarbon {_word(row, 'codecarbon_version')}",
        seconds,
        None if ended is None else ended - (seconds or 0.0),
        grams,
        intensity,
        _word(row, "grid_zone") or place,
        _word(row, "location_basis"),
        _number(row, "pue"),
    )


_KINDS: tuple[tuple[set[str], Callable[[_Row, str], Run]], ...] = (
    (set(OLDER_COLUMNS), _of_saved),
    ({"kind", "name", "run", "energy_joules", "duration_seconds"}, _of_measure),
    ({"duration", "emissions", "energy_consumed"}, _of_codecarbon),
)


def _note(state: str) -> str:
    notes = {"unresolved": "over before the meter moved", "uncertain": "a counter was reset", "known": "", "": ""}
    return notes.get(state, state)


def _of_report(document: Any, origin: str) -> Iterator[Run]:
    """The JSON of `kepler measure`."""
    if not isinstance(document.get("measurements"), list):
        raise DataError("it is no report of `kepler measure`: there are no measurements in it")
    site: Any = document.get("site") or {}
    grid: Any = site.get("grid_intensity") or {}
    pue: Any = site.get("pue") or {}
    for measurement in document["measurements"]:
        for number, run in enumerate(measurement.get("runs") or [], start=1):
            row = {name: None if value is None else str(value) for name, value in run.items()}
            found = _of_measure({**row, "name": str(measurement.get("name") or "")}, f"{origin}, run {number}")
            yield found._replace(
                region=str(site.get("region") or ""),
                region_basis="assumed" if site.get("is_region_assumed") else str(grid.get("basis") or ""),
                grid_intensity=grid.get("value"),
                pue=pue.get("value"),
            )
