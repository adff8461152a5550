"""What the machine and all on it used, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Optional

from . import _native
from .platform import Platform, Residual, of_machine
from .quantities import Energy, Power
from .source import Source
from .table import Command, Container, Job, Pod, Process, Table, Unit, Vm

__all__ = ["Node", "NodeZone", "Snapshot"]


class NodeZone(NamedTuple):
    """One part of the machine. Energies count from the monitor's start; energy = active + idle."""

    name: str
    path: str
    """What is read: a file of the kernel's, or the model."""
    source: Source
    energy: Energy
    active_energy: Energy
    idle_energy: Energy
    unattributed_energy: Energy
    """The part of the active energy that no workload accounts for."""
    power: Optional[Power]
    """Mean over the last interval; none before there is one."""
    active_power: Optional[Power]


class Node(NamedTuple):
    """The machine itself."""

    zones: Mapping[str, NodeZone]
    usage_ratio: float
    """The busy share of its processors, 0 ... 1."""
    processors: int
    """Logical processors online."""


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
        """The machine itself."""
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

    @property
    def platform(self) -> Optional[Platform]:
        """What the meter of the whole machine shows: that of this machine and nothing else, where there are several. Its energy counts from
        its first reading. None where none is named (:func:`use_meters`), or none has shown anything yet."""
        return of_machine(self.platforms)

    @property
    def platforms(self) -> list[Platform]:
        """Each meter of the whole machine."""
        return [Platform(row) for row in self._snapshot.platform()]

    @property
    def residual(self) -> Optional[Residual]:
        """What the machine draws beside package, memory and accelerators; none without a meter of the whole."""
        row = self._snapshot.residual()
        return None if row is None else Residual._of(row)

    def processes(self) -> Table[Process]:
        """Processes: those alive by number, then those that ended and are still listed."""
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

    def jobs(self) -> Table[Job]:
        """Jobs of batch schedulers: Slurm, HTCondor."""
        return Table(self._snapshot.table("jobs"), Job)

    def commands(self) -> Table[Command]:
        """Processes that are not listed one by one, by command name and by what they ran in."""
        return Table(self._snapshot.table("commands"), Command)

    @property
    def faults(self) -> list[tuple[str, str, int]]:
        """Source, reason and count of everything that could not be read so far."""
        return self._snapshot.faults()

    def __repr__(self) -> str:
        zones = ", ".join(f"{name} {zone.power or zone.energy} ({zone.source.method})" for name, zone in self.node().zones.items())
        return f"<Snapshot {self.sequence}: {zones}; {len(self._snapshot.table('processes'))} processes>"
