//! The formulas of `kepler_compliance::carbon`, with plain numbers; the units are in the names.

use crate::errors::{ConfigurationError, message_and_remedy};
use jiff::Timestamp;
use kepler_compliance::carbon::{
    self, Contract, ContractVolume, Cue, Embodied, Erf, FunctionalUnit, Ref, Water, Wue, measured_pue,
};
use kepler_compliance::series::{Series, Step};
use kepler_compliance::units::{CarbonIntensity, CarbonMass, Energy, Power, Pue};
use pyo3::prelude::*;
use std::fmt::Display;
use std::time::Duration;

fn wrong(error: impl Display) -> PyErr {
    ConfigurationError::new_err(message_and_remedy(&error))
}

/// An amount that may be no negative one: the types of the library would take it for zero.
fn amount(what: &str, value: f64) -> PyResult<f64> {
    if value.is_finite() && value >= 0.0 {
        return Ok(value);
    }
    Err(ConfigurationError::new_err((format!("{what} = {value}"), "give a finite figure of 0 or more")))
}

fn kwh(what: &str, value: f64) -> PyResult<Energy> {
    Ok(Energy::from_kilowatt_hours(amount(what, value)?))
}

fn grid(value: f64) -> PyResult<CarbonIntensity> {
    Ok(CarbonIntensity::from_grams_per_kilowatt_hour(amount("grid_intensity", value)?))
}

fn ratio(value: f64) -> PyResult<Pue> {
    Pue::new(value).map_err(wrong)
}

fn seconds(what: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|error| {
        ConfigurationError::new_err((format!("{what} = {value} s: {error}"), "give a length of time in seconds"))
    })
}

/// Grams of CO2e that IT energy emits: energy times PUE times grid intensity.
#[pyfunction]
#[pyo3(signature = (energy_kwh, grid_intensity, pue=1.0))]
fn emissions(energy_kwh: f64, grid_intensity: f64, pue: f64) -> PyResult<f64> {
    Ok(carbon::emissions(kwh("energy_kwh", energy_kwh)?, ratio(pue)?, grid(grid_intensity)?).grams())
}

/// Grams of CO2e an hour at an IT power: power times PUE times grid intensity.
#[pyfunction]
#[pyo3(signature = (power_watts, grid_intensity, pue=1.0))]
fn emission_rate(power_watts: f64, grid_intensity: f64, pue: f64) -> PyResult<f64> {
    let power = Power::from_watts(amount("power_watts", power_watts)?);
    Ok(carbon::rate(power, ratio(pue)?, grid(grid_intensity)?).grams_per_hour())
}

/// Grid intensity times PUE: gCO2e per kWh of IT energy.
#[pyfunction]
fn effective_intensity(grid_intensity: f64, pue: f64) -> PyResult<f64> {
    Ok(carbon::effective_intensity(grid(grid_intensity)?, ratio(pue)?).grams_per_kilowatt_hour())
}

/// A stretch of time and a value: start and end in nanoseconds since 1970.
type Stretch = (i64, i64, f64);

fn series<V>(stretches: Vec<Stretch>, value: impl Fn(f64) -> PyResult<V>) -> PyResult<Series<V>> {
    let at = |ns: i64| Timestamp::from_nanosecond(i128::from(ns)).map_err(wrong);
    let step = |(start, end, x)| Ok(Step { start: at(start)?, end: at(end)?, value: value(x)? });
    Series::new(stretches.into_iter().map(step).collect::<PyResult<_>>()?).map_err(wrong)
}

/// Emissions of energy over time: (grams, facility kWh, covered kWh, uncovered kWh, mean gCO2e/kWh or None).
#[pyfunction]
fn emissions_over(
    energy: Vec<Stretch>,
    intensity: Vec<Stretch>,
    pue: f64,
) -> PyResult<(f64, f64, f64, f64, Option<f64>)> {
    let energy = series(energy, |x| kwh("energy", x))?;
    let grid = series(intensity, grid)?;
    let ratio = ratio(pue)?;
    let sum = carbon::emissions_over(&energy, &grid.map(|_| ratio), &grid);
    let mean = sum.mean_intensity().map(CarbonIntensity::grams_per_kilowatt_hour);
    let kwh = Energy::kilowatt_hours;
    Ok((sum.mass.grams(), kwh(sum.facility), kwh(sum.covered), kwh(sum.uncovered), mean))
}

/// Grams of a machine's embodied emissions that a reservation carries: TE * (TiR / EL) * (RR / ToR).
#[pyfunction]
fn embodied(
    total_grams: f64,
    reserved_seconds: f64,
    life_seconds: f64,
    resources_reserved: f64,
    total_resources: f64,
) -> PyResult<f64> {
    let embodied = Embodied {
        total: CarbonMass::from_grams(amount("total_grams", total_grams)?),
        time_reserved: seconds("time_reserved", reserved_seconds)?,
        expected_life: seconds("expected_life", life_seconds)?,
        resources_reserved,
        total_resources,
    };
    Ok(embodied.share().map_err(wrong)?.grams())
}

/// Software Carbon Intensity, grams of CO2e per functional unit (ISO/IEC 21031): (C + M) / R.
#[pyfunction]
fn sci(operational_grams: f64, embodied_grams: f64, count: f64, unit: String) -> PyResult<f64> {
    let mass = |what, grams| Ok::<_, PyErr>(CarbonMass::from_grams(amount(what, grams)?));
    let (operational, embodied) =
        (mass("operational_grams", operational_grams)?, mass("embodied_grams", embodied_grams)?);
    let sci = carbon::sci(operational, embodied, &FunctionalUnit { name: unit, count }).map_err(wrong)?;
    Ok(sci.grams_per_unit)
}

/// PUE from metered energies of one site and period: facility over IT (ISO/IEC 30134-2).
#[pyfunction]
fn pue(facility_kwh: f64, it_kwh: f64) -> PyResult<f64> {
    Ok(measured_pue(kwh("facility_kwh", facility_kwh)?, kwh("it_kwh", it_kwh)?).map_err(wrong)?.ratio())
}

/// Renewable energy factor, 0 to 1 (ISO/IEC 30134-3).
#[pyfunction]
fn renewable_energy_factor(renewable_kwh: f64, total_kwh: f64) -> PyResult<f64> {
    Ok(Ref::new(kwh("renewable_kwh", renewable_kwh)?, kwh("total_kwh", total_kwh)?).map_err(wrong)?.share())
}

/// Energy reuse factor, 0 to 1 (ISO/IEC 30134-6).
#[pyfunction]
fn energy_reuse_factor(reused_kwh: f64, total_kwh: f64) -> PyResult<f64> {
    Ok(Erf::new(kwh("reused_kwh", reused_kwh)?, kwh("total_kwh", total_kwh)?).map_err(wrong)?.share())
}

/// Water usage effectiveness, litres per kWh of IT energy (ISO/IEC 30134-9).
#[pyfunction]
fn water_usage_effectiveness(water_litres: f64, it_kwh: f64) -> PyResult<f64> {
    let water = Water::from_litres(water_litres);
    Ok(Wue::new(water, kwh("it_kwh", it_kwh)?).map_err(wrong)?.litres_per_kilowatt_hour())
}

/// Carbon usage effectiveness, gCO2e per kWh of IT energy (ISO/IEC 30134-8).
#[pyfunction]
fn carbon_usage_effectiveness(emissions_grams: f64, it_kwh: f64) -> PyResult<f64> {
    let mass = CarbonMass::from_grams(emissions_grams);
    Ok(Cue::new(mass, kwh("it_kwh", it_kwh)?).map_err(wrong)?.intensity().grams_per_kilowatt_hour())
}

/// Market-based emissions: (grams, contracted kWh, residual kWh, surplus kWh). A contract is its name, the share
/// or else the kWh it covers, and its intensity.
#[pyfunction]
fn market_based(
    facility_kwh: f64,
    residual_intensity: f64,
    contracts: Vec<(String, Option<f64>, Option<f64>, f64)>,
) -> PyResult<(f64, f64, f64, f64)> {
    let contract = |(name, share, energy, intensity): (String, Option<f64>, Option<f64>, f64)| {
        let volume = match (share, energy) {
            (Some(share), None) => ContractVolume::Share(share),
            (None, Some(energy)) => ContractVolume::Energy(kwh("kwh", energy)?),
            _ => {
                let message = format!("contract `{name}` covers neither a share nor an amount, or both");
                return Err(ConfigurationError::new_err((message, "give share or kwh")));
            }
        };
        Ok(Contract { name, volume, intensity: CarbonIntensity::from_grams_per_kilowatt_hour(intensity) })
    };
    let contracts = contracts.into_iter().map(contract).collect::<PyResult<Vec<_>>>()?;
    let sum = carbon::market_based(kwh("facility_kwh", facility_kwh)?, grid(residual_intensity)?, &contracts);
    let sum = sum.map_err(wrong)?;
    let kwh = Energy::kilowatt_hours;
    Ok((sum.mass.grams(), kwh(sum.contracted), kwh(sum.residual), kwh(sum.surplus)))
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(emissions, module)?)?;
    module.add_function(wrap_pyfunction!(emission_rate, module)?)?;
    module.add_function(wrap_pyfunction!(effective_intensity, module)?)?;
    module.add_function(wrap_pyfunction!(emissions_over, module)?)?;
    module.add_function(wrap_pyfunction!(embodied, module)?)?;
    module.add_function(wrap_pyfunction!(sci, module)?)?;
    module.add_function(wrap_pyfunction!(pue, module)?)?;
    module.add_function(wrap_pyfunction!(renewable_energy_factor, module)?)?;
    module.add_function(wrap_pyfunction!(energy_reuse_factor, module)?)?;
    module.add_function(wrap_pyfunction!(water_usage_effectiveness, module)?)?;
    module.add_function(wrap_pyfunction!(carbon_usage_effectiveness, module)?)?;
    module.add_function(wrap_pyfunction!(market_based, module)?)
}
