"""Running every call of a function inside a context manager, whatever kind of function it is."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, TypeVar, Union, cast

_Function = TypeVar("_Function", bound=Callable[..., Any])

# Flags of a code object (the module `inspect`, which has them by name, takes longer to import than all of this package).
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR, _ITERABLE_COROUTINE = 0x20, 0x80, 0x200, 0x100


def wrap(function: _Function, context: Callable[[], AbstractContextManager[Any]]) -> _Function:
    """The function with every call inside a new context.

    Coroutines are inside until they return, generators and asynchronous generators from their first item to their end, with what is sent
    and thrown into them passed on. Static and class methods stay what they are. Name, documentation, signature and pickling are the function's.

    :param function: a function, method, partial, callable object, static or class method.
    :param context: makes the context of one call.
    """
    if isinstance(function, (staticmethod, classmethod)):
        descriptor = cast("Union[staticmethod[Any, Any], classmethod[Any, Any, Any]]", function)
        return cast("_Function", type(descriptor)(wrap(descriptor.__func__, context)))

    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        with context():
            return await function(*args, **kwargs)

    async def stream(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with context():
            inner = function(*args, **kwargs)
            try:
                item = await inner.__anext__()
                while True:
                    try:
                        sent = yield item
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        item = await inner.athrow(error)
                    else:
                        item = await inner.asend(sent)
            except StopAsyncIteration:
                return
            finally:
                await inner.aclose()

    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with context():
            made: Generator[Any, Any, Any] = function(*args, **kwargs)
            return (yield from made)

    def plain(*args: Any, **kwargs: Any) -> Any:
        with context():
            return function(*args, **kwargs)

    flags = _flags(function)
    chosen: Any = plain
    for flag, other in ((_COROUTINE | _ITERABLE_COROUTINE, coroutine), (_ASYNC_GENERATOR, stream), (_GENERATOR, generator)):
        if flags & flag:
            chosen = other
            break
    return cast("_Function", functools.update_wrapper(chosen, function))


def _flags(function: Any) -> int:
    """Those of the code that a call runs."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__func__"):
            function = function.__func__
        else:
            break
    code = getattr(function, "__code__", None)
    if code is None and not isinstance(function, type):
        # An object of a class that can be called.
        kind: Any = function.__class__
        code = getattr(getattr(kind, "__call__", None), "__code__", None)
    return getattr(code, "co_flags", 0)
