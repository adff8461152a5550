//! Processes, containers, virtual machines, pods, systemd units, batch jobs and commands: one row a kind, whose labels
//! are those of core's table ([`WorkloadKind::attributes`]).
//!
//! A terminated workload keeps its joules and has 0 W. Where two rows have equal labels, their
//! joules and watts are summed. `kepler_process_cpu_seconds_total` has no `state` label: when a
//! process number has passed to a process of the same name, the newer one alone is shown, which
//! readers see as an ordinary counter reset.

use super::{Family, Levels, Plan, RenderContext, Samples, Value};
use crate::duplicate_series::DuplicateSeries;
use crate::encode::Sample;
use crate::options::{Compat, ExportOptions};
use kepler_core::metric_names;
use kepler_core::snapshot::{AnyRow, Snapshot, State};
use kepler_core::units::{Power, ZoneKind};
use kepler_core::workload::{Identity, PodInfo, Value as Attribute, WorkloadKind};
use std::hash::Hash;
use std::time::Duration;

/// A family of a kind: how its samples are made of one row.
macro_rules! family {
    ($header:ident, $kind:ident, $name:ident, $unit:literal, $help:expr, $write:ident) => {
        Family {
            header: Family::$header(metric_names::$name, Some($unit), $help),
            level: Levels::of(WorkloadKind::$kind),
            rows: |context| context.snapshot.map_or(0, |snapshot| snapshot.count(WorkloadKind::$kind)),
            write: |context, row, samples| $write(context, WorkloadKind::$kind, row, samples),
        }
    };
}

/// One row a kind: what the help texts call it, the names of joules and watts, and that of CPU time, if it is shown.
macro_rules! kinds {
    ($($kind:ident $called:literal $joules:ident $watts:ident $($seconds:ident $write_seconds:ident)?;)*) => {
        &[$(
            family!(counter, $kind, $joules, "joules", concat!("Energy consumption of cpu ", $called, " in joules"), joules),
            family!(gauge, $kind, $watts, "watts", concat!("Power consumption of cpu ", $called, " in watts"), watts),
            $(family!(
                counter, $kind, $seconds, "seconds",
                concat!("Total user and system time of cpu ", $called, " in seconds"), $write_seconds
            ),)?
        )*]
    };
}

#[rustfmt::skip] // A table.
pub(super) const FAMILIES: &[Family] = kinds! {
    Process "at process level" PROCESS_CPU_JOULES_TOTAL PROCESS_CPU_WATTS PROCESS_CPU_SECONDS_TOTAL process_seconds;
    Container "at container level" CONTAINER_CPU_JOULES_TOTAL CONTAINER_CPU_WATTS CONTAINER_CPU_SECONDS_TOTAL seconds;
    Vm "at vm level" VM_CPU_JOULES_TOTAL VM_CPU_WATTS;
    Pod "at pod level" POD_CPU_JOULES_TOTAL POD_CPU_WATTS;
    Unit "at systemd unit level" UNIT_CPU_JOULES_TOTAL UNIT_CPU_WATTS UNIT_CPU_SECONDS_TOTAL seconds;
    Job "at batch job level" JOB_CPU_JOULES_TOTAL JOB_CPU_WATTS JOB_CPU_SECONDS_TOTAL seconds;
    Command "of unlisted processes, by command name," COMMAND_CPU_JOULES_TOTAL COMMAND_CPU_WATTS COMMAND_CPU_SECONDS_TOTAL seconds;
};

/// Finds the rows with equal labels, at the levels that are exported.
pub(super) fn plan(snapshot: &Snapshot, options: &ExportOptions) -> Plan {
    let mut plan = Plan::default();
    for kind in WorkloadKind::MEASURED {
        if options.levels.contains(Levels::of(kind)) {
            plan.duplicates.insert(kind, summed(snapshot, kind));
        }
    }
    if options.levels.contains(Levels::PROCESS) {
        plan.process_seconds = newest(snapshot, WorkloadKind::Process, label_set);
    }
    if options.levels.contains(Levels::POD) {
        plan.pod_info = newest(snapshot, WorkloadKind::Pod, AnyRow::identity);
    }
    if options.levels.contains(Levels::CONTAINER) {
        plan.container_info = newest(snapshot, WorkloadKind::Container, AnyRow::identity);
    }
    if options.levels.contains(Levels::CONTAINER) && options.compat.is_some() {
        plan.older_containers = newest(snapshot, WorkloadKind::Container, label_set);
    }
    plan
}

/// What tells label sets apart, but for the state.
fn label_set<'a>(row: &AnyRow<'a>) -> [Option<Attribute<'a>>; 8] {
    let mut labels = row.attributes().labels().map(|(_, value)| value);
    std::array::from_fn(|_| labels.next())
}

fn summed(snapshot: &Snapshot, kind: WorkloadKind) -> DuplicateSeries {
    let key = |row: usize| snapshot.row(kind, row).map(|row| (row.state, label_set(&row)));
    DuplicateSeries::summed(snapshot.count(kind), key)
}

/// Of the rows with one key: running before terminated, then the one that started last.
fn newest<'a, K: Hash + Eq>(snapshot: &'a Snapshot, kind: WorkloadKind, key: fn(&AnyRow<'a>) -> K) -> DuplicateSeries {
    let started = |row: &AnyRow<'_>| match row.identity() {
        Identity::Process { start_ticks, .. } => start_ticks,
        _ => 0,
    };
    DuplicateSeries::newest(
        snapshot.count(kind),
        |row| snapshot.row(kind, row).map(|row| key(&row)),
        |row| snapshot.row(kind, row).map(|row| (row.state == State::Running, started(&row))),
    )
}

/// The row to write, with those whose figures are added to it.
pub(super) fn row_with_duplicates<'a>(
    context: &RenderContext<'a>,
    kind: WorkloadKind,
    row: usize,
) -> Option<(AnyRow<'a>, impl Iterator<Item = AnyRow<'a>> + Clone + use<'a>)> {
    let snapshot = context.snapshot?;
    if context.plan.hides(kind, row) {
        return None;
    }
    let added = context.plan.added_to(kind, row);
    Some((snapshot.row(kind, row)?, added.iter().filter_map(move |&row| snapshot.row(kind, row))))
}

/// The sample with the labels of its workload, without the state.
fn labelled<'a>(context: &RenderContext<'_>, row: &AnyRow<'_>, samples: &'a mut Samples<'_>) -> Sample<'a> {
    row.attributes().labels().fold(
        samples.sample().rendered(context.node_label),
        |sample, (label, value)| match value {
            Attribute::Text(text) => sample.label(label, text),
            Attribute::Number(number) => sample.label_number(label, number),
            _ => sample.label(label, ""),
        },
    )
}

pub(super) fn sample<'a>(context: &RenderContext<'_>, row: &AnyRow<'_>, samples: &'a mut Samples<'_>) -> Sample<'a> {
    let mut sample = labelled(context, row, samples);
    if context.options.compat == Some(Compat::RaplNames) && row.kind() == WorkloadKind::Container {
        let named = row.attributes().labels().find(|(label, _)| *label == "container_name");
        let (pod, namespace) = row.parents().pod.map_or(("", ""), PodInfo::names_in_labels);
        sample = sample.label("container", named.and_then(|(_, name)| name.text()).unwrap_or_default());
        sample = sample.label("pod", pod).label("namespace", namespace);
    }
    // All processes of a command have ended, and more may come.
    if row.kind() == WorkloadKind::Command { sample } else { sample.label("state", row.state.name()) }
}

fn joules(context: &RenderContext<'_>, kind: WorkloadKind, row: usize, samples: &mut Samples<'_>) {
    if context.plan.zones.is_empty() {
        return;
    }
    let Some((row, duplicates)) = row_with_duplicates(context, kind, row) else { return };
    sample(context, &row, samples).zones(context.plan.zones.iter().map(|&zone| {
        let energy = duplicates.clone().fold(row.energy[zone], |sum, duplicate| sum + duplicate.energy[zone]);
        (zone, Value::Energy(energy))
    }));
}

fn watts(context: &RenderContext<'_>, kind: WorkloadKind, row: usize, samples: &mut Samples<'_>) {
    if context.plan.powered.is_empty() {
        return;
    }
    let Some((row, duplicates)) = row_with_duplicates(context, kind, row) else { return };
    let power = |row: &AnyRow<'_>, zone: ZoneKind| match row.state {
        State::Running => row.power[zone],
        _ => Power::ZERO,
    };
    sample(context, &row, samples).zones(context.plan.powered.iter().map(|&zone| {
        let power = duplicates.clone().fold(power(&row, zone), |sum, duplicate| sum + power(&duplicate, zone));
        (zone, Value::Number(power.watts()))
    }));
}

fn seconds(context: &RenderContext<'_>, kind: WorkloadKind, row: usize, samples: &mut Samples<'_>) {
    let Some((row, duplicates)) = row_with_duplicates(context, kind, row) else { return };
    let time = duplicates.fold(row.cpu_time, |sum: Duration, duplicate| sum.saturating_add(duplicate.cpu_time));
    sample(context, &row, samples).value(Value::Time(time));
}

fn process_seconds(context: &RenderContext<'_>, kind: WorkloadKind, row: usize, samples: &mut Samples<'_>) {
    let Some(process) = context.snapshot.and_then(|snapshot| snapshot.row(kind, row)) else { return };
    if !context.plan.process_seconds.hides(row) {
        labelled(context, &process, samples).value(Value::Time(process.cpu_time));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measured_kind_has_its_families_and_its_labels_fit_the_key() {
        for kind in WorkloadKind::MEASURED {
            let name = format!("kepler_{kind}_cpu_joules_total");
            assert!(FAMILIES.iter().any(|family| family.header.name == name), "{name}");
            assert!(kind.attributes().iter().filter(|attribute| attribute.label.is_some()).count() <= 8, "{kind}");
        }
    }
}
