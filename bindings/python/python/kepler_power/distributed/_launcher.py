"""Which job, rank and node a process is, from what launchers say in the environment."""

from __future__ import annotations

import os
import socket
import sys
import uuid
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ..settings import current

# Who says it, and under which names: rank, number of ranks. The first that is there is taken: Slurm starts torchrun, not the other way round.
_RANKS = (
    ("torchrun", "RANK", "WORLD_SIZE"),
    ("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("MVAPICH", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
    ("MPI", "PMI_RANK", "PMI_SIZE"),
    ("MPI", "PMIX_RANK", "PMIX_SIZE"),
    ("Slurm", "SLURM_PROCID", "SLURM_NTASKS"),
)
# Set by this package for the processes that this one starts, and by users for those that no launcher names.
_JOB = "KEPLER_JOB_ID"


class Launcher(NamedTuple):
    """Who started this process as a part of what."""

    name: str
    """``torchrun``, ``Open MPI``, ``MPI``, ``Slurm``, ``Ray``; ``none`` where no launcher says so."""
    job: str
    rank: Optional[int]
    world_size: Optional[int]

    @classmethod
    def found(cls, environment: Optional[MutableMapping[str, str]] = None) -> Launcher:
        """That of this process. A process that no launcher started begins a job, which those that it starts belong to."""
        variables = os.environ if environment is None else environment
        name, rank, size = "none", None, None
        for launcher, rank_name, size_name in _RANKS:
            rank = _number(variables, rank_name)
            if rank is not None:
                name, size = launcher, _number(variables, size_name)
                break
        job = _job(name, variables)
        if name == "none" and "ray" in sys.modules:
            task = _ray()
            if task is not None:
                return cls("Ray", job or task, None, None)
        if job is None:
            job = variables[_JOB] = f"local-{uuid.uuid4().hex[:12]}"
        return cls(name, job, rank, size)


def _number(variables: Mapping[str, str], name: str) -> Optional[int]:
    text = variables.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else None


def _job(launcher: str, variables: Mapping[str, str]) -> Optional[str]:
    """The name that all ranks of a job have in common, and no other job has."""
    stated = variables.get(_JOB)
    if stated:
        return stated
    slurm = variables.get("SLURM_JOB_ID")
    if slurm:
        # An array's tasks are jobs of their own in Slurm too; the steps of a job are parts of it.
        return f"slurm-{slurm}"
    if launcher == "torchrun":
        run = variables.get("TORCHELASTIC_RUN_ID", "none")
        # Without --rdzv-id all runs are called `none`: the place where ranks meet tells them apart.
        meeting = f"{variables.get('MASTER_ADDR', '')}-{variables.get('MASTER_PORT', '')}"
        return f"torchrun-{run}" if run != "none" else f"torchrun-{meeting}"
    for name in ("PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "PBS_JOBID", "LSB_JOBID"):
        if variables.get(name):
            return f"mpi-{variables[name]}"
    return f"mpi-{os.getppid()}" if launcher in ("MPI", "MVAPICH", "Open MPI") else None


def _ray() -> Optional[str]:
    """Ray's job, inside a worker of it or a driver that is connected."""
    ray: Any = sys.modules["ray"]
    try:
        return f"ray-{ray.get_runtime_context().get_job_id()}" if ray.is_initialized() else None
    except Exception:
        # Half imported, or of a version that has other names.
        return None


class Node(NamedTuple):
    """A machine. Containers on it, which have names and machine ids of their own, are the same node."""

    id: str
    name: str

    @classmethod
    def here(cls) -> Node:
        """The one whose kernel this process runs on."""
        host = current().host
        procfs = Path("/proc") if host is None else Path(host.procfs)
        try:
            boot = (procfs / "sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            boot = ""
        name = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
        return cls(boot or name, name)


def ancestry() -> list[str]:
    """This process and those that it descends from, each as `pid:start time`; of another PID namespace nothing is seen."""
    found: list[str] = []
    pid = os.getpid()
    while pid > 0 and len(found) < 64:
        try:
            # The command may have spaces and brackets in it: what follows the last one is what is meant.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found.append(f"{pid}:{fields[19]}")
            pid = int(fields[1])
        except (OSError, ValueError, IndexError):
            break
    return found
