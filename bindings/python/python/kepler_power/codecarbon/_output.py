"""Where rows go: a CSV file, a logger, handlers of the caller's own."""

from __future__ import annotations

import csv
import enum
import io
import itertools
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._data import EmissionsData, TaskEmissionsData
    from ._settings import Parameters

logger = logging.getLogger("kepler_power.codecarbon")


class OutputMethod(str, enum.Enum):
    """Where rows may go. ``CSV`` and ``LOGGER`` are served here; nothing is sent over the network."""

    CSV = "csv"
    API = "api"
    LOGGER = "logger"
    PROMETHEUS = "prometheus"
    LOGFIRE = "logfire"
    BOAMPS = "boamps"


class BaseOutput:
    """A handler of rows: override what you need, and give it as ``output_handlers``."""

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """At every flush and at the end: the run so far, and since the last time."""

    def live_out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """While the run goes on."""

    def task_out(self, data: list[TaskEmissionsData], experiment_name: str) -> None:
        """At every flush and at the end: the tasks that ended."""

    def exit(self) -> None:
        """After the last row."""


class LoggerOutput(BaseOutput):
    """Rows as JSON to a logger of the standard library."""

    def __init__(self, to: logging.Logger, severity: int = logging.INFO) -> None:
        self._logger, self._severity = to, severity

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        self._logger.log(self._severity, total.toJSON())


class FileOutput(BaseOutput):
    """A row a run in a CSV file, which is made with its header where there is none.

    A file with other columns is kept as ``NAME.bak``, ``NAME.bak.1``, … and begun anew.
    """

    def __init__(self, name: str, directory: str, on_csv_write: str) -> None:
        if on_csv_write not in ("append", "update"):
            raise ConfigurationError(f"on_csv_write = `{on_csv_write}`", "give append or update")
        if not os.path.isdir(directory):
            raise ConfigurationError(f"output_dir = `{directory}` is no directory", "make it first")
        self._directory, self._update = Path(directory), on_csv_write == "update"
        self._path = self._directory / name

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        columns = list(total.values)
        rows = self._rows(columns)
        if rows is None:
            _write(self._path, [columns, _cells(total.values)], append=False)
            return
        header, *earlier = rows
        row = _cells({name: total.values[name] for name in header})
        place = header.index("run_id")
        ours = [one for one in earlier if one[place : place + 1] == [total.run_id]]
        if self._update and len(ours) == 1:
            kept = [one for one in earlier if one is not ours[0]]
            _write(self._path, [header, *kept, row], append=False)
        else:
            _write(self._path, [row], append=True)

    def _rows(self, columns: Sequence[str]) -> list[list[str]] | None:
        """What is in the file, header first; nothing where it must be begun."""
        if not self._path.is_file() or self._path.stat().st_size == 0:
            return None
        with self._path.open(newline="", encoding="utf-8") as file:
            # The rest is needed only where a row may have to be replaced.
            rows = list(itertools.islice(csv.reader(file), None if self._update else 1))
        if not rows:
            return None
        if sorted(rows[0]) == sorted(columns):
            return rows
        number, backup = 0, self._path.with_name(self._path.name + ".bak")
        while backup.exists():
            number += 1
            backup = self._path.with_name(f"{self._path.name}.bak.{number}")
        self._path.rename(backup)
        logger.warning("%s has other columns; it is kept as %s", self._path, backup)
        return None

    def task_out(self, data: list[TaskEmissionsData], experiment_name: str) -> None:
        rows = [one.values for one in data]
        # As CodeCarbon: columns that no task has a value for are left out.
        columns = [name for name in rows[0] if any(row[name] is not None for row in rows)]
        path = self._directory / f"emissions_{experiment_name}_{data[0].run_id}.csv"
        _write(path, [columns, *(_cells({name: row[name] for name in columns}) for row in rows)], append=False)


def _cells(values: dict[str, Any]) -> list[str]:
    # What is not known is an empty cell, as pandas writes it; a NaN is the only value that is not itself.
    return ["" if value is None or value != value else str(value) for value in values.values()]


def _write(path: Path, rows: list[list[str]], *, append: bool) -> None:
    """Appends in one write, so that two runs do not mix their rows; replaces in one rename."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    if append:
        with path.open("a", newline="", encoding="utf-8") as file:
            file.write(text.getvalue())
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text.getvalue(), encoding="utf-8")
    beside.replace(path)


def outputs(parameters: Parameters) -> list[BaseOutput]:
    """All that a tracker is told to write to."""
    methods = parameters.get("output_methods")
    if methods is None:
        methods = [OutputMethod.CSV] if parameters.flag("save_to_file", True) else []
        methods += [OutputMethod.LOGGER] if parameters.flag("save_to_logger", False) else []
    elif isinstance(methods, str):
        methods = [part.strip() for part in methods.split(",") if part.strip()]
    found: list[BaseOutput] = list(parameters.get("output_handlers", []))
    for method in methods:
        try:
            method = OutputMethod(method)
        except ValueError as error:
            raise ConfigurationError(f"output method {method!r}", "give csv or logger") from error
        if method is OutputMethod.CSV:
            name = parameters.text("output_file", "emissions.csv")
            directory, write = parameters.text("output_dir", "."), parameters.text("on_csv_write", "append")
            found.append(FileOutput(name, directory, write))
        elif method is OutputMethod.LOGGER:
            to = parameters.get("logging_logger") or logger
            # A plain logger, or an object that handles rows as CodeCarbon's LoggerOutput does.
            found.append(LoggerOutput(to) if isinstance(to, logging.Logger) else cast(BaseOutput, to))
        else:
            logger.warning("output method %s is not served here: csv and logger are", method.value)
    return found
