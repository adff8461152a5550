"""The live page in a real browser, without a network: its figures are the API's, and its states are shown."""

import base64
import csv
import gzip
import io
import json
import os
import re
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser import CHROMIUM, DRIVER, chromium
from polling import wait_until, wait_until_right
from powercap import PowercapTree
from workloads import BUSYBOX, running, spinning

AXE = Path(__file__).parent / "page/node_modules/axe-core/axe.min.js"
SITE = ("--region=KR", "--pue=1.2", "--price=120")

pytestmark = pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed")


@pytest.fixture
def browser(tmp_path) -> Iterator[webdriver.Chrome]:
    driver = chromium(tmp_path / "profile")
    yield driver
    driver.quit()


@pytest.fixture
def page(kepler, browser) -> Callable[..., object]:
    """Starts a server and opens its page; gives the server once figures are shown."""

    def open_page(*flags: str, fragment: str = "", interval: str = "300ms"):
        server = kepler("--meter=fake", f"--monitor.interval={interval}", *SITE, *flags)
        browser.get(f"http://{server.address}/{fragment}")
        wait_until(lambda: "W" in text(browser, "#watts"), "power on the page", seconds=30)
        wait_until(lambda: rows(browser), "rows", seconds=30)
        return server

    return open_page


def find(browser, selector: str):
    return browser.find_element(By.CSS_SELECTOR, selector)


def text(browser, selector: str) -> str:
    return browser.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)


def texts(browser, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((element) => element.textContent)"
    return browser.execute_script(script, selector)


def rows(browser) -> list[dict[str, str]]:
    """The table of consumers, by column."""
    script = """return [...document.querySelectorAll("table.consumers tbody tr")].map((row) =>
        Object.fromEntries([...row.children].map((cell) => [cell.className, cell.textContent])))"""
    return browser.execute_script(script)


def value(shown: str) -> float:
    """`1.24 kJ` as 1240."""
    number, unit = shown.replace(",", "").split()
    prefixes = {"µ": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}
    return float(number) * (prefixes.get(unit[0], 1) if len(unit) > 1 and unit not in ("g/h", "gCO₂e") else 1)


def api(server, path: str) -> dict:
    answer = server.get(path)
    assert answer.status == 200, answer
    return json.loads(answer.body)


def press(browser, key: str) -> None:
    find(browser, "body").send_keys(key)


def pause(browser) -> None:
    """Stops the stream, so that what is shown stays."""
    press(browser, "p")
    wait_until(lambda: text(browser, "#status-text") == "Paused", "the pause")
    stands_still(browser)


def stands_still(browser) -> None:
    """Waits until the power has stayed the same for longer than several of its intervals: an answer may have been under way."""

    def stands() -> bool:
        seen = {text(browser, "#watts")}
        for _ in range(4):
            time.sleep(0.35)
            seen.add(text(browser, "#watts"))
        return len(seen) == 1

    wait_until(stands, "the power to stand still")


def complaints(browser) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def complaints_of_scripts(browser) -> list[str]:
    return [line for line in complaints(browser) if "/page/" in line]


def requested(browser) -> list[str]:
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    urls = (m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent")
    # The browser's own pages (`chrome://newtab`, `chrome-untrusted://new-tab-page`) and what a page makes itself go over no network.
    return [url for url in urls if urlsplit(url).scheme in ("http", "https", "ws", "wss")]


def accessibility_faults(browser) -> list[str]:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm --prefix tests/e2e/page ci")
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text()})
    browser.set_script_timeout(60)
    answer = browser.execute_async_script("axe.run().then(arguments[0], (error) => arguments[0]({ error: String(error) }))")
    assert "error" not in answer, answer
    return [f"{fault['id']}: {node['html']}" for fault in answer["violations"] for node in fault["nodes"]]


def test_figures_on_the_page_are_those_of_the_api(page, browser):
    # Long enough that what the page shows and what is asked for here are of one snapshot.
    server = page(interval="3s")

    def same_moment() -> bool:
        before = api(server, "/api/v1/node")
        time.sleep(0.4)
        shown, listed = text(browser, "#watts"), rows(browser)
        processes = {(row["comm"], row["pid"]): row for row in api(server, "/api/v1/processes?limit=25")["items"]}
        after = api(server, "/api/v1/node")
        if before["snapshot"]["id"] != after["snapshot"]["id"]:
            return False
        total = before["total"]["power_watts"]["total"]
        assert value(shown) == pytest.approx(total, rel=0.006)
        compared = 0
        for row in listed[:10]:
            own = [key for key in processes if row["name"] == f"{key[0]}{key[1]}" or row["name"].startswith(f"{key[0]}{key[1]} ")]
            assert len(own) == 1, row
            known = processes[own[0]]
            assert value(row["power"]) == pytest.approx(known["power_watts"]["total"], rel=0.006, abs=1e-9)
            assert value(row["energy"]) == pytest.approx(known["energy_joules"]["total"], rel=0.006, abs=1e-9)
            if not row["share"].startswith("<"):
                share = float(row["share"].rstrip(" %")) / 100
                assert share == pytest.approx(known["power_watts"]["total"] / total, rel=0.06, abs=1e-9)
            # 417.3 g/kWh at a PUE of 1.2
            assert value(row["carbon"]) == pytest.approx(known["power_watts"]["total"] * 500.76 / 1000, rel=0.006, abs=1e-9)
            compared += 1
        return compared == 10

    # The page may be about to show what the API has already.
    wait_until_right(same_moment, "the page and the API to show one moment", seconds=60)
    zones = texts(browser, "#zones tbody th")
    assert [name.replace("within package", "") for name in zones] == [zone["zone"] for zone in api(server, "/api/v1/node")["zones"]]


def test_today_shows_region_intensity_pue_and_their_sources(page, browser):
    server = page()
    wait_until(lambda: "Wh" in text(browser, "#tiles"), "today")
    shown = text(browser, "#tiles")
    carbon = api(server, "/api/v1/carbon")
    grid = carbon["site"]["grid_intensity"]
    assert "KR" in shown and "South Korea" in shown and "417 g/kWh" in shown and "PUE 1.2" in shown
    assert grid["value"] == 417.3 and urlsplit(grid["source"]).hostname.removeprefix("www.") in shown
    assert f"published {grid['year']}" in shown and "assumed" in shown and "₩120" in shown
    # Energy times PUE, times the grid's intensity, times the price.
    kwh = carbon["energy_joules"] / 3.6e6
    assert carbon["facility_energy_kwh"] == pytest.approx(kwh * 1.2)
    assert carbon["emissions_gCO2eq"] == pytest.approx(kwh * 1.2 * 417.3, rel=1e-3)
    assert carbon["cost"] == pytest.approx(kwh * 1.2 * 120, rel=1e-6)


def test_new_figures_arrive_by_themselves_until_it_is_paused_or_hidden(page, browser):
    page()
    first = text(browser, "#watts")
    wait_until(lambda: text(browser, "#watts") != first, "another power")
    wait_until(lambda: text(browser, "#status-text") == "Live", "that it is live")
    pause(browser)
    still = text(browser, "#watts")
    press(browser, "p")
    wait_until(lambda: text(browser, "#watts") != still, "another power after the pause")
    # Hidden, it does not listen: there is no stream of events at the server.
    browser.get_log("performance")
    hide = "Object.defineProperty(document, 'hidden', { configurable: true, value: %s }); document.dispatchEvent(new Event('visibilitychange'))"
    browser.execute_script(hide % "true")
    stands_still(browser)
    still = text(browser, "#watts")
    browser.execute_script(hide % "false")
    wait_until(lambda: text(browser, "#watts") != still, "another power when it is seen again")


def test_the_table_is_sorted_searched_and_shared_by_address(page, browser, tmp_path):
    with spinning(tmp_path) as process:
        server = page()
        find(browser, "thead th.energy button").click()
        assert "sort=energy" in browser.current_url
        wait_until(lambda: find(browser, "thead th.energy").get_attribute("aria-sort") == "descending", "the order")
        pause(browser)
        # The heading says so at once, the rows come when the server has answered.
        wait_until(lambda: (e := [value(row["energy"]) for row in rows(browser)]) == sorted(e, reverse=True), "its rows")
        find(browser, "thead th.energy button").click()
        wait_until(lambda: (e := [value(row["energy"]) for row in rows(browser)]) == sorted(e), "the other order")
        press(browser, "/")
        browser.switch_to.active_element.send_keys("E2E-sp")
        wait_until(lambda: [row["name"] for row in rows(browser)] == [f"e2e-spin{process.pid}"], "the process alone")
        address = browser.current_url
        browser.get("about:blank")
        browser.get(address)
        wait_until(lambda: [row["name"] for row in rows(browser)] == [f"e2e-spin{process.pid}"], "the same by its address")
        browser.switch_to.active_element.send_keys("")
        find(browser, "#search").send_keys("-nothing-of-the-kind")
        wait_until(lambda: not rows(browser), "no row")
        wait_until(lambda: "Nothing matches" in text(browser, "#consumers .nothing"), "why there is none")
        assert api(server, f"/api/v1/processes?search={process.pid}")["items"]


def test_a_click_on_the_chart_shows_who_used_how_much_then_and_escape_goes_back(page, browser, tmp_path):
    def shows(name: str) -> bool:
        return any(row["name"].startswith(name) for row in rows(browser))

    with spinning(tmp_path):
        server = page(fragment="#range=15m")
        wait_until(lambda: shows("e2e-spin"), "the process")
        wait_until(lambda: len(api(server, "/api/v1/history?range=15m&step=1s")["steps"]) >= 3, "some history")
    wait_until(lambda: not shows("e2e-spin"), "its end")
    wait_until(lambda: find(browser, "svg.power path.line"), "the chart")
    click = """const chart = document.querySelector("svg.power"), { left, top } = chart.getBoundingClientRect();
        chart.dispatchEvent(new MouseEvent("click", { clientX: left + 64, clientY: top + 50, bubbles: true }))"""
    browser.execute_script(click)
    wait_until(lambda: "at=" in browser.current_url and shows("e2e-spin"), "who used it then")
    assert "Mean of" in text(browser, ".past") and "live" in text(browser, ".past")
    start, end = (int(edge) for edge in re.search(r"at=(\d+)-(\d+)", browser.current_url).groups())
    to = datetime.fromtimestamp(end / 1000, UTC).isoformat().replace("+00:00", "Z")
    answer = api(server, f"/api/v1/history/workloads?kind=process&to={to}&range={end - start}ms&limit=25")
    shown = rows(browser)
    # The kernel renames its workers by what they do, also between the two answers.
    named = lambda name: name.split("-")[0] if name.startswith("kworker/") else name  # noqa: E731
    assert [named(row["name"].split(str(item["uid"].split("/")[0]))[0]) for row, item in zip(shown, answer["items"], strict=True)] == [
        named(item["name"]) for item in answer["items"]
    ]
    assert value(shown[0]["power"]) == pytest.approx(answer["items"][0]["power_watts"]["total"], rel=0.01)
    assert find(browser, "svg.power .chosen") and not any(row["verdict"].strip("–") for row in shown), "verdicts are of now"
    address = browser.current_url
    browser.get("about:blank")
    browser.get(address)
    wait_until(lambda: shows("e2e-spin"), "the same by its address")
    press(browser, Keys.ESCAPE)
    wait_until(lambda: "at=" not in browser.current_url and rows(browser) and not shows("e2e-spin"), "now")
    assert not complaints_of_scripts(browser)


def test_trends_begin_with_what_was_before_the_page_was_opened(page, browser):
    server = page()
    browser.get("about:blank")
    wait_until(lambda: len(api(server, "/api/v1/history?range=5m&step=300ms")["steps"]) >= 15, "some history")
    browser.get(f"http://{server.address}/")
    wait_until(lambda: rows(browser), "rows")
    press(browser, "p")
    points = "return Math.max(0, ...[...document.querySelectorAll('svg.spark')].map((spark) => [...spark.querySelectorAll('polyline')].reduce((sum, line) => sum + line.points.length, 0)))"
    wait_until(lambda: browser.execute_script(points) >= 12, "a trend of before")


def test_a_workload_has_a_page_with_its_series_and_its_verdict(page, browser, tmp_path):
    with spinning(tmp_path):
        server = page(fragment="#q=e2e-spin")
        wait_until(lambda: rows(browser), "the process")
        browser.execute_script("document.querySelector('table.consumers tbody a').click()")
        wait_until(lambda: text(browser, "#workload .reason"), "the verdict")
        body = {"workload_name": "e2e-spin", "kind": "process"}
        request = urllib.request.Request(
            f"http://{server.address}/tools/assess_workload_compliance", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        answer = json.load(urllib.request.urlopen(request, timeout=10))
        assert text(browser, "#workload h1") == "e2e-spin" and not find(browser, "#overview").is_displayed()
        assert text(browser, "#workload .reason") == answer["recommendation"]
        assert texts(browser, "#workload .panel li b")[:2] == [verdict["code"] for verdict in answer["verdicts"]]
        wait_until(lambda: find(browser, "#workload svg.power path.line"), "its chart")
        assert answer["optimizations"][0]["description"] in text(browser, "#workload")
        browser.back()
        wait_until(lambda: find(browser, "#overview").is_displayed(), "the overview")
        browser.get(f"http://{server.address}/#workload=no-such-thing")
        browser.refresh()
        wait_until(lambda: "Unknown workload" in text(browser, "#workload"), "that it is not known")


def test_names_are_text_whatever_they_hold(page, browser, tmp_path):
    # Of a process's name the kernel keeps 15 bytes.
    evil = "<img src=x id=a"
    program = tmp_path / "<img src=x id=a>"
    shutil.copy(BUSYBOX, program)
    with running(["sleep", "60"], executable=str(program)):
        page(fragment="#q=img")
        wait_until(lambda: any(evil in row["name"] for row in rows(browser)), "the name as text")
        assert not browser.find_elements(By.CSS_SELECTOR, "table img, #a")
    assert complaints(browser) == []


def test_it_asks_no_other_server_and_logs_no_error(page, browser):
    server = page()
    wait_until(lambda: "Wh" in text(browser, "#tiles"), "today")
    for kind in ("Containers", "Units", "Ended commands"):
        browser.execute_script("[...document.querySelectorAll('#kinds button')].find((b) => b.textContent.startsWith(arguments[0])).click()", kind)
        time.sleep(0.5)
    for address in ("15m", "30d"):
        browser.execute_script("[...document.querySelectorAll('#ranges button')][arguments[0]].click()", 0 if address == "15m" else 5)
        time.sleep(0.5)
    hosts = {urlsplit(url).netloc for url in requested(browser)}
    assert hosts == {server.address}
    assert complaints(browser) == []


def test_a_token_is_asked_for_and_never_in_an_address(kepler, browser, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret-token\n")
    server = kepler("--meter=fake", "--monitor.interval=300ms", f"--web.token-file={token}")
    browser.get(f"http://{server.address}/")
    wait_until(lambda: find(browser, "#token").is_displayed(), "the question")
    find(browser, "#token-input").send_keys("wrong" + Keys.ENTER)
    wait_until(lambda: "does not accept" in text(browser, "#token-wrong"), "that it is wrong")
    find(browser, "#token-input").send_keys("s3cret-token" + Keys.ENTER)
    wait_until(lambda: "W" in text(browser, "#watts"), "power")
    wait_until(lambda: rows(browser), "rows")
    assert not find(browser, "#token").is_displayed()
    assert not any("s3cret" in url for url in requested(browser)) and "s3cret" not in browser.current_url


def test_users_and_passwords_hold_for_the_page(kepler_bin, browser, tmp_path):
    # The password of ada is lovelace.
    config = tmp_path / "web.yml"
    config.write_text("basic_auth_users: { ada: '$2b$04$8rdfYYlCTzx0OIab6.5MB.dJLbgK7mCWjskID/a4eu6b84FwJ.hQ.' }\n")
    log = tmp_path / "kepler.log"
    command = [kepler_bin, "serve", "--meter=fake", "--monitor.interval=300ms", "--web.listen-address=127.0.0.1:0"]
    with log.open("w") as file, running([*command, f"--web.config-file={config}"], stderr=file):
        found = wait_until(lambda: re.search(r"serving /metrics at ([^,]+),", log.read_text()), "the address")
        url = f"http://{found.group(1)}/"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url, timeout=10)
        assert refused.value.code == 401 and refused.value.headers["WWW-Authenticate"].startswith("Basic")
        # What a browser sends once the user has answered its prompt.
        known = base64.b64encode(b"ada:lovelace").decode()
        browser.execute_cdp_cmd("Network.enable", {})
        browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Authorization": f"Basic {known}"}})
        browser.get(url)
        wait_until(lambda: "W" in text(browser, "#watts"), "power", seconds=30)
        wait_until(lambda: rows(browser), "rows")
        assert not find(browser, "#token").is_displayed()


def test_what_is_stale_or_unreachable_says_so(page, browser):
    server = page(interval="1s")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: text(browser, "#status-text") in ("Stale", "Unreachable"), "that it is stale", seconds=40)
        assert find(browser, "#banner").is_displayed() and "old" in text(browser, "#banner") or "answer" in text(browser, "#banner")
    finally:
        os.kill(server.pid, signal.SIGCONT)
    wait_until(lambda: text(browser, "#status-text") == "Live", "that it lives", seconds=40)
    wait_until(lambda: not find(browser, "#banner").is_displayed(), "no banner")
    last = text(browser, "#watts")
    server.kill()
    wait_until(lambda: text(browser, "#status-text") == "Unreachable", "that it is gone", seconds=40)
    assert "last ones" in text(browser, "#banner") and text(browser, "#watts") not in ("", "–"), last


INSTEAD = """const real = window.fetch;
window.fetch = async (address, options) => {
  const path = new URL(address).pathname;
  const instead = ((path, real) => { %s })(path, () => real(address, options));
  return instead ?? real(address, options);
};"""
PROBLEM = "new Response(JSON.stringify({ status: 503, detail: '%s' }), { status: 503, headers: { 'Content-Type': 'application/problem+json' } })"


def answered_instead(browser, script: str) -> None:
    """Lets a script answer for the server where it gives anything."""
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": INSTEAD % script})


def test_before_the_first_reading_it_waits(kepler, browser):
    server = kepler("--meter=fake")
    problem = PROBLEM % "no snapshot has been taken yet"
    answered_instead(browser, f"if (path.startsWith('/api/')) return {problem};")
    browser.get(f"http://{server.address}/")
    wait_until(lambda: "first reading" in text(browser, "#status-text"), "that it waits")
    assert "No reading has been taken yet" in text(browser, "#banner") and text(browser, "#watts") == "–"


def test_where_too_many_listen_it_asks_now_and_then(kepler, browser):
    server = kepler("--meter=fake", "--monitor.interval=300ms")
    answered_instead(browser, f"if (path === '/api/v1/events') return {PROBLEM % '16 streams are open'};")
    browser.get(f"http://{server.address}/")
    wait_until(lambda: text(browser, "#status-text") == "Every 5 s", "that it polls")
    assert "16 streams are open" in text(browser, "#banner")
    wait_until(lambda: "W" in text(browser, "#watts"), "power, which the first answer may not have yet")


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ("node.zones = []; node.total = null;", "No source of energy figures"),
        ("node.total.power_watts = null;", "from the second reading on"),
        ("node.total.method = 'partial'; node.total.error_ratio = 0.12;", "measured in part"),
    ],
)
def test_a_node_that_knows_less_says_what_it_lacks(kepler, browser, change, shown):
    server = kepler("--meter=fake", "--monitor.interval=300ms")
    # Polled, as an answer is changed more easily than a stream.
    change = f"return real().then((answer) => answer.json()).then((node) => {{ {change} node.zones.forEach((zone) => {{ zone.source = 'powercap'; }}); return Response.json(node); }});"
    answered_instead(browser, f"if (path === '/api/v1/events') return {PROBLEM % 'busy'}; if (path === '/api/v1/node') {{ {change} }}")
    browser.get(f"http://{server.address}/")
    wait_until(lambda: shown in text(browser, ".now"), shown)
    wait_until(lambda: rows(browser), "rows")
    assert not complaints_of_scripts(browser)


def test_an_estimate_is_dashed_with_its_interval_and_a_measurement_is_not(page, kepler, browser, simulated):
    page()
    assert "made up" in text(browser, "#basis") and "90 %" in text(browser, "#basis") and "±100 %" in text(browser, "#basis")
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "#chart path.band"), "the interval")
    assert browser.find_elements(By.CSS_SELECTOR, "#chart path.hatched") and "Hatched" in text(browser, "#chart")
    server = kepler(f"--host.sysfs={simulated}", "--monitor.interval=300ms")
    browser.get(f"http://{server.address}/")
    wait_until(lambda: "measured by powercap" in text(browser, "#basis"), "that it is measured")
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "#chart path.line"), "the chart")
    assert not browser.find_elements(By.CSS_SELECTOR, "#chart path.band, #chart path.hatched")
    # 45 W of it are drawn by an idle machine; a sampler that has just begun may not know yet.
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "#chart path.area.idle"), "the idle part")


def test_it_speaks_korean_and_remembers_it_in_the_address(page, browser):
    page()
    find(browser, "#lang").click()
    wait_until(lambda: text(browser, "#now-title") == "현재 전력", "Korean")
    assert "lang=ko" in browser.current_url
    assert browser.execute_script("return document.documentElement.lang") == "ko"
    wait_until(lambda: "프로세스" in text(browser, "#kinds"), "kinds in Korean")
    # Every key of the table that is shown has its word: a missing one would show the key.
    assert "_" not in "".join(texts(browser, "h1, h2, h3, button, thead th, label, dt, summary, caption"))


def test_what_is_seen_is_saved_as_csv_svg_and_png(page, browser, tmp_path):
    page()
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path / "saved")})
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "#chart svg.power"), "the chart")
    for button in browser.find_elements(By.CSS_SELECTOR, "#chart-exports button, #table-exports button"):
        button.click()
        time.sleep(0.3)
    found = wait_until(lambda: (f := sorted((tmp_path / "saved").glob("kepler-*.*"))) and len(f) == 4 and all(path.suffix != ".crdownload" for path in f) and f, "four files")
    by_type = {path.suffix: path for path in found if "processes" not in path.name}
    assert set(by_type) == {".csv", ".svg", ".png"}
    assert by_type[".png"].read_bytes().startswith(b"\x89PNG")
    assert by_type[".svg"].read_text().startswith("<svg") and "fill=\"rgb" in by_type[".svg"].read_text()
    series = list(csv.DictReader(io.StringIO(by_type[".csv"].read_text())))
    assert series and all(float(step["total_watts"]) >= 0 and step["method"] == "estimated" for step in series)
    table = list(csv.DictReader(io.StringIO(next(path for path in found if "processes" in path.name).read_text())))
    assert len(table) == 25 and all(float(row["power_watts"]) >= 0 for row in table)
    assert all(row["method"] == "estimated" and float(row["error_ratio"]) > 0 for row in table)


def test_what_is_measured_in_part_is_so_in_every_row_that_is_saved(kepler, browser, tmp_path):
    tree = PowercapTree(tmp_path)
    for socket in range(2):
        tree.add_zone(f"intel-rapl:{socket}", f"package-{socket}", 10**9)
    tree.counter("intel-rapl:1").unlink()
    tree.counter("intel-rapl:1").mkdir()
    counting = threading.Event()

    def count() -> None:
        begun = time.monotonic()
        while not counting.wait(0.05):
            tree.set("intel-rapl:0", 10**9 + int((time.monotonic() - begun) * 100e6))

    threading.Thread(target=count, daemon=True).start()
    server = kepler(f"--host.sysfs={tree.sysfs}", "--monitor.interval=300ms", *SITE)
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path / "saved")})
    browser.get(f"http://{server.address}/")
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "#chart svg.power"), "the chart")
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "#consumers tbody tr"), "the table")
    for button in browser.find_elements(By.CSS_SELECTOR, "#chart-exports button, #table-exports button"):
        if button.text == "CSV":
            button.click()
            time.sleep(0.3)
    found = wait_until(lambda: (f := sorted((tmp_path / "saved").glob("kepler-*.csv"))) and len(f) == 2 and f, "two files")
    counting.set()
    for path in found:
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        assert rows and [row for row in rows if row["method"] != "partial" or not float(row["error_ratio"]) > 0] == [], path.name
        if "processes" not in path.name:
            assert all(0 < float(row["coverage"]) <= 1 for row in rows)


def test_figures_of_other_machines_are_shown_with_their_source(kepler, browser, tmp_path):
    far = kepler("--meter=fake", "--monitor.interval=300ms", "--kube.node-name=far-away")
    near = kepler("--meter=fake", "--monitor.interval=300ms", f"--source=kepler=http://{far.address}", *SITE)
    with spinning(tmp_path):
        browser.get(f"http://{near.address}/")
        wait_until(lambda: "far-away" in text(browser, "#cluster tbody th"), "the other node", seconds=60)
        assert far.address in text(browser, "#cluster .bar") and text(browser, "#node") != "far-away"
        wait_until(lambda: "e2e-spin" in text(browser, "#cluster"), "its workload", seconds=60)
    # The region here is marked among the cleaner ones, and the inventory is filtered by verdict.
    wait_until(lambda: len(texts(browser, "#cluster .bars li")) == 11, "the regions")
    assert "KR" in text(browser, "#cluster .bars .here")
    script = "[...document.querySelectorAll('#cluster .segmented button')].find((b) => b.textContent.startsWith('Compliant')).click()"
    browser.execute_script(script)
    wait_until(lambda: "verdict=COMPLIANT" in browser.current_url and "e2e-spin" not in text(browser, "#cluster"), "none that complies", seconds=30)
    # Before the other exporter has been read twice there are no figures, which the browser notes as 404.
    assert [line for line in complaints(browser) if "/api/v1/history" not in line] == []
    assert accessibility_faults(browser) == []
    # A page of this machine's own figures has no such part.
    browser.get(f"http://{far.address}/")
    wait_until(lambda: rows(browser), "rows")
    assert not find(browser, "#cluster").is_displayed()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_fault(page, browser, scheme, width):
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600})
    page()
    wait_until(lambda: "Wh" in text(browser, "#tiles"), "today")
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "#chart svg.power"), "the chart")
    pause(browser)
    assert accessibility_faults(browser) == []
    wide = browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "nothing is wider than the window"
    browser.execute_script("document.querySelector('table.consumers tbody a').click()")
    wait_until(lambda: text(browser, "#workload .reason"), "the verdict")
    assert accessibility_faults(browser) == []


def test_it_is_usable_by_keyboard(page, browser):
    server = page()
    browser.get(f"http://{server.address}/#q={server.pid}")
    own = f"kepler{server.pid}"
    wait_until(lambda: any(row["name"].startswith(own) for row in rows(browser)), "the process")
    focus = "[...document.querySelectorAll('table.consumers tbody th')].find((th) => th.textContent.startsWith(arguments[0])).querySelector('a').focus()"
    browser.execute_script(focus, own)
    # The table goes on changing, and the focus stays.
    time.sleep(1.5)
    assert browser.switch_to.active_element.text == "kepler"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    wait_until(lambda: find(browser, "#workload").is_displayed(), "the workload's page")
    press(browser, Keys.ESCAPE)
    wait_until(lambda: find(browser, "#overview").is_displayed(), "the overview")
    chart = wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "#chart svg.power"), "the chart")[0]
    pause(browser)
    chart = find(browser, "#chart svg.power")
    chart.send_keys(Keys.HOME)
    wait_until(lambda: text(browser, "#chart .legend") == chart.get_attribute("aria-label") != "", "what the chart says")


def test_the_page_is_small_and_its_policy_strict(kepler, figure):
    server = kepler("--meter=fake")
    answer = server.get("/")
    assert answer.status == 200 and answer.content_type == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    html = answer.body.decode()
    for path in ("/metrics", "/livez", "/readyz", "/docs", "/tools"):
        assert f'href="{path}"' in html
    files = ["/", *(part.split('"')[0] for part in html.split('="') if part.startswith("/page/"))]
    script = server.get("/page/main.js").body.decode()
    queue, seen = [script], set()
    while queue:
        for part in queue.pop().split('from "./')[1:]:
            name = part.split('"')[0]
            if name not in seen:
                seen.add(name)
                queue.append(server.get(f"/page/{name}").body.decode())
    size = 0
    for path in sorted({*files, *(f"/page/{name}" for name in seen)}):
        request = urllib.request.Request(f"http://{server.address}{path}", headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(request, timeout=10) as got:
            body = got.read()
            assert got.headers["Content-Encoding"] == "gzip" and gzip.decompress(body)
            size += len(body)
            again = urllib.request.Request(f"http://{server.address}{path}", headers={"If-None-Match": got.headers["ETag"]})
        with pytest.raises(urllib.error.HTTPError) as unchanged:
            urllib.request.urlopen(again, timeout=10)
        assert unchanged.value.code == 304
    figure(f"the page and its {len(seen) + 4} files: {size / 1024:.1f} KiB compressed (limit: 100)")
    assert size <= 100 * 1024


def test_what_is_left_of_the_whole_machine_is_shown_with_the_error_of_the_difference(page, browser, plug, tmp_path):
    plug.watts = 400
    meters = plug.file(tmp_path, "errorRatio: 0.1")
    server = page(f"--experimental.platform.external.config-file={meters}")

    def error(row: str, sigma: str) -> float | None:
        shown = re.search(rf"±([\d.]+) % \({sigma}\)", text(browser, f"#platform tbody tr:{row} td.source"))
        return float(shown[1]) if shown else None

    # 10 % of the whole are more than 10 % of what is left of it.
    wait_until(lambda: (error("last-child", "one sigma") or 0) > 10, "the error of the rest")
    assert error("first-child", "one sigma") == 10
    rest = json.loads(server.get("/api/v1/node").body)["platform_residual"]
    assert rest["error_ratio"] > 0.1 and rest["method"] == "estimated"
    find(browser, "#lang").click()
    wait_until(lambda: (error("last-child", "1σ") or 0) > 10, "the same in Korean")
