"""An agent in a cgroup namespace of its own, as containers on cgroup version 2 have one: paths are relative to it."""

import contextlib
import os
import time

import pytest

from linux import cgroup_seconds
from workloads import SHORT_LIVED, cgroup, running

AGENT, WEB = "a1" * 32, "b2" * 32
AGENTS_POD, WEBS_POD = "0b2f3a4c-1d2e-4f5a-8b6c-7d8e9f0a1b2c", "5c754c61-ac2a-41a1-abe4-b39b88f1e6e2"

# Goes into the cgroup $0 of each hierarchy, and takes that as the root of its namespace.
ENTER = """
for folder in /sys/fs/cgroup/"$0" /sys/fs/cgroup/*/"$0"; do
    if [ -d "$folder" ]; then echo $$ > "$folder/cgroup.procs"; fi
done
exec unshare --cgroup "$@"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="it makes a cgroup namespace")
def test_pods_are_charged_for_what_their_cgroups_used(kepler, figure):
    agent, web = f"kubepods/burstable/pod{AGENTS_POD}/{AGENT}", f"kubepods/besteffort/pod{WEBS_POD}/{WEB}"
    with contextlib.ExitStack() as stack:
        enter_agents, enter = stack.enter_context(cgroup(agent)), stack.enter_context(cgroup(web))
        if enter_agents is None or enter is None:
            pytest.skip("no cgroup can be made here")
        load = stack.enter_context(running(["sh", "-c", SHORT_LIVED]))
        enter(load.pid)
        server = kepler("--monitor.interval=1s", "--usage=clock", prefix=("sh", "-c", ENTER, agent))
        stack.callback(server.kill)
        server.scrape_when(lambda scrape: scrape.select("kepler_container_cpu_seconds_total", container_id=WEB), "the pod")

        def used() -> tuple[float, float]:
            scrape, seconds = server.scrape_beside(lambda: cgroup_seconds(load.pid))
            return scrape.sum("kepler_container_cpu_seconds_total", container_id=WEB, pod_id=WEBS_POD), seconds

        start = used()
        time.sleep(6)
        shown, seconds = (end - begin for begin, end in zip(start, used(), strict=True))
        own = server.scrape().select("kepler_container_cpu_seconds_total", container_id=AGENT, pod_id=AGENTS_POD)
    figure(f"processes of some 20 ms in a pod: {shown:.2f} s of {seconds:.2f} s of CPU time")
    assert seconds > 0.3, "the load runs"
    # The kernel's account is read up to 0.2 s after the measurement.
    assert shown == pytest.approx(seconds, rel=0.1, abs=0.25)
    assert own, "the agent knows its own pod"
