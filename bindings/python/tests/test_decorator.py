"""Measuring every call of a function."""

from __future__ import annotations

import asyncio

import pytest
from powercap import PowercapTree, burn

import kepler_power


@kepler_power.measured
def plain(n: int) -> int:
    """Adds up."""
    return sum(range(n))


def test_a_decorated_function_keeps_its_face_and_tells_what_it_cost(tree: PowercapTree) -> None:
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
    with pytest.raises(kepler_power.KeplerError, match="below @staticmethod"):
        kepler_power.measured(staticmethod(plain))  # type: ignore[call-overload]
