"""Docker: a daemon, an image made from programs of this machine, containers."""

import io
import os
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from polling import wait_until
from workloads import BUSYBOX, running

APPLETS = ("sh", "sleep")


class NoDaemon(Exception):
    """No Docker daemon runs, and none can be started here."""


def docker(*arguments: str, stdin: bytes | None = None) -> str:
    """Runs the client; its standard output. An error carries what it said."""
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"docker {arguments[0]}: {done.stderr.decode().strip()}")
    return done.stdout.decode().strip()


def is_running() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, timeout=30).returncode == 0


@contextmanager
def daemon(log: Path, *more: str) -> Iterator[None]:
    """The running daemon, or one for as long as it is needed; with `more` flags always one, beside another that may run.
    `NoDaemon` when none starts."""
    is_there = is_running()
    if is_there and not more:
        yield
        return
    if is_there:
        own = log.parent / "own"
        paths = {"data-root": own / "data", "exec-root": own / "exec", "pidfile": own / "pid", "host": f"unix://{own}/socket"}
        more = (*more, *(f"--{name}={path}" for name, path in paths.items()))
        with patch.dict(os.environ, {"DOCKER_HOST": str(paths["host"])}), started(log, *more):
            yield
        shutil.rmtree(own, ignore_errors=True)
        return
    with started(log, *more):
        yield


@contextmanager
def started(log: Path, *more: str) -> Iterator[None]:
    """A daemon of ours."""
    reasons = []
    for driver in ("overlay2", "vfs"):
        # Containers here need no network, and a test must not touch the firewall.
        flags = [f"--storage-driver={driver}", "--bridge=none", "--iptables=false", "--ip6tables=false", *more]
        with log.open("wb") as file, running(["dockerd", *flags], stdout=file, stderr=file) as process:
            wait_until(lambda: is_running() or process.poll() is not None, "dockerd", seconds=30, step=0.2)
            if process.poll() is None:
                yield
                process.terminate()
                process.wait(timeout=20)
                return
        reasons.append(f"{driver}: {log.read_text().strip().splitlines()[-1:]}")
    raise NoDaemon(f"dockerd does not start: {'; '.join(reasons)}")


@contextmanager
def image() -> Iterator[str]:
    """An image of busybox and stress-ng, with the libraries that stress-ng is linked with."""
    name = f"kepler-e2e:{uuid.uuid4().hex[:12]}"
    docker("import", "-", name, stdin=_root_file_system())
    try:
        yield name
    finally:
        docker("rmi", "--force", name)


@contextmanager
def container(image: str, *command: str) -> Iterator[str]:
    """A running container's name. It is removed, unless the block has done so."""
    name = f"kepler-e2e-{uuid.uuid4().hex[:8]}"
    docker("run", "--detach", "--network=none", "--name", name, image, *command)
    try:
        yield name
    finally:
        docker("rm", "--force", name)


def inspect(name: str, field: str) -> str:
    return docker("inspect", "--format", f"{{{{.{field}}}}}", name)


def _root_file_system() -> bytes:
    stress = shutil.which("stress-ng")
    assert stress, "the Debian package stress-ng is not installed"
    listed = subprocess.run(["ldd", stress], capture_output=True, text=True, check=True, timeout=10).stdout
    libraries = [word for word in listed.split() if word.startswith("/")]
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for path, name in [(str(BUSYBOX), "bin/busybox"), (stress, "bin/stress-ng")]:
            archive.add(os.path.realpath(path), name)
        for library in libraries:
            archive.add(os.path.realpath(library), library.lstrip("/"))
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        for folder in ("proc", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777
            archive.addfile(entry)
    return content.getvalue()
