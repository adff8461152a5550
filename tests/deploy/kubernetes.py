"""A kubelet and an API server inside a container's network, which answer as those of a real cluster did.

As a program it serves: `kubernetes.py FOLDER PODS SLICES`, where FOLDER has the certificate, and the others are files of JSON.
"""

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

RECORDED = Path(__file__).resolve().parents[2] / "bindings/connect/tests/fixtures/kubernetes"
NODE_ADDRESS, KUBELET, API = "10.88.0.1", 10250, 6443
TOKEN = "eyJhbGciOi.good"
ENVIRONMENT = (f"--env=KUBERNETES_SERVICE_HOST={NODE_ADDRESS}", f"--env=KUBERNETES_SERVICE_PORT={API}")


def account(folder: Path) -> Path:
    """The folder of a service account, with the certificate of the servers beside it."""
    account = folder / "account"
    account.mkdir()
    names = ["-subj", "/CN=node-a", "-addext", f"subjectAltName=DNS:node-a,IP:{NODE_ADDRESS}", "-addext", "basicConstraints=critical,CA:FALSE"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", *names]
    subprocess.run([*command, "-keyout", folder / "key", "-out", account / "ca.crt"], check=True, capture_output=True, timeout=60)
    (account / "token").write_text(TOKEN)
    (account / "namespace").write_text("kepler")
    for path in (account, *account.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return account


def processes(folder: Path) -> Path:
    """The procfs of the recorded node: a process a container, in the cgroup it had."""
    procfs = folder / "proc"
    texts = (RECORDED / "proc-pid-cgroup.txt").read_text().split("# ")
    for pid, text in enumerate((text for text in texts if ":" in text), start=100):
        head, _, cgroup = text.partition("\n")
        comm = head.partition("comm=")[2].strip() or "x"
        process = procfs / str(pid)
        process.mkdir(parents=True)
        (process / "stat").write_text(f"{pid} ({comm}) S 1 {pid} {pid} 0 -1 4194304 0 0 0 0 50 0 0 0 20 0 1 0 5000 0 0\n")
        (process / "cgroup").write_text(cgroup)
        (process / "cmdline").write_text(f"{comm}\0")
    (procfs / "stat").write_text("cpu  1000 0 0 9000 0 0 0 0 0 0\ncpu0 1000 0 0 9000 0 0 0 0 0 0\nintr 0\n")
    return procfs


def slices(folder: Path, port: int) -> Path:
    """The EndpointSlice of the agents' Service: one agent, on this network."""
    part = json.loads((RECORDED / "endpointslice.json").read_text())
    part["endpoints"][0]["addresses"], part["ports"][0]["port"] = [NODE_ADDRESS], port
    path = folder / "slices.json"
    path.write_text(json.dumps({"kind": "EndpointSliceList", "metadata": {"resourceVersion": "700"}, "items": [part]}))
    return path


@contextmanager
def served(pid: int, folder: Path, port: int = 28282) -> Iterator[None]:
    """Both servers in the network of a process."""
    inside = ["nsenter", "--net", f"--target={pid}"]
    subprocess.run([*inside, "ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "lo"], check=True, timeout=10)
    program = [sys.executable, __file__, folder, RECORDED / "kubelet-pods.json", slices(folder, port)]
    servers = subprocess.Popen([*inside, *program], stdout=subprocess.PIPE, text=True)
    try:
        assert servers.stdout.readline() == "ready\n"
        yield
    finally:
        servers.kill()
        servers.wait(10)


def main(folder: Path, pods: Path, endpoint_slices: Path) -> None:
    listed = {"kind": "PartialObjectMetadataList", "metadata": {}, "items": [{"metadata": {"name": "node-a"}}]}
    answers = {"/api/v1/nodes": json.dumps(listed).encode(), "/pods": pods.read_bytes(), "/apis/discovery.k8s.io/v1/namespaces/kepler/endpointslices": endpoint_slices.read_bytes()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                return self.send(401, b"Unauthorized")
            if "sendInitialEvents" in query:
                return self.send(200, (RECORDED / "pods-watch-list-unsupported.jsonl").read_bytes())
            if "watch=true" in query:
                time.sleep(60)
                return self.send(200, b"")
            return self.send(200, answers[path]) if path in answers else self.send(404, b"{}")

        def send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "account/ca.crt", folder / "key")
    servers = [ThreadingHTTPServer((NODE_ADDRESS, port), Handler) for port in (KUBELET, API)]
    for server in servers:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
