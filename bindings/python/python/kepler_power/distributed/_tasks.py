"""Tasks that run in the workers of a pool: joblib, Dask, Ray, concurrent.futures, multiprocessing."""

from __future__ import annotations

import functools
import json
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional, TypeVar, Union

from ..figures import Figures, _Sum
from ..measurement import Measurement, measure
from ..settings import facility_for
from ._launcher import Launcher
from ._rank import Writer
from ._record import figures_of
from ._report import Report, report

_Function = TypeVar("_Function", bound=Callable[..., Any])
_JOULES_PER_KWH = 3.6e6
_CHANGING = {"seconds", "share_joules", "own_joules", "cpu_seconds", "is_uncertain", "co2e_grams", "tasks"}


class collect:  # noqa: N801 - used as a function is
    """Measures tasks in whatever process or thread they run, as a context manager.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from kepler_power import distributed
    >>> def work(n: int) -> int:
    ...     return sum(range(n))
    >>> with distributed.collect() as job, ThreadPoolExecutor(2) as pool:
    ...     results = list(pool.map(job.task(work), [100_000] * 4))
    >>> job.report().tasks()["work"][0]
    4

    :param directory: where workers write what they used; on several machines one that all see. Without it one of this machine, that is removed
        at the end.
    :param job: a name for the job; a new one for each `collect` without.
    """

    def __init__(self, *, directory: Union[str, os.PathLike[str], None] = None, job: Optional[str] = None) -> None:
        self._directory = directory
        self._name = job or f"{Launcher.found(os.environ.copy()).job}-{uuid.uuid4().hex[:8]}"

    def __enter__(self) -> Job:
        self._temporary = None if self._directory is not None else tempfile.TemporaryDirectory(prefix="kepler-power-")
        directory = Path(self._temporary.name if self._temporary is not None else self._directory or ".").absolute()
        self._job = Job(directory, self._name)
        self._job.machine.start()
        return self._job

    def __exit__(self, *error: object) -> None:
        self._job.machine.stop()
        self._job._keep()
        if self._temporary is not None:
            self._temporary.cleanup()


class Job:
    """Tasks that are measured; made by :func:`collect`."""

    machine: Measurement
    """This process's machine, for as long as the block lasts."""

    def __init__(self, directory: Path, name: str) -> None:
        self.machine = measure(name)
        self.directory, self.name = directory, name
        self._report: Optional[Report] = None

    def task(self, function: _Function, name: Optional[str] = None) -> _Function:
        """The function, measured where it is called. It can be pickled where the function itself can."""
        wrapped: Any = _Task(function, str(self.directory), self.name, name or str(getattr(function, "__name__", "task")))
        return wrapped  # type: ignore[no-any-return]

    def report(self) -> Report:
        """What the tasks used: of all that have ended so far, or of all of the block after its end.

        :raises kepler_power.errors.DataError: none has ended.
        """
        return self._report or report(self.directory, self.name)

    def _keep(self) -> None:
        from ..errors import KeplerError

        try:
            self._report = report(self.directory, self.name)
        except KeplerError:
            # There were no tasks: who asks is told so.
            pass


class _Task:
    """A function, and where to write what it used."""

    def __init__(self, function: Callable[..., Any], directory: str, job: str, name: str) -> None:
        self.function, self.directory, self.job, self.name = function, directory, job, name
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        worker = _Worker.of(self.directory, self.job)
        worker.begin()
        before = time.thread_time()
        try:
            return self.function(*args, **kwargs)
        finally:
            worker.end(self.name, time.thread_time() - before)

    def __reduce__(self) -> Any:
        return _Task, (self.function, self.directory, self.job, self.name)


class _Total(Figures):
    """All times in which a worker had a task."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        super().__init__("tasks", facility_for(None, None, None))
        self.total = _Sum()

    def _sum(self) -> _Sum:
        return self.total


class _Worker:
    """A process with tasks: measured while it has any, in one thread or several, so that none of its time counts twice."""

    _all: dict[tuple[str, str, int], _Worker] = {}  # noqa: RUF012

    def __init__(self, directory: str, job: str) -> None:
        self._writer = Writer(directory, "tasks", job)
        self._lock = threading.Lock()
        self._active = 0
        self._measurement = measure("tasks")
        self._total = _Total()
        self._tasks: dict[str, tuple[int, float]] = {}
        self._started_at = time.time()
        self._fixed, self._grams_per_joule = "", 0.0
        self._file, self._length = -1, 0

    @classmethod
    def of(cls, directory: str, job: str) -> _Worker:
        """This process's."""
        key = directory, job, os.getpid()
        found = cls._all.get(key)
        # Two threads at once make two, of which one stays.
        return found if found is not None else cls._all.setdefault(key, cls(directory, job))

    def begin(self) -> None:
        """A task begins."""
        with self._lock:
            self._active += 1
            if self._active == 1:
                self._measurement.start()

    def end(self, name: str, cpu_seconds: float) -> None:
        """A task ends."""
        with self._lock:
            calls, cpu = self._tasks.get(name, (0, 0.0))
            self._tasks[name] = calls + 1, cpu + cpu_seconds
            self._active -= 1
            spent = self._measurement.stop()._spent
            if spent is not None:
                self._total.total.add(spent)
            if self._active:
                self._measurement.start()
            self._write()

    def _write(self) -> None:
        """Before the task's caller has its result: who has all results may end the workers at once, as `multiprocessing.Pool` does.

        So it has to be quick: what stays the same is written out once, and the file is kept open (a rename would be five times as slow).
        """
        total = self._total.total
        try:
            if self._file < 0:
                self._begin_file()
            joules = total.tree / 1e6
            changing: dict[str, Any] = {
                "seconds": total.seconds,
                "share_joules": joules,
                "own_joules": total.own / 1e6,
                "cpu_seconds": total.tree_cpu,
                "is_uncertain": self._total.is_uncertain,
                "co2e_grams": joules * self._grams_per_joule,
                "tasks": self._tasks,
            }
            text = f"{self._fixed}, {json.dumps(changing)[1:]}".encode()
            self._length = max(self._length, len(text))
            os.pwrite(self._file, text.ljust(self._length), 0)
        except OSError as error:
            self._writer.warn(error)

    def _begin_file(self) -> None:
        # Its time has gaps: what the machine drew meanwhile does not add up over workers.
        figures: dict[str, Any] = {**figures_of(self._total), "machine_joules": None}
        self._grams_per_joule = figures["grid_intensity"] * figures["pue"] / _JOULES_PER_KWH
        record = self._writer.record("ended", self._started_at, figures)
        fixed = {name: value for name, value in json.loads(record.text()).items() if name not in _CHANGING}
        self._fixed = json.dumps(fixed, ensure_ascii=False)[:-1]
        path = record.path(self._writer.directory)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
