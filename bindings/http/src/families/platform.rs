//! The whole machine, as its BMC, its firmware or a meter outside shows it.
//!
//! It contains the zones and devices and is never added to them: its families stand apart. Where several nodes report the same
//! enclosure, `max by (bmc_id, chassis_id)` counts it once.

use super::{Family, Levels, RenderContext, Samples, Value, once_known};
use crate::encode::Sample;
use kepler_core::metric_names;
use kepler_core::platform::PlatformMeter;
use kepler_core::snapshot::{PlatformResidual, PlatformRow};

pub(super) const FAMILIES: &[Family] = &[
    node(
        Family::gauge(
            metric_names::PLATFORM_WATTS,
            Some("watts"),
            "Power of the whole machine as one of its meters shows it in watts",
        ),
        |context, _, samples| rows(context, samples, |row| row.power.map(|power| Value::Number(power.watts()))),
    ),
    node(
        Family::gauge(
            metric_names::PLATFORM_INFO,
            None,
            "What a meter of the whole machine measures (node, part, shared) and how, a constant 1",
        ),
        |context, _, samples| {
            for row in context.snapshot.map_or(&[][..], |snapshot| &snapshot.platform) {
                let meter = &row.meter;
                labelled(context, meter, samples)
                    .label("scope", meter.scope.name())
                    .label("method", meter.method.name())
                    .label("contains_gpus", if meter.contains_gpus { "true" } else { "false" })
                    .value(Value::Number(1.0));
            }
        },
    ),
    node(
        Family::gauge(
            metric_names::PLATFORM_ERROR_RATIO,
            None,
            "Expected relative error of a meter of the whole machine that is an estimate, one standard deviation",
        ),
        |context, _, samples| rows(context, samples, |row| row.meter.method.error_ratio().map(Value::Number)),
    ),
    node(
        Family::gauge(
            metric_names::PLATFORM_FAULT,
            None,
            "Why a meter of the whole machine cannot be read now or is not believed, a constant 1 as long as that is so",
        ),
        |context, _, samples| {
            for row in context.snapshot.map_or(&[][..], |snapshot| &snapshot.platform) {
                if let Some(fault) = row.fault {
                    labelled(context, &row.meter, samples).label("reason", fault).value(Value::Number(1.0));
                }
            }
        },
    ),
    node(
        Family::counter(
            metric_names::PLATFORM_JOULES_TOTAL,
            Some("joules"),
            "Energy of the whole machine as one of its meters shows it in joules",
        ),
        |context, _, samples| rows(context, samples, |row| Some(Value::Energy(row.energy))),
    ),
    node(
        Family::counter(
            metric_names::PLATFORM_COVERED_SECONDS_TOTAL,
            Some("seconds"),
            "Time that the platform energy is of, which is less than has passed where readings were missing, in seconds",
        ),
        |context, _, samples| rows(context, samples, |row| Some(Value::Number(row.covered.as_secs_f64()))),
    ),
    node(
        Family::gauge(
            metric_names::PLATFORM_READING_AGE_SECONDS,
            Some("seconds"),
            "How old the newest believed reading of a meter of the whole machine is in seconds",
        ),
        |context, _, samples| rows(context, samples, |row| row.age.map(|age| Value::Number(age.as_secs_f64()))),
    ),
    node(
        Family::counter(
            metric_names::PLATFORM_RESIDUAL_JOULES_TOTAL,
            Some("joules"),
            "Energy of the whole machine beside that of its package, dram and gpu in joules",
        ),
        |context, _, samples| residual(context, samples, |rest| Some(Value::Energy(rest.energy))),
    ),
    node(
        Family::gauge(
            metric_names::PLATFORM_RESIDUAL_WATTS,
            Some("watts"),
            "Power of the whole machine beside that of its package, dram and gpu in watts",
        ),
        |context, _, samples| residual(context, samples, |rest| rest.watts.map(Value::Number)),
    ),
    node(
        Family::gauge(
            metric_names::PLATFORM_RESIDUAL_ERROR_RATIO,
            None,
            "Expected relative error of what is left beside package, dram and gpu where something is estimated, one standard deviation",
        ),
        |context, _, samples| residual(context, samples, |rest| rest.method.error_ratio().map(Value::Number)),
    ),
];

const fn node(header: super::Header, write: fn(&RenderContext<'_>, usize, &mut Samples<'_>)) -> Family {
    Family { header, level: Levels::NODE, rows: once_known, write }
}

fn rows(context: &RenderContext<'_>, samples: &mut Samples<'_>, value: impl Fn(&PlatformRow) -> Option<Value>) {
    for row in context.snapshot.map_or(&[][..], |snapshot| &snapshot.platform) {
        if let Some(value) = value(row) {
            write(context, &row.meter, samples, value);
        }
    }
}

fn residual(
    context: &RenderContext<'_>,
    samples: &mut Samples<'_>,
    value: impl Fn(&PlatformResidual) -> Option<Value>,
) {
    let rest = context.snapshot.and_then(|snapshot| snapshot.platform_residual.as_ref());
    if let Some((rest, value)) = rest.and_then(|rest| Some((rest, value(rest)?))) {
        write(context, &rest.meter, samples, value);
    }
}

fn write(context: &RenderContext<'_>, meter: &PlatformMeter, samples: &mut Samples<'_>, value: Value) {
    labelled(context, meter, samples).value(value);
}

fn labelled<'a>(context: &RenderContext<'_>, meter: &PlatformMeter, samples: &'a mut Samples<'_>) -> Sample<'a> {
    samples
        .sample()
        .rendered(context.node_label)
        .label("source", meter.source)
        .label("bmc_id", &meter.bmc_id)
        .label("chassis_id", &meter.chassis_id)
        .label("source_id", &meter.source_id)
        .label("source_name", &meter.source_name)
        .label("source_type", &meter.source_type)
}
