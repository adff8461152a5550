//! About what would help.

use crate::intensity::SeriesBasis;
use crate::messages::Message;
use crate::standards::FigureSource;
use crate::text::Text;
use jiff::Timestamp;

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
        zone: Text,
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
