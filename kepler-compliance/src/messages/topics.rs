//! The messages, by topic.

mod advice;
mod choices;
mod planning;

pub use advice::{AssessmentMessage, MigrationMessage, PueMessage, ShiftMessage, SizingMessage, TargetPue};
pub use choices::ChoiceMessage;
pub use planning::{RegionMessage, ScheduleMessage};

use super::Message;
use crate::text::Text;
use crate::view::{NoDataReason, TimeRange};
use jiff::Timestamp;
use std::time::Duration;

/// About energy figures. Shares are 0 to 1.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EnergyMessage {
    /// A model says so, no meter.
    Estimated {
        /// Expected error of one standard deviation, as a share.
        error_ratio: f64,
    },
    /// An estimate is corrected by a meter of the whole machine.
    Corrected {
        /// By what that meter is asked.
        source: String,
        /// By what the estimate is multiplied.
        factor: f64,
        /// How old its newest reading is.
        age: Duration,
    },
    /// Meters say so but for a part, which is estimated from the others.
    Partial {
        /// Expected error of the whole of one standard deviation, as a share.
        error_ratio: f64,
    },
    /// They cover part of what was asked.
    Coverage {
        /// Which share of window and nodes.
        ratio: f64,
        /// How long the readings are apart.
        covered: Duration,
    },
    /// The newest reading is old.
    Stale {
        /// How old.
        age: Duration,
    },
    /// A node or endpoint is not among them.
    LeftOut {
        /// Which.
        what: String,
        /// Why.
        reason: String,
    },
    /// Nor are others.
    OthersLeftOut {
        /// How many.
        count: usize,
    },
    /// No labels of pods are known, so that none can be found by them.
    NoLabels,
    /// There are none of a range.
    NoData {
        /// The view that was asked.
        origin: String,
        /// The time asked for.
        range: TimeRange,
        /// What is missing.
        reason: NoDataReason,
    },
    /// The workload has ended.
    NotRunning,
    /// Energy that no workload is charged.
    Unassigned {
        /// Share of the nodes' energy, in per cent.
        percent: f64,
    },
    /// A monthly cost rests on the mean price of a tariff.
    CostByHours {
        /// The tariff.
        tariff: String,
        /// The mean price of a kilowatt-hour.
        mean: f64,
        /// Its currency.
        currency: String,
        /// Share of the month's hours that have a price, in per cent.
        percent: f64,
    },
    /// A tariff has no price for most hours of the month.
    CostUnknown {
        /// The tariff.
        tariff: String,
        /// Share of the month's hours that have a price, in per cent.
        percent: f64,
    },
    /// What accelerators drew is known as a sum, and only in part of each.
    DevicesNotTold {
        /// What is known of each, together.
        known_joules: f64,
        /// What all of them drew.
        all_joules: f64,
    },
    /// Pods of a controller are found by their names.
    InferredPods {
        /// The controller.
        controller: String,
    },
}

/// About a facility's grid and PUE.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FacilityMessage {
    /// Its region is not stated.
    RegionAssumed {
        /// What is assumed.
        region: String,
    },
    /// The yearly average stands in for what the source does not know.
    YearlyAverageUsed {
        /// Why the source does not.
        error: Box<Message>,
    },
    /// No intensity is known at all.
    IntensityUnknown {
        /// Name of the zone.
        zone: Text,
        /// Why not.
        error: Box<Message>,
    },
    /// A source of intensities does not have the zone.
    NoIntensityZone {
        /// The source.
        origin: String,
        /// The zone.
        zone: String,
        /// The zones it has.
        known: Vec<String>,
    },
    /// A source of intensities has the zone but not the time.
    NoIntensityThen {
        /// The source.
        origin: String,
        /// The zone.
        zone: String,
        /// From when.
        from: Timestamp,
        /// Until when.
        to: Timestamp,
    },
    /// A source of intensities has only values that are too old.
    StaleIntensity {
        /// The source.
        origin: String,
        /// The zone.
        zone: String,
        /// When the newest value ceased to hold.
        ended: Timestamp,
        /// How long ago that was.
        age: Duration,
        /// How long after its end the value may be used.
        validity: Duration,
    },
    /// A source of intensities has no forecast: only values of earlier times.
    IntensityEnded {
        /// The source.
        origin: String,
        /// The zone.
        zone: String,
        /// When the newest value ceased to hold.
        ended: Timestamp,
        /// How long ago that was.
        age: Duration,
    },
    /// A source of intensities has only values of later times.
    IntensityBeginsLater {
        /// The source.
        origin: String,
        /// The zone.
        zone: String,
        /// When they begin.
        start: Timestamp,
    },
    /// No PUE is published.
    NoPublishedPue {
        /// For which region.
        region: String,
    },
}

/// About the largest consumers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum HotspotMessage {
    /// Graphics processors use most of it.
    MostlyGpu {
        /// Share, in per cent.
        percent: f64,
    },
    /// What to do then.
    LookAtGpu,
    /// Memory uses most of it.
    MostlyMemory {
        /// Share, in per cent.
        percent: f64,
    },
    /// What to do then.
    LookAtMemory,
    /// Several instances.
    Instances {
        /// How many.
        count: usize,
        /// Cores in use.
        cores: f64,
        /// Share of all workloads' power, in per cent.
        percent: f64,
    },
    /// What to do then.
    LookAtInstances,
    /// Processor time.
    Cores {
        /// Cores in use.
        cores: f64,
        /// Share of all workloads' power, in per cent.
        percent: f64,
    },
    /// What to do then.
    LookAtCores,
    /// Power alone is known.
    Power {
        /// Watts.
        watts: f64,
        /// Share of all workloads' power, in per cent.
        percent: f64,
    },
    /// What to do then.
    LookAtNode,
    /// What is not listed.
    Remainder {
        /// Workloads below the threshold or beyond the limit.
        others: usize,
        /// Their power, watts.
        others_watts: f64,
        /// Power of work that is not attributed to a workload, watts.
        unlisted_watts: Option<f64>,
        /// Power that no workload explains, watts.
        unattributed_watts: Option<f64>,
    },
}

/// About power over time.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TrendMessage {
    /// No figures.
    NoFigures,
    /// The steps cover part of the range.
    Coverage {
        /// Which share.
        ratio: f64,
    },
    /// The intensity of now stands in for times without one.
    IntensityGaps,
    /// The course in a sentence.
    Course {
        /// Mean, watts.
        mean_watts: f64,
        /// Peak, watts.
        peak_watts: f64,
        /// Rise, watts an hour, where there is a trend.
        rise: Option<f64>,
        /// Steps that stand out.
        anomalies: usize,
    },
}

/// About a cluster.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SummaryMessage {
    /// Much is idle.
    MuchIdle {
        /// Share, in per cent.
        percent: f64,
    },
    /// Much has no known workload.
    MuchUnattributed {
        /// Share, in per cent.
        percent: f64,
    },
}
