"""The decorator ``track_emissions``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from ._settings import COMMON, NOT_GIVEN, OFFLINE, given_by_name
from ._tracker import EmissionsTracker, OfflineEmissionsTracker

_Function = TypeVar("_Function", bound=Callable[..., Any])


@overload
def track_emissions(fn: _Function) -> _Function: ...


@overload
def track_emissions(fn: None = None, **parameters: Any) -> Callable[[_Function], _Function]: ...


def track_emissions(fn: Any = None, *, offline: Any = NOT_GIVEN, **parameters: Any) -> Any:
    """Tracks every call of a function, with or without parameters: ``@track_emissions(project_name="train")``.

    Coroutine functions are tracked until they return. An exception passes through; its row is written.

    :param offline: use an :class:`OfflineEmissionsTracker`, whose parameters are then taken too.
    """
    known = (*COMMON, *OFFLINE)
    given_by_name((), parameters, known)

    def tracker() -> EmissionsTracker | OfflineEmissionsTracker:
        if offline is not NOT_GIVEN and offline:
            return OfflineEmissionsTracker(**parameters)
        online = {name: value for name, value in parameters.items() if name not in OFFLINE}
        return EmissionsTracker(**online)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def tracked_coroutine(*arguments: Any, **names: Any) -> Any:
                with tracker():
                    return await function(*arguments, **names)

            return tracked_coroutine

        @functools.wraps(function)
        def tracked(*arguments: Any, **names: Any) -> Any:
            with tracker():
                return function(*arguments, **names)

        return tracked

    return decorate(fn) if fn is not None else decorate
