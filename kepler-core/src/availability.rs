//! Why something cannot be used on this host, and what would change that: [`Unavailable`] and [`Remedy`].
//!
//! A reason is a sentence; a remedy is data. This crate knows what has to change (a capability, a module, a root),
//! not how a reader changes it: that depends on whether flags, keyword arguments or a configuration form is
//! at hand. So each frontend renders remedies in its own words, and can act on them without reading sentences.
//!
//! ```
//! use kepler_core::availability::{Capability, Remedy, Unavailable};
//!
//! let unavailable = Unavailable::new("perf", "perf_event_open is denied", Remedy::grant([Capability::Perfmon]));
//! assert!(unavailable.remedy.is_permission());
//! assert_eq!(unavailable.to_string(), "perf: perf_event_open is denied; grant CAP_PERFMON");
//! ```

use std::fmt;
use std::path::PathBuf;

/// Why a meter or another source of figures cannot be used here, and what would change that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[error("{source_name}: {reason}{}", Clause(remedy))]
#[non_exhaustive]
pub struct Unavailable {
    /// The source, by its fixed name: `powercap`, `ebpf`, …
    pub source_name: &'static str,
    /// What is missing.
    pub reason: String,
    /// What would change that.
    pub remedy: Remedy,
}

impl Unavailable {
    /// The source called `source_name` cannot be used.
    #[must_use]
    pub fn new(source_name: &'static str, reason: impl Into<String>, remedy: Remedy) -> Self {
        Unavailable { source_name, reason: reason.into(), remedy }
    }
}

/// What would make a source usable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "kind", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Remedy {
    /// Nothing can or needs to be done.
    None,
    /// Grant the process these capabilities, all of them.
    GrantCapability {
        /// Which.
        capabilities: Vec<Capability>,
    },
    /// Allow the process to read a file that only its owner may read: as that user, by a capability, or through a group.
    MakeReadable {
        /// The file.
        path: PathBuf,
    },
    /// Allow system calls that a seccomp profile or a security module denies.
    AllowSystemCall {
        /// Their names.
        calls: Vec<&'static str>,
    },
    /// Change a kernel parameter.
    SetKernelParameter {
        /// Its name, as of sysctl(8).
        name: &'static str,
        /// The value it needs.
        value: &'static str,
    },
    /// Raise a resource limit of the process.
    RaiseLimit {
        /// Which.
        limit: ResourceLimit,
    },
    /// Mount a kernel interface of the host, and set its path.
    MountRoot {
        /// Which interface.
        root: Root,
    },
    /// Share the host's PID namespace.
    SharePidNamespace,
    /// Run the process in a group: the one that a procfs mounted with `hidepid` exempts.
    JoinGroup {
        /// Its number.
        group: u32,
    },
    /// Load kernel modules, in this order.
    LoadModule {
        /// Their names.
        modules: Vec<&'static str>,
    },
    /// Load kernel modules again: what is loaded is of another version than what uses it.
    ReloadModule {
        /// Their names.
        modules: Vec<&'static str>,
    },
    /// Run a kernel that is built with an option.
    EnableKernelOption {
        /// Its name in the kernel's configuration.
        option: &'static str,
    },
    /// Run a newer kernel.
    UpgradeKernel {
        /// The first release that suffices: `5.8`.
        since: &'static str,
    },
    /// Start the kernel without lockdown in confidentiality mode.
    LiftLockdown,
    /// The firmware or a driver is at fault; the kernel's log says more.
    CheckKernelLog,
    /// A virtual machine cannot see it: measure on its host.
    MeasureOnHost,
    /// The hypervisor hides performance counters from its guest, and can pass them on.
    PassCountersToGuest,
    /// Choose another source of energy figures.
    SelectSource {
        /// Some that may work, by name; empty for the automatic choice.
        sources: Vec<&'static str>,
    },
    /// Choose another source of CPU time.
    SelectUsageSource,
    /// Correct a setting.
    CorrectSetting {
        /// Which.
        setting: Setting,
    },
    /// Use a build with a feature.
    RebuildWithFeature {
        /// Its name.
        feature: &'static str,
    },
    /// Grant the program's Kubernetes service account a rule, in a cluster role that is bound to it.
    GrantClusterRole {
        /// The API group; empty for the core one.
        api_group: &'static str,
        /// The resource, with its subresource: `nodes/pods`.
        resource: &'static str,
        /// What it must be allowed to do with it.
        verbs: Vec<&'static str>,
    },
    /// Make a file or directory of the host visible to the program, read-only.
    MountHostPath {
        /// Its path on the host.
        path: PathBuf,
    },
    /// It is expected to pass; it is tried again.
    Wait,
    /// Start the program again.
    Restart,
    /// Any one of these, the likeliest first.
    AnyOf {
        /// Which.
        remedies: Vec<Remedy>,
    },
}

/// A capability of a Linux process, capabilities(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Capability {
    /// Reads any file.
    DacReadSearch,
    /// Reads model-specific registers.
    SysRawio,
    /// Sees and reads other users' processes.
    SysPtrace,
    /// Opens performance counters of whole processors, and BPF tracing programs.
    Perfmon,
    /// Loads BPF programs.
    Bpf,
    /// Exceeds resource limits; BPF tables count as locked memory before Linux 5.11.
    SysResource,
    /// Most of what root may. Kernels of Debian and Ubuntu ask for it where `kernel.perf_event_paranoid` is above 2.
    SysAdmin,
}

impl Capability {
    /// The kernel's name: `CAP_PERFMON`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Capability::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Capability::SysRawio => "CAP_SYS_RAWIO",
            Capability::SysPtrace => "CAP_SYS_PTRACE",
            Capability::Perfmon => "CAP_PERFMON",
            Capability::Bpf => "CAP_BPF",
            Capability::SysResource => "CAP_SYS_RESOURCE",
            Capability::SysAdmin => "CAP_SYS_ADMIN",
        }
    }
}

/// A root of a [`Host`](crate::host::Host): where a kernel interface is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Root {
    /// proc(5), usually `/proc`.
    Procfs,
    /// sysfs(5), usually `/sys`.
    Sysfs,
    /// cgroups(7), usually `/sys/fs/cgroup`.
    Cgroup,
    /// Model-specific registers, `/dev/cpu`.
    Msr,
}

impl Root {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Root::Procfs => "procfs",
            Root::Sysfs => "sysfs",
            Root::Cgroup => "cgroup hierarchy",
            Root::Msr => "/dev/cpu",
        }
    }
}

/// A resource limit, setrlimit(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ResourceLimit {
    /// `RLIMIT_NOFILE`.
    OpenFiles,
    /// `RLIMIT_MEMLOCK`.
    LockedMemory,
}

/// A setting that has to be made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Setting {
    /// Which power model to use.
    Model,
    /// How many logical CPUs the machine has that the model describes.
    ModelHostThreads,
    /// What the model's features mean.
    ModelSemantics,
    /// The recorded trace to replay.
    Trace,
    /// Which monitoring chips and sensors to use.
    Sensors,
    /// The name of this node in its cluster.
    NodeName,
    /// Where this node's kubelet is.
    KubeletAddress,
    /// How the cluster is reached.
    Kubeconfig,
    /// Where the activity of accelerators' instances is asked for.
    DcgmEndpoint,
    /// Which file is NVIDIA's library.
    NvmlLibrary,
}

impl Remedy {
    /// All of these capabilities.
    #[must_use]
    pub fn grant(capabilities: impl Into<Vec<Capability>>) -> Self {
        Remedy::GrantCapability { capabilities: capabilities.into() }
    }

    /// One of these sources of energy figures.
    #[must_use]
    pub fn select(sources: impl Into<Vec<&'static str>>) -> Self {
        Remedy::SelectSource { sources: sources.into() }
    }

    /// These modules, in this order.
    #[must_use]
    pub fn load(modules: impl Into<Vec<&'static str>>) -> Self {
        Remedy::LoadModule { modules: modules.into() }
    }

    /// Any one of these.
    #[must_use]
    pub fn any(remedies: impl Into<Vec<Remedy>>) -> Self {
        Remedy::AnyOf { remedies: remedies.into() }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_none(&self) -> bool {
        match self {
            Remedy::None => true,
            Remedy::AnyOf { remedies } => remedies.iter().all(Remedy::is_none),
            _ => false,
        }
    }

    /// Whether a right suffices: the source is there, and this process is kept from it. Everything else needs other
    /// hardware, drivers or settings.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        match self {
            Remedy::GrantCapability { .. }
            | Remedy::MakeReadable { .. }
            | Remedy::AllowSystemCall { .. }
            | Remedy::GrantClusterRole { .. } => true,
            Remedy::AnyOf { remedies } => remedies.iter().any(Remedy::is_permission),
            _ => false,
        }
    }
}

/// What has to be done, without saying by which command, flag or argument.
impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remedy::None => f.write_str("nothing can be done"),
            Remedy::GrantCapability { capabilities } => {
                let names: Vec<&str> = capabilities.iter().map(|capability| capability.name()).collect();
                write!(f, "grant {}", names.join(" and "))
            }
            Remedy::MakeReadable { path } => write!(f, "allow this process to read {}", path.display()),
            Remedy::AllowSystemCall { calls } => {
                write!(f, "allow {} in the seccomp profile or security module", calls.join(" and "))
            }
            Remedy::SetKernelParameter { name, value } => write!(f, "set the kernel parameter {name} to {value}"),
            Remedy::RaiseLimit { limit: ResourceLimit::OpenFiles } => f.write_str("raise the limit of open files"),
            Remedy::RaiseLimit { limit: ResourceLimit::LockedMemory } => {
                f.write_str("raise the limit of locked memory")
            }
            Remedy::MountRoot { root } => write!(f, "mount the host's {} and set its path", root.name()),
            Remedy::SharePidNamespace => f.write_str("share the host's PID namespace"),
            Remedy::JoinGroup { group } => write!(f, "run in the group with the number {group}"),
            Remedy::LoadModule { modules } => write!(f, "load the kernel module {}", modules.join(", then ")),
            Remedy::ReloadModule { modules } => write!(f, "load the kernel module {} again", modules.join(", then ")),
            Remedy::EnableKernelOption { option } => write!(f, "use a kernel built with {option}"),
            Remedy::UpgradeKernel { since } => write!(f, "use Linux {since} or newer"),
            Remedy::LiftLockdown => f.write_str("start the kernel without lockdown in confidentiality mode"),
            Remedy::CheckKernelLog => f.write_str("look for the firmware's or driver's fault in the kernel log"),
            Remedy::MeasureOnHost => f.write_str("measure on the host of this virtual machine"),
            Remedy::PassCountersToGuest => f.write_str("let the hypervisor pass performance counters to its guest"),
            Remedy::SelectSource { sources } if sources.is_empty() => {
                f.write_str("select the energy source automatically")
            }
            Remedy::SelectSource { sources } => write!(f, "select the energy source {}", sources.join(" or ")),
            Remedy::SelectUsageSource => f.write_str("select another source of CPU time"),
            Remedy::CorrectSetting { setting } => f.write_str(match setting {
                Setting::Model => "configure another power model",
                Setting::ModelHostThreads => "state how many logical CPUs the model's machine has",
                Setting::ModelSemantics => "state what the model's features mean",
                Setting::Trace => "name a recorded trace",
                Setting::Sensors => "name the monitoring chips or sensors to use",
                Setting::DcgmEndpoint => "state the address of a dcgm-exporter that runs on this node",
                Setting::NvmlLibrary => "name NVIDIA's library for this machine's processor",
                Setting::NodeName => "state the name of this node as the cluster has it",
                Setting::KubeletAddress => "state the address of this node's kubelet",
                Setting::Kubeconfig => "correct the kubeconfig, or run in a pod with a service account",
            }),
            Remedy::RebuildWithFeature { feature } => write!(f, "use a build with the feature `{feature}`"),
            Remedy::GrantClusterRole { api_group, resource, verbs } => {
                let group = if api_group.is_empty() { String::new() } else { format!(" of {api_group}") };
                write!(f, "allow the service account to {} {resource}{group}", verbs.join(" and "))
            }
            Remedy::MountHostPath { path } => write!(f, "mount the host's {} read-only", path.display()),
            Remedy::Wait => f.write_str("it is tried again"),
            Remedy::Restart => f.write_str("start again once that is mended"),
            Remedy::AnyOf { remedies } => {
                for (number, remedy) in remedies.iter().enumerate() {
                    write!(f, "{}{remedy}", if number == 0 { "" } else { ", or " })?;
                }
                Ok(())
            }
        }
    }
}

/// A remedy as the end of a sentence; nothing where there is none.
struct Clause<'a>(&'a Remedy);

impl fmt::Display for Clause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_none() { Ok(()) } else { write!(f, "; {}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_without_a_remedy_promises_none() {
        let unavailable = Unavailable::new("msr", "the counter stands at zero", Remedy::None);
        assert_eq!(unavailable.to_string(), "msr: the counter stands at zero");
    }

    #[test]
    fn alternatives_are_read_in_their_order() {
        let remedy = Remedy::any([Remedy::load(["msr"]), Remedy::MountRoot { root: Root::Msr }]);
        assert_eq!(remedy.to_string(), "load the kernel module msr, or mount the host's /dev/cpu and set its path");
        assert!(!remedy.is_permission() && !remedy.is_none());
    }

    #[test]
    fn a_right_among_alternatives_is_a_permission() {
        let parameter = Remedy::SetKernelParameter { name: "kernel.perf_event_paranoid", value: "0" };
        assert!(Remedy::any([Remedy::grant([Capability::Perfmon]), parameter.clone()]).is_permission());
        assert!(!parameter.is_permission());
    }
}
