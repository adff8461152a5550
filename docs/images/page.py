"""Pictures of the live page: `python docs/images/page.py target/release/kepler target/debug/examples/simulate`.

A simulated machine of 40 W with RAPL (`examples/simulate.rs`) follows the real CPU use of this one, on which a few
programs work and rest. Needs chromium, chromium-driver, busybox-static and `tests/e2e/requirements.txt`. After two minutes
it writes page-light.png, page-dark.png, page-workload.png, page-phone.png and page-korean.png beside itself.
"""

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/e2e"))

from browser import chromium
from polling import wait_until
from server import Kepler
from workloads import BUSYBOX, running

HERE = Path(__file__).parent
SECONDS = 120
# Name, steps of a loop, rest between loops in microseconds.
PROGRAMS = [("postgres", 30000, 60000), ("web-frontend", 12000, 50000), ("search-indexer", 60000, 400000), ("backup", 4000, 90000)]
WORK = "while :; do i=0; while [ $i -lt {steps} ]; do i=$((i+1)); done; usleep {rest}; done"
# File, width, height, colour scheme, fragment.
PICTURES = [
    ("page-light.png", 1280, 960, "light", ""),
    ("page-dark.png", 1280, 960, "dark", ""),
    ("page-workload.png", 1280, 860, "light", "#workload=postgres"),
    ("page-phone.png", 390, 844, "light", ""),
    ("page-korean.png", 1280, 640, "dark", "#lang=ko"),
]


def calibration(path: Path) -> Path:
    """What `kepler calibrate` would learn of the simulated machine, had this one a minute without other work."""
    processor = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text()).group(1)
    threads = os.cpu_count()
    load = [{"busy_share": share, "watts": 40 + 20 * threads * share, "seconds": 30.0} for share in (0.05, 1.0)]
    learned = {
        "format": "kepler-calibration", "version": 1, "made": "2026-11-29T00:00:00Z", "source": "powercap",
        "processor": processor, "threads": threads, "load": load,
        "idle": [{"zone": "package", "watts": 40.0}, {"zone": "dram", "watts": 5.0}],
    }  # fmt: skip
    path.write_text(json.dumps(learned))
    return path


def take(browser, address: str, picture: tuple[str, int, int, str, str]) -> None:
    name, width, height, scheme, fragment = picture
    metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if width < 600 else 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.get("about:blank")
    browser.get(f"http://{address}/{fragment}")
    shown = "#workload .reason" if "workload" in fragment else "#tiles dd"
    wait_until(lambda: browser.execute_script("return document.querySelector(arguments[0])?.textContent", shown), name)
    # Trends fill while it is looked at.
    time.sleep(20 if not fragment else 6)
    browser.save_screenshot(str(HERE / name))
    print(HERE / name, (HERE / name).stat().st_size, "bytes")


def main(kepler: str, simulate: str) -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = (folder / "simulate.log").open("w")
        stack.enter_context(running([simulate, str(folder / "host")], stdout=log, stderr=log))
        wait_until(lambda: "simulating" in (folder / "simulate.log").read_text(), "the simulated machine")
        for name, steps, rest in PROGRAMS:
            shutil.copy(BUSYBOX, folder / name)
            stack.enter_context(running(["sh", "-c", WORK.format(steps=steps, rest=rest)], executable=str(folder / name)))
        flags = ["--monitor.interval=1s", "--region=KR", "--pue=1.3", "--pue-basis=measured", "--price=160", "--kube.node-name=rack-7"]
        command = [kepler, "serve", "--web.listen-address=127.0.0.1:0", f"--host.sysfs={folder / 'host/sys'}", *flags]
        command.append(f"--calibration.path={calibration(folder / 'calibration.json')}")
        server = Kepler(command, folder / "kepler.log")
        stack.callback(server.kill)
        time.sleep(SECONDS)
        browser = chromium(folder / "profile", "hide-scrollbars", "lang=en")
        stack.callback(browser.quit)
        for picture in PICTURES:
            take(browser, server.address, picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
