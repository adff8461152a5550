//! One workload of a snapshot, in the type of its kind and in the form that all kinds share.

use super::DeviceUse;
use crate::units::{Energy, PerZone, Power};
use crate::workload::{Attributes, Identity, Parents, PodOwner, ResourceAmounts, Workload, WorkloadKind};
use std::sync::Arc;
use std::time::Duration;

/// One workload with its totals.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Row<Info> {
    /// Who it is.
    pub info: Arc<Info>,
    /// Running or terminated.
    pub state: State,
    /// CPU time used since it started (groups: since they were first seen).
    pub cpu_time: Duration,
    /// Active energy attributed to it since the sampler's start, by zone.
    pub energy: PerZone<Energy>,
    /// The same as mean power over the last interval; zero once terminated.
    pub power: PerZone<Power>,
    /// What [`ZoneKind::Gpu`](crate::units::ZoneKind::Gpu) consists of, for those that used an accelerator.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub devices: Vec<DeviceUse>,
}

impl<Info> Row<Info> {
    /// A workload that has used nothing yet. The fields are public, to be filled in.
    #[must_use]
    pub fn new(info: impl Into<Arc<Info>>, state: State) -> Self {
        Row {
            info: info.into(),
            state,
            cpu_time: Duration::ZERO,
            energy: PerZone::default(),
            power: PerZone::default(),
            devices: Vec::new(),
        }
    }
}

impl<Info: Workload> Row<Info> {
    /// The same in the form that all kinds share.
    #[must_use]
    pub fn shared(&self) -> AnyRow<'_> {
        let Row { info, state, cpu_time, energy, power, devices } = self;
        AnyRow { info: &**info, state: *state, cpu_time: *cpu_time, energy, power, devices }
    }
}

/// A workload of any kind with its totals, borrowed from a snapshot.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AnyRow<'a> {
    /// Who it is.
    pub info: &'a dyn Workload,
    /// Running or terminated.
    pub state: State,
    /// CPU time used since it started (groups: since they were first seen).
    pub cpu_time: Duration,
    /// Active energy attributed to it since the sampler's start, by zone.
    pub energy: &'a PerZone<Energy>,
    /// The same as mean power over the last interval; zero once terminated.
    pub power: &'a PerZone<Power>,
    /// What [`ZoneKind::Gpu`](crate::units::ZoneKind::Gpu) consists of, for those that used an accelerator.
    pub devices: &'a [DeviceUse],
}

impl<'a> AnyRow<'a> {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> WorkloadKind {
        self.info.kind()
    }

    /// What no other workload of its kind has.
    #[must_use]
    pub fn identity(&self) -> Identity<'a> {
        self.info.identity()
    }

    /// What people call it; empty where that is not known.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.info.name()
    }

    /// The Kubernetes namespace of the pod that it is or runs in, where that is known.
    #[must_use]
    pub fn namespace(&self) -> Option<&'a str> {
        self.info.namespace()
    }

    /// What it belongs to.
    #[must_use]
    pub fn parents(&self) -> Parents<'a> {
        self.info.parents()
    }

    /// The controller of a pod, where that is known.
    #[must_use]
    pub fn owner(&self) -> Option<&'a PodOwner> {
        self.info.owner()
    }

    /// What a pod or container asked Kubernetes for.
    #[must_use]
    pub fn resources(&self) -> ResourceAmounts {
        self.info.resources()
    }

    /// What is known of it: labels, fields, columns.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        self.info.attributes()
    }
}

/// The rows of one kind, whichever that is.
pub(super) trait List {
    fn len(&self) -> usize;
    fn row(&self, index: usize) -> Option<AnyRow<'_>>;
}

impl<Info: Workload> List for Vec<Row<Info>> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn row(&self, index: usize) -> Option<AnyRow<'_>> {
        self.get(index).map(Row::shared)
    }
}

/// Whether a workload is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum State {
    /// Alive at the last tick.
    Running,
    /// Gone; kept for a fixed time.
    Terminated,
}

impl State {
    /// `running` or `terminated`, the `state` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Terminated => "terminated",
        }
    }
}
