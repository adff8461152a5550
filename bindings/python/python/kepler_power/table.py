"""The rows of a snapshot: as named tuples, and as a table of columns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Callable, Generic, NamedTuple, Optional, TypeVar, Union, overload

from . import _native
from .errors import MissingDependencyError

if TYPE_CHECKING:
    import pandas
    import polars

__all__ = ["Command", "Container", "Job", "Pod", "Process", "Table", "Unit", "Vm"]

_Path = Union[str, "os.PathLike[str]"]

# In a notebook.
_ROWS_SHOWN = 20
# Energy, power, method.
_COLUMNS_A_ZONE = 3


# The last four are the same everywhere; named tuples cannot inherit them.


class Process(NamedTuple):
    """A process, alive or ended and still listed."""

    pid: int
    start_ticks: int
    """When it began, clock ticks since boot: with the pid, who it is."""
    comm: str
    exe: Optional[str]
    kind: str
    """``regular``, ``container`` or ``vm``."""
    container_id: Optional[str]
    container_name: Optional[str]
    pod_id: Optional[str]
    vm_id: Optional[str]
    unit: Optional[str]
    job_id: Optional[str]
    state: str
    cpu_seconds: float
    joules: Mapping[str, float]
    watts: Mapping[str, float]


class Container(NamedTuple):
    """A container; what its processes that have ended used is in it."""

    container_id: str
    name: Optional[str]
    runtime: str
    pod_id: Optional[str]
    pod_name: Optional[str]
    pod_namespace: Optional[str]
    container_kind: Optional[str]
    """In a pod: ``regular``, ``init``, ``sidecar`` or ``ephemeral``, where Kubernetes says so."""
    job_id: Optional[str]
    """The batch job that started it."""
    cgroup: Optional[str]
    state: str
    cpu_seconds: float
    joules: Mapping[str, float]
    watts: Mapping[str, float]


class Pod(NamedTuple):
    """A Kubernetes pod."""

    pod_id: str
    name: Optional[str]
    namespace: Optional[str]
    owner_kind: Optional[str]
    """What made it: ``Deployment``, ``CronJob`` and others."""
    owner_name: Optional[str]
    qos_class: Optional[str]
    """``Guaranteed``, ``Burstable`` or ``BestEffort``."""
    cgroup: Optional[str]
    state: str
    cpu_seconds: float
    joules: Mapping[str, float]
    watts: Mapping[str, float]


class Vm(NamedTuple):
    """A virtual machine."""

    vm_id: str
    name: Optional[str]
    hypervisor: str
    manager: Optional[str]
    domain: Optional[str]
    project: Optional[str]
    flavor: Optional[str]
    state: str
    cpu_seconds: float
    joules: Mapping[str, float]
    watts: Mapping[str, float]


class Unit(NamedTuple):
    """A systemd unit or slice."""

    name: str
    cgroup: str
    state: str
    cpu_seconds: float
    joules: Mapping[str, float]
    watts: Mapping[str, float]


class Job(NamedTuple):
    """A job of a batch scheduler, as far as it runs on this machine."""

    job_id: str
    scheduler: str
    """``slurm`` or ``htcondor``."""
    cgroup: Optional[str]
    container_id: Optional[str]
    """The container that it runs in."""
    state: str
    cpu_seconds: float
    joules: Mapping[str, float]
    watts: Mapping[str, float]


class Command(NamedTuple):
    """Processes of one command name that are not listed one by one, in one container, job or unit."""

    comm: str
    container_id: Optional[str]
    unit: Optional[str]
    cgroup: Optional[str]
    """The unit's."""
    job_id: Optional[str]
    state: str
    cpu_seconds: float
    joules: Mapping[str, float]
    watts: Mapping[str, float]


_Row = TypeVar("_Row", bound="tuple[Any, ...]")


class Table(Generic[_Row]):
    """The rows of one level of a snapshot: named tuples by number and in turn, and a table of columns.

    Every row says who it is, then ``state`` (``running`` or ``terminated``), ``cpu_seconds`` (CPU time since it started; of
    groups, since the monitor did), ``joules`` (active energy since the monitor's start) and ``watts`` (mean active power
    over the last interval, nothing in the first snapshot), both by zone. As columns they are called ``<zone>_joules`` and
    ``<zone>_watts``, one for every zone of the machine, with ``<zone>_method`` (``measured``, ``partial``, ``estimated``) beside
    them, and ``timestamp`` stands before all. It speaks the Arrow PyCapsule
    interface: ``polars.DataFrame(table)``, ``pyarrow.table(table)``, ``duckdb`` and others take it as it is, without a copy
    per row.
    """

    # No `collections.abc.Sequence`: polars would take it for a list of rows before it looks for Arrow.
    __slots__ = ("_make", "_rows", "_table")

    def __init__(self, table: _native.Table, row: Callable[..., _Row]) -> None:
        self._table = table
        self._make = row
        self._rows: Optional[list[_Row]] = None

    def _all(self) -> list[_Row]:
        if self._rows is None:
            names = self._table.column_names()
            zones = [name[: -len("_joules")] for name in names if name.endswith("_joules")]
            first = len(names) - _COLUMNS_A_ZONE * len(zones)

            def row(cells: tuple[Any, ...]) -> _Row:
                joules = dict(zip(zones, cells[first::_COLUMNS_A_ZONE]))
                watts = {zone: value for zone, value in zip(zones, cells[first + 1 :: _COLUMNS_A_ZONE]) if value is not None}
                return self._make(*cells[1:first], joules, watts)

            self._rows = list(map(row, self._table.rows()))
        return self._rows

    def __len__(self) -> int:
        return len(self._table)

    @overload
    def __getitem__(self, index: int) -> _Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[_Row]: ...
    def __getitem__(self, index: Union[int, slice]) -> Union[_Row, list[_Row]]:
        return self._all()[index]

    def __iter__(self) -> Iterator[_Row]:
        return iter(self._all())

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return self._table.column_names()

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dictionary a row; ``timestamp`` in seconds since 1970."""
        names = self.columns
        return [dict(zip(names, cells)) for cells in self._table.rows()]

    def __arrow_c_stream__(self, requested_schema: Optional[object] = None) -> object:
        """The Arrow C stream of the columns, in one batch."""
        return self._table.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """The Arrow schema of the columns."""
        return self._table.__arrow_c_schema__()

    def to_arrow(self) -> Any:
        """As a `pyarrow.Table`; needs pyarrow 14 or newer."""
        arrow = _import("pyarrow", "arrow")
        return arrow.table(self)

    def to_polars(self) -> polars.DataFrame:
        """As a `polars.DataFrame`; needs polars 1.3 or newer."""
        frame: polars.DataFrame = _import("polars", "polars").DataFrame(self)
        return frame

    def to_pandas(self) -> pandas.DataFrame:
        """As a `pandas.DataFrame`; needs pandas, and takes columns of numbers as they are."""
        library = _import("pandas", "pandas")
        import numpy

        def column(dtype: str, values: Any) -> Any:
            if dtype == "object":
                return library.Series(values, dtype="object")
            numbers = numpy.frombuffer(values, dtype=dtype)
            return library.Series(numbers).dt.tz_localize("UTC") if dtype.startswith("datetime") else numbers

        frame: pandas.DataFrame = library.DataFrame({name: column(dtype, values) for name, dtype, values in self._table.raw_columns()})
        return frame

    def write_csv(self, path: _Path, *, append: bool = False) -> None:
        """Writes comma-separated values (RFC 4180, UTF-8). Appended rows come without a second header."""
        self._table.write_csv(os.fspath(path), append)

    def write_parquet(self, path: _Path) -> None:
        """Writes an Apache Parquet file; needs pyarrow or polars, whichever is there."""
        try:
            parquet = _import("pyarrow.parquet", "arrow")
        except MissingDependencyError:
            self.to_polars().write_parquet(os.fspath(path))
        else:
            parquet.write_table(self.to_arrow(), os.fspath(path))

    def __repr__(self) -> str:
        return f"<Table of {len(self)} rows: {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        from ._html import table

        # All rows are of one moment.
        shown = self._table.rows()[:_ROWS_SHOWN]
        notes = [_moment(time) for time, *_ in shown[:1]]
        if len(shown) < len(self):
            notes.append(f"{len(self) - len(shown)} more rows")
        return table(self.columns[1:], [map(_short, cells) for _, *cells in shown], "; ".join(notes))


def _moment(seconds: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(" ", "milliseconds")


def _short(cell: object) -> str:
    if cell is None:
        return ""
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def _import(name: str, extra: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"{name} is not installed", f"install it with `pip install 'kepler-power[{extra}]'`"
        ) from error
