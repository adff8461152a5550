"""A stand-in for a Kepler exporter: a node with one pod, which draws 10 W in its package and 5 W in memory."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

PACKAGE_WATTS = 10.0
DRAM_WATTS = 5.0


def metrics(seconds: float) -> str:
    """What it shows after this number of seconds: as much idle energy as the pod uses."""
    lines = []
    for zone, watts in (("package", PACKAGE_WATTS), ("dram", DRAM_WATTS)):
        joules, node = watts * seconds, f'node_name="n1",path="p",zone="{zone}"'
        pod = f'node_name="n1",pod_id="uid",pod_name="cart-0",pod_namespace="shop",state="running",zone="{zone}"'
        lines += [
            f"kepler_node_cpu_joules_total{{{node}}} {2 * joules}",
            f"kepler_node_cpu_active_joules_total{{{node}}} {joules}",
            f"kepler_node_cpu_idle_joules_total{{{node}}} {joules}",
            f"kepler_node_cpu_watts{{{node}}} {2 * watts}",
            f"kepler_pod_cpu_joules_total{{{pod}}} {joules}",
            f"kepler_pod_cpu_watts{{{pod}}} {watts}",
        ]
    return "\n".join([*lines, "kepler_build_info{} 1", ""])


class Exporter:
    """Serves it while it is entered."""

    def __init__(self) -> None:
        begun = time.monotonic()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802 - the library's name
                body = metrics(1000.0 + time.monotonic() - begun).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Exporter:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
