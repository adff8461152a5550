"""A real Prometheus, from the Debian package, that scrapes what it is configured to."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

SCRAPE_SECONDS = 0.5

CONFIGURATION = """
global: {{ scrape_interval: 500ms, scrape_timeout: 500ms }}
scrape_configs:
  - job_name: kepler
    static_configs: [{{ targets: {targets} }}]
"""


class Prometheus:
    """Runs while it is entered."""

    def __init__(self, directory: Path, targets: list[str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{address}"
        configuration = directory / "prometheus.yml"
        configuration.write_text(CONFIGURATION.format(targets=json.dumps(targets)))
        self._log = directory / "prometheus.log"
        self._command = [
            "prometheus",
            f"--config.file={configuration}",
            f"--storage.tsdb.path={directory / 'tsdb'}",
            f"--web.listen-address={address}",
        ]

    def __enter__(self) -> Prometheus:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)
        self.wait_for("vector(1)", 1)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(20)

    def wait_for(self, expression: str, least: float) -> None:
        """Until a query gives that much."""
        query = urllib.parse.urlencode({"query": expression})
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=5) as answer:
                    rows = json.load(answer)["data"]["result"]
                if rows and float(rows[0]["value"][1]) >= least:
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.05)
        raise AssertionError(f"{expression} does not reach {least}: {self._log.read_text()[-2000:]}")
