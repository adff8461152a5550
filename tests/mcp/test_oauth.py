"""Tokens of an authorization server: what is told to clients without one, which are taken, and what they permit."""

import base64
import hmac
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import issuer as authorization
import pytest
from conftest import TOKEN, Server, serve
from issuer import CLIENT, SECRET, Issuer
from joserfc.jwk import ECKey, RSAKey
from mcp import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from test_guard import HEADERS, INITIALIZE

pytestmark = pytest.mark.anyio
METADATA = "/.well-known/oauth-protected-resource"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def started(kepler_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Issuer]]:
    """A server that takes tokens of an issuer, and one of its own."""
    folder = tmp_path_factory.mktemp("oauth")
    (folder / "token").write_text(TOKEN)
    port = free_port()
    resource = f"http://127.0.0.1:{port}/mcp"
    with authorization.running(resource) as issuer:
        flags = [f"--web.listen-address=127.0.0.1:{port}", f"--mcp.oauth-issuer={issuer.url}", f"--mcp.oauth-resource={resource}"]
        server = serve(kepler_bin, folder / "log", *flags, f"--mcp.token-file={folder / 'token'}", "--mcp.legacy-sse")
        server.url = f"http://127.0.0.1:{port}"
        yield server, issuer
        server.process.kill()


def post(server: Server, token: str | None, message: dict[str, Any] = INITIALIZE, path: str = "/mcp") -> httpx.Response:
    own = {"authorization": f"Bearer {token}"} if token is not None else {}
    return httpx.post(server.url + path, json=message, headers=HEADERS | own)


def call(tool: str) -> dict[str, Any]:
    """A call of the newest revision, which needs no session."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}, "_meta": meta}}


def called(server: Server, token: str, tool: str) -> httpx.Response:
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool, "authorization": f"Bearer {token}"}
    return httpx.post(f"{server.url}/mcp", json=call(tool), headers=HEADERS | headers)


def test_a_client_without_a_token_learns_where_to_get_one(started: tuple[Server, Issuer]) -> None:
    server, issuer = started
    refused = post(server, None)
    challenge = refused.headers["www-authenticate"]
    assert refused.status_code == 401 and challenge.startswith("Bearer ") and "error=" not in challenge
    address = re.search(r'resource_metadata="([^"]+)"', challenge)
    assert address and address.group(1) == f"{server.url}{METADATA}/mcp" and 'scope="read"' in challenge
    for path in [METADATA, f"{METADATA}/mcp"]:
        found = httpx.get(server.url + path)
        assert found.status_code == 200 and found.headers["content-type"] == "application/json"
        assert found.json()["resource"] == issuer.audience and found.json()["authorization_servers"] == [issuer.url]
        assert found.json()["scopes_supported"] == ["read", "tune"]
    assert httpx.get(f"{server.url}{METADATA}", headers={"host": "evil.example"}).status_code == 403
    assert httpx.get(f"{server.url}/sse").status_code == 401, "the older transport asks for one too"


class Storage:
    """Where the SDK keeps what it got."""

    tokens = client = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client: Any) -> None:
        self.client = client


async def test_the_official_client_finds_the_issuer_and_asks_for_more_when_a_tool_needs_it(started: tuple[Server, Issuer]) -> None:
    server, issuer = started
    storage = Storage()
    own = ClientCredentialsOAuthProvider(f"{server.url}/mcp", storage, CLIENT, SECRET, issuer=issuer.url)
    async with (
        httpx2.AsyncClient(auth=own, follow_redirects=True, timeout=60) as http,
        Client(streamable_http_client(f"{server.url}/mcp", http_client=http), read_timeout_seconds=60) as client,
    ):
        assert len((await client.list_tools()).tools) == 11
        assert not (await client.call_tool("get_power_now", {})).is_error
        assert storage.tokens.scope == "read"
        assert not (await client.call_tool("get_regional_comparison", {})).is_error
        assert storage.tokens.scope == "read tune"


def test_scopes_are_asked_for_by_name(started: tuple[Server, Issuer]) -> None:
    server, issuer = started
    reads, tunes = (issuer.sign(issuer.claims(scope=scope)) for scope in ("openid read", "tune"))
    assert called(server, reads, "get_power_now").status_code == 200
    assert called(server, tunes, "get_regional_comparison").status_code == 200
    for token, tool in [(reads, "get_regional_comparison"), (tunes, "get_power_now")]:
        refused = called(server, token, tool)
        assert refused.status_code == 403, refused.text
        assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
        assert 'scope="read tune"' in refused.headers["www-authenticate"], "what it has, and what is missing"
    for scope in [None, "", "openid", ["read"]]:
        assert post(server, issuer.sign(issuer.claims(scope=scope))).status_code == (200 if scope == ["read"] else 403), scope


def test_the_token_of_the_server_itself_permits_all(started: tuple[Server, Issuer]) -> None:
    server, _ = started
    for tool in ["get_power_now", "get_regional_comparison"]:
        assert called(server, TOKEN, tool).status_code == 200
    assert post(server, "wrong").status_code == 401


def test_keys_of_both_kinds_are_taken_and_arrays_of_audiences(started: tuple[Server, Issuer]) -> None:
    server, issuer = started
    rsa, curve = issuer.keys
    assert post(server, issuer.sign(issuer.claims(), rsa)).status_code == 200
    assert post(server, issuer.sign(issuer.claims(), curve)).status_code == 200
    assert post(server, issuer.sign(issuer.claims(aud=["other", issuer.audience]))).status_code == 200
    # One key alone could have signed a token that names none.
    assert post(server, issuer.sign(issuer.claims(), rsa, kid=None)).status_code == 200


def now(seconds: int) -> int:
    return int(time.time()) + seconds


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"exp": now(-3600)}, "expired"),
        ({"exp": None}, "lacks"),
        ({"exp": "never"}, "lacks"),
        ({"nbf": now(3600)}, "not valid yet"),
        ({"nbf": "soon"}, "not valid"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"iss": None}, "lacks"),
        ({"aud": "https://other.example/mcp"}, "another audience"),
        ({"aud": ["https://other.example/mcp"]}, "another audience"),
        ({"aud": None}, "lacks"),
    ],
)
def test_tokens_for_others_and_old_ones_are_refused(started: tuple[Server, Issuer], changed: dict[str, Any], why: str) -> None:
    server, issuer = started
    refused = post(server, issuer.sign(issuer.claims(**changed)))
    challenge = refused.headers["www-authenticate"]
    assert refused.status_code == 401 and 'error="invalid_token"' in challenge and why in challenge, challenge


def test_clocks_may_differ_a_little(started: tuple[Server, Issuer]) -> None:
    server, issuer = started
    assert post(server, issuer.sign(issuer.claims(exp=now(-5)))).status_code == 200
    assert post(server, issuer.sign(issuer.claims(nbf=now(5)))).status_code == 200


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def forged(issuer: Issuer) -> dict[str, str]:
    claims, rsa = issuer.claims(scope="read tune"), issuer.keys[0]
    right = issuer.sign(claims)
    signed = f"{encoded({'alg': 'HS256', 'kid': rsa.kid})}.{encoded(claims)}"
    secret = hmac.new(rsa.as_pem(private=False), signed.encode(), "sha256").digest()
    return {
        "no signature": f"{encoded({'alg': 'none'})}.{encoded(claims)}.",
        "no signature, in other letters": f"{encoded({'alg': 'nOnE', 'kid': rsa.kid})}.{encoded(claims)}.",
        "the public key as a secret": f"{signed}.{base64.urlsafe_b64encode(secret).rstrip(b'=').decode()}",
        "another key of that name": issuer.sign(claims, RSAKey.generate_key(2048), alg="RS256", kid=rsa.kid),
        "a curve's key under the name of the other": issuer.sign(claims, ECKey.generate_key("P-256"), alg="ES256", kid=rsa.kid),
        "a key that the token brings": issuer.sign(
            claims, own := RSAKey.generate_key(2048), alg="RS256", kid="own", jwk=own.as_dict(private=False)
        ),
        "another algorithm": issuer.sign(claims, RSAKey.import_key(rsa.as_dict(private=True) | {"alg": "PS256"}), alg="PS256"),
        "critical headers": ".".join([encoded({"alg": "RS256", "kid": rsa.kid, "crit": ["x"], "x": 1}), *right.split(".")[1:]]),
        "claims of another token": ".".join([right.split(".")[0], encoded(claims | {"scope": "tune"}), right.split(".")[2]]),
        "no signature behind the last dot": right.rsplit(".", 1)[0] + ".",
        "two parts": ".".join(right.split(".")[:2]),
        "four parts": right + ".x",
        "nothing": "..",
        "not base64": "é.é.é".encode("latin-1").decode("latin-1"),
        "endless": "x" * 20_000,
    }


def test_forged_tokens_are_refused(started: tuple[Server, Issuer]) -> None:
    server, issuer = started
    for name, token in forged(issuer).items():
        headers = HEADERS | {"authorization": f"Bearer {token}".encode("latin-1")}
        try:
            refused = httpx.post(f"{server.url}/mcp", json=INITIALIZE, headers=headers).status_code
        except httpx.RemoteProtocolError:
            continue
        assert refused in (400, 401, 431), f"{name}: {refused}"
    twice = [("authorization", f"Bearer {TOKEN}"), ("authorization", f"Bearer {issuer.sign(issuer.claims())}"), *HEADERS.items()]
    assert httpx.post(f"{server.url}/mcp", json=INITIALIZE, headers=twice).status_code == 401


def test_another_key_is_found_and_the_issuer_is_not_asked_at_will(started: tuple[Server, Issuer]) -> None:
    server, issuer = started
    assert post(server, issuer.sign(issuer.claims())).status_code == 200
    former, curve = issuer.keys
    # Names that are not known cost the issuer one question at most in a while.
    before = issuer.asked
    for number in range(20):
        assert post(server, issuer.sign(issuer.claims(), RSAKey.generate_key(2048), alg="RS256", kid=f"n{number}")).status_code == 401
    assert issuer.asked <= before + 1
    issuer.rotate()
    issuer.keys.append(curve)
    deadline = time.monotonic() + 30
    while post(server, issuer.sign(issuer.claims())).status_code != 200:
        assert time.monotonic() < deadline, "the new key is never asked for"
        time.sleep(0.5)
    # What the issuer no longer names is not taken either.
    assert post(server, issuer.sign(issuer.claims(), former)).status_code == 401
    # While it does not answer, known keys are.
    issuer.is_down = True
    assert post(server, issuer.sign(issuer.claims())).status_code == 200
    issuer.is_down = False


def test_an_issuer_that_does_not_answer_is_no_mistake_of_the_client(kepler_bin: Path, tmp_path: Path) -> None:
    port = free_port()
    silent = f"http://127.0.0.1:{free_port()}"
    flags = [f"--mcp.oauth-issuer={silent}", f"--mcp.oauth-resource=http://127.0.0.1:{port}/mcp"]
    server = serve(kepler_bin, tmp_path / "log", f"--web.listen-address=127.0.0.1:{port}", *flags)
    server.url = f"http://127.0.0.1:{port}"
    try:
        key = RSAKey.generate_key(2048, {"kid": "a", "alg": "RS256"})
        someone = Issuer("x", silent, [key])
        assert post(server, someone.sign(someone.claims())).status_code == 503
        assert f"the keys of {silent} are not known" in (tmp_path / "log").read_text()
        assert "/tools and /api ask for no token" in (tmp_path / "log").read_text()
    finally:
        server.process.kill()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--mcp.oauth-issuer=http://login.example", "--mcp.oauth-resource=https://a.example/mcp"], "must begin with https://"),
        (["--mcp.oauth-issuer=https://login.example"], "--mcp.oauth-resource"),
        (["--mcp.oauth-audience=x"], "--mcp.oauth-issuer"),
        (["--mcp.oauth-issuer=https://a.example", "--mcp.oauth-resource=nonsense"], "resource"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(kepler_bin: Path, tmp_path: Path, flags: list[str], words: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(words)):
        serve(kepler_bin, tmp_path / "log", *flags)
