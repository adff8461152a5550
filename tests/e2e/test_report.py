"""`kepler report` over what `kepler serve` recorded: figures, forms, and a page that loads nothing from elsewhere."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from browser import CHROMIUM, DRIVER, chromium
from workloads import running

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("KEPLER_")}
HOSTILE = "<img src=x>"


@pytest.fixture(scope="module")
def history(kepler_bin, tmp_path_factory) -> Path:
    """Some seconds in which a program with a hostile name works."""
    folder = tmp_path_factory.mktemp("history")
    program = folder / HOSTILE
    shutil.copy(shutil.which("yes"), program)
    command = [kepler_bin, "serve", "--web.listen-address=127.0.0.1:0", "--monitor.interval=500ms", f"--history.path={folder}/h.db"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stderr=log, stdout=log, env=ENVIRONMENT)
        with running([program], stdout=subprocess.DEVNULL):
            time.sleep(3)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
    return folder / "h.db"


@pytest.fixture
def report(kepler_bin, history):
    """Runs `kepler report`."""

    def run(*arguments, start="1h", place=("--region=KR", "--pue=1.5", "--price=100")) -> subprocess.CompletedProcess:
        command = [kepler_bin, "report", f"--history.path={history}", f"--from={start}", *place, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=ENVIRONMENT)

    return run


def test_all_forms_have_the_same_figures(report, tmp_path):
    found = json.loads(report("--format=json").stdout)
    total = found["total"]
    assert total["energy_joules"] > 0 and total["facility_energy_kwh"] == pytest.approx(total["energy_joules"] / 3.6e6 * 1.5)
    assert total["cost"] == pytest.approx(total["facility_energy_kwh"] * 100)
    assert found["coverage"] < 0.1 and found["gaps"], "most of the hour is missing, and named"
    rows = list(csv.DictReader(report("--format=csv", "--by=process", f"--to={found['to']}", start=found["from"]).stdout.splitlines()))
    assert [row["scope"] for row in rows[:3]] == ["total", "idle", "unattributed"]
    assert float(rows[0]["energy_joules"]) == pytest.approx(total["energy_joules"])
    assert {row["method"] for row in rows} <= {"measured", "partial", "estimated"}
    assert any(row["name"] == HOSTILE for row in rows)
    markdown = report("--format=md", "--by=process").stdout
    assert "| Missing time |" in markdown and HOSTILE not in markdown and "&lt;img src=x>" in markdown


def test_what_is_not_known_is_empty(report):
    rows = csv.DictReader(report("--format=csv", place=("--region=KR",)).stdout.splitlines())
    total = next(rows)
    assert (total["pue"], total["cost"], total["currency"], total["emissions_location_gCO2eq"]) == ("", "", "", "")
    assert total["energy_joules"] != ""


def test_times_without_figures_and_bad_ones_are_said(report):
    done = report("--to=2020-01-02", start="2020-01-01")
    assert done.returncode == 1 and "nothing was recorded" in done.stderr
    assert report(start="yesterday").returncode == 2
    assert report("--to=2026-01-01", start="2026-01-02").returncode == 2
    assert report("--contract=wind=2@0").returncode == 2


@pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed")
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_the_page_opens_without_a_request_or_a_script(report, tmp_path, lang):
    page = tmp_path / "report.html"
    assert report("-o", page, f"--lang={lang}", "--by=process").returncode == 0
    driver = chromium(tmp_path / "profile")
    try:
        driver.get(page.as_uri())
        picture = os.environ.get("KEPLER_SCREENSHOTS")
        driver.save_screenshot(str(Path(picture or tmp_path) / f"report-{lang}.png"))
        title = driver.find_element("css selector", "h1").text
        assert title == {"en": "Energy and carbon report", "ko": "에너지·탄소 보고서"}[lang]
        assert len(driver.find_elements("css selector", "main > svg")) == 2
        names = [cell.text for cell in driver.find_elements("css selector", ".who td:first-child")]
        assert HOSTILE in names and not driver.find_elements("css selector", "img, script")
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
        requests = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        # The page that the browser starts with asks for its own parts.
        asked = [request["request"]["url"] for request in requests if request["documentURL"] == page.as_uri()]
        assert asked == [page.as_uri()]
        printed = driver.print_page()
        assert len(printed) > 10_000
    finally:
        driver.quit()
