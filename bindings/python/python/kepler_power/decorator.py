"""Measuring every call of a function."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union, cast, overload

from ._adding import adding
from ._wrapping import wrap
from .errors import KeplerError
from .figures import _Sum
from .measurement import Measurement, measure
from .quantities import Energy

if TYPE_CHECKING:
    from ._native import Host

__all__ = ["Results", "measured", "results"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Results:
    """What the calls of a measured function used; see :func:`results`.

    A pickled copy, as with a function that is sent to another process, counts from zero.
    """

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

    def __reduce__(self) -> tuple[type[Results], tuple[()]]:
        return Results, ()

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

    :func:`results` has what the calls used; `on_result` is called with the measurement of each call that has
    ended, also of one that raised. A generator, asynchronous or not, is measured from its first item to its end. Static and class
    methods may be decorated above or below ``@staticmethod`` and ``@classmethod``. Other arguments are those of :func:`measure`.

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
    """What the calls of a function decorated with :func:`measured` used so far."""
    found = getattr(function, "__kepler_results__", None)
    if not isinstance(found, Results):
        raise KeplerError(f"{function!r} is not measured", "decorate it with @kepler_power.measured")
    return found


class _Call:
    """One call, as a context manager."""

    __slots__ = ("_begin", "_measurement", "_on_result", "_results")

    def __init__(
        self, begin: Callable[[], Measurement], results: Results, on_result: Optional[Callable[[Measurement], object]]
    ) -> None:
        self._begin, self._results, self._on_result = begin, results, on_result

    def __enter__(self) -> None:
        self._measurement = self._begin()

    def __exit__(self, kind: object, error: Optional[BaseException], trace: object) -> None:
        measurement = self._measurement.stop()
        self._results._add(measurement)
        if self._on_result is None:
            return
        try:
            self._on_result(measurement)
        except Exception as failure:
            if error is None:
                raise
            # What the function raised is what its caller waits for.
            warnings.warn(f"on_result of {measurement.name} raised {failure!r}", stacklevel=2)


def _wrap(
    function: _Function,
    name: Optional[str],
    on_result: Optional[Callable[[Measurement], object]],
    arguments: dict[str, Any],
) -> _Function:
    title: str = name or str(getattr(function, "__qualname__", function))
    found = Results()

    def begin() -> Measurement:
        return measure(title, **arguments).start()

    wrapper: Any = wrap(function, lambda: _Call(begin, found, on_result))
    # A static or class method has a dictionary of its own since Python 3.10 only: the function in it always has one.
    getattr(wrapper, "__func__", wrapper).__kepler_results__ = found
    return cast("_Function", wrapper)
