//! The node: its zones, where their figures come from, and what the counters did.

use super::{Family, Levels, Samples, Scene, Value, once_known};
use kepler_core::snapshot::NodeZone;
use kepler_core::units::ZoneKind;

pub(super) const FAMILIES: &[Family] = &[
    node(
        Family::gauge(
            "kepler_node_cpu_usage_ratio",
            Some("ratio"),
            "CPU usage ratio of a node (value between 0.0 and 1.0)",
        ),
        |scene, _, samples| {
            // Usage is a mean over an interval: the first snapshot has none.
            if let Some(snapshot) = scene.snapshot.filter(|snapshot| !snapshot.interval.is_zero()) {
                samples.sample().rendered(scene.exporter.node_label()).value(Value::Number(snapshot.node.usage_ratio));
            }
        },
    ),
    node(
        Family::counter(
            "kepler_node_cpu_joules_total",
            Some("joules"),
            "Energy consumption of cpu at node level in joules",
        ),
        |scene, _, samples| zones(scene, samples, |zone| Some(Value::Energy(zone.energy))),
    ),
    node(
        Family::gauge("kepler_node_cpu_watts", Some("watts"), "Power consumption of cpu at node level in watts"),
        |scene, _, samples| zones(scene, samples, |zone| zone.power.map(|power| Value::Number(power.total.watts()))),
    ),
    node(
        Family::counter(
            "kepler_node_cpu_active_joules_total",
            Some("joules"),
            "Energy consumption of cpu in active state at node level in joules",
        ),
        |scene, _, samples| zones(scene, samples, |zone| Some(Value::Energy(zone.active_energy))),
    ),
    node(
        Family::gauge(
            "kepler_node_cpu_active_watts",
            Some("watts"),
            "Power consumption of cpu in active state at node level in watts",
        ),
        |scene, _, samples| {
            zones(scene, samples, |zone| zone.power.map(|power| Value::Number(power.active.watts())));
        },
    ),
    node(
        Family::counter(
            "kepler_node_cpu_idle_joules_total",
            Some("joules"),
            "Energy consumption of cpu in idle state at node level in joules",
        ),
        |scene, _, samples| zones(scene, samples, |zone| Some(Value::Energy(zone.idle_energy))),
    ),
    node(
        Family::gauge(
            "kepler_node_cpu_idle_watts",
            Some("watts"),
            "Power consumption of cpu in idle state at node level in watts",
        ),
        |scene, _, samples| {
            zones(scene, samples, |zone| zone.power.map(|power| Value::Number(power.idle.watts())));
        },
    ),
    node(
        Family::counter(
            "kepler_node_cpu_unattributed_joules_total",
            Some("joules"),
            "Active energy that no live or accounted workload explains in joules",
        ),
        |scene, _, samples| {
            for (kind, zone) in node_zones(scene) {
                samples
                    .sample()
                    .rendered(scene.exporter.node_label())
                    .label("zone", kind.name())
                    .value(Value::Energy(zone.unattributed_energy));
            }
        },
    ),
    node(
        Family::gauge(
            "kepler_attribution_weight_info",
            None,
            "By what the active energy of a zone was last divided among workloads, a constant 1",
        ),
        |scene, _, samples| {
            for (kind, _) in node_zones(scene) {
                if let Some(weight) = scene.snapshot.and_then(|snapshot| snapshot.node.weights[kind]) {
                    samples
                        .sample()
                        .rendered(scene.exporter.node_label())
                        .label("zone", kind.name())
                        .label("weight", weight.name())
                        .value(Value::Count(1));
                }
            }
        },
    ),
    node(
        Family::gauge("kepler_power_source_info", None, "Where the figures of a zone come from now, a constant 1"),
        |scene, _, samples| {
            for (kind, zone) in node_zones(scene) {
                samples
                    .sample()
                    .rendered(scene.exporter.node_label())
                    .label("source", zone.source)
                    .label("method", zone.method.name())
                    .label("zone", kind.name())
                    .value(Value::Count(1));
            }
        },
    ),
    node(
        Family::gauge(
            "kepler_power_source_error_ratio",
            Some("ratio"),
            "Expected relative error of an estimate or of a partly measured sum, one standard deviation; absent when measured",
        ),
        |scene, _, samples| {
            for (kind, zone) in node_zones(scene) {
                if let Some(error_ratio) = zone.method.error_ratio() {
                    samples
                        .sample()
                        .rendered(scene.exporter.node_label())
                        .label("source", zone.source)
                        .label("zone", kind.name())
                        .value(Value::Number(error_ratio));
                }
            }
        },
    ),
    node(
        Family::gauge(
            "kepler_node_cpu_watts_lower",
            None,
            "Lower end of the 90 % interval of estimated power in watts; absent when measured",
        ),
        |scene, _, samples| zones(scene, samples, |zone| zone.interval.map(|of| Value::Number(of.lower.watts()))),
    ),
    node(
        Family::gauge(
            "kepler_node_cpu_watts_upper",
            None,
            "Upper end of the 90 % interval of estimated power in watts; absent when measured",
        ),
        |scene, _, samples| zones(scene, samples, |zone| zone.interval.map(|of| Value::Number(of.upper.watts()))),
    ),
    node(
        Family::counter(
            "kepler_counter_events_total",
            None,
            "How often the energy counters of a zone wrapped, lost their state, or were read too late",
        ),
        |scene, _, samples| {
            for (kind, zone) in node_zones(scene) {
                let events = zone.events;
                for (event, count) in
                    [("wrap", events.wraps), ("reset", events.resets), ("ambiguous", events.ambiguous)]
                {
                    samples
                        .sample()
                        .rendered(scene.exporter.node_label())
                        .label("zone", kind.name())
                        .label("kind", event)
                        .value(Value::Count(count));
                }
            }
        },
    ),
];

const fn node(header: super::Header, write: fn(&Scene<'_>, usize, &mut Samples<'_>)) -> Family {
    Family { header, level: Levels::NODE, rows: once_known, write }
}

pub(super) fn node_zones<'a>(scene: &Scene<'a>) -> impl Iterator<Item = (ZoneKind, &'a NodeZone)> + use<'a> {
    scene.snapshot.into_iter().flat_map(|snapshot| snapshot.node.zones())
}

fn zones(scene: &Scene<'_>, samples: &mut Samples<'_>, value: impl Fn(&NodeZone) -> Option<Value>) {
    for (kind, zone) in node_zones(scene) {
        if let Some(value) = value(zone) {
            samples
                .sample()
                .rendered(scene.exporter.node_label())
                .label("path", &zone.path)
                .label("zone", kind.name())
                .value(value);
        }
    }
}
