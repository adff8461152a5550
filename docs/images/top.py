"""Picture of `kepler top`: `python docs/images/top.py target/release/kepler target/debug/examples/simulate`.

The same machine and programs as in page.py, on a terminal with a model of its screen (pyte, in `tests/e2e/requirements.txt`);
its cells become top.svg beside this file. Needs busybox-static.
"""

import contextlib
import shutil
import sys
import tempfile
import time
from html import escape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/e2e"))

from page import PROGRAMS, WORK, calibration
from polling import wait_until
from server import Kepler
from terminal import Terminal
from wcwidth import wcswidth
from workloads import BUSYBOX, cgroup, running

HERE = Path(__file__).parent
# Of a pod, and of a unit each for the rest.
CGROUPS = {"web-frontend": f"kubepods/burstable/pod3f1c2d6a-0000-4000-8000-0123456789ab/{'5e' * 32}"}
COLUMNS, ROWS, SECONDS = 100, 30, 90
WIDTH, HEIGHT = 8.4, 17
INK, PAPER = "#d8dee9", "#16181d"
# The palette's first colours as pyte writes them, as a dark terminal shows them.
COLOURS = {"cd0000": "#e06c75", "cdcd00": "#e5b567", "0000ee": "#6d9fdc", "cd00cd": "#c38bd8", "00cdcd": "#6cc3c9"}


def runs(line: dict) -> list[tuple[int, str, str, bool, bool]]:
    """Column, text, colour, weight and reversal of cells that look the same."""
    found: list[tuple[int, str, str, bool, bool]] = []
    for column in range(COLUMNS):
        cell = line[column]
        look = (COLOURS.get(cell.fg, INK), cell.bold, cell.reverse)
        if found and found[-1][2:] == look and wcswidth(found[-1][1]) + found[-1][0] == column:
            found[-1] = (found[-1][0], found[-1][1] + cell.data, *look)
        elif cell.data:
            found.append((column, cell.data, *look))
    return found


def picture(screen) -> str:
    width, height = COLUMNS * WIDTH + 16, ROWS * HEIGHT + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" font-family="monospace" font-size="14">',
        f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>',
    ]
    for row in range(ROWS):
        y = 8 + row * HEIGHT
        for column, text, colour, bold, reverse in runs(screen.buffer[row]):
            x, length = 8 + column * WIDTH, wcswidth(text) * WIDTH
            if reverse:
                parts.append(f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" height="{HEIGHT}" fill="{colour}"/>')
            elif not text.strip():
                continue
            ink, weight = PAPER if reverse else colour, ' font-weight="bold"' if bold else ""
            parts.append(
                f'<text x="{x:.1f}" y="{y + 13}" fill="{ink}"{weight} textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs" '
                f'xml:space="preserve">{escape(text)}</text>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


def main(kepler: str, simulate: str) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        host, log = Path(folder) / "host", Path(folder) / "log"
        stack.enter_context(running([simulate, str(host)], stdout=log.open("wb")))
        wait_until(lambda: "simulating" in log.read_text(), "the simulated host")
        for name, steps, rest in PROGRAMS:
            executable = shutil.copy(BUSYBOX, Path(folder) / name)
            enter = stack.enter_context(cgroup(CGROUPS.get(name, f"system.slice/{name}.service")))
            process = stack.enter_context(running(["sh", "-c", WORK.format(steps=steps, rest=rest)], executable=str(executable)))
            if enter:
                enter(process.pid)
        flags = [f"--host.sysfs={host / 'sys'}", f"--calibration.path={calibration(Path(folder) / 'learned.json')}", "--region=KR", "--pue=1.3", "--pue-basis=measured", "--price=160"]
        server = Kepler([kepler, "serve", "--web.listen-address=127.0.0.1:0", "--monitor.interval=1s", "--kube.node-name=rack-7", *flags], Path(folder) / "serve")
        stack.callback(server.kill)
        command = [kepler, "top", f"http://{server.address}", "--color=always"]
        with Terminal(command, COLUMNS, ROWS) as terminal:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                terminal.read(1)
            # The address is this run's.
            text = picture(terminal.screen).replace(server.address, "127.0.0.1:28282")
            terminal.type("q")
            terminal.wait()
    (HERE / "top.svg").write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:3])
