"""A pod's container under Docker, with what the manifest says: security context, arguments, mounts, probes."""

import json
import os
import select
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chart import Object

NODE = {"spec.nodeName": "node-a", "status.hostIP": "10.88.0.1"}
# The client of Debian's package, which has BuildKit; another in the way may lack it.
DOCKER = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else "docker"

# The runtime of `runtime.py`, and the capabilities that only it can add.
RUNTIME, BEYOND_DOCKER = "pod", ("BPF", "PERFMON", "CHECKPOINT_RESTORE")


def docker(*arguments: str, **options) -> str:
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    done = subprocess.run([DOCKER, *arguments], capture_output=True, text=True, timeout=100, env=environment, **options)
    if done.returncode != 0:
        raise RuntimeError(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


class Container:
    """A running container; asked inside its network."""

    def __init__(self, name: str, manifest: Object):
        self.name, self.manifest = name, manifest

    @property
    def state(self) -> Object:
        return json.loads(docker("inspect", "--format", "{{json .State}}", self.name))

    @property
    def log(self) -> str:
        done = subprocess.run([DOCKER, "logs", self.name], capture_output=True, text=True, timeout=30)
        return done.stdout + done.stderr

    def ask(self, port: int, path: str, *options: str, scheme: str = "http") -> tuple[int, str]:
        """HTTP status and body; 0 where nothing answers. No certificate is looked at, as by a kubelet's probe."""
        url = f"{scheme}://127.0.0.1:{port}{path}"
        command = ["nsenter", "--net", f"--target={self.state['Pid']}", "curl", "--silent", "--insecure", "--max-time", "10"]
        done = subprocess.run([*command, "--write-out", "\n%{http_code}", *options, url], capture_output=True, text=True, timeout=30)
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), body

    def probe(self, kind: str) -> bool:
        get = self.manifest[kind]["httpGet"]
        ports = {port["name"]: port["containerPort"] for port in self.manifest["ports"]}
        return self.ask(ports[get["port"]], get["path"], scheme=get.get("scheme", "HTTP").lower())[0] in range(200, 400)

    def wait(self, kind: str, seconds: float = 60) -> float:
        """Waits for a probe to answer well; how long that took."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            if not self.state["Running"]:
                break
            if self.probe(kind):
                return time.monotonic() - start
            time.sleep(0.05)
        raise AssertionError(f"{kind} does not answer: {self.log}")

    def terminate(self) -> tuple[float, int]:
        """Ends it as a kubelet does; seconds until its process has ended, and its exit status."""
        pid = self.state["Pid"]
        process = os.pidfd_open(pid)
        try:
            start = time.monotonic()
            os.kill(pid, signal.SIGTERM)
            ended, _, _ = select.select([process], [], [], 25)
            seconds = time.monotonic() - start
        finally:
            os.close(process)
        assert ended, f"{self.name} goes on: {self.log}"
        return seconds, int(docker("wait", self.name))


@contextmanager
def started(image: str, pod: Object, container: Object, files: dict[str, Path], *more: str) -> Iterator[Container]:
    """A container of a pod. `files` are its volumes, by name; each is mounted as the manifest says."""
    security = container["securityContext"]
    flags = ["--detach", f"--runtime={RUNTIME}", f"--name=kepler-{uuid.uuid4().hex[:8]}", *more]
    flags += ["--privileged"] if security.get("privileged") else []
    flags += [f"--cap-drop={name}" for name in security.get("capabilities", {}).get("drop", [])]
    added = security.get("capabilities", {}).get("add", [])
    flags += [f"--cap-add={name}" for name in added if name not in BEYOND_DOCKER]
    flags.append(f"--env=POD_CAPABILITIES={','.join(name for name in added if name in BEYOND_DOCKER)}")
    flags += ["--read-only"] if security.get("readOnlyRootFilesystem") else []
    flags += ["--security-opt=no-new-privileges"] if security.get("allowPrivilegeEscalation") is False else []
    if "runAsUser" in security:
        flags.append(f"--user={security['runAsUser']}:{security.get('runAsGroup', 0)}")
    if group := pod.get("securityContext", {}).get("fsGroup"):
        flags.append(f"--group-add={group}")
    flags += ["--pid=host"] if pod.get("hostPID") else []
    if memory := container["resources"].get("limits", {}).get("memory"):
        flags.append(f"--memory={memory.replace('Mi', 'm')}")
    for mount in container["volumeMounts"]:
        mode = "ro" if mount.get("readOnly") else "rw"
        flags.append(f"--volume={files[mount['name']]}:{mount['mountPath']}:{mode}")
    variables = {}
    for variable in container.get("env", []):
        field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        variables[variable["name"]] = NODE[field] if field else variable["value"]
    flags += [f"--env={name}={value}" for name, value in variables.items()]
    arguments = container.get("args", [])
    for name, value in variables.items():
        arguments = [text.replace(f"$({name})", value) for text in arguments]
    entry = container.get("command", [])
    flags += [f"--entrypoint={entry[0]}"] if entry else []
    name = docker("run", *flags, image, *arguments)
    try:
        yield Container(name, container)
    finally:
        docker("rm", "--force", name)
