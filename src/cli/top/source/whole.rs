//! Meters of the whole machine in answers of the REST interface.

use super::super::model::frame::Trust;
use super::super::model::whole::{Residual, Whole};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct PlatformAnswer {
    source: String,
    bmc_id: String,
    chassis_id: String,
    source_id: String,
    scope: String,
    method: String,
    error_ratio: Option<f64>,
    energy_joules: f64,
    covered_seconds: f64,
    power_watts: Option<f64>,
    age_seconds: Option<f64>,
    fault: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ResidualAnswer {
    source: String,
    method: String,
    error_ratio: Option<f64>,
    energy_joules: f64,
    covered_seconds: f64,
    power_watts: Option<f64>,
    fault: Option<String>,
}

impl PlatformAnswer {
    pub(super) fn whole(self) -> Whole {
        Whole {
            source: self.source,
            bmc_id: self.bmc_id,
            chassis_id: self.chassis_id,
            source_id: self.source_id,
            scope: self.scope,
            trust: Trust::named(&self.method),
            error_ratio: self.error_ratio,
            watts: self.power_watts,
            joules: self.energy_joules,
            covered_seconds: self.covered_seconds,
            age_seconds: self.age_seconds,
            fault: self.fault,
        }
    }
}

impl ResidualAnswer {
    pub(super) fn residual(self) -> Residual {
        Residual {
            source: self.source,
            trust: Trust::named(&self.method),
            error_ratio: self.error_ratio,
            watts: self.power_watts,
            joules: self.energy_joules,
            covered_seconds: self.covered_seconds,
            fault: self.fault,
        }
    }
}
