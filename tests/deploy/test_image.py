"""The image, built by Docker and run with what the chart says of each container."""

import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

import kubernetes
from chart import DEPLOY, ROOT, VALUES, Rendered
from pod import DOCKER, RUNTIME, docker, started

sys.path.insert(0, str(ROOT / "tests/e2e"))
from docker_engine import NoDaemon, daemon  # noqa: E402

VERSION = "1.2.3"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("Docker's daemon and folders of other users need root")
    try:
        with daemon(tmp_path_factory.mktemp("docker") / "dockerd.log", f"--add-runtime={RUNTIME}={Path(__file__).parent}/runtime.py"):
            yield
    except NoDaemon as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def image(engine, kepler_bin, tmp_path_factory):
    """The image of the Containerfile, whose program is not built but taken from here."""
    folder = tmp_path_factory.mktemp("program")
    subprocess.run([DEPLOY / "image/root-file-system.sh", kepler_bin, folder / "image"], check=True, timeout=30)
    archive = subprocess.run(["tar", "--create", "--directory", folder, "."], stdout=subprocess.PIPE, check=True, timeout=60)
    imported = subprocess.run([DOCKER, "import", "-", "kepler-program:test"], input=archive.stdout, capture_output=True, timeout=60)
    assert imported.returncode == 0, imported.stderr
    # Nothing of the repository is needed where the program is there already.
    context = tmp_path_factory.mktemp("context")
    flags = ["--build-arg=PROGRAM=kepler-program:test", f"--build-arg=VERSION={VERSION}", "--network=none"]
    docker("build", "--quiet", f"--file={DEPLOY}/image/Containerfile", *flags, "--tag=kepler:test", str(context))
    yield "kepler:test"
    for name in ("kepler:test", "kepler-program:test"):
        docker("rmi", "--force", name)


def test_the_image_has_what_nvidias_library_is_linked_with(kepler_bin, tmp_path):
    """NVIDIA's runtime mounts that library alone; without these the loader refuses it: `libpthread.so.0: cannot open shared object file`."""
    subprocess.run([DEPLOY / "image/root-file-system.sh", kepler_bin, tmp_path / "image"], check=True, timeout=30)
    linked = subprocess.run(["ldd", kepler_bin], capture_output=True, text=True, timeout=10)
    if "libc.so.6" not in linked.stdout:
        pytest.skip("this program is linked statically, and can load no library")
    there = {path.name for path in (tmp_path / "image").rglob("lib*.so.*")}
    assert {"libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0"} <= there


@pytest.fixture
def host(tmp_path):
    """The sysfs of a machine with RAPL zones that only their owner may read, as the kernel has them."""
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    for name, text in (("name", "package-0"), ("max_energy_range_uj", "262143328850"), ("energy_uj", "1000000000")):
        (zone / name).write_text(f"{text}\n")
    os.chown(zone / "energy_uj", 12345, 12345)
    (zone / "energy_uj").chmod(0o400)
    return tmp_path / "sys"


@contextmanager
def counting(counter):
    """Lets a counter rise by a microjoule now and then, as one that stands still while the machine works is not believed; gives what
    makes it rise by some joules."""
    drawn, stop = [], threading.Event()

    def count():
        steps, first = 0, int(counter.read_text())
        while not stop.wait(0.2):
            steps += 1
            with counter.open("r+") as file:
                file.write(f"{first + steps + int(sum(drawn) * 1e6)}\n")

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield drawn.append
    finally:
        stop.set()
        thread.join()


def volumes(rendered, tmp_path, sysfs):
    """The agent's volumes: the configuration as the ConfigMap has it, the folders of the host."""
    folder = tmp_path / "cfm"
    folder.mkdir()
    for name, text in rendered.one("ConfigMap")["data"].items():
        (folder / name).write_text(text)
    logs = {name: tmp_path / name for name in ("log-pods", "log-containers")}
    for folder_of_logs in logs.values():
        folder_of_logs.mkdir()
    return {"cfm": folder, "sysfs": sysfs, "procfs": Path("/proc"), **logs}


def named(host):
    """Options of curl for a request under this name."""
    return "--header", f"Host: {host}"


def metrics(container):
    status, body = container.ask(28282, "/metrics")
    assert status == 200
    return body


def test_the_image_is_little_more_than_the_program_and_says_what_it_is(image, kepler_bin):
    size = int(docker("inspect", "--format", "{{.Size}}", image))
    assert size < Path(kepler_bin).stat().st_size + 5 * 1024 * 1024, f"{size} bytes"
    labels = docker("inspect", "--format", "{{json .Config.Labels}}", image)
    for name in ("title", "source", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}" in labels
    assert VERSION in labels


def test_arguments_need_no_verb_and_verbs_work(image):
    assert "Usage: kepler serve" in docker("run", "--rm", "--network=none", image, "--kube.enable", "--log.level=info", "--help")
    assert docker("run", "--rm", "--network=none", image, "--version").startswith("kepler, version")
    assert "KR_" in docker("run", "--rm", "--network=none", "--read-only", "--user=65532", image, "standards")


def test_the_agent_measures_with_four_capabilities_and_ends_in_time(image, host, tmp_path):
    rendered = Rendered()
    files = volumes(rendered, tmp_path, host)
    own = started(image, rendered.agent, rendered.container, files, "--network=none")
    with counting(host / "class/powercap/intel-rapl:0/energy_uj") as draw, own as agent:
        agent.wait("startupProbe")
        agent.wait("readinessProbe")
        assert agent.probe("livenessProbe")
        draw(100)
        deadline = time.monotonic() + 60
        while not (found := re.search(r'kepler_node_cpu_joules_total\{node_name="node-a",.*zone="package"\} ([1-9]\S*)', metrics(agent))):
            assert time.monotonic() < deadline, agent.log
            time.sleep(0.2)
        assert float(found[1]) == pytest.approx(100, abs=0.01)
        text = metrics(agent)
        assert 'source="powercap",method="measured"' in text
        assert "kepler_process_cpu_seconds_total{" in text and 'comm="dockerd"' in text
        # A name that no Service has is refused, the Service's is not.
        assert agent.ask(28282, "/api/v1/node", *named("kepler.kepler.svc"))[0] == 200
        assert agent.ask(28282, "/api/v1/node", *named("evil.example"))[0] in (403, 421)
        seconds, status = agent.terminate()
        assert status == 0, f"after {seconds:.2f} s: {agent.log}"
        assert "rror" not in agent.log.replace("error 2", "").replace("rms error", ""), agent.log


def test_the_agent_sees_containers_of_the_host_by_ebpf_where_the_kernel_has_it(image, tmp_path):
    rendered = Rendered()
    files = volumes(rendered, tmp_path, Path("/sys"))
    with started(image, rendered.agent, rendered.container, files, "--network=none") as agent:
        agent.wait("readinessProbe")
        identifier = docker("inspect", "--format", "{{.Id}}", agent.name)
        assert re.search(rf'kepler_container_cpu_joules_total{{.*container_id="{identifier}"', metrics(agent)), agent.log
        source = re.search("processor time of processes: ([a-z]+)", agent.log)
        assert source[1] == ("ebpf" if Path("/sys/kernel/btf/vmlinux").exists() else "clock"), agent.log


def test_without_the_capability_the_counter_cannot_be_read(image, host, tmp_path):
    """So that the test above shows what the capability is for."""
    rendered = Rendered()
    container = {**rendered.container, "securityContext": {"capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}}
    with started(image, rendered.agent, container, volumes(rendered, tmp_path, host), "--network=none") as agent:
        agent.wait("readinessProbe")
        assert 'source="powercap",method="measured"' not in metrics(agent)


@pytest.mark.parametrize("mounts", [True, False], ids=["with the host's folders", "without"])
def test_the_restricted_profile_estimates_as_a_user_without_privileges(image, host, tmp_path, mounts):
    rendered = Rendered({"profile": "restricted", "daemonset": {"hostMounts": mounts}})
    files = volumes(rendered, tmp_path, host)
    with started(image, rendered.agent, rendered.container, files, "--network=none") as agent:
        agent.wait("readinessProbe")
        text = metrics(agent)
        assert 'method="estimated"' in text
        assert ('comm="dockerd"' in text) == mounts
        seconds, status = agent.terminate()
        assert status == 0, f"after {seconds:.2f} s"


def test_manifests_of_go_kepler_run_with_this_image(image, host, tmp_path):
    rendered = Rendered(yaml.safe_load((VALUES / "go-kepler.yaml").read_text()))
    with started(image, rendered.agent, rendered.container, volumes(rendered, tmp_path, host), "--network=none") as agent:
        agent.wait("livenessProbe")
        assert "kepler_node_cpu_joules_total" in metrics(agent)
        assert agent.terminate()[1] == 0


def test_pods_are_named_by_a_kubelet_and_the_hub_finds_the_agent_by_its_service(image, host, tmp_path):
    """As in a cluster: the service account, the kubelet at the node's address, the API server, and the recorded processes."""
    # What the recorded processes use is in files: there are none that the kernel could tell of.
    rendered = Rendered({"hub": {"enabled": True}, "extraEnv": [{"name": "KEPLER_USAGE", "value": "procfs"}]})
    pod = rendered.one("Deployment", "carbon-mcp-server")["spec"]["template"]["spec"]
    account = (f"--volume={kubernetes.account(tmp_path)}:/var/run/secrets/kubernetes.io/serviceaccount:ro", *kubernetes.ENVIRONMENT)
    standards = tmp_path / "standards"
    standards.mkdir()
    with started(image, pod, pod["containers"][0], {"standards": standards}, "--network=none", *account) as hub, kubernetes.served(hub.state["Pid"], tmp_path):
        hub.wait("startupProbe")
        files = {**volumes(rendered, tmp_path, host), "procfs": kubernetes.processes(tmp_path)}
        with started(image, rendered.agent, rendered.container, files, f"--network=container:{hub.name}", *account) as agent:
            agent.wait("readinessProbe")
            deadline = time.monotonic() + 30
            while 'pod_name="nginx-light-76bcb6cd6b-fdp5j",pod_namespace="workload-test"' not in (text := metrics(agent)):
                assert time.monotonic() < deadline, agent.log
                time.sleep(0.2)
            assert re.search(r'kepler_pod_info\{.*owner_kind="Deployment",owner_name="nginx-light"', text)
            assert 'container_name="redis"' in text and 'container_name="vm"' not in text
            # Typed without any flag; estimates alone are status 1.
            doctor = subprocess.run([DOCKER, "exec", agent.name, "/usr/bin/kepler", "doctor"], capture_output=True, text=True, timeout=60)
            assert re.search(r"Kubernetes, as node node-a; .*--kube.enable only\n  kubelet   usable, lists 13 pods", doctor.stdout), doctor.stdout
            hub.wait("readinessProbe", 40)
            question = (*named("carbon-mcp-server.carbon-mcp.svc"), *"--header Content-Type:application/json --data".split())
            ask = '{"kind": "deployment", "namespace": "workload-test", "window": "1m"}'
            deadline = time.monotonic() + 60
            while True:
                status, body = hub.ask(8080, "/tools/list_workloads_by_compliance", *question, ask)
                if status == 200 and "nginx-light" in body and "stress-cpu" in body:
                    break
                assert time.monotonic() < deadline, (status, body, hub.log)
                time.sleep(0.5)
            assert '"node":"node-a"' in hub.ask(8080, "/api/v1/nodes")[1]
            assert hub.ask(8080, "/tools", *named("evil.example"))[0] in (403, 421)
            exported = hub.ask(8080, "/metrics")[1]
            assert 'kepler_hub_nodes{state="scraped"} 1' in exported and "joules" not in exported
            seconds, status = hub.terminate()
            assert status == 0, f"after {seconds:.2f} s: {hub.log}"


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    """A Secret of type kubernetes.io/tls, as it is mounted for a group."""
    folder = tmp_path_factory.mktemp("tls")
    folder.chmod(0o755)
    subject = ["-subj", "/CN=kepler", "-addext", "subjectAltName=DNS:kepler.kepler.svc"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", folder / "tls.key", "-out", folder / "tls.crt"], check=True, capture_output=True, timeout=60)
    for file in folder.iterdir():
        os.chown(file, 0, 65532)
        file.chmod(0o440)
    return folder


def test_the_agent_serves_by_certificates_and_its_probes_find_it(image, host, tmp_path, secret):
    rendered = Rendered({"tls": {"enabled": True, "secretName": "x", "webConfig": {"tls_server_config": {"min_version": "TLS13"}}}})
    files = {**volumes(rendered, tmp_path, host), "tls": secret}
    with started(image, rendered.agent, rendered.container, files, "--network=none") as agent:
        agent.wait("startupProbe")
        agent.wait("readinessProbe")
        assert agent.ask(28282, "/metrics")[0] in (0, 400)
        assert "kepler_node_cpu_joules_total" in agent.ask(28282, "/metrics", scheme="https")[1]
        assert agent.ask(28282, "/metrics", "--tls-max", "1.2", scheme="https")[0] == 0


def test_a_hub_with_a_token_a_certificate_and_standards_of_its_own_answers_its_users_only(image, tmp_path, secret):
    standard = {"mine.json": (ROOT / "kepler-compliance/data/standards/pue_limit.json").read_text()}
    values = {"enabled": True, "tls": {"secretName": "x"}, "tokenSecret": {"name": "y"}, "standards": {"files": standard}}
    rendered = Rendered({"hub": values})
    pod = rendered.one("Deployment", "carbon-mcp-server")["spec"]["template"]["spec"]
    files = {"tls": secret}
    for volume, text in {
        "web-config": rendered.one("ConfigMap", "carbon-mcp-server")["data"],
        "standards": rendered.one("ConfigMap", "korea-compliance-data")["data"],
        "token": {"token": "open-sesame\n"},
    }.items():
        files[volume] = tmp_path / volume
        files[volume].mkdir()
        for name, content in text.items():
            (files[volume] / name).write_text(content)
    account = (f"--volume={kubernetes.account(tmp_path)}:/var/run/secrets/kubernetes.io/serviceaccount:ro", *kubernetes.ENVIRONMENT)
    with started(image, pod, pod["containers"][0], files, "--network=none", *account) as hub:
        hub.wait("startupProbe")
        hub.wait("livenessProbe")
        assert hub.ask(8080, "/tools", scheme="https")[0] == 401
        assert hub.ask(8080, "/tools", "--header", "Authorization: Bearer open-sesame", scheme="https")[0] == 200
        assert hub.terminate()[1] == 0


def test_the_model_server_answers_with_an_empty_volume(image, tmp_path):
    rendered = Rendered({"modelServer": {"enabled": True}})
    pod = rendered.one("Deployment", "kepler-model-server")["spec"]["template"]["spec"]
    models = tmp_path / "models"
    models.mkdir()
    os.chown(models, 0, 65532)
    models.chmod(0o2775)
    with started(image, pod, pod["containers"][0], {"models": models}, "--network=none") as server:
        server.wait("startupProbe")
        assert server.probe("readinessProbe")
        assert server.ask(8100, "/best-models")[0] == 200
        seconds, status = server.terminate()
        assert status == 0, f"after {seconds:.2f} s: {server.log}"
