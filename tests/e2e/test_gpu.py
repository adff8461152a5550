"""GPUs, as far as a machine without one can show them: made-up devices, and a stand-in of NVIDIA's library; real processes that
are said to use them."""

import json
import subprocess
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from exposition import TEXT
from nvidia import gpu
from polling import wait_until
from workloads import cgroup, running, spinning


@pytest.fixture
def accelerated(kepler, tmp_path):
    """A server with two made-up devices of 300 W and 50 W idle; two sleeping processes use the first, 60 % and 30 %."""
    with running(["sleep", "600"]) as first, running(["sleep", "600"]) as second:
        settings = tmp_path / "kepler.yaml"
        users = f"[{first.pid}=0.6, {second.pid}=0.3]"
        settings.write_text(f"dev:\n  fake-gpu:\n    enabled: true\n    users: {users}\n")

        def start(*flags):
            return kepler(f"--config.file={settings}", "--monitor.interval=200ms", *flags), first.pid, second.pid

        yield start


def test_two_processes_share_what_a_device_drew_for_them(accelerated):
    server, first, second = accelerated()

    def shares():
        scrape = server.scrape()
        found = {int(series.label("pid")): value for series, value in scrape.select("kepler_process_gpu_joules_total").items()}
        found["device"] = scrape.sum("kepler_node_gpu_joules_total", gpu="0")
        found["idle"] = scrape.sum("kepler_node_gpu_idle_joules_total", gpu="0")
        return found

    wait_until(lambda: shares().get(first, 0) > 10, "energy of the first process")
    found = shares()
    assert set(found) == {first, second, "device", "idle"}, "no other process used a device"
    active = found["device"] - found["idle"]
    assert found[first] + found[second] == pytest.approx(active, abs=1e-5), "exactly all of it"
    assert found[first] == pytest.approx(active * 2 / 3, abs=1e-3)
    assert found["idle"] / found["device"] == pytest.approx(50 / 275, rel=1e-4)


def test_promtool_has_no_complaint(accelerated):
    server, *_ = accelerated()
    wait_until(lambda: b"kepler_process_gpu_watts{" in server.get("/metrics", TEXT).body, "power of the processes")
    text = server.get("/metrics", TEXT).body
    assert b"kepler_process_gpu_watts" in text and b'gpu_uuid="FAKE-0"' in text
    check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=10)
    assert (check.stdout + check.stderr).decode().splitlines() == []


def test_rest_shows_the_devices_and_counts_them(accelerated):
    server, *_ = accelerated("--metrics.gpus-summed")
    node = lambda: json.loads(server.get("/api/v1/node").body)
    wait_until(lambda: node()["devices"][0]["energy_joules"] > 10, "energy of the device")
    shown = node()
    assert [device["uuid"] for device in shown["devices"]] == ["FAKE-0", "FAKE-1"]
    assert shown["devices"][0]["power_watts"]["total"] == pytest.approx(275, rel=1e-3)
    assert {device["method"] for device in shown["devices"]} == {"estimated"}, "it never looks measured"
    assert "gpu" in shown["total"]["zones"]
    assert "gpu_uuid" not in "".join(
        line for line in server.get("/metrics", TEXT).body.decode().splitlines() if "process_gpu" in line
    )


@pytest.fixture
def nvidia(tmp_path):
    with gpu(tmp_path) as made:
        if made is None:
            pytest.skip("no compiler for the stand-in of NVIDIA's library, or no right to make a file in /dev")
        yield made


def test_through_nvidias_library_a_container_has_what_the_device_drew_beyond_its_idle_power(kepler, nvidia, tmp_path, figure):
    """Two processes at 60 and 30 % of a device of 300 W that idles at 50 W, in one container where cgroups can be made."""
    container = "cd" * 32
    with ExitStack() as stack:
        enter = stack.enter_context(cgroup(f"system.slice/docker-{container}.scope"))
        users = [stack.enter_context(spinning(tmp_path, b"train", pass_fds=(nvidia.descriptor,))) for _ in range(2)]
        for user in users if enter else []:
            enter(user.pid)
        first, second = (user.pid for user in users)
        nvidia.lines = [f"process gpu=0 pid={first} sm=60", f"process gpu=0 pid={second} sm=30"]
        server = kepler(f"--experimental.gpu.nvml-library={nvidia.library}", "--experimental.gpu.idle-power=50", "--monitor.interval=500ms")
        node = lambda: json.loads(server.get("/api/v1/node").body)
        rows = lambda kind: json.loads(server.get(f"/api/v1/{kind}?limit=10000").body)["items"]

        def used():
            return {row["pid"]: row for row in rows("processes") if row.get("devices")}

        wait_until(lambda: min((used().get(pid, {}).get("energy_joules", {}).get("gpu", 0) for pid in (first, second))) > 100, "energy of both")
        found, (device,) = used(), node()["devices"]
        assert set(found) == {first, second}
        joules = {pid: row["devices"][0]["energy_joules"] for pid, row in found.items()}
        assert joules[first] / (joules[first] + joules[second]) == pytest.approx(2 / 3, abs=0.01)
        parts = device["idle_energy_joules"] + device["active_energy_joules"] + device["unsplit_energy_joules"]
        assert device["energy_joules"] == pytest.approx(parts, abs=1e-6), "the sum is exact"
        assert (device["source"], device["shares_by"], device["fault"]) == ("nvml", "utilisation", None)
        row = found[first]["devices"][0]
        assert (row["uuid"], row["shares_by"], row["method"]) == ("GPU-e2e", "utilisation", "measured")
        figure(f"{joules[first]:.0f} J and {joules[second]:.0f} J of {device['active_energy_joules']:.0f} J active, {device['energy_joules']:.0f} J in all")
        if enter:
            (whole,) = [row for row in rows("containers") if row["id"] == container]
            assert whole["devices"][0]["energy_joules"] >= sum(joules.values()) - 1e-6


def test_measure_says_what_a_command_made_the_device_draw_beyond_rest(kepler_bin, nvidia, tmp_path, figure):
    """A device of 50 W at rest and 300 W while a command uses it."""
    nvidia.watts, begun = 50, tmp_path / "begun"
    work = f"echo $$ > {begun}.new; mv {begun}.new {begun}; i=0; end=$(($(date +%s) + 11)); while [ $(date +%s) -lt $end ]; do i=$((i + 1)); done"
    command = [
        kepler_bin, "measure", "--meter=fake", "--baseline=5s", "--format=json", "-o", tmp_path / "out.json",
        f"--experimental.gpu.nvml-library={nvidia.library}", "--", "sh", "-c", work,
    ]  # fmt: skip
    with subprocess.Popen(command, pass_fds=(nvidia.descriptor,), cwd=tmp_path) as measuring:
        pid = int(wait_until(lambda: begun.exists() and begun.read_text(), "the command", seconds=60))
        before, nvidia.watts, nvidia.more = nvidia.drawn(), 300, ""
        nvidia.lines = [f"process gpu=0 pid={pid} sm=90"]
        assert measuring.wait(timeout=60) == 0
        truth = nvidia.drawn() - before
    report = json.loads((tmp_path / "out.json").read_text())
    (run,), baseline = report["measurements"][0]["runs"], report["baseline"]
    (device,) = run["accelerators"]
    seconds = run["duration_seconds"]
    of_zones = sum(zone["machine_joules"] for zone in run["zones"] if zone["is_counted"] and zone["zone"] != "gpu")
    above = run["machine"]["above_baseline_joules"]
    figure(f"{device['machine_joules']:.0f} J of {truth:.0f} J in {seconds:.1f} s, above a baseline of {baseline['power_watts']:.1f} W {above:.0f} J; zones {of_zones:.0f} J")
    assert baseline["power_watts"] >= 50
    # Readings are a second apart, more on a busy machine: that much may be missing or too much at either end.
    ends, beyond = 300 * 2.5, truth - 50 * seconds
    assert device["machine_joules"] == pytest.approx(truth, abs=ends)
    assert beyond - ends < above < beyond + ends + of_zones
    if run["above_baseline_joules"] is not None:
        assert run["above_baseline_joules"] > beyond - ends


class Dcgm(BaseHTTPRequestHandler):
    """What dcgm-exporter says of two instances."""

    def do_GET(self):
        series = 'DCGM_FI_PROF_GR_ENGINE_ACTIVE{{gpu="0",UUID="GPU-e2e",GPU_I_PROFILE="{}",GPU_I_ID="{}",Hostname="n"}} {}\n'
        body = (series.format("3g.71gb", 1, 0.5) + series.format("2g.35gb", 5, 0.25)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_instances_are_divided_by_the_activity_that_dcgm_tells_else_by_slices(kepler, nvidia, tmp_path):
    nvidia.more = "mig=1"
    with ExitStack() as stack:
        users = [stack.enter_context(spinning(tmp_path, b"infer", pass_fds=(nvidia.descriptor,))) for _ in range(2)]
        first, second = (user.pid for user in users)
        nvidia.lines = [
            "instance gpu=0 place=0 id=1 uuid=MIG-1 slices=3 profile=3g.71gb",
            "instance gpu=0 place=1 id=5 uuid=MIG-5 slices=2 profile=2g.35gb",
            f"process gpu=0 instance=1 pid={first}",
            f"process gpu=0 instance=5 pid={second}",
        ]
        nvidia.write()
        exporter = HTTPServer(("127.0.0.1", 0), Dcgm)
        threading.Thread(target=exporter.serve_forever, daemon=True).start()
        stack.callback(exporter.server_close)
        stack.callback(exporter.shutdown)
        flags = [f"--experimental.gpu.nvml-library={nvidia.library}", "--experimental.gpu.idle-power=50", "--monitor.interval=500ms"]

        def shares(server, by):
            rows = json.loads(server.get("/api/v1/processes?limit=10000").body)["items"]
            used = {row["pid"]: row["devices"][0] for row in rows if row.get("devices")}
            watts = [used.get(pid, {}).get("power_watts") or 0 for pid in (first, second)]
            (device,) = json.loads(server.get("/api/v1/node").body)["devices"]
            return watts if device["shares_by"] == by and all(watts) else None

        plain = kepler(*flags)
        wait_until(lambda: shares(plain, "instance_slices") == pytest.approx([250 * 3 / 5, 250 * 2 / 5], rel=0.2), "shares by slices")
        told = kepler(*flags, f"--experimental.gpu.dcgm-endpoint=http://127.0.0.1:{exporter.server_port}/metrics")
        wait_until(lambda: shares(told, "instance_activity"), "shares by activity", seconds=30)
        wait_until(lambda: (found := shares(told, "instance_activity")) and found[0] / sum(found) == pytest.approx(3 / 4, abs=0.02), "1.5 to 0.5 slices")
