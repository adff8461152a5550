"""`kepler top` on a terminal with a model of its screen, and in tmux."""

import csv
import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from linux import free_port
from polling import wait_until
from server import Kepler
from terminal import Terminal
from workloads import sleeping, spinning

# What gives the terminal back: the cursor is shown, the other screen is left.
RESTORED = (b"\x1b[?25h", b"\x1b[?1049l")


@pytest.fixture(scope="module")
def top_bin(kepler_bin: Path) -> Path:
    """The program, if it was built with `top`."""
    if "\n  top " not in subprocess.run([kepler_bin, "--help"], capture_output=True, text=True, timeout=60).stdout:
        pytest.skip("the program was built without the feature `top`")
    return kepler_bin


@pytest.fixture
def serving(top_bin, tmp_path):
    """Starts `kepler serve` at an address."""
    servers = []

    def start(*flags: str, address: str | None = None, interval: str = "500ms") -> Kepler:
        address = address or f"127.0.0.1:{free_port()}"
        command = [str(top_bin), "serve", f"--web.listen-address={address}", f"--monitor.interval={interval}", *flags]
        server = Kepler(command, tmp_path / f"serve-{len(servers)}.log")
        servers.append(server)
        wait_until(server.is_ready, "a snapshot")
        return server

    yield start
    for server in servers:
        server.kill()


def test_a_busy_process_is_shown_sorted_filtered_and_looked_into(top_bin, serving, tmp_path):
    server = serving()
    with spinning(tmp_path, b"burner"), Terminal([str(top_bin), "top", f"http://{server.address}"]) as terminal:
        text = terminal.wait_for("burner")
        terminal.wait_for(lambda _: "live" in terminal.lines[0] and terminal.lines[-1].startswith("? help"))
        assert f"http://{server.address}" in terminal.lines[0]
        terminal.type("/burn")
        terminal.wait_for(lambda text: "burner" in text and "/burn" in terminal.lines[-1])
        terminal.type("\r")
        text = terminal.wait_for(lambda text: "kworker" not in text and "burner" in text)
        assert "tmux" not in text
        terminal.type("\x1b[B\r")
        terminal.wait_for(lambda _: any("PID" in line and "burner" in line for line in terminal.lines))
        terminal.type("\x1b")
        terminal.wait_for("NAME")
        terminal.type("?")
        terminal.wait_for("Ctrl-C")
        terminal.type("qq")
        assert terminal.wait() == 0
        assert all(sequence in terminal.raw for sequence in RESTORED)


def test_pause_holds_the_moment_and_arrows_go_back(top_bin, serving):
    server = serving()
    with Terminal([str(top_bin), "top", f"http://{server.address}"]) as terminal:
        terminal.wait_for("live")
        # Moments to go back to.
        terminal.read(4)
        terminal.type(" ")
        terminal.wait_for("PAUSED")
        clock = terminal.lines[0][-8:]
        terminal.read(2.5)
        assert terminal.lines[0].endswith(clock)
        # However many moments there are by now: those before its start are the server's.
        terminal.wait_for(lambda _: terminal.type("\x1b[D") or terminal.lines[0][-8:] < clock)
        terminal.type(" ")
        terminal.wait_for(lambda _: terminal.lines[0][-8:] != clock)


@pytest.mark.parametrize(("columns", "rows"), [(200, 50), (30, 10), (80, 24)])
def test_a_terminal_of_another_size_is_filled_and_never_more(top_bin, serving, columns, rows):
    server = serving()
    with Terminal([str(top_bin), "top", f"http://{server.address}"], columns=100, rows=30) as terminal:
        terminal.wait_for("live")
        terminal.resize(columns, rows)
        terminal.wait_for(lambda _: terminal.lines[-1].startswith("? help") and "kepler top" in terminal.lines[0])
        assert len(terminal.lines) == rows and all(len(line) <= columns for line in terminal.lines)


def test_no_colour_is_sent_where_none_is_wanted(top_bin, serving):
    server = serving()
    for arguments, environment in ((["--color=never"], {}), ([], {"NO_COLOR": "1"})):
        command = [str(top_bin), "top", f"http://{server.address}", *arguments]
        with Terminal(command, environment=environment) as terminal:
            terminal.wait_for("live")
            assert not re.search(rb"\x1b\[[34]\d", terminal.raw)
    with Terminal([str(top_bin), "top", f"http://{server.address}", "--color=always"]) as terminal:
        terminal.wait_for("live")
        assert b"\x1b[38;" in terminal.raw


def test_it_stops_and_goes_on_as_job_control_wants_and_ends_at_sigterm(top_bin, serving):
    server = serving()
    with Terminal([str(top_bin), "top", f"http://{server.address}"]) as terminal:
        terminal.wait_for("live")
        for stop in (lambda: terminal.type("\x1a"), lambda: terminal.send(signal.SIGTSTP)):
            stop()
            wait_until(terminal.is_stopped, "the stop")
            terminal.read()
            assert not terminal.is_raw() and terminal.raw.endswith(b"\x1b[?1049l")
            terminal.raw = b""
            terminal.send(signal.SIGCONT)
            terminal.wait_for(lambda _: b"kepler top" in terminal.raw)
            assert terminal.is_raw()
        terminal.send(signal.SIGTERM)
        assert terminal.wait() == 0
        assert all(sequence in terminal.raw for sequence in RESTORED)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_gives_the_terminal_back_whatever_is_shown(top_bin, serving, name):
    server = serving()
    with Terminal([str(top_bin), "top", f"http://{server.address}"]) as terminal:
        terminal.wait_for("live")
        # A pause, a filter that is written, the help: none of them holds it up.
        terminal.type(" /a")
        terminal.wait_for("Enter  Esc")
        terminal.send(getattr(signal, name))
        assert terminal.wait() == 0
        assert not terminal.is_raw()
        assert all(sequence in terminal.raw for sequence in RESTORED)
        drawn = terminal.raw.rpartition(RESTORED[1])[2].replace(RESTORED[0], b"")
        assert not drawn, "nothing is drawn on the screen that was given back"


def test_a_terminal_that_is_closed_ends_it(top_bin, serving):
    server = serving()
    with Terminal([str(top_bin), "top", f"http://{server.address}"]) as terminal:
        terminal.wait_for("live")
        terminal.close()
        terminal.wait(seconds=20)


def test_who_drew_how_much_before_it_was_started_is_shown(top_bin, serving, tmp_path):
    server = serving()
    with spinning(tmp_path, b"earlier"):
        time.sleep(7)
    server.scrape_with_power()
    with Terminal([str(top_bin), "top", f"http://{server.address}"]) as terminal:
        # The newest interval may still have seen it.
        terminal.wait_for(lambda text: "W▼" in text and "earlier" not in text)
        terminal.type(" ")
        # Ten moments back are well before the start: those are the server's.
        terminal.wait_for(lambda _: terminal.type("[") or "earlier" in terminal.text)
        assert "PAST" in terminal.lines[0] or "PAUSED" in terminal.lines[0]


def test_a_server_that_goes_is_said_and_found_again(top_bin, serving):
    address = f"127.0.0.1:{free_port()}"
    server = serving(address=address)
    with Terminal([str(top_bin), "top", f"http://{address}"], columns=120) as terminal:
        terminal.wait_for("live")
        server.stop()
        text = terminal.wait_for(lambda text: "STALE" in text and "cannot be reached" in text)
        assert "W▼" in text, "the last figures stay"
        serving(address=address)
        terminal.wait_for("live")


def test_it_measures_itself_where_it_is_asked_to_and_says_so(top_bin, tmp_path):
    with spinning(tmp_path, b"burner"), Terminal([str(top_bin), "top", "--here", "--lang=ko"]) as terminal:
        terminal.wait_for("직접 측정 중")
        terminal.wait_for("burner")
        terminal.type("q")
        assert terminal.wait() == 0


def test_one_moment_is_valid_json_and_csv_and_states_what_each_figure_is(top_bin, serving, tmp_path):
    server = serving()
    with spinning(tmp_path, b"burner"):
        server.scrape_with_power()

        def once(*arguments: str) -> str:
            command = [top_bin, "top", "--once", f"http://{server.address}", *arguments]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

        wait_until(lambda: "burner" in once(), "the process")
        document = json.loads(once("--format=json", "--flat"))
        assert document["source"] == f"http://{server.address}" and not document["stale"]
        powers = [row["power_watts"] for row in document["workloads"]]
        assert powers == sorted(powers, reverse=True)
        assert {row["state"] for row in document["workloads"]} == {document["method"]}
        rows = list(csv.DictReader(once("--format=csv", "--filter=BURNER").splitlines()))
        assert any(row["name"] == "burner" for row in rows)
        assert all(row["state"] == document["method"] and float(row["age_seconds"]) < 60 for row in rows)


def test_without_a_terminal_it_names_what_scripts_use(top_bin):
    ended = subprocess.run([top_bin, "top"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and "--once" in ended.stderr and ended.stdout == ""


def test_who_asks_without_the_token_is_told_what_is_missing(top_bin, serving, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret-of-the-test\n")
    server = serving(f"--web.token-file={token}")
    command = [top_bin, "top", "--once", f"http://{server.address}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and "401" in ended.stderr and "token" in ended.stderr
    ended = subprocess.run([*command, f"--token-file={token}"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


def test_with_four_thousand_processes_it_takes_little_of_a_processor(top_bin, serving, figure):
    server = serving(interval="1s")
    with sleeping(4000):
        wait_until(lambda: len(server.scrape().select("kepler_process_cpu_watts")) >= 4000, "the processes", seconds=60)
        with Terminal([str(top_bin), "top", f"http://{server.address}"]) as terminal:
            terminal.wait_for("live")
            # The first list is whole, to count energy from there.
            terminal.read(3)
            before, begun = terminal.cpu_seconds(), time.monotonic()
            while time.monotonic() - begun < 10:
                terminal.read(0.5)
            share = (terminal.cpu_seconds() - before) / (time.monotonic() - begun)
    figure(f"{share:.2%} of a CPU (aim: at most 1 %)")
    assert share < 0.1, "something is wrong, whatever the machine"


def test_in_tmux_the_screen_is_whole(top_bin, serving):
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    server = serving()
    tmux = ["tmux", "-f", "/dev/null", "-L", f"kepler-{free_port()}"]
    command = f"{top_bin} top http://{server.address}"
    subprocess.run([*tmux, "new-session", "-d", "-x", "80", "-y", "24", "-s", "top", command], check=True, timeout=60)
    try:

        def shown() -> list[str]:
            capture = subprocess.run([*tmux, "capture-pane", "-p", "-t", "top"], capture_output=True, text=True, timeout=60)
            return capture.stdout.splitlines()

        wait_until(lambda: any("W▼" in line for line in shown()), "the table")
        lines = shown()
        assert lines[0].startswith("kepler top") and lines[-1].startswith("? help")
        subprocess.run([*tmux, "send-keys", "-t", "top", "q"], check=True, timeout=60)
        gone = lambda: subprocess.run([*tmux, "has-session", "-t", "top"], capture_output=True, timeout=60).returncode
        wait_until(gone, "the end")
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True, timeout=60)
