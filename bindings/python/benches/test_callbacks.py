"""What callbacks and the live view cost: `python -m pytest -s bindings/python/benches/test_callbacks.py`.

A training of steps of 10 ms (sleeps, so that all CPU time is the callbacks' own) is run with each callback that can be imported and with CodeCarbon's
tracker, on the same machine in the same run. Printed is the CPU time of a run beyond that of the same training without any, per step.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, Callable, Optional

import pytest
from powercap import PowercapTree

import kepler_power
from kepler_power import live

STEPS, EPOCHS, STEP = 500, 5, 0.01


def train(callback: Any, begin: Callable[[], object], each: Callable[[str], Callable[[], object]], end: Callable[[], object]) -> float:
    """CPU seconds of all threads, the start and the end of the callback among them."""
    before = time.process_time()
    begin()
    step_begin, step_end, log = each("step_begin"), each("step_end"), each("log")
    for _ in range(EPOCHS):
        each("epoch_begin")()
        for step in range(STEPS // EPOCHS):
            step_begin()
            time.sleep(STEP)
            step_end()
            if step % 50 == 49:
                log()
        each("epoch_end")()
    end()
    return time.process_time() - before


def nothing(*_: object) -> None:
    pass


def plain() -> float:
    return train(None, nothing, lambda event: nothing, nothing)


def say(name: str, seconds: float, base: float) -> None:
    extra = (seconds - base) / STEPS
    print(f"\n{name}: {extra * 1e6:.1f} µs of CPU a step, {extra / STEP * 100:.3f} % of a step of 10 ms")


def huggingface(callback: Any) -> float:
    control, arguments = SimpleNamespace(), SimpleNamespace(output_dir=".")
    state = SimpleNamespace(log_history=[{}], is_local_process_zero=True, is_world_process_zero=True)

    def call(event: str, **more: Any) -> Callable[[], object]:
        method = getattr(callback, f"on_{event}", nothing)
        return lambda: method(arguments, state, control, **more)

    call("init_end")()
    each = lambda event: call(event, logs={}) if event == "log" else call(event)  # noqa: E731
    return train(callback, call("train_begin", model=None), each, call("train_end"))


def test_hugging_face(tree: PowercapTree, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    from transformers.integrations import integration_utils

    from kepler_power.integrations.huggingface import EnergyCallback

    monkeypatch.chdir(tmp_path)
    base = plain()
    say("kepler_power, Hugging Face's Trainer", huggingface(EnergyCallback(host=tree.host)), base)
    if integration_utils.is_codecarbon_available():
        monkeypatch.setenv("CODECARBON_LOG_LEVEL", "critical")
        monkeypatch.setenv("CODECARBON_ALLOW_MULTIPLE_RUNS", "true")
        if not hasattr(integration_utils, "torch"):
            monkeypatch.setattr(integration_utils, "torch", SimpleNamespace(version=SimpleNamespace(hip=None)), raising=False)
        say("CodeCarbonCallback, Hugging Face's Trainer", huggingface(integration_utils.CodeCarbonCallback()), base)


def test_keras(tree: PowercapTree) -> None:
    pytest.importorskip("keras")
    from kepler_power.integrations.keras import EnergyCallback

    callback, logs = EnergyCallback(host=tree.host), {}

    def each(event: str) -> Callable[[], object]:
        if event == "log":
            return nothing
        if event.startswith("step"):
            method = callback.on_train_batch_begin if event == "step_begin" else callback.on_train_batch_end
            return lambda: method(0, logs)
        method = getattr(callback, f"on_{event}")
        return lambda: method(0, logs)

    base = plain()
    say("kepler_power, Keras", train(callback, callback.on_train_begin, each, callback.on_train_end), base)


def test_lightning(tree: PowercapTree) -> None:
    pytest.importorskip("lightning")
    from kepler_power.integrations.lightning import EnergyCallback

    callback, module = EnergyCallback(host=tree.host), SimpleNamespace(log_dict=nothing)
    names = {"epoch_begin": "on_train_epoch_start", "epoch_end": "on_train_epoch_end", "log": "setup"}
    names |= {"step_begin": "on_train_batch_start", "step_end": "on_train_batch_end"}

    def each(event: str) -> Callable[[], object]:
        if event == "log":
            return nothing
        method, more = getattr(callback, names[event]), {"step_begin": (None, 0), "step_end": (None, None, 0)}.get(event, ())
        return lambda: method(None, module, *more)

    base = plain()
    begin, end = (lambda: callback.setup(None, module, "fit")), (lambda: callback.teardown(None, module, "fit"))
    say("kepler_power, Lightning", train(callback, begin, each, end), base)


def test_codecarbons_tracker_around_the_same_training(tree: PowercapTree, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    codecarbon = pytest.importorskip("codecarbon")
    base = plain()
    options = {"country_iso_code": "SWE", "output_dir": str(tmp_path), "log_level": "critical", "allow_multiple_runs": True}
    tracker = codecarbon.OfflineEmissionsTracker(**options)
    name = "kepler_power's face of CodeCarbon" if tracker.__module__.startswith("kepler_power") else "CodeCarbon, tracker alone"
    say(name, train(tracker, tracker.start, lambda event: nothing, tracker.stop), base)


def test_distributed_tasks(tree: PowercapTree) -> None:
    from kepler_power import distributed

    def step() -> None:
        time.sleep(STEP)

    kepler_power.use_meters(host=tree.host)
    before = time.process_time()
    for _ in range(STEPS):
        step()
    base = time.process_time() - before
    with distributed.collect() as job:
        task, before = job.task(step), time.process_time()
        for _ in range(STEPS):
            task()
        seconds = time.process_time() - before
    say("kepler_power, a task of a pool", seconds, base)


@pytest.mark.parametrize("meters", ["powercap", "model"])
@pytest.mark.filterwarnings("ignore::kepler_power.EstimateWarning")
def test_the_live_view(tree: PowercapTree, monkeypatch: pytest.MonkeyPatch, meters: str) -> None:
    """In the terminal's form; with moments a hundred times as dense as they are, of which one a second counts."""
    monkeypatch.setattr(live, "INTERVAL", 0.01)

    class Terminal:
        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            raise OSError

        write = flush = nothing

    line = live._Line(Terminal())  # type: ignore[arg-type]
    host: Optional[kepler_power.Host] = tree.host if meters == "powercap" else None
    before = time.process_time()
    with kepler_power.measure("bench", host=host, meters=[meters], progress=line.show) as m:
        time.sleep(5)
    moments = m._live._thread and len(m.curve)
    seconds = (time.process_time() - before) / (moments or 1)
    print(f"\nlive view, {meters}: {seconds * 1e6:.0f} µs of CPU a moment, {seconds / 1.0 * 100:.3f} % of a CPU at one a second")
