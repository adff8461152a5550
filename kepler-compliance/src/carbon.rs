//! Emissions from energy. Terms follow the GHG Protocol Scope 2 guidance, ISO/IEC 30134 (PUE and
//! its relatives) and ISO/IEC 21031 (SCI).
//!
//! ```text
//! E_fac = E_IT * PUE        C = E_fac * CI        rate = P * PUE * CI        CI_eff = CI * PUE
//! ```
//! Every argument is typed, so what mixes watts, watt-hours, g/h and g/kWh does not compile:
//!
//! ```
//! use kepler_compliance::carbon;
//! use kepler_compliance::intensity::IntensityFigure;
//! use kepler_compliance::units::{CarbonIntensity, CarbonMass, CarbonRate, Energy, Power, Pue};
//!
//! let grid = CarbonIntensity::from_grams_per_kilowatt_hour(424.0);
//! let (power, energy) = (Power::from_watts(57.5), Energy::from_microjoules(3_600_000_000));
//! let hourly: CarbonRate = carbon::rate(power, Pue::ONE, grid);
//! let emitted: CarbonMass = carbon::emissions(energy, Pue::ONE, grid);
//! assert!(hourly > CarbonRate::from_grams_per_hour(24.37));
//! fn same(a: &IntensityFigure, b: &IntensityFigure) -> bool { a == b }
//! ```
//! An intensity's place taken by a rate, energy's by power:
//! ```compile_fail,E0308
//! # use kepler_compliance::carbon;
//! # use kepler_compliance::units::{CarbonRate, Power, Pue};
//! let hourly = CarbonRate::from_grams_per_hour(24.38);
//! carbon::rate(Power::from_watts(57.5), Pue::ONE, hourly);
//! ```
//! ```compile_fail,E0308
//! # use kepler_compliance::carbon;
//! # use kepler_compliance::units::{CarbonIntensity, Power, Pue};
//! let grid = CarbonIntensity::from_grams_per_kilowatt_hour(424.0);
//! carbon::emissions(Power::from_watts(57.5), Pue::ONE, grid);
//! ```
//! A rate taken for a mass, or compared with an intensity; watts and an intensity added up:
//! ```compile_fail,E0308
//! # use kepler_compliance::units::{CarbonIntensity, CarbonMass, Power};
//! let grid = CarbonIntensity::from_grams_per_kilowatt_hour(424.0);
//! let _: CarbonMass = Power::from_watts(57.5) * grid;
//! ```
//! ```compile_fail,E0308
//! # use kepler_compliance::units::{CarbonIntensity, CarbonRate};
//! let _ = CarbonRate::from_grams_per_hour(24.38) < CarbonIntensity::from_grams_per_kilowatt_hour(424.0);
//! ```
//! ```compile_fail,E0308
//! # use kepler_compliance::units::{CarbonIntensity, Power};
//! let _ = Power::from_watts(57.5) + CarbonIntensity::from_grams_per_kilowatt_hour(424.0);
//! ```
//! Two figures of intensity compared without regard to what they measure:
//! ```compile_fail,E0369
//! # use kepler_compliance::intensity::IntensityFigure;
//! fn dirtier(a: &IntensityFigure, b: &IntensityFigure) -> bool { a > b }
//! ```

mod market;
mod sci;
mod site;

pub use market::{Contract, ContractError, ContractVolume, MarketBased, market_based, market_based_over};
pub use sci::{Embodied, FunctionalUnit, Sci, SciError, sci};
pub use site::{Cue, Erf, Ref, SiteError, Water, Wue, measured_pue};

use crate::series::{Series, span};
use crate::units::{CarbonIntensity, CarbonMass, CarbonRate, Energy, Power, Pue};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Hours in a month wherever this project projects one: 8760 h / 12.
pub const HOURS_PER_MONTH: u64 = 730;

/// IT energy of a window: the sum of the counter deltas in it.
#[must_use]
pub fn it_energy(deltas: impl IntoIterator<Item = Energy>) -> Energy {
    deltas.into_iter().sum()
}

/// Energy the facility draws for this IT energy: `E_fac = E_IT * PUE`.
#[must_use]
pub fn facility_energy(it: Energy, pue: Pue) -> Energy {
    it * pue
}

/// Location-based emissions of this IT energy: `C = E_IT * PUE * CI`.
#[must_use]
pub fn emissions(it: Energy, pue: Pue, grid: CarbonIntensity) -> CarbonMass {
    it * effective_intensity(grid, pue)
}

/// Emissions per hour at this IT power: `P * PUE * CI`.
#[must_use]
pub fn rate(power: Power, pue: Pue, grid: CarbonIntensity) -> CarbonRate {
    power * effective_intensity(grid, pue)
}

/// Emissions per kilowatt-hour of IT energy, `CI_eff = CI * PUE`: what a workload's "current carbon
/// intensity" means in this project.
#[must_use]
pub fn effective_intensity(grid: CarbonIntensity, pue: Pue) -> CarbonIntensity {
    grid * pue
}

/// Emissions over a time series, with how much of the energy they speak for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Emissions {
    /// Emissions of the covered energy.
    pub mass: CarbonMass,
    /// Facility energy that emitted it: the covered IT energy, each part times its PUE.
    pub facility: Energy,
    /// IT energy for which PUE and intensity were known.
    pub covered: Energy,
    /// IT energy for which one of them was not; its emissions are unknown, not zero.
    pub uncovered: Energy,
}

impl Emissions {
    /// Covered share of the energy, 0 to 1; none when there was no energy.
    #[must_use]
    pub fn coverage(&self) -> Option<f64> {
        let total = self.covered + self.uncovered;
        (total > Energy::ZERO).then(|| self.covered.joules() / total.joules())
    }

    /// Mean grid intensity of the covered energy; none when there was none.
    #[must_use]
    pub fn mean_intensity(&self) -> Option<CarbonIntensity> {
        let grams = |energy: Energy| self.mass.grams() / energy.kilowatt_hours();
        (self.facility > Energy::ZERO).then(|| CarbonIntensity::from_grams_per_kilowatt_hour(grams(self.facility)))
    }

    fn add(&mut self, it: Energy, grid: CarbonIntensity, pue: Pue) {
        self.covered += it;
        self.facility += facility_energy(it, pue);
        self.mass += emissions(it, pue, grid);
    }
}

/// `C = sum over t of E(t) * PUE(t) * CI(t)`, location-based.
///
/// A step of `energy` holds the IT energy *of that step*, taken as drawn evenly over it, so the
/// three series may have different steps. `covered + uncovered` is exactly the sum of `energy`.
#[must_use]
pub fn emissions_over(energy: &Series<Energy>, pue: &Series<Pue>, grid: &Series<CarbonIntensity>) -> Emissions {
    let factor = grid.zip(pue);
    let none = Energy::ZERO;
    let mut sum = Emissions { mass: CarbonMass::ZERO, facility: none, covered: none, uncovered: none };
    for step in energy.steps() {
        let mut left = step.value;
        let parts = factor.steps();
        let first = parts.partition_point(|part| part.end <= step.start);
        for part in parts.iter().skip(first).take_while(|part| part.start < step.end) {
            let inside = span(part.start.max(step.start), part.end.min(step.end));
            let whole = part.start <= step.start && part.end >= step.end;
            let share = if whole { left } else { left.min(step.value.over(step.length()) * inside) };
            left = left - share;
            sum.add(share, part.value.0, part.value.1);
        }
        // An interval covered piece by piece leaves a microjoule or so of rounding: charge it to
        // one of the pieces rather than report it as unknown.
        match factor.at(step.start) {
            Some(&(grid, pue)) if factor.covers(step.start, step.end) => sum.add(left, grid, pue),
            _ => sum.uncovered += left,
        }
    }
    sum
}

/// A figure carried from an observed window to a longer period: a projection, not a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Projected<T> {
    /// The projected amount.
    pub projected: T,
    /// The period it is projected to.
    pub period: Duration,
    /// The observed window it rests on.
    pub window: Duration,
}

impl Projected<Energy> {
    /// Energy at the mean power of the window, over `period`; none for an empty window.
    #[must_use]
    pub fn energy(observed: Energy, window: Duration, period: Duration) -> Option<Self> {
        (!window.is_zero()).then(|| Projected { projected: observed.over(window) * period, period, window })
    }

    /// The same over a month of [`HOURS_PER_MONTH`].
    #[must_use]
    pub fn monthly_energy(observed: Energy, window: Duration) -> Option<Self> {
        Self::energy(observed, window, MONTH)
    }
}

impl Projected<CarbonMass> {
    /// Emissions at the mean rate of the window, over `period`; none for an empty window.
    #[must_use]
    pub fn emissions(observed: CarbonMass, window: Duration, period: Duration) -> Option<Self> {
        let mass = |window: Duration| observed.grams() / window.as_secs_f64() * period.as_secs_f64();
        (!window.is_zero()).then(|| Projected { projected: CarbonMass::from_grams(mass(window)), period, window })
    }

    /// The same over a month of [`HOURS_PER_MONTH`].
    #[must_use]
    pub fn monthly_emissions(observed: CarbonMass, window: Duration) -> Option<Self> {
        Self::emissions(observed, window, MONTH)
    }
}

/// A month, as a length of time.
const MONTH: Duration = Duration::from_secs(HOURS_PER_MONTH * 3600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Step;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn g(grams: f64) -> CarbonIntensity {
        CarbonIntensity::from_grams_per_kilowatt_hour(grams)
    }

    #[test]
    fn emissions_weigh_each_hour_with_its_own_intensity() {
        let hour = Duration::from_secs(3600);
        let kwh = Energy::from_kilowatt_hours(1.0);
        let energy = Series::regular(at(0), hour * 2, [kwh + kwh, kwh + kwh]).unwrap();
        let grid = Series::regular(at(0), hour, [g(100.0), g(300.0), g(500.0)]).unwrap();
        let pue = Series::constant(at(0), at(4 * 3600), Pue::new(1.5).unwrap()).unwrap();
        let sum = emissions_over(&energy, &pue, &grid);
        assert!((sum.mass.grams() - 1.5 * 900.0).abs() < 1e-6, "{sum:?}");
        assert_eq!(sum.covered, Energy::from_kilowatt_hours(3.0));
        assert_eq!(sum.uncovered, kwh, "the fourth hour has no intensity");
        assert_eq!(sum.coverage(), Some(0.75));
        assert_eq!(sum.facility, Energy::from_kilowatt_hours(4.5));
        assert!((sum.mean_intensity().unwrap().grams_per_kilowatt_hour() - 300.0).abs() < 1e-6);
    }

    #[test]
    fn a_month_is_730_hours_and_names_its_window() {
        let window = Duration::from_secs(300);
        let month = Projected::monthly_energy(Energy::from_joules(300.0), window).unwrap();
        assert!((month.projected.kilowatt_hours() - 0.73).abs() < 1e-12);
        assert_eq!(month.window, window);
        let mass = Projected::monthly_emissions(CarbonMass::from_grams(1.0), Duration::from_secs(3600)).unwrap();
        assert!((mass.projected.grams() - 730.0).abs() < 1e-9);
        assert_eq!(Projected::monthly_energy(Energy::ZERO, Duration::ZERO), None);
    }

    proptest! {
        #[test]
        fn more_energy_never_emits_less(a: u64, b: u64, ci in 0.0..2000.0f64, pue in 1.0..3.0f64) {
            let pue = Pue::new(pue).unwrap();
            let less = emissions(Energy::from_microjoules(a.min(b)), pue, g(ci));
            let more = emissions(Energy::from_microjoules(a.max(b)), pue, g(ci));
            prop_assert!(more >= less);
        }

        #[test]
        fn the_rate_over_an_hour_is_the_mass_of_that_hour(w in 0.0..1e6f64, ci in 0.0..2000.0f64, pue in 1.0..3.0f64) {
            let (power, pue, hour) = (Power::from_watts(w), Pue::new(pue).unwrap(), Duration::from_secs(3600));
            let by_rate = (rate(power, pue, g(ci)) * hour).grams();
            let by_energy = emissions(power * hour, pue, g(ci)).grams();
            prop_assert!((by_rate - by_energy).abs() <= 1e-6 * (1.0 + by_rate));
        }

        #[test]
        fn no_microjoule_is_lost_between_covered_and_uncovered(
            energies in prop::collection::vec(0u64..1_000_000_000_000, 1..20),
            cuts in prop::collection::vec((1i64..4000, any::<bool>()), 1..40),
        ) {
            let energy = Series::regular(at(0), Duration::from_secs(997), energies.iter().copied().map(Energy::from_microjoules)).unwrap();
            let mut time = 0;
            let mut steps = Vec::new();
            for (length, known) in cuts {
                if known { steps.push(Step { start: at(time), end: at(time + length), value: g(400.0) }); }
                time += length;
            }
            let grid = Series::new(steps).unwrap();
            let pue = Series::constant(at(-1), at(10_000_000), Pue::ONE).unwrap();
            let sum = emissions_over(&energy, &pue, &grid);
            prop_assert_eq!(sum.covered + sum.uncovered, energies.iter().copied().map(Energy::from_microjoules).sum());
        }
    }
}
