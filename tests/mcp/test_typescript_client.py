"""The official TypeScript client. It needs Node and `npm ci` in this folder."""

import json
import subprocess
from pathlib import Path

import pytest

from conftest import FOLDER, MEASURING, NODE, Server

pytestmark = pytest.mark.skipif(NODE is None, reason="SKIPPED: run `npm ci` in tests/mcp, and have Node on the path")


@pytest.mark.parametrize("kind", ["stdio", "http", "sse", "bridge"])
def test_it_finds_and_calls_everything(kind: str, kepler_bin: Path, server: Server) -> None:
    target = {
        "stdio": ["stdio", str(kepler_bin), "mcp", *MEASURING],
        "http": ["http", f"{server.url}/mcp"],
        "sse": ["sse", f"{server.url}/sse"],
        "bridge": ["stdio", str(kepler_bin), "bridge", f"{server.url}/mcp"],
    }[kind]
    command = [NODE, "client.mjs", *target]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "unknown format" not in done.stderr, "its validator knows every format of the schemas"
    seen = json.loads(done.stdout)
    assert seen["server"]["name"] == "kepler" and len(seen["tools"]) == 11
    assert seen["mistake"]["isError"] and "seoul" in seen["mistake"]["text"]
    assert seen["resources"] > 20 and seen["templates"] == 3 and "measure_energy" in seen["prompts"]
    assert seen["intensity"] == "FR"
    assert all(answer["structured"] == "object" for answer in seen["answers"].values())
