"""Training from Python, with scikit-learn's interface."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kepler_power import models
from kepler_power.errors import ConfigurationError, ModelError
from kepler_power.models import PowerRegressor

np = pytest.importorskip("numpy")
NAMES = ["bpf_cpu_time_ms", "cpu_cycles"]


def recording(rows: int = 400) -> tuple[Any, Any]:
    """A machine that draws 30 W, 10 W a CPU second and 5 W a gigacycle, read with an error of 0.5 W."""
    random = np.random.default_rng(7)
    features = random.uniform([0.0, 0.0], [4000.0, 8e9], (rows, 2))
    return features, 30.0 + features[:, 0] / 100.0 + features[:, 1] / 2e8 + random.normal(0.0, 0.5, rows)


def test_what_was_there_to_learn_is_learned_by_every_kind_of_algorithm() -> None:
    rows, watts = recording()
    for algorithm, least in (("ensemble", 0.98), ("lines", 0.98), ("trees", 0.98), ("ols", 0.998), ("nnls", 0.998), ("knn", 0.9)):
        regressor = PowerRegressor(algorithm, feature_names=NAMES)  # type: ignore[arg-type]
        assert regressor.fit(rows[:300], watts[:300]).score(rows[300:], watts[300:]) > least, algorithm
    assert regressor.model_.features == tuple(NAMES) and regressor.model_.components == ("package",)


def test_the_same_rows_and_seed_give_the_same_model_to_the_last_bit() -> None:
    rows, watts = recording(200)
    first, second = (PowerRegressor("ensemble", random_state=5).fit(rows, watts).predict(rows) for _ in range(2))
    assert (first == second).all()
    assert (PowerRegressor("ensemble", random_state=6).fit(rows, watts).predict(rows) != first).any()


def test_power_never_falls_with_a_rising_feature() -> None:
    rows, watts = recording(300)
    regressor = PowerRegressor("trees", rising=[NAMES[0]], feature_names=NAMES).fit(rows, watts)
    line = np.column_stack([np.linspace(0, 4000, 200), np.full(200, 4e9)])
    assert (np.diff(regressor.predict(line)) >= 0).all()


def test_intervals_cover_what_they_promise() -> None:
    rows, watts = recording(600)
    regressor = PowerRegressor("ols", confidence=0.9).fit(rows[:400], watts[:400])
    lower, upper, confidence = regressor.predict_interval(rows[400:])
    assert confidence == 0.9 and 0.8 < np.mean((lower <= watts[400:]) & (watts[400:] <= upper)) <= 1.0
    assert regressor.model_.card is not None and regressor.model_.card["rows"] == 400


def test_a_trained_model_is_saved_loaded_and_sent_to_other_processes(tmp_path: Path) -> None:
    rows, watts = recording(200)
    regressor = PowerRegressor("trees", n_estimators=10, max_depth=3).fit(rows, watts)
    regressor.save(tmp_path / "package.json")
    expected = regressor.predict(rows)
    loaded, sent = models.load(tmp_path / "package.json"), pickle.loads(pickle.dumps(regressor))
    assert (loaded.predict(rows, "package") == expected).all() and (sent.predict(rows) == expected).all()


def test_it_works_in_scikit_learns_tools() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone, is_regressor
    from sklearn.exceptions import NotFittedError
    from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, watts = recording()
    regressor = PowerRegressor("ols")
    assert is_regressor(regressor) and clone(regressor).get_params() == regressor.get_params()
    with pytest.raises(NotFittedError):
        regressor.predict(rows)
    assert cross_val_score(regressor, rows, watts, cv=KFold(5)).min() > 0.99
    pipeline = make_pipeline(StandardScaler(), PowerRegressor("trees", n_estimators=50))
    assert pipeline.fit(rows[:300], watts[:300]).score(rows[300:], watts[300:]) > 0.95
    search = GridSearchCV(PowerRegressor("trees", n_estimators=20), {"max_depth": [1, 4]}, cv=3).fit(rows, watts)
    assert search.best_params_ == {"max_depth": 4}


def test_columns_of_a_data_frame_are_found_by_name() -> None:
    pandas = pytest.importorskip("pandas")
    rows, watts = recording(200)
    frame = pandas.DataFrame(rows, columns=NAMES)
    regressor = PowerRegressor("ols").fit(frame, pandas.Series(watts))
    assert list(regressor.feature_names_in_) == NAMES
    assert (regressor.predict(frame[NAMES[::-1]]) == regressor.predict(frame)).all()
    with pytest.raises(ModelError, match="no column cpu_cycles"):
        regressor.predict(frame[NAMES[:1]])


@pytest.mark.parametrize(
    ("parameters", "error", "named"),
    [
        ({"algorithm": "magic"}, ConfigurationError, "magic"),
        ({"component": "gpu"}, ConfigurationError, "gpu"),
        ({"semantics": "felt"}, ConfigurationError, "felt"),
        ({"algorithm": "trees", "max_depth": 99}, ConfigurationError, "99"),
        ({"rising": ["cycles"]}, ModelError, "cycles"),
        ({"feature_names": ["one"]}, ConfigurationError, "1 feature_names for 2 columns"),
        ({"random_state": -1}, ConfigurationError, "parameter"),
        ({"confidence": 1.5}, ConfigurationError, "1.5"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_by_name(
    parameters: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        PowerRegressor(**parameters).fit(*recording(100))


def test_rows_that_cannot_be_learned_from_are_errors_that_say_why() -> None:
    rows, watts = recording(100)
    with pytest.raises(ModelError, match="100 x 2 for 99"):
        PowerRegressor("ols").fit(rows, watts[:99])
    with pytest.raises(ModelError, match="3 rows"):
        PowerRegressor("ols").fit(rows[:3], watts[:3])
    rows[4, 1] = np.nan
    with pytest.raises(ModelError, match="row 5: x1"):
        PowerRegressor("ols").fit(rows, watts)
    with pytest.raises(ConfigurationError, match="colour"):
        PowerRegressor().set_params(colour="red")


def test_scikit_learn_is_not_needed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "sys.modules['sklearn'] = None\n"
        "from kepler_power.models import PowerRegressor\n"
        "rows = [[float(n), float(n % 7)] for n in range(100)]\n"
        "regressor = PowerRegressor('ols')\n"
        "try:\n"
        "    regressor.predict(rows)\n"
        "except Exception as error:\n"
        "    assert 'not fitted' in str(error)\n"
        "assert regressor.fit(rows, [10 + row[0] for row in rows]).score(rows, [10 + row[0] for row in rows]) > 0.999\n"
    )
    subprocess.run([sys.executable, str(script)], check=True)
