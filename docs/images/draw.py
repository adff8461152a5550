#!/usr/bin/env python3
"""Draws docs/images/overview.svg from what a running `kepler serve` answers.

    cargo build --release && cargo build --example simulate --features sim
    docs/images/draw.py target/release/kepler target/debug/examples/simulate

Simulated RAPL counters (40 W idle, 20 W more per busy CPU) follow the real CPU use of this machine; compilers, a shell loop and
Python run meanwhile, as real processes. Needs `cc` and Python 3.9; as root, eBPF names short-lived processes.
"""

import html
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

ADDRESS = "127.0.0.1:28399"
IDLE, UNATTRIBUTED, COLOURS = "#9aa5b1", "#d9dee4", ["#1f6fb2", "#c8501e", "#3a8a3a", "#8a4fbf", "#b8860b", "#0f8b8d"]
WIDTH, ROW = 760, 30


def ask(path: str):
    with urllib.request.urlopen(f"http://{ADDRESS}{path}", timeout=5) as answer:
        return json.load(answer)


def workload(directory: pathlib.Path) -> list[subprocess.Popen]:
    source = directory / "unit.c"
    functions = "\n".join(f"int f{n}(int x) {{ for (int i = 0; i < x; i++) x += i * {n} % (x + 7); return x; }}" for n in range(3000))
    source.write_text(functions)
    compiler = f"while :; do cc -O2 -c {source} -o {directory}/unit.o; done"
    commands = [
        ["sh", "-c", compiler],
        [sys.executable, "-c", "while True: sum(n * n for n in range(100_000)); __import__('time').sleep(0.02)"],
        ["bash", "-c", "while :; do :; done & p=$!; sleep 600; kill $p"],
    ]
    return [subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL) for command in commands]


def measure(kepler: str, simulate: str):
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        started = [subprocess.Popen([simulate, str(root / "host")], stdout=subprocess.DEVNULL)]
        try:
            time.sleep(2)
            started.append(
                subprocess.Popen(
                    [kepler, "serve", f"--host.sysfs={root}/host/sys", f"--web.listen-address={ADDRESS}", "--monitor.interval=2s"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            time.sleep(20)  # at rest, so that the idle power is learned
            started += workload(root)
            time.sleep(20)
            return ask("/api/v1/node"), ask("/api/v1/processes?sort=power&limit=50")
        finally:
            for process in reversed(started):
                subprocess.run(["pkill", "-g", str(process.pid)], check=False)
                process.terminate()


def draw(node, processes) -> str:
    zone = next(zone for zone in node["zones"] if zone["zone"] == "package")
    power = zone["power_watts"]
    rows = [(item["comm"], item["power_watts"]["package"], item["energy_joules"]["package"]) for item in processes["items"]]
    rows = [row for row in rows if row[1] >= 0.2][: len(COLOURS)]
    shown = sum(row[1] for row in rows)
    rest = max(power["active"] - shown, 0.0)
    out = []

    def text(x, y, content, size=14, anchor="start", weight="normal", colour="#1c2733"):
        out.append(
            f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}">'
            f"{html.escape(content)}</text>"
        )

    text(24, 40, f"{power['total']:.1f} W", 28, weight="600")
    text(150, 40, f"package · {zone['method']} by {zone['source']} · idle {power['idle']:.1f} W, active {power['active']:.1f} W", colour="#52606d")
    x, scale = 24.0, (WIDTH - 48) / power["total"]
    parts = [("idle", power["idle"], IDLE), *((row[0], row[1], colour) for row, colour in zip(rows, COLOURS)), ("other", rest, UNATTRIBUTED)]
    for name, watts, colour in parts:
        out.append(f'<rect x="{x:.1f}" y="58" width="{max(watts * scale, 0):.1f}" height="34" fill="{colour}"><title>{html.escape(name)}</title></rect>')
        if watts * scale > 60:
            text(x + watts * scale / 2, 80, f"{name} {watts:.1f}", 13, "middle", colour="#ffffff" if colour != UNATTRIBUTED else "#1c2733")
        x += watts * scale
    y = 128
    for content, at, anchor in (("process", 46, "start"), ("watts", 560, "end"), ("joules", 660, "end"), ("share", 736, "end")):
        text(at, y, content, 12, anchor, colour="#52606d")
    for (name, watts, joules), colour in zip(rows, COLOURS):
        y += ROW
        out.append(f'<rect x="24" y="{y - 12}" width="12" height="12" rx="2" fill="{colour}"/>')
        text(46, y, name)
        out.append(f'<rect x="180" y="{y - 11}" width="{watts / max(row[1] for row in rows) * 300:.1f}" height="11" rx="2" fill="{colour}" opacity="0.75"/>')
        text(560, y, f"{watts:.2f}", anchor="end")
        text(660, y, f"{joules:.1f}", anchor="end")
        text(736, y, f"{100 * watts / power['active']:.0f} %", anchor="end")
    y += ROW
    text(46, y, "other processes and work without a process", colour="#52606d")
    text(560, y, f"{rest:.2f}", anchor="end", colour="#52606d")
    text(736, y, f"{100 * rest / power['active']:.0f} %", anchor="end", colour="#52606d")
    height = y + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" role="img" aria-label="Power of a machine, by process">\n'
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff" stroke="#d9dee4"/>\n' + "\n".join(out) + "\n</svg>\n"
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    target = pathlib.Path(__file__).with_name("overview.svg")
    target.write_text(draw(*measure(sys.argv[1], sys.argv[2])))
    print(f"wrote {target}")
