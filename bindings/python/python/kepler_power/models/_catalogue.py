"""Directories of published models, and the one for a machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal, NamedTuple, Optional, Union

from .. import _native
from ._model import Model


class Machine(NamedTuple):
    """A machine, to find the model of the most similar one; what is not known is ``None``."""

    processor: str
    """Its processor in any spelling: ``Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz``."""
    cores: Optional[int] = None
    """Physical cores of all sockets."""
    threads: Optional[int] = None
    """Logical CPUs of all sockets."""
    chips: Optional[int] = None
    """Sockets."""
    memory_gib: Optional[float] = None
    """Main memory, GiB."""
    frequency_mhz: Optional[float] = None
    """Highest frequency, MHz."""


class Entry(NamedTuple):
    """A model of a catalogue, not read yet."""

    path: os.PathLike[str]
    """The file, or the directory of a component map."""
    pipeline: str
    source: str
    """What the power was measured with: ``rapl-sysfs`` or ``acpi``."""
    output: str
    """``AbsPower``: with idle power; ``DynPower``: without."""
    group: str
    """Its features: ``BPFOnly``, ``CounterOnly``, ``Basic``, …"""
    trainer: str
    node_type: int
    """The machine, in the pipeline's index."""
    processor: Optional[str]
    """The machine's processor, where the index knows it."""

    def load(self) -> Model:
        """Reads it."""
        return Model.load(self.path)


class Catalogue(NamedTuple):
    """The models under a directory of published ones."""

    entries: tuple[Entry, ...]
    """Every model, by path."""
    skipped: tuple[tuple[os.PathLike[str], str], ...]
    """What was not recognised, and why."""

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> Catalogue:
        """Lists a pipeline's directory, or a directory of pipelines. Models themselves are not read."""
        entries, skipped = _native.list_models(directory)
        return cls(tuple(Entry(*row) for row in entries), tuple(skipped))


class Found(NamedTuple):
    """The model chosen for a machine."""

    model: Model
    entry: Entry
    distance: float
    """0 for the same type of machine, 1 for one of twice the CPUs; an interval is to be widened by it."""
    reason: str
    """What differs."""


def find(
    directory: str | os.PathLike[str],
    measured: Iterable[str],
    *,
    machine: Union[Machine, str, None] = None,
    source: Literal["rapl-sysfs", "acpi"] = "rapl-sysfs",
    output: Literal["AbsPower", "DynPower"] = "AbsPower",
    convert: bool = False,
) -> Found:
    """The published model for a machine: of the most similar one, with most of the features that are measured.

    :param directory: a pipeline's directory, or a directory of pipelines.
    :param measured: what is measured, by the features' names: ``bpf_cpu_time_ms``, ``cpu_cycles``, …, with their true
        meaning.
    :param machine: the machine, or its processor's name; without it this host.
    :param source: RAPL components, or the whole machine.
    :param output: with or without idle power.
    :param convert: whether what is measured may be made into what an old exporter recorded under that name.
    :raises kepler_power.errors.DataError: there is none near enough, or none fits; it says the nearest.
    """
    given = Machine(machine) if isinstance(machine, str) else machine
    native, row, distance, reason = _native.find_model(directory, source, output, list(measured), convert, given)
    entry = Entry(*row)
    return Found(Model(native, ("load", (os.fspath(entry.path),))), entry, distance, reason)
