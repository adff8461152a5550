//! The names of Kepler 0.7, for dashboards that still ask for them.
//!
//! What is known now is shown under the old names, nothing is made up: containers have no idle
//! share (`mode="idle"`) and nodes one sum over all sockets (`package="all"`).

use super::node::node_zones;
use super::{Family, Levels, RenderContext, Samples, Value, once_known};
use crate::encode::Sample;
use kepler_core::metric_names;
use kepler_core::snapshot::{NodeZone, Row};
use kepler_core::units::{Energy, ZoneKind};
use kepler_core::workload::{ContainerInfo, PodInfo};

pub(super) const FAMILIES: &[Family] = &[
    container(
        metric_names::CONTAINER_JOULES_TOTAL,
        "Aggregated RAPL Package + DRAM energy of a container in joules",
        |context, row, samples| {
            container_energy(context, row, samples, &[ZoneKind::Package, ZoneKind::Dram]);
        },
    ),
    container(
        metric_names::CONTAINER_PACKAGE_JOULES_TOTAL,
        "Aggregated value in package in joules",
        |context, row, samples| {
            container_energy(context, row, samples, &[ZoneKind::Package]);
        },
    ),
    container(
        metric_names::CONTAINER_DRAM_JOULES_TOTAL,
        "Aggregated value in dram in joules",
        |context, row, samples| {
            container_energy(context, row, samples, &[ZoneKind::Dram]);
        },
    ),
    container(
        metric_names::CONTAINER_CORE_JOULES_TOTAL,
        "Aggregated value in core in joules",
        |context, row, samples| {
            container_energy(context, row, samples, &[ZoneKind::Core]);
        },
    ),
    container(
        metric_names::CONTAINER_UNCORE_JOULES_TOTAL,
        "Aggregated value in uncore in joules",
        |context, row, samples| {
            container_energy(context, row, samples, &[ZoneKind::Uncore]);
        },
    ),
    container(
        metric_names::CONTAINER_OTHER_JOULES_TOTAL,
        "Aggregated value in platform without package and dram in joules",
        container_other,
    ),
    node(metric_names::NODE_CORE_JOULES_TOTAL, "Aggregated value in core in joules", |context, _, samples| {
        node_energy(context, samples, ZoneKind::Core);
    }),
    node(metric_names::NODE_UNCORE_JOULES_TOTAL, "Aggregated value in uncore in joules", |context, _, samples| {
        node_energy(context, samples, ZoneKind::Uncore);
    }),
    node(
        metric_names::NODE_OTHER_JOULES_TOTAL,
        "Aggregated value in platform without package and dram in joules",
        |context, _, samples| node_other(context, samples),
    ),
    node(metric_names::NODE_PACKAGE_JOULES_TOTAL, "Aggregated value in package in joules", |context, _, samples| {
        node_energy(context, samples, ZoneKind::Package);
    }),
    node(metric_names::NODE_DRAM_JOULES_TOTAL, "Aggregated value in dram in joules", |context, _, samples| {
        node_energy(context, samples, ZoneKind::Dram);
    }),
    node(metric_names::NODE_PLATFORM_JOULES_TOTAL, "Aggregated value in platform in joules", |context, _, samples| {
        node_energy(context, samples, ZoneKind::Psys);
    }),
];

type Write = fn(&RenderContext<'_>, usize, &mut Samples<'_>);

const fn container(name: &'static str, help: &'static str, write: Write) -> Family {
    Family {
        header: Family::counter(name, Some("joules"), help),
        level: Levels::CONTAINER,
        rows: |context| context.snapshot.map_or(0, |snapshot| snapshot.containers.len()),
        write,
    }
}

const fn node(name: &'static str, help: &'static str, write: Write) -> Family {
    Family { header: Family::counter(name, Some("joules"), help), level: Levels::NODE, rows: once_known, write }
}

/// A container, and its sum over those of `zones` that have a source, with the first of these; `None` where none has, and
/// where another row with the same older labels stands for it.
pub(super) fn container_sum<'a>(
    context: &RenderContext<'a>,
    row: usize,
    zones: &[ZoneKind],
) -> Option<(&'a Row<ContainerInfo>, &'static str, Energy)> {
    let container = context.snapshot?.containers.get(row)?;
    let mut present = node_zones(context).filter(|(kind, _)| zones.contains(kind)).peekable();
    let source = present.peek()?.1.source;
    if context.plan.older_containers.hides(row) {
        return None;
    }
    Some((container, source, present.map(|(kind, _)| container.energy[kind]).sum()))
}

fn container_energy(context: &RenderContext<'_>, row: usize, samples: &mut Samples<'_>, zones: &[ZoneKind]) {
    if let Some((container, source, energy)) = container_sum(context, row, zones) {
        container_sample(context, samples, container, source).value(Value::Energy(energy));
    }
}

/// What the platform draws beside package and dram; none where the platform, or one of these, is not known.
fn container_other(context: &RenderContext<'_>, row: usize, samples: &mut Samples<'_>) {
    let Some(container) = context.snapshot.and_then(|snapshot| snapshot.containers.get(row)) else { return };
    let Some(parts) = Parts::of(context) else { return };
    if !context.plan.older_containers.hides(row) {
        let energy = &container.energy;
        let known = energy[ZoneKind::Package] + energy[ZoneKind::Dram];
        let other = energy[ZoneKind::Psys].saturating_sub(known);
        container_sample(context, samples, container, parts.psys.source).value(Value::Energy(other));
    }
}

fn node_other(context: &RenderContext<'_>, samples: &mut Samples<'_>) {
    let Some(Parts { package, dram, psys }) = Parts::of(context) else { return };
    for (mode, energy) in [
        ("dynamic", psys.active_energy.saturating_sub(package.active_energy + dram.active_energy)),
        ("idle", psys.idle_energy.saturating_sub(package.idle_energy + dram.idle_energy)),
    ] {
        node_sample(context, samples, mode, psys.source).value(Value::Energy(energy));
    }
}

/// The zones of which "other" is a difference.
struct Parts<'a> {
    package: &'a NodeZone,
    dram: &'a NodeZone,
    psys: &'a NodeZone,
}

impl<'a> Parts<'a> {
    fn of(context: &RenderContext<'a>) -> Option<Self> {
        let zone = |wanted| node_zones(context).find(|(kind, _)| *kind == wanted).map(|(_, zone)| zone);
        Some(Parts { package: zone(ZoneKind::Package)?, dram: zone(ZoneKind::Dram)?, psys: zone(ZoneKind::Psys)? })
    }
}

fn container_sample<'a>(
    context: &RenderContext<'_>,
    samples: &'a mut Samples<'_>,
    container: &Row<ContainerInfo>,
    source: &str,
) -> Sample<'a> {
    let pod = container.info.pod.as_deref();
    let (pod_name, namespace) = pod.map_or(("", ""), PodInfo::names_in_labels);
    samples
        .sample()
        .rendered(context.node_label)
        .label("container_id", &container.info.id)
        .label("container_name", container.info.name_in_labels())
        .label("container_namespace", namespace)
        .label("pod_name", pod_name)
        // Not a label of 0.7: without it two pods of unknown name would have the same labels.
        .label("pod_id", pod.map_or("", |pod| &pod.id))
        .label("runtime", container.info.runtime)
        .label("mode", "dynamic")
        .label("source", source)
}

fn node_energy(context: &RenderContext<'_>, samples: &mut Samples<'_>, wanted: ZoneKind) {
    for (_, zone) in node_zones(context).filter(|(kind, _)| *kind == wanted) {
        for (mode, energy) in [("dynamic", zone.active_energy), ("idle", zone.idle_energy)] {
            node_sample(context, samples, mode, zone.source).value(Value::Energy(energy));
        }
    }
}

fn node_sample<'a>(context: &RenderContext<'_>, samples: &'a mut Samples<'_>, mode: &str, source: &str) -> Sample<'a> {
    samples.sample().rendered(context.node_label).label("package", "all").label("mode", mode).label("source", source)
}
