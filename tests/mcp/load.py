"""What `kepler serve` costs as an MCP server over HTTP: calls a second, and memory of idle sessions.

`KEPLER_BIN=target/release/kepler python tests/mcp/load.py` (needs wrk and this folder's requirements)
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from conftest import serve
from test_guard import HEADERS
from test_sessions import begin

SESSIONS = 1000


def rss(pid: int) -> float:
    """Resident memory, MiB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def call(name: str) -> dict:
    params = {"name": "assess_workload_compliance", "arguments": {"workload_name": name}}
    return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}


def stateless(name: str) -> tuple[dict, dict[str, str]]:
    """A call of the newest revision, which needs no session, and its headers."""
    message = call(name)
    message["params"]["_meta"] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "load", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "assess_workload_compliance"}
    return message, HEADERS | headers


def wrk(url: str, message: dict, headers: dict[str, str], seconds: int = 5) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
        script.write("\n".join(['wrk.method = "POST"', f"wrk.body = [==[{json.dumps(message)}]==]", *lines]))
        script.flush()
        command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "-s", script.name, url]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wanted = re.findall(r"(50%\s+\S+|99%\s+\S+|Requests/sec:\s+\S+|Non-2xx.*)", text)
    return ", ".join(" ".join(found.split()) for found in wanted)


def main() -> None:
    binary = Path(os.environ["KEPLER_BIN"])
    with tempfile.TemporaryDirectory() as folder:
        server = serve(binary, Path(folder) / "log")
        url, pid = f"{server.url}/mcp", server.process.pid
        time.sleep(2)
        try:
            with httpx.Client() as client:
                session = begin(client, server)
                times = []
                for _ in range(200):
                    before = time.perf_counter()
                    answer = client.post(url, json=call("kepler"), headers=session)
                    times.append(time.perf_counter() - before)
                assert '"structuredContent"' in answer.text, answer.text
                print(f"one client of ours, a call: {statistics.median(times) * 1000:.2f} ms p50")
                message, headers = stateless("kepler")
                answer = client.post(url, json=message, headers=headers)
                assert answer.json()["result"]["structuredContent"], answer.text
                print(f"calls without a session: {wrk(url, message, headers)}")
                print(f"calls in one session:    {wrk(url, call('kepler'), session)}")
                print(f"pings in one session:    {wrk(url, {'jsonrpc': '2.0', 'id': 3, 'method': 'ping'}, session)}")
                time.sleep(2)
                before = rss(pid)
                sessions = []
                for _ in range(SESSIONS):
                    sessions.append(begin(client, server))
                peak = rss(pid)
                time.sleep(75)
                after = rss(pid)
                print(f"RSS: {before:.1f} MiB; with {SESSIONS} new sessions {peak - before:+.1f}; once they are quiet {after - before:+.1f}")
                for session in sessions[:: SESSIONS // 10]:
                    answer = client.post(url, json={"jsonrpc": "2.0", "id": 4, "method": "tools/list"}, headers=session)
                    assert answer.status_code == 200 and "assess_workload" in answer.text, answer.text
                print("those that slept answer")
        finally:
            server.process.kill()


if __name__ == "__main__":
    sys.exit(main())
