"""Headless Chromium that reaches nothing but this machine."""

import shutil
from pathlib import Path

from selenium import webdriver

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")


def chromium(profile: Path, *flags: str) -> webdriver.Chrome:
    """A browser with a profile of its own, whose console and network are recorded."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [
        "headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync", "window-size=1280,1600",
        f"user-data-dir={profile}",
        # Nothing but this machine can be reached.
        "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        *flags,
    ]:  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
