//! What energy of a time emits and costs on the mean.

use super::super::report::cost_of_steps;
use super::super::trend::{self, emitted};
use crate::carbon::{emissions, facility_energy};
use crate::context::Context;
use crate::facility::Facility;
use crate::tariff::Cost;
use crate::units::{CarbonMass, Energy};
use crate::view::{EnergySeries, TimeRange};

/// What a joule emits and costs on the mean of the time.
pub(super) struct Means {
    /// gCO2e a joule of IT energy.
    grams: Option<f64>,
    cost: Option<f64>,
    pub(super) has_gaps: bool,
}

impl Means {
    pub(super) fn of(
        context: &Context<'_>,
        facility: &Facility,
        series: Option<&EnergySeries>,
        range: TimeRange,
    ) -> Self {
        let joules = series.and_then(trend::energy).map(Energy::joules).filter(|joules| *joules > 0.0);
        let emitted = series.and_then(|series| emitted(context, facility, series));
        let cost = series.zip(facility.ratio());
        let cost = cost.and_then(|(series, pue)| cost_of_steps(&series.steps, range, pue, context.settings));
        let mean = |sum: Option<f64>| sum.zip(joules).map(|(sum, joules)| sum / joules);
        let stated = context.settings.price.as_ref().filter(|_| context.settings.tariff.is_none());
        let one = facility.ratio().map(|pue| facility_energy(Energy::from_joules(3.6e6), pue));
        let stated = stated.zip(one).map(|(price, energy)| (energy * price.per_kwh).amount() / 3.6e6);
        Means {
            grams: mean(emitted.as_ref().map(|emitted| emitted.mass.grams())),
            cost: mean(cost.map(Cost::amount)).or(stated),
            has_gaps: emitted.is_some_and(|emitted| emitted.has_gaps),
        }
    }

    pub(super) fn emissions(&self, energy: Option<Energy>, facility: &Facility) -> Option<f64> {
        let energy = energy?;
        let by_facility = || Some(CarbonMass::grams(emissions(energy, facility.ratio()?, facility.intensity()?)));
        self.grams.map(|grams| grams * energy.joules()).or_else(by_facility)
    }

    pub(super) fn cost(&self, energy: Option<Energy>, facility: &Facility) -> Option<f64> {
        facility.ratio()?;
        Some(self.cost? * energy?.joules())
    }
}
