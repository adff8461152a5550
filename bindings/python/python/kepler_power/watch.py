"""Watching who on the machine uses how much energy."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import timedelta
from html import escape
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Generic, NamedTuple, Optional, TypeVar, Union, overload

from . import _native
from ._native import Host
from .errors import ConfigurationError, MissingDependencyError, MonitorError
from .figures import Source
from .quantities import Energy, Power
from .settings import current

if TYPE_CHECKING:
    import pandas
    import polars

__all__ = ["Container", "Monitor", "Node", "NodeZone", "Pod", "Process", "Snapshot", "Table", "Unit", "Vm"]

_Path = Union[str, "os.PathLike[str]"]


class Process(NamedTuple):
    """A process, alive or ended and still remembered. Energy is its active energy since the monitor's start."""

    pid: int
    start_ticks: int
    comm: str
    exe: Optional[str]
    kind: str
    container_id: Optional[str]
    vm_id: Optional[str]
    unit: Optional[str]
    state: str
    cpu_seconds: float
    joules: Mapping[str, float]
    watts: Mapping[str, float]


class Container(NamedTuple):
    """A container. Energy is its active energy since the monitor's start, also of processes that have ended."""

    container_id: str
    name: Optional[str]
    runtime: str
    pod_id: Optional[str]
    state: str
    cpu_seconds: float
    joules: Mapping[str, float]
    watts: Mapping[str, float]


class Pod(NamedTuple):
    """A Kubernetes pod."""

    pod_id: str
    name: Optional[str]
    namespace: Optional[str]
    state: str
    cpu_seconds: float
    joules: Mapping[str, float]
    watts: Mapping[str, float]


class Vm(NamedTuple):
    """A virtual machine."""

    vm_id: str
    name: Optional[str]
    hypervisor: str
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


class NodeZone(NamedTuple):
    """One part of the machine. Energies count from the monitor's start; energy = active + idle."""

    name: str
    path: str
    source: Source
    energy: Energy
    active_energy: Energy
    idle_energy: Energy
    unattributed_energy: Energy
    power: Optional[Power]
    active_power: Optional[Power]


class Node(NamedTuple):
    """The machine itself."""

    zones: Mapping[str, NodeZone]
    usage_ratio: float
    processors: int


_Row = TypeVar("_Row", bound="tuple[Any, ...]")


class Table(Generic[_Row]):
    """The rows of one level of a snapshot: named tuples by number and in turn, and a table of columns.

    The columns are those of the named tuple, before them ``timestamp``, after them ``<zone>_joules`` and
    ``<zone>_watts`` for every zone the machine has. It speaks the Arrow PyCapsule interface: ``polars.DataFrame(table)``,
    ``pyarrow.table(table)``, ``duckdb`` and others take it as it is, without a copy per row.
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
            first = len(names) - 2 * len(zones)
            self._rows = [
                self._make(
                    *cells[1:first], dict(zip(zones, cells[first::2])), dict(zip(zones, cells[first + 1 :: 2]))
                )
                for cells in self._table.rows()
            ]
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
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        shown = self.to_dicts()[:20]
        rows = "".join("<tr>" + "".join(f"<td>{escape(_short(cell))}</td>" for cell in row.values()) + "</tr>" for row in shown)
        more = f"<p>{len(self) - len(shown)} more rows</p>" if len(self) > len(shown) else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


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


class Snapshot:
    """The state of the machine at one moment; it does not change."""

    __slots__ = ("_snapshot",)

    def __init__(self, snapshot: _native.Snapshot) -> None:
        self._snapshot = snapshot

    @property
    def sequence(self) -> int:
        """Rises by one with each snapshot."""
        return self._snapshot.sequence

    @property
    def timestamp(self) -> float:
        """When the figures were read, in seconds since 1970."""
        return self._snapshot.timestamp

    @property
    def interval_seconds(self) -> float:
        """Time since the snapshot before; powers are means over it."""
        return self._snapshot.interval_seconds

    def node(self) -> Node:
        """The machine's zones, the busy share of its processors (0 ... 1), and their number."""
        zones = {}
        for name, path, source, method, error, energy, active, idle, lost, power, active_power in self._snapshot.node_zones():
            zones[name] = NodeZone(
                name,
                path,
                Source(source, method, error),
                Energy(energy),
                Energy(active),
                Energy(idle),
                Energy(lost),
                None if power is None else Power(power),
                None if active_power is None else Power(active_power),
            )
        return Node(zones, self._snapshot.usage_ratio, self._snapshot.processors)

    def processes(self) -> Table[Process]:
        """Processes: those alive by number, then those that ended and are still remembered."""
        return Table(self._snapshot.table("processes"), Process)

    def containers(self) -> Table[Container]:
        """Containers."""
        return Table(self._snapshot.table("containers"), Container)

    def pods(self) -> Table[Pod]:
        """Kubernetes pods."""
        return Table(self._snapshot.table("pods"), Pod)

    def vms(self) -> Table[Vm]:
        """Virtual machines."""
        return Table(self._snapshot.table("vms"), Vm)

    def units(self) -> Table[Unit]:
        """Systemd units and slices."""
        return Table(self._snapshot.table("units"), Unit)

    @property
    def faults(self) -> list[tuple[str, str, int]]:
        """Source, reason and count of everything that could not be read so far."""
        return self._snapshot.faults()

    def __repr__(self) -> str:
        zones = ", ".join(f"{name} {zone.power or zone.energy}" for name, zone in self.node().zones.items())
        return f"<Snapshot {self.sequence}: {zones}; {len(self._snapshot.table('processes'))} processes>"


class Monitor:
    """Samples the machine on a thread of its own, which never holds the GIL.

    >>> import kepler_power
    >>> with kepler_power.Monitor(interval=0.05) as monitor:
    ...     for snapshot in monitor:
    ...         hungriest = max(snapshot.processes(), key=lambda process: sum(process.watts.values()))
    ...         if snapshot.sequence >= 2:
    ...             break

    interval: seconds between two snapshots, 0.001 to 86,400.
    on_snapshot: called with every new snapshot, on a thread of its own; what it raises is shown by `threading.excepthook`,
        and ends the calls.
    idle: how idle energy is told from active: ``baseline`` learns the idle power, ``ratio`` goes by utilisation.
    host, meters: as in `use_meters`.

    It belongs to the process that started it. In a forked child it raises `MonitorError`: start another one there.
    """

    def __init__(
        self,
        interval: float = 1.0,
        *,
        on_snapshot: Optional[Callable[[Snapshot], object]] = None,
        idle: str = "baseline",
        host: Optional[Host] = None,
        meters: Optional[Sequence[str]] = None,
    ) -> None:
        if not 0.001 <= interval <= 86_400:
            raise ConfigurationError(f"an interval of {interval} s is not possible", "give 0.001 to 86,400 seconds")
        if idle not in ("baseline", "ratio"):
            raise ConfigurationError(f"there is no idle policy `{idle}`", "take baseline or ratio")
        self._interval = interval
        self._on_snapshot = on_snapshot
        self._idle = idle
        self._host = host
        self._meters = meters
        self._monitor: Optional[_native.Monitor] = None
        self._caller: Optional[threading.Thread] = None

    def start(self) -> Monitor:
        """Starts sampling: the first snapshot is there when this returns, the first powers half a second later at most."""
        if self._monitor is not None:
            raise MonitorError("the monitor is running already", "stop it first, or make another one")
        settings = current()
        host = settings.host if self._host is None else self._host
        meters = settings.meters if self._meters is None else self._meters
        interval = timedelta(seconds=self._interval)
        monitor = _native.Monitor(interval, host, None if meters is None else list(meters), self._idle == "ratio")
        self._monitor = monitor
        if self._on_snapshot is not None:
            call = self._on_snapshot

            def calls() -> None:
                sequence = 0
                while True:
                    newer = monitor.wait(sequence, None)
                    if newer is None:
                        return
                    sequence = newer.sequence
                    call(Snapshot(newer))

            self._caller = threading.Thread(target=calls, name="kepler-power-snapshots", daemon=True)
            self._caller.start()
        return self

    def stop(self) -> None:
        """Stops sampling. Stopping what does not run changes nothing."""
        monitor, self._monitor = self._monitor, None
        caller, self._caller = self._caller, None
        if monitor is not None:
            monitor.stop()
        if caller is not None and caller is not threading.current_thread():
            caller.join()

    @property
    def interval(self) -> float:
        """Seconds between two snapshots."""
        return self._interval

    def _running(self) -> _native.Monitor:
        if self._monitor is None:
            raise MonitorError("the monitor is not running", "enter it with `with`, or call start()")
        return self._monitor

    def _observation(self) -> _native.Observation:
        """What it saw, as a source of `kepler_power.compliance`."""
        return self._running().observation()

    def snapshot(self) -> Snapshot:
        """The newest snapshot; does not cause one."""
        latest = self._running().latest()
        if latest is None:
            raise MonitorError("there is no snapshot yet", "wait for one with wait()")
        return Snapshot(latest)

    def wait(self, after: int = 0, timeout: Optional[float] = None) -> Optional[Snapshot]:
        """Waits for a snapshot with a `sequence` above `after`; none when `timeout` seconds are over or it is stopped."""
        limit = None if timeout is None else timedelta(seconds=max(timeout, 0.0))
        newer = self._running().wait(after, limit)
        return None if newer is None else Snapshot(newer)

    def __iter__(self) -> Iterator[Snapshot]:
        """Every snapshot from the newest on, until it is stopped. Those that come while the loop's body works are left out
        but for the newest."""
        monitor, sequence = self._running(), 0
        while True:
            newer = monitor.wait(sequence, None)
            if newer is None:
                return
            sequence = newer.sequence
            yield Snapshot(newer)

    async def __aiter__(self) -> AsyncIterator[Snapshot]:
        """The same for `async for`; the event loop goes on meanwhile."""
        import asyncio

        monitor, sequence = self._running(), 0
        loop = asyncio.get_running_loop()
        while self._monitor is monitor:
            # In short waits: a thread that waits could not be cancelled.
            newer = await loop.run_in_executor(None, monitor.wait, sequence, timedelta(seconds=0.5))
            if newer is not None:
                sequence = newer.sequence
                yield Snapshot(newer)

    def node(self) -> Node:
        """The machine, in the newest snapshot."""
        return self.snapshot().node()

    def processes(self) -> Table[Process]:
        """Processes, in the newest snapshot."""
        return self.snapshot().processes()

    def containers(self) -> Table[Container]:
        """Containers, in the newest snapshot."""
        return self.snapshot().containers()

    def pods(self) -> Table[Pod]:
        """Kubernetes pods, in the newest snapshot."""
        return self.snapshot().pods()

    def vms(self) -> Table[Vm]:
        """Virtual machines, in the newest snapshot."""
        return self.snapshot().vms()

    def units(self) -> Table[Unit]:
        """Systemd units and slices, in the newest snapshot."""
        return self.snapshot().units()

    def __enter__(self) -> Monitor:
        return self.start()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.stop()
