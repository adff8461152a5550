"""What a process of a job used, as a file of JSON that it alone writes."""

from __future__ import annotations

import json
import math
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ..errors import DataError

if TYPE_CHECKING:
    from ..figures import Figures

SUFFIX = ".kepler-rank.json"
_BYTES = 1024 * 1024
# What a file may say, and of which kinds; none is allowed where it is not known.
_TEXTS = ("job", "name", "launcher", "node", "host", "state")
_KNOWN = ("running", "ended", "failed")


class Record(NamedTuple):
    """A process of a job. While its state is ``running`` the figures are those of the last time it wrote."""

    job: str
    name: str
    launcher: str
    rank: Optional[int]
    world_size: Optional[int]
    node: str
    host: str
    ancestry: tuple[str, ...]
    """Itself first: `pid:start time`."""
    state: str
    """``running``, ``ended``, ``failed`` (an exception ended it)."""
    started_at: float
    seconds: float
    machine_joules: Optional[float]
    share_joules: Optional[float]
    """The part of the machine's energy that is this process's and its children's."""
    own_joules: Optional[float]
    """The part that is this process's alone."""
    cpu_seconds: float
    method: str
    source: str
    error_ratio: Optional[float]
    is_uncertain: bool
    co2e_grams: Optional[float]
    """Of `share_joules`."""
    grid_intensity: Optional[float]
    region: str
    region_basis: str
    pue: Optional[float]
    tasks: dict[str, tuple[int, float]]
    """By name: how many calls, and CPU seconds of the threads that ran them."""

    @property
    def identity(self) -> str:
        """The process, among all of the job."""
        return f"{self.node}/{self.ancestry[0] if self.ancestry else self.rank}"

    def path(self, directory: Path) -> Path:
        """Its file: its own among all of the job, whatever the job is called."""
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", f"{self.job}-{self.host}-{self.ancestry[0] if self.ancestry else os.getpid()}")[:180]
        return directory / f"{safe}-{self.node[:8]}{SUFFIX}"

    def text(self) -> str:
        """What is in the file."""
        return json.dumps({"version": 1, **self._asdict()}, ensure_ascii=False)

    def write(self, directory: Path) -> None:
        """In one rename: readers find the old figures or the new ones."""
        path = self.path(directory)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_text(self.text(), encoding="utf-8")
        beside.replace(path)


def figures_of(figures: Figures) -> dict[str, Any]:
    """The part of a record that is measured."""
    values = figures.to_dict()
    share = figures.tree
    return {
        "seconds": values["seconds"],
        "machine_joules": values["energy_joules"],
        "share_joules": share.energy.joules,
        "own_joules": values["process_joules"],
        "cpu_seconds": share.cpu_seconds,
        "method": values["method"],
        "source": values["source"],
        "error_ratio": figures.source.error_ratio,
        "is_uncertain": values["is_uncertain"],
        "co2e_grams": share.co2e.grams,
        "grid_intensity": values["grid_intensity_g_per_kwh"],
        "region": values["region"] or "",
        "region_basis": values["region_basis"],
        "pue": values["pue"],
    }


def read(path: Path) -> Record:
    """One file.

    :raises kepler_power.errors.DataError: it is not what it should be.
    """
    try:
        if path.stat().st_size > _BYTES:
            raise ValueError("it is too large")
        document = _document(path)
        if document.pop("version") != 1:
            raise ValueError("it is of another version of this package")
        document["ancestry"] = tuple(map(str, document["ancestry"]))
        document["tasks"] = {str(name): (int(calls), _figure(cpu)) for name, (calls, cpu) in document["tasks"].items()}
        record = Record(**document)
        for name in _TEXTS:
            if not isinstance(getattr(record, name), str):
                raise ValueError(f"{name} is not a text")
        if record.state not in _KNOWN:
            raise ValueError(f"there is no state `{record.state}`")
        for name in ("started_at", "seconds", "cpu_seconds"):
            _figure(getattr(record, name))
        for name in ("machine_joules", "share_joules", "own_joules", "error_ratio", "co2e_grams", "grid_intensity", "pue"):
            value = getattr(record, name)
            if value is not None:
                _figure(value)
        counts: tuple[Any, ...] = (record.rank, record.world_size)
        for count in counts:
            if count is not None and (not isinstance(count, int) or not 0 <= count < 10**7):
                raise ValueError("rank or world_size is no count")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{path}: {reason}", "remove it, or let the rank write it again") from error
    return record


def _document(path: Path) -> Any:
    """Files of tasks are written in place: what is read meanwhile may be of two moments, and is read again."""
    for wait in (0.002, 0.02, None):
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            if wait is None:
                raise
            time.sleep(wait)


def _figure(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{value!r} is no figure")
    return float(value)
