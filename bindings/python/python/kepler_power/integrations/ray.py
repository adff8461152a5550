"""Ray's tasks."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any, Callable

from ..distributed import Job

__all__ = ["remote"]

# By name: its functions have no types everywhere.
_ray: Any = import_module("ray")


def remote(job: Job, function: Callable[..., Any], **options: Any) -> Any:
    """A function as a task of Ray that is measured in the worker that runs it.

        with kepler_power.distributed.collect() as job:
            work = remote(job, function, num_cpus=1)
            ray.get([work.remote(n) for n in range(8)])
        print(job.report())

    On several machines give `collect` a directory that all see.

    :param options: those of ``ray.remote``.
    """
    task = job.task(function)

    # Ray takes functions, not objects that can be called.
    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return task(*args, **kwargs)

    return _ray.remote(**options)(run) if options else _ray.remote(run)
