"""The official TypeScript client. It needs Node 20 and `npm install` in this folder."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import MEASURING, Server

FOLDER = Path(__file__).parent
NEEDED = shutil.which("node") and (FOLDER / "node_modules").is_dir()
pytestmark = pytest.mark.skipif(not NEEDED, reason="SKIPPED: run `npm install` in tests/mcp (Node 20 or later)")


@pytest.mark.parametrize("kind", ["stdio", "http", "sse", "bridge"])
def test_it_finds_and_calls_everything(kind: str, kepler_bin: Path, server: Server) -> None:
    target = {
        "stdio": ["stdio", str(kepler_bin), "mcp", *MEASURING],
        "http": ["http", f"{server.url}/mcp"],
        "sse": ["sse", f"{server.url}/sse"],
        "bridge": ["stdio", str(kepler_bin), "bridge", f"{server.url}/mcp"],
    }[kind]
    command = ["node", "client.mjs", *target]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "unknown format" not in done.stderr, "its validator knows every format of the schemas"
    seen = json.loads(done.stdout)
    assert seen["server"]["name"] == "kepler" and len(seen["tools"]) == 8
    assert seen["mistake"]["isError"] and "seoul" in seen["mistake"]["text"]
    assert seen["resources"] > 20 and seen["templates"] == 3 and len(seen["prompts"]) == 3
    assert seen["intensity"] == "FR"
    assert all(answer["structured"] == "object" for answer in seen["answers"].values())
