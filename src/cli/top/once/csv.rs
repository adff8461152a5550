//! A row a workload, then one a meter of the whole machine, and one of what is left beside its parts.

use super::super::model::arrange::Line;
use super::super::model::frame::Trust;
use super::super::model::whole::{Residual, Whole};
use super::super::state::App;
use super::{age, state};
use crate::cli::comma::{number, row};
use jiff::Timestamp;
use std::time::Instant;

const COLUMNS: [&str; 18] = [
    "at",
    "age_seconds",
    "node_name",
    "kind",
    "name",
    "namespace",
    "pid",
    "power_watts",
    "energy_joules",
    "emissions_gCO2eq_per_hour",
    "cpu_seconds",
    "state",
    "error_ratio",
    "source",
    "scope",
    "covered_seconds",
    "reading_age_seconds",
    "fault",
];

pub(super) fn text(app: &App, lines: &[Line<'_>], now: Instant) -> String {
    let mut text = row(COLUMNS.iter().map(|name| (*name).to_owned()));
    let node = app.node();
    let at = node.map_or(Timestamp::UNIX_EPOCH, |node| node.at).to_string();
    let first = [at, number(Some(age(app, now))), node.map(|node| node.name.clone()).unwrap_or_default()];
    let workloads = lines.iter().map(|line| Cells::of_workload(app, line));
    let meters = node.into_iter().flat_map(|node| &node.platform).map(Cells::of_meter);
    let rest = node.and_then(|node| node.residual.as_ref()).map(Cells::of_rest);
    for cells in workloads.chain(meters).chain(rest) {
        text.push_str(&row(first.iter().cloned().chain(cells.texts(app))));
    }
    text
}

/// The columns of a row from `kind` on. What has no meaning in it is empty.
#[derive(Default)]
struct Cells<'a> {
    kind: &'a str,
    name: String,
    namespace: &'a str,
    pid: Option<u32>,
    watts: Option<f64>,
    joules: Option<f64>,
    cpu_seconds: Option<f64>,
    state: &'a str,
    error_ratio: Option<f64>,
    source: &'a str,
    scope: &'a str,
    covered_seconds: Option<f64>,
    reading_age_seconds: Option<f64>,
    fault: Option<&'a str>,
}

impl<'a> Cells<'a> {
    fn of_workload(app: &App, line: &'a Line<'_>) -> Self {
        let item = &line.item;
        Cells {
            kind: item.kind.name(),
            name: item.name.to_owned(),
            namespace: item.namespace,
            pid: item.pid,
            watts: item.watts,
            joules: Some(item.joules),
            cpu_seconds: Some(item.cpu_seconds),
            state: state(app, item.watts),
            error_ratio: app.node().and_then(|node| node.error_ratio),
            ..Cells::default()
        }
    }

    fn of_meter(whole: &'a Whole) -> Self {
        Cells {
            kind: "platform",
            name: whole.name(),
            watts: whole.watts,
            joules: drawn(whole.joules, whole.covered_seconds),
            state: state_of(whole.trust, whole.watts),
            error_ratio: whole.error_ratio,
            source: &whole.source,
            scope: &whole.scope,
            covered_seconds: Some(whole.covered_seconds),
            reading_age_seconds: whole.age_seconds,
            fault: whole.fault.as_deref(),
            ..Cells::default()
        }
    }

    fn of_rest(rest: &'a Residual) -> Self {
        Cells {
            kind: "platform_residual",
            watts: rest.watts,
            joules: drawn(rest.joules, rest.covered_seconds),
            state: state_of(rest.trust, rest.watts),
            error_ratio: rest.error_ratio,
            source: &rest.source,
            covered_seconds: Some(rest.covered_seconds),
            fault: rest.fault.as_deref(),
            ..Cells::default()
        }
    }

    fn texts(self, app: &App) -> [String; 15] {
        [
            self.kind.to_owned(),
            self.name,
            self.namespace.to_owned(),
            self.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            number(self.watts),
            number(self.joules),
            number(self.watts.and_then(|watts| app.rates.grams(watts * 3600.0))),
            number(self.cpu_seconds),
            self.state.to_owned(),
            number(self.error_ratio),
            self.source.to_owned(),
            self.scope.to_owned(),
            number(self.covered_seconds),
            number(self.reading_age_seconds),
            self.fault.unwrap_or_default().to_owned(),
        ]
    }
}

fn state_of(trust: Trust, watts: Option<f64>) -> &'static str {
    if watts.is_some() { trust.name() } else { "unknown" }
}

/// Energy of no time is not known: it takes two readings.
fn drawn(joules: f64, covered_seconds: f64) -> Option<f64> {
    Some(joules).filter(|_| covered_seconds > 0.0)
}
