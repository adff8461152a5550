"""A cluster of two nodes whose power is known to the watt: exporters that show counters of constant power."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Pod:
    """A pod that always draws the same."""

    namespace: str
    name: str
    owner: tuple[str, str]
    watts: float


IDLE = {"node-1": 40.0, "node-2": 30.0}
UNATTRIBUTED = {"node-1": 5.0, "node-2": 0.0}
PODS = {
    "node-1": [
        Pod("shop", "web-7d4b9c6f5-x2x9z", ("Deployment", "web"), 20.0),
        Pod("shop", "checkout-5f6d8c9b7-k4k4k", ("Deployment", "checkout"), 25.0),
        Pod("cache", "redis-0", ("StatefulSet", "redis"), 10.0),
    ],
    "node-2": [
        Pod("shop", "web-7d4b9c6f5-b5b5b", ("Deployment", "web"), 10.0),
        Pod("default", "nginx-6c8b7d9f4-z9z9z", ("Deployment", "nginx"), 15.0),
        Pod("batch", "nightly-28931-c7c7c", ("Job", "nightly"), 5.0),
    ],
}
GRID, PUE, PRICE = 400.0, 1.5, 150.0  # gCO2e/kWh, ratio, won a kWh


def active(node: str) -> float:
    """Watts of a node beside its idle power."""
    return UNATTRIBUTED[node] + sum(pod.watts for pod in PODS[node])


def total(node: str) -> float:
    """Watts of a node."""
    return IDLE[node] + active(node)


def watts_of(owner: str) -> float:
    """Watts of all pods of a controller."""
    return sum(pod.watts for pods in PODS.values() for pod in pods if pod.owner[1] == owner)


def watts_in(namespace: str) -> float:
    """Watts of all pods of a namespace."""
    return sum(pod.watts for pods in PODS.values() for pod in pods if pod.namespace == namespace)


ALL = sum(total(node) for node in IDLE)
WORKLOADS = sum(pod.watts for pods in PODS.values() for pod in pods)


def exposition(node: str, seconds: float) -> str:
    """What the exporter of a node shows, this long after it was started."""
    of = f'node_name="{node}"'
    zone = f'{of},path="p",zone="package"'
    lines = ["kepler_build_info{} 1", f'kepler_power_source_info{{{of},source="powercap",method="measured",zone="package"}} 1']
    for name, watts in [
        ("", total(node)),
        ("active_", active(node)),
        ("idle_", IDLE[node]),
        ("unattributed_", UNATTRIBUTED[node]),
    ]:
        lines.append(f"kepler_node_cpu_{name}joules_total{{{zone}}} {watts * seconds}")
    lines.append(f"kepler_node_cpu_watts{{{zone}}} {total(node)}")
    for number, pod in enumerate(PODS[node]):
        own = f'{of},pod_id="{node}-{number}",pod_name="{pod.name}",pod_namespace="{pod.namespace}"'
        series = f'{own},state="running",zone="package"'
        lines.append(f"kepler_pod_cpu_joules_total{{{series}}} {pod.watts * seconds}")
        lines.append(f"kepler_pod_cpu_watts{{{series}}} {pod.watts}")
        kind, name = pod.owner
        lines.append(f'kepler_pod_info{{{own},owner_kind="{kind}",owner_name="{name}"}} 1')
    return "\n".join(lines) + "\n"


@contextmanager
def exporters() -> Iterator[list[str]]:
    """Starts an exporter a node; gives their addresses."""
    begin = time.monotonic() - 1000
    servers = []
    for node in IDLE:

        class Exporter(BaseHTTPRequestHandler):
            own = node

            def do_GET(self) -> None:
                body = exposition(self.own, time.monotonic() - begin).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    try:
        yield [f"http://127.0.0.1:{server.server_address[1]}" for server in servers]
    finally:
        for server in servers:
            server.shutdown()
