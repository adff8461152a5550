//! Meters of the whole machine, and what it draws beside its parts. They contain the zones and are never added to them.

use super::trust::Trust;
use kepler_core::snapshot::{PlatformResidual, PlatformRow};

/// A meter of the whole machine.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    /// By what it is asked: `redfish`, `http`, …
    pub(crate) source: String,
    /// Which one of these.
    pub(crate) bmc_id: String,
    pub(crate) chassis_id: String,
    pub(crate) source_id: String,
    /// `node`, `part` or `shared`.
    pub(crate) scope: String,
    pub(crate) trust: Trust,
    pub(crate) error_ratio: Option<f64>,
    /// Not known where its newest reading is not believed or too old.
    pub(crate) watts: Option<f64>,
    pub(crate) joules: f64,
    /// The time that this energy is of.
    pub(crate) covered_seconds: f64,
    /// How old its newest reading is.
    pub(crate) age_seconds: Option<f64>,
    /// Why it cannot be read or is not believed.
    pub(crate) fault: Option<String>,
}

/// What the machine draws beside the parts that have meters of their own.
#[derive(Clone, Debug)]
pub(crate) struct Residual {
    /// By what the whole is measured.
    pub(crate) source: String,
    pub(crate) trust: Trust,
    pub(crate) error_ratio: Option<f64>,
    pub(crate) watts: Option<f64>,
    pub(crate) joules: f64,
    /// The time that this energy is of.
    pub(crate) covered_seconds: f64,
    pub(crate) fault: Option<String>,
}

impl Whole {
    pub(super) fn of(row: &PlatformRow) -> Self {
        let meter = &row.meter;
        Whole {
            source: meter.source.to_owned(),
            bmc_id: meter.bmc_id.to_string(),
            chassis_id: meter.chassis_id.to_string(),
            source_id: meter.source_id.to_string(),
            scope: meter.scope.name().to_owned(),
            trust: Trust::of(meter.method),
            error_ratio: meter.method.error_ratio(),
            watts: row.power.map(|power| power.watts()),
            joules: row.energy.joules(),
            covered_seconds: row.covered.as_secs_f64(),
            age_seconds: row.age.map(|age| age.as_secs_f64()),
            fault: row.fault.map(str::to_owned),
        }
    }

    /// Its name for people: `redfish bmc-1/1`, with what it is of, unless that is the node.
    pub(crate) fn name(&self) -> String {
        let ids = [self.bmc_id.as_str(), self.chassis_id.as_str()];
        let ids = ids.into_iter().filter(|id| !id.is_empty()).collect::<Vec<_>>().join("/");
        let scope = if matches!(self.scope.as_str(), "" | "node") { "" } else { self.scope.as_str() };
        [self.source.as_str(), &ids, scope].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl Residual {
    pub(super) fn of(rest: &PlatformResidual) -> Self {
        Residual {
            source: rest.meter.source.to_owned(),
            trust: Trust::of(rest.method),
            error_ratio: rest.method.error_ratio(),
            watts: rest.watts,
            joules: rest.energy.joules(),
            covered_seconds: rest.covered.as_secs_f64(),
            fault: rest.fault.map(str::to_owned),
        }
    }
}
