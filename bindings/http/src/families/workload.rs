//! Processes, containers, virtual machines, pods, systemd units and commands: one pattern, six sets of labels.
//!
//! A terminated workload keeps its joules and has 0 W. Where two rows have equal labels, their
//! joules and watts are summed. `kepler_process_cpu_seconds_total` has no `state` label: when a
//! process number has passed to a process of the same name, the newer one alone is shown, which
//! readers see as an ordinary counter reset.

mod labels;

use super::{Family, Levels, Plan, Samples, Scene, Value};
use crate::encode::{Header, Sample};
use crate::options::ExportOptions;
use crate::twins::Twins;
use kepler_core::snapshot::{Row, Snapshot, State};
use kepler_core::units::{Power, ZoneKind};
use kepler_core::workload::{CommandInfo, ContainerInfo, PodInfo, ProcessInfo, UnitInfo, VmInfo};
use labels::Workload;
use std::time::Duration;

pub(super) const FAMILIES: &[Family] = &[
    of::<ProcessInfo>(
        Family::counter(
            "kepler_process_cpu_joules_total",
            Some("joules"),
            "Energy consumption of cpu at process level in joules",
        ),
        joules::<ProcessInfo>,
    ),
    of::<ProcessInfo>(
        Family::gauge("kepler_process_cpu_watts", Some("watts"), "Power consumption of cpu at process level in watts"),
        watts::<ProcessInfo>,
    ),
    of::<ProcessInfo>(
        Family::counter(
            "kepler_process_cpu_seconds_total",
            Some("seconds"),
            "Total user and system time of cpu at process level in seconds",
        ),
        process_seconds,
    ),
    of::<ContainerInfo>(
        Family::counter(
            "kepler_container_cpu_joules_total",
            Some("joules"),
            "Energy consumption of cpu at container level in joules",
        ),
        joules::<ContainerInfo>,
    ),
    of::<ContainerInfo>(
        Family::gauge(
            "kepler_container_cpu_watts",
            Some("watts"),
            "Power consumption of cpu at container level in watts",
        ),
        watts::<ContainerInfo>,
    ),
    of::<ContainerInfo>(
        Family::counter(
            "kepler_container_cpu_seconds_total",
            Some("seconds"),
            "Total user and system time of cpu at container level in seconds",
        ),
        seconds::<ContainerInfo>,
    ),
    of::<VmInfo>(
        Family::counter(
            "kepler_vm_cpu_joules_total",
            Some("joules"),
            "Energy consumption of cpu at vm level in joules",
        ),
        joules::<VmInfo>,
    ),
    of::<VmInfo>(
        Family::gauge("kepler_vm_cpu_watts", Some("watts"), "Power consumption of cpu at vm level in watts"),
        watts::<VmInfo>,
    ),
    of::<PodInfo>(
        Family::counter(
            "kepler_pod_cpu_joules_total",
            Some("joules"),
            "Energy consumption of cpu at pod level in joules",
        ),
        joules::<PodInfo>,
    ),
    of::<PodInfo>(
        Family::gauge("kepler_pod_cpu_watts", Some("watts"), "Power consumption of cpu at pod level in watts"),
        watts::<PodInfo>,
    ),
    of::<UnitInfo>(
        Family::counter(
            "kepler_unit_cpu_joules_total",
            Some("joules"),
            "Energy consumption of cpu at systemd unit level in joules",
        ),
        joules::<UnitInfo>,
    ),
    of::<UnitInfo>(
        Family::gauge(
            "kepler_unit_cpu_watts",
            Some("watts"),
            "Power consumption of cpu at systemd unit level in watts",
        ),
        watts::<UnitInfo>,
    ),
    of::<UnitInfo>(
        Family::counter(
            "kepler_unit_cpu_seconds_total",
            Some("seconds"),
            "Total user and system time of cpu at systemd unit level in seconds",
        ),
        seconds::<UnitInfo>,
    ),
    of::<CommandInfo>(
        Family::counter(
            "kepler_command_cpu_joules_total",
            Some("joules"),
            "Energy consumption of cpu of processes that came and went between two readings in joules, by command name",
        ),
        joules::<CommandInfo>,
    ),
    of::<CommandInfo>(
        Family::gauge(
            "kepler_command_cpu_watts",
            Some("watts"),
            "Power consumption of cpu of processes that came and went between two readings in watts, by command name",
        ),
        watts::<CommandInfo>,
    ),
    of::<CommandInfo>(
        Family::counter(
            "kepler_command_cpu_seconds_total",
            Some("seconds"),
            "User and system time of cpu of processes that came and went between two readings in seconds, by command name",
        ),
        seconds::<CommandInfo>,
    ),
];

const fn of<W: Workload>(header: Header, write: fn(&Scene<'_>, usize, &mut Samples<'_>)) -> Family {
    Family { header, level: W::LEVEL, rows: count::<W>, write }
}

/// Finds the rows with equal labels, at the levels that are exported.
pub(super) fn plan(snapshot: &Snapshot, options: &ExportOptions) -> Plan {
    let mut plan = Plan::default();
    if options.levels.contains(Levels::PROCESS) {
        plan.processes = summed(&snapshot.processes);
        plan.commands = summed(&snapshot.commands);
        plan.process_seconds = newest(&snapshot.processes, |process| process.start_ticks);
    }
    if options.levels.contains(Levels::CONTAINER) {
        plan.containers = summed(&snapshot.containers);
        if options.compat.is_some() {
            plan.older_containers = newest(&snapshot.containers, |_| 0);
        }
    }
    if options.levels.contains(Levels::VM) {
        plan.vms = summed(&snapshot.vms);
    }
    if options.levels.contains(Levels::POD) {
        plan.pods = summed(&snapshot.pods);
    }
    if options.levels.contains(Levels::UNIT) {
        plan.units = summed(&snapshot.units);
    }
    plan
}

fn summed<W: Workload>(rows: &[Row<W>]) -> Twins {
    Twins::summed(rows.len(), |row| rows.get(row).map(|row| (row.state, row.info.key())))
}

fn newest<W: Workload>(rows: &[Row<W>], started: impl Fn(&W) -> u64) -> Twins {
    Twins::newest(
        rows.len(),
        |row| rows.get(row).map(|row| row.info.key()),
        |row| rows.get(row).map(|row| (row.state == State::Running, started(&row.info))),
    )
}

fn count<W: Workload>(scene: &Scene<'_>) -> usize {
    scene.snapshot.map_or(0, |snapshot| W::rows(snapshot).len())
}

/// The row to write, with those whose figures are added to it.
fn row_with_twins<'a, W: Workload + 'a>(
    scene: &Scene<'a>,
    row: usize,
) -> Option<(&'a Row<W>, impl Iterator<Item = &'a Row<W>> + Clone + use<'a, W>)> {
    let rows = W::rows(scene.snapshot?);
    let twins = W::twins(scene.plan);
    if twins.hides(row) {
        return None;
    }
    Some((rows.get(row)?, twins.added_to(row).iter().filter_map(|&twin| rows.get(twin))))
}

fn sample<'a, W: Workload>(scene: &Scene<'_>, row: &Row<W>, samples: &'a mut Samples<'_>) -> Sample<'a> {
    let sample = row.info.labels(samples.sample().rendered(scene.exporter.node_label()));
    if W::HAS_STATE { sample.label("state", row.state.name()) } else { sample }
}

fn joules<W: Workload>(scene: &Scene<'_>, row: usize, samples: &mut Samples<'_>) {
    if scene.plan.zones.is_empty() {
        return;
    }
    let Some((row, twins)) = row_with_twins::<W>(scene, row) else { return };
    sample(scene, row, samples).zones(scene.plan.zones.iter().map(|&zone| {
        let energy = twins.clone().fold(row.energy[zone], |sum, twin| sum + twin.energy[zone]);
        (zone, Value::Energy(energy))
    }));
}

fn watts<W: Workload>(scene: &Scene<'_>, row: usize, samples: &mut Samples<'_>) {
    if scene.plan.powered.is_empty() {
        return;
    }
    let Some((row, twins)) = row_with_twins::<W>(scene, row) else { return };
    let power = |row: &Row<W>, zone: ZoneKind| match row.state {
        State::Running => row.power[zone],
        _ => Power::ZERO,
    };
    sample(scene, row, samples).zones(scene.plan.powered.iter().map(|&zone| {
        let power = twins.clone().fold(power(row, zone), |sum, twin| sum + power(twin, zone));
        (zone, Value::Number(power.watts()))
    }));
}

fn seconds<W: Workload>(scene: &Scene<'_>, row: usize, samples: &mut Samples<'_>) {
    let Some((row, twins)) = row_with_twins::<W>(scene, row) else { return };
    let time = twins.fold(row.cpu_time, |sum: Duration, twin| sum.saturating_add(twin.cpu_time));
    sample(scene, row, samples).value(Value::Time(time));
}

fn process_seconds(scene: &Scene<'_>, row: usize, samples: &mut Samples<'_>) {
    let Some(snapshot) = scene.snapshot else { return };
    let Some(process) = snapshot.processes.get(row) else { return };
    if !scene.plan.process_seconds.hides(row) {
        let sample = samples.sample().rendered(scene.exporter.node_label());
        process.info.labels(sample).value(Value::Time(process.cpu_time));
    }
}
