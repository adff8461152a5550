"""Trackers around functions and parts of a run."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Optional, TypeVar, overload

from .._wrapping import wrap
from ._parameters import COMMON, NOT_GIVEN, OFFLINE, given_by_name
from ._tracker import BaseEmissionsTracker, EmissionsTracker, OfflineEmissionsTracker

if TYPE_CHECKING:
    from typing_extensions import Self

_Function = TypeVar("_Function", bound=Callable[..., Any])


@overload
def track_emissions(fn: _Function) -> _Function: ...


@overload
def track_emissions(fn: None = None, *positions: Any, **parameters: Any) -> Callable[[_Function], _Function]: ...


def track_emissions(fn: Any = None, *positions: Any, offline: Any = NOT_GIVEN, **parameters: Any) -> Any:
    """Tracks every call of a function, with or without parameters: ``@track_emissions(project_name="train")``.

    Coroutines are tracked until they return, generators and asynchronous generators from their first item to their end.
    An exception passes through; its row is written.

    :param offline: use an :class:`OfflineEmissionsTracker`, whose parameters are accepted then.
    """
    given = given_by_name(positions, parameters, (*COMMON, *OFFLINE))

    def tracker() -> BaseEmissionsTracker:
        if offline is not NOT_GIVEN and offline:
            return OfflineEmissionsTracker(**given)
        online = {name: value for name, value in given.items() if name not in OFFLINE}
        return EmissionsTracker(**online)

    def decorate(function: _Function) -> _Function:
        return wrap(function, tracker)

    return decorate(fn) if fn is not None else decorate


class TaskEmissionsTracker:
    """A task of a tracker as a context manager.

    :param task_name: its name.
    :param tracker: whose task it is; without one a tracker of its own is started and stopped.
    """

    def __init__(self, task_name: str, tracker: Optional[BaseEmissionsTracker] = None) -> None:
        self.task_name = task_name
        self.is_default_tracker = tracker is None
        self.tracker = EmissionsTracker() if tracker is None else tracker

    def __enter__(self) -> Self:
        self.tracker.start_task(self.task_name)
        return self

    def __exit__(self, *error: object) -> None:
        self.tracker.stop_task()
        if self.is_default_tracker:
            self.tracker.stop()


def track_task_emissions(
    fn: Any = None, tracker: Optional[BaseEmissionsTracker] = None, task_name: str = ""
) -> Any:
    """Every call of a function as a task of a tracker.

    :param tracker: whose tasks they are; without one each call has a tracker of its own.
    :param task_name: their name; a second call adds a random part to it.
    """

    @contextmanager
    def task() -> Generator[None, None, None]:
        with TaskEmissionsTracker(task_name, tracker):
            yield

    def decorate(function: _Function) -> _Function:
        return wrap(function, task)

    return decorate(fn) if fn is not None else decorate
