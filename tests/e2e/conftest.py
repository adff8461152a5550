"""End-to-end tests: the real program, the real kernel, the real Prometheus and Docker.

Run as root: `KEPLER_BIN=target/release/kepler pytest tests/e2e`. What a test measures is shown at the
end, under "figures".
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linux import goes_first
from plug import Plug, answering
from polling import wait_until
from server import Kepler
from workloads import running

FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def kepler_bin() -> Path:
    """The program under test."""
    binary = Path(os.environ.get("KEPLER_BIN", Path(__file__).parents[2] / "target/release/kepler"))
    assert os.access(binary, os.X_OK), f"{binary} is no program: run `cargo build --release`, or set KEPLER_BIN"
    return binary.resolve()


@pytest.fixture(scope="session")
def models_bin(kepler_bin: Path) -> Path:
    """The program, if it was built with models."""
    helped = subprocess.run([kepler_bin, "--help"], capture_output=True, text=True, timeout=10).stdout
    if "model-server" not in helped:
        pytest.skip("the program was built without the feature `models`")
    return kepler_bin


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[Path]:
    """The sysfs of a machine that draws 40 W, and 20 W more for each busy CPU."""
    program = os.environ.get("KEPLER_SIMULATE")
    if not program:
        pytest.skip("KEPLER_SIMULATE names no program: cargo build --example simulate --features sim")
    log = tmp_path / "simulate.log"
    command = [program, str(tmp_path / "host")]
    # Counters that move late would be power that was not drawn.
    with log.open("wb") as file, running(command, stdout=file, stderr=file, preexec_fn=goes_first):
        wait_until(lambda: "simulating" in log.read_text(), "the simulated host")
        yield tmp_path / "host/sys"


@pytest.fixture
def plug() -> Iterator[Plug]:
    """A metered socket that is read over the network."""
    with answering(Plug()) as server:
        yield server


@pytest.fixture
def kepler(kepler_bin: Path, tmp_path: Path) -> Iterator[Callable[..., Kepler]]:
    """Starts `kepler serve` with the given flags and waits until it is ready."""
    servers: list[Kepler] = []

    def start(*flags: str, prefix: tuple[str, ...] = (), binary: Path = kepler_bin) -> Kepler:
        command = [*prefix, str(binary), "serve", "--web.listen-address=127.0.0.1:0", *flags]
        server = Kepler(command, tmp_path / f"kepler-{len(servers)}.log")
        servers.append(server)
        wait_until(server.is_ready, "/readyz", step=0.01)
        return server

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Notes a measured figure for the summary."""
    figures = request.config.stash.setdefault(FIGURES, [])
    return lambda text: figures.append(f"{request.node.name}: {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if figures := config.stash.get(FIGURES, []):
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.line(line)
