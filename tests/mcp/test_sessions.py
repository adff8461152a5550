"""Sessions of revisions before 2026-07-28: many, quiet, ended; and clients that never finish what they say."""

import socket
import time

import httpx

from conftest import Server
from test_guard import HEADERS, INITIALIZE

# More than may be awake at a time (bindings/mcp/src/http/sessions.rs).
MANY = 140


def begin(client: httpx.Client, server: Server) -> dict[str, str]:
    """Begins a session as clients do; the headers of its requests."""
    welcome = client.post(f"{server.url}/mcp", json=INITIALIZE, headers=HEADERS)
    session = HEADERS | {"mcp-session-id": welcome.headers["mcp-session-id"], "mcp-protocol-version": "2025-06-18"}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert client.post(f"{server.url}/mcp", json=ready, headers=session).status_code == 202
    return session


def list_tools(client: httpx.Client, server: Server, session: dict[str, str]) -> httpx.Response:
    message = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    return client.post(f"{server.url}/mcp", json=message, headers=session)


def test_a_session_that_fell_asleep_answers_as_if_it_had_not(server: Server) -> None:
    with httpx.Client() as client:
        sessions = [begin(client, server) for _ in range(MANY)]
        time.sleep(1.5)
        sessions += [begin(client, server) for _ in range(3)]
        for session in sessions:
            answer = list_tools(client, server, session)
            assert answer.status_code == 200 and "assess_workload_compliance" in answer.text


def test_a_client_that_listens_learns_of_the_end_of_its_session(server: Server) -> None:
    with httpx.Client() as client:
        session = begin(client, server)
        with client.stream("GET", f"{server.url}/mcp", headers=session) as listening:
            assert listening.status_code == 200
            assert httpx.delete(f"{server.url}/mcp", headers=session).status_code == 204
            # Ends at once rather than at a time-out.
            assert all("tools" not in line for line in listening.iter_lines())
        assert list_tools(client, server, session).status_code == 404


def test_a_request_that_never_ends_holds_up_no_other(server: Server) -> None:
    address = server.url.removeprefix("http://")
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as slow, httpx.Client() as client:
        head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        slow.sendall(f"POST /mcp HTTP/1.1\r\nhost: {address}\r\n{head}content-length: 1000\r\n\r\n{{".encode())
        assert list_tools(client, server, begin(client, server)).status_code == 200


def test_the_newest_revision_has_no_sessions_and_answers_in_plain_json(server: Server) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "get_regional_comparison", "arguments": {}, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "get_regional_comparison"}
    answer = httpx.post(f"{server.url}/mcp", json=message, headers=HEADERS | headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json" and "mcp-session-id" not in answer.headers
    assert answer.json()["result"]["structuredContent"]["regions"]
