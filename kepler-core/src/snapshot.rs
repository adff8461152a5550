//! Snapshots: the state at one moment, immutable, cheap to share.
//!
//! Each kind of workload has a list of its own type. Code that treats all kinds alike uses
//! [`Snapshot::for_each`], which shows every row of every kind in one form, or [`Snapshot::rows`] for one kind;
//! [`Snapshot::top`] says who draws most, without counting anything twice.
//!
//! ```
//! use kepler_core::host::Timestamp;
//! use kepler_core::snapshot::{Row, Snapshot, State};
//! use kepler_core::workload::{ContainerInfo, ProcessInfo};
//!
//! let mut snapshot = Snapshot::empty(Timestamp::now());
//! snapshot.processes.push(Row::new(ProcessInfo::new(42, 8765, "nginx"), State::Running));
//! snapshot.containers.push(Row::new(ContainerInfo::new("f00d", "podman"), State::Running));
//!
//! let mut seen = Vec::new();
//! snapshot.for_each(|row| seen.push(format!("{} {}", row.kind(), row.identity())));
//! assert_eq!(seen, ["process 42/8765", "container f00d"]);
//! ```

mod device;
mod platform;
mod row;
mod top;

pub use device::{DeviceRow, DeviceUse};
pub use platform::{PlatformResidual, PlatformRow};
pub use row::{AnyRow, Row, State};
pub use top::{Top, TopUser};

use crate::attribution::idle::{IdleEstimate, IdleKnowledge};
use crate::attribution::learned::Learned;
use crate::attribution::{IdlePolicy, Weight};
use crate::calibration::{KeptCorrection, Scale};
use crate::counter::CounterEvents;
use crate::host::Timestamp;
use crate::meter::{ErrorBounds, Method};
use crate::units::{Energy, PerZone, Power, ZoneKind};
use crate::usage::Activity;
use crate::workload::{CommandInfo, ContainerInfo, JobInfo, PodInfo, ProcessInfo, UnitInfo, VmInfo, WorkloadKind};
use row::List;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The state of the node and of all its workloads at one moment.
///
/// Totals count from the start of the sampler and never fall. For each zone, always, exactly:
/// `energy = idle + unattributed + short-lived + unlisted + Σ processes`, see [`NodeZone`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// Rises by one with each tick, from 1. Two answers with the same number saw the same state.
    pub sequence: u64,
    /// When the figures were read.
    pub at: Timestamp,
    /// Time since the tick before; zero for the first one. Power is the mean over this interval.
    pub interval: Duration,
    /// The node itself.
    pub node: Node,
    /// Accelerators, in the order in which they were found. One that is gone stays, with what it has drawn. Their sum is
    /// the zone [`ZoneKind::Gpu`].
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub devices: Vec<DeviceRow>,
    /// Meters of the whole machine, in the order in which they first reported. They contain zones and devices, and are
    /// never added to them.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub platform: Vec<PlatformRow>,
    /// What the machine draws beside the parts that have meters of their own, where a meter of this node as a whole is read.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub platform_residual: Option<PlatformResidual>,
    /// What was learned of the estimate from a meter of the whole machine so far, to begin with after a restart.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub kept_correction: Option<Arc<KeptCorrection>>,
    /// Processes: those alive by pid, then the terminated ones that are still listed.
    pub processes: Vec<Row<ProcessInfo>>,
    /// Containers, running and terminated.
    pub containers: Vec<Row<ContainerInfo>>,
    /// Pods, running and terminated.
    pub pods: Vec<Row<PodInfo>>,
    /// Virtual machines, running and terminated.
    pub vms: Vec<Row<VmInfo>>,
    /// Systemd units and slices, running and terminated.
    pub units: Vec<Row<UnitInfo>>,
    /// Jobs of batch schedulers, running and terminated.
    pub jobs: Vec<Row<JobInfo>>,
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
    pub cost: SamplingCost,
}

impl Snapshot {
    /// A snapshot of nothing: no zones, no workloads, number 0. Its fields are public, to be filled in.
    #[must_use]
    pub fn empty(at: Timestamp) -> Self {
        Snapshot {
            sequence: 0,
            at,
            interval: Duration::ZERO,
            node: Node::default(),
            devices: Vec::new(),
            platform: Vec::new(),
            platform_residual: None,
            kept_correction: None,
            processes: Vec::new(),
            containers: Vec::new(),
            pods: Vec::new(),
            vms: Vec::new(),
            units: Vec::new(),
            jobs: Vec::new(),
            commands: Vec::new(),
            faults: Vec::new(),
            estimate_warnings: Vec::new(),
            sources: Vec::new(),
            cost: SamplingCost::default(),
        }
    }

    /// Shows every workload of every kind, kind by kind in the order of [`WorkloadKind::MEASURED`].
    pub fn for_each<'a>(&'a self, mut visit: impl FnMut(AnyRow<'a>)) {
        for kind in WorkloadKind::MEASURED {
            self.rows(kind).for_each(&mut visit);
        }
    }

    /// The workloads of one kind; none of a kind that is not [measured](WorkloadKind::MEASURED).
    pub fn rows(&self, kind: WorkloadKind) -> impl Iterator<Item = AnyRow<'_>> {
        let list = self.list(kind);
        (0..list.len()).filter_map(|index| list.row(index))
    }

    /// How many workloads of a kind there are.
    #[must_use]
    pub fn count(&self, kind: WorkloadKind) -> usize {
        self.list(kind).len()
    }

    /// One workload of a kind, by its place in the list of that kind.
    #[must_use]
    pub fn row(&self, kind: WorkloadKind, index: usize) -> Option<AnyRow<'_>> {
        self.list(kind).row(index)
    }

    fn list(&self, kind: WorkloadKind) -> &dyn List {
        static NOTHING: Vec<Row<PodInfo>> = Vec::new();
        match kind {
            WorkloadKind::Process => &self.processes,
            WorkloadKind::Container => &self.containers,
            WorkloadKind::Pod => &self.pods,
            WorkloadKind::Vm => &self.vms,
            WorkloadKind::Unit => &self.units,
            WorkloadKind::Job => &self.jobs,
            WorkloadKind::Command => &self.commands,
            WorkloadKind::Deployment
            | WorkloadKind::StatefulSet
            | WorkloadKind::DaemonSet
            | WorkloadKind::Controller => &NOTHING,
        }
    }
}

/// The node's energy.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
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
    /// What work was found to cost in each zone, and how well that predicts its power; `None` as long as that is not known.
    pub learned_costs: PerZone<Option<Learned>>,
}

impl Node {
    /// The zones present, in the order of [`ZoneKind::ALL`].
    pub fn zones(&self) -> impl Iterator<Item = (ZoneKind, &NodeZone)> {
        self.zones.iter().filter_map(|(kind, zone)| zone.as_ref().map(|zone| (kind, zone)))
    }

    /// Mean power of a zone over the last interval; `None` where there is no such zone, or it is not known.
    #[must_use]
    pub fn power(&self, kind: ZoneKind) -> Option<Power> {
        Some(self.zones[kind].as_ref()?.power?.total)
    }

    /// The same of all processors: of `package`, or of `core` and `uncore` on a machine without one.
    #[must_use]
    pub fn processors_power(&self) -> Option<Power> {
        if self.zones[ZoneKind::Package].is_some() {
            return self.power(ZoneKind::Package);
        }
        Some(self.power(ZoneKind::Core)? + self.power(ZoneKind::Uncore).unwrap_or(Power::ZERO))
    }
}

/// One kind of zone, summed over sockets.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
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
    /// The part of `idle_energy` of which it is not known whether it was idle or caused by work: that of accelerators whose idle power
    /// was not known yet, nor how busy they were.
    pub unsplit_energy: Energy,
    /// The part of `active_energy` that no live or accounted workload explains.
    pub unattributed_energy: Energy,
    /// The part of `active_energy` of processes that came and went between two ticks. It is contained in the
    /// energy of the container, pod or unit that they ran in, and so far as they are known by name (eBPF) in
    /// that of [`Snapshot::commands`].
    pub short_lived_energy: Energy,
    /// The part of `active_energy` of processes that have ended and are no longer listed. That of the small ones is
    /// contained in [`Snapshot::commands`].
    pub unlisted_energy: Energy,
    /// How idle was separated from active in this interval: [`IdlePolicy::Ratio`] also under the policy
    /// [`IdlePolicy::Baseline`], as long as the idle power is not known.
    pub idle_policy: IdlePolicy,
    /// How the idle power is known by now, or why it is not.
    pub idle_knowledge: IdleKnowledge,
    /// By what the estimate is corrected, if it is.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub correction: Option<EstimateCorrection>,
    /// The idle power that was learned by now, with its error; `None` as long as it is not known, and of an estimate.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub idle_estimate: Option<IdleEstimate>,
    /// Mean power over the time since it was last read; `None` when that is not known: one of its
    /// sockets could not be read this time, or only once so far, or its counter was reset.
    pub power: Option<ZonePower>,
    /// The part of `power.idle` of which it is not known whether it is idle or caused by work, as of `unsplit_energy`.
    pub unsplit_power: Power,
    /// Where `power.total` lies with 90 % probability, if it is estimated; `None` if it is measured, or not known.
    pub interval: Option<PowerInterval>,
    /// What its counters did.
    pub events: CounterEvents,
    /// Why a part of it cannot be read now, as in the `reason` label of [faults](Snapshot::faults): `timeout` of a driver that
    /// does not answer, `stuck` of a counter that does not count, …
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub fault: Option<&'static str>,
    /// Whether nothing has given figures of it for longer than a moment: its books stay, and its source and method are those that
    /// it had.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "std::ops::Not::not"))]
    pub is_lost: bool,
    /// What each socket has of it, in no particular order; empty where there is one, or it is not known whose a zone is.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub sockets: Vec<SocketZone>,
}

/// What corrects an estimate while it is used.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct EstimateCorrection {
    /// By what the meter is asked that shows the whole machine: `redfish`, `ipmi`, …
    pub source: Arc<str>,
    /// By what the estimate is multiplied, and how far off it is then.
    pub scale: Scale,
    /// When the newest reading that it was learned from was taken over: perhaps in an earlier run of the program.
    pub newest: SystemTime,
}

impl EstimateCorrection {
    /// A correction by what a meter shows.
    #[must_use]
    pub fn new(source: impl Into<Arc<str>>, scale: Scale, newest: SystemTime) -> Self {
        EstimateCorrection { source: source.into(), scale, newest }
    }

    /// How old the newest reading is that it was learned from.
    #[must_use]
    pub fn age(&self, at: &Timestamp) -> Duration {
        at.wall.duration_since(self.newest).unwrap_or_default()
    }
}

/// One socket's part of a kind of zone.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SocketZone {
    /// The socket's number, as the kernel counts packages.
    pub socket: u32,
    /// Energy since the start, as far as it is known of this socket.
    pub energy: Energy,
    /// Mean power over the last interval; `None` when it is not known.
    pub power: Option<Power>,
}

impl SocketZone {
    /// A socket's part.
    #[must_use]
    pub const fn new(socket: u32, energy: Energy, power: Option<Power>) -> Self {
        SocketZone { socket, energy, power }
    }
}

impl Snapshot {
    /// Says of zones that are estimated by a model by what they are corrected.
    pub(crate) fn correct_estimates(&mut self, correction: &EstimateCorrection) {
        let zones = self.node.zones.iter_mut().filter_map(|(_, zone)| zone.as_mut());
        for zone in zones.filter(|zone| matches!(zone.method, Method::Estimated { .. })) {
            zone.correction = Some(correction.clone());
        }
    }
}

impl NodeZone {
    /// How the sum of these zones came to be: by their power, or where that is not known of all, by their energy. `None`
    /// without zones.
    #[must_use]
    pub fn method_of_sum<'a>(zones: impl Iterator<Item = &'a NodeZone> + Clone) -> Option<Method> {
        let powers: Option<Vec<_>> = zones.clone().map(|zone| Some((zone.power?.total.watts(), zone.method))).collect();
        match powers {
            Some(powers) => Method::of_sum(powers),
            None => Method::of_sum(zones.map(|zone| (zone.energy.joules(), zone.method))),
        }
    }

    /// A zone that has not drawn anything yet. Its fields are public, to be filled in.
    #[must_use]
    pub fn new(path: impl Into<Arc<str>>, source: &'static str, method: Method) -> Self {
        NodeZone {
            path: path.into(),
            source,
            method,
            energy: Energy::ZERO,
            active_energy: Energy::ZERO,
            idle_energy: Energy::ZERO,
            unsplit_energy: Energy::ZERO,
            unattributed_energy: Energy::ZERO,
            short_lived_energy: Energy::ZERO,
            unlisted_energy: Energy::ZERO,
            idle_policy: IdlePolicy::default(),
            idle_knowledge: IdleKnowledge::default(),
            correction: None,
            idle_estimate: None,
            power: None,
            unsplit_power: Power::ZERO,
            interval: None,
            events: CounterEvents::default(),
            fault: None,
            is_lost: false,
            sockets: Vec::new(),
        }
    }
}

/// A zone's mean power over an interval: `total = active + idle`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ZonePower {
    /// All of it.
    pub total: Power,
    /// The part caused by work.
    pub active: Power,
    /// The part that an idle machine draws all the same.
    pub idle: Power,
}

impl ZonePower {
    /// Power as `total = active + idle`.
    #[must_use]
    pub const fn new(total: Power, active: Power, idle: Power) -> Self {
        ZonePower { total, active, idle }
    }
}

/// Where the truth lies with 90 % probability.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PowerInterval {
    /// Lower end, not below zero.
    pub lower: Power,
    /// Upper end.
    pub upper: Power,
}

impl PowerInterval {
    /// From `lower` to `upper`.
    #[must_use]
    pub const fn new(lower: Power, upper: Power) -> Self {
        PowerInterval { lower, upper }
    }

    /// Around a power that is not wholly measured, by the error of the method; `None` of one that is.
    pub(crate) fn of(method: Method, power: Power) -> Option<Self> {
        let bounds = ErrorBounds::of_error(method.error_ratio()?);
        Some(PowerInterval { lower: power * (1.0 - bounds.below), upper: power * (1.0 + bounds.above) })
    }
}

/// How often something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Fault {
    /// The meter or usage source.
    pub source: &'static str,
    /// The kind of fault, a short fixed word.
    pub reason: &'static str,
    /// How often so far.
    pub count: u64,
}

impl Fault {
    /// A number of failures of a source for one reason.
    #[must_use]
    pub const fn new(source: &'static str, reason: &'static str, count: u64) -> Self {
        Fault { source, reason, count }
    }
}

/// The last success of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SourceHealth {
    /// The meter or usage source.
    pub source: &'static str,
    /// When it last delivered.
    pub last_success: Timestamp,
}

impl SourceHealth {
    /// A source that delivered at a moment.
    #[must_use]
    pub const fn new(source: &'static str, last_success: Timestamp) -> Self {
        SourceHealth { source, last_success }
    }
}

/// What the library cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SamplingCost {
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
