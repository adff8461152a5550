"""Runs as rows of a CSV file."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING, Any, Union

from .._text import shown
from ..errors import DataError

if TYPE_CHECKING:
    from .._measured import Measured

# In order; with the unit in the name. A file with other columns is not ours and is left as it is.
COLUMNS = (
    *("name", "started_at", "seconds", "energy_joules", "power_watts", "method", "source", "error_ratio", "is_uncertain"),
    *("process_joules", "tree_joules", "co2e_grams", "grid_intensity_g_per_kwh", "grid_intensity_source", "region", "region_basis"),
    *("pue", "pue_basis"),
    *("gpu_joules", "process_gpu_joules"),
    *("platform_joules", "platform_covered_seconds", "platform_method", "platform_source", "platform_error_ratio", "platform_fault"),
)
# Files of versions that knew no accelerators, or no meter of the whole machine, go on as they are.
OLDER_COLUMNS = COLUMNS[:-8]
_EARLIER = (COLUMNS, COLUMNS[:-6], OLDER_COLUMNS)


def save(measurement: Measured, path: Union[str, os.PathLike[str]]) -> None:
    """Adds a run to a file, which is made with its header where there is none. Several processes may add to one.

    :raises kepler_power.errors.DataError: the file has other columns.
    """
    import fcntl

    figures = measurement.to_dict()
    with open(path, "a+", encoding="utf-8", newline="") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            # Some network file systems have no locks; a row is one write all the same.
            pass
        file.seek(0)
        first = file.readline(10_000).strip("\r\n")
        found = {",".join(columns): columns for columns in _EARLIER}
        if first and first not in found:
            raise DataError(f"{os.fspath(path)} has other columns", "give a file of its own")
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not first:
            writer.writerow(COLUMNS)
        writer.writerow([_cell(figures[name]) for name in found.get(first, COLUMNS)])
        file.seek(0, os.SEEK_END)
        file.write(text.getvalue())


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str):
        text = shown(value)
        # A spreadsheet would run it.
        return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
    return value
