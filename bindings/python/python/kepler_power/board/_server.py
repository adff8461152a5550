"""Serving the board to a browser of this machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Union

from ..errors import SourceError
from ..runs import read
from ._page import page, policy

# Seconds for a request, and how many are answered at once.
_TIMEOUT, _AT_ONCE = 10.0, 16


class Server:
    """Serves the runs of some files at ``http://127.0.0.1:PORT/``, read again at each visit. A context manager.

    Other machines cannot reach it, and a page of another origin cannot read it: a request whose ``Host`` is not this one is refused
    (names that a stranger points at 127.0.0.1).

    :param paths: files and directories, as for :func:`kepler_power.runs.read`.
    :param port: 0 for one that is free.
    :raises kepler_power.errors.SourceError: the port is taken.
    """

    def __init__(self, paths: Sequence[Union[str, os.PathLike[str]]], port: int = 0) -> None:
        files, at_once = list(paths), threading.BoundedSemaphore(_AT_ONCE)

        class Handler(BaseHTTPRequestHandler):
            timeout = _TIMEOUT
            server_version, sys_version = "kepler-power", ""

            def do_GET(self) -> None:  # noqa: N802 - the base class's name
                self._answer(True)

            def do_HEAD(self) -> None:  # noqa: N802 - the base class's name
                self._answer(False)

            def _answer(self, with_body: bool) -> None:
                if self.headers.get("Host", "") not in hosts:
                    self._send(421, "text/plain", b"this is not the host that was asked for\n", with_body)
                elif self.path.partition("?")[0] not in ("/", "/index.html"):
                    self._send(404, "text/plain", b"there is only /\n", with_body)
                elif not at_once.acquire(blocking=False):
                    self._send(503, "text/plain", b"too many visits at once\n", with_body)
                else:
                    try:
                        text = page(read(files)).encode()
                    finally:
                        at_once.release()
                    self._send(200, "text/html", text, with_body)

            def _send(self, status: int, kind: str, body: bytes, with_body: bool) -> None:
                self.send_response(status)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Security-Policy", f"{policy()}; frame-ancestors 'none'")
                self.send_header("Cross-Origin-Resource-Policy", "same-origin")
                self.send_header("Cache-Control", "no-store")
                self.send_header("X-Content-Type-Options", "nosniff")
                self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                if with_body:
                    self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: a visit is no news."""

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except (OSError, OverflowError) as error:
            raise SourceError(f"port {port} cannot be listened at: {error}", "give another one, or none") from error
        self._server.daemon_threads = True
        hosts = {f"{name}:{self.port}" for name in ("127.0.0.1", "localhost")}
        if self.port == 80:
            hosts |= {"127.0.0.1", "localhost"}

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What to open."""
        return f"http://127.0.0.1:{self.port}/"

    def serve(self) -> None:
        """Until it is closed, or Ctrl-C."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Server:
        threading.Thread(target=self.serve, name="kepler-power-board", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
