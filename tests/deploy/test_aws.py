"""The stack of AWS: its template, its scripts, and what its machine does at boot."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from helm_python import Chart

from chart import DEPLOY, ROOT, Rendered

AWS = DEPLOY / "aws"
NODE = AWS / "node"
TEMPLATE = AWS / "kepler-k3s.yaml"


class _Loader(yaml.SafeLoader):
    """CloudFormation's short forms, as their long ones."""


def _short(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short)


@pytest.fixture(scope="module")
def stack():
    return yaml.load(TEMPLATE.read_text(), _Loader)


def test_cfn_lint_finds_nothing():
    command = [Path(sys.executable).with_name("cfn-lint"), "--include-checks", "I", "--", TEMPLATE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_script_is_clean_for_shellcheck(stack, tmp_path):
    data = stack["Resources"]["Template"]["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"]
    script = tmp_path / "user-data.sh"
    script.write_text(re.sub(r"\$\{[A-Za-z0-9]+\}", "value", data))
    scripts = [*AWS.glob("*.sh"), NODE / "setup", NODE / "kepler-node", *(DEPLOY / "image").glob("*.sh"), script]
    command = [Path(sys.executable).with_name("shellcheck"), "--severity=style", *scripts]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout


def test_nothing_may_come_in_unless_an_address_is_named(stack):
    resources = stack["Resources"]
    assert "SecurityGroupIngress" not in resources["Firewall"]["Properties"]
    assert stack["Parameters"]["AllowedCidr"]["Default"] == ""
    ingress = [there for there in resources.values() if there["Type"] == "AWS::EC2::SecurityGroupIngress"]
    assert {there["Properties"]["FromPort"] for there in ingress} == {30080, 30443, 30800}
    for there in ingress:
        assert there["Condition"] == "IsReachable" and there["Properties"]["CidrIp"] == {"Ref": "AllowedCidr"}
    # The same ports as the chart's.
    rendered = Rendered(yaml.safe_load((DEPLOY / "helm/kepler/profiles/k3s.yaml").read_text()))
    ports = {port["nodePort"] for service in rendered.all("Service") for port in service["spec"]["ports"] if "nodePort" in port}
    assert ports == {30080, 30800}


def test_the_metadata_service_gives_nothing_without_a_token_or_to_a_pod(stack):
    data = stack["Resources"]["Template"]["Properties"]["LaunchTemplateData"]
    assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"}
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True and "KeyName" not in data


@pytest.mark.parametrize(
    "parameter, good, bad",
    [
        ("AllowedCidr", ["", "203.0.113.7/32"], ["0.0.0.0", "everyone", "10.0.0.1/32; true"]),
        ("Repository", ["https://github.com/kepler-rs/kepler.git"], ["https://x/'$(id)'", "http://x/y", "https://x/y z"]),
        ("Revision", ["main", "v1.2.3"], ["main; id", "'", "$(id)", "--upload-pack=x"]),
        ("KeplerImage", ["", "ghcr.io/kepler-rs/kepler:0.1.0"], ["kepler", "kepler:1'", "kepler:1 --x"]),
        ("K3sChannel", ["stable", "v1.36"], ["stable'", "a b"]),
    ],
)
def test_no_parameter_can_carry_a_command(stack, parameter, good, bad):
    pattern = stack["Parameters"][parameter]["AllowedPattern"]
    assert all(re.fullmatch(pattern, text) for text in good)
    assert not any(re.fullmatch(pattern, text) for text in bad)


def test_the_drivers_are_loaded_in_their_order_at_each_boot():
    modules = [line for line in (NODE / "kepler-modules.conf").read_text().splitlines() if line and not line.startswith("#")]
    assert modules[:3] == ["msr", "intel_rapl_common", "intel_rapl_msr"]
    setup = (NODE / "setup").read_text()
    assert "/etc/modules-load.d/kepler.conf" in setup and "linux-modules-extra-$(uname -r)" in setup
    assert "Before=k3s.service" in (NODE / "kepler-node.service").read_text()


def test_counters_are_open_to_the_profile_default_at_each_boot():
    said = [line for line in (NODE / "kepler-sysctl.conf").read_text().splitlines() if not line.startswith("#")]
    assert said == ["kernel.perf_event_paranoid = 2"]
    assert "node/kepler-sysctl.conf\" /etc/sysctl.d/60-kepler.conf" in (NODE / "setup").read_text()


# What a machine shows once a driver is there; each returns how its counter is set.
def powercap(root: Path):
    zone = root / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)

    def put(value):
        # At once: a reader in between would see an empty file.
        (zone / "new").write_text(f"{value}\n")
        (zone / "new").rename(zone / "energy_uj")

    return put


def register(number: int):
    def at(root: Path):
        path = root / "dev/cpu/0/msr"
        path.parent.mkdir(parents=True)
        path.touch()

        def put(value):
            with path.open("r+b", buffering=0) as file:
                file.seek(number)
                file.write(value.to_bytes(8, "little"))

        return put

    return at


def perf(root: Path):
    events = root / "sys/bus/event_source/devices/power/events"
    events.mkdir(parents=True)
    (events / "energy-pkg").write_text("event=0x02\n")
    return lambda _: None


def perf_at(level: int):
    def at(root: Path):
        path = root / "proc/sys/kernel/perf_event_paranoid"
        path.parent.mkdir(parents=True)
        path.write_text(f"{level}\n")
        return perf(root)

    return at


@contextmanager
def counting(put, moving):
    """A counter that moves for as long as the block lasts, or stands still."""
    put(1000)
    stop = threading.Event()

    def count():
        value = 1000
        while moving and not stop.wait(0.01):
            value += 61
            put(value)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def boot(root: Path, verb: str, modprobe="true", **more):
    environment = {"PATH": os.environ["PATH"], "ROOT": str(root), "KEPLER_REPOSITORY": str(ROOT), "MODPROBE": modprobe, "WAIT": "0.2"}
    done = subprocess.run([NODE / "kepler-node", verb], capture_output=True, text=True, timeout=30, env=environment | more)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize(
    "shown, found",
    [
        ([(powercap, True), (perf, True)], "powercap"),
        ([(powercap, False), (perf, True), (register(0x611), True)], "perf"),
        ([(powercap, False), (register(0x611), True)], "msr"),
        ([(register(0xC001029B), True)], "msr"),
        ([(register(0x611), False)], "estimate"),
        ([], "estimate"),
    ],
    ids=["all", "a zone that stands still", "perf lacks the event", "AMD", "a register that stands still", "a virtual machine"],
)
def test_the_best_meter_that_works_is_found_at_boot(tmp_path, shown, found):
    with ExitStack() as machine:
        for kind, moving in shown:
            machine.enter_context(counting(kind(tmp_path), moving))
        meter, said = boot(tmp_path, "meter")
    assert meter == found, said


def test_a_driver_that_is_missing_is_named_with_its_package(tmp_path):
    meter, said = boot(tmp_path, "meter", modprobe="false")
    assert meter == "estimate" and "intel_rapl_msr" in said and "linux-modules-extra" in said


@pytest.mark.parametrize(
    "kind, profile",
    [(powercap, "default"), (register(0x611), "privileged"), (perf, "default"), (perf_at(2), "default"), (perf_at(4), "privileged")],
    ids=["powercap", "msr", "perf", "perf as set up", "perf as Ubuntu starts"],
)
def test_k3s_is_given_the_chart_with_the_profile_of_the_meter(tmp_path, kind, profile):
    with counting(kind(tmp_path), True):
        boot(tmp_path, "manifest", IMAGE="registry.example:5000/kepler:1.2.3")
    manifest = yaml.safe_load((tmp_path / "var/lib/rancher/k3s/server/manifests/kepler.yaml").read_text())
    assert (manifest["kind"], manifest["spec"]["targetNamespace"]) == ("HelmChart", "kepler-system")
    values = yaml.safe_load(manifest["spec"]["valuesContent"])
    assert values["profile"] == profile
    archive = tmp_path / "kepler.tgz"
    archive.write_bytes(base64.b64decode(manifest["spec"]["chartContent"]))
    with Chart.load(archive) as chart:
        rendered = chart.render(values, name="kepler", namespace="kepler-system")
    agent = next(yaml.safe_load(text) for path, text in rendered.items() if path.endswith("daemonset.yaml"))
    container = agent["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example:5000/kepler:1.2.3"
    assert bool(container["securityContext"].get("privileged")) == (profile == "privileged")


@pytest.fixture
def aws(tmp_path):
    """A client that notes what it is asked for, and knows a stack once it was made."""
    client = tmp_path / "bin/aws"
    client.parent.mkdir()
    client.write_text(
        f"#!{sys.executable}\n"
        "import json, pathlib, sys\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "with open(folder / 'calls', 'a') as file: file.write(json.dumps(sys.argv[1:]) + '\\n')\n"
        "asked = ' '.join(sys.argv[1:])\n"
        "if 'cloudformation deploy' in asked: (folder / 'exists').touch()\n"
        "if 'describe-stacks' in asked:\n"
        "    if not (folder / 'exists').exists(): sys.exit(255)\n"
        "    print('i-0123' if 'InstanceId' in asked else 'value')\n"
        "elif 'describe-instances' in asked: print('198.51.100.4')\n"
    )
    client.chmod(0o755)

    def run(script, *arguments, answer=""):
        environment = {"PATH": f"{client.parent}:{os.environ['PATH']}"}
        done = subprocess.run([AWS / script, *arguments], input=answer, capture_output=True, text=True, timeout=30, env=environment)
        noted = tmp_path / "calls"
        calls = [" ".join(json.loads(line)) for line in noted.read_text().splitlines()] if noted.exists() else []
        noted.unlink(missing_ok=True)
        return done, calls

    return run


def test_the_first_start_makes_the_stack_and_the_next_one_starts_its_machine(aws):
    done, calls = aws("start.sh", "AllowedCidr=203.0.113.7/32")
    assert done.returncode == 0, done.stderr
    deploy = next(call for call in calls if "cloudformation deploy" in call)
    assert "--stack-name kepler-k3s-rapl" in deploy and "--parameter-overrides AllowedCidr=203.0.113.7/32" in deploy
    assert "198.51.100.4:30800/mcp" in done.stdout and "stop.sh" in done.stdout
    done, calls = aws("start.sh")
    assert any("start-instances --instance-ids i-0123" in call for call in calls) and not any("deploy" in call for call in calls)


def test_stop_and_delete_act_on_the_stack_that_is_named(aws):
    aws("start.sh", "kepler-k3s-stack")
    done, calls = aws("stop.sh", "kepler-k3s-stack")
    assert done.returncode == 0 and any("stop-instances --instance-ids i-0123" in call for call in calls)
    done, calls = aws("delete.sh", "kepler-k3s-stack", answer="no\n")
    assert done.returncode == 1 and calls == []
    done, calls = aws("delete.sh", "kepler-k3s-stack", answer="kepler-k3s-stack\n")
    assert done.returncode == 0 and any("delete-stack --stack-name kepler-k3s-stack" in call for call in calls)
    done, calls = aws("delete.sh", "--yes")
    assert done.returncode == 0 and any("delete-stack --stack-name kepler-k3s-rapl" in call for call in calls)
