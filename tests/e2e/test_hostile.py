"""What a machine can do to an exporter: storms of processes, names that are no text, many scrapers."""

import shutil
import sys
import threading
import time

import pytest

from exposition import Scrape, Series, assert_no_counter_fell
from linux import forks, process_seconds
from polling import wait_until
from workloads import running, spinning

JOULES = "kepler_process_cpu_joules_total"


def test_a_storm_of_processes_breaks_no_scrape_and_costs_little(kepler, figure):
    if shutil.which("stress-ng") is None:
        pytest.skip("the Debian package stress-ng is not installed")
    server = kepler("--monitor.interval=500ms")
    seconds = 10
    scrapes = [server.scrape()]
    with running(["stress-ng", "--quiet", "--vfork", "2", "--timeout", "60"]):
        start, forked, used = time.monotonic(), forks(), process_seconds(server.pid)
        while time.monotonic() < start + seconds:
            scrapes.append(server.scrape())
            time.sleep(0.2)
        elapsed = time.monotonic() - start
        rate = (forks() - forked) / elapsed
        load = (process_seconds(server.pid) - used) / elapsed

    figure(f"{rate:.0f} processes a second, {len(scrapes)} scrapes, the exporter used {load:.1%} of a CPU")
    assert rate > 1000, "a storm"
    assert load < 0.5
    for before, after in zip(scrapes, scrapes[1:]):
        assert_no_counter_fell(without_reused_pids(before), after)
    assert scrapes[-1].sum("kepler_node_cpu_joules_total") > scrapes[0].sum("kepler_node_cpu_joules_total")


def without_reused_pids(scrape: Scrape) -> Scrape:
    """Leaves out the processes of the storm: a process number that comes back with the same name is
    another process, though its labels are the same."""
    scrape.values = {
        series: value for series, value in scrape.values.items() if dict(series.labels).get("comm") != "stress-ng-vfork"
    }
    return scrape


def test_an_executable_may_have_any_name(kepler, tmp_path):
    server = kepler("--monitor.interval=200ms")
    with spinning(tmp_path, name=b'\xff"\\\n\x01{}') as process:
        series = wait_for_process(server, process.pid)
    assert series.label("comm") == '\ufffd"\\\n\x01{}'
    assert series.label("exe") == f'{tmp_path}/\ufffd"\\\n\x01{{}}'


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param(b"\xfe\xffbad", "\ufffd\ufffdbad", id="no UTF-8"),
        pytest.param("größtenteils".encode() + b"\xe2\x82", "größtenteils\ufffd", id="cut within a character"),
        pytest.param(b'a"b\\n\nc', 'a"b\\n\nc', id="quote, backslash, newline"),
        pytest.param(b") R 1 (", ") R 1 (", id="what ends the name in proc's stat"),
        pytest.param(b"", "", id="empty"),
    ],
)
def test_a_process_may_call_itself_anything(kepler, name, shown):
    server = kepler("--monitor.interval=200ms")
    with running([sys.executable, "-c", RENAMED, name.hex()]) as process:
        series = wait_for_process(server, process.pid, comm=shown)
    assert series.label("comm") == shown


# Takes the name given in hexadecimal (15 is PR_SET_NAME), and is busy.
RENAMED = """
import ctypes, sys
ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]), 0, 0, 0)
while True: pass
"""


def wait_for_process(server, pid: int, **labels: str) -> Series:
    """Its series, which both formats can show."""

    def listed():
        return next(iter(server.scrape().select(JOULES, pid=str(pid), **labels)), None)

    series = wait_until(listed, f"process {pid} with {labels}")
    assert server.scrape_openmetrics().select(JOULES, pid=str(pid), **labels)
    return series


def test_scrapers_neither_see_different_figures_nor_change_the_schedule(kepler):
    interval = 0.5
    server = kepler(f"--monitor.interval={interval * 1000:.0f}ms")
    # The second tick comes out of turn, so that there is power to show early.
    server.scrape_after(server.scrape().tick())
    eager, lazy = collect_from_two_scrapers(server, periods=(0.02, 0.33), seconds=6)

    common = eager.keys() & lazy.keys()
    assert len(common) >= 5
    for tick in common:
        assert eager[tick] == lazy[tick], "a snapshot shows one thing to all"
    ticks = sorted(eager)
    assert sorted(eager.values()) == [eager[tick] for tick in ticks], "joules rise with time"
    # On schedule: whole numbers of intervals, give or take the delay of a busy machine.
    assert (ticks[-1] - ticks[0]) / (len(ticks) - 1) == pytest.approx(interval, rel=0.3)
    for earlier, later in zip(ticks, ticks[1:]):
        assert later - earlier > interval / 2, "a scrape caused a collection"


def collect_from_two_scrapers(server, periods, seconds) -> list[dict[float, float]]:
    """For each scraper, the node's joules by the time of the snapshot that showed them."""
    seen: list[dict[float, float]] = [{} for _ in periods]
    deadline = time.monotonic() + seconds

    def scrape_every(period: float, into: dict[float, float]) -> None:
        while time.monotonic() < deadline:
            scrape = server.scrape()
            joules = scrape.sum("kepler_node_cpu_joules_total", zone="package")
            assert into.setdefault(scrape.tick(), joules) == joules
            time.sleep(period)

    threads = [threading.Thread(target=scrape_every, args=pair) for pair in zip(periods, seen)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=seconds + 20)
    return seen
