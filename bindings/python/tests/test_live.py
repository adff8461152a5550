"""What a measurement shows while it runs."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from powercap import PowercapTree

import kepler_power
from kepler_power import live
from kepler_power.live import Progress


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(live, "INTERVAL", 0.01)
    yield


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_a_function_is_told_the_watts_of_each_moment(tree: PowercapTree, quick: None) -> None:
    moments: list[Progress] = []
    with kepler_power.measure("train", host=tree.host, progress=moments.append) as m:
        wait_for(lambda: moments)
        # One counter: of two, the second could move in the next moment.
        tree.draw(package=8.0)
        wait_for(lambda: moments[-1].joules == 8.0)
    assert sum(moment.watts > 0 for moment in moments) == 1, "only in the moment in which something was drawn"
    assert m.energy.joules == 8.0 and moments[-1].method == "measured" and "8 J" in str(moments[-1])
    assert [moment.seconds for moment in moments] == sorted(moment.seconds for moment in moments)
    count = len(moments)
    time.sleep(0.05)
    assert len(moments) == count, "it ended with the measurement"


def test_the_curve_holds_the_energy_of_the_whole_run_however_long_it_is(
    tree: PowercapTree, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_POINTS", 8)
    seen: list[Progress] = []
    with kepler_power.measure("train", host=tree.host, progress=seen.append) as m:
        for number in range(1, 21):
            tree.draw(package=1.0)
            wait_for(lambda number=number: len(seen) >= 2 * number)
    curve = m.curve
    assert 2 <= len(curve) <= 10 and curve[-1][0] == pytest.approx(m.seconds)
    before, joules = 0.0, 0.0
    for seconds, watts in curve:
        joules, before = joules + watts * (seconds - before), seconds
    assert joules == pytest.approx(m.energy.joules)
    assert "at most" in m._repr_html_()


def test_without_progress_there_is_neither_a_thread_nor_a_curve(tree: PowercapTree) -> None:
    before = threading.active_count()
    with kepler_power.measure("train", host=tree.host) as m:
        assert threading.active_count() == before
    assert list(m.curve) == []


def test_a_function_that_raises_ends_the_display_and_not_the_measurement(tree: PowercapTree, quick: None) -> None:
    raised: list[object] = []
    before, threading.excepthook = threading.excepthook, lambda what: raised.append(what.exc_value)
    try:
        with kepler_power.measure("train", host=tree.host, progress=lambda moment: 1 / 0) as m:
            wait_for(lambda: raised)
            tree.draw(package=2.0)
    finally:
        threading.excepthook = before
    assert m.energy.joules == 2.0 and isinstance(raised[0], ZeroDivisionError)


def test_a_file_gets_no_progress(tree: PowercapTree, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        with kepler_power.measure("train", host=tree.host, progress=True) as m:
            wait_for(lambda m=m: len(m.curve) > 2)
        assert stream is None or stream.getvalue() == ""


def test_a_terminal_gets_one_line_that_fits_and_is_cleared(tree: PowercapTree) -> None:
    program = f"""
import kepler_power, time
from kepler_power import _display, live
live.INTERVAL = 0.02
shown = []
original = _display._Line.show
_display._Line.show = lambda self, progress: (original(self, progress), shown.append(progress))
host = kepler_power.Host(sysfs={str(tree.sysfs)!r})
with kepler_power.measure("train\\x1b[31m\\n" + "x" * 200, host=host, progress=True):
    while len(shown) < 2:
        time.sleep(0.01)
"""
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", program], stderr=theirs, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0, shown
    lines = shown.split("\r\x1b[2K")
    assert len(lines) >= 4 and lines[-1] == "" and "\n" not in shown
    assert "train\\x1b[31m\\n" in lines[1] and all(len(line) < 80 for line in lines), "control characters of a name do not act"
    assert not re.search(r"\x1b\[31m", shown)


def test_a_child_that_is_forked_meanwhile_measures_on_and_leaves_the_line_alone(tree: PowercapTree, quick: None) -> None:
    moments: list[Progress] = []
    with kepler_power.measure("train", host=tree.host, progress=moments.append) as m:
        wait_for(lambda: moments)
        child = os.fork()
        if child == 0:
            m.stop()
            os._exit(0 if m.energy.joules == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        count = len(moments)
        wait_for(lambda: len(moments) > count)
