//! A row for the total, for its idle and unattributed parts, for each workload and each meter of a whole machine; each with its state. What is not known is empty.

use crate::cli::comma::{number, row};
use kepler_compliance::tools::{Amounts, Input, PlatformFigures, Report};

const COLUMNS: [&str; 32] = [
    "scope",
    "kind",
    "namespace",
    "name",
    "from",
    "to",
    "source",
    "coverage",
    "method",
    "error_ratio",
    "energy_joules",
    "facility_energy_kwh",
    "emissions_location_gCO2eq",
    "emissions_market_gCO2eq",
    "cost",
    "currency",
    "share",
    "cpu_seconds",
    "mean_power_watts",
    "region",
    "mean_intensity_gCO2eq_kWh",
    "grid_intensity_basis",
    "pue",
    "pue_basis",
    "platform_source",
    "bmc_id",
    "chassis_id",
    "source_type",
    "source_id",
    "covered_seconds",
    "age_seconds",
    "fault",
];

/// Who a row is, and what is known of it beside the amounts.
struct Who<'a> {
    scope: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    method: (&'a str, Option<f64>),
    rest: [Option<f64>; 3],
    platform: Option<&'a PlatformFigures>,
}

pub(super) fn table(report: &Report) -> String {
    let mut text = row(COLUMNS.iter().map(|name| (*name).to_owned()));
    let method = (report.method, report.error_ratio);
    let nodes = [("total", &report.total), ("idle", &report.idle), ("unattributed", &report.unattributed)];
    for (scope, amounts) in nodes {
        let who = Who { scope, kind: "", namespace: "", name: "", method, rest: [None; 3], platform: None };
        text.push_str(&line(report, &who, amounts));
    }
    for own in &report.rows {
        let who = Who {
            scope: "row",
            kind: own.kind.map_or("", |kind| kind.name()),
            namespace: own.namespace.as_deref().unwrap_or_default(),
            name: &own.name,
            method: (own.method, own.error_ratio),
            rest: [own.share, own.cpu_seconds, own.mean_power_watts],
            platform: None,
        };
        text.push_str(&line(report, &who, &own.amounts));
    }
    for meter in &report.platform {
        let basis = serde_json::to_value(meter.basis).ok().and_then(|name| name.as_str().map(str::to_owned));
        let seconds = meter.covered_seconds.filter(|seconds| *seconds > 0.0);
        let mean = meter.energy_joules.zip(seconds).map(|(joules, seconds)| joules / seconds);
        let who = Who {
            scope: "platform",
            kind: "",
            namespace: "",
            name: &meter.node,
            method: (basis.as_deref().unwrap_or_default(), None),
            rest: [None, None, mean],
            platform: Some(meter),
        };
        text.push_str(&line(report, &who, &Amounts::default()));
    }
    text
}

fn line(report: &Report, who: &Who<'_>, amounts: &Amounts) -> String {
    let [share, cpu, watts] = who.rest;
    let site = &report.site;
    let currency = report.currency.clone().filter(|_| amounts.cost.is_some()).unwrap_or_default();
    let cells = [
        who.scope.to_owned(),
        who.kind.to_owned(),
        who.namespace.to_owned(),
        who.name.to_owned(),
        report.from.to_string(),
        report.to.to_string(),
        report.source.clone(),
        number(Some(report.coverage)),
        who.method.0.to_owned(),
        number(who.method.1),
        number(who.platform.map_or(amounts.energy_joules, |meter| meter.energy_joules)),
        number(amounts.facility_energy_kwh),
        number(amounts.emissions_location),
        number(amounts.emissions_market),
        number(amounts.cost),
        currency,
        number(share),
        number(cpu),
        number(watts),
        site.region.clone(),
        number(report.mean_intensity),
        basis(site.grid_intensity.as_ref()),
        number(site.pue.as_ref().map(|pue| pue.value)),
        basis(site.pue.as_ref()),
    ];
    let word = |text: fn(&PlatformFigures) -> &str| who.platform.map(text).unwrap_or_default().to_owned();
    let platform = [
        word(|meter| &meter.source),
        word(|meter| &meter.bmc_id),
        word(|meter| &meter.chassis_id),
        word(|meter| &meter.source_type),
        word(|meter| &meter.source_id),
        number(who.platform.and_then(|meter| meter.covered_seconds)),
        number(who.platform.and_then(|meter| meter.age_seconds)),
        word(|meter| meter.fault.as_deref().unwrap_or_default()),
    ];
    row(cells.into_iter().chain(platform))
}

/// How a figure came about, as it stands in JSON.
pub(super) fn basis(input: Option<&Input>) -> String {
    let name = input.and_then(|input| serde_json::to_value(input.basis).ok());
    name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
