"""Swagger UI in a real browser, without a network: a tool is executed in it and its answer read from the page."""

import json
import os
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions as expect
from selenium.webdriver.support.wait import WebDriverWait

from browser import CHROMIUM, DRIVER, chromium
from polling import wait_until

@pytest.fixture
def browser(tmp_path) -> Iterator[webdriver.Chrome]:
    driver = chromium(tmp_path / "profile")
    yield driver
    driver.quit()


@pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed")
def test_a_tool_is_executed_in_the_page(kepler, browser, tmp_path):
    server = kepler("--monitor.interval=200ms", "--region=KR")
    wait_until(lambda: server.get("/api/v1/history?range=1m").status == 200, "energy")
    wait = WebDriverWait(browser, 60)
    browser.get(f"http://{server.address}/docs")
    tool = wait.until(expect.presence_of_element_located((By.ID, "operations-Tools-assess_workload_compliance")))
    tool.find_element(By.CLASS_NAME, "opblock-summary-control").click()
    execute = wait.until(lambda _: tool.find_element(By.CSS_SELECTOR, "button.execute"))
    execute.click()
    shown = wait.until(lambda _: tool.find_element(By.CSS_SELECTOR, ".live-responses-table tbody .highlight-code pre"))
    status = tool.find_element(By.CSS_SELECTOR, ".live-responses-table tbody .response-col_status").text
    picture = os.environ.get("KEPLER_SCREENSHOT", str(tmp_path / "docs.png"))
    browser.execute_script("arguments[0].scrollIntoView()", tool.find_element(By.CLASS_NAME, "responses-wrapper"))
    browser.save_screenshot(picture)
    assert status.split()[0] == "200", status
    answer = json.loads(shown.text)
    assert answer["workload"] == "kepler" and answer["kind"] == "process"
    assert answer["status"] in ("COMPLIANT", "NON_COMPLIANT", "INSUFFICIENT_DATA")
    # Nothing was asked for elsewhere, and nothing broke the page's own policy.
    complaints = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert complaints == []
