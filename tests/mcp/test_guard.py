"""Who may ask over HTTP, and what is answered to nonsense."""

import json
from pathlib import Path

import httpx
import pytest

from conftest import PAGE, TOKEN, Server

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def post(server: Server, path: str = "/mcp", **headers: str) -> int:
    return httpx.post(server.url + path, json=INITIALIZE, headers=HEADERS | headers).status_code


@pytest.mark.parametrize("path", ["/mcp", "/sse", "/messages?session_id=x"])
@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"}, {"host": "127.0.0.1.evil.example"}]
)
def test_evil_hosts_and_origins_are_forbidden(server: Server, path: str, headers: dict[str, str]) -> None:
    method = "GET" if path == "/sse" else "POST"
    assert httpx.request(method, server.url + path, headers=HEADERS | headers).status_code == 403


def test_its_own_pages_and_programs_may_ask(server: Server) -> None:
    assert post(server) == 200
    assert post(server, origin=server.url) == 200
    assert post(server, host="localhost") == 200


def test_an_allowed_page_may_ask_as_browsers_do_and_another_may_not(server: Server) -> None:
    def preflight(origin: str) -> httpx.Response:
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,mcp-session-id"}
        return httpx.options(server.url + "/mcp", headers={"origin": origin} | asked)

    allowed = preflight(PAGE).headers
    assert allowed["access-control-allow-origin"] == PAGE
    assert "mcp-session-id" in allowed["access-control-allow-headers"]
    assert post(server, origin=PAGE) == 200
    assert "access-control-allow-origin" not in preflight("https://evil.example").headers


def test_metrics_have_the_same_guard(server: Server) -> None:
    assert httpx.get(server.url + "/metrics").status_code == 200
    assert httpx.get(server.url + "/metrics", headers={"host": "prometheus.example"}).status_code == 403


def test_without_the_token_no_request_is_answered(guarded: tuple[Server, Path]) -> None:
    server, _ = guarded
    assert post(server) == 401
    assert post(server, authorization="Bearer wrong") == 401
    assert post(server, authorization=f"Bearer {TOKEN}") == 200
    assert httpx.get(server.url + "/sse").status_code == 404, "the older transport is off by default"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"not json", (400, 415, 422)), (b"{}", (400, 415, 422)), (b"[" * 300 * 1024, (413,)), (b"", (400, 415, 422))],
)
def test_nonsense_is_refused(server: Server, body: bytes, status: tuple[int, ...]) -> None:
    assert httpx.post(server.url + "/mcp", content=body, headers=HEADERS).status_code in status


def test_a_session_that_is_not_known_is_404(server: Server) -> None:
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    headers = HEADERS | {"mcp-session-id": "unknown", "mcp-protocol-version": "2025-06-18"}
    assert httpx.post(server.url + "/mcp", content=request, headers=headers).status_code == 404
