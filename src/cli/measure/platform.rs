//! What meters of the whole machine showed during a run, by their readings' own times.

use kepler_core::snapshot::PlatformRow;
use serde::Serialize;

/// A meter of the whole machine. It contains the zones, and is no part of their sum.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PlatformDrawn {
    pub(super) source: &'static str,
    pub(super) bmc_id: String,
    pub(super) chassis_id: String,
    pub(super) source_type: String,
    pub(super) source_id: String,
    pub(super) scope: &'static str,
    pub(super) method: &'static str,
    /// Of an estimate, one standard deviation.
    pub(super) error_ratio: Option<f64>,
    /// Between its first and last reading in the run; `null` where there were no two.
    pub(super) energy_joules: Option<f64>,
    /// The time that this is of: a BMC is read every ten seconds.
    pub(super) covered_seconds: f64,
    /// Its newest reading, and how old that is.
    pub(super) power_watts: Option<f64>,
    pub(super) age_seconds: Option<f64>,
    pub(super) fault: Option<&'static str>,
}

impl PlatformDrawn {
    /// What was shown between two moments.
    pub(super) fn between(from: &[PlatformRow], to: &[PlatformRow]) -> Vec<Self> {
        let drawn = |row: &PlatformRow| {
            let row = row.since(from);
            PlatformDrawn {
                source: row.meter.source,
                bmc_id: row.meter.bmc_id.to_string(),
                chassis_id: row.meter.chassis_id.to_string(),
                source_type: row.meter.source_type.to_string(),
                source_id: row.meter.source_id.to_string(),
                scope: row.meter.scope.name(),
                method: row.meter.method.name(),
                error_ratio: row.meter.method.error_ratio(),
                energy_joules: (!row.covered.is_zero()).then(|| row.energy.joules()),
                covered_seconds: row.covered.as_secs_f64(),
                power_watts: row.power.map(|power| power.watts()),
                age_seconds: row.age.map(|age| age.as_secs_f64()),
                fault: row.fault,
            }
        };
        to.iter().map(drawn).collect()
    }
}
