"""One rank of a job."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, Callable, Optional, Union

from ..errors import DataError
from ..measurement import Measurement, measure
from ._launcher import Launcher, Node, ancestry
from ._record import Record, figures_of

# Seconds between two writings of a rank that runs: what is lost when it is killed.
EVERY = 30.0


class Writer:
    """Writes the file of a process: at the start, while it runs, and at the end."""

    def __init__(self, directory: Union[str, os.PathLike[str]], name: str, job: Optional[str]) -> None:
        self.directory = Path(directory)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{directory} cannot be made: {error.strerror}", "give a directory that all ranks see") from error
        launcher, node = Launcher.found(), Node.here()
        self._who: dict[str, Any] = {
            "job": job or launcher.job,
            "name": name,
            "launcher": launcher.name,
            "rank": launcher.rank,
            "world_size": launcher.world_size,
            "node": node.id,
            "host": node.name,
            "ancestry": tuple(ancestry()),
        }
        self.process = os.getpid()

    def record(
        self, state: str, started_at: float, figures: dict[str, Any], tasks: Optional[dict[str, tuple[int, float]]] = None
    ) -> Record:
        """What there is to write."""
        return Record(state=state, started_at=started_at, tasks=tasks or {}, **figures, **self._who)

    def write(self, state: str, started_at: float, figures: dict[str, Any]) -> None:
        """A file that cannot be written must not end a training that took days."""
        try:
            self.record(state, started_at, figures).write(self.directory)
        except OSError as error:
            self.warn(error)

    def warn(self, error: OSError) -> None:
        """That a figure is lost."""
        warnings.warn(f"the share of this rank could not be written to {self.directory}: {error.strerror}", stacklevel=4)


class rank:  # noqa: N801 - used as a function is
    """Measures this process's share of a job, as a context manager, and writes it into a directory that all ranks see.

    Job and rank are those that torchrun, MPI, Slurm or Ray state; where none does, a job is begun that the processes started from here on belong to.

    :param name: what is measured.
    :param directory: where the ranks' files are; made where it is missing. A new run may use the same one.
    :param job: a name of your own for the job: the same on all ranks. The variable ``KEPLER_JOB_ID`` says the same.
    :param arguments: those of :func:`kepler_power.measure`.
    """

    def __init__(self, name: str = "rank", *, directory: Union[str, os.PathLike[str]], job: Optional[str] = None, **arguments: Any) -> None:
        self._name, self._directory, self._job = name, directory, job
        self._arguments = arguments

    def __enter__(self) -> Measurement:
        self._writer = Writer(self._directory, self._name, self._job)
        self._measurement = measure(self._name, **self._arguments).start()
        self._ticker = Ticker(EVERY, lambda: self._write("running"))
        self._write("running")
        self._ticker.start()
        return self._measurement

    def __exit__(self, kind: Optional[type[BaseException]], *rest: object) -> None:
        if os.getpid() != self._writer.process:
            # A child that was forked inside: its energy is in the parent's share.
            return
        self._ticker.stop()
        self._measurement.stop()
        self._write("ended" if kind is None or kind is SystemExit else "failed")

    def _write(self, state: str) -> None:
        self._writer.write(state, self._measurement.started_at, figures_of(self._measurement))


class Ticker:
    """Does something every some seconds, on a thread."""

    def __init__(self, seconds: float, act: Callable[[], object]) -> None:
        import threading

        self._seconds, self._act, self._ended = seconds, act, threading.Event()
        self._thread = threading.Thread(target=self._run, name="kepler-power-rank", daemon=True)

    def start(self) -> None:
        """Not at once: after the first interval."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when it does nothing more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._act()
