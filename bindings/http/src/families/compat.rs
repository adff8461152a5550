//! The names of Kepler 0.7, for dashboards that still ask for them.
//!
//! What is known now is shown under the old names, nothing is made up: containers have no idle
//! share (`mode="idle"`) and nodes one sum over all sockets (`package="all"`).

use super::node::node_zones;
use super::{Family, Levels, Samples, Scene, Value, once_known};
use kepler_core::units::{Energy, ZoneKind};

pub(super) const FAMILIES: &[Family] = &[
    container(
        "kepler_container_joules_total",
        "Aggregated RAPL Package + DRAM energy of a container in joules",
        |scene, row, samples| {
            container_energy(scene, row, samples, &[ZoneKind::Package, ZoneKind::Dram]);
        },
    ),
    container(
        "kepler_container_package_joules_total",
        "Aggregated value in package in joules",
        |scene, row, samples| {
            container_energy(scene, row, samples, &[ZoneKind::Package]);
        },
    ),
    container("kepler_container_dram_joules_total", "Aggregated value in dram in joules", |scene, row, samples| {
        container_energy(scene, row, samples, &[ZoneKind::Dram]);
    }),
    node("kepler_node_package_joules_total", "Aggregated value in package in joules", |scene, _, samples| {
        node_energy(scene, samples, ZoneKind::Package);
    }),
    node("kepler_node_dram_joules_total", "Aggregated value in dram in joules", |scene, _, samples| {
        node_energy(scene, samples, ZoneKind::Dram);
    }),
    node("kepler_node_platform_joules_total", "Aggregated value in platform in joules", |scene, _, samples| {
        node_energy(scene, samples, ZoneKind::Psys);
    }),
];

type Write = fn(&Scene<'_>, usize, &mut Samples<'_>);

const fn container(name: &'static str, help: &'static str, write: Write) -> Family {
    Family {
        header: Family::counter(name, Some("joules"), help),
        level: Levels::CONTAINER,
        rows: |scene| scene.snapshot.map_or(0, |snapshot| snapshot.containers.len()),
        write,
    }
}

const fn node(name: &'static str, help: &'static str, write: Write) -> Family {
    Family { header: Family::counter(name, Some("joules"), help), level: Levels::NODE, rows: once_known, write }
}

/// One sample of the sum over those of `zones` that have a source; none where none has.
fn container_energy(scene: &Scene<'_>, row: usize, samples: &mut Samples<'_>, zones: &[ZoneKind]) {
    let Some(container) = scene.snapshot.and_then(|snapshot| snapshot.containers.get(row)) else { return };
    let mut present = node_zones(scene).filter(|(kind, _)| zones.contains(kind)).peekable();
    let Some((_, first)) = present.peek() else { return };
    if scene.plan.older_containers.hides(row) {
        return;
    }
    let source = first.source;
    let energy: Energy = present.map(|(kind, _)| container.energy[kind]).sum();
    let pod = container.info.pod.as_deref();
    samples
        .sample()
        .rendered(scene.exporter.node_label())
        .label("container_id", &container.info.id)
        .label("container_name", &container.info.name)
        .label("container_namespace", pod.map_or("", |pod| &pod.namespace))
        .label("pod_name", pod.map_or("", |pod| &pod.name))
        // Not a label of 0.7: without it two pods of unknown name could not be told apart.
        .label("pod_id", pod.map_or("", |pod| &pod.id))
        .label("runtime", container.info.runtime)
        .label("mode", "dynamic")
        .label("source", source)
        .value(Value::Energy(energy));
}

fn node_energy(scene: &Scene<'_>, samples: &mut Samples<'_>, wanted: ZoneKind) {
    for (_, zone) in node_zones(scene).filter(|(kind, _)| *kind == wanted) {
        for (mode, energy) in [("dynamic", zone.active_energy), ("idle", zone.idle_energy)] {
            samples
                .sample()
                .rendered(scene.exporter.node_label())
                .label("package", "all")
                .label("mode", mode)
                .label("source", zone.source)
                .value(Value::Energy(energy));
        }
    }
}
