//! Embodied carbon and the Software Carbon Intensity, ISO/IEC 21031:2024.

use crate::units::CarbonMass;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A machine's embodied emissions and the part of it that was reserved.
///
/// `M = TE * (TiR / EL) * (RR / ToR)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "the parameters of ISO/IEC 21031")]
pub struct Embodied {
    /// TE: emissions of making and disposing of the hardware, usually from its life-cycle report.
    pub total: CarbonMass,
    /// TiR: how long the resources were reserved.
    pub time_reserved: Duration,
    /// EL: how long the hardware is expected to serve.
    pub expected_life: Duration,
    /// RR: resources reserved, for instance vCPUs.
    pub resources_reserved: f64,
    /// ToR: resources the hardware has, in the same unit.
    pub total_resources: f64,
}

/// The unit that SCI counts by: requests, users, training runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "the parameters of ISO/IEC 21031")]
pub struct FunctionalUnit {
    /// What is counted, in the singular.
    pub name: String,
    /// R: how many there were, above zero.
    pub count: f64,
}

/// A Software Carbon Intensity: grams of CO2 equivalent per functional unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sci {
    /// Grams per unit.
    pub grams_per_unit: f64,
    /// The unit's name.
    pub unit: String,
}

/// Inputs for which the formula has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SciError {
    /// No functional unit was counted.
    #[error("SCI per `{unit}` needs a count above zero, not {count}: a rate per nothing does not exist")]
    NoUnits {
        /// What is counted.
        unit: String,
        /// The count as given.
        count: f64,
    },
    /// A life of zero.
    #[error("the expected life of the hardware is zero: give how long it is to serve, for instance 4 years")]
    NoLife,
    /// More reserved than there is, or a count that is not one.
    #[error("{reserved} of {total} resources reserved: both in one unit, 0 <= reserved <= total, total above 0")]
    Resources {
        /// RR as given.
        reserved: f64,
        /// ToR as given.
        total: f64,
    },
}

impl Embodied {
    /// M: the share of the embodied emissions that this reservation carries.
    ///
    /// The time is not capped at the expected life: a machine that serves longer than planned has
    /// carried all its embodied emissions already, and the caller decides what that means.
    ///
    /// # Errors
    /// An expected life of zero, or resources outside 0 to the total.
    pub fn share(&self) -> Result<CarbonMass, SciError> {
        let (reserved, total) = (self.resources_reserved, self.total_resources);
        if self.expected_life.is_zero() {
            return Err(SciError::NoLife);
        }
        if !(total.is_finite() && total > 0.0 && (0.0..=total).contains(&reserved)) {
            return Err(SciError::Resources { reserved, total });
        }
        let time = self.time_reserved.as_secs_f64() / self.expected_life.as_secs_f64();
        Ok(CarbonMass::from_grams(self.total.grams() * time * (reserved / total)))
    }
}

/// `SCI = (C + M) / R`. By the standard, `operational` is location-based: contracts do not lower it.
///
/// # Errors
/// A count of functional units that is zero, negative or undefined.
pub fn sci(operational: CarbonMass, embodied: CarbonMass, units: &FunctionalUnit) -> Result<Sci, SciError> {
    if !(units.count.is_finite() && units.count > 0.0) {
        return Err(SciError::NoUnits { unit: units.name.clone(), count: units.count });
    }
    Ok(Sci { grams_per_unit: (operational + embodied).grams() / units.count, unit: units.name.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Embodied {
        Embodied {
            total: CarbonMass::from_grams(1_200_000.0),
            time_reserved: Duration::from_secs(3600),
            expected_life: Duration::from_secs(4 * 8760 * 3600),
            resources_reserved: 4.0,
            total_resources: 64.0,
        }
    }

    #[test]
    fn four_of_sixty_four_cores_for_an_hour_carry_their_share_of_the_making() {
        let share = server().share().unwrap().grams();
        assert!((share - 1_200_000.0 / (4.0 * 8760.0) / 16.0).abs() < 1e-9, "{share}");
    }

    #[test]
    fn sci_is_operational_and_embodied_per_unit() {
        let unit = FunctionalUnit { name: "request".into(), count: 1000.0 };
        let sci = sci(CarbonMass::from_grams(30.0), CarbonMass::from_grams(10.0), &unit).unwrap();
        assert!((sci.grams_per_unit - 0.04).abs() < 1e-12);
    }

    #[test]
    fn nothing_served_and_impossible_reservations_are_errors_not_infinities() {
        let none = FunctionalUnit { name: "request".into(), count: 0.0 };
        assert!(matches!(sci(CarbonMass::ZERO, CarbonMass::ZERO, &none), Err(SciError::NoUnits { .. })));
        assert!(matches!(Embodied { expected_life: Duration::ZERO, ..server() }.share(), Err(SciError::NoLife)));
        let over = Embodied { resources_reserved: 65.0, ..server() };
        assert!(matches!(over.share(), Err(SciError::Resources { .. })));
    }
}
