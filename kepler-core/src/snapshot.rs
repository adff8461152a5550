//! What is known at one moment: an immutable picture, cheap to share.

use crate::attribution::{IdlePolicy, Weight};
use crate::counter::CounterEvents;
use crate::host::Timestamp;
use crate::meter::Method;
use crate::units::{Energy, PerZone, Power, ZoneKind};
use crate::usage::Activity;
use crate::workload::{CommandInfo, ContainerInfo, PodInfo, ProcessInfo, UnitInfo, VmInfo};
use std::sync::Arc;
use std::time::Duration;

/// The state of the node and of all its workloads at one moment.
///
/// Totals count from the start of the sampler and never fall. For each zone, always, exactly:
/// `energy = idle + unattributed + short-lived + forgotten + Σ processes`, see [`NodeZone`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Snapshot {
    /// Rises by one with each tick, from 1. Two answers with the same number saw the same state.
    pub sequence: u64,
    /// When the figures were read.
    pub at: Timestamp,
    /// Time since the tick before; zero for the first one. Power is the mean over this interval.
    pub interval: Duration,
    /// The node itself.
    pub node: Node,
    /// Processes: those alive by pid, then the terminated ones that are still remembered.
    pub processes: Vec<Row<ProcessInfo>>,
    /// Containers, running and terminated.
    pub containers: Vec<Row<ContainerInfo>>,
    /// Pods, running and terminated.
    pub pods: Vec<Row<PodInfo>>,
    /// Virtual machines, running and terminated.
    pub vms: Vec<Row<VmInfo>>,
    /// Systemd units and slices, running and terminated.
    pub units: Vec<Row<UnitInfo>>,
    /// Processes that are not listed, by name and container or unit: those that came and went between two ticks,
    /// which eBPF alone sees, and those that ended with less energy than
    /// [`Retention::min_energy`](crate::sampler::Retention::min_energy). 1,000 sums at most, for as long as they have
    /// grown in the last [`Retention::keep`](crate::sampler::Retention::keep).
    pub commands: Vec<Row<CommandInfo>>,
    /// Faults so far, never silent.
    pub faults: Vec<Fault>,
    /// How often estimates deserved a warning so far: `outside_range`, `drift`, `clipped`. See [`EstimateWarnings`](crate::meter::EstimateWarnings).
    pub estimate_warnings: Vec<Fault>,
    /// Which sources delivered, and when last.
    pub sources: Vec<SourceHealth>,
    /// What this library cost so far.
    pub cost: Cost,
}

/// The node's energy.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Node {
    /// Each zone that has ever delivered; `None` for those without a source.
    pub zones: PerZone<Option<NodeZone>>,
    /// Busy share of all processors over the interval, 0 … 1.
    pub usage_ratio: f64,
    /// Online logical processors.
    pub processors: u32,
    /// What the processors did over the interval: the features of power models.
    pub activity: Activity,
    /// By what each zone's active energy was divided in the last interval in which there was any; `None`
    /// for zones without a source.
    pub weights: PerZone<Option<Weight>>,
}

impl Node {
    /// The zones present, in the order of [`ZoneKind::ALL`].
    pub fn zones(&self) -> impl Iterator<Item = (ZoneKind, &NodeZone)> {
        self.zones.iter().filter_map(|(kind, zone)| zone.as_ref().map(|zone| (kind, zone)))
    }
}

/// One kind of zone, summed over sockets.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NodeZone {
    /// The zone's own path if it is one physical zone, else `aggregated-<zone>`.
    pub path: Arc<str>,
    /// The meter it comes from now.
    pub source: &'static str,
    /// Measured or estimated.
    pub method: Method,
    /// Measured (or estimated) energy since the start: `active + idle`.
    pub energy: Energy,
    /// The part caused by work.
    pub active_energy: Energy,
    /// The part that an idle machine draws all the same.
    pub idle_energy: Energy,
    /// The part of `active_energy` that no live or accounted workload explains.
    pub unattributed_energy: Energy,
    /// The part of `active_energy` of processes that came and went between two ticks. It is contained in the
    /// energy of the container, pod or unit that they ran in, and so far as they are known by name (eBPF) in
    /// that of [`Snapshot::commands`].
    pub short_lived_energy: Energy,
    /// The part of `active_energy` of processes that have ended and are no longer listed. That of the small ones is
    /// contained in [`Snapshot::commands`].
    pub forgotten_energy: Energy,
    /// How idle was told from active in this interval: [`IdlePolicy::Ratio`] also under the policy
    /// [`IdlePolicy::Baseline`], as long as the idle power is not known.
    pub idle_policy: IdlePolicy,
    /// Mean power over the time since it was last read; `None` when that is not known: one of its
    /// sockets could not be read this time, or only once so far, or its counter was reset.
    pub power: Option<ZonePower>,
    /// Where `power.total` lies with 90 % probability, if it is estimated; `None` if it is measured, or not known.
    pub interval: Option<PowerInterval>,
    /// What its counters did.
    pub events: CounterEvents,
}

/// A zone's mean power over an interval: `total = active + idle`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ZonePower {
    /// All of it.
    pub total: Power,
    /// The part caused by work.
    pub active: Power,
    /// The part that an idle machine draws all the same.
    pub idle: Power,
}

/// Where the truth lies with 90 % probability.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PowerInterval {
    /// Lower end, not below zero.
    pub lower: Power,
    /// Upper end.
    pub upper: Power,
}

/// One workload with its totals.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
}

/// Whether a workload is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
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

/// How often something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Fault {
    /// The meter or usage source.
    pub source: &'static str,
    /// The kind of fault, a short fixed word.
    pub reason: &'static str,
    /// How often so far.
    pub count: u64,
}

/// The last success of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SourceHealth {
    /// The meter or usage source.
    pub source: &'static str,
    /// When it last delivered.
    pub last_success: Timestamp,
}

/// What the library cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Cost {
    /// CPU time of the last tick, on the sampling thread.
    pub last_tick: Duration,
    /// CPU time of all ticks.
    pub ticks_total: Duration,
}

/// Where the newest snapshot is found: one writer, any number of readers, no locks.
///
/// Reading never blocks sampling and never triggers it.
#[derive(Clone, Debug, Default)]
pub struct Feed(Arc<arc_swap::ArcSwapOption<Snapshot>>);

impl Feed {
    /// The newest snapshot; `None` before the first one.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Snapshot>> {
        self.0.load_full()
    }

    /// Makes `snapshot` the newest one and returns the one before.
    pub fn publish(&self, snapshot: Arc<Snapshot>) -> Option<Arc<Snapshot>> {
        self.0.swap(Some(snapshot))
    }
}
