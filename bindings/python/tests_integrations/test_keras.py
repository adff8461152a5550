"""Keras, on whatever backend is installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
numpy = pytest.importorskip("numpy")

from kepler_power import distributed  # noqa: E402
from kepler_power.integrations.keras import EnergyCallback  # noqa: E402


def fit(*callbacks: object, epochs: int = 5):  # type: ignore[no-untyped-def]
    model = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    x = numpy.random.default_rng(1).normal(size=(256, 8))
    return model.fit(x, x.sum(axis=1), epochs=epochs, verbose=0, callbacks=list(callbacks), validation_split=0.25)


def test_the_history_has_the_energy_of_every_epoch() -> None:
    energy = EnergyCallback(region="SE")
    forecasts = []

    class Ask(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        def on_epoch_end(self, epoch, logs=None):  # type: ignore[no-untyped-def]
            assert logs["energy_joules"] > 0
            forecasts.append(energy.measurement.forecast(epochs=5))

    history = fit(energy, Ask()).history
    joules = history["energy_joules"]
    assert len(joules) == 5 and joules == sorted(joules) and min(history["energy_watts"]) > 0 and "val_loss" in history
    m = energy.measurement
    assert m.phases["epoch"].count == 5 and not m.is_running and m.energy.joules >= joules[-1] and m.co2e.region == "SE"
    assert forecasts[0].energy_interval is None and forecasts[-1].energy.joules <= m.energy.joules * 1.01


def test_a_second_fit_counts_again_and_ranks_write_their_share(tmp_path: Path) -> None:
    energy = EnergyCallback(directory=tmp_path, job="keras")
    fit(energy, epochs=2)
    first = energy.measurement
    fit(energy, epochs=1)
    assert energy.measurement is not first and energy.measurement.phases["epoch"].count == 1
    (record,) = distributed.report(tmp_path).records
    assert record.state == "ended" and record.share_joules
