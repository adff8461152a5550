"""The host's figures in a real virtual machine: QEMU boots a kernel with this program in it, which reads its virtio-serial port.

It needs `qemu-system-x86_64`, `busybox` (static) and a kernel with its modules, unpacked: `KEPLER_GUEST_KERNEL=DIR` with
`DIR/boot/vmlinuz-*` and `DIR/lib/modules/*`, as `dpkg-deb -x linux-image-*-cloud-amd64_*.deb DIR` leaves it. Without them it is skipped.
"""

import gzip
import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from polling import wait_until

# Not that of the machines of other tests, which may run at the same time.
UUID = "6f1c1f1e-9d7c-4f5e-a7b4-0c9d1f4c9a0f"
KERNEL = os.environ.get("KEPLER_GUEST_KERNEL")
MODULES = ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_console")
INIT = """#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys; $B mount -t devtmpfs dev /dev
for m in MODULES; do $B insmod /modules/$m.ko; done
$B sleep 1
# As udev does.
$B mkdir -p /dev/virtio-ports
for p in /sys/class/virtio-ports/*; do $B ln -s ../${p##*/} /dev/virtio-ports/$($B cat $p/name); done
$B ifconfig lo 127.0.0.1 up
echo GUEST begins
/bin/kepler serve --monitor.interval=1s --web.listen-address=127.0.0.1:28282 &
while $B true; do
  $B wget -qO- http://127.0.0.1:28282/metrics 2>/dev/null | $B grep -E '^kepler_(node_cpu_joules_total|power_source_info).*zone="package"' | $B sed 's/^/GUEST /'
  $B sleep 1
done
"""

pytestmark = pytest.mark.skipif(
    not KERNEL or not shutil.which("qemu-system-x86_64") or not shutil.which("busybox"), reason="no QEMU, busybox or KEPLER_GUEST_KERNEL"
)


def initramfs(root: Path, kepler_bin: Path) -> bytes:
    for directory in ("bin", "proc", "sys", "dev", "tmp", "modules"):
        (root / directory).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    subprocess.run(["strip", "-o", root / "bin/kepler", kepler_bin], check=True)
    libraries = re.findall(r"(/lib\S+) \(", subprocess.run(["ldd", kepler_bin], capture_output=True, text=True, check=True).stdout)
    for library in libraries:
        (root / library.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(library).resolve(), root / library.lstrip("/"))
    for module in MODULES:
        found = next(Path(KERNEL).glob(f"lib/modules/**/{module}.ko"))
        shutil.copy(found, root / "modules")
    init = root / "init"
    init.write_text(INIT.replace("MODULES", " ".join(MODULES)))
    init.chmod(0o755)
    listed = "\n".join(str(path.relative_to(root)) for path in root.rglob("*"))
    archive = subprocess.run(["busybox", "cpio", "-o", "-H", "newc"], input=listed.encode(), cwd=root, capture_output=True, check=True)
    return gzip.compress(archive.stdout, 1)


class Machine:
    def __init__(self, directory: Path, kepler_bin: Path):
        (directory / "initrd.gz").write_bytes(initramfs(directory / "root", kepler_bin))
        self.console, control = directory / "console", directory / "control.sock"
        port = f"socket,id=energy,path={directory}/{UUID}.sock,server=on,wait=off"
        # In a virtual machine that cannot nest there may be a /dev/kvm all the same.
        can_nest = re.search(r"^flags.* (vmx|svm) ", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        accelerator = "kvm" if can_nest and os.access("/dev/kvm", os.W_OK) else "tcg"
        command = ["qemu-system-x86_64", "-accel", accelerator, "-m", "768", "-nographic", "-name", "guest=web", "-uuid", UUID]
        command += ["-kernel", str(next(Path(KERNEL).glob("boot/vmlinuz-*"))), "-initrd", str(directory / "initrd.gz")]
        command += ["-append", "console=ttyS0 quiet panic=-1", "-qmp", f"unix:{control},server=on,wait=off", "-device", "virtio-serial"]
        command += ["-chardev", port, "-device", "virtserialport,chardev=energy,name=org.kepler.energy.0"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.console.open("wb"), stderr=subprocess.STDOUT)
        wait_until(control.exists, "QEMU's control socket")
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(str(control))
        self.lines = self.control.makefile("rw")
        self.lines.readline()
        self.tell("qmp_capabilities")

    def tell(self, command: str) -> None:
        self.lines.write(json.dumps({"execute": command}) + "\n")
        self.lines.flush()
        while "return" not in json.loads(self.lines.readline()):
            pass

    def text(self) -> str:
        return self.console.read_text(errors="replace")

    def boots(self) -> int:
        return self.text().count("GUEST begins")

    def since_boot(self) -> "list[int]":
        return self.microjoules(self.text().rpartition("GUEST begins")[2])

    def sources(self) -> list[str]:
        return re.findall(r'^GUEST kepler_power_source_info\{.*?source="(\w+)"', self.text(), re.MULTILINE)

    def microjoules(self, text: str | None = None) -> list[int]:
        shown = re.findall(r'^GUEST kepler_node_cpu_joules_total\{.*\} ([0-9.]+)', text or self.text(), re.MULTILINE)
        return [round(float(joules) * 1e6) for joules in shown]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def machine(tmp_path, kepler_bin):
    own = Machine(tmp_path, kepler_bin)
    yield own
    own.close()


def record(directory: Path) -> int:
    return int(re.search(r"^zone package (\d+)", (directory / UUID / "record").read_text(), re.MULTILINE)[1])


def agrees(machine: Machine, directory: Path, values: int) -> bool:
    """Whether the next values of the guest are values of the host's record, all with the same difference."""
    first, shown = len(machine.microjoules()), set()
    while len(machine.microjoules()) < first + values:
        shown.add(record(directory))
        time.sleep(0.05)
    guest = machine.microjoules()[first + 1 :]
    return any(all(value + difference in shown for value in guest) for difference in {one - guest[0] for one in shown})


@pytest.mark.timeout(1800)
def test_a_machines_joules_are_its_hosts_to_the_millijoule_also_when_it_was_paused_and_the_host_began_again(kepler, machine, tmp_path):
    shares = tmp_path / "shares"
    flags = ("--monitor.interval=1s", "--meter=fake", f"--passthrough.directory={shares}", f"--passthrough.channels={tmp_path}/{{id}}.sock")
    host = kepler(*flags)
    wait_until(lambda: machine.sources()[-1:] == ["host"], "the guest reads its port", seconds=240)
    assert agrees(machine, shares, 12)
    machine.tell("stop")
    time.sleep(5)
    machine.tell("cont")
    assert agrees(machine, shares, 12)
    host.stop()
    wait_until(lambda: machine.sources()[-1] == "model", "the estimate takes over", seconds=120)
    host = kepler(*flags)
    wait_until(lambda: machine.sources()[-1] == "host", "the host is found again", seconds=120)
    assert agrees(machine, shares, 12)
    values = machine.microjoules()
    assert values == sorted(values)
    # The guest begins again: its machine is the same, and goes on being charged. Nothing of before is counted twice.
    machine.tell("system_reset")
    wait_until(lambda: machine.boots() == 2 and machine.since_boot(), "the guest has started again", seconds=300)
    wait_until(lambda: machine.sources()[-1] == "host", "the guest reads its port again", seconds=120)
    assert agrees(machine, shares, 12)
    values = machine.since_boot()
    assert values == sorted(values) and values[0] < record(shares)
    # Its port is closed by the host: the estimate takes over, and the host's figures when it is opened again.
    host.stop()
    host = kepler(*flags[:-1])
    wait_until(lambda: machine.sources()[-1] == "model", "nothing comes through the port", seconds=120)
    host.stop()
    kepler(*flags)
    wait_until(lambda: machine.sources()[-1] == "host", "it is opened again", seconds=120)
    values = machine.since_boot()
    assert values == sorted(values)
