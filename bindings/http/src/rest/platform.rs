//! Meters of the whole machine in `/api/v1/node`.

use super::figures::method;
use kepler_core::snapshot::{PlatformResidual, PlatformRow};
use schemars::JsonSchema;
use serde::Serialize;

/// A meter of the whole machine. It contains the zones and devices, and is never added to them.
#[derive(Serialize, JsonSchema)]
pub(super) struct Platform<'a> {
    /// By what it is asked: `redfish`, `ipmi`, `acpi`, `hwmon`, `prometheus`, `http`.
    source: &'a str,
    /// Which BMC or outside meter.
    bmc_id: &'a str,
    /// Which chassis of it.
    chassis_id: &'a str,
    /// Which of the chassis' figures was chosen.
    source_id: &'a str,
    /// The same for people.
    source_name: &'a str,
    /// The kind of figure: `EnvironmentMetrics`, `PowerSupply`, `PowerControl`, …
    source_type: &'a str,
    /// Where it is read.
    path: &'a str,
    /// `node` (this node and nothing else), `part` (a chassis of which it is not known whether it is all of the node), `shared`
    /// (more than this node: not to be summed over nodes).
    scope: &'static str,
    /// Whether what accelerators draw is contained.
    contains_gpus: bool,
    /// `measured` or `estimated`.
    method: &'static str,
    /// Expected relative error of an estimate, one standard deviation; `null` if measured.
    error_ratio: Option<f64>,
    /// Energy since its first reading, joules.
    energy_joules: f64,
    /// The time that this energy is of, seconds: less than has passed where readings were missing.
    covered_seconds: f64,
    /// Its newest reading, watts; `null` where that is not believed or too old.
    power_watts: Option<f64>,
    /// How old its newest believed reading is, seconds; `null` before the first one.
    age_seconds: Option<f64>,
    /// Why it cannot be read now or is not believed: `stale`, `implausible`, `frozen`, `timeout`, …; `null` if it is fine.
    fault: Option<&'static str>,
}

impl<'a> Platform<'a> {
    pub(super) fn of(row: &'a PlatformRow) -> Self {
        let (method, error_ratio) = method(row.meter.method);
        Platform {
            source: row.meter.source,
            bmc_id: &row.meter.bmc_id,
            chassis_id: &row.meter.chassis_id,
            source_id: &row.meter.source_id,
            source_name: &row.meter.source_name,
            source_type: &row.meter.source_type,
            path: &row.meter.path,
            scope: row.meter.scope.name(),
            contains_gpus: row.meter.contains_gpus,
            method,
            error_ratio,
            energy_joules: row.energy.joules(),
            covered_seconds: row.covered.as_secs_f64(),
            power_watts: row.power.map(|power| power.watts()),
            age_seconds: row.age.map(|age| age.as_secs_f64()),
            fault: row.fault,
        }
    }
}

/// What the machine draws beside package, memory and accelerators: fans, disks, network, losses of power supplies.
#[derive(Serialize, JsonSchema)]
pub(super) struct Residual<'a> {
    /// By what the whole is measured.
    source: &'a str,
    /// Which BMC or outside meter.
    bmc_id: &'a str,
    /// Which chassis of it.
    chassis_id: &'a str,
    /// Whether what accelerators draw was subtracted.
    contains_gpus: bool,
    /// `measured`, `partial` or `estimated`: the weakest of the whole and its parts.
    method: &'static str,
    /// Expected relative error of the difference, one standard deviation: of a small rest above 1; `null` if both are measured.
    error_ratio: Option<f64>,
    /// The rest, joules. It never falls.
    energy_joules: f64,
    /// What the parts drew beyond the whole and the rest has still to make up for, joules.
    deficit_joules: f64,
    /// The time that both are of, seconds.
    covered_seconds: f64,
    /// Mean between the last two readings, watts; below zero where the parts say more than the whole; `null` where not known.
    power_watts: Option<f64>,
    /// `below_parts` where the parts say distinctly more than the whole; else `null`.
    fault: Option<&'static str>,
}

impl<'a> Residual<'a> {
    pub(super) fn of(rest: &'a PlatformResidual) -> Self {
        let (method, error_ratio) = method(rest.method);
        Residual {
            source: rest.meter.source,
            bmc_id: &rest.meter.bmc_id,
            chassis_id: &rest.meter.chassis_id,
            contains_gpus: rest.meter.contains_gpus,
            method,
            error_ratio,
            energy_joules: rest.energy.joules(),
            deficit_joules: rest.deficit.joules(),
            covered_seconds: rest.covered.as_secs_f64(),
            power_watts: rest.watts,
            fault: rest.fault,
        }
    }
}
