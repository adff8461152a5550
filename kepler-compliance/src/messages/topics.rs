//! The messages, by topic.

use super::Message;
use crate::intensity::{AccountingMethod, SeriesBasis};
use crate::schedule::{JobError, ScheduleError};
use crate::standards::FigureSource;
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
        zone: String,
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

/// Whose target a PUE is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetPue {
    /// The request's.
    Request,
    /// A standard's.
    Standard {
        /// Its code.
        code: String,
    },
}

/// About a better PUE.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PueMessage {
    /// No PUE, no improvement of it.
    Unknown,
    /// No target either.
    NoTarget,
    /// The target is kept.
    Reached {
        /// The PUE.
        current: f64,
        /// Its target.
        target: f64,
        /// Whose target that is.
        whose: TargetPue,
    },
    /// What to do about the PUE.
    Lower {
        /// The PUE.
        current: f64,
        /// Its target.
        target: f64,
    },
    /// What that rests on.
    LowerBasis {
        /// The PUE.
        current: f64,
        /// Its target.
        target: f64,
        /// Whose target that is.
        whose: TargetPue,
    },
}

/// About requests that fit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SizingMessage {
    /// The source does not tell requests.
    RequestsUnknown,
    /// The source does not tell CPU time.
    CpuTimeUnknown,
    /// Requests fit what is used.
    RequestsFit {
        /// Cores used, 99th percentile.
        needed: f64,
        /// Cores requested.
        requested: f64,
    },
    /// Power of the workload, or idle power of its nodes, is missing.
    PowerUnknown,
    /// What to do about requests.
    LowerRequests {
        /// Cores used, 99th percentile.
        needed: f64,
        /// Cores requested.
        requested: f64,
    },
    /// What that rests on.
    LowerRequestsBasis {
        /// Steps that were looked at.
        steps: usize,
        /// Idle power of the nodes, watts.
        idle_watts: f64,
        /// Cores of the nodes.
        cores: f64,
        /// Power saved, watts.
        saved_watts: f64,
        /// Power of the workload, watts.
        own_watts: f64,
    },
}

/// About running elsewhere.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MigrationMessage {
    /// The current intensity or PUE is missing.
    CurrentUnknown,
    /// No region to compare with.
    NoRegion,
    /// A region does not compare.
    NotComparable {
        /// Which.
        region: String,
        /// Why not.
        reason: Box<Message>,
    },
    /// No region is low enough.
    NoneLower {
        /// How much lower it must be, in per cent.
        margin_percent: f64,
        /// The lowest.
        region: String,
        /// Its effective intensity, g/kWh.
        there: f64,
        /// The current one, g/kWh.
        here: f64,
    },
    /// Where to move to.
    Move {
        /// The region.
        region: String,
        /// Name of its zone.
        zone: String,
        /// Its effective intensity, g/kWh.
        there: f64,
        /// The current one, g/kWh.
        here: f64,
    },
    /// What that rests on.
    MoveBasis {
        /// Grid intensity, g/kWh.
        grid: f64,
        /// Who published it.
        source: FigureSource,
        /// PUE.
        pue: f64,
        /// What weakens the comparison.
        caveats: Vec<Message>,
    },
}

/// About running later.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ShiftMessage {
    /// No forecast, no better time.
    NoForecast {
        /// Why not.
        error: Box<Message>,
    },
    /// A yearly average tells no hours apart.
    YearlyOnly,
    /// The work cannot be planned.
    NoPlan {
        /// Why not.
        error: Box<Message>,
    },
    /// The intensity of now is missing.
    NowUnknown,
    /// There is no better time.
    NowIsCleanest,
    /// When to run.
    RunLater {
        /// From when on.
        start: Timestamp,
        /// Mean intensity then, g/kWh.
        then: f64,
        /// Mean intensity now, g/kWh.
        now: f64,
    },
    /// What that rests on.
    RunLaterBasis {
        /// The zone.
        zone: String,
        /// What its intensities are.
        basis: SeriesBasis,
        /// Who says so.
        source: String,
    },
}

/// About an assessment as a whole.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AssessmentMessage {
    /// The standard looks at grid and facility only.
    IntensityOnly,
    /// What to do without figures.
    NoFigures,
    /// Nothing is to be done.
    NoAction,
    /// The best advice.
    LargestSaving {
        /// In per cent.
        percent: f64,
        /// What it is.
        advice: Box<Message>,
    },
    /// Figures after optimizations are a projection.
    Projection,
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

/// About other regions.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RegionMessage {
    /// Another method's figures are compared than the current region is judged by.
    ComparedBy {
        /// The method of the comparison.
        method: AccountingMethod,
    },
    /// Only figures made by another method are published.
    OtherMethod {
        /// The method of the comparison.
        method: AccountingMethod,
    },
    /// No intensity is published at all.
    NoFigure,
    /// An unpublished PUE is taken from the current facility.
    PueAssumed {
        /// For which region.
        region: String,
        /// The PUE.
        pue: f64,
    },
    /// The current region cannot be compared with.
    CurrentUnknown,
    /// The ranking is by grid intensity alone.
    WithoutPue,
    /// What a comparison of yearly averages leaves out.
    YearlyAverages,
    /// How many regions are left out for one reason.
    NotCompared {
        /// How many.
        count: usize,
        /// Why.
        reason: Box<Message>,
    },
    /// A region is worth a move.
    Migrate {
        /// Which.
        region: String,
        /// Name of its zone.
        zone: String,
        /// From where.
        current: String,
        /// How much less is emitted, in per cent.
        percent: f64,
        /// By grid intensity alone.
        grid_only: bool,
    },
    /// No region is.
    Stay {
        /// Where.
        current: String,
        /// How much lower it would have to be, in per cent.
        margin_percent: f64,
    },
    /// Too little is known to advise.
    NoAdvice,
}

/// About times to run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ScheduleMessage {
    /// The source has no forecast.
    NoForecast {
        /// Why not.
        error: Box<Message>,
    },
    /// A yearly average tells no hours apart.
    YearlyOnly,
    /// One price holds for all hours.
    OnePrice,
    /// Any time is as good.
    AnyTime,
    /// When to start.
    Start {
        /// On a clock of the region.
        local: String,
        /// Mean intensity, g/kWh.
        intensity: f64,
        /// How much less than starting now, in per cent.
        saving_percent: Option<f64>,
    },
    /// When to start, though now would do.
    StartOrNow {
        /// On a clock of the region.
        local: String,
    },
    /// A job that cannot be.
    Job(JobError),
    /// No time or data for it.
    Plan(ScheduleError),
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
