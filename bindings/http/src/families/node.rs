//! The node: its zones, the sources of their figures, and counter events.

use super::{Family, Levels, RenderContext, Samples, Value, once_known};
use kepler_core::attribution::Weight;
use kepler_core::host::Timestamp;
use kepler_core::metric_names;
use kepler_core::snapshot::{EstimateCorrection, NodeZone};
use kepler_core::units::ZoneKind;

pub(super) const FAMILIES: &[Family] = &[
    node(
        Family::gauge(
            metric_names::NODE_CPU_USAGE_RATIO,
            Some("ratio"),
            "CPU usage ratio of a node (value between 0.0 and 1.0)",
        ),
        |context, _, samples| {
            // Usage is a mean over an interval: the first snapshot has none.
            if let Some(snapshot) = context.snapshot.filter(|snapshot| !snapshot.interval.is_zero()) {
                samples.sample().rendered(context.node_label).value(Value::Number(snapshot.node.usage_ratio));
            }
        },
    ),
    node(
        Family::counter(
            metric_names::NODE_CPU_JOULES_TOTAL,
            Some("joules"),
            "Energy consumption of cpu at node level in joules",
        ),
        |context, _, samples| zones(context, samples, |zone| Some(Value::Energy(zone.energy))),
    ),
    node(
        Family::gauge(metric_names::NODE_CPU_WATTS, Some("watts"), "Power consumption of cpu at node level in watts"),
        |context, _, samples| {
            zones(context, samples, |zone| zone.power.map(|power| Value::Number(power.total.watts())))
        },
    ),
    node(
        Family::counter(
            metric_names::NODE_CPU_ACTIVE_JOULES_TOTAL,
            Some("joules"),
            "Energy consumption of cpu in active state at node level in joules",
        ),
        |context, _, samples| zones(context, samples, |zone| Some(Value::Energy(zone.active_energy))),
    ),
    node(
        Family::gauge(
            metric_names::NODE_CPU_ACTIVE_WATTS,
            Some("watts"),
            "Power consumption of cpu in active state at node level in watts",
        ),
        |context, _, samples| {
            zones(context, samples, |zone| zone.power.map(|power| Value::Number(power.active.watts())));
        },
    ),
    node(
        Family::counter(
            metric_names::NODE_CPU_IDLE_JOULES_TOTAL,
            Some("joules"),
            "Energy consumption of cpu in idle state at node level in joules",
        ),
        |context, _, samples| zones(context, samples, |zone| Some(Value::Energy(zone.idle_energy))),
    ),
    node(
        Family::gauge(
            metric_names::NODE_CPU_IDLE_WATTS,
            Some("watts"),
            "Power consumption of cpu in idle state at node level in watts",
        ),
        |context, _, samples| {
            zones(context, samples, |zone| zone.power.map(|power| Value::Number(power.idle.watts())));
        },
    ),
    node(
        Family::counter(
            metric_names::NODE_CPU_UNATTRIBUTED_JOULES_TOTAL,
            Some("joules"),
            "Active energy that no live or accounted workload explains in joules",
        ),
        |context, _, samples| {
            for (kind, zone) in cpu_zones(context) {
                samples
                    .sample()
                    .rendered(context.node_label)
                    .label("zone", kind.name())
                    .value(Value::Energy(zone.unattributed_energy));
            }
        },
    ),
    node(
        Family::gauge(
            metric_names::ATTRIBUTION_WEIGHT_INFO,
            None,
            "By what the active energy of a zone was last divided among workloads, a constant 1",
        ),
        |context, _, samples| {
            for (kind, _) in node_zones(context) {
                if let Some(weight) = context.snapshot.and_then(|snapshot| snapshot.node.weights[kind]) {
                    samples
                        .sample()
                        .rendered(context.node_label)
                        .label("zone", kind.name())
                        .label("weight", weight.name())
                        .value(Value::Count(1));
                }
            }
        },
    ),
    node(
        Family::gauge(
            metric_names::ATTRIBUTION_ERROR_WATTS,
            None,
            "How far off the power of a zone is when predicted by a weight from other times, root mean square in watts; absent until it is learned",
        ),
        |context, _, samples| {
            for (kind, _) in node_zones(context) {
                let learned = context.snapshot.and_then(|snapshot| snapshot.node.learned_costs[kind]);
                let weights =
                    learned.map(|learned| [(Weight::Learned, learned.error), (learned.fixed, learned.fixed_error)]);
                for (weight, error) in weights.into_iter().flatten() {
                    samples
                        .sample()
                        .rendered(context.node_label)
                        .label("zone", kind.name())
                        .label("weight", weight.name())
                        .value(Value::Number(error.watts()));
                }
            }
        },
    ),
    node(
        Family::gauge(metric_names::POWER_SOURCE_INFO, None, "Where the figures of a zone come from now, a constant 1"),
        |context, _, samples| {
            for (kind, zone) in node_zones(context).filter(|(_, zone)| !zone.is_lost) {
                samples
                    .sample()
                    .rendered(context.node_label)
                    .label("source", zone.source)
                    .label("method", zone.method.name())
                    .label("zone", kind.name())
                    .value(Value::Count(1));
            }
        },
    ),
    node(
        Family::gauge(
            metric_names::POWER_SOURCE_ERROR_RATIO,
            Some("ratio"),
            "Expected relative error of an estimate or of a partly measured sum, one standard deviation; absent when measured",
        ),
        |context, _, samples| {
            for (kind, zone) in node_zones(context) {
                if let Some(error_ratio) = zone.method.error_ratio() {
                    samples
                        .sample()
                        .rendered(context.node_label)
                        .label("source", zone.source)
                        .label("zone", kind.name())
                        .value(Value::Number(error_ratio));
                }
            }
        },
    ),
    node(
        Family::gauge(
            metric_names::ESTIMATE_CORRECTION_RATIO,
            Some("ratio"),
            "By what an estimate is multiplied, as a meter of the whole machine has shown, by which that is asked; absent where it is not",
        ),
        |context, _, samples| {
            corrections(context, samples, |by, _| by.scale.factor);
        },
    ),
    node(
        Family::gauge(
            metric_names::ESTIMATE_CORRECTION_AGE_SECONDS,
            Some("seconds"),
            "How old the newest reading is that the correction of an estimate was learned from in seconds",
        ),
        |context, _, samples| {
            corrections(context, samples, |by, at| by.age(at).as_secs_f64());
        },
    ),
    node(
        Family::gauge(
            metric_names::NODE_CPU_IDLE_ERROR_WATTS,
            None,
            "Expected error of the learned idle power in watts, one standard deviation; absent while it is not known, and of an estimate",
        ),
        |context, _, samples| {
            zones(context, samples, |zone| zone.idle_estimate.map(|idle| Value::Number(idle.error.watts())));
        },
    ),
    node(
        Family::gauge(
            metric_names::NODE_CPU_IDLE_INFO,
            None,
            "How the idle power of a zone is known by now, or why it is not, a constant 1",
        ),
        |context, _, samples| {
            let is_known = |(kind, zone): &(ZoneKind, &NodeZone)| *kind != ZoneKind::Gpu && !zone.is_lost;
            for (kind, zone) in node_zones(context).filter(is_known) {
                samples
                    .sample()
                    .rendered(context.node_label)
                    .label("knowledge", zone.idle_knowledge.name())
                    .label("zone", kind.name())
                    .value(Value::Count(1));
            }
        },
    ),
    node(
        Family::gauge(
            metric_names::NODE_CPU_WATTS_LOWER,
            None,
            "Lower end of the 90 % interval of estimated power in watts; absent when measured",
        ),
        |context, _, samples| zones(context, samples, |zone| zone.interval.map(|of| Value::Number(of.lower.watts()))),
    ),
    node(
        Family::gauge(
            metric_names::NODE_CPU_WATTS_UPPER,
            None,
            "Upper end of the 90 % interval of estimated power in watts; absent when measured",
        ),
        |context, _, samples| zones(context, samples, |zone| zone.interval.map(|of| Value::Number(of.upper.watts()))),
    ),
    node(
        Family::counter(
            metric_names::ZONE_EVENTS_TOTAL,
            None,
            "How often the energy counters of a zone wrapped, lost their state, or were read too late",
        ),
        |context, _, samples| {
            for (kind, zone) in node_zones(context) {
                let events = zone.events;
                for (event, count) in
                    [("wrap", events.wraps), ("reset", events.resets), ("ambiguous", events.ambiguous)]
                {
                    samples
                        .sample()
                        .rendered(context.node_label)
                        .label("zone", kind.name())
                        .label("kind", event)
                        .value(Value::Count(count));
                }
            }
        },
    ),
];

const fn node(header: super::Header, write: fn(&RenderContext<'_>, usize, &mut Samples<'_>)) -> Family {
    Family { header, level: Levels::NODE, rows: once_known, write }
}

pub(super) fn node_zones<'a>(context: &RenderContext<'a>) -> impl Iterator<Item = (ZoneKind, &'a NodeZone)> + use<'a> {
    context.snapshot.into_iter().flat_map(|snapshot| snapshot.node.zones())
}

/// Zones of processors, memory and platform: accelerators have families of their own.
fn cpu_zones<'a>(context: &RenderContext<'a>) -> impl Iterator<Item = (ZoneKind, &'a NodeZone)> + use<'a> {
    node_zones(context).filter(|(kind, _)| *kind != ZoneKind::Gpu)
}

fn zones(context: &RenderContext<'_>, samples: &mut Samples<'_>, value: impl Fn(&NodeZone) -> Option<Value>) {
    for (kind, zone) in cpu_zones(context) {
        if let Some(value) = value(zone) {
            samples
                .sample()
                .rendered(context.node_label)
                .label("path", &zone.path)
                .label("zone", kind.name())
                .value(value);
        }
    }
}

/// A figure of what corrects each zone's estimate.
fn corrections(
    context: &RenderContext<'_>,
    samples: &mut Samples<'_>,
    figure: impl Fn(&EstimateCorrection, &Timestamp) -> f64,
) {
    let Some(snapshot) = context.snapshot else { return };
    for (kind, zone) in cpu_zones(context) {
        if let Some(correction) = &zone.correction {
            samples
                .sample()
                .rendered(context.node_label)
                .label("source", &correction.source)
                .label("zone", kind.name())
                .value(Value::Number(figure(correction, &snapshot.at)));
        }
    }
}
