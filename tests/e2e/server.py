"""`kepler serve` as a child process, met over HTTP only."""

import gzip
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import NamedTuple, TypeVar

from exposition import OPENMETRICS, TEXT, Scrape
from polling import wait_until

T = TypeVar("T")


class Answer(NamedTuple):
    status: int
    headers: Message
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers["Content-Type"]


class Kepler:
    """A running `kepler serve` at a free port of 127.0.0.1."""

    def __init__(self, command: list[str], log: Path):
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            self.address = wait_until(self._announced_address, "the address in the log", step=0.005)
        except AssertionError:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def get(self, path: str, accept: str = "*/*", encoding: str = "gzip") -> Answer:
        """Asks for a page, compressed with gzip by default; the body is given as it was before."""
        headers = {"Accept": accept, "Accept-Encoding": encoding}
        request = urllib.request.Request(f"http://{self.address}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                body = answer.read()
                if answer.headers["Content-Encoding"] == "gzip":
                    body = gzip.decompress(body)
                return Answer(answer.status, answer.headers, body)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def is_ready(self) -> bool:
        return self.get("/readyz").status == 200

    def scrape(self, accept: str = TEXT) -> Scrape:
        answer = self.get("/metrics", accept)
        assert answer.status == 200 and answer.content_type.startswith(accept), answer
        return Scrape.of(answer.content_type, answer.body.decode())

    def scrape_openmetrics(self) -> Scrape:
        return self.scrape(OPENMETRICS)

    def scrape_after(self, tick: float, accept: str = TEXT) -> Scrape:
        """The first scrape that shows a snapshot newer than `tick`."""
        return self.scrape_when(lambda scrape: scrape.tick() > tick, f"a snapshot after {tick}", accept)

    def scrape_with_power(self) -> Scrape:
        """The first scrape that covers an interval."""
        watts = "kepler_node_cpu_watts"
        return self.scrape_when(lambda scrape: any(value > 0 for value in scrape.select(watts).values()), "power")

    def scrape_when(self, condition: Callable[[Scrape], object], what: str, accept: str = TEXT) -> Scrape:
        """The first scrape for which `condition` holds."""

        def scrape() -> Scrape | None:
            candidate = self.scrape(accept)
            return candidate if condition(candidate) else None

        return wait_until(scrape, what)

    def scrape_beside(self, read: Callable[[], T], within: float = 0.2) -> tuple[Scrape, T]:
        """A snapshot, and what was read in the moment after it was taken: both are of the same time."""

        def attempt() -> tuple[Scrape, T] | None:
            scrape = self.scrape_after(self.scrape().tick())
            value = read()
            return (scrape, value) if time.time() - scrape.tick() < within else None

        return wait_until(attempt, f"a snapshot that is shown within {within} s")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal, and gives the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    def _announced_address(self) -> str | None:
        assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.log}"
        found = re.search(r"serving http://([^/]+)/metrics", self.log)
        return found.group(1) if found else None
