"""The REST interface as curl, a program and an operator meet it."""

import http.client
import json
import re
import shutil
import sqlite3
import statistics
import subprocess
import threading
import time
from pathlib import Path

import pytest

from polling import wait_until
from workloads import spinning

ASSESS = "/tools/assess_workload_compliance"


def curl(*arguments: str) -> str:
    command = ["curl", "--silent", "--show-error", "--max-time", "20", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def energy_is_known(server) -> bool:
    return server.get("/api/v1/history?range=1m").status == 200


def test_the_curl_of_the_documentation_is_answered(kepler, tmp_path):
    server = kepler("--monitor.interval=200ms", "--region=KR", "--pue=1.2")
    with spinning(tmp_path):
        body = '{"workload_name":"e2e-spin"}'
        url = f"http://{server.address}{ASSESS}"

        def verdict() -> dict | None:
            answer = json.loads(curl("-X", "POST", url, "-d", body))
            return answer if answer.get("power_watts", {}).get("total") else None

        answer = wait_until(verdict, "a verdict with power")
    assert answer["workload"] == "e2e-spin" and answer["kind"] == "process"
    assert answer["status"] in ("COMPLIANT", "NON_COMPLIANT")
    assert answer["current_carbon_intensity_gCO2eq_kWh"] > 0


def test_answers_about_one_moment_agree(kepler):
    server = kepler("--monitor.interval=1s")
    wait_until(lambda: energy_is_known(server), "energy")

    def asked_twice() -> bool:
        first = json.loads(curl("-d", "{}", f"http://{server.address}/tools/get_power_hotspots"))
        summary = json.loads(curl("-d", "{}", f"http://{server.address}/tools/get_cluster_carbon_summary"))
        second = json.loads(curl("-d", "{}", f"http://{server.address}/tools/get_power_hotspots"))
        if not first["moment"] == summary["moment"] == second["moment"]:
            return False  # a tick came between
        assert first == second
        return True

    wait_until(asked_twice, "answers between two ticks")


def test_mistakes_are_problems_with_a_remedy(kepler):
    server = kepler("--monitor.interval=200ms")
    wait_until(lambda: energy_is_known(server), "energy")
    url = f"http://{server.address}"
    for status, arguments, remedy in [
        (404, ["-d", '{"workload_name":"no-such-thing"}', url + ASSESS], "nearest: "),
        (404, ["-d", '{"workload_name":"kepler","region":"atlantis"}', url + ASSESS], "atlantis"),
        (404, ["-d", "{}", url + "/tools/assess"], "assess_workload_compliance"),
        (422, ["-d", '{"workload_name":[]}', url + ASSESS], "workload: invalid type"),
        (400, ["-d", '{"workload_name":', url + ASSESS], "line 1 column 17"),
        (413, ["-d", " " * 70_000, url + ASSESS], "65536 bytes"),
        (415, ["-H", "Content-Type: text/xml", "-d", "<a/>", url + ASSESS], "application/json"),
        (405, [url + ASSESS], "does not take GET"),
        (400, [url + "/api/v1/processes?top=3"], "limit"),
        (404, [url + "/api/v1/proceses"], "/openapi.json"),
        (403, ["-H", "Origin: http://evil.example", "-d", "{}", url + "/tools/get_power_hotspots"], "evil.example"),
    ]:
        answer, media, code = curl("-w", "\n%{content_type}\n%{http_code}", *arguments).rsplit("\n", 2)
        problem = json.loads(answer)
        assert (int(code), media) == (status, "application/problem+json"), answer
        assert problem["status"] == status and remedy in problem["detail"], answer
    # A foreign Host is refused before anything else is looked at, whatever the path.
    for path in ("/tools", "/metrics", "/"):
        answer, code = curl("-w", "\n%{http_code}", "-H", "Host: evil.example", url + path).rsplit("\n", 1)
        assert code == "403" and "evil.example" in answer, answer


def test_lists_are_what_metrics_say(kepler, tmp_path):
    server = kepler("--monitor.interval=200ms")
    with spinning(tmp_path) as process:
        path = "/api/v1/processes?name=e2e-spin&sort=energy"
        rows = wait_until(lambda: json.loads(server.get(path).body)["items"], "the process")
        assert [row["pid"] for row in rows] == [process.pid]
        top = json.loads(server.get("/api/v1/processes?limit=3&sort=cpu_time").body)
    assert len(top["items"]) == 3 and top["matched"] > 3
    times = [row["cpu_seconds"] for row in top["items"]]
    assert times == sorted(times, reverse=True)
    node = json.loads(server.get("/api/v1/node").body)
    series = server.scrape().select("kepler_power_source_info")
    assert {zone["zone"] for zone in node["zones"]} == {sample.label("zone") for sample in series}


def events(server, count: int, query: str = "") -> list[dict]:
    connection = http.client.HTTPConnection(server.address, timeout=10)
    connection.request("GET", f"/api/v1/events{query}")
    answer = connection.getresponse()
    assert answer.status == 200 and answer.getheader("Content-Type") == "text/event-stream"
    found = []
    while len(found) < count:
        line = answer.readline().decode()
        assert line, "the stream ended"
        if line.startswith("data: "):
            found.append(json.loads(line.removeprefix("data: ")))
    connection.close()
    return found


def test_events_come_with_each_tick(kepler):
    server = kepler("--monitor.interval=300ms")
    shown = events(server, 5, "?level=node,process&limit=2")
    ids = [event["snapshot"]["id"] for event in shown]
    assert ids == sorted(set(ids)) and all(len(event["processes"]) == 2 for event in shown)
    # With a client listening, it still ends at once.
    connection = http.client.HTTPConnection(server.address, timeout=10)
    connection.request("GET", "/api/v1/events")
    connection.getresponse().readline()
    start = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - start < 5, "it waited for the client as long as it may"


def test_a_listener_that_does_not_read_holds_up_no_other(kepler):
    server = kepler("--monitor.interval=10ms")
    deaf = http.client.HTTPConnection(server.address, timeout=10)
    deaf.request("GET", "/api/v1/events?level=process&limit=1000")
    time.sleep(2)
    assert len(events(server, 5)) == 5
    assert server.scrape().tick()
    deaf.close()


def test_a_history_is_there_after_a_restart(kepler, tmp_path):
    path = tmp_path / "energy.db"
    flags = ("--monitor.interval=200ms", f"--history.path={path}")
    with spinning(tmp_path):
        server = kepler(*flags)
        url = "/api/v1/history?workload=e2e-spin&range=10m"
        wait_until(lambda: server.get(url).status == 200, "energy of the process")
        time.sleep(2)
        assert server.stop() == 0
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT sum(package_joules) FROM workload_joules WHERE name = 'e2e-spin'").fetchone()
    assert rows[0] > 0

    server = kepler(*flags)
    answer = wait_until(lambda: (a := server.get(url)).status == 200 and json.loads(a.body), "the remembered energy")
    remembered = sum(step["energy_joules"]["total"] for step in answer["steps"])
    assert remembered == pytest.approx(rows[0], rel=0.01)
    trend = json.loads(curl("-d", '{"workload_name":"e2e-spin","range":"10m"}', f"http://{server.address}/tools/analyze_workload_power_trend"))
    assert trend["mean_watts"] > 0


def test_a_history_that_cannot_be_written_does_not_stop_the_measuring(kepler, tmp_path):
    path = tmp_path / "energy.db"
    path.write_text("notes of another program\n" * 100)
    server = kepler("--monitor.interval=200ms", f"--history.path={path}")
    wait_until(lambda: "nothing is remembered" in server.log, "the complaint")
    assert server.scrape_with_power() and energy_is_known(server)
    assert path.read_text().startswith("notes of another program"), "left as it is"


def test_tools_answer_from_another_exporter(kepler, tmp_path):
    measuring = kepler("--monitor.interval=200ms", "--kube.node-name=far-away")
    answering = kepler(f"--source=kepler=http://{measuring.address}", "--monitor.interval=200ms")
    with spinning(tmp_path):
        url = f"http://{answering.address}{ASSESS}"

        def verdict() -> dict | None:
            answer = json.loads(curl("-d", '{"workload_name":"e2e-spin"}', url))
            return answer if answer.get("energy_joules") else None

        answer = wait_until(verdict, "a verdict", seconds=30)
    sources = {item["source"] for item in answer["inputs"] if item["name"] in ("energy", "power")}
    assert sources == {f"kepler http://{measuring.address}/metrics"}
    summary = json.loads(curl("-d", "{}", f"http://{answering.address}/tools/get_cluster_carbon_summary"))
    assert "far-away" in json.dumps(summary)
    # It measures nothing itself, and exports no energy that would count twice.
    assert json.loads(answering.get("/api/v1/nodes").body)["nodes"][0]["node"] == "far-away"
    assert answering.get("/api/v1/node").status == 404
    assert "joules" not in curl(f"http://{answering.address}/metrics")


def certificates(folder: Path) -> Path:
    """An authority `ca.crt` of our own, and `tls.crt` and `tls.key` for 127.0.0.1 signed by it."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    openssl("req", "-x509", *key, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.crt")
    of_ca = ["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"]
    name = ["-subj", "/CN=kepler", "-addext", "subjectAltName=IP:127.0.0.1"]
    openssl("req", "-x509", *key, *of_ca, *name, "-keyout", "tls.key", "-out", "tls.crt")
    return folder / "ca.crt"


def test_the_certificate_of_a_source_is_verified(kepler_bin, tmp_path):
    authority = certificates(tmp_path)
    config = tmp_path / "web.yml"
    config.write_text("tls_server_config: { cert_file: tls.crt, key_file: tls.key }\n")
    command = [kepler_bin, "serve", "--web.listen-address=127.0.0.1:0", "--monitor.interval=200ms"]
    log = tmp_path / "tls.log"
    with log.open("w") as file:
        server = subprocess.Popen([*command, f"--web.config-file={config}"], stderr=file)
    try:
        announced = wait_until(lambda: re.search(r"serving /metrics at ([^,]+),", log.read_text()), "the address")
        url = f"https://{announced.group(1)}"
        assert json.loads(curl("--cacert", str(authority), "-d", "{}", f"{url}/tools/get_power_hotspots"))
        ask = [kepler_bin, "assess", "kepler", "--json", f"--source=kepler={url}", "--window=2s", "--region=KR"]
        distrusted = subprocess.run(ask, capture_output=True, text=True, timeout=30)
        assert distrusted.returncode == 1 and "certificate" in distrusted.stderr, distrusted
        trusted = subprocess.run([*ask, f"--source.ca-file={authority}"], capture_output=True, text=True, timeout=30)
        assert trusted.stdout and json.loads(trusted.stdout)["workload"] == "kepler", trusted
    finally:
        server.kill()
        server.wait()


def test_passwords_and_tokens_hold_for_every_route(kepler, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    server = kepler(f"--web.token-file={token}")
    for path in ("/tools", "/api/v1/node", "/api/v1/events"):
        assert server.get(path).status == 401, path
    answer = curl("-H", "Authorization: Bearer s3cret", f"http://{server.address}/tools")
    assert len(json.loads(answer)["tools"]) == 11


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_tools_are_called_often_and_scrapes_do_not_wait(kepler, figure, tmp_path):
    server = kepler()
    wait_until(lambda: energy_is_known(server), "energy")
    script = tmp_path / "call.lua"
    script.write_text(
        'wrk.method = "POST"\nwrk.body = \'{"workload_name":"kepler"}\'\nwrk.headers["Content-Type"] = "application/json"\n'
    )

    def scrape() -> float:
        start = time.monotonic()
        assert server.get("/metrics").status == 200
        return time.monotonic() - start

    alone = statistics.median(scrape() for _ in range(20))
    calls: list[str] = []
    command = ["wrk", "-t1", "-c8", "-d5s", "-s", str(script), f"http://{server.address}{ASSESS}"]
    load = threading.Thread(target=lambda: calls.append(subprocess.run(command, capture_output=True, text=True).stdout))
    load.start()
    time.sleep(1)
    beside = statistics.median(scrape() for _ in range(20))
    load.join()
    rate = float(next(line for line in calls[0].splitlines() if "Requests/sec" in line).split()[1])
    assert "Non-2xx" not in calls[0], calls[0]
    figure(f"{rate:.0f} calls/s with 8 connections (aim: 5000); a scrape takes {alone * 1000:.1f} ms alone, {beside * 1000:.1f} ms beside")
    assert rate > 0
