//! What Kubernetes says of pods and containers beside their names.

use std::fmt;

/// Which kind of container of a pod it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum ContainerKind {
    /// One of `spec.containers`.
    Regular,
    /// An init container: it ends before the regular ones start.
    Init,
    /// An init container with `restartPolicy: Always`: it runs beside the regular ones.
    Sidecar,
    /// An ephemeral container, added to a running pod for debugging.
    Ephemeral,
}

impl ContainerKind {
    /// Its name in answers: `regular`, `init`, `sidecar`, `ephemeral`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ContainerKind::Regular => "regular",
            ContainerKind::Init => "init",
            ContainerKind::Sidecar => "sidecar",
            ContainerKind::Ephemeral => "ephemeral",
        }
    }
}

impl fmt::Display for ContainerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The controller of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PodOwner {
    /// Its kind as Kubernetes writes it: `Deployment`, `StatefulSet`, `DaemonSet`, `Job`, `CronJob`, `ReplicaSet`, or
    /// that of a foreign controller.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl PodOwner {
    /// A controller.
    #[must_use]
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        PodOwner { kind: kind.into(), name: name.into() }
    }
}

/// What the names of annotations and labels begin with by which a pod, or the namespace around it, chooses how its energy
/// is judged and shown: `kepler.energy/standard`.
pub const ENERGY_PREFIX: &str = "kepler.energy/";

/// An annotation or label `kepler.energy/…`, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct EnergyAnnotation {
    /// Its name without the prefix: `standard`.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether it is a label.
    pub is_label: bool,
}

impl EnergyAnnotation {
    /// An annotation, or a label, of a name without the prefix.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>, is_label: bool) -> Self {
        EnergyAnnotation { name: name.into(), value: value.into(), is_label }
    }
}

/// What a pod or container asked for and may use at most. `None` is not set, or not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ResourceAmounts {
    /// Requested processors, in thousandths of one (`500m` is 500).
    pub cpu_request_millicores: Option<u64>,
    /// Limit of processors, in thousandths of one.
    pub cpu_limit_millicores: Option<u64>,
    /// Requested memory, bytes.
    pub memory_request_bytes: Option<u64>,
    /// Limit of memory, bytes.
    pub memory_limit_bytes: Option<u64>,
}

impl ResourceAmounts {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == ResourceAmounts::default()
    }
}
