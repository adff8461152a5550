"""Power models from Python: loading, predicting, finding."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from shared import shared

from kepler_power import models
from kepler_power.errors import DataError, ModelError

np = pytest.importorskip("numpy")

LINEAR = json.dumps(
    {
        name: {
            "All_Weights": {
                "Bias_Weight": bias,
                "Categorical_Variables": {},
                "Numerical_Variables": {
                    "bpf_cpu_time_ms": {"scale": 1000.0, "weight": 10.0},
                    "cpu_cycles": {"scale": 1e9, "weight": 2.0},
                },
            }
        }
        for name, bias in (("package", 20.0), ("dram", 5.0))
    }
)


@pytest.fixture
def model() -> models.Model:
    return models.Model.from_json(LINEAR, "SGDRegressorTrainer_0")


def test_a_model_says_what_it_wants_and_what_it_gives(model: models.Model) -> None:
    assert (model.features, set(model.components)) == (("bpf_cpu_time_ms", "cpu_cycles"), {"package", "dram"})
    assert (model.trainer, model.node_type, model.open_categories) == ("SGDRegressorTrainer", 0, ())
    assert model.card is None and model.ranges == {}


def test_rows_may_be_arrays_lists_or_tables_and_give_the_same(model: models.Model) -> None:
    rows = np.array([[0.0, 0.0], [1000.0, 1e9], [2000.0, 5e8]])
    expected = [20.0, 32.0, 41.0]
    assert model.predict(rows, "package").tolist() == expected
    assert model.predict(rows.tolist(), "package").tolist() == expected
    # Other types, orders and strides are converted.
    for other in (np.asfortranarray(rows), rows.astype(np.float32), np.repeat(rows, 2, axis=0)[::2]):
        assert model.predict(other, "package").tolist() == expected
    both = model.predict(rows)
    assert both.shape == (3, 2) and both[:, model.components.index("dram")].tolist() == [5.0, 17.0, 26.0]
    assert model.predict([1000.0, 1e9], "dram").tolist() == [17.0]
    assert model.predict(np.empty((0, 2))).shape == (0, 2)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"cpu_cycles": rows[:, 1], "other": 1.0, "bpf_cpu_time_ms": rows[:, 0]})
    assert model.predict(frame, "package").tolist() == expected


def test_contiguous_arrays_are_used_in_place(model: models.Model) -> None:
    rows = np.random.default_rng(1).uniform(0, 1000, (10, 2))
    assert models._model._matrix(rows, model.features) is rows


def test_published_models_predict_what_their_libraries_did() -> None:
    database = shared("models/kepler-model-db")
    compared = set()
    for case in json.loads((database / "golden_predictions.json").read_text()):
        # Pickles of scikit-learn are programs, and not read.
        if case["kind"] == "scikit":
            continue
        # Archives lie here unpacked.
        model = models.load(database / case["model"].removesuffix(".zip"))
        for component, expected in case["clipped_at_0"].items():
            # The golden file stops before core is derived from package and uncore.
            if component != "core":
                predicted = model.predict(np.array(case["X"]), component)
                assert predicted == pytest.approx(np.array(expected), rel=1e-6, abs=2e-4), case["model"]
                compared.add(case["model"])
    assert len(compared) == 8


def test_a_model_for_a_machine_is_found_and_says_how_far_it_is() -> None:
    database = shared("models/kepler-model-db")
    catalogue = models.Catalogue.open(database)
    assert len(catalogue.entries) > 10
    measured = ["bpf_cpu_time_ms"]
    entry = next(one for one in catalogue.entries if one.source == "acpi" and one.processor)
    assert entry.processor is not None
    machine = models.Machine(entry.processor, threads=64)
    found = models.find(database, measured, machine=machine, source="acpi", convert=True)
    assert 0 <= found.distance <= 1 and found.reason and found.model.components == ("platform",)
    with pytest.raises(DataError, match="no model for this machine"):
        models.find(database, measured, machine="Some Z80 at 4 MHz")


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([[1.0, 2.0, 3.0]], "1 x 3 for 2 features"),
        ([[1.0, float("nan")]], "row 0: `cpu_cycles`"),
        ([["a", "b"]], "no numbers"),
        ([[1.0, 1.0]] * 20_000 + [[float("inf"), 1.0]], "row 20000: `bpf_cpu_time_ms`"),
    ],
)
def test_rows_that_do_not_fit_are_an_error_that_says_where(model: models.Model, rows: Any, named: str) -> None:
    with pytest.raises(ModelError, match=named):
        model.predict(rows)


def test_a_table_without_a_column_is_an_error_that_names_it(model: models.Model) -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ModelError, match="no column cpu_cycles"):
        model.predict(pandas.DataFrame({"bpf_cpu_time_ms": [1.0]}))


def test_files_that_are_no_models_are_errors_that_say_why(tmp_path: Path, model: models.Model) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        models.load("/nowhere.json")
    (tmp_path / "half.json").write_text('{"package": {')
    with pytest.raises(ModelError, match="half.json"):
        models.load(tmp_path / "half.json")
    with pytest.raises(ModelError, match="no component `gpu`") as caught:
        model.predict([[1.0, 1.0]], "gpu")
    assert "package" in caught.value.remedy


def test_a_model_is_a_value_that_can_be_sent_to_other_processes(tmp_path: Path, model: models.Model) -> None:
    (tmp_path / "SGDRegressorTrainer_7.json").write_text(LINEAR)
    for one in (model, models.load(tmp_path / "SGDRegressorTrainer_7.json").with_chips(2).with_semantics("as-named")):
        again = pickle.loads(pickle.dumps(one))
        assert again.predict([[1000.0, 1e9]]).tolist() == one.predict([[1000.0, 1e9]]).tolist()
        assert (again.semantics, again.ceiling("package")) == (one.semantics, one.ceiling("package"))


def test_threads_predict_at_once_and_the_gil_is_free(model: models.Model) -> None:
    rows = np.random.default_rng(1).uniform(0, 1000, (200_000, 2))
    expected = model.predict(rows, "package", threads=1)
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(model.predict(rows, "package"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all((result == expected).all() for result in results)


def test_without_numpy_lists_give_lists(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "sys.modules['numpy'] = None\n"
        "from kepler_power import models\n"
        f"model = models.Model.from_json({LINEAR!r}, 'SGDRegressorTrainer_0')\n"
        "assert model.predict([[1000, 1e9]], 'package') == [32.0]\n"
        "assert model.predict([[1000, 1e9]]) == [[{'package': 32.0, 'dram': 17.0}[name] for name in model.components]]\n"
    )
    subprocess.run([sys.executable, str(script)], check=True)


def test_many_rows_are_predicted_in_pieces_and_in_order() -> None:
    names = ["bpf_cpu_time_ms", "bpf_page_cache_hit", "cache_miss", "cpu_cycles", "cpu_instructions"]
    variables = {name: {"scale": 1e3, "weight": 1.0} for name in names}
    weights = {"Bias_Weight": 1.0, "Categorical_Variables": {}, "Numerical_Variables": variables}
    document = json.dumps({"package": {"All_Weights": weights}, "dram": {"All_Weights": weights}})
    model = models.Model.from_json(document, "SGDRegressorTrainer_0")
    rows = np.random.default_rng(1).uniform(0, 1000, (50_001, 5))
    result = model.predict(rows)
    assert result.shape == (50_001, 2)
    assert np.allclose(result[:, 0], 1.0 + rows.sum(axis=1) / 1e3)
    rows[40_000, 2] = np.nan
    with pytest.raises(ModelError, match="row 40000: `cache_miss`"):
        model.predict(rows)
