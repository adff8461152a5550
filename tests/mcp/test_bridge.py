"""`kepler bridge` where servers and connections are at fault, or odd."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conftest import Server, serve
from test_guard import INITIALIZE

Reply = Callable[[BaseHTTPRequestHandler, dict], None]


def ask(binary: Path, url: str, *lines: object, flags: tuple[str, ...] = ()) -> list[dict]:
    """What the bridge answers to lines of input, each of which has one answer. It ends soon after its input, so that stays open."""
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\r\n" for line in lines)
    command = [str(binary), "bridge", url, *flags]
    messages: list[dict] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bridge:
        limit = threading.Timer(60, bridge.kill)
        limit.start()
        bridge.stdin.write(text)
        bridge.stdin.flush()
        while sum("id" in message for message in messages) < len(lines) and (line := bridge.stdout.readline()):
            messages.append(json.loads(line))
        bridge.stdin.close()
        messages += [json.loads(line) for line in bridge.stdout]
        assert bridge.wait(10) == 0
        limit.cancel()
    return messages


@pytest.fixture
def fake() -> Iterator[Callable[[Reply], str]]:
    """Starts a server that answers posts by a function."""
    servers: list[ThreadingHTTPServer] = []

    def start(reply: Reply) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                reply(self, json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def do_GET(self) -> None:
                self.send_response(405)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/mcp"

    yield start
    for server in servers:
        server.shutdown()


def stream(handler: BaseHTTPRequestHandler, *chunks: bytes) -> None:
    """A stream of events in just these chunks."""
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream; charset=utf-8")
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    for chunk in chunks:
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        handler.wfile.flush()
        time.sleep(0.01)
    handler.wfile.write(b"0\r\n\r\n")


def result(number: int, text: str) -> dict:
    return {"jsonrpc": "2.0", "id": number, "result": {"text": text}}


def request(number: int, method: str = "tools/list") -> dict:
    return {"jsonrpc": "2.0", "id": number, "method": method}


def test_events_may_be_cut_anywhere_and_share_a_chunk(kepler_bin: Path, fake: Callable[[Reply], str]) -> None:
    progress = json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}})
    answer = json.dumps(result(1, "탄소 🌱"), ensure_ascii=False)
    events = f": hello\r\n\r\ndata: {progress}\r\n\r\nevent: message\r\ndata: {answer}\r\n\r\n".encode()
    for size in (1, 7, len(events)):
        pieces = [events[at : at + size] for at in range(0, len(events), size)]
        url = fake(lambda handler, _, pieces=pieces: stream(handler, *pieces))
        assert ask(kepler_bin, url, request(1)) == [json.loads(progress), result(1, "탄소 🌱")], size


def test_messages_arrive_in_the_order_in_which_they_were_sent(kepler_bin: Path, fake: Callable[[Reply], str]) -> None:
    arrived: list[int] = []

    def reply(handler: BaseHTTPRequestHandler, message: dict) -> None:
        arrived.append(message["id"])
        time.sleep(0.02 if message["id"] % 2 else 0)
        stream(handler, b"data: " + json.dumps(result(message["id"], "")).encode() + b"\n\n")

    numbers = list(range(30))
    answers = ask(kepler_bin, fake(reply), *(request(number) for number in numbers))
    assert arrived == numbers
    assert sorted(answer["id"] for answer in answers) == numbers


def test_a_slow_answer_is_waited_for_and_holds_up_nothing(kepler_bin: Path, fake: Callable[[Reply], str]) -> None:
    def reply(handler: BaseHTTPRequestHandler, message: dict) -> None:
        if message["id"] == 1:
            time.sleep(3)
        stream(handler, b"data: " + json.dumps(result(message["id"], "")).encode() + b"\n\n")

    answers = ask(kepler_bin, fake(reply), request(0), request(1), request(2))
    assert [answer["id"] for answer in answers] == [0, 2, 1]


def test_an_answer_that_breaks_off_is_an_error(kepler_bin: Path, fake: Callable[[Reply], str]) -> None:
    (answer,) = ask(kepler_bin, fake(lambda handler, _: stream(handler, b'data: {"jsonrpc"')), request(7))
    assert answer["id"] == 7 and "without an answer" in answer["error"]["message"]


def test_what_cannot_be_delivered_is_a_json_rpc_error(kepler_bin: Path, guarded: tuple[Server, Path]) -> None:
    server, token = guarded
    unreachable = "http://127.0.0.1:1/mcp"
    parse, refused = ask(kepler_bin, unreachable, "{nonsense", request(1))
    assert (parse["id"], parse["error"]["code"]) == (None, -32700)
    assert refused["id"] == 1 and "refused" in refused["error"]["message"].lower()
    (unauthorized,) = ask(kepler_bin, f"{server.url}/mcp", INITIALIZE)
    assert "401" in unauthorized["error"]["message"]
    (welcome,) = ask(kepler_bin, f"{server.url}/mcp", INITIALIZE, flags=(f"--token-file={token}",))
    assert welcome["result"]["serverInfo"]["name"] == "kepler"


def test_a_bad_address_ends_with_2(kepler_bin: Path) -> None:
    for url in ("localhost:28282", "ftp://host/mcp", "http://"):
        done = subprocess.run([str(kepler_bin), "bridge", url], capture_output=True, text=True, input="")
        assert done.returncode == 2 and "http://localhost:28282/mcp" in done.stderr and not done.stdout


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
def test_a_server_that_restarts_is_found_again(kepler_bin: Path, tmp_path: Path, path: str) -> None:
    first = serve(kepler_bin, tmp_path / "1", "--mcp.legacy-sse")
    port = first.url.rsplit(":", 1)[1]
    command = [str(kepler_bin), "bridge", first.url + path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as bridge:

        def exchange(message: dict) -> dict:
            bridge.stdin.write(json.dumps(message) + "\n")
            return json.loads(bridge.stdout.readline())

        assert exchange(INITIALIZE)["result"]["serverInfo"]["name"] == "kepler"
        bridge.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        assert len(exchange(request(2))["result"]["tools"]) == 11
        first.process.kill()
        first.process.wait()
        second = serve(kepler_bin, tmp_path / "2", "--mcp.legacy-sse", f"--web.listen-address=127.0.0.1:{port}")
        assert len(exchange(request(3))["result"]["tools"]) == 11
        bridge.stdin.close()
        assert bridge.wait(10) == 0
        second.process.kill()
