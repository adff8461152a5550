"""A metered socket for tests."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def answering(server: http.server.ThreadingHTTPServer) -> Iterator[http.server.ThreadingHTTPServer]:
    """Answers in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Plug(http.server.ThreadingHTTPServer):
    """Answers as Tasmota does to `Status 8`, with 82 W at first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.watts = 82

    def file(self, folder: Path, *more: str) -> Path:
        """A file of meters that names it, with more keys."""
        keys = (f"url: http://127.0.0.1:{self.server_port}/cm?cmnd=Status%208", "field: /StatusSNS/ENERGY/Power", "interval: 1s", *more)
        path = folder / "meters.yaml"
        path.write_text("".join(["meters:\n  plug:\n", *(f"    {key}\n" for key in keys)]))
        return path


class Answer(http.server.BaseHTTPRequestHandler):
    server: Plug

    def do_GET(self) -> None:
        is_known = self.path == "/cm?cmnd=Status%208"
        sensors = {"Time": "2026-01-05T11:02:21", "ENERGY": {"Total": 512.013, "Power": self.server.watts, "Voltage": 231}}
        self.send_response(200 if is_known else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"StatusSNS": sensors}).encode())

    def log_message(self, *_) -> None:
        pass
