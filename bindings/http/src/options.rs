//! Options of the exposition: levels, build, compatibility.

use crate::facility::FacilitySource;
use crate::hub::Hub;
use kepler_core::directory::Directory;
use kepler_core::host::Topology;
use kepler_core::workload::WorkloadKind;
use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

/// What an [`Exporter`](crate::Exporter) exports.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ExportOptions {
    /// The `node_name` label.
    pub node_name: String,
    /// Which levels to export.
    pub levels: Levels,
    /// What `kepler_build_info` says.
    pub build: BuildInfo,
    /// What `kepler_node_cpu_info` says.
    pub topology: Topology,
    /// Older names to export as well.
    pub compat: Option<Compat>,
    /// Whether a workload has one series for all accelerators, as in Kepler. Else it has one for each where there are
    /// several, with the labels `gpu` and `gpu_uuid`.
    pub gpus_summed: bool,
    /// Where pods' names come from, if Kubernetes is asked.
    pub directory: Option<Directory>,
    /// The hub that this exporter is of; none if it is of a node.
    pub hub: Option<Hub>,
    /// What electricity emits and costs here; none exports nothing of it.
    pub facility: Option<FacilitySource>,
}

impl ExportOptions {
    /// These options with a change, as in `ExportOptions::default().with(|options| options.levels = Levels::NODE)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// Who built this program, and from what: the labels of `kepler_build_info`. Unknown ones are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildInfo {
    /// Version of the program.
    pub version: String,
    /// Commit it was built from.
    pub revision: String,
    /// Branch it was built from.
    pub branch: String,
    /// Processor architecture: `x86_64`, `aarch64`.
    pub arch: String,
    /// Version of the compiler.
    pub rustversion: String,
}

impl BuildInfo {
    /// These facts with a change, as in `BuildInfo::default().with(|build| build.version = version)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// Other names, beside the current ones, for dashboards that ask for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compat {
    /// Kepler 0.7: `kepler_container_joules_total`, `kepler_node_package_joules_total`, …
    Kepler07,
    /// By RAPL's own zones: `kepler_node_package_energy_joule{zone="package-0"}`, `kepler_pod_memory_watts`, …
    RaplNames,
}

impl FromStr for Compat {
    type Err = UnknownCompat;

    /// Reads `kepler-0.7` or `rapl-names`.
    fn from_str(name: &str) -> Result<Self, UnknownCompat> {
        match name {
            "kepler-0.7" => Ok(Compat::Kepler07),
            "rapl-names" => Ok(Compat::RaplNames),
            _ => Err(UnknownCompat(name.to_owned())),
        }
    }
}

/// A compatibility mode that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown compatibility mode {0:?}; use kepler-0.7 or rapl-names")]
pub struct UnknownCompat(String);

/// A set of levels: the node and the kinds of workloads that are exported.
///
/// ```
/// use kepler_http::Levels;
///
/// let some = "node".parse::<Levels>()? | "pod".parse()?;
/// assert!(some.contains(Levels::POD) && !some.contains(Levels::PROCESS));
/// assert_eq!(some.to_string(), "node,pod");
/// # Ok::<(), kepler_http::UnknownLevel>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Levels(u8);

impl Levels {
    /// No level.
    pub const NONE: Levels = Levels(0);
    /// The node and its processors.
    pub const NODE: Levels = Levels(1);
    /// Processes.
    pub const PROCESS: Levels = Levels(1 << 1);
    /// Containers.
    pub const CONTAINER: Levels = Levels(1 << 2);
    /// Virtual machines.
    pub const VM: Levels = Levels(1 << 3);
    /// Kubernetes pods.
    pub const POD: Levels = Levels(1 << 4);
    /// Systemd units and slices.
    pub const UNIT: Levels = Levels(1 << 5);
    /// Jobs of batch schedulers.
    pub const JOB: Levels = Levels(1 << 6);
    /// Every level.
    pub const ALL: Levels = Levels((1 << 7) - 1);

    /// Each level by its name in settings.
    pub const NAMED: [(&'static str, Levels); 7] = [
        ("node", Levels::NODE),
        ("process", Levels::PROCESS),
        ("container", Levels::CONTAINER),
        ("vm", Levels::VM),
        ("pod", Levels::POD),
        ("unit", Levels::UNIT),
        ("job", Levels::JOB),
    ];

    /// The level that workloads of a kind belong to. Commands are shown with processes; a kind without series of its
    /// own has no level.
    #[must_use]
    pub const fn of(kind: WorkloadKind) -> Levels {
        match kind {
            WorkloadKind::Process | WorkloadKind::Command => Levels::PROCESS,
            WorkloadKind::Container => Levels::CONTAINER,
            WorkloadKind::Vm => Levels::VM,
            WorkloadKind::Pod => Levels::POD,
            WorkloadKind::Unit => Levels::UNIT,
            WorkloadKind::Job => Levels::JOB,
            _ => Levels::NONE,
        }
    }

    /// Whether all of `other` are in this set.
    #[must_use]
    pub const fn contains(self, other: Levels) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Default for Levels {
    fn default() -> Self {
        Levels::ALL
    }
}

impl BitOr for Levels {
    type Output = Levels;
    fn bitor(self, other: Levels) -> Levels {
        Levels(self.0 | other.0)
    }
}

impl FromIterator<Levels> for Levels {
    fn from_iter<I: IntoIterator<Item = Levels>>(levels: I) -> Self {
        levels.into_iter().fold(Levels::NONE, BitOr::bitor)
    }
}

impl FromStr for Levels {
    type Err = UnknownLevel;

    /// Reads the name of one level: `node`, `process`, `container`, `vm`, `pod`, `unit`, `job`.
    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        Levels::NAMED
            .into_iter()
            .find_map(|(known, level)| known.eq_ignore_ascii_case(name).then_some(level))
            .ok_or_else(|| UnknownLevel(name.to_owned()))
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, level) in Levels::NAMED {
            if self.contains(level) {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Levels({self})")
    }
}

/// A level that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown metrics level {0:?}; use node, process, container, vm, pod, unit or job")]
pub struct UnknownLevel(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_reads_back_from_its_name() {
        for (name, level) in Levels::NAMED {
            assert_eq!(name.parse(), Ok(level));
            assert_eq!(level.to_string(), name);
        }
        assert_eq!(Levels::NAMED.into_iter().map(|(_, level)| level).collect::<Levels>(), Levels::ALL);
    }

    #[test]
    fn an_unknown_level_is_refused_with_the_known_ones() {
        let error = "socket".parse::<Levels>().unwrap_err().to_string();
        assert!(error.contains("socket") && error.contains("unit"), "{error}");
        assert!("kepler-0.8".parse::<Compat>().is_err());
    }
}
