//! About where and when to run.

use crate::intensity::AccountingMethod;
use crate::messages::Message;
use crate::schedule::{JobError, ScheduleError};

/// About other regions.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RegionMessage {
    /// Another method's figures are compared than the current region is judged by.
    ComparedBy {
        /// The method of the comparison.
        method: AccountingMethod,
    },
    /// The current region's figure does not say its method.
    MethodAssumed {
        /// The method that it is taken for.
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
