//! The names of documents that follow RAPL's own zones: `package-0`, `dram-0`, and a pod's memory.
//!
//! Energies without `_total` in their name are gauges here, since OpenMetrics has no counters of such names; `rate()`
//! reads them alike. Several packages are one sum, which is `package` without a number.

use super::compat::container_sum;
use super::node::node_zones;
use super::{Family, Levels, RenderContext, Samples, Value, once_known};
use kepler_core::metric_names;
use kepler_core::snapshot::{Row, State};
use kepler_core::units::{Power, ZoneKind};
use kepler_core::workload::{ContainerInfo, WorkloadKind};

pub(super) const FAMILIES: &[Family] = &[
    node(
        metric_names::NODE_PACKAGE_ENERGY_JOULE,
        "Energy consumption of the packages in joules",
        |context, _, samples| {
            node_energy(context, samples, ZoneKind::Package);
        },
    ),
    node(metric_names::NODE_DRAM_ENERGY_JOULE, "Energy consumption of dram in joules", |context, _, samples| {
        node_energy(context, samples, ZoneKind::Dram);
    }),
    Family {
        header: Family::counter(
            metric_names::CONTAINER_JOULES_TOTAL,
            Some("joules"),
            "Energy consumption of package and dram at container level in joules",
        ),
        level: Levels::CONTAINER,
        rows: containers,
        write: |context, row, samples| container(context, row, samples, &[ZoneKind::Package, ZoneKind::Dram]),
    },
    Family {
        header: Family::counter(
            metric_names::CONTAINER_DRAM_JOULES_TOTAL,
            Some("joules"),
            "Energy consumption of dram at container level in joules",
        ),
        level: Levels::CONTAINER,
        rows: containers,
        write: |context, row, samples| container(context, row, samples, &[ZoneKind::Dram]),
    },
    Family {
        header: Family::gauge(
            metric_names::POD_MEMORY_WATTS,
            Some("watts"),
            "Power consumption of dram at pod level in watts",
        ),
        level: Levels::POD,
        rows: |context| context.snapshot.map_or(0, |snapshot| snapshot.pods.len()),
        write: pod_memory,
    },
];

const fn node(
    name: &'static str,
    help: &'static str,
    write: fn(&RenderContext<'_>, usize, &mut Samples<'_>),
) -> Family {
    Family { header: Family::gauge(name, None, help), level: Levels::NODE, rows: once_known, write }
}

fn node_energy(context: &RenderContext<'_>, samples: &mut Samples<'_>, wanted: ZoneKind) {
    for (kind, zone) in node_zones(context).filter(|(kind, _)| *kind == wanted) {
        let several = zone.path.starts_with("aggregated-");
        let name = if several { kind.name().to_owned() } else { format!("{}-0", kind.name()) };
        samples.sample().rendered(context.node_label).label("zone", &name).value(Value::Energy(zone.energy));
    }
}

fn containers(context: &RenderContext<'_>) -> usize {
    context.snapshot.map_or(0, |snapshot| snapshot.containers.len())
}

fn container(context: &RenderContext<'_>, row: usize, samples: &mut Samples<'_>, zones: &[ZoneKind]) {
    if let Some((container, _, energy)) = container_sum(context, row, zones) {
        labelled(samples, context, container).value(Value::Energy(energy));
    }
}

fn labelled<'a>(
    samples: &'a mut Samples<'_>,
    context: &RenderContext<'_>,
    container: &Row<ContainerInfo>,
) -> crate::encode::Sample<'a> {
    let pod = container.info.pod.as_deref();
    samples
        .sample()
        .rendered(context.node_label)
        .label("container_id", &container.info.id)
        .label("container", &container.info.name)
        .label("pod", pod.map_or("", |pod| &pod.name))
        .label("namespace", pod.map_or("", |pod| &pod.namespace))
}

fn pod_memory(context: &RenderContext<'_>, row: usize, samples: &mut Samples<'_>) {
    let Some(pods) = context.snapshot.map(|snapshot| &snapshot.pods) else { return };
    let Some(pod) = pods.get(row) else { return };
    if !context.plan.powered.contains(&ZoneKind::Dram)
        || pod.state != State::Running
        || context.plan.hides(WorkloadKind::Pod, row)
    {
        return;
    }
    let duplicates = context.plan.added_to(WorkloadKind::Pod, row).iter().filter_map(|&row| pods.get(row));
    let power: Power = duplicates.fold(pod.power[ZoneKind::Dram], |sum, pod| sum + pod.power[ZoneKind::Dram]);
    samples
        .sample()
        .rendered(context.node_label)
        .label("pod_id", &pod.info.id)
        .label("pod", &pod.info.name)
        .label("namespace", &pod.info.namespace)
        .label("container", "")
        .value(Value::Number(power.watts()));
}
