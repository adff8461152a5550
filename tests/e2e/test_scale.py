"""What it costs on a machine with thousands of processes."""

import statistics
import time

from linux import resident_bytes
from workloads import sleeping

PROCESSES = 4000
MEBIBYTE = 1024 * 1024


def test_four_thousand_processes_are_shown_in_little_memory_and_time(kepler, figure):
    with sleeping(PROCESSES):
        server = kepler("--monitor.interval=1s")
        scrape = server.scrape()
        for _ in range(4):
            scrape = server.scrape_after(scrape.tick())
        milliseconds = [timed_scrape(server) for _ in range(20)]
        resident, own = resident_bytes(server.pid), resident_bytes(server.pid, "RssAnon")
        listed = len(scrape.select("kepler_process_cpu_seconds_total"))
        collect = scrape.sum("kepler_exporter_collect_seconds")

    median = statistics.median(milliseconds)
    figure(f"{listed} processes shown, a scrape takes {median:.1f} ms (aim: 20), fastest {min(milliseconds):.1f}")
    figure(f"resident {resident / MEBIBYTE:.1f} MiB, {own / MEBIBYTE:.1f} MiB of them its own (bound: 20), the others pages of the program's file")
    figure(f"a collection takes {collect * 1000:.1f} ms of CPU, {collect / PROCESSES * 1e6:.2f} µs a process")
    assert listed >= PROCESSES
    # Of its own: how large the file is depends on how it was built.
    assert own <= 20 * MEBIBYTE
    assert collect < 0.2


def timed_scrape(server) -> float:
    start = time.perf_counter()
    assert server.get("/metrics").status == 200
    return (time.perf_counter() - start) * 1000
