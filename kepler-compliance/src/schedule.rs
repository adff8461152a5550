//! When a job should run: the cleanest window of an intensity series, with its price beside it.
//!
//! A contiguous job is placed exactly: intensity is constant within a step, so the emissions of a
//! window are piecewise linear in its start, and the best start is one where an edge of the job (or
//! of one of its phases) meets an edge of a step. All such starts are tried, with prefix sums, so
//! the search is linear in the number of steps. An interruptible job takes the cheapest intervals
//! until it is done, which is optimal too. Nothing is placed over a gap: hours without data are not
//! clean hours.
//!
//! ```
//! use kepler_compliance::schedule::{Job, PlanRequest, plan};
//! use kepler_compliance::series::Series;
//! use kepler_compliance::units::{CarbonIntensity, Power};
//! use std::time::Duration;
//!
//! let hour = Duration::from_secs(3600);
//! let now = "2026-11-21T00:00:00Z".parse()?;
//! let grid = [400.0, 300.0, 100.0, 200.0].map(CarbonIntensity::from_grams_per_kilowatt_hour);
//! let grid = Series::regular(now, hour, grid)?;
//! let job = Job::constant(hour + hour / 2, Power::from_watts(1000.0))?;
//! let plan = plan(&PlanRequest::new(&job, now, "2026-11-21T04:00:00Z".parse()?, &grid))?;
//! assert_eq!(plan.best.start().to_string(), "2026-11-21T02:00:00Z");
//! assert_eq!(plan.best.carbon.grams(), 200.0); // one hour at 100 and half an hour at 200
//! assert_eq!(plan.saving.unwrap().carbon.grams(), 350.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod contiguous;
mod interruptible;
mod job;
mod pareto;

pub use job::{Job, JobError, Phase, local_instant};

use crate::lasting::exactly;
use crate::series::{Series, span};
use crate::tariff::{Cost, EnergyPrice};
use crate::text::Lang;
use crate::units::{CarbonIntensity, CarbonMass};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How many windows a ranking has unless the request says otherwise.
pub const RANKING: usize = 3;

/// What is to be planned.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlanRequest<'a> {
    /// The job.
    pub job: &'a Job,
    /// The time that savings are counted against.
    pub now: Timestamp,
    /// It may not start before.
    pub earliest: Timestamp,
    /// It must have ended by then.
    pub deadline: Timestamp,
    /// Grid intensity over the time in question; what lies outside is ignored.
    pub intensity: &'a Series<CarbonIntensity>,
    /// Energy prices, where known.
    pub prices: Option<&'a Series<EnergyPrice>>,
    /// How many windows to rank at most.
    pub ranking: usize,
}

impl<'a> PlanRequest<'a> {
    /// A job that may start now and must end by `deadline`, without prices.
    #[must_use]
    pub fn new(job: &'a Job, now: Timestamp, deadline: Timestamp, intensity: &'a Series<CarbonIntensity>) -> Self {
        PlanRequest { job, now, earliest: now, deadline, intensity, prices: None, ranking: RANKING }
    }
}

/// A range of time in which the job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a range of time")]
pub struct Slot {
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
}

/// One way to run the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Placement {
    /// When it runs, in order; one slot unless the job is interruptible. Never empty.
    pub slots: Vec<Slot>,
    /// What it emits, PUE included.
    pub carbon: CarbonMass,
    /// Mean grid intensity, weighted by the job's power.
    pub mean_intensity: CarbonIntensity,
    /// What its energy costs, PUE included; none where a price is missing.
    pub cost: Option<Cost>,
}

impl Placement {
    /// When the job starts.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.slots.first().map_or(Timestamp::MIN, |slot| slot.start)
    }

    /// When it has ended.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.slots.last().map_or(Timestamp::MIN, |slot| slot.end)
    }
}

/// What the best placement saves against starting now. Negative where now would be better, which
/// can be when the job may not start now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Saving {
    /// Emissions avoided.
    pub carbon: CarbonMass,
    /// The same in per cent; none where starting now has an intensity of zero.
    pub percent: Option<f64>,
    /// Money saved; none where a price is missing.
    pub cost: Option<Cost>,
}

/// When to run the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// The placement that emits least; of equals the earliest.
    pub best: Placement,
    /// The best placement and the next best that do not overlap a better one. An interruptible
    /// job's has the best only.
    pub ranking: Vec<Placement>,
    /// The job started now, without interruption; none where the series does not cover it.
    pub now: Option<Placement>,
    /// What `best` saves against `now`.
    pub saving: Option<Saving>,
    /// Where prices are known: the placements of which none is better in both carbon and cost,
    /// cleanest first. For a contiguous job these are all such starts at which an edge of the job
    /// meets an edge of a step (between two neighbours both change linearly); for an interruptible
    /// one the optima of eleven weights from carbon only to cost only.
    pub pareto: Vec<Placement>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The job does not fit between earliest start and deadline.
    #[error(
        "the job takes {}, but from {earliest:.0} to {deadline:.0} there is only {}: move the deadline",
        exactly(*job, Lang::En), exactly(*horizon, Lang::En)
    )]
    HorizonTooShort {
        /// How long the job takes.
        job: Duration,
        /// How much time there is.
        horizon: Duration,
        /// Earliest start.
        earliest: Timestamp,
        /// Deadline.
        deadline: Timestamp,
    },
    /// The intensity series knows too little of that time.
    #[error(
        "the job takes {}, but the intensity is known for only {}{} between {earliest:.0} and {deadline:.0}: give a longer series",
        exactly(*job, Lang::En), exactly(*known, Lang::En), if *.interruptible { "" } else { " without interruption" }
    )]
    TooLittleData {
        /// How long the job takes.
        job: Duration,
        /// Longest known interval, or all of them together when the job is interruptible.
        known: Duration,
        /// Whether the job is interruptible.
        interruptible: bool,
        /// Earliest start.
        earliest: Timestamp,
        /// Deadline.
        deadline: Timestamp,
    },
}

/// Finds the best way to run a job.
///
/// # Errors
/// The time allowed or known is shorter than the job.
pub fn plan(request: &PlanRequest<'_>) -> Result<Plan, ScheduleError> {
    let PlanRequest { job, earliest, deadline, .. } = *request;
    let horizon = span(earliest, deadline);
    if horizon < job.duration() {
        return Err(ScheduleError::HorizonTooShort { job: job.duration(), horizon, earliest, deadline });
    }
    let grid = request.intensity.clip(earliest, deadline);
    let found = if job.is_interruptible() {
        interruptible::best(job, &grid).map(|best| vec![best])
    } else {
        contiguous::ranking(job, &grid, request.ranking.max(1))
    };
    let slots = found.map_err(|known| ScheduleError::TooLittleData {
        job: job.duration(),
        known,
        interruptible: job.is_interruptible(),
        earliest,
        deadline,
    })?;
    let place = |slots: Vec<Slot>| job.place(slots, request.intensity, request.prices);
    let ranking: Vec<Placement> = slots.into_iter().filter_map(place).collect();
    // Every slot lies in the series, so the placements exist and one of them is the best.
    let Some(best) = ranking.first().cloned() else {
        return Err(ScheduleError::TooLittleData {
            job: job.duration(),
            known: Duration::ZERO,
            interruptible: job.is_interruptible(),
            earliest,
            deadline,
        });
    };
    let now =
        request.now.checked_add(job.duration()).ok().and_then(|end| place(vec![Slot { start: request.now, end }]));
    let saving = now.as_ref().map(|now| saving(now, &best));
    let pareto = request.prices.map_or_else(Vec::new, |prices| pareto::front(request, &grid, prices));
    Ok(Plan { best, ranking, now, saving, pareto })
}

fn saving(now: &Placement, best: &Placement) -> Saving {
    let (before, after) = (now.mean_intensity.grams_per_kilowatt_hour(), best.mean_intensity.grams_per_kilowatt_hour());
    Saving {
        carbon: now.carbon - best.carbon,
        percent: (before > 0.0).then(|| (before - after) / before * 100.0),
        cost: now.cost.zip(best.cost).map(|(now, best)| now - best),
    }
}

#[cfg(test)]
mod tests;
