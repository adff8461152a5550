"""MCP by foreign clients: the official Python SDK, the official TypeScript SDK, plain HTTP.

`KEPLER_BIN=target/debug/kepler pytest tests/mcp -p no:asyncio`. What is written in TypeScript needs `npm ci
--ignore-scripts` in this folder and Node 22, which requirements.txt brings.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client

FOLDER = Path(__file__).parent


def node() -> str | None:
    """Node, of this Python environment where that has one; none without the packages that it is to run."""
    own = Path(sys.executable).with_name("node")
    found = str(own) if own.exists() else shutil.which("node")
    return found if (FOLDER / "node_modules/@modelcontextprotocol/conformance").is_dir() else None


NODE = node()
MEASURING = ["--meter=fake", "--monitor.interval=200ms"]
TOKEN = "open sesame"
PAGE = "https://ops.example"


@pytest.fixture(scope="session")
def kepler_bin() -> Path:
    """The program under test."""
    binary = Path(os.environ.get("KEPLER_BIN", Path(__file__).parents[2] / "target/release/kepler"))
    assert os.access(binary, os.X_OK), f"{binary} is no program: build it, or set KEPLER_BIN"
    return binary.resolve()


@dataclass
class Server:
    """A `kepler serve`."""

    process: subprocess.Popen[str]
    url: str


def serve(binary: Path, log: Path, *flags: str) -> Server:
    with log.open("w") as stderr:
        command = [str(binary), "serve", "--web.listen-address=127.0.0.1:0", *MEASURING, *flags]
        process = subprocess.Popen(command, stderr=stderr, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"http://[\d.]+:\d+", log.read_text()):
            url = found.group()
            try:
                if httpx.get(f"{url}/readyz").status_code == 200:
                    return Server(process, url)
            except httpx.TransportError:
                pass
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"kepler serve is not ready:\n{log.read_text()}")


@pytest.fixture(scope="session")
def server(kepler_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that offers both transports and has measured for a while."""
    started = serve(kepler_bin, tmp_path_factory.mktemp("serve") / "log", "--mcp.legacy-sse", f"--mcp.allowed-origin={PAGE}")
    time.sleep(1)
    yield started
    started.process.terminate()
    assert started.process.wait(10) == 0


@pytest.fixture(scope="session")
def guarded(kepler_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server that wants a token, and the file that has it."""
    folder = tmp_path_factory.mktemp("guarded")
    token = folder / "token"
    token.write_text(TOKEN + "\n")
    started = serve(kepler_bin, folder / "log", f"--mcp.token-file={token}")
    yield started, token
    started.process.kill()


TRANSPORTS = ["stdio", "http", "sse", "bridge to http", "bridge to sse"]


@pytest.fixture(params=TRANSPORTS)
def target(request: pytest.FixtureRequest, kepler_bin: Path, server: Server) -> Any:
    """What the client connects to, by each way there is."""

    def stdio(*arguments: str) -> StdioServerParameters:
        return StdioServerParameters(command=str(kepler_bin), args=list(arguments))

    return {
        "stdio": lambda: stdio("mcp", *MEASURING),
        "http": lambda: f"{server.url}/mcp",
        "sse": lambda: sse_client(f"{server.url}/sse"),
        "bridge to http": lambda: stdio("bridge", f"{server.url}/mcp"),
        "bridge to sse": lambda: stdio("bridge", f"{server.url}/sse"),
    }[request.param]()


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest, target: Any) -> str:
    """The newest protocol that the server speaks, or the handshake of those before 2026-07-28."""
    return request.param


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client(target: Any, mode: str) -> Any:
    async with Client(target, mode=mode, read_timeout_seconds=60) as connected:
        yield connected
