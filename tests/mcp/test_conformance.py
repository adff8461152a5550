"""The official conformance suite and the inspector's command line. They need `npm install` in this folder."""

import json
import subprocess
from pathlib import Path

import pytest

from conftest import MEASURING, Server

FOLDER = Path(__file__).parent
# Both need Node 22, which the package `node` brings.
NODE = FOLDER / "node_modules/node/bin/node"
BINARIES = FOLDER / "node_modules/.bin"
pytestmark = pytest.mark.skipif(not NODE.exists(), reason="SKIPPED: run `npm install` in tests/mcp")

# The other scenarios call tools, prompts and resources that only a test server has (test_simple_text,
# test://static-text, …), or need logging, sampling, elicitation and subscriptions, which are not offered.
SCENARIOS = [
    "server-initialize",
    "ping",
    "completion-complete",
    "tools-list",
    "resources-list",
    "prompts-list",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_it_conforms(scenario: str, server: Server, tmp_path: Path) -> None:
    command = [str(NODE), str(BINARIES / "conformance"), "server", "--url", f"{server.url}/mcp", "--scenario", scenario]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_inspector_lists_and_calls_tools(kepler_bin: Path) -> None:
    def inspect(*arguments: str) -> dict:
        command = [str(NODE), str(BINARIES / "mcp-inspector"), "--cli", str(kepler_bin), "mcp", *MEASURING, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert len(inspect("--method", "tools/list")["tools"]) == 8
    answer = inspect("--method", "tools/call", "--tool-name", "get_regional_comparison")
    assert answer["structuredContent"]["regions"]
