"""What a machine can do to an exporter: storms of processes, names that are no text, many scrapers."""

import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from exposition import Series, assert_no_counter_fell
from linux import forks, process_seconds
from server import Kepler
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
    # Thousands, of which other work on the machine takes some.
    assert rate > 200, "a storm"
    assert load < 0.5
    for before, after in pairwise(scrapes):
        assert_no_counter_fell(before, after, apart_from=is_of_the_storm)
    assert any(is_of_the_storm(series) for scrape in scrapes for series in scrape.values), "it was seen"
    assert scrapes[-1].sum("kepler_node_cpu_joules_total") > scrapes[0].sum("kepler_node_cpu_joules_total")


def is_of_the_storm(series: Series) -> bool:
    """A process number that comes back with the same name is another process, with the same labels."""
    return dict(series.labels).get("comm", "").startswith("stress-ng")


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


def wait_for_process(server: Kepler, pid: int, **labels: str) -> Series:
    """Its series, which both formats can show."""
    labels["pid"] = str(pid)
    scrape = server.scrape_when(lambda scrape: scrape.select(JOULES, **labels), f"the process {labels}")
    assert server.scrape_openmetrics().select(JOULES, **labels)
    return next(iter(scrape.select(JOULES, **labels)))


def test_scrapers_neither_see_different_figures_nor_change_the_schedule(kepler):
    interval = 0.5
    server = kepler(f"--monitor.interval={interval * 1000:.0f}ms")
    # The second tick comes out of turn, so that there is power to show early.
    server.scrape_after(server.scrape().tick())
    eager, lazy = collect_from_scrapers(server, periods=(0.02, 0.33), seconds=6)

    common = eager.keys() & lazy.keys()
    assert len(common) >= 5
    for tick in common:
        assert eager[tick] == lazy[tick], "a snapshot shows one thing to all"
    ticks = sorted(eager)
    assert sorted(eager.values()) == [eager[tick] for tick in ticks], "joules rise with time"
    # A late tick does not shift the ones after it, so that two may come closer than the interval, but
    # never more of them than the schedule has.
    assert len(ticks) - 1 <= (ticks[-1] - ticks[0]) / interval + 1, "a scrape caused a collection"
    gaps = [later - earlier for earlier, later in pairwise(ticks)]
    assert statistics.median(gaps) == pytest.approx(interval, rel=0.2)


def collect_from_scrapers(server: Kepler, periods: Sequence[float], seconds: float) -> list[dict[float, float]]:
    """For each scraper, the node's joules by the time of the snapshot that showed them."""
    deadline = time.monotonic() + seconds

    def scrape_every(period: float) -> dict[float, float]:
        seen: dict[float, float] = {}
        while time.monotonic() < deadline:
            scrape = server.scrape()
            joules = scrape.sum("kepler_node_cpu_joules_total", zone="package")
            assert seen.setdefault(scrape.tick(), joules) == joules
            time.sleep(period)
        return seen

    with ThreadPoolExecutor() as pool:
        return list(pool.map(scrape_every, periods))
