"""Measuring every call of a function."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from powercap import PowercapTree, burn

import kepler_power


@kepler_power.measured
def plain(n: int) -> int:
    """Adds up."""
    return sum(range(n))


def test_a_decorated_function_keeps_its_name_and_counts_its_calls(tree: PowercapTree) -> None:
    assert plain(4) == 6 and plain.__name__ == "plain" and plain.__doc__ == "Adds up."
    found = kepler_power.results(plain)
    assert found.calls == 1 and found.last is not None and found.last.name == "plain"

    seen: list[float] = []

    @kepler_power.measured("named", host=tree.host, on_result=lambda m: seen.append(m.energy.joules))
    def draw(joules: float) -> None:
        tree.draw(package=joules)
        if joules > 2:
            raise ValueError(joules)

    draw(1.0)
    with pytest.raises(ValueError):
        draw(3.0)
    assert seen == [1.0, 3.0]
    total = kepler_power.results(draw)
    assert (total.calls, total.energy.joules) == (2, 4.0)
    with pytest.raises(kepler_power.KeplerError, match="is not measured"):
        kepler_power.results(burn)


def test_coroutines_and_generators_are_measured_to_their_end(tree: PowercapTree) -> None:
    @kepler_power.measured(host=tree.host)
    async def coroutine() -> str:
        tree.draw(package=1.0)
        await asyncio.sleep(0)
        tree.draw(package=1.0)
        return "done"

    @kepler_power.measured(host=tree.host)
    def generator():  # type: ignore[no-untyped-def]
        tree.draw(package=3.0)
        yield 1
        tree.draw(package=3.0)
        return "end"

    @kepler_power.measured(host=tree.host)
    async def stream():  # type: ignore[no-untyped-def]
        yield 1
        tree.draw(package=5.0)
        yield 2

    async def consume() -> list[int]:
        return [item async for item in stream()]

    assert asyncio.run(coroutine()) == "done"
    assert kepler_power.results(coroutine).energy.joules == 2.0
    assert list(generator()) == [1]
    assert kepler_power.results(generator).energy.joules == 6.0
    assert asyncio.run(consume()) == [1, 2]
    assert kepler_power.results(stream).energy.joules == 5.0


def test_methods_are_measured() -> None:
    class Model:
        @kepler_power.measured
        def fit(self) -> Model:
            return self

        @staticmethod
        @kepler_power.measured
        def load() -> int:
            return 1

    model = Model()
    assert model.fit() is model and Model.load() == 1
    assert kepler_power.results(Model.fit).calls == 1 and kepler_power.results(model.fit).calls == 1


def test_static_and_class_methods_are_measured_whichever_decorator_comes_first() -> None:
    class Model:
        @kepler_power.measured
        @staticmethod
        def load(n: int) -> int:
            return n

        @classmethod
        @kepler_power.measured("make")
        def make(cls) -> type[Model]:
            return cls

        @kepler_power.measured
        @classmethod
        def remake(cls) -> type[Model]:
            return cls

    assert Model.load(3) == Model().load(3) == 3
    assert Model.make() is Model.remake() is Model
    assert kepler_power.results(Model.load).calls == 2
    assert kepler_power.results(Model.make).calls == kepler_power.results(Model.remake).calls == 1


def test_what_is_sent_into_and_thrown_into_a_generator_reaches_it(tree: PowercapTree) -> None:
    @kepler_power.measured(host=tree.host)
    async def echo():  # type: ignore[no-untyped-def]
        said = "begin"
        closed.clear()
        try:
            while True:
                try:
                    said = yield said
                except KeyError as error:
                    said = f"caught {error}"
        finally:
            closed.append(True)

    @kepler_power.measured(host=tree.host)
    def echo_plainly():  # type: ignore[no-untyped-def]
        said = "begin"
        while True:
            try:
                said = yield said
            except KeyError as error:
                said = f"caught {error}"

    closed: list[bool] = []

    async def talk() -> list[str]:
        stream = echo()
        heard = [await stream.__anext__(), await stream.asend("hello"), await stream.athrow(KeyError("key"))]
        await stream.aclose()
        return heard

    expected = ["begin", "hello", "caught 'key'"]
    assert asyncio.run(talk()) == expected and closed == [True]
    assert kepler_power.results(echo).calls == 1
    plain = echo_plainly()
    assert [next(plain), plain.send("hello"), plain.throw(KeyError("key"))] == expected
    plain.close()
    assert kepler_power.results(echo_plainly).calls == 1


def test_partials_and_callable_objects_are_what_they_wrap(tree: PowercapTree) -> None:
    class Server:
        async def __call__(self, joules: float) -> str:
            tree.draw(package=joules)
            await asyncio.sleep(0)
            tree.draw(package=joules)
            return "served"

    for function in (functools.partial(Server().__call__, 2.0), functools.partial(Server(), 2.0)):
        measured = kepler_power.measured("server", host=tree.host)(function)
        assert asyncio.run(measured()) == "served"
        assert kepler_power.results(measured).energy.joules == 4.0
    served = kepler_power.measured(host=tree.host)(Server())
    assert asyncio.run(served(3.0)) == "served" and kepler_power.results(served).energy.joules == 6.0


def test_a_failing_callback_does_not_replace_what_the_function_raised(tree: PowercapTree) -> None:
    def fail(measurement: kepler_power.Measurement) -> None:
        raise RuntimeError("callback")

    @kepler_power.measured(host=tree.host, on_result=fail)
    def work(raises: bool) -> None:
        if raises:
            raise KeyError("work")

    with pytest.warns(UserWarning, match="callback"), pytest.raises(KeyError):
        work(True)
    with pytest.raises(RuntimeError, match="callback"):
        work(False)
    assert kepler_power.results(work).calls == 2


def test_measured_functions_are_pickled_by_name_and_their_results_begin_at_zero() -> None:
    plain(1)
    assert pickle.loads(pickle.dumps(plain)) is plain
    assert pickle.loads(pickle.dumps(kepler_power.results(plain))).calls == 0
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(plain, [3, 4])) == [3, 6]
    host = kepler_power.Host(procfs="/proc", sysfs="/elsewhere")
    assert pickle.loads(pickle.dumps(host)) == host and copy.deepcopy(host) == host
    assert list(inspect.signature(plain).parameters) == ["n"]


def test_threads_and_nested_calls_lose_no_call(tree: PowercapTree) -> None:
    @kepler_power.measured(host=tree.host)
    def nested(depth: int) -> int:
        return depth and nested(depth - 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(nested, [4] * 40))
    assert kepler_power.results(nested).calls == 200
