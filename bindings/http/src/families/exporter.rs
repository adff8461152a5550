//! Metrics of the exporter and of its sources.

use super::{Family, Header, Levels, RenderContext, Samples, Value, once, once_known};
use crate::own;
use kepler_core::metric_names;
use kepler_core::snapshot::{Fault, Snapshot};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        header: Family::gauge(
            metric_names::BUILD_INFO,
            None,
            "A metric with a constant '1' value labeled with version information",
        ),
        level: Levels::NONE,
        rows: once,
        write: build,
    },
    Family {
        header: Family::gauge(metric_names::NODE_CPU_INFO, None, "CPU information from procfs"),
        level: Levels::NONE,
        rows: |context| context.options.topology.processors.len(),
        write: processor,
    },
    Family {
        header: Family::counter(
            metric_names::READ_ERRORS_TOTAL,
            None,
            "Readings of a source that failed, by kind of fault",
        ),
        level: Levels::NONE,
        rows: once_known,
        write: |context, _, samples| faults(context, samples, |snapshot| &snapshot.faults),
    },
    Family {
        header: Family::counter(
            metric_names::ESTIMATE_WARNINGS_TOTAL,
            None,
            "Readings of an estimate that deserve a warning: inputs outside the range trained with, most of them lately, clipped",
        ),
        level: Levels::NONE,
        rows: once_known,
        write: |context, _, samples| faults(context, samples, |snapshot| &snapshot.estimate_warnings),
    },
    Family {
        header: Family::gauge(
            metric_names::LAST_SUCCESS_TIMESTAMP_SECONDS,
            Some("seconds"),
            "When a source last delivered, in seconds since 1970-01-01 UTC",
        ),
        level: Levels::NONE,
        rows: once_known,
        write: last_success,
    },
    Family {
        header: Family::gauge(
            metric_names::EXPORTER_COLLECT_SECONDS,
            Some("seconds"),
            "CPU time of the last collection in seconds",
        ),
        level: Levels::NONE,
        rows: once_known,
        write: |context, _, samples| {
            if let Some(snapshot) = context.snapshot {
                plain(context, samples, Value::Time(snapshot.cost.last_tick));
            }
        },
    },
    Family {
        header: Family::counter(
            metric_names::EXPORTER_CPU_SECONDS_TOTAL,
            Some("seconds"),
            "CPU time of this process, all threads, in seconds",
        ),
        level: Levels::NONE,
        rows: once,
        write: |context, _, samples| plain(context, samples, Value::Time(own::cpu_time())),
    },
    Family {
        header: Family::gauge(
            metric_names::EXPORTER_RESIDENT_BYTES,
            Some("bytes"),
            "Physical memory held by this process in bytes",
        ),
        level: Levels::NONE,
        rows: once,
        write: |context, _, samples| {
            if let Some(bytes) = own::resident_bytes() {
                plain(context, samples, Value::Count(bytes));
            }
        },
    },
    process(
        Family::counter(
            "process_cpu_seconds_total",
            Some("seconds"),
            "Total user and system CPU time spent in seconds",
        ),
        |_, _, samples| {
            unlabelled(samples, Some(Value::Time(own::cpu_time())));
        },
    ),
    process(Family::gauge("process_open_fds", None, "Number of open file descriptors"), |_, _, samples| {
        unlabelled(samples, own::open_descriptors().map(Value::Count));
    }),
    process(Family::gauge("process_max_fds", None, "Maximum number of open file descriptors"), |_, _, samples| {
        unlabelled(samples, own::max_descriptors().map(Value::Count));
    }),
    process(
        Family::gauge("process_virtual_memory_bytes", Some("bytes"), "Virtual memory size in bytes"),
        |_, _, samples| {
            unlabelled(samples, own::virtual_bytes().map(Value::Count));
        },
    ),
    process(
        Family::gauge("process_resident_memory_bytes", Some("bytes"), "Resident memory size in bytes"),
        |_, _, samples| {
            unlabelled(samples, own::resident_bytes().map(Value::Count));
        },
    ),
    process(
        Family::gauge(
            "process_start_time_seconds",
            Some("seconds"),
            "Start time of the process since unix epoch in seconds",
        ),
        |_, _, samples| {
            unlabelled(samples, own::start_time().map(Value::Time));
        },
    ),
];

/// What every exporter says of its own process, without any label.
const fn process(header: Header, write: fn(&RenderContext<'_>, usize, &mut Samples<'_>)) -> Family {
    Family { header, level: Levels::NONE, rows: once, write }
}

fn unlabelled(samples: &mut Samples<'_>, value: Option<Value>) {
    if let Some(value) = value {
        samples.sample().value(value);
    }
}

fn plain(context: &RenderContext<'_>, samples: &mut Samples<'_>, value: Value) {
    samples.sample().rendered(context.node_label).value(value);
}

fn build(context: &RenderContext<'_>, _: usize, samples: &mut Samples<'_>) {
    let build = &context.options.build;
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

fn processor(context: &RenderContext<'_>, row: usize, samples: &mut Samples<'_>) {
    let Some(processor) = context.options.topology.processors.get(row) else { return };
    samples
        .sample()
        .label_number("processor", processor.number.into())
        .label("vendor_id", &processor.vendor_id)
        .label("model_name", &processor.model_name)
        .label_number("physical_id", processor.physical_id.into())
        .label_number("core_id", processor.core_id.into())
        .value(Value::Count(1));
}

fn faults(context: &RenderContext<'_>, samples: &mut Samples<'_>, of: fn(&Snapshot) -> &Vec<Fault>) {
    for fault in context.snapshot.iter().flat_map(|snapshot| of(snapshot)) {
        samples
            .sample()
            .rendered(context.node_label)
            .label("source", fault.source)
            .label("reason", fault.reason)
            .value(Value::Count(fault.count));
    }
}

fn last_success(context: &RenderContext<'_>, _: usize, samples: &mut Samples<'_>) {
    for source in context.snapshot.iter().flat_map(|snapshot| &snapshot.sources) {
        // A clock set to before 1970 has no such timestamp.
        let Ok(since_epoch) = source.last_success.wall.duration_since(std::time::UNIX_EPOCH) else { continue };
        samples.sample().rendered(context.node_label).label("source", source.source).value(Value::Time(since_epoch));
    }
}
