"""What assistants install: the bundle, the registry's entry, the skill, and configurations that start the program."""

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from conftest import FOLDER, NODE, Server
from mcp import Client, StdioServerParameters

DEPLOY = FOLDER.parents[1] / "deploy/mcp"


def unpacked(kepler_bin: Path, folder: Path) -> tuple[dict, Path]:
    """Makes the bundle and takes it apart, as a client does."""
    target = folder / "kepler.mcpb"
    subprocess.run([sys.executable, DEPLOY / "bundle.py", kepler_bin, "-o", target], check=True, capture_output=True)
    with zipfile.ZipFile(target) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        program = Path(archive.extract(manifest["server"]["entry_point"], folder))
        mode = archive.getinfo(manifest["server"]["entry_point"]).external_attr >> 16
    assert mode & 0o111, "clients keep the mode of the archive"
    program.chmod(0o755)
    return manifest, program


@pytest.mark.anyio
async def test_the_bundle_starts_and_answers_as_its_manifest_says(kepler_bin: Path, tmp_path: Path) -> None:
    manifest, program = unpacked(kepler_bin, tmp_path)
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", manifest["version"]) and manifest["version"] != "0.0.0"
    values = {f"user_config.{name}": option["default"] for name, option in manifest["user_config"].items()}
    values["__dirname"] = str(tmp_path)

    def filled(text: str) -> str:
        return re.sub(r"\$\{([^}]+)\}", lambda found: values[found.group(1)], text)

    config = manifest["server"]["mcp_config"]
    command = filled(config["command"])
    assert Path(command) == program
    stdio = StdioServerParameters(command=command, args=[filled(argument) for argument in config["args"]])
    async with Client(stdio, read_timeout_seconds=60) as client:
        assert len((await client.list_tools()).tools) >= 11


def test_the_skill_names_tools_that_exist_and_every_one_of_them(kepler_bin: Path) -> None:
    text = (DEPLOY / "skill/kepler-energy/SKILL.md").read_text()
    head = text.split("---")[1]
    assert re.search(r"^name: kepler-energy$", head, re.M) and re.search(r"^description: .{40,1024}$", head, re.M)
    named = set(re.findall(r"`((?:get|find|list|assess|compare|calculate|analyze)_\w+)", text))
    refused = subprocess.run([kepler_bin, "mcp", "--mcp.tools=none"], capture_output=True, text=True, timeout=30)
    assert refused.returncode == 2
    known = set(re.findall(r"(?:get|find|list|assess|compare|calculate|analyze)_\w+", refused.stderr))
    assert named == known


def test_printed_configurations_start_the_program_that_printed_them(kepler_bin: Path) -> None:
    def printed(*flags: str) -> str:
        command = [kepler_bin, "mcp", *flags]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout

    for client, section in [
        ("claude-desktop", "mcpServers"),
        ("claude-code", "mcpServers"),
        ("vscode", "servers"),
        ("cursor", "mcpServers"),
        ("windsurf", "mcpServers"),
        ("zed", "context_servers"),
        ("gemini", "mcpServers"),
    ]:
        text = printed(f"--print-config={client}", "--meter=fake").split("\n", 1)[1]
        own = json.loads(text)[section]["kepler"]
        assert (own["command"], own["args"]) == (str(kepler_bin), ["mcp", "--meter=fake"]), client
    codex = tomllib.loads(printed("--print-config=codex", "--meter=fake").split("\n", 1)[1])
    assert codex["mcp_servers"]["kepler"] == {"command": str(kepler_bin), "args": ["mcp", "--meter=fake"]}
    remote = tomllib.loads(printed("--print-config=codex", "--url=http://node-1:28282/mcp").split("\n", 1)[1])
    assert remote["mcp_servers"]["kepler"] == {"url": "http://node-1:28282/mcp"}


@pytest.mark.anyio
@pytest.mark.skipif(NODE is None, reason="needs Node and `npm ci` in tests/mcp")
async def test_mcp_remote_reaches_a_server(server: Server) -> None:
    script = FOLDER / "node_modules/mcp-remote/dist/proxy.js"
    arguments = [str(script), f"{server.url}/mcp", "--allow-http", "--transport", "http-only"]
    async with Client(StdioServerParameters(command=str(NODE), args=arguments), read_timeout_seconds=60) as client:
        assert not (await client.call_tool("get_power_now", {"window": "5s"})).is_error


@pytest.mark.anyio
async def test_an_address_chooses_the_tools(server: Server) -> None:
    async with Client(f"{server.url}/mcp?toolsets=energy&output-schemas=off") as client:
        tools = (await client.list_tools()).tools
        assert {"get_power_now", "get_energy", "find_workloads"} < {tool.name for tool in tools} and len(tools) < 8
        assert all(tool.output_schema is None for tool in tools)
        with pytest.raises(Exception, match="not offered here"):
            await client.call_tool("assess_workload_compliance", {"workload": "kepler"})
    async with Client(f"{server.url}/mcp?tools=get_enrgy") as client:
        with pytest.raises(Exception, match="unknown tool `get_enrgy`.*get_energy"):
            await client.list_tools()
