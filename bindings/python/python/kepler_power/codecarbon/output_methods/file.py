"""Rows to a CSV file."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigurationError
from ..external.logger import logger
from .base_output import BaseOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .emissions_data import EmissionsData, TaskEmissionsData


class FileOutput(BaseOutput):
    """A row a run in a CSV file, which is made with its header where there is none.

    A file with other columns is kept as ``NAME.bak``, ``NAME.bak.1``, … and a new one is begun. Runs of several processes and
    threads may write to one file.

    :param output_file_name: the file.
    :param output_dir: where it is; it must exist.
    :param on_csv_write: what a second row of one run does: ``append``, or ``update`` to replace the first. Rows of other runs are
        never replaced.
    """

    def __init__(self, output_file_name: str, output_dir: str, on_csv_write: str = "append") -> None:
        if on_csv_write not in ("append", "update"):
            raise ConfigurationError(f"on_csv_write = `{on_csv_write}`", "give append or update")
        if not os.path.isdir(output_dir):
            raise ConfigurationError(f"output_dir = `{output_dir}` is not a directory", "create it first")
        self._directory, self._update = Path(output_dir), on_csv_write == "update"
        self._path = self._directory / output_file_name

    @property
    def save_file_path(self) -> str:
        """The file that rows go to."""
        return str(self._path)

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        columns = list(total.values)
        with _alone(self._path.parent):
            rows = self._rows(columns)
            if rows is None:
                _replace(self._path, [columns, _cells(total.values)])
                return
            header, *earlier = rows
            row = _cells({name: total.values[name] for name in header})
            run = header.index("run_id")
            others = [one for one in earlier if one[run : run + 1] != [total.run_id]]
            if self._update and len(others) < len(earlier):
                _replace(self._path, [header, *others, row])
            else:
                _append(self._path, [row])

    def _rows(self, columns: Sequence[str]) -> list[list[str]] | None:
        """What is in the file, header first; nothing where a new one must be begun."""
        if not self._path.is_file() or self._path.stat().st_size == 0:
            return None
        with self._path.open(newline="", encoding="utf-8-sig") as file:
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
        _replace(path, [columns, *(_cells({name: row[name] for name in columns}) for row in rows)])


@contextlib.contextmanager
def _alone(directory: Path) -> Generator[None, None, None]:
    """Keeps other writers of this directory waiting: between reading a file and replacing it, none may add a row."""
    import fcntl

    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Some network file systems have no locks: there, rows are appended in one write all the same.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _cells(values: dict[str, Any]) -> list[str]:
    # What is not known is an empty cell, as pandas writes it; a NaN is the only value that is not itself.
    return ["" if value is None or value != value else str(value) for value in values.values()]


def _text(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _append(path: Path, rows: list[list[str]]) -> None:
    """In one write, and on a line of its own where the last one was cut off."""
    with path.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        cut_off = file.read(1) not in (b"", b"\n")
        file.write((("\n" if cut_off else "") + _text(rows)).encode())


def _replace(path: Path, rows: list[list[str]]) -> None:
    """In one rename: readers find the old file or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(_text(rows), encoding="utf-8")
    beside.replace(path)
