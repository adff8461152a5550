"""Measuring every call of a function."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union, cast, overload

from ._adding import adding
from .errors import KeplerError
from .figures import _Sum
from .measurement import Measurement, measure
from .quantities import Energy

if TYPE_CHECKING:
    from ._native import Host

__all__ = ["Results", "measured", "results"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

# Flags of a code object (the module `inspect`, which has them by name, takes longer to import than all of this package).
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200


class Results:
    """What the calls of a measured function cost; see :func:`results`."""

    __slots__ = ("_total", "calls", "last")

    def __init__(self) -> None:
        self.calls = 0
        """How many calls have ended."""
        self.last: Optional[Measurement] = None
        """The measurement of the one that ended last."""
        self._total = _Sum()

    @property
    def seconds(self) -> float:
        """Their time, added up."""
        return self._total.seconds

    @property
    def energy(self) -> Energy:
        """The machine's energy during them, added up; calls at the same time count it twice."""
        return self._total.energy() if self.calls else Energy(0)

    @property
    def process_energy(self) -> Energy:
        """This process's share of it, added up."""
        return Energy(self._total.own)

    def _add(self, measurement: Measurement) -> None:
        with adding:
            self.calls += 1
            self.last = measurement
            if measurement._spent is not None:
                self._total.add(measurement._spent)


@overload
def measured(function: _Function) -> _Function: ...
@overload
def measured(
    function: Optional[str] = None,
    *,
    on_result: Optional[Callable[[Measurement], object]] = None,
    region: Optional[str] = None,
    pue: Optional[float] = None,
    grid_intensity: Optional[float] = None,
    host: Optional[Host] = None,
    meters: Optional[Sequence[str]] = None,
) -> Callable[[_Function], _Function]: ...
def measured(
    function: Union[_Function, str, None] = None,
    *,
    on_result: Optional[Callable[[Measurement], object]] = None,
    **arguments: Any,
) -> Any:
    """Measures every call of a function, method, coroutine or generator: ``@measured``, ``@measured("name", region=…)``.

    What the calls cost is told by :func:`results`; `on_result` is called with the measurement of each call that has
    ended, also of one that raised. A generator is measured from its first item to its end. Other arguments are those of :func:`measure`.

    >>> import kepler_power
    >>> @kepler_power.measured
    ... def work(n: int) -> int:
    ...     return sum(range(n))
    >>> work(1000)
    499500
    >>> kepler_power.results(work).calls
    1
    """
    if function is not None and not isinstance(function, str):
        return _wrap(function, None, on_result, arguments)
    name = function

    def decorate(function: _Function) -> _Function:
        return _wrap(function, name, on_result, arguments)

    return decorate


def results(function: Callable[..., Any]) -> Results:
    """What the calls of a function decorated with :func:`measured` cost so far."""
    found = getattr(function, "__kepler_results__", None)
    if not isinstance(found, Results):
        raise KeplerError(f"{function!r} is not measured", "decorate it with @kepler_power.measured")
    return found


def _wrap(
    function: _Function,
    name: Optional[str],
    on_result: Optional[Callable[[Measurement], object]],
    arguments: dict[str, Any],
) -> _Function:
    if isinstance(function, (staticmethod, classmethod)):
        raise KeplerError(
            "a static or class method cannot be measured from outside",
            "put @measured below @staticmethod or @classmethod",
        )
    title: str = name or str(getattr(function, "__qualname__", function))
    found = Results()
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)

    def begin() -> Measurement:
        return measure(title, **arguments).start()

    def end(measurement: Measurement) -> None:
        found._add(measurement.stop())
        if on_result is not None:
            on_result(measurement)

    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        measurement = begin()
        try:
            return await function(*args, **kwargs)
        finally:
            end(measurement)

    async def stream(*args: Any, **kwargs: Any) -> Any:
        measurement = begin()
        try:
            async for item in function(*args, **kwargs):
                yield item
        finally:
            end(measurement)

    def generator(*args: Any, **kwargs: Any) -> Any:
        measurement = begin()
        try:
            return cast("Any", (yield from function(*args, **kwargs)))
        finally:
            end(measurement)

    def plain(*args: Any, **kwargs: Any) -> Any:
        measurement = begin()
        try:
            return function(*args, **kwargs)
        finally:
            end(measurement)

    chosen: Any = plain
    for flag, other in ((_COROUTINE, coroutine), (_ASYNC_GENERATOR, stream), (_GENERATOR, generator)):
        if flags & flag:
            chosen = other
    wrapper: Any = functools.wraps(function)(chosen)
    wrapper.__kepler_results__ = found
    return cast("_Function", wrapper)
