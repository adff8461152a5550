#!/usr/bin/env python3
"""An OCI runtime: runc, with the capabilities that a pod asks for.

Docker 20.10, which Debian 12 has, does not know CAP_BPF and CAP_PERFMON, and its seccomp profile refuses the system calls that go
with them; the runtimes of Kubernetes do not. And where these tests run in a container themselves, a privileged one gets what there is.
"""

import json
import os
import sys

VARIABLE = "POD_CAPABILITIES="
# What the default profile of current containerd allows to who has the capability.
ALLOWED_WITH = {"CAP_BPF": ["bpf"], "CAP_PERFMON": ["perf_event_open"]}
# linux/capability.h
NUMBERS = {"CAP_SYS_RESOURCE": 24}


def held() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith("CapBnd"))


def adapt(config: dict) -> None:
    process = config["process"]
    asked = [variable.removeprefix(VARIABLE).split(",") for variable in process["env"] if variable.startswith(VARIABLE)]
    process["env"] = [variable for variable in process["env"] if not variable.startswith(VARIABLE)]
    added = [f"CAP_{name}" for names in asked for name in names if name]
    there = held()
    for names in process["capabilities"].values():
        names += [name for name in added if name not in names]
        names[:] = [name for name in names if name not in NUMBERS or there >> NUMBERS[name] & 1]
    calls = [call for name in added for call in ALLOWED_WITH.get(name, [])]
    if calls and "seccomp" in config["linux"]:
        config["linux"]["seccomp"]["syscalls"].append({"names": calls, "action": "SCMP_ACT_ALLOW"})


if __name__ == "__main__":
    if "create" in sys.argv:
        path = os.path.join(sys.argv[sys.argv.index("--bundle") + 1], "config.json")
        with open(path) as file:
            content = json.load(file)
        adapt(content)
        with open(path, "w") as file:
            json.dump(content, file)
    os.execvp("runc", ["runc", *sys.argv[1:]])
