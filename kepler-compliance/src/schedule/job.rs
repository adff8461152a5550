//! A job, and its energy, emissions and cost at a given time.

use super::{Placement, Slot};
use crate::series::{Series, Step, span};
use crate::tariff::{Cost, EnergyPrice};
use crate::units::{CarbonIntensity, CarbonMass, Power, Pue};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::time::Duration;

/// A part of a job at one power.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Phase {
    /// How long it takes.
    pub duration: Duration,
    /// IT power during it.
    pub power: Power,
}

/// A job: its phases, the facility's PUE, and whether it may be interrupted.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    phases: Vec<Phase>,
    pue: Pue,
    interruptible: bool,
}

/// A job that cannot be planned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// It takes no time.
    #[error("the job takes no time: give at least one phase, and each a duration above zero")]
    NoDuration,
    /// A power that cannot be.
    #[error("a phase of {0} is not possible: give a finite power of zero or more")]
    Power(Power),
    /// Phases of different power in a job that may be interrupted.
    #[error("an interruptible job needs one power throughout: with phases the order of the pieces matters")]
    InterruptiblePhases,
    /// Longer than any calendar.
    #[error("the job takes longer than 290 years")]
    TooLong,
}

impl Job {
    /// A job at one power that runs without interruption, at PUE 1.
    ///
    /// # Errors
    /// No duration, or an impossible power.
    pub fn constant(duration: Duration, power: Power) -> Result<Self, JobError> {
        Job::phases(vec![Phase { duration, power }])
    }

    /// A job of several phases, one after another, at PUE 1.
    ///
    /// # Errors
    /// No phase, one without duration, or an impossible power.
    pub fn phases(phases: Vec<Phase>) -> Result<Self, JobError> {
        if phases.is_empty() || phases.iter().any(|phase| phase.duration.is_zero()) {
            return Err(JobError::NoDuration);
        }
        let possible = |power: Power| power.watts().is_finite() && power.watts() >= 0.0;
        if let Some(phase) = phases.iter().find(|phase| !possible(phase.power)) {
            return Err(JobError::Power(phase.power));
        }
        let whole = phases.iter().try_fold(Duration::ZERO, |sum, phase| sum.checked_add(phase.duration));
        if whole.is_none_or(|whole| whole > LONGEST) {
            return Err(JobError::TooLong);
        }
        Ok(Job { phases, pue: Pue::ONE, interruptible: false })
    }

    /// The same at a facility of this PUE.
    #[must_use]
    pub fn at_pue(self, pue: Pue) -> Self {
        Job { pue, ..self }
    }

    /// The same, free to pause and go on.
    ///
    /// # Errors
    /// It has phases of different power.
    pub fn interruptible(self) -> Result<Self, JobError> {
        match self.phases.len() {
            1 => Ok(Job { interruptible: true, ..self }),
            _ => Err(JobError::InterruptiblePhases),
        }
    }

    /// How long it takes.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.phases.iter().map(|phase| phase.duration).sum()
    }

    /// Whether it may pause and go on.
    #[must_use]
    pub const fn is_interruptible(&self) -> bool {
        self.interruptible
    }

    /// Its phases as (nanoseconds from the start to their end, weight). Weights are watts, or 1 for
    /// a job without any power, so that even such a job gets the cleanest window.
    pub(super) fn weights(&self) -> Vec<(i64, f64)> {
        let idle = self.phases.iter().all(|phase| phase.power == Power::ZERO);
        let mut end = 0;
        let weigh = |phase: &Phase| {
            end += nanoseconds(phase.duration);
            (end, if idle { 1.0 } else { phase.power.watts() })
        };
        self.phases.iter().map(weigh).collect()
    }

    /// What running in these slots emits and costs; none where the intensity is not known.
    pub(super) fn place(
        &self,
        slots: Vec<Slot>,
        grid: &Series<CarbonIntensity>,
        prices: Option<&Series<EnergyPrice>>,
    ) -> Option<Placement> {
        let pieces = self.pieces(&slots);
        let intensity = integral(grid, &pieces, |value| value.grams_per_kilowatt_hour())?;
        let price = prices.and_then(|prices| integral(prices, &pieces, |value| value.value()));
        let whole: f64 = pieces.iter().map(|(slot, weight)| weight * hours(slot.start, slot.end)).sum();
        let idle = self.phases.iter().all(|phase| phase.power == Power::ZERO);
        // Weights are watts, integrals per kilowatt-hour: a thousandth, and the facility's share.
        let scale = if idle { 0.0 } else { self.pue.ratio() / 1e3 };
        Some(Placement {
            slots,
            carbon: CarbonMass::from_grams(intensity * scale),
            mean_intensity: CarbonIntensity::from_grams_per_kilowatt_hour(intensity / whole),
            cost: price.map(|price| Cost::new(price * scale)),
        })
    }

    /// The slots cut at the phases' edges, each with its weight.
    fn pieces(&self, slots: &[Slot]) -> Vec<(Slot, f64)> {
        let weights = self.weights();
        let [(_, weight)] = weights.as_slice() else {
            // Only jobs of one phase have several slots, so phases follow the first slot's start.
            let Some(slot) = slots.first() else { return Vec::new() };
            let mut start = slot.start;
            let cut = |(end, weight): (i64, f64)| {
                let end = after(slot.start, end).unwrap_or(slot.end);
                (Slot { start: std::mem::replace(&mut start, end), end }, weight)
            };
            return weights.into_iter().map(cut).collect();
        };
        slots.iter().map(|slot| (*slot, *weight)).collect()
    }
}

/// The longest job: what fits nanoseconds in an `i64`.
const LONGEST: Duration = Duration::from_secs(290 * 365 * 86_400);

/// The integral of a series over weighted pieces, in value · weight · hours; none over a gap.
fn integral<V>(series: &Series<V>, pieces: &[(Slot, f64)], value: impl Fn(&V) -> f64) -> Option<f64> {
    let mut sum = 0.0;
    for (slot, weight) in pieces {
        if !series.covers(slot.start, slot.end) {
            return None;
        }
        let steps = series.steps();
        let first = steps.partition_point(|step| step.end <= slot.start);
        let inside = steps.iter().skip(first).take_while(|step| step.start < slot.end);
        let part = |step: &Step<V>| value(&step.value) * hours(step.start.max(slot.start), step.end.min(slot.end));
        sum += weight * inside.map(part).sum::<f64>();
    }
    Some(sum)
}

fn hours(from: Timestamp, to: Timestamp) -> f64 {
    span(from, to).as_secs_f64() / 3600.0
}

/// In whole nanoseconds, at most `i64::MAX`.
pub(super) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A time plus nanoseconds.
pub(super) fn after(start: Timestamp, nanoseconds: i64) -> Option<Timestamp> {
    start.checked_add(jiff::SignedDuration::from_nanos(nanoseconds)).ok()
}

/// A time as people give it: RFC 3339, or without an offset as the wall clock of `zone`.
///
/// A wall-clock time that the change of the clocks skips is taken as the hour after; one that comes
/// twice as the first.
///
/// # Errors
/// Neither form.
pub fn local_instant(text: &str, zone: &TimeZone) -> Result<Timestamp, jiff::Error> {
    text.parse().or_else(|_| text.parse::<DateTime>()?.to_zoned(zone.clone()).map(|local| local.timestamp()))
}
