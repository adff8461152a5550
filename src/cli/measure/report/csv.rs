//! A row a run, each with its state. What is not known is empty.

use super::{Report, Run};
use crate::cli::comma::{number, row};
use crate::cli::measure::platform::PlatformDrawn;
use kepler_core::units::ZoneKind;

const COLUMNS: [&str; 33] = [
    "kind",
    "name",
    "run",
    "started_at",
    "exit_status",
    "signal",
    "state",
    "method",
    "source",
    "error_ratio",
    "followed_by",
    "resolution_ratio",
    "duration_seconds",
    "cpu_seconds",
    "energy_joules",
    "energy_lower_joules",
    "energy_upper_joules",
    "above_baseline_joules",
    "power_watts",
    "share",
    "emissions_gCO2eq",
    "cost",
    "currency",
    "machine_energy_joules",
    "machine_above_baseline_joules",
    "machine_power_watts",
    "machine_emissions_gCO2eq",
    "region",
    "region_basis",
    "grid_intensity_gCO2eq_kWh",
    "grid_intensity_basis",
    "pue",
    "pue_basis",
];

/// Of the meter of the whole machine: the one that measures the node and nothing else, if there is one.
const PLATFORM: [&str; 10] = [
    "platform_joules",
    "platform_covered_seconds",
    "platform_watts",
    "platform_age_seconds",
    "platform_method",
    "platform_source",
    "platform_source_type",
    "platform_source_id",
    "platform_error_ratio",
    "platform_fault",
];

pub(super) fn csv(report: &Report) -> String {
    let zones = ZoneKind::ALL.map(|zone| format!("machine_{}_joules", zone.name()));
    let platform = PLATFORM.iter().map(|name| (*name).to_owned());
    let mut text = row(COLUMNS.iter().map(|name| (*name).to_owned()).chain(zones).chain(platform));
    for measurement in &report.measurements {
        for (number, run) in (1..).zip(&measurement.runs) {
            let subject = &measurement.subject;
            let first = [subject.kind.to_owned(), subject.name.clone(), u32::to_string(&number)];
            text.push_str(&row(first
                .into_iter()
                .chain(cells(report, run))
                .chain(zone_cells(run))
                .chain(platform_cells(run))));
        }
    }
    text
}

fn cells(report: &Report, run: &Run) -> [String; 30] {
    let integer = |value: Option<i32>| value.map_or_else(String::new, |value| value.to_string());
    let word = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let basis = |input: &Option<kepler_compliance::tools::Input>| {
        let name = input.as_ref().and_then(|input| serde_json::to_value(input.basis).ok());
        name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let (site, machine, interval) = (&report.site, &run.machine, run.energy_interval_joules.as_ref());
    [
        run.started_at.map_or_else(String::new, |at| at.to_string()),
        integer(run.exit_status),
        integer(run.signal),
        run.state.name().to_owned(),
        word(run.method),
        word(run.source),
        number(run.error_ratio),
        report.followed_by.to_owned(),
        number(Some(run.resolution_ratio)),
        number(Some(run.duration_seconds)),
        number(Some(run.cpu_seconds)),
        number(run.energy_joules),
        number(interval.map(|interval| interval.lower)),
        number(interval.map(|interval| interval.upper)),
        number(run.above_baseline_joules),
        number(run.power_watts),
        number(run.share),
        number(run.emissions),
        number(run.cost),
        word(report.currency.as_deref()),
        number(machine.energy_joules),
        number(machine.above_baseline_joules),
        number(machine.power_watts),
        number(machine.emissions),
        site.region.clone(),
        (if site.is_region_assumed { "assumed" } else { "stated" }).to_owned(),
        number(site.grid_intensity.as_ref().map(|grid| grid.value)),
        basis(&site.grid_intensity),
        number(site.pue.as_ref().map(|pue| pue.value)),
        basis(&site.pue),
    ]
}

fn zone_cells(run: &Run) -> impl Iterator<Item = String> {
    ZoneKind::ALL.into_iter().map(|kind| {
        let zone = run.zones.iter().find(|zone| zone.zone == kind.name());
        number(zone.map(|zone| zone.machine_joules))
    })
}

fn platform_cells(run: &Run) -> [String; 10] {
    let meter = run.platform.iter().find(|meter| meter.scope == "node").or_else(|| run.platform.first());
    let word = |text: fn(&PlatformDrawn) -> &str| meter.map(text).unwrap_or_default().to_owned();
    [
        number(meter.and_then(|meter| meter.energy_joules)),
        number(meter.map(|meter| meter.covered_seconds)),
        number(meter.and_then(|meter| meter.power_watts)),
        number(meter.and_then(|meter| meter.age_seconds)),
        word(|meter| meter.method),
        word(|meter| meter.source),
        word(|meter| &meter.source_type),
        word(|meter| &meter.source_id),
        number(meter.and_then(|meter| meter.error_ratio)),
        word(|meter| meter.fault.unwrap_or_default()),
    ]
}
