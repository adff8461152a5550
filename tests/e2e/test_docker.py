"""Containers of a real Docker: named, charged for what they use, remembered when they are gone."""

import json
import shutil
import subprocess
import time
from typing import NamedTuple

import pytest

import docker_engine
from linux import cgroup_seconds, node_busy_seconds
from workloads import SHORT_LIVED

WINDOW = 8.0


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """An image to run, on a daemon that runs."""
    for program in ("docker", "dockerd", "stress-ng"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    log = tmp_path_factory.mktemp("docker") / "dockerd.log"
    try:
        with docker_engine.daemon(log), docker_engine.image() as name:
            yield name
    except docker_engine.NoDaemon as error:
        pytest.skip(str(error))


class Container:
    """A container, seen by Docker, by the kernel and by the program under test."""

    def __init__(self, name: str, server):
        self.name = name
        self.id = docker_engine.inspect(name, "Id")
        self.pid = int(docker_engine.inspect(name, "State.Pid"))
        self._server = server

    def joules(self, scrape) -> float:
        """Over all states: a container that ends keeps what it used."""
        return scrape.sum("kepler_container_cpu_joules_total", container_id=self.id, zone="package")

    def watts(self, scrape) -> float:
        return scrape.sum("kepler_container_cpu_watts", container_id=self.id, zone="package", state="running")

    def is_listed(self, scrape) -> bool:
        return bool(scrape.select("kepler_container_cpu_joules_total", container_id=self.id))

    def wait_listed(self):
        """The first scrape that knows it."""
        return self._server.scrape_when(self.is_listed, f"the container {self.name}")

    def shares(self, window: float) -> "Shares":
        """What it uses of the node in a window, by the kernel's accounts and by ours."""
        start = self._usage()
        time.sleep(window)
        used = [end - begin for begin, end in zip(start, self._usage(), strict=True)]
        seconds, node_seconds, joules, node_joules = used
        return Shares(cpu=seconds / node_seconds, energy=joules / node_joules)

    def _usage(self) -> tuple[float, float, float, float]:
        """CPU seconds of container and node, active joules of container and node, all just after a measurement."""
        scrape, seconds = self._server.scrape_beside(lambda: (cgroup_seconds(self.pid), node_busy_seconds()))
        active = scrape.sum("kepler_node_cpu_active_joules_total", zone="package")
        return *seconds, self.joules(scrape), active


class Shares(NamedTuple):
    """Of the node's busy CPU time, and of its active energy."""

    cpu: float
    energy: float

    def __str__(self) -> str:
        return f"{self.cpu:.1%} of busy CPU time, {self.energy:.1%} of active energy"


def test_a_containers_watts_rise_with_its_load_and_stay_known_when_it_is_gone(kepler, image, figure):
    server = kepler("--monitor.interval=500ms")
    with docker_engine.container(image, "sleep", "600") as name:
        container = Container(name, server)
        idle = container.watts(container.wait_listed())
        docker_engine.docker("exec", "--detach", name, "stress-ng", "--cpu", "1", "--timeout", "60")
        server.scrape_when(lambda scrape: container.watts(scrape) > idle, "its power to rise")
        shares = container.shares(WINDOW)
        running = server.scrape()
        figure(f"{name}: {idle:.2f} W idle, {container.watts(running):.2f} W under stress-ng, {shares}")
        labels = {"container_name": name, "runtime": "docker"}
        assert running.select("kepler_container_cpu_watts", container_id=container.id, **labels)
        assert container.watts(running) > idle + 0.1
        assert shares.energy == pytest.approx(shares.cpu, rel=0.15)
        if shares.cpu > 0.6:
            assert shares.energy > 0.5, "it is most of the load, so most of the energy is its own"

        docker_engine.docker("rm", "--force", name)
    terminated = {"container_id": container.id, "state": "terminated"}
    gone = server.scrape_when(
        lambda scrape: scrape.select("kepler_container_cpu_joules_total", **terminated),
        "the container to be terminated",
    )
    total = container.joules(gone)
    assert total >= container.joules(running)
    for _ in range(3):
        gone = server.scrape_after(gone.tick())
        assert container.joules(gone) == total


@pytest.mark.parametrize(("usage", "least"), [("clock", 0.95), ("ebpf", 0.97)])
def test_a_container_is_charged_for_its_short_lived_processes(kepler, kepler_bin, image, figure, usage, least):
    if usage == "ebpf":
        found = json.loads(subprocess.run([kepler_bin, "doctor", "--json"], capture_output=True, check=False).stdout)
        if found["usage_source"] != "ebpf":
            pytest.skip(f"eBPF cannot be used here: {found['usage_unavailable']}")
    server = kepler("--monitor.interval=1s", f"--usage={usage}")
    with docker_engine.container(image, "sh", "-c", SHORT_LIVED) as name:
        container = Container(name, server)
        container.wait_listed()
        shares = container.shares(WINDOW)
        scrape = server.scrape()
    labels = {"container_id": container.id, "zone": "package"}
    listed = scrape.sum("kepler_process_cpu_joules_total", **labels)
    # Without eBPF the names of short-lived processes are not known.
    passed = scrape.sum("kepler_command_cpu_joules_total", **labels) if usage == "ebpf" else 0
    by_name = (listed + passed) / container.joules(scrape)
    figure(f"processes of some 20 ms in a container, {usage}: {shares}, {by_name:.1%} of it by name (aim with ebpf: 95 %)")
    assert shares.cpu > 0.05, "the load runs"
    # The node's busy CPU time comes in ticks of 10 ms, the cgroup's in nanoseconds.
    assert shares.energy >= least * shares.cpu - 0.01
    if usage == "ebpf":
        assert by_name >= 0.95
