"""Watching who on the machine uses how much energy."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import Callable, Optional

from . import _native
from ._native import Host
from .errors import ConfigurationError, MonitorError
from .settings import current
from .snapshot import Node, NodeZone, Snapshot
from .table import Command, Container, Job, Pod, Process, Table, Unit, Vm

__all__ = ["Command", "Container", "Job", "Monitor", "Node", "NodeZone", "Pod", "Process", "Snapshot", "Table", "Unit", "Vm"]


class Monitor:
    """Samples the machine on a thread of its own, which never holds the GIL.

    >>> import kepler_power
    >>> with kepler_power.Monitor(interval=0.05) as monitor:
    ...     for snapshot in monitor:
    ...         biggest = max(snapshot.processes(), key=lambda process: sum(process.watts.values()))
    ...         if snapshot.sequence >= 2:
    ...             break

    interval: seconds between two snapshots, 0.001 to 86,400.
    on_snapshot: called with every new snapshot, on a thread of its own; what it raises is shown by `threading.excepthook`,
        and ends the calls.
    idle: how idle energy is separated from active: ``baseline`` learns the idle power, ``ratio`` goes by utilisation.
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
        names = None if meters is None else list(meters)
        monitor = _native.Monitor(interval, host, names, self._idle == "ratio", settings.platform)
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

    def jobs(self) -> Table[Job]:
        """Jobs of batch schedulers, in the newest snapshot."""
        return self.snapshot().jobs()

    def commands(self) -> Table[Command]:
        """Processes that are not listed one by one, by command name, in the newest snapshot."""
        return self.snapshot().commands()

    def __enter__(self) -> Monitor:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()
