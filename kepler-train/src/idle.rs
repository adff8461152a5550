//! Separating idle from dynamic power: from measured rows to `DynPower`.
//!
//! ```
//! # use kepler_core::model::Semantics;
//! # use kepler_core::units::ZoneKind;
//! # use kepler_train::Dataset;
//! # let busy: Vec<f64> = (0..200).map(|row| f64::from(row * 37 % 100) * 10.0).collect();
//! # let watts = busy.iter().map(|busy| 20.0 + busy / 25.0).collect();
//! # let data = Dataset::new(vec!["bpf_cpu_time_ms".to_owned()], busy, vec![(ZoneKind::Package, watts)], Semantics::AsNamed)?;
//! use kepler_train::idle::{Idle, idle_power, without_idle};
//!
//! // `data`: a machine that draws 20 W idle.
//! assert!((idle_power(&data, ZoneKind::Package, Idle::Regression)? - 20.0).abs() < 0.1);
//! let dynamic = without_idle(&data, Idle::Known(20.0))?;
//! assert_eq!(dynamic.len(), data.len());
//! # Ok::<(), kepler_train::TrainError>(())
//! ```

use crate::linear::{self, LinearMethod};
use crate::trees::quantile;
use crate::{Dataset, TrainError};
use kepler_core::units::ZoneKind;

/// How the idle power of a component is found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Idle {
    /// The least power of any row: the only one that leaves nothing negative. A spike downwards decides it.
    Minimum,
    /// The median power of the tenth of rows with the least activity (features scaled to their largest value, and summed up).
    #[default]
    Profile,
    /// What a non-negative linear model says at no activity at all.
    Regression,
    /// Known from elsewhere, W.
    Known(f64),
}

/// The idle power of a component, W.
///
/// # Errors
/// The component is not in the dataset, or a known idle power is negative or no number.
pub fn idle_power(data: &Dataset, zone: ZoneKind, how: Idle) -> Result<f64, TrainError> {
    let target = data.targets().iter().find(|(kind, _)| *kind == zone).map(|(_, target)| target);
    let target = target.ok_or_else(|| TrainError::NoColumn { column: zone.name().to_owned(), there: String::new() })?;
    let least = target.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(match how {
        Idle::Minimum => least,
        Idle::Profile => {
            let mut rows: Vec<(f64, f64)> = activity(data).into_iter().zip(target.iter().copied()).collect();
            rows.sort_by(|a, b| a.0.total_cmp(&b.0));
            rows.truncate((rows.len() / 10).max(1));
            let mut watts: Vec<f64> = rows.into_iter().map(|(_, watts)| watts).collect();
            quantile(&mut watts, 0.5)
        }
        Idle::Regression => {
            let linear = linear::fit(data.rows(), data.width(), target, LinearMethod::NonNegative)?;
            // No machine idles below zero or above what it was seen to draw at least.
            linear.bias.clamp(0.0, target.iter().copied().fold(least, f64::max))
        }
        Idle::Known(watts) if watts.is_finite() && watts >= 0.0 => watts,
        Idle::Known(watts) => {
            return Err(TrainError::Setting {
                what: "idle power",
                value: watts.to_string(),
                remedy: "give 0 W or more",
            });
        }
    })
}

/// The rows with idle power taken off, never below zero.
///
/// # Errors
/// As for [`idle_power`].
pub fn without_idle(data: &Dataset, how: Idle) -> Result<Dataset, TrainError> {
    let mut targets = Vec::new();
    for (zone, target) in data.targets() {
        let idle = idle_power(data, *zone, how)?;
        targets.push((*zone, target.iter().map(|watts| (watts - idle).max(0.0)).collect()));
    }
    Dataset::new(data.features().to_vec(), data.rows().to_vec(), targets, data.semantics())
}

fn activity(data: &Dataset) -> Vec<f64> {
    let width = data.width().max(1);
    let most = |index| data.rows().iter().skip(index).step_by(width).fold(0.0_f64, |most, value| most.max(value.abs()));
    let most: Vec<f64> = (0..width).map(most).collect();
    let sum =
        |row: &[f64]| row.iter().zip(&most).filter(|(_, most)| **most > 0.0).map(|(value, most)| value / most).sum();
    data.rows().chunks_exact(width).map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepler_core::model::Semantics;

    #[test]
    fn each_way_finds_the_idle_power_of_a_straight_line() {
        let rows: Vec<f64> = (0..200).map(|n| f64::from(n % 50)).collect();
        let target: Vec<f64> = rows.iter().map(|busy| 40.0 + 2.0 * busy).collect();
        let data =
            Dataset::new(vec!["busy".to_owned()], rows, vec![(ZoneKind::Package, target)], Semantics::AsNamed).unwrap();
        for (how, tolerance) in
            [(Idle::Minimum, 1e-9), (Idle::Profile, 5.0), (Idle::Regression, 1e-6), (Idle::Known(40.0), 0.0)]
        {
            let idle = idle_power(&data, ZoneKind::Package, how).unwrap();
            assert!((idle - 40.0).abs() <= tolerance, "{how:?}: {idle}");
            assert!(without_idle(&data, how).unwrap().targets()[0].1.iter().all(|&watts| watts >= 0.0));
        }
        assert!(idle_power(&data, ZoneKind::Package, Idle::Known(-1.0)).is_err());
        assert!(idle_power(&data, ZoneKind::Dram, Idle::Minimum).is_err());
    }
}
