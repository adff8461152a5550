//! Accelerators: each of the node's with its own series, and what workloads used of them.
//!
//! Where there are several, a workload has a series for each that it used, distinguished by `gpu` and `gpu_uuid`. Workloads that
//! used none have no series.

use super::workload::{row_with_duplicates, sample};
use super::{Family, Levels, RenderContext, Samples, Value, once_known};
use kepler_core::metric_names;
use kepler_core::snapshot::{AnyRow, DeviceRow, DeviceUse, State, ZonePower};
use kepler_core::units::{Energy, Power};
use kepler_core::workload::WorkloadKind;

pub(super) const NODE_FAMILIES: &[Family] = &[
    node(Family::gauge(metric_names::NODE_GPU_INFO, None, "GPU of a node, a constant 1"), |context, _, samples| {
        devices(context, samples, |_| Some(Value::Count(1)))
    }),
    node(
        Family::counter(
            metric_names::NODE_GPU_JOULES_TOTAL,
            Some("joules"),
            "Energy consumption of gpu at node level in joules",
        ),
        |context, _, samples| devices(context, samples, |row| Some(Value::Energy(row.energy))),
    ),
    node(
        Family::gauge(metric_names::NODE_GPU_WATTS, Some("watts"), "Power consumption of gpu at node level in watts"),
        |context, _, samples| devices(context, samples, |row| watts(row.power.map(|power| power.total))),
    ),
    node(
        Family::counter(
            metric_names::NODE_GPU_ACTIVE_JOULES_TOTAL,
            Some("joules"),
            "Energy consumption of gpu in active state at node level in joules",
        ),
        |context, _, samples| devices(context, samples, |row| Some(Value::Energy(row.active_energy))),
    ),
    node(
        Family::gauge(
            metric_names::NODE_GPU_ACTIVE_WATTS,
            Some("watts"),
            "Power consumption of gpu in active state at node level in watts",
        ),
        |context, _, samples| devices(context, samples, |row| watts(split(row).map(|power| power.active))),
    ),
    node(
        Family::counter(
            metric_names::NODE_GPU_IDLE_JOULES_TOTAL,
            Some("joules"),
            "Energy consumption of gpu in idle state at node level in joules",
        ),
        |context, _, samples| devices(context, samples, |row| Some(Value::Energy(row.idle_energy))),
    ),
    node(
        Family::gauge(
            metric_names::NODE_GPU_IDLE_WATTS,
            Some("watts"),
            "Power consumption of gpu in idle state at node level in watts",
        ),
        |context, _, samples| devices(context, samples, |row| watts(split(row).map(|power| power.idle))),
    ),
    node(
        Family::counter(
            metric_names::NODE_GPU_UNSPLIT_JOULES_TOTAL,
            Some("joules"),
            "Energy of gpu while neither its idle power nor its utilisation was known in joules",
        ),
        |context, _, samples| devices(context, samples, |row| Some(Value::Energy(row.unsplit_energy))),
    ),
    node(
        Family::counter(
            metric_names::NODE_GPU_UNATTRIBUTED_JOULES_TOTAL,
            Some("joules"),
            "Active energy of gpu that no known workload explains in joules",
        ),
        |context, _, samples| devices(context, samples, |row| Some(Value::Energy(row.unattributed_energy))),
    ),
    node(
        Family::gauge(
            metric_names::NODE_GPU_USAGE_RATIO,
            Some("ratio"),
            "Share of time in which a gpu was busy (value between 0.0 and 1.0)",
        ),
        |context, _, samples| devices(context, samples, |row| row.utilisation.map(Value::Number)),
    ),
];

const fn node(header: super::Header, write: fn(&RenderContext<'_>, usize, &mut Samples<'_>)) -> Family {
    Family { header, level: Levels::NODE, rows: once_known, write }
}

/// A family of the kinds that Kubernetes gives devices to.
const fn reserved(
    header: super::Header,
    kind: WorkloadKind,
    rows: fn(&RenderContext<'_>) -> usize,
    write: fn(&RenderContext<'_>, usize, &mut Samples<'_>),
) -> Family {
    Family { header, level: Levels::of(kind), rows, write }
}

/// What devices drew idle while Kubernetes had given them to containers and pods.
pub(super) const RESERVED_FAMILIES: &[Family] = &[
    reserved(
        Family::counter(
            metric_names::CONTAINER_GPU_IDLE_JOULES_TOTAL,
            Some("joules"),
            "Energy of gpu in idle state while given to a container in joules",
        ),
        WorkloadKind::Container,
        |context| users(context, WorkloadKind::Container),
        |context, row, samples| idle_energies(context, WorkloadKind::Container, row, samples),
    ),
    reserved(
        Family::counter(
            metric_names::POD_GPU_IDLE_JOULES_TOTAL,
            Some("joules"),
            "Energy of gpu in idle state while given to a pod in joules",
        ),
        WorkloadKind::Pod,
        |context| users(context, WorkloadKind::Pod),
        |context, row, samples| idle_energies(context, WorkloadKind::Pod, row, samples),
    ),
];

/// A family of a kind: how its samples are made of one row.
macro_rules! kinds {
    ($($kind:ident $called:literal $joules:ident $watts:ident;)*) => {
        &[$(
            Family {
                header: Family::counter(
                    metric_names::$joules,
                    Some("joules"),
                    concat!("Energy consumption of gpu ", $called, " in joules"),
                ),
                level: Levels::of(WorkloadKind::$kind),
                rows: |context| users(context, WorkloadKind::$kind),
                write: |context, row, samples| energies(context, WorkloadKind::$kind, row, samples),
            },
            Family {
                header: Family::gauge(
                    metric_names::$watts,
                    Some("watts"),
                    concat!("Power consumption of gpu ", $called, " in watts"),
                ),
                level: Levels::of(WorkloadKind::$kind),
                rows: |context| users(context, WorkloadKind::$kind),
                write: |context, row, samples| powers(context, WorkloadKind::$kind, row, samples),
            },
        )*]
    };
}

#[rustfmt::skip] // A table.
pub(super) const WORKLOAD_FAMILIES: &[Family] = kinds! {
    Process "at process level" PROCESS_GPU_JOULES_TOTAL PROCESS_GPU_WATTS;
    Container "at container level" CONTAINER_GPU_JOULES_TOTAL CONTAINER_GPU_WATTS;
    Vm "at vm level" VM_GPU_JOULES_TOTAL VM_GPU_WATTS;
    Pod "at pod level" POD_GPU_JOULES_TOTAL POD_GPU_WATTS;
    Unit "at systemd unit level" UNIT_GPU_JOULES_TOTAL UNIT_GPU_WATTS;
    Job "at batch job level" JOB_GPU_JOULES_TOTAL JOB_GPU_WATTS;
    Command "of unlisted processes, by command name," COMMAND_GPU_JOULES_TOTAL COMMAND_GPU_WATTS;
};

/// A device's power in parts, where its idle part is known.
fn split(row: &DeviceRow) -> Option<ZonePower> {
    row.idle_policy.and(row.power)
}

fn watts(power: Option<Power>) -> Option<Value> {
    power.map(|power| Value::Number(power.watts()))
}

fn devices(context: &RenderContext<'_>, samples: &mut Samples<'_>, value: impl Fn(&DeviceRow) -> Option<Value>) {
    for row in known_devices(context) {
        let Some(value) = value(row) else { continue };
        samples
            .sample()
            .rendered(context.node_label)
            .label_number("gpu", u64::from(row.device.index))
            .label("gpu_uuid", &row.device.uuid)
            .label("gpu_name", &row.device.name)
            .label("vendor", row.device.vendor)
            .value(value);
    }
}

fn known_devices<'a>(context: &RenderContext<'a>) -> &'a [DeviceRow] {
    context.snapshot.map_or(&[], |snapshot| &snapshot.devices)
}

/// How many rows there are of a kind; none without accelerators.
fn users(context: &RenderContext<'_>, kind: WorkloadKind) -> usize {
    let has_devices = !known_devices(context).is_empty();
    context.snapshot.filter(|_| has_devices).map_or(0, |snapshot| snapshot.count(kind))
}

/// What a workload had of some devices.
#[derive(Clone, Copy)]
struct Had {
    energy: Energy,
    power: Power,
    idle: Energy,
}

impl Had {
    fn and(self, other: Self) -> Self {
        Had { energy: self.energy + other.energy, power: self.power + other.power, idle: self.idle + other.idle }
    }
}

/// What a workload used of the devices `is_counted` names.
fn used(row: &AnyRow<'_>, is_counted: impl Fn(u32) -> bool) -> Option<Had> {
    let devices = row.devices.iter().filter(|used| is_counted(used.device));
    let power = |power: Power| if row.state == State::Running { power } else { Power::ZERO };
    let had = |used: &DeviceUse| Had { energy: used.energy, power: power(used.power), idle: used.idle_energy };
    devices.map(had).reduce(Had::and)
}

/// Writes what a workload used: of all devices at once, or one by one where there are several.
fn by_device(
    context: &RenderContext<'_>,
    kind: WorkloadKind,
    row: usize,
    samples: &mut Samples<'_>,
    value: impl Fn(&[DeviceRow], Had) -> Option<Value>,
) {
    let Some((row, duplicates)) = row_with_duplicates(context, kind, row) else { return };
    let devices = known_devices(context);
    let sum = |is_counted: &dyn Fn(u32) -> bool| {
        let all = std::iter::once(row).chain(duplicates.clone());
        all.filter_map(|row| used(&row, is_counted)).reduce(Had::and)
    };
    if devices.len() < 2 || context.options.gpus_summed {
        if let Some(value) = sum(&|_| true).and_then(|had| value(devices, had)) {
            sample(context, &row, samples).value(value);
        }
        return;
    }
    for (place, device) in devices.iter().enumerate() {
        let found = sum(&|used| usize::try_from(used) == Ok(place));
        let Some(value) = found.and_then(|had| value(std::slice::from_ref(device), had)) else { continue };
        sample(context, &row, samples)
            .label_number("gpu", u64::from(device.device.index))
            .label("gpu_uuid", &device.device.uuid)
            .value(value);
    }
}

fn energies(context: &RenderContext<'_>, kind: WorkloadKind, row: usize, samples: &mut Samples<'_>) {
    by_device(context, kind, row, samples, |_, had| Some(Value::Energy(had.energy)));
}

/// Nothing where none was given to it.
fn idle_energies(context: &RenderContext<'_>, kind: WorkloadKind, row: usize, samples: &mut Samples<'_>) {
    by_device(context, kind, row, samples, |_, had| (had.idle > Energy::ZERO).then_some(Value::Energy(had.idle)));
}

/// Power is known of devices that could be read.
fn powers(context: &RenderContext<'_>, kind: WorkloadKind, row: usize, samples: &mut Samples<'_>) {
    by_device(context, kind, row, samples, |devices, had| {
        devices.iter().any(|device| device.power.is_some()).then_some(Value::Number(had.power.watts()))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepler_core::metric_names::WorkloadMetrics;

    #[test]
    fn every_measured_kind_has_its_families_and_a_level() {
        let families: Vec<_> = super::super::workload::FAMILIES.iter().chain(WORKLOAD_FAMILIES).collect();
        for kind in WorkloadKind::MEASURED {
            let names = WorkloadMetrics::of(kind).unwrap();
            for name in [names.cpu_joules_total, names.cpu_watts, names.gpu_joules_total, names.gpu_watts] {
                assert!(families.iter().any(|family| family.header.name == name), "{name}");
            }
            assert_ne!(Levels::of(kind), Levels::NONE, "{kind}");
        }
    }
}
