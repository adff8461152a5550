"""The host's figures inside its guests: one program as the host, one as the guest, between them files or a channel."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from polling import wait_until

# Its own in each run: another one on this machine at the same time has other virtual machines.
UUID = f"{str(uuid.uuid4())[:-1]}1"
WORK = "import time\nwhile True:\n    end = time.time() + 0.3\n    while time.time() < end: pass\n    time.sleep(0.1)"


@pytest.fixture
def machine(tmp_path):
    """Starts processes that look like QEMU's and work: an interpreter under its name."""
    program = tmp_path / "qemu-system-x86_64"
    shutil.copy(Path(sys.executable).resolve(), program)
    started = []

    def start(uuid: str, name: str) -> subprocess.Popen:
        environment = os.environ | {"PYTHONHOME": sys.base_prefix}
        command = [program, "-c", WORK, "-name", f"guest={name},debug-threads=on", "-uuid", uuid, "-machine", "q35"]
        started.append(subprocess.Popen(command, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def microjoules(record: Path, zone: str = "package") -> int:
    found = re.search(rf"^zone {zone} (\d+) ", record.read_text(), re.MULTILINE) if record.exists() else None
    return int(found[1]) if found else 0


def of_vm(server, state: str = "running") -> float:
    return server.scrape().sum("kepler_vm_cpu_joules_total", zone="package", vm_id=UUID, state=state)


HOST = ("--monitor.interval=250ms", "--meter=fake")


def settled(record: Path) -> int:
    """The energy in a record once it stands still."""
    # At least a second lies between two records.
    sequence = lambda: int(re.search(r"^sequence (\d+)$", record.read_text(), re.MULTILINE)[1])
    while True:
        energy, begun = microjoules(record), sequence()
        wait_until(lambda: sequence() >= begun + 2, "two more records")
        if microjoules(record) == energy:
            return energy


def still(value, *servers) -> float:
    """A value once it has stood still while each of these took six readings more."""
    while True:
        before = value()
        for server in servers:
            scrape = server.scrape()
            for _ in range(6):
                scrape = server.scrape_after(scrape.tick())
        if value() == before:
            return before


def test_a_guests_joules_are_those_of_its_host_and_an_estimate_takes_over_when_they_stop(kepler, machine, tmp_path):
    shares = tmp_path / "guests"
    vm = machine(UUID, "web")
    host = kepler(*HOST, f"--passthrough.directory={shares}")
    record = shares / UUID / "record"
    wait_until(lambda: microjoules(record) > 0, "the machine's energy in its record")
    assert UUID in [path.name for path in shares.iterdir()]
    counter = shares / UUID / "class/powercap/intel-rapl:0/energy_uj"
    assert counter.read_text().strip().isdigit() and (counter.parent / "name").read_text() == "package-0\n"
    # The machine is paused: it is charged nothing, and its record says so again and again.
    vm.send_signal(signal.SIGSTOP)
    first, charged = settled(record), of_vm(host)
    guest = kepler("--monitor.interval=200ms", f"--passthrough.source={record}")
    info = guest.scrape().select("kepler_power_source_info", zone="package")
    assert [series.label("source") for series in info] == ["host"]
    joules = lambda: guest.scrape().sum("kepler_node_cpu_joules_total", zone="package")
    assert joules() == 0
    vm.send_signal(signal.SIGCONT)
    wait_until(lambda: microjoules(record) > first + 10_000_000, "10 J more")
    vm.send_signal(signal.SIGSTOP)
    last = settled(record)
    # To the millijoule: what the host charged, what the record shows, what the guest counts.
    assert last % 1000 == 0
    assert of_vm(host) - charged == pytest.approx((last - first) / 1e6, abs=0.002)
    wait_until(lambda: joules() * 1e6 == pytest.approx(last - first, abs=1), "the guest has counted all of it")
    # The host stops: after a while the guest estimates, and nothing falls.
    host.stop()
    source = lambda: [series.label("source") for series in guest.scrape().select("kepler_power_source_info", zone="package")]
    wait_until(lambda: source() == ["model"], "the estimate takes over", seconds=60)
    assert joules() * 1e6 >= last - first


def test_a_channel_carries_records_to_the_machine_whose_socket_it_is_and_is_opened_again(kepler, machine, tmp_path):
    name = f"web-{UUID[:8]}"
    machine(UUID, name)
    path = tmp_path / f"{name}.sock"
    # As QEMU does it: `-chardev socket,path=…,server=on,wait=off`; what comes is what the guest reads at its port.
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    listener.settimeout(60)
    kepler(*HOST, f"--passthrough.channels={tmp_path}/{{name}}.sock")
    for _ in range(2):
        channel, _ = listener.accept()
        channel.settimeout(60)
        text = ""
        while text.count("\nend\n") < 2:
            text += channel.recv(4096).decode()
        assert text.startswith("kepler-guest 1\n") and f"\nvm {UUID}\n" in text
        channel.close()
    listener.close()


def test_a_machine_that_asks_at_its_socket_is_shown_its_own_again_after_its_host_began_again(kepler, machine, tmp_path):
    """As Firecracker and Cloud Hypervisor bring it there: what a guest connects to by vsock is a unix socket on the host."""
    vm = machine(UUID, "web")
    flags = (*HOST, f"--passthrough.listen={tmp_path}/{{id}}.sock_977")
    path = tmp_path / f"{UUID}.sock_977"
    host = kepler(*flags)
    wait_until(path.exists, "the socket of the machine")
    vm.send_signal(signal.SIGSTOP)
    charged = still(lambda: of_vm(host), host)
    guest = kepler("--monitor.interval=200ms", f"--passthrough.source={path}")
    source = lambda: [series.label("source") for series in guest.scrape().select("kepler_power_source_info", zone="package")]
    joules = lambda: guest.scrape().sum("kepler_node_cpu_joules_total", zone="package")
    assert (source(), joules()) == (["host"], 0)
    vm.send_signal(signal.SIGCONT)
    wait_until(lambda: joules() > 10, "10 J more")
    vm.send_signal(signal.SIGSTOP)
    charged = still(lambda: of_vm(host), host) - charged
    before = still(joules, host, guest)
    assert before == pytest.approx(charged, abs=0.002)
    # Neither the end of the host nor its new epoch lets anything fall or jump.
    host.stop()
    assert not path.exists()
    host = kepler(*flags)
    vm.send_signal(signal.SIGCONT)
    wait_until(lambda: source() == ["host"] and joules() > before + 5, "the guest follows again", seconds=90)
    vm.send_signal(signal.SIGSTOP)
    still(lambda: of_vm(host), host)
    assert before <= still(joules, host, guest)


def test_a_machine_that_moves_to_another_host_neither_loses_nor_gains(kepler, machine, tmp_path):
    vm = machine(UUID, "web")
    hosts = [kepler(*HOST, f"--passthrough.directory={tmp_path / name}") for name in ("a", "b")]
    records = [tmp_path / name / UUID / "record" for name in ("a", "b")]
    # The second has charged it far more: it has a longer past there.
    wait_until(lambda: all(microjoules(record) > 5_000_000 for record in records), "both hosts' records")
    link = tmp_path / "share"
    link.symlink_to(records[0])
    guest = kepler("--monitor.interval=200ms", f"--passthrough.source={link}")
    joules = lambda: guest.scrape().sum("kepler_node_cpu_joules_total", zone="package")
    wait_until(lambda: joules() > 3, "energy by the first host")
    vm.send_signal(signal.SIGSTOP)
    settled(records[0])
    before, moved = still(joules, hosts[0], guest), settled(records[1])
    (tmp_path / "next").symlink_to(records[1])
    (tmp_path / "next").rename(link)
    assert still(joules, hosts[1], guest) == before, "another host's counter is no energy"
    vm.send_signal(signal.SIGCONT)
    wait_until(lambda: microjoules(records[1]) > moved + 5_000_000, "5 J more")
    vm.send_signal(signal.SIGSTOP)
    more = settled(records[1]) - moved
    wait_until(lambda: (joules() - before) * 1e6 == pytest.approx(more, abs=1), "what the second host charged since, to the millijoule")
    assert all(host.is_ready() for host in hosts)


def test_two_machines_see_their_own_only_and_what_ends_is_removed(kepler, machine, tmp_path):
    shares = tmp_path / "guests"
    other = UUID[:-1] + "2"
    machine(UUID, "web")
    second = machine(other, "../../etc")
    host = kepler(*HOST, f"--passthrough.directory={shares}", "--passthrough.idle=proportional")
    wait_until(lambda: microjoules(shares / UUID / "record") and microjoules(shares / other / "record"), "both machines")
    text = (shares / UUID / "record").read_text()
    assert other not in text and "web" not in text
    second.kill()
    second.wait()
    wait_until(lambda: not (shares / other).exists(), "the tree of the machine that ended is gone")
    assert (shares / UUID).exists() and host.is_ready()


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--passthrough.channels=/run/one.sock", "{id}"),
        ("--passthrough.listen=/run/one.sock_977", "{id}"),
        ("--passthrough.vsock=4294967295", "1 to 4294967294"),
        ("--passthrough.vsock=-1", "1 to 4294967294"),
        ("--passthrough.source=vsock:no", "vsock:PORT"),
    ],
)
def test_what_is_no_place_for_figures_is_refused_with_the_reason(kepler_bin, flag, reason):
    done = subprocess.run([kepler_bin, flag], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and reason in done.stderr and flag.split("=")[0] in done.stderr
