//! Figures in answers: every name has the unit, and an unknown figure is absent, never zero.

use jiff::Timestamp;
use kepler_core::host;
use kepler_core::meter::{ErrorBounds, Method};
use kepler_core::snapshot::{PowerInterval, Snapshot, ZonePower};
use kepler_core::units::{Energy, PerZone, Power, ZoneKind};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The moment that an answer is of. Answers with the same `id` saw the same state.
#[derive(Serialize, JsonSchema)]
pub(super) struct Moment {
    /// Number of the snapshot; it rises by one with each measurement since the program started.
    id: u64,
    /// When the figures were read.
    at: Option<Timestamp>,
    /// How long ago that is, seconds.
    age_seconds: f64,
    /// The time that power is the mean of, seconds; 0 for the first snapshot.
    interval_seconds: f64,
}

impl Moment {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Moment {
            id: snapshot.sequence,
            at: Timestamp::try_from(snapshot.at.wall).ok(),
            age_seconds: host::Timestamp::now().since(&snapshot.at).as_secs_f64(),
            interval_seconds: snapshot.interval.as_secs_f64(),
        }
    }
}

/// Where the figures of a zone come from.
#[derive(Serialize, JsonSchema)]
pub(super) struct ZoneSource {
    /// `package`, `core`, `uncore`, `dram`, `psys`, `gpu` for all accelerators, or `platform` for what the machine draws beside them, where it is charged.
    zone: &'static str,
    /// The meter: `powercap`, `msr`, `perf`, `hwmon`, `model`, …
    source: &'static str,
    /// `measured` or `estimated`.
    method: &'static str,
    /// Expected relative error of an estimate, one standard deviation; `null` if measured.
    error_ratio: Option<f64>,
}

impl ZoneSource {
    pub(super) fn of(snapshot: &Snapshot) -> Vec<Self> {
        let zones = snapshot.node.zones();
        let source = |(kind, zone): (ZoneKind, &kepler_core::snapshot::NodeZone)| {
            let (method, error_ratio) = method(zone.method);
            ZoneSource { zone: kind.name(), source: zone.source, method, error_ratio }
        };
        zones.map(source).collect()
    }
}

/// The name of a method, and its expected error.
pub(super) fn method(method: Method) -> (&'static str, Option<f64>) {
    (method.name(), method.error_ratio())
}

/// A quantity by zone.
pub(super) struct ByZone {
    zones: PerZone<Option<f64>>,
    total: Option<f64>,
}

impl Serialize for ByZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = self.zones.iter().filter(|(_, value)| value.is_some()).map(|(zone, value)| (zone.name(), *value));
        serializer.collect_map(known.chain([("total", self.total)]))
    }
}

impl JsonSchema for ByZone {
    fn schema_name() -> Cow<'static, str> {
        "ByZone".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut properties: Map<String, Value> =
            ZoneKind::ALL.iter().map(|zone| (zone.name().to_owned(), json!({ "type": "number" }))).collect();
        let about = "The sum of those that may be added: package and memory, or the platform where it is measured and they are estimated; `null` where there is none.";
        properties.insert("total".into(), json!({ "type": ["number", "null"], "description": about }));
        json_schema!({
            "type": "object",
            "description": "A quantity by zone. `core` and `uncore` are parts of `package`, `psys` contains everything: do not add them. `gpu` is all accelerators, \
                `platform` what the whole machine draws beside these, where it is charged to workloads. \
                Zones that this machine does not have are absent.",
            "properties": properties,
            "required": ["total"],
        })
    }
}

impl ByZone {
    fn of(snapshot: &Snapshot, zones: PerZone<Option<f64>>) -> Self {
        ByZone { total: total(snapshot, &zones), zones }
    }

    /// Of a workload: the zones that its node has.
    pub(super) fn joules(snapshot: &Snapshot, energy: &PerZone<Energy>) -> Self {
        ByZone::of(snapshot, known(snapshot, energy, Energy::joules))
    }

    /// Of a workload: the zones that its node has.
    pub(super) fn watts(snapshot: &Snapshot, power: &PerZone<Power>) -> Self {
        ByZone::of(snapshot, known(snapshot, power, Power::watts))
    }
}

/// The sum of a workload's values in the zones whose sum is the machine.
pub(super) fn total(snapshot: &Snapshot, zones: &PerZone<Option<f64>>) -> Option<f64> {
    let counted = snapshot.machine_zones();
    zones.iter().filter(|(zone, _)| counted[*zone]).filter_map(|(_, value)| *value).reduce(|a, b| a + b)
}

/// The values of the zones that the node has.
pub(super) fn known<T: Copy>(
    snapshot: &Snapshot,
    values: &PerZone<T>,
    value: impl Fn(T) -> f64,
) -> PerZone<Option<f64>> {
    PerZone::from_fn(|zone| snapshot.node.zones[zone].as_ref().map(|_| value(values[zone])))
}

/// Power of a zone, watts: the mean over the last interval.
#[derive(Serialize, JsonSchema)]
pub(super) struct NodePower {
    /// All of it: active and idle.
    total: f64,
    /// The part caused by work.
    active: f64,
    /// The part that an idle machine draws all the same.
    idle: f64,
    /// The part of `idle` of which it is not known whether it is idle or caused by work: of accelerators whose idle power is not known
    /// yet.
    unsplit: f64,
}

impl NodePower {
    pub(super) fn of(power: ZonePower, unsplit: Power) -> Self {
        NodePower {
            total: power.total.watts(),
            active: power.active.watts(),
            idle: power.idle.watts(),
            unsplit: unsplit.watts(),
        }
    }
}

/// Where an estimated power lies with 90 % probability, watts.
#[derive(Serialize, JsonSchema)]
pub(super) struct Interval {
    /// Lower end, not below zero.
    lower: f64,
    /// Upper end.
    upper: f64,
}

impl Interval {
    /// Around a mean power whose error is the same on both sides.
    pub(super) fn around(watts: f64, error_ratio: f64) -> Self {
        let bounds = ErrorBounds::of_error(error_ratio);
        Interval { lower: watts * (1.0 - bounds.below), upper: watts * (1.0 + bounds.above) }
    }
}

impl From<PowerInterval> for Interval {
    fn from(interval: PowerInterval) -> Self {
        Interval { lower: interval.lower.watts(), upper: interval.upper.watts() }
    }
}
