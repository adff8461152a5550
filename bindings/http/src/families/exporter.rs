//! What the exporter says of itself and of its sources.

use super::{Family, Levels, Samples, Scene, Value, once, once_known};
use crate::own;
use kepler_core::snapshot::{Fault, Snapshot};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        header: Family::gauge(
            "kepler_build_info",
            None,
            "A metric with a constant '1' value labeled with version information",
        ),
        level: Levels::NONE,
        rows: once,
        write: build,
    },
    Family {
        header: Family::gauge("kepler_node_cpu_info", None, "CPU information from procfs"),
        level: Levels::NONE,
        rows: |scene| scene.exporter.options().topology.processors.len(),
        write: processor,
    },
    Family {
        header: Family::counter("kepler_read_errors_total", None, "Readings of a source that failed, by kind of fault"),
        level: Levels::NONE,
        rows: once_known,
        write: |scene, _, samples| faults(scene, samples, |snapshot| &snapshot.faults),
    },
    Family {
        header: Family::counter(
            "kepler_estimate_warnings_total",
            None,
            "Readings of an estimate that deserve a warning: inputs outside the range trained with, most of them lately, clipped",
        ),
        level: Levels::NONE,
        rows: once_known,
        write: |scene, _, samples| faults(scene, samples, |snapshot| &snapshot.estimate_warnings),
    },
    Family {
        header: Family::gauge(
            "kepler_last_success_timestamp_seconds",
            Some("seconds"),
            "When a source last delivered, in seconds since 1970-01-01 UTC",
        ),
        level: Levels::NONE,
        rows: once_known,
        write: last_success,
    },
    Family {
        header: Family::gauge(
            "kepler_exporter_collect_seconds",
            Some("seconds"),
            "CPU time of the last collection in seconds",
        ),
        level: Levels::NONE,
        rows: once_known,
        write: |scene, _, samples| {
            if let Some(snapshot) = scene.snapshot {
                plain(scene, samples, Value::Time(snapshot.cost.last_tick));
            }
        },
    },
    Family {
        header: Family::counter(
            "kepler_exporter_cpu_seconds_total",
            Some("seconds"),
            "CPU time of this process, all threads, in seconds",
        ),
        level: Levels::NONE,
        rows: once,
        write: |scene, _, samples| plain(scene, samples, Value::Time(own::cpu_time())),
    },
    Family {
        header: Family::gauge(
            "kepler_exporter_resident_bytes",
            Some("bytes"),
            "Physical memory held by this process in bytes",
        ),
        level: Levels::NONE,
        rows: once,
        write: |scene, _, samples| {
            if let Some(bytes) = own::resident_bytes() {
                plain(scene, samples, Value::Count(bytes));
            }
        },
    },
];

fn plain(scene: &Scene<'_>, samples: &mut Samples<'_>, value: Value) {
    samples.sample().rendered(scene.exporter.node_label()).value(value);
}

fn build(scene: &Scene<'_>, _: usize, samples: &mut Samples<'_>) {
    let build = &scene.exporter.options().build;
    samples
        .sample()
        .label("arch", &build.arch)
        .label("branch", &build.branch)
        // Dashboards group by it; there is no Go here to name.
        .label("goversion", "")
        .label("revision", &build.revision)
        .label("rustversion", &build.rustversion)
        .label("version", &build.version)
        .value(Value::Count(1));
}

fn processor(scene: &Scene<'_>, row: usize, samples: &mut Samples<'_>) {
    let Some(processor) = scene.exporter.options().topology.processors.get(row) else { return };
    samples
        .sample()
        .label_number("processor", processor.number)
        .label("vendor_id", &processor.vendor_id)
        .label("model_name", &processor.model_name)
        .label_number("physical_id", processor.physical_id)
        .label_number("core_id", processor.core_id)
        .value(Value::Count(1));
}

fn faults(scene: &Scene<'_>, samples: &mut Samples<'_>, of: fn(&Snapshot) -> &Vec<Fault>) {
    for fault in scene.snapshot.iter().flat_map(|snapshot| of(snapshot)) {
        samples
            .sample()
            .rendered(scene.exporter.node_label())
            .label("source", fault.source)
            .label("reason", fault.reason)
            .value(Value::Count(fault.count));
    }
}

fn last_success(scene: &Scene<'_>, _: usize, samples: &mut Samples<'_>) {
    for source in scene.snapshot.iter().flat_map(|snapshot| &snapshot.sources) {
        // A clock set to before 1970 has no such timestamp.
        let Ok(since_epoch) = source.last_success.wall.duration_since(std::time::UNIX_EPOCH) else { continue };
        samples
            .sample()
            .rendered(scene.exporter.node_label())
            .label("source", source.source)
            .value(Value::Time(since_epoch));
    }
}
