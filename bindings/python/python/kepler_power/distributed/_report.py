"""What a job used, from its ranks' files."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from .._text import shown
from ..errors import DataError, KeplerError, UnknownNameError
from ..figures import combined
from ..quantities import Energy, _duration, _scaled
from ..runs._run import Run
from ._record import SUFFIX, Record, read


class NodeTotal(NamedTuple):
    """A machine that a job ran on."""

    id: str
    host: str
    ranks: int
    share_joules: Optional[float]
    """What the job's processes used."""
    machine_joules: Optional[float]
    """All that the machine drew while any of them ran, counted once: other tenants and idling too. None of jobs of tasks, which measure their
    own time only."""
    is_apportioned: bool
    """Ranks overlapped in part: some of `machine_joules` is by length of time."""


class Report(NamedTuple):
    """A job: its sum, its machines, and what is missing."""

    job: str
    launcher: str
    records: Sequence[Record]
    nodes: Sequence[NodeTotal]
    world_size: Optional[int]
    """How many ranks there should be."""
    missing_ranks: Sequence[int]
    """Ranks of which there is no file."""
    unended: Sequence[str]
    """Ranks that run, or were killed: they are in the sums as far as they last wrote."""
    problems: Sequence[str]
    """Files that could not be read."""

    @property
    def is_partial(self) -> bool:
        """Whether more was used than `energy` says."""
        unknown = any(record.share_joules is None for record in self.records)
        return bool(self.missing_ranks or self.unended or self.problems or unknown)

    @property
    def energy(self) -> Energy:
        """What all ranks used: their shares of their machines by CPU time, no process counted twice."""
        return Energy.from_joules(math.fsum(node.share_joules or 0.0 for node in self.nodes))

    @property
    def machine_joules(self) -> Optional[float]:
        """All that the machines drew meanwhile, each counted once; none where it is not known of each."""
        values = [node.machine_joules for node in self.nodes]
        return None if not values or None in values else math.fsum(value or 0.0 for value in values)

    @property
    def co2e_grams(self) -> Optional[float]:
        """Emissions of `energy`; none where a rank's are not known."""
        whole = 0.0
        for record, joules in _parts(self.records):
            if joules and (record.co2e_grams is None or not record.share_joules):
                return None
            whole += joules * (record.co2e_grams or 0.0) / record.share_joules if record.share_joules else 0.0
        return whole

    @property
    def method(self) -> str:
        """How the energy was found: as of all ranks, or ``partial`` where they differ or some is missing."""
        return "partial" if self.is_partial else combined(record.method for record in self.records)

    @property
    def error_ratio(self) -> Optional[float]:
        """Of the energy, one standard deviation: estimates of like machines are off alike, so that errors do not average out."""
        parts = [(record.error_ratio or 0.0, joules) for record, joules in _parts(self.records)]
        whole = math.fsum(joules for _, joules in parts)
        ratio = math.fsum(error * joules for error, joules in parts) / whole if whole else 0.0
        return ratio or None

    @property
    def seconds(self) -> float:
        """From the first rank's start to the last one's end."""
        ends = [record.started_at + record.seconds for record in self.records]
        return max(ends) - min(record.started_at for record in self.records)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, with units in the names."""
        return {
            "job": self.job,
            "launcher": self.launcher,
            "is_partial": self.is_partial,
            "energy_joules": self.energy.joules,
            "co2e_grams": self.co2e_grams,
            "method": self.method,
            "error_ratio": self.error_ratio,
            "seconds": self.seconds,
            "machine_joules": self.machine_joules,
            "world_size": self.world_size,
            "missing_ranks": list(self.missing_ranks),
            "unended": list(self.unended),
            "problems": list(self.problems),
            "nodes": [node._asdict() for node in self.nodes],
            "ranks": [record._asdict() for record in self.records],
            "tasks": {name: {"calls": calls, "joules": joules} for name, (calls, joules) in self.tasks().items()},
        }

    def tasks(self) -> dict[str, tuple[int, float]]:
        """Of jobs of tasks: by name how many calls ended, and the joules that are theirs by the CPU time of their threads."""
        found: dict[str, tuple[int, float]] = {}
        for record, joules in _parts(self.records):
            whole = math.fsum(cpu for _, cpu in record.tasks.values())
            for name, (calls, cpu) in record.tasks.items():
                before = found.get(name, (0, 0.0))
                found[name] = before[0] + calls, before[1] + (joules * cpu / whole if whole else 0.0)
        return found

    def as_run(self, origin: str) -> Run:
        """For tables beside other runs."""
        first = self.records[0]
        return Run(
            first.name,
            f"{origin}, job {self.job}",
            self.energy.joules,
            "job",
            self.error_ratio,
            self.method,
            first.source,
            self.seconds,
            min(record.started_at for record in self.records),
            self.co2e_grams,
            first.grid_intensity,
            first.region,
            first.region_basis,
            first.pue,
            "; ".join(self.caveats()),
        )

    def caveats(self) -> list[str]:
        """What is wrong with the sum, for people."""
        found: list[str] = []
        if self.missing_ranks:
            listed = ", ".join(map(str, self.missing_ranks[:20]))
            found.append(f"{len(self.missing_ranks)} of {self.world_size} ranks are missing ({listed})")
        if self.unended:
            found.append(f"still running or killed, counted as far as last written: {', '.join(self.unended[:20])}")
        if any(record.is_uncertain for record in self.records):
            found.append("a counter was reset on at least one node")
        if any(record.region_basis == "assumed" for record in self.records):
            found.append("no region was stated, one is assumed")
        return [*found, *self.problems]

    def __str__(self) -> str:
        error = "" if self.error_ratio is None else f", ± {self.error_ratio * 100:.0f} %"
        grams = self.co2e_grams
        carbon = "CO2e unknown" if grams is None else _scaled(grams, "gCO2e", 3)
        at_least = "at least " if self.is_partial else ""
        lines = [
            f"{shown(self.job)}: {at_least}{self.energy} in {_duration(self.seconds)}, {carbon} "
            f"({len(self.records)} ranks on {len(self.nodes)} nodes, {self.method}{error})"
        ]
        for node in self.nodes:
            share = "unknown" if node.share_joules is None else str(Energy.from_joules(node.share_joules))
            machine = ""
            if node.machine_joules is not None:
                about = "about " if node.is_apportioned else ""
                machine = f" of the machine's {about}{Energy.from_joules(node.machine_joules)}"
            lines.append(f"  {shown(node.host)}: {node.ranks} ranks, {share}{machine}")
        lines += [f"  {shown(name)}: {calls} calls, {Energy.from_joules(joules)}" for name, (calls, joules) in self.tasks().items()]
        lines += [f"  note: {shown(caveat)}" for caveat in self.caveats()]
        return "\n".join(lines)


def reports(directory: Union[str, os.PathLike[str]]) -> list[Report]:
    """One for each job whose ranks wrote into a directory, in the order in which they began.

    :raises kepler_power.errors.DataError: there is no such directory, or no rank wrote into it.
    """
    path = Path(directory)
    try:
        files = sorted(file for file in path.iterdir() if file.name.endswith(SUFFIX) and not file.name.startswith("."))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "give the directory that the ranks wrote into") from error
    jobs: dict[str, list[Record]] = {}
    problems: list[str] = []
    for file in files:
        try:
            record = read(file)
        except KeplerError as error:
            problems.append(str(error))
        else:
            jobs.setdefault(record.job, []).append(record)
    if not jobs:
        reason = problems[0] if problems else "no rank wrote into it"
        raise DataError(f"{path}: {reason}", "measure with kepler_power.distributed.rank(directory=…)")
    found = [_report(job, records, problems) for job, records in jobs.items()]
    return sorted(found, key=lambda report: min(record.started_at for record in report.records))


def report(directory: Union[str, os.PathLike[str]], job: Optional[str] = None) -> Report:
    """What a job used.

    :param job: which one, where several wrote into the directory.
    :raises kepler_power.errors.UnknownNameError: there is none of that name, or several and none was named.
    """
    found = reports(directory)
    chosen = [one for one in found if job is None or one.job == job]
    if len(chosen) == 1:
        return chosen[0]
    names = [one.job for one in found]
    problem = f"no job `{job}` wrote into {directory}" if job is not None else f"{len(found)} jobs wrote into {directory}"
    raise UnknownNameError(problem, f"name one of {', '.join(names[:20])}", names)


def _report(job: str, records: Sequence[Record], problems: Sequence[str]) -> Report:
    records = sorted(records, key=lambda record: (record.rank is None, record.rank or 0, record.started_at))
    sizes = [record.world_size for record in records if record.world_size is not None]
    size = max(sizes) if sizes else None
    present = {record.rank for record in records}
    missing = [] if size is None else [rank for rank in range(size) if rank not in present]
    unended = [
        f"rank {record.rank}" if record.rank is not None else record.identity for record in records if record.state == "running"
    ]
    nodes: dict[str, list[Record]] = {}
    for record in records:
        nodes.setdefault(record.node, []).append(record)
    totals = [_node(found, records) for found in nodes.values()]
    return Report(job, records[0].launcher, records, totals, size, missing, unended, problems)


def _parts(records: Iterable[Record]) -> list[tuple[Record, float]]:
    """What each record adds to the sum: with its children where none of these has a record of its own, else itself alone."""
    records = list(records)
    above = {f"{record.node}/{process}" for record in records for process in record.ancestry[1:]}
    return [
        (record, (record.own_joules if record.identity in above else record.share_joules) or 0.0) for record in records
    ]


def _node(here: Sequence[Record], everywhere: Sequence[Record]) -> NodeTotal:
    identities = {record.identity for record in here}
    parts = [joules for record, joules in _parts(everywhere) if record.identity in identities]
    share = None if all(record.share_joules is None for record in here) else math.fsum(parts)
    machine, is_apportioned = _machine(here)
    return NodeTotal(here[0].node, here[0].host, len(here), share, machine, is_apportioned)


def _machine(records: Sequence[Record]) -> tuple[Optional[float], bool]:
    """The machine's energy over the time that any record covers: all saw the same machine, so each moment counts once."""
    if any(record.machine_joules is None for record in records):
        return None, False
    covered, joules, is_apportioned = -math.inf, 0.0, False
    for record in sorted(records, key=lambda record: (record.started_at, -record.seconds)):
        end = record.started_at + record.seconds
        new = end - max(covered, record.started_at)
        if new <= 0:
            continue
        # Clocks of ranks that end together differ by less than this.
        is_apportioned |= 0.01 < record.seconds - new
        joules += (record.machine_joules or 0.0) * min(1.0, new / record.seconds if record.seconds else 1.0)
        covered = end
    return joules, is_apportioned
