"""Power models as operators use them: recorded, predicted with, served to exporters, configured."""

import csv
import io
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from polling import wait_until
from workloads import running, spinning

MODELS = Path(__file__).parents[2] / "kepler-core/tests/fixtures/models"
GROUP = MODELS / "rack-0.7.11/rapl-sysfs/AbsPower/BPFOnly"
BPF = ["bpf_cpu_time_ms", "bpf_page_cache_hit"]
PUBLISHED = "kepler-model-db"


@pytest.fixture
def server(models_bin: Path, tmp_path: Path) -> Iterator[str]:
    """A model server, by its address."""
    log, path = tmp_path / "model-server.log", tmp_path / "estimator.sock"
    command = [models_bin, "model-server", MODELS, "--web.listen-address=127.0.0.1:0", f"--socket={path}"]
    with log.open("wb") as file, running(command, stdout=file, stderr=file) as process:

        def address() -> str | None:
            assert process.poll() is None, log.read_text()
            found = [word for word in log.read_text().split() if word.startswith("http://")]
            return found[0] if found and path.exists() else None

        yield wait_until(address, "the model server")


def post(url: str, request: object) -> tuple[int, bytes]:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def request(**changes) -> dict:
    """What an exporter of Kepler 0.7 sends."""
    return {
        "metrics": BPF,
        "output_type": "AbsPower",
        "source": "rapl-sysfs",
        "node_type": 1,
        "weight": True,
        "trainer_name": "",
        "filter": "",
    } | changes


def test_an_older_exporter_finds_only_components_in_its_weights(server):
    status, body = post(f"{server}/model", request(node_type=0))
    assert status == 200
    weights = json.loads(body)
    assert weights == json.loads((GROUP / "SGDRegressorTrainer_0.json").read_text())
    # As it reads them: every key is a component, with numerical variables that have a scale.
    for component in weights.values():
        variables = component["All_Weights"]["Numerical_Variables"]
        assert all(variable["scale"] > 0 for variable in variables.values())


def test_a_newer_exporter_gets_the_model_and_its_machine(server):
    spec = {"vendor": "intel", "processor": "intel_xeon_platinum_8259cl", "cores": 96, "chips": 2, "memory": 377,
            "frequency": 3500, "threads_per_core": 2}
    status, body = post(f"{server}/model", request(machine_spec=spec, trainer_name="SGDRegressorTrainer"))
    assert status == 200
    assert json.loads(body)["model_name"] == "SGDRegressorTrainer_0"
    assert json.loads(body)["machine_spec"]["processor"] == spec["processor"]


def test_an_estimator_unpacks_the_zip_that_it_is_sent(server):
    status, body = post(f"{server}/model", request(weight=False, trainer_name="XgboostFitTrainer", node_type=0))
    assert status == 200
    names = zipfile.ZipFile(io.BytesIO(body)).namelist()
    assert {"XgboostFitTrainer_0.json", "package.json"} <= set(names), names


def test_a_request_that_no_model_suits_is_400_with_a_reason(server):
    status, body = post(f"{server}/model", request(metrics=["moonlight"]))
    assert status == 400 and b"is not among the metrics" in body
    status, body = post(f"{server}/model", b"{")
    assert status == 400 and b"not understood" in body


def test_the_estimators_client_reads_once(server, tmp_path):
    """As the reference's exporter: connect, write, read 4,096 bytes once, close."""
    asked = {"metrics": BPF, "values": [[0, 0], [4000, 25]], "output_type": "AbsPower", "source": "rapl-sysfs",
             "system_features": ["cpu_architecture"], "system_values": ["Sky Lake"],
             "trainer_name": "SGDRegressorTrainer", "filter": ""}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(tmp_path / "estimator.sock"))
        client.sendall(json.dumps(asked).encode())
        reply = json.loads(client.recv(4096))
    assert reply["msg"] == ""
    # Which machine is the nearest depends on this one; the reply says which.
    weights = json.loads((GROUP / f"{reply['model']}.json").read_text())["package"]["All_Weights"]
    variables = weights["Numerical_Variables"]
    busy = sum(variables[name]["weight"] * x / variables[name]["scale"] for name, x in zip(BPF, [4000, 25]))
    assert reply["powers"]["package"] == pytest.approx([weights["Bias_Weight"], weights["Bias_Weight"] + busy], abs=0.001)
    assert all(watts >= 0 for powers in reply["powers"].values() for watts in powers)


def test_a_long_answer_comes_whole(server, tmp_path):
    rows = [[row * 0.1, 0] for row in range(20_000)]
    asked = {"metrics": BPF, "values": rows, "output_type": "AbsPower", "source": "rapl-sysfs"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(tmp_path / "estimator.sock"))
        client.sendall(json.dumps(asked).encode())
        reply = json.loads(b"".join(iter(lambda: client.recv(65536), b"")))
    assert len(reply["powers"]["package"]) == len(rows)


def predict(models_bin: Path, *arguments: str, rows: str) -> subprocess.CompletedProcess:
    command = [models_bin, "predict", *arguments, "-"]
    return subprocess.run(command, input=rows, capture_output=True, text=True, timeout=20)


def test_rows_are_predicted_as_the_published_formulas_say(models_bin):
    rows = "bpf_page_cache_hit,bpf_cpu_time_ms,name\n25,4000,a\n0,0,b\n"
    done = predict(models_bin, str(GROUP / "SGDRegressorTrainer_0.json"), rows=rows)
    assert done.returncode == 0, done.stderr
    table = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [float(row["package"]) for row in table] == [72.0, 20.0]
    assert list(table[0]) == ["package", "core", "dram"]
    tree = predict(models_bin, str(GROUP / "XgboostFitTrainer_0"), rows="bpf_cpu_time_ms,bpf_page_cache_hit\n,0\n")
    assert float(next(csv.DictReader(io.StringIO(tree.stdout)))["package"]) == 129.0, "missing, as the trees take it"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("bpf_cpu_time_ms\n1\n", "line 1: no column `bpf_page_cache_hit`"),
        ("# a comment\nbpf_cpu_time_ms,bpf_page_cache_hit\n1,2\n3,oops\n", "line 4, column 2 (`bpf_page_cache_hit`): `oops`"),
        ("bpf_cpu_time_ms,bpf_page_cache_hit\n1,2\n3\n", "line 3: 1 columns where the header has 2"),
        ("bpf_cpu_time_ms,bpf_page_cache_hit\n1,2\n,4\n", "line 3, column 1: `bpf_cpu_time_ms` is empty"),
        ("# semantics: as-named\nbpf_cpu_time_ms,bpf_page_cache_hit\n1,2\n", "one idle CPU counted as busy"),
        ("# semantics: true\nbpf_cpu_time_ms,bpf_page_cache_hit\n1,2\n", "line 1: unknown semantics `true`"),
    ],
    ids=["column", "word", "short", "empty", "semantics", "declaration"],
)
def test_a_bad_row_is_named_with_line_and_column(models_bin, rows, expected):
    done = predict(models_bin, str(GROUP / "SGDRegressorTrainer_0.json"), rows=rows)
    assert done.returncode == 2
    assert expected in done.stderr and "standard input" in done.stderr


def test_published_models_predict_their_golden_values(models_bin, tmp_path):
    shared = Path(os.environ.get("KEPLER_SHARED_DATA", Path(__file__).parents[3] / "shared/data")) / "models" / PUBLISHED
    if not shared.is_dir():
        pytest.skip(f"no {shared}; set KEPLER_SHARED_DATA")
    for golden in json.loads((shared / "golden_predictions.json").read_text()):
        path = shared / golden["model"]
        if path.suffix != ".json" or "weight" not in golden["kind"]:
            continue
        rows = io.StringIO()
        csv.writer(rows).writerows([golden["features"], *golden["X"]])
        done = predict(models_bin, str(path), rows=rows.getvalue())
        assert done.returncode == 0, done.stderr
        table = list(csv.DictReader(io.StringIO(done.stdout)))
        for component, watts in golden["clipped_at_0"].items():
            if component == "core":
                continue  # where it is zero, it is what uncore leaves of the package
            assert [float(row[component]) for row in table] == pytest.approx(watts, rel=1e-9), golden["model"]


def counter(labels: dict, rates: list[float]) -> dict:
    """What Prometheus answers for a counter that is scraped every 15 s."""
    totals = [sum(rates[:count]) * 15 for count in range(len(rates) + 1)]
    return {"metric": labels, "values": [[1_700_000_000 + 15 * n, str(total)] for n, total in enumerate(totals)]}


def test_what_prometheus_recorded_is_trained_from_and_served(models_bin, tmp_path):
    models, log = tmp_path / "models", tmp_path / "log"
    models.mkdir()
    command = [models_bin, "model-server", models, "--web.listen-address=127.0.0.1:0", "--train.listen-address=127.0.0.1:0"]
    with log.open("wb") as file, running(command, stdout=file, stderr=file) as process:

        def addresses() -> list[str] | None:
            assert process.poll() is None, log.read_text()
            found = [word for word in log.read_text().split() if word.startswith("http://")]
            return found if len(found) == 2 else None

        serving, training = wait_until(addresses, "both addresses")
        busy = [8000 * (n * 0.618034 % 1) for n in range(200)]
        recorded = {
            "kepler_node_package_joules_total": [counter({"source": "rapl-sysfs"}, [40 + ms / 100 for ms in busy])],
            "kepler_container_bpf_cpu_time_ms_total": [counter({"container_id": "a"}, busy)],
            "kepler_container_bpf_page_cache_hit_total": [counter({"container_id": "a"}, [0] * 200)],
        }
        trainer = {"abs_trainers": ["SGDRegressorTrainer"], "dyn_trainers": ["SGDRegressorTrainer"], "isolator": "MinIdleIsolator"}
        asked = {"name": "ours", "energy_source": "rapl-sysfs", "trainer": trainer, "prom_response": recorded}
        status, body = post(f"{serving}/model", request())
        assert status == 400
        status, body = post(f"{training}/train", asked)
        assert status == 200, body
        names = zipfile.ZipFile(io.BytesIO(body)).namelist()
        assert "rapl-sysfs/AbsPower/BPFOnly/SGDRegressorTrainer_0.json" in names
        status, body = post(f"{serving}/predict", request(values=[[0, 0], [5000, 0]]))
        assert json.loads(body)["powers"]["package"] == pytest.approx([40, 90])
        assert post(f"{training}/train", asked | {"prom_response": {}})[0] == 400
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def read_trace(path: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    lines = path.read_text().splitlines()
    about = dict(line[1:].strip().split(": ", 1) for line in lines if line.startswith("#"))
    return about, list(csv.DictReader(line for line in lines if not line.startswith("#")))


def test_a_trace_holds_what_the_machine_did_and_drew(models_bin, simulated, tmp_path, figure):
    trace = tmp_path / "trace.csv"
    command = [models_bin, "record", "-o", trace, "--duration=6s", "--monitor.interval=500ms", f"--host.sysfs={simulated}"]
    with spinning(tmp_path):
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    about, rows = read_trace(trace)
    assert about["semantics"] == "as-named" and about["power"] == "package=powercap, dram=powercap"
    # A busy machine may miss some.
    assert 6 <= len(rows) <= 13
    errors = []
    for row in rows:
        busy = float(row["bpf_cpu_time_ms"]) / 1000
        errors.append(float(row["package_power"]) - (40 + 20 * busy))
        assert float(row["threads"]) == os.cpu_count()
    mean = sum(errors) / len(errors)
    figure(f"{len(rows)} rows; recorded power is {mean:+.2f} W off the truth on average")
    assert abs(mean) < 3
    again = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert again.returncode == 2 and "choose a new name" in again.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["int", "term", "kill"])
def test_however_it_ends_a_trace_ends_with_a_whole_row(models_bin, simulated, tmp_path, number):
    trace = tmp_path / "trace.csv"
    command = [models_bin, "record", "-o", trace, "--monitor.interval=50ms", f"--host.sysfs={simulated}"]
    with running(command, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: trace.exists() and len(trace.read_text().splitlines()) > 20, "some rows")
        process.send_signal(number)
        assert process.wait(timeout=10) == (-number if number == signal.SIGKILL else 0)
    assert trace.read_text().endswith("\n")
    _, rows = read_trace(trace)
    assert all(None not in row.values() and float(row["package_power"]) > 0 for row in rows)


def test_estimates_are_not_recorded_as_if_they_were_measured(models_bin, tmp_path):
    empty = tmp_path / "sys"
    empty.mkdir()
    command = [models_bin, "record", "-o", tmp_path / "trace.csv", "--duration=1s", f"--host.sysfs={empty}",
               "--meter=model", "--monitor.interval=200ms"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert refused.returncode == 3 and "--features-only" in refused.stderr
    done = subprocess.run([*command, "--features-only"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    about, rows = read_trace(tmp_path / "trace.csv")
    assert about["power"] == "none" and "package_power" not in rows[0]


def test_a_configured_model_estimates_where_nothing_is_measured(kepler, models_bin, tmp_path):
    empty = tmp_path / "sys"
    empty.mkdir()
    model = tmp_path / "SGDRegressorTrainer_0.json"
    variables = {"bpf_cpu_time_ms": {"scale": 96000.0, "weight": 288.0}}
    weights = {"Bias_Weight": 144.0, "Categorical_Variables": {}, "Numerical_Variables": variables}
    model.write_text(json.dumps({"package": {"All_Weights": weights}}))
    flags = ("--meter=model", f"--host.sysfs={empty}", f"--model.path={model}", "--monitor.interval=200ms")
    server = kepler(*flags, "--model.semantics=as-named", "--model.host-threads=96")
    scrape = server.scrape_with_power()
    assert scrape.select("kepler_power_source_info", source="model-file", method="estimated", zone="package")
    # Its share of the host, idle included: not the 144 W of a whole server.
    cpus = os.cpu_count()
    watts = scrape.sum("kepler_node_cpu_watts", zone="package")
    assert 144 * cpus / 96 - 0.01 <= watts <= (144 + 288) * cpus / 96 + 0.01

    # Wrong or unknown semantics: refused with the reason, and the estimate that needs no model goes on.
    unknown = (*flags, "--model.host-threads=96")
    other = kepler(*unknown)
    scrape = other.scrape_with_power()
    assert scrape.select("kepler_power_source_info", source="model", method="estimated", zone="package")
    assert "is not declared" in other.log
    doctor = subprocess.run([models_bin, "doctor", *unknown], capture_output=True, text=True, timeout=20)
    assert "model-file" in doctor.stdout and "is not declared" in doctor.stdout
