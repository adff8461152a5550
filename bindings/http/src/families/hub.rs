//! How a hub fares. Energy is the nodes' own to export: here it would be counted twice.

use super::{Family, Levels, RenderContext, Samples, Value};
use crate::hub::{HubStatus, Polling, STATES};
use kepler_core::metric_names;
use std::time::Duration;

/// A family about a hub's polling: how its samples are made.
macro_rules! about {
    ($header:ident, $name:ident, $unit:expr, $help:literal, |$polling:ident, $samples:ident| $write:expr) => {
        Family {
            header: Family::$header(metric_names::$name, $unit, $help),
            level: Levels::NONE,
            rows: |context| usize::from(polling(context).is_some()),
            write: |context, _, $samples| {
                if let Some($polling) = polling(context) {
                    $write
                }
            },
        }
    };
}

pub(super) const FAMILIES: &[Family] = &[
    Family {
        header: Family::gauge(metric_names::HUB_BUILD_INFO, None, "Version of this hub, a constant 1"),
        level: Levels::NONE,
        rows: |context| usize::from(status(context).is_some()),
        write: |context, _, samples| {
            let build = &context.options.build;
            samples.sample().label("revision", &build.revision).label("version", &build.version).value(Value::Count(1));
        },
    },
    Family {
        header: Family::gauge(metric_names::HUB_NODES, None, "Nodes of this hub by state"),
        level: Levels::NONE,
        rows: |context| if polling(context).is_some() { STATES.len() } else { 0 },
        write: |context, row, samples| {
            if let (Some(status), Some(state)) = (status(context), STATES.get(row)) {
                samples.sample().label("state", state).value(Value::Count(status.count(state) as u64));
            }
        },
    },
    Family {
        header: Family::gauge(
            metric_names::HUB_NODE_AGE_SECONDS,
            Some("seconds"),
            "Time since a node of this hub answered in seconds",
        ),
        level: Levels::NONE,
        rows: |context| status(context).map_or(0, |status| status.nodes.len()),
        write: |context, row, samples| {
            let Some(node) = status(context).and_then(|status| status.nodes.get(row)) else { return };
            let repeats = |other: &crate::HubNode| other.name == node.name && other.age.is_some();
            let is_first = status(context).is_some_and(|status| !status.nodes.iter().take(row).any(repeats));
            if let Some(age) = node.age.filter(|_| is_first) {
                samples.sample().label("node", &node.name).value(Value::Time(age));
            }
        },
    },
    about!(counter, HUB_POLLS_TOTAL, None, "Polls of all nodes", |polling, samples| {
        samples.sample().value(Value::Count(polling.polls));
    }),
    about!(
        gauge,
        HUB_POLL_SECONDS,
        Some("seconds"),
        "How long the last poll of all nodes took in seconds",
        |polling, samples| time(samples, polling.last)
    ),
    about!(counter, HUB_POLL_ERRORS_TOTAL, None, "Nodes that failed in polls, by kind of fault", |polling, samples| {
        counts(samples, &polling.faults)
    }),
    about!(
        gauge,
        HUB_LIST_AGE_SECONDS,
        Some("seconds"),
        "Time since the list of nodes was last known to be right in seconds",
        |polling, samples| time(samples, polling.listed)
    ),
    about!(
        counter,
        HUB_LIST_ERRORS_TOTAL,
        None,
        "Failures to find out which nodes there are, by kind of fault",
        |polling, samples| counts(samples, &polling.list_faults)
    ),
    about!(gauge, HUB_WORKLOADS, None, "Workloads of all nodes that are known", |polling, samples| {
        samples.sample().value(Value::Count(polling.workloads as u64));
    }),
    about!(gauge, HUB_POINTS, None, "Points of counters that are kept in memory", |polling, samples| {
        samples.sample().value(Value::Count(polling.points as u64));
    }),
];

fn status<'a>(context: &RenderContext<'a>) -> Option<&'a HubStatus> {
    context.plan.hub.as_ref()
}

fn polling<'a>(context: &RenderContext<'a>) -> Option<&'a Polling> {
    status(context)?.polling.as_ref()
}

fn time(samples: &mut Samples<'_>, time: Option<Duration>) {
    if let Some(time) = time {
        samples.sample().value(Value::Time(time));
    }
}

fn counts(samples: &mut Samples<'_>, counts: &[(&'static str, u64)]) {
    for (reason, count) in counts {
        samples.sample().label("reason", reason).value(Value::Count(*count));
    }
}
