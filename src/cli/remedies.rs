//! Remedies in the words of the command line: flags, commands, manifests.

use kepler_core::availability::{Capability, Remedy, ResourceLimit, Root, Setting, Unavailable};

/// A source, why it cannot be used, and what to do, on one line.
pub(super) fn line(unavailable: &Unavailable) -> String {
    format!("{}: {}; {}", unavailable.source_name, unavailable.reason, text(&unavailable.remedy))
}

/// What to do, as exactly as it can be said.
pub(super) fn text(remedy: &Remedy) -> String {
    match remedy {
        Remedy::None => "none".to_owned(),
        Remedy::GrantCapability { capabilities } => grant(capabilities),
        Remedy::MakeReadable { path } if !path.components().any(|part| part.as_os_str() == "powercap") => {
            format!("run as root, or let the user that runs kepler read {}", path.display())
        }
        Remedy::MakeReadable { path } => format!(
            "run as root, or grant CAP_DAC_READ_SEARCH, or open the files to a group with a udev rule: \
             SUBSYSTEM==\"powercap\", ACTION==\"add\", RUN+=\"/bin/chgrp -R power /sys%p\", \
             RUN+=\"/bin/chmod -R g=u /sys%p\" ({} is readable by its owner only)",
            path.display()
        ),
        Remedy::AllowSystemCall { calls } => format!(
            "allow {} in the container's seccomp profile (Docker's default profile does with cap_add: [BPF, PERFMON] since \
             23.0) and in the security module",
            calls.join(" and ")
        ),
        Remedy::SetKernelParameter { name, value } => format!("set `sysctl {name}={value}`"),
        Remedy::RaiseLimit { limit: ResourceLimit::LockedMemory } => {
            "before Linux 5.11 raise the limit of locked memory (LimitMEMLOCK=16M) or grant CAP_SYS_RESOURCE".to_owned()
        }
        Remedy::RaiseLimit { .. } => "raise the limit of open files (`ulimit -n`, LimitNOFILE=)".to_owned(),
        Remedy::MountRoot { root } => mount(*root),
        Remedy::SharePidNamespace => "share the host's PID namespace (hostPID: true; Docker: pid: host)".to_owned(),
        Remedy::JoinGroup { group } => format!(
            "run in the group with the number {group} (systemd: SupplementaryGroups={group}; Docker: group_add: [{group}]; \
             Kubernetes: supplementalGroups: [{group}])"
        ),
        Remedy::LoadModule { modules } => {
            let commands: Vec<String> = modules.iter().map(|module| format!("modprobe {module}")).collect();
            format!("load the driver: `{}`", commands.join(" && "))
        }
        Remedy::ReloadModule { modules } => {
            let names = modules.join(" ");
            format!("restart the machine, or load the driver again: `modprobe -r {names} && modprobe {names}`")
        }
        Remedy::EnableKernelOption { option } => format!("use a kernel built with {option}=y"),
        Remedy::UpgradeKernel { since } => {
            format!("use Linux {since} or newer; if this is one, please report the message with `uname -a`")
        }
        Remedy::LiftLockdown => "start the kernel with lockdown=integrity, or without lockdown".to_owned(),
        Remedy::CheckKernelLog => "look in the kernel log (`dmesg`): firmware or driver are at fault".to_owned(),
        Remedy::MeasureOnHost => {
            "hypervisors keep energy counters to themselves: run kepler on the host, or accept the estimate".to_owned()
        }
        Remedy::PassCountersToGuest => {
            "let the hypervisor pass performance counters on (QEMU: `-cpu host,pmu=on`)".to_owned()
        }
        Remedy::SelectSource { sources } if sources.is_empty() => "use --meter=auto".to_owned(),
        Remedy::SelectSource { sources } => {
            let flags: Vec<String> = sources.iter().map(|source| format!("--meter={source}")).collect();
            format!("use {}", flags.join(" or "))
        }
        Remedy::SelectUsageSource => "use --usage=auto".to_owned(),
        Remedy::CorrectSetting { setting } => setting_text(*setting).to_owned(),
        Remedy::RebuildWithFeature { feature } => format!("build kepler with the feature `{feature}`"),
        Remedy::GrantClusterRole { api_group, resource, verbs } => cluster_role(api_group, resource, verbs),
        Remedy::MountHostPath { path } => {
            let path = path.display();
            format!("in a pod mount the host's {path} read-only at the same path (hostPath: {{path: {path}}})")
        }
        Remedy::Restart => "start kepler again once that is mended".to_owned(),
        Remedy::AnyOf { remedies } => remedies.iter().map(text).collect::<Vec<_>>().join("; or "),
        other => other.to_string(),
    }
}

/// A rule as a manifest has it, and the command that makes it.
fn cluster_role(api_group: &str, resource: &str, verbs: &[&str]) -> String {
    let list = verbs.join(", ");
    let rule = format!("{{apiGroups: [\"{api_group}\"], resources: [\"{resource}\"], verbs: [{list}]}}");
    let older = match resource {
        "nodes/pods" => "; kubelets before 1.33 know `nodes/proxy` only, which also runs commands in every container",
        "nodes/proxy" => ", which also runs commands in every container (in the chart rbac.nodesProxy: true)",
        "pods" => " (in the chart config.kube.podInformer.mode: apiserver)",
        _ => "",
    };
    format!("add the rule {rule} to a ClusterRole that is bound to the service account{older}")
}

fn grant(capabilities: &[Capability]) -> String {
    let names: Vec<&str> = capabilities.iter().map(|capability| capability.name()).collect();
    let short: Vec<&str> = names.iter().map(|name| name.trim_start_matches("CAP_")).collect();
    format!(
        "run as root, or grant {} (systemd: AmbientCapabilities={}; Kubernetes: capabilities: {{add: [{}]}}; \
         `setcap {}=ep`)",
        names.join(" and "),
        names.join(" "),
        short.join(", "),
        names.join(",").to_lowercase()
    )
}

fn mount(root: Root) -> String {
    match root {
        Root::Procfs => "in a container mount the host's /proc and pass its path with --host.procfs".to_owned(),
        Root::Sysfs => "in a container mount the host's /sys and pass its path with --host.sysfs".to_owned(),
        Root::Cgroup => {
            "in a container mount the host's /sys and pass its path with --host.sysfs, or share the host's cgroup namespace \
             (Docker: cgroup: host)"
                .to_owned()
        }
        Root::Msr => "in a container pass the host's /dev/cpu".to_owned(),
        other => format!("in a container mount the host's {}", other.name()),
    }
}

fn setting_text(setting: Setting) -> &'static str {
    match setting {
        Setting::Model => "name another model with --model.path or --model.url",
        Setting::ModelHostThreads => {
            "state it with --model.host-threads, or name a model in its pipeline's directory with --model.path"
        }
        Setting::ModelSemantics => "state what its features mean with --model.semantics",
        Setting::Trace => "name a recorded trace with --meter=replay=FILE",
        Setting::DcgmEndpoint => "state the address of this node's dcgm-exporter with --experimental.gpu.dcgm-endpoint",
        Setting::NvmlLibrary => {
            "name NVIDIA's libnvidia-ml.so.1 for this machine's processor with --experimental.gpu.nvml-library, or leave that out"
        }
        Setting::NodeName => "state this node's name in the cluster with --kube.node-name, or in NODE_NAME",
        Setting::KubeletAddress => {
            "state the kubelet's address with --kube.kubelet-address, or status.hostIP in HOST_IP"
        }
        Setting::Kubeconfig => "name a kubeconfig with --kube.config, or run in a pod with a service account",
        Setting::Sensors => "name a sensor with --experimental.hwmon.zones, or a chip in experimental.hwmon.chipRules",
        _ => "correct the setting",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// One of each kind, with each of its variants.
    fn all() -> Vec<Remedy> {
        use Capability::{Bpf, DacReadSearch, Perfmon, SysAdmin, SysPtrace, SysRawio, SysResource};
        let mut all = vec![
            Remedy::None,
            Remedy::grant([DacReadSearch, SysRawio, SysPtrace, Perfmon, Bpf, SysResource, SysAdmin]),
            Remedy::MakeReadable { path: "/sys/class/powercap/intel-rapl:0/energy_uj".into() },
            Remedy::AllowSystemCall { calls: vec!["bpf", "perf_event_open"] },
            Remedy::SetKernelParameter { name: "kernel.perf_event_paranoid", value: "0" },
            Remedy::RaiseLimit { limit: ResourceLimit::OpenFiles },
            Remedy::RaiseLimit { limit: ResourceLimit::LockedMemory },
            Remedy::SharePidNamespace,
            Remedy::JoinGroup { group: 987 },
            Remedy::load(["intel_rapl_common", "intel_rapl_msr"]),
            Remedy::ReloadModule { modules: vec!["nvidia"] },
            Remedy::MakeReadable { path: "/dev/nvidiactl".into() },
            Remedy::EnableKernelOption { option: "CONFIG_DEBUG_INFO_BTF" },
            Remedy::UpgradeKernel { since: "5.8" },
            Remedy::LiftLockdown,
            Remedy::CheckKernelLog,
            Remedy::MeasureOnHost,
            Remedy::PassCountersToGuest,
            Remedy::select([]),
            Remedy::select(["powercap", "msr", "perf", "hwmon", "model"]),
            Remedy::SelectUsageSource,
            Remedy::RebuildWithFeature { feature: "perf" },
            Remedy::Restart,
            Remedy::Wait,
            Remedy::GrantClusterRole { api_group: "", resource: "nodes/pods", verbs: vec!["get"] },
            Remedy::MountHostPath { path: "/var/lib/kubelet/pki/kubelet.crt".into() },
        ];
        all.extend([Root::Procfs, Root::Sysfs, Root::Cgroup, Root::Msr].map(|root| Remedy::MountRoot { root }));
        use Setting::{
            DcgmEndpoint, Kubeconfig, KubeletAddress, Model, ModelHostThreads, ModelSemantics, NodeName, NvmlLibrary,
            Sensors, Trace,
        };
        let of_models = [Model, ModelHostThreads, ModelSemantics, Trace, Sensors];
        let of_nodes = [NodeName, KubeletAddress, Kubeconfig, DcgmEndpoint, NvmlLibrary];
        all.extend([of_models, of_nodes].concat().into_iter().map(|setting| Remedy::CorrectSetting { setting }));
        let alternatives = Remedy::any(all.clone());
        all.push(alternatives);
        all
    }

    /// `--host.sysfs` and `--meter=auto` of a text, without what they are given.
    fn flags(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
        text.split(|c: char| c.is_whitespace() || ",;()`".contains(c)).filter_map(|word| {
            let flag = word.strip_prefix("--")?;
            Some(flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value))))
        })
    }

    #[test]
    fn every_flag_that_a_remedy_names_is_accepted() {
        let command = super::super::Cli::command();
        let serve = command.get_subcommands().find(|command| command.get_name() == "serve").unwrap();
        let mut checked = 0;
        for remedy in all() {
            let text = text(&remedy);
            for (flag, value) in flags(&text) {
                let known = serve.get_arguments().any(|argument| argument.get_long() == Some(flag));
                assert!(known, "--{flag} in `{text}`");
                if let Some(value) = value {
                    let value = value.replace("FILE", "/tmp/trace");
                    let arguments = ["kepler".to_owned(), "serve".to_owned(), format!("--{flag}={value}")];
                    super::super::Cli::command().try_get_matches_from(arguments).unwrap();
                }
                checked += 1;
            }
        }
        assert!(checked > 10, "{checked}");
    }

    #[test]
    fn no_remedy_is_left_in_the_librarys_words_or_without_any() {
        for remedy in all() {
            let text = text(&remedy);
            assert!(!text.is_empty() && !text.contains("set its path"), "{remedy:?}: {text}");
        }
        assert!(text(&Remedy::MountRoot { root: Root::Sysfs }).contains("--host.sysfs"));
    }
}
