"""Platform power over Redfish, against a real Redfish server (sushy-static) on a tree of our own making."""

import base64
import csv
import http.server
import json
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from plug import answering
from polling import wait_until

CHASSIS = "/redfish/v1/Chassis/1"


class Bmc:
    """`sushy-static` at a free port; its resources are files, which a test changes."""

    def __init__(self, root: Path):
        self.root = root
        self.write("/redfish/v1", {"Id": "RootService", "Chassis": {"@odata.id": "/redfish/v1/Chassis"}})
        self.write("/redfish/v1/Chassis", {"Members": [{"@odata.id": CHASSIS}]})
        self.write(CHASSIS, {"Id": "1", "Name": "Computer System Chassis", "Power": {"@odata.id": f"{CHASSIS}/Power"}})
        self.show(250)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        program = str(Path(sys.executable).with_name("sushy-static"))
        command = [program, "--interface", "127.0.0.1", "--port", str(self.port), "--mockup-files", str(root / "redfish/v1")]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers, "sushy-static answers")

    def _answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def write(self, path: str, resource: dict) -> None:
        file = self.root / path.lstrip("/") / "index.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        # Whole, whenever it is read.
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps({"@odata.id": path} | resource))
        draft.rename(file)

    def show(self, watts: float | None) -> None:
        control = {"MemberId": "0", "Name": "System Power Control", "PowerConsumedWatts": watts}
        self.write(f"{CHASSIS}/Power", {"Id": "Power", "PowerControl": [control]})

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def bmc(tmp_path):
    server = Bmc(tmp_path / "mockup")
    yield server
    server.close()


@pytest.fixture
def flags(tmp_path):
    """Writes the file of BMCs, in Go Kepler's own form but for a quick interval, and gives the flags."""

    def write(text: str) -> tuple[str, ...]:
        file = tmp_path / "redfish.yaml"
        file.write_text(text)
        redfish = "--experimental.platform.redfish"
        return f"{redfish}.enabled", f"{redfish}.node-name=worker-1", f"{redfish}.config-file={file}"

    return write


def file_of(bmc: Bmc) -> str:
    return f'nodes:\n  worker-1: bmc-1\nbmcs:\n  bmc-1:\n    endpoint: http://127.0.0.1:{bmc.port}\n    username: ""\n    password: ""\n    interval: 1s\n'


def tool(server, name: str, **arguments) -> dict:
    request = urllib.request.Request(f"http://{server.address}/tools/{name}", json.dumps(arguments).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_measured_command_has_what_the_plug_showed_meanwhile(kepler_bin, plug, tmp_path):
    flags = (f"--experimental.platform.external.config-file={plug.file(tmp_path)}", "--meter=fake", "--format=csv", f"--output={tmp_path}/run.csv")
    subprocess.run([kepler_bin, "measure", *flags, "--", "sleep", "4"], check=True, timeout=60)
    (run,) = csv.DictReader((tmp_path / "run.csv").open())
    assert (run["platform_source"], run["platform_source_id"], run["platform_method"]) == ("http", "/StatusSNS/ENERGY/Power", "measured")
    assert float(run["platform_joules"]) / float(run["platform_covered_seconds"]) == pytest.approx(82, abs=0.01)
    assert float(run["platform_watts"]) == 82 and float(run["platform_age_seconds"]) < 30


def test_a_plug_stands_for_a_zone_until_it_is_not_believed_and_again_afterwards(kepler, kepler_bin, plug, tmp_path):
    meters = plug.file(tmp_path, "zone: package")
    flag = f"--experimental.platform.external.config-file={meters}"
    doctor = subprocess.run([kepler_bin, "doctor", flag], capture_output=True, text=True, timeout=60)
    assert "package (measured by external)" in doctor.stdout, doctor.stdout + doctor.stderr
    run = [kepler_bin, "measure", flag, "--format=json", f"--output={tmp_path}/run.json", "--", "sleep", "3"]
    subprocess.run(run, check=True, timeout=60)
    measured = json.loads((tmp_path / "run.json").read_text())["measurements"][0]["runs"][0]
    assert measured["platform"][0]["scope"] == "part", measured
    server = kepler("--monitor.interval=200ms", flag)

    def source() -> str:
        (series,) = server.scrape().select("kepler_power_source_info", zone="package")
        return f"{series.label('source')} {series.label('method')}"

    def joules() -> float:
        return server.scrape().sum("kepler_node_cpu_joules_total", zone="package")

    def watts() -> list[float]:
        return list(server.scrape().select("kepler_node_cpu_watts", zone="package").values())

    assert source() == "external measured"
    wait_until(lambda: watts() == pytest.approx([82]), "its power")
    zone = next(zone for zone in json.loads(server.get("/api/v1/node").body)["zones"] if zone["zone"] == "package")
    assert zone["path"].startswith("plug (http://127.0.0.1") and zone["source"] == "external"
    assert server.scrape().select("kepler_platform_reading_age_seconds", source="http", bmc_id="plug")
    assert not server.scrape().select("kepler_platform_residual_watts")
    before = joules()
    plug.watts = 160_000
    wait_until(lambda: source().endswith("estimated"), "the estimate instead")
    assert server.scrape().sum("kepler_read_errors_total", source="external", reason="implausible") >= 3
    assert joules() >= before
    plug.watts = 90
    # Better sources are looked for every half minute.
    wait_until(lambda: source() == "external measured", "the plug again", seconds=90)
    wait_until(lambda: watts() == pytest.approx([90]), "its power")
    assert joules() >= before
    server.kill()
    # Another source that is forced leaves it out, and says so.
    forced = kepler("--meter=fake", flag)
    assert "no meter outside stands for the zone package" in forced.log


def test_a_bmc_that_hangs_delays_no_measurement_no_scrape_and_not_the_end(kepler, flags):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = f"nodes:\n  worker-1: b\nbmcs:\n  b:\n    endpoint: http://127.0.0.1:{silent.getsockname()[1]}\n"
        server = kepler("--monitor.interval=200ms", "--meter=fake", *flags(text))
        silent.settimeout(30)
        held, _ = silent.accept()
        with held:
            # The request is under way and stays so: five measurements come and are scraped meanwhile.
            joules = [server.scrape().sum("kepler_node_cpu_joules_total", zone="package")]
            while len(joules) < 5:
                wait_until(lambda: server.scrape().sum("kepler_node_cpu_joules_total", zone="package") > joules[-1], "another measurement")
                joules.append(server.scrape().sum("kepler_node_cpu_joules_total", zone="package"))
            assert not server.scrape().select("kepler_platform_watts")
            assert server.stop() == 0


def test_a_plug_is_read_beside_the_bmc_and_what_is_left_is_that_of_the_plug(kepler, bmc, flags, plug, tmp_path):
    meters = tmp_path / "meters.yaml"
    address = f"http://127.0.0.1:{plug.server_port}"
    meters.write_text(f"meters:\n  plug:\n    url: {address}/cm?cmnd=Status%208\n    field: /StatusSNS/ENERGY/Power\n    interval: 1s\n  lost:\n    url: {address}/else\n    field: /x\n  half:\n    url: {address}\n")
    server = kepler("--monitor.interval=200ms", *flags(file_of(bmc)), f"--experimental.platform.external.config-file={meters}")
    wait_until(lambda: len(server.scrape().select("kepler_platform_watts")) == 2, "both meters")
    watts = {series.label("source"): value for series, value in server.scrape().select("kepler_platform_watts").items()}
    assert watts == {"redfish": 250, "http": 82}
    wait_until(lambda: [row.label("source") for row in server.scrape().select("kepler_platform_residual_watts")] == ["http"], "the rest of the plug's")
    assert "meters.yaml:9: meter `half` has no `field`" in server.log
    wait_until(lambda: server.scrape().sum("kepler_read_errors_total", source="http", reason="status") > 0, "the one that is lost")
    plug.watts = -1
    wait_until(lambda: server.scrape().select("kepler_read_errors_total", source="http", reason="implausible"), "the absurd figure")
    wait_until(lambda: [row.label("source") for row in server.scrape().select("kepler_platform_watts")] == ["redfish"], "it is not shown")


def test_a_bmc_is_found_summed_up_and_shown_everywhere(kepler, kepler_bin, bmc, flags):
    given = flags(file_of(bmc))
    doctor = subprocess.run([kepler_bin, "doctor", *given], capture_output=True, text=True, timeout=60)
    assert "chassis 1 (node): 250.0 W" in doctor.stdout, doctor.stdout + doctor.stderr
    server = kepler("--monitor.interval=200ms", *given)

    def joules() -> float:
        return server.scrape().sum("kepler_platform_joules_total")

    wait_until(lambda: joules() > 0, "platform energy")
    (series, watts), = server.scrape().select("kepler_platform_watts").items()
    assert watts == 250
    labels = {name: series.label(name) for name in ("source", "bmc_id", "chassis_id", "source_id", "source_type")}
    assert labels == {"source": "redfish", "bmc_id": "bmc-1", "chassis_id": "1", "source_id": "0", "source_type": "PowerControl"}
    scrape = server.scrape()
    mean = scrape.sum("kepler_platform_joules_total") / scrape.sum("kepler_platform_covered_seconds_total")
    assert mean == pytest.approx(250, abs=0.01)
    answer = tool(server, "get_power_now")["platform"][0]
    assert (answer["source_type"], answer["power_watts"], answer["scope"], answer["basis"]) == ("PowerControl", 250, "node", "measured")
    energy = tool(server, "get_energy", window="1m")["platform"][0]
    assert energy["energy_joules"] / energy["covered_seconds"] == pytest.approx(250, abs=0.01)
    node = json.loads(server.get("/api/v1/node").body)
    assert node["platform"][0]["power_watts"] == 250 and node["platform"][0]["scope"] == "node"
    # Absurd figures add nothing and are counted; the next good one goes on.
    bmc.show(160_000)
    wait_until(lambda: server.scrape().select("kepler_read_errors_total", source="redfish", reason="implausible"), "the fault")
    assert not server.scrape().select("kepler_platform_watts")
    assert "redfish.yaml:4" in server.log and "implausible" in server.log
    before = joules()
    bmc.show(300)
    wait_until(lambda: joules() > before, "energy goes on")
    assert joules() - before < 300 * 60


def test_workloads_are_charged_what_the_bmc_shows_beside_their_parts(kepler, kepler_bin, bmc, flags):
    given = (*flags(file_of(bmc)), "--experimental.platform.attribute=proportional", "--meter=fake")
    doctor = subprocess.run([kepler_bin, "doctor", *given], capture_output=True, text=True, timeout=60)
    assert "attribute proportional" in doctor.stdout, doctor.stdout + doctor.stderr
    server = kepler("--monitor.interval=200ms", *given, "--region=KR", "--pue=1.5")

    def node() -> dict:
        return json.loads(server.get("/api/v1/node").body)

    def zone() -> dict:
        return next(zone for zone in node()["zones"] if zone["zone"] == "platform")

    wait_until(lambda: zone()["energy_joules"] > 100, "the rest of the machine")
    scrape = server.scrape()
    assert scrape.sum("kepler_node_cpu_joules_total", zone="platform") == scrape.sum("kepler_platform_residual_joules_total") > 100
    assert scrape.sum("kepler_process_cpu_joules_total", zone="platform") > 0
    assert "platform" in node()["total"]["zones"]
    carbon = json.loads(server.get("/api/v1/carbon").body)
    assert carbon["facility_energy_kwh"] * 3.6e6 == pytest.approx(carbon["energy_joules"] * 1.5, rel=1e-6), "PUE starts from it"
    # A figure that is not believed is no power of the zone, and charges no one.
    bmc.show(160_000)
    wait_until(lambda: zone().get("fault") == "implausible", "the zone says so")
    assert zone()["power_watts"] is None
    assert not server.scrape().select("kepler_node_cpu_watts", zone="platform")


def test_a_policy_without_a_meter_is_said(kepler):
    server = kepler("--meter=fake", "--experimental.platform.attribute=proportional")
    wait_until(lambda: "no meter of the whole machine is configured" in server.log, "the warning")
    assert not server.scrape().select("kepler_node_cpu_joules_total", zone="platform")


@pytest.fixture(params=["CA:FALSE", "CA:TRUE"])
def guarded(tmp_path, request):
    """Starts a BMC of one chassis at 250 W that asks for `monitor` and `secret`, over TLS with a certificate of its own making.

    If that says that it is an authority, as `openssl` makes them where nothing else is said, the BMC tells no length of an answer either.
    """
    certificate, key = tmp_path / "bmc.pem", tmp_path / "bmc.key"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bmc"]
    is_authority = request.param == "CA:TRUE"
    extensions = ["-addext", "subjectAltName=IP:127.0.0.1", *([] if is_authority else ["-addext", "basicConstraints=critical,CA:FALSE"])]
    subprocess.run([*make, *extensions, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    expected = "Basic " + base64.b64encode(b"monitor:secret").decode()
    resources = {
        "/redfish/v1": {"Chassis": {"@odata.id": "/redfish/v1/Chassis"}},
        "/redfish/v1/Chassis": {"Members": [{"@odata.id": CHASSIS}]},
        CHASSIS: {"Id": "1", "Power": {"@odata.id": f"{CHASSIS}/Power"}},
        f"{CHASSIS}/Power": {"PowerControl": [{"MemberId": "0", "PowerConsumedWatts": 250}]},
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.rstrip("/")
            is_open = path == "/redfish/v1" or self.headers.get("Authorization") == expected
            found = resources.get(path)
            self._answer(401 if not is_open else 200 if found else 404, {"@odata.id": path} | (found or {}) if is_open else {})

        def do_POST(self):
            self._answer(401, {})

        def _answer(self, status: int, document: dict) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            # Without it only the connection's end is that of the answer, and Python says no `close_notify` before it.
            if not is_authority:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.certificate = certificate
    with answering(server):
        yield server


@pytest.mark.parametrize(
    ("password", "trust", "reason"),
    [("wrong", "insecure: true", "refused"), ("secret", "insecure: false", "certificate")],
    ids=["wrong password", "certificate of its own"],
)
def test_a_bmc_that_refuses_or_cannot_be_trusted_is_named_with_its_place_and_the_rest_goes_on(kepler, kepler_bin, guarded, flags, password, trust, reason):
    text = f"nodes:\n  worker-1: b\nbmcs:\n  b:\n    endpoint: https://127.0.0.1:{guarded.server_port}\n    username: monitor\n    password: {password}\n    login: basic\n    {trust}\n"
    given = flags(text)
    server = kepler("--monitor.interval=200ms", "--meter=fake", *given)
    wait_until(lambda: server.scrape().select("kepler_read_errors_total", source="redfish", reason=reason), f"{reason} is counted")
    assert "redfish.yaml:4: BMC `b`" in server.log and password not in server.log
    before = server.scrape().sum("kepler_node_cpu_joules_total", zone="package")
    wait_until(lambda: server.scrape().sum("kepler_node_cpu_joules_total", zone="package") > before, "zones go on")
    doctor = subprocess.run([kepler_bin, "doctor", *given], capture_output=True, text=True, timeout=60)
    assert "redfish   not usable: BMC b" in doctor.stdout and password not in doctor.stdout, doctor.stdout


@pytest.mark.parametrize("trust", ["insecure: true", "caFile: {}"])
def test_a_certificate_of_its_own_is_taken_where_that_is_said(kepler, guarded, flags, trust):
    text = f"nodes:\n  worker-1: b\nbmcs:\n  b:\n    endpoint: https://127.0.0.1:{guarded.server_port}\n    username: monitor\n    password: secret\n    login: basic\n    {trust.format(guarded.certificate)}\n"
    server = kepler("--meter=fake", *flags(text))
    wait_until(lambda: list(server.scrape().select("kepler_platform_watts", bmc_id="b").values()) == [250], "its power")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nodes:\n  worker-2: b\nbmcs:\n  b:\n    endpoint: http://127.0.0.1:1\n", "redfish.yaml:1: there is no node `worker-1`"),
        ("nodes:\n  worker-1: a\n  worker-1: b\nbmcs:\n  a:\n    endpoint: http://127.0.0.1:1\n  b:\n    endpoint: http://127.0.0.1:1\n", "redfish.yaml:3: node `worker-1`"),
        ("nodes:\n  worker-1: b\nbmcs:\n  b:\n    endpoint: http://127.0.0.1:1\n    username: x\n", "redfish.yaml:4: BMC `b` has a `username` and no `password`"),
        ("nodes:\n  worker-1: b\nbmcs:\n  b:\n    endpoint: http://127.0.0.1:1\n", "redfish.yaml:4: BMC `b` gives no power"),
    ],
    ids=["missing node", "node twice", "no password", "unreachable"],
)
def test_what_is_wrong_is_said_with_its_place_and_the_rest_is_measured(kepler, flags, text, said):
    server = kepler("--monitor.interval=200ms", *flags(text))
    wait_until(lambda: said in server.log, said)
    wait_until(lambda: server.scrape().sum("kepler_read_errors_total", source="redfish") > 0, "the fault is counted")
    assert server.is_ready()
