"""MCP that answers from another machine's measurements."""

from pathlib import Path

import anyio
import pytest
from conftest import Server
from mcp import Client, StdioServerParameters

pytestmark = pytest.mark.anyio


async def test_a_remote_exporter_is_asked(kepler_bin: Path, server: Server) -> None:
    stdio = StdioServerParameters(command=str(kepler_bin), args=["mcp", f"--source=kepler={server.url}"])
    async with Client(stdio, read_timeout_seconds=60) as client:
        with anyio.fail_after(30):
            # Energy is a difference: it takes two readings of the exporter.
            while True:
                answer = await client.call_tool("assess_workload_compliance", {"workload_name": "kepler", "window": "10s"})
                if not answer.is_error and answer.structured_content["energy_joules"]:
                    break
                await anyio.sleep(0.5)
        sources = {item["source"] for item in answer.structured_content["inputs"] if item["name"] in ("energy", "power")}
        assert sources == {f"kepler {server.url}/metrics"}
        tools = (await client.list_tools()).tools
        assert all(tool.annotations.open_world_hint for tool in tools if tool.name == "assess_workload_compliance")


async def test_one_that_cannot_be_reached_is_reported_to_the_model(kepler_bin: Path) -> None:
    stdio = StdioServerParameters(command=str(kepler_bin), args=["mcp", "--source=kepler=http://127.0.0.1:1"])
    async with Client(stdio, read_timeout_seconds=60) as client:
        with anyio.fail_after(30):
            # First that no request was sent yet, then its result.
            while not (answer := await client.call_tool("get_power_hotspots", {})).is_error:
                assert "not polled" in answer.content[0].text
                await anyio.sleep(0.5)
        assert "http://127.0.0.1:1/metrics cannot be reached" in answer.content[0].text
