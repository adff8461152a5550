//! Sources of energy figures: the trait [`EnergyView`] and its data types.
//!
//! A view knows how much energy nodes and workloads used over a time: from the snapshots of this
//! process, from a recorded history, from the `/metrics` of one or many Kepler exporters, from
//! Prometheus. It knows nothing of carbon. The tools know carbon and nothing of where figures come from.
//!
//! # The contract
//! **Units.** Energy in [`Energy`](crate::units::Energy) (integer µJ), power in watts, times in UTC.
//!
//! **Absent is not zero.** A zone that a machine does not have, a power that is not known, a CPU time
//! that is not reported are `None`. A workload that was there and used nothing has `Some(Energy::ZERO)`.
//! Where nothing at all is known about a range the answer is [`ViewError::NoData`], never an empty
//! inventory that reads like an idle cluster.
//!
//! **Energy is a difference.** Figures are what was used *within* the range: last counter − first
//! counter, with resets and restarts understood, never a counter's value since its start, and never
//! negative. A workload first seen within the range counts from there.
//!
//! **Running and terminated.** Energy is that of all that ran in the range, the terminated included.
//! Power is that of what runs now: `None` on a terminated row.
//!
//! **Active energy.** What a workload is charged is active energy. Idle and unattributed energy are the
//! node's own, in [`NodeZoneEnergy`].
//!
//! **Kinds overlap.** A pod's energy is also its containers' and its processes': sum within one kind, or over the rows
//! that no other one contains ([`Containment`]).
//! Zones overlap as well; [`Split::total`] adds those that may be added.
//!
//! **Coverage.** A view answers with what it has: the range it really covers, the share of nodes and time
//! that stands for ([`Inventory::coverage`]), and what it had to leave out and why ([`Skipped`]).
//!
//! ```
//! use jiff::Timestamp;
//! use kepler_compliance::view::{EnergyView, HistoryRing, RingOptions, TimeRange};
//! use kepler_core::host::Host;
//! use kepler_core::sampler::{Sampler, SamplerOptions};
//! use std::time::Duration;
//!
//! let ring = HistoryRing::new("live", "node-1", RingOptions::default());
//! let mut sampler = Sampler::new(&Host::default(), SamplerOptions::default())?;
//! ring.record(&sampler.tick());
//! std::thread::sleep(Duration::from_millis(100));
//! ring.record(&sampler.tick());
//! let inventory = ring.inventory(TimeRange::ending(Timestamp::now(), Duration::from_secs(60)))?;
//! for node in &inventory.nodes {
//!     println!("{} used {:?} in {:.2} of the minute", node.name, node.energy().total(), inventory.coverage);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod containment;
mod device;
mod inventory;
mod layered;
mod live;
mod none;
mod platform;
mod ring;
mod split;

#[cfg(feature = "history")]
pub(crate) use device::add_used;
pub(crate) use device::weaker;
pub use device::{DeviceEnergy, WorkloadDeviceEnergy, reported_device};
pub use inventory::{
    Containment, Inventory, NodeEnergy, NodeZoneEnergy, Owner, Resources, Skipped, WorkloadEnergy, WorkloadId,
};
pub(crate) use inventory::{counted, for_each_listed, joules};
pub use kepler_core::workload::WorkloadKind;
pub use layered::LayeredView;
pub use live::LiveView;
pub use none::NoView;
pub use platform::{PlatformEnergy, PlatformIdentity};
pub use ring::{HistoryRing, RingOptions};
pub use split::{EnergySplit, PowerSplit, Split};

use crate::series::{Series, span};
use jiff::Timestamp;
use kepler_core::meter::Method;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Answers how much energy was used. Blocking and object-safe; it reads no clock to decide what is
/// meant: ranges are arguments.
pub trait EnergyView: Send + Sync {
    /// The view's name, as shown in `inputs[].source`: `live`, `history`, `prometheus http://…` (no secrets).
    fn name(&self) -> &str;

    /// What every node and every workload used in `range`.
    ///
    /// A range may be covered in part only; the answer says so. Terminated workloads that used energy in
    /// the range are listed as far as the source still knows them. Shared, as many ask the same at a time.
    ///
    /// # Errors
    /// [`ViewError::NoData`] if nothing is known of the range; [`ViewError::Unavailable`] if the source
    /// cannot be asked at all. A node that fails while others answer is [`Inventory::skipped`], not an error.
    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError>;

    /// What `subject` used over time, in steps of `step`: regular, the first one starting with the range.
    ///
    /// A source that cannot resolve `step` answers in longer steps, a whole multiple where it can.
    /// Steps without data are left out (a gap), not filled with zero; a step that is known in part only is
    /// cut to that part. The last step may be shorter.
    ///
    /// # Errors
    /// As [`inventory`](Self::inventory); a subject of which nothing is known in the range is
    /// [`ViewError::NoData`].
    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError>;

    /// Its newest reading, if it knows that without a question to another program. Windows that end there rest on
    /// the same readings, until there is a newer one.
    ///
    /// Required, because a view that wraps another one and forgets this answers for other moments than the one it
    /// wraps. A view that asks a server at each question has no newest reading: `None`.
    fn newest(&self) -> Option<NewestReading>;
}

/// The newest reading of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewestReading {
    /// When it was taken.
    pub at: Timestamp,
    /// The time between two readings, as far as known; zero where it is not.
    pub interval: Duration,
}

impl NewestReading {
    /// A reading, and the time between two of them.
    #[must_use]
    pub const fn new(at: Timestamp, interval: Duration) -> Self {
        NewestReading { at, interval }
    }
}

/// A range of time, from `start` (included) to `end` (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a range of time")]
pub struct TimeRange {
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
}

impl TimeRange {
    /// The `length` before `end`, as far back as the calendar goes.
    #[must_use]
    pub fn ending(end: Timestamp, length: Duration) -> Self {
        TimeRange { start: end.checked_sub(length).unwrap_or(Timestamp::MIN), end }
    }

    /// How long it is; zero where it ends before it starts.
    #[must_use]
    pub fn length(&self) -> Duration {
        span(self.start, self.end)
    }
}

impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.start, self.end)
    }
}

/// Whose series is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// All nodes together: their totals, idle and unattributed energy included.
    Cluster,
    /// One node: its total, idle and unattributed energy included.
    Node(Arc<str>),
    /// All pods of a namespace together.
    Namespace(Arc<str>),
    /// These workloads together, all of one kind, as an inventory named them. Never empty.
    Workloads(Vec<WorkloadId>),
}

/// Energy over time.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EnergySeries {
    /// What was used in each step. Gaps are times without data.
    pub steps: Series<StepUsage>,
    /// Measured, or estimated with the error of the sum of all steps.
    pub method: Method,
    /// Share of the asked time (and, for several nodes, of the nodes) that the steps stand for, 0 to 1.
    pub coverage: f64,
    /// How much later than an edge of a step the counters there may have been read, at most; zero where steps are made
    /// of the readings' own times.
    pub resolution: Duration,
    /// The state it was taken from, as [`Inventory::moment`].
    pub moment: String,
}

impl EnergySeries {
    /// A series that covers all of the asked time, from readings at the edges of its steps.
    pub fn new(steps: Series<StepUsage>, method: Method, moment: impl Into<String>) -> Self {
        EnergySeries { steps, method, coverage: 1.0, resolution: Duration::ZERO, moment: moment.into() }
    }
}

/// What was used in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepUsage {
    /// Energy used in the step.
    pub energy: EnergySplit,
    /// Of nodes: the part of `energy` that idle machines draw all the same; unknown where the source does not tell it
    /// apart, and of workloads, which are charged active energy only.
    #[serde(default)]
    pub idle: EnergySplit,
    /// Of nodes: the part of `energy` that no workload explains; unknown as `idle` is.
    #[serde(default)]
    pub unattributed: EnergySplit,
    /// CPU time used in the step, where known.
    pub cpu_time: Option<Duration>,
}

impl StepUsage {
    /// Energy, and CPU time where known.
    #[must_use]
    pub fn new(energy: EnergySplit, cpu_time: Option<Duration>) -> Self {
        StepUsage { energy, cpu_time, ..StepUsage::default() }
    }

    /// The same of nodes that tell how much of it was idle and how much no workload explains.
    #[must_use]
    pub fn with_parts(self, idle: EnergySplit, unattributed: EnergySplit) -> Self {
        StepUsage { idle, unattributed, ..self }
    }
}

/// Why nothing is known of a time or subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoDataReason {
    /// Nothing was read so far.
    #[error("no snapshot has been taken yet; ask again after two intervals")]
    NoSnapshot,
    /// Energy is a difference of two readings, and there are no two in that time.
    #[error("energy is known from the second snapshot on, and only as far back as the ring reaches")]
    NoTwoSnapshots,
    /// Nothing of that name was there.
    #[error("no such workload, node or namespace in that time")]
    NoSuchSubject,
    /// A history has no record of that time.
    #[error("nothing was recorded in it; ask another range, or record on into {file}")]
    NotRecorded {
        /// Its file.
        file: String,
    },
    /// A history has no record of that subject in that time.
    #[error("nothing was recorded of this subject in it; ask another range, or record on into {file}")]
    SubjectNotRecorded {
        /// Its file.
        file: String,
    },
    /// There is no source at all.
    #[error("no source of energy figures was given")]
    NoSource,
    /// In the words of the source.
    #[error("{0}")]
    Other(String),
}

impl From<String> for NoDataReason {
    fn from(reason: String) -> Self {
        NoDataReason::Other(reason)
    }
}

impl From<&str> for NoDataReason {
    fn from(reason: &str) -> Self {
        NoDataReason::Other(reason.to_owned())
    }
}

/// Why a view gives no figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// It knows nothing of that time or subject. No data is not zero: judgements become
    /// [`InsufficientData`](crate::standards::Status::InsufficientData).
    #[error("{origin} has no energy figures from {range}: {reason}")]
    NoData {
        /// The view.
        origin: String,
        /// The time asked for.
        range: TimeRange,
        /// What is missing, and what would help: wait, ask a longer range, name another subject.
        reason: NoDataReason,
    },
    /// It cannot answer now: a server that is down, a file that is locked.
    #[error("{origin} cannot answer: {reason}")]
    Unavailable {
        /// The view.
        origin: String,
        /// What happened and what to do. Never holds a secret.
        reason: String,
    },
    /// The range ends where it starts or before, or the step is zero.
    #[error(
        "cannot answer for {range} in steps of {step:?}: a range must end after it starts and a step must not be empty"
    )]
    Invalid {
        /// The range asked for.
        range: TimeRange,
        /// The step asked for; the range's length for an inventory.
        step: Duration,
    },
}
