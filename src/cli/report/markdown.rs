//! The report as Markdown, and the texts that the page shares with it.

use super::csv::basis;
use super::words::{Word, how, word};
use crate::cli::page::{digits, figure};
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{Input, PlatformFigures, Report, ReportRow};
use kepler_core::printable;

/// Rows that a page shows by themselves; the rest is one row.
pub(super) const SHOWN: usize = 50;

/// Missing times that are named.
const NAMED: usize = 10;

pub(super) fn page(report: &Report, lang: Lang) -> String {
    let mut page =
        format!("# {}\n\n{}\n\n## {}\n\n", word(Word::Title, lang), period(report), word(Word::Summary, lang));
    page.push_str("| | |\n|---|---|\n");
    for (name, value) in facts(report, lang) {
        page.push_str(&format!("| {name} | {} |\n", cell(&value)));
    }
    page.push_str(&format!("\n## {}\n\n", word(Word::Who, lang)));
    let heads = heads(lang);
    page.push_str(&format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len())));
    for row in table(report, lang) {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        page.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    if !report.caveats.is_empty() {
        page.push_str(&format!("\n## {}\n\n", word(Word::Notes, lang)));
        for caveat in &report.caveats {
            page.push_str(&format!("- {}\n", cell(caveat)));
        }
    }
    page
}

/// The time asked for.
pub(super) fn period(report: &Report) -> String {
    format!("{:.0} – {:.0}", report.from, report.to)
}

/// A text that stays within its cell: no markup, no line end.
fn cell(text: &str) -> String {
    let mut shown = String::new();
    for c in printable::line(text).chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' => shown.extend(['\\', c]),
            '<' => shown.push_str("&lt;"),
            '&' => shown.push_str("&amp;"),
            _ => shown.push(c),
        }
    }
    shown
}

const JOULES_PER_KWH: f64 = 3.6e6;

/// Energy in the unit that suits the total, so that rows compare.
pub(super) fn energy(report: &Report, joules: Option<f64>, lang: Lang) -> String {
    const UNITS: [(&str, f64); 2] = [("kWh", JOULES_PER_KWH), ("Wh", 3.6e3)];
    let total = report.total.energy_joules.unwrap_or_default();
    let (unit, size) = UNITS.into_iter().find(|(_, size)| total >= size / 10.0).unwrap_or(("J", 1.0));
    figure(joules.map(|joules| joules / size), unit, lang)
}

/// The summary.
pub(super) fn facts(report: &Report, lang: Lang) -> Vec<(&'static str, String)> {
    let total = &report.total;
    let error = report.error_ratio.map(|error| format!(" (± {:.0} %)", error * 100.0)).unwrap_or_default();
    let currency = report.currency.clone().unwrap_or_default();
    let mut facts = vec![
        (word(Word::Energy, lang), energy(report, total.energy_joules, lang)),
        (word(Word::Idle, lang), energy(report, report.idle.energy_joules, lang)),
        (word(Word::Unattributed, lang), energy(report, report.unattributed.energy_joules, lang)),
        (word(Word::Facility, lang), energy(report, total.facility_energy_kwh.map(|kwh| kwh * JOULES_PER_KWH), lang)),
        (word(Word::Location, lang), figure(total.emissions_location, "gCO2e", lang)),
        (word(Word::Market, lang), figure(total.emissions_market, "gCO2e", lang)),
        (word(Word::Cost, lang), figure(total.cost, &currency, lang)),
        (word(Word::Method, lang), format!("{}{error}", how(report.method, lang))),
        (word(Word::Coverage, lang), format!("{} %", digits(report.coverage * 100.0))),
    ];
    let missing: Vec<String> =
        report.gaps.iter().take(NAMED).map(|gap| format!("{:.0} – {:.0}", gap.from, gap.to)).collect();
    if !missing.is_empty() {
        let more = report.gaps.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(", + {more}") } else { String::new() };
        facts.push((word(Word::Missing, lang), missing.join(", ") + &more));
    }
    facts.push((word(Word::Source, lang), report.source.clone()));
    for meter in &report.platform {
        let PlatformFigures { node, source, source_type, source_id, .. } = meter;
        let age = meter.age_seconds.map(|age| format!(", {age:.0} s")).unwrap_or_default();
        let fault = meter.fault.as_ref().map(|fault| format!(", {fault}")).unwrap_or_default();
        let covered = meter.covered_seconds.map(|seconds| format!("; {seconds:.0} s")).unwrap_or_default();
        let shown = energy(report, meter.energy_joules, lang);
        let from = format!("{node}: {source} {source_type} {source_id}{age}{fault}");
        facts.push((word(Word::Platform, lang), format!("{shown} ({from}){covered}")));
    }
    let site = &report.site;
    let (grid, pue) = (input(site.grid_intensity.as_ref(), lang), input(site.pue.as_ref(), lang));
    facts.push((word(Word::Grid, lang), format!("{}: {grid}; PUE {pue}", site.region)));
    facts
}

fn input(input: Option<&Input>, lang: Lang) -> String {
    let Some(own) = input else { return word(Word::Unknown, lang).to_owned() };
    let year = own.year.map(|year| format!(" {year}")).unwrap_or_default();
    let basis = basis(input);
    format!("{} ({}{year}, {})", figure(Some(own.value), &own.unit, lang), how(&basis, lang), own.source)
}

pub(super) fn heads(lang: Lang) -> [&'static str; 9] {
    [
        Word::Name,
        Word::Kind,
        Word::Namespace,
        Word::Energy,
        Word::Share,
        Word::Location,
        Word::Market,
        Word::Cost,
        Word::Method,
    ]
    .map(|head| word(head, lang))
}

/// The rows that are shown, and the sum of the others.
pub(super) fn table(report: &Report, lang: Lang) -> Vec<[String; 9]> {
    let (shown, others) = report.rows.split_at(report.rows.len().min(SHOWN));
    let mut rows: Vec<[String; 9]> = shown.iter().map(|row| cells(report, row, lang)).collect();
    if !others.is_empty() {
        let sum = |of: fn(&ReportRow) -> Option<f64>| others.iter().filter_map(of).reduce(|a, b| a + b);
        let currency = report.currency.clone().unwrap_or_default();
        rows.push([
            format!("{} {}", others.len(), word(Word::Others, lang)),
            String::new(),
            String::new(),
            energy(report, sum(|row| row.amounts.energy_joules), lang),
            figure(sum(|row| row.share).map(|share| share * 100.0), "%", lang),
            figure(sum(|row| row.amounts.emissions_location), "gCO2e", lang),
            figure(sum(|row| row.amounts.emissions_market), "gCO2e", lang),
            figure(sum(|row| row.amounts.cost), &currency, lang),
            String::new(),
        ]);
    }
    rows
}

fn cells(report: &Report, row: &ReportRow, lang: Lang) -> [String; 9] {
    let currency = report.currency.clone().unwrap_or_default();
    let name = if row.name.is_empty() { word(Word::None, lang).to_owned() } else { row.name.clone() };
    let error = row.error_ratio.map(|error| format!(" ± {:.0} %", error * 100.0)).unwrap_or_default();
    [
        name,
        row.kind.map_or_else(String::new, |kind| kind.name().to_owned()),
        row.namespace.clone().unwrap_or_default(),
        energy(report, row.amounts.energy_joules, lang),
        figure(row.share.map(|share| share * 100.0), "%", lang),
        figure(row.amounts.emissions_location, "gCO2e", lang),
        figure(row.amounts.emissions_market, "gCO2e", lang),
        figure(row.amounts.cost, &currency, lang),
        format!("{}{error}", how(row.method, lang)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_cell() {
        assert_eq!(cell("a|b\n<script>`x`"), "a\\|b\\\\n&lt;script>\\`x\\`");
    }
}
