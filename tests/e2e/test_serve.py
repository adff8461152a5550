"""`kepler serve` on this very machine: what it answers, and how it ends."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from exposition import MICROJOULE, OPENMETRICS, TEXT, assert_no_counter_fell
from workloads import spinning

NODE = "kepler_node_cpu"


def run(kepler_bin: Path, *flags: str) -> subprocess.CompletedProcess:
    """A `serve` that is expected to end by itself."""
    return subprocess.run([kepler_bin, "serve", *flags], capture_output=True, text=True, timeout=10)


def test_the_first_answer_comes_soon(kepler, figure):
    start = time.monotonic()
    server = kepler()
    scrape = server.scrape()
    elapsed = time.monotonic() - start
    figure(f"{elapsed * 1000:.0f} ms from start to the first answer (aim: 1000)")
    assert scrape.select(f"{NODE}_joules_total", zone="package")


def test_without_a_sensor_power_is_estimated_and_labelled_so(kepler):
    server = kepler("--monitor.interval=200ms")
    scrape = server.scrape_with_power()
    (source,) = scrape.select("kepler_power_source_info", zone="package")
    if source.label("method") == "measured":
        pytest.skip(f"this machine measures, by {source.label('source')}")
    assert source.label("method") == "estimated"
    assert 0 < scrape.sum("kepler_power_source_error_ratio", zone="package") < 2
    assert scrape.sum(f"{NODE}_watts", zone="package") > 0
    assert 0 <= scrape.sum(f"{NODE}_usage_ratio") <= 1
    assert "estimated by" in server.log and "kepler doctor" in server.log


def test_processes_are_listed_with_their_power(kepler, tmp_path):
    server = kepler("--monitor.interval=200ms")
    with spinning(tmp_path) as process:
        labels = {"pid": str(process.pid), "comm": "e2e-spin"}
        scrape = server.scrape_when(lambda scrape: scrape.select("kepler_process_cpu_watts", **labels), "the process")
        scrape = server.scrape_after(scrape.tick())
        assert scrape.sum("kepler_process_cpu_watts", zone="package", state="running", **labels) > 0
        assert scrape.sum("kepler_process_cpu_joules_total", zone="package", state="running", **labels) > 0
        assert scrape.sum("kepler_process_cpu_seconds_total", type="regular", **labels) > 0
        (series,) = scrape.select("kepler_process_cpu_watts", zone="package", **labels)
        assert series.label("exe") == str(tmp_path / "e2e-spin")


@pytest.mark.parametrize("accept", [TEXT, OPENMETRICS])
def test_joules_only_rise_and_active_and_idle_make_the_total(kepler, accept):
    server = kepler("--monitor.interval=100ms")
    before = server.scrape(accept)
    for _ in range(10):
        after = server.scrape_after(before.tick(), accept)
        assert_no_counter_fell(before, after)
        assert after.select(f"{NODE}_joules_total")
        for series, total in after.select(f"{NODE}_joules_total").items():
            labels = dict(series.labels)
            active = after.sum(f"{NODE}_active_joules_total", **labels)
            idle = after.sum(f"{NODE}_idle_joules_total", **labels)
            assert abs(total - (active + idle)) <= MICROJOULE
        before = after


def test_what_is_attributed_and_what_is_not_make_the_active_energy(kepler):
    server = kepler("--monitor.interval=200ms", "--monitor.min-terminated-energy=0", "--monitor.max-terminated=-1")
    scrape = server.scrape_with_power()
    active = scrape.sum(f"{NODE}_active_joules_total", zone="package")
    unattributed = scrape.sum(f"{NODE}_unattributed_joules_total", zone="package")
    processes = scrape.sum("kepler_process_cpu_joules_total", zone="package")
    # Short-lived members of a container or unit are in the books of those, not in a process's.
    assert unattributed + processes <= active + MICROJOULE


def test_health_is_reported_without_collecting(kepler):
    server = kepler("--monitor.interval=1h")
    tick = server.scrape_with_power().tick()
    for path in ("/livez", "/readyz", "/healthz"):
        answer = server.get(path)
        assert (answer.status, answer.content_type) == (200, "application/json"), path
    assert server.get("/no-such-page").status == 404
    assert b"/metrics" in server.get("/").body
    assert server.scrape().tick() == tick, "only the schedule collects"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_and_frees_the_port(kepler, number):
    server = kepler()
    assert server.stop(number) == 0
    host, port = server.address.split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)


def test_a_taken_port_ends_it_with_4_and_names_address_and_owner(kepler_bin):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run(kepler_bin, f"--web.listen-address={address}")
    assert ended.returncode == 4
    assert f"cannot listen at {address}: process {os.getpid()} (" in ended.stderr


def test_a_bad_file_ends_it_with_2_and_names_file_line_and_key(kepler_bin, tmp_path):
    file = tmp_path / "kepler.yaml"
    file.write_text("monitor:\n  interval: soon\n")
    ended = run(kepler_bin, f"--config.file={file}")
    assert ended.returncode == 2
    assert f"{file}:2: key `monitor.interval`" in ended.stderr


def test_a_forced_meter_that_cannot_be_used_ends_it_with_3_and_a_remedy(kepler_bin, tmp_path):
    ended = run(kepler_bin, "--web.listen-address=127.0.0.1:0", "--meter=powercap", f"--host.sysfs={tmp_path}")
    assert ended.returncode == 3
    assert "cannot measure with powercap" in ended.stderr and "remedy: " in ended.stderr
