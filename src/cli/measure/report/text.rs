//! The report for people.

use super::super::figures::{Run, State};
use super::super::words::{Word, word};
use super::{Comparison, Measurement, Report, Summary};
use crate::cli::page::{self, facts, list, table};
use crate::cli::words;
use kepler_compliance::numbers::change;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::Input;
use kepler_core::printable;

pub(super) fn text(report: &Report) -> String {
    let mut page = String::new();
    for measurement in &report.measurements {
        if !page.is_empty() {
            page.push('\n');
        }
        page.push_str(&match measurement.runs.as_slice() {
            [run] => one(report, measurement, run),
            _ => several(report, measurement),
        });
    }
    if let Some(comparison) = &report.comparison {
        page.push_str(&compared(report, comparison));
    }
    page.push('\n');
    page.push_str(&facts(&basis(report)));
    page.push_str(&list(words::word(words::Word::Note, report.lang), &report.caveats));
    page
}

/// A figure, or why there is none.
fn figure(value: Option<f64>, unit: &str, state: State, lang: Lang) -> String {
    match (value, state) {
        (None, State::Unresolved) => word(Word::Unresolved, lang).to_owned(),
        _ => page::figure(value, unit, lang),
    }
}

fn one(report: &Report, measurement: &Measurement, run: &Run) -> String {
    let lang = report.lang;
    let show = |value, unit| figure(value, unit, run.state, lang);
    let mut energy = show(run.energy_joules, "J");
    if let Some(share) = run.share {
        let idle = if run.zones.iter().any(|zone| zone.is_counted && !zone.is_idle_excluded) {
            Word::IdleIncluded
        } else {
            Word::IdleExcluded
        };
        let (percent, idle) = (page::digits(share * 100.0), word(idle, lang));
        energy.push_str(&match lang {
            Lang::Ko => format!("  (호스트의 {percent} %, {idle})"),
            _ => format!("  ({percent} % of the machine's, {idle})"),
        });
    }
    if let Some(interval) = &run.energy_interval_joules {
        let (lower, upper) = (page::digits(interval.lower), page::digits(interval.upper));
        energy.push_str(&format!("  90 %: {lower} … {upper} J"));
    }
    let mut rows = vec![(word(Word::Energy, lang), energy)];
    if report.baseline.is_some() {
        rows.push((word(Word::AboveBaseline, lang), show(run.above_baseline_joules, "J")));
    }
    rows.push((word(Word::Power, lang), show(run.power_watts, "W")));
    let cpu = page::figure(Some(run.cpu_seconds), "s", lang);
    let duration = page::figure(Some(run.duration_seconds), "s", lang);
    rows.push((word(Word::Duration, lang), format!("{duration}  ({} {cpu})", word(Word::CpuTime, lang))));
    let mut machine = show(run.machine.energy_joules, "J");
    if run.machine.power_watts.is_some() {
        machine.push_str(&format!("  ({})", show(run.machine.power_watts, "W")));
    }
    rows.push((word(Word::Machine, lang), machine));
    let zones: Vec<(String, String)> = run
        .zones
        .iter()
        .map(|zone| {
            let own = page::digits(zone.energy_joules);
            let counts = if zone.is_counted { "+" } else { " " };
            let value = format!("{own} / {} J  ({}, {})", page::digits(zone.machine_joules), zone.method, zone.source);
            (format!("{counts} {}", zone.zone), value)
        })
        .collect();
    rows.extend(zones.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let unknown = |joules: Option<f64>| joules.map_or_else(|| word(Word::Unknown, lang).to_owned(), page::digits);
    let devices = run.accelerators.iter().map(|device| {
        let (own, all, method, source) = device.energies();
        (format!("  {}", device.title()), format!("{} / {} J  ({method}, {source})", unknown(own), unknown(all)))
    });
    let devices: Vec<(String, String)> = devices.collect();
    rows.extend(devices.iter().map(|(name, value)| (name.as_str(), value.clone())));
    rows.push((word(Word::Carbon, lang), show(run.emissions, "gCO2e")));
    if let Some(currency) = &report.currency {
        rows.push((word(Word::Cost, lang), show(run.cost, currency)));
    }
    format!("{}{}\n{}", title(measurement), ended(run, lang), facts(&rows))
}

/// As much of a name as a line has room for.
const LONGEST_TITLE: usize = 72;

/// What was measured, in one line.
fn title(measurement: &Measurement) -> String {
    let name = printable::line(&measurement.subject.name);
    match name.char_indices().nth(LONGEST_TITLE) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.into_owned(),
    }
}

/// How a command ended, where that is worth saying.
fn ended(run: &Run, lang: Lang) -> String {
    match (run.exit_status, run.signal, lang) {
        (Some(status), _, Lang::Ko) if status != 0 => format!("  (종료 상태 {status})"),
        (Some(status), _, _) if status != 0 => format!("  (exit status {status})"),
        (_, Some(signal), Lang::Ko) => format!("  (시그널 {signal}(으)로 종료)"),
        (_, Some(signal), _) => format!("  (ended by signal {signal})"),
        _ => String::new(),
    }
}

fn several(report: &Report, measurement: &Measurement) -> String {
    let lang = report.lang;
    let own = &measurement.summary;
    let currency = report.currency.clone().unwrap_or_default();
    let baseline = report.baseline.is_some();
    let rows = [
        (Word::Energy, own.energy_joules, "J", true),
        (Word::AboveBaseline, own.above_baseline_joules, "J", baseline),
        (Word::Power, own.power_watts, "W", true),
        (Word::Duration, own.duration_seconds, "s", true),
        (Word::CpuTime, own.cpu_seconds, "s", true),
        (Word::Machine, own.machine_energy_joules, "J", true),
        (Word::Carbon, own.emissions, "gCO2e", true),
        (Word::Cost, own.cost, currency.as_str(), report.currency.is_some()),
    ];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .filter(|(.., is_shown)| *is_shown)
        .map(|(name, summary, unit, _)| {
            let mut cells = vec![word(name, lang).to_owned()];
            cells.extend(summarised(summary.as_ref(), unit, report, lang));
            cells
        })
        .collect();
    let heads = ["", word(Word::Mean, lang), word(Word::Interval, lang), word(Word::Range, lang)];
    let runs = measurement.runs.len();
    let runs = match lang {
        Lang::Ko => format!("{runs}{}", word(Word::Runs, lang)),
        _ => format!("{runs} {}", word(Word::Runs, lang)),
    };
    format!("{}: {runs}\n{}", title(measurement), table(&heads, &rows))
}

fn summarised(summary: Option<&Summary>, unit: &str, report: &Report, lang: Lang) -> [String; 3] {
    let unknown = || word(Word::Unknown, lang).to_owned();
    let Some(summary) = summary else {
        let state = if report.any(State::Unresolved) { State::Unresolved } else { State::Unknown };
        return [figure(None, unit, state, lang), String::new(), String::new()];
    };
    let deviation = summary.standard_deviation.map_or_else(unknown, page::digits);
    let interval = summary.interval_95.map_or_else(unknown, |ends| range(ends, unit));
    let mean = format!("{} ± {deviation} {unit}", page::digits(summary.mean));
    [mean, interval, range([summary.minimum, summary.maximum], unit)]
}

fn range([low, high]: [f64; 2], unit: &str) -> String {
    format!("{} … {} {unit}", page::digits(low), page::digits(high))
}

fn compared(report: &Report, comparison: &Comparison) -> String {
    let lang = report.lang;
    let [first, second] = report.measurements.as_slice() else { return String::new() };
    let rows = [
        (Word::Energy, comparison.energy_joules, "J"),
        (Word::AboveBaseline, comparison.above_baseline_joules, "J"),
        (Word::Power, comparison.power_watts, "W"),
        (Word::Duration, comparison.duration_seconds, "s"),
        (Word::Machine, comparison.machine_energy_joules, "J"),
    ];
    let unknown = || word(Word::Unknown, lang).to_owned();
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .filter(|(name, ..)| *name != Word::AboveBaseline || report.baseline.is_some())
        .map(|(name, difference, unit)| {
            let Some(own) = difference else { return vec![word(name, lang).to_owned(), unknown()] };
            let percent = own.ratio.map(|ratio| format!(" ({} %)", change(ratio * 100.0))).unwrap_or_default();
            vec![
                word(name, lang).to_owned(),
                format!("{} {unit}{percent}", page::digits(own.mean)),
                own.interval_95.map_or_else(unknown, |ends| range(ends, unit)),
                own.p_value.map_or_else(unknown, p_value),
            ]
        })
        .collect();
    let heads = ["", word(Word::Difference, lang), "95 %", "p"];
    let verdict = verdict(comparison, &title(first), &title(second), lang);
    format!("\n{verdict}\n{}", table(&heads, &rows))
}

fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { page::digits(p) }
}

/// `p = 0.03`, `p < 0.0001`.
fn stated(p: f64) -> String {
    let value = p_value(p);
    if value.starts_with('<') { format!("p {value}") } else { format!("p = {value}") }
}

fn verdict(comparison: &Comparison, first: &str, second: &str, lang: Lang) -> String {
    let judged = comparison.judged();
    let percent = judged.and_then(|own| own.ratio).map_or_else(String::new, |r| page::digits(100.0 * r.abs()) + " % ");
    let p = judged.and_then(|own| own.p_value).map(stated).unwrap_or_default();
    match (comparison.verdict, lang) {
        ("less", Lang::Ko) => format!("`{second}`은(는) `{first}`보다 에너지를 {percent}덜 씁니다 ({p}, Welch)."),
        ("more", Lang::Ko) => format!("`{second}`은(는) `{first}`보다 에너지를 {percent}더 씁니다 ({p}, Welch)."),
        ("no_difference", Lang::Ko) => format!("5 % 수준에서 에너지 차이가 확인되지 않습니다 ({p}, Welch)."),
        (_, Lang::Ko) => "실행이 너무 적거나 에너지를 알 수 없어 비교할 수 없습니다.".to_owned(),
        ("less", _) => format!("`{second}` uses {percent}less energy than `{first}` ({p}, Welch's t-test)."),
        ("more", _) => format!("`{second}` uses {percent}more energy than `{first}` ({p}, Welch's t-test)."),
        ("no_difference", _) => {
            format!("No difference in energy shows at the 5 % level ({p}, Welch's t-test).")
        }
        _ => "Too few runs, or too little known, to compare the energy.".to_owned(),
    }
}

/// What all figures rest on.
fn basis(report: &Report) -> Vec<(&'static str, String)> {
    let lang = report.lang;
    let mut rows = Vec::new();
    let run = report.runs().find(|run| run.method.is_some());
    if let Some((run, method)) = run.and_then(|run| Some((run, run.method?))) {
        let source = run.source.unwrap_or_default();
        let error = run.error_ratio.map(|error| format!(", ± {:.0} %", 100.0 * error)).unwrap_or_default();
        rows.push((word(Word::Method, lang), format!("{method} ({source}{error})")));
    }
    rows.push((word(Word::Followed, lang), followed(report.followed_by, lang).to_owned()));
    if let Some(baseline) = &report.baseline {
        let power = page::figure(baseline.power_watts, "W", lang);
        let busy = page::figure(baseline.busy_processors, "CPU", lang);
        rows.push((word(Word::Baseline, lang), format!("{power}, {busy}, {:.1} s", baseline.duration_seconds)));
    }
    let site = &report.site;
    let grid = input(site.grid_intensity.as_ref(), lang);
    let pue = input(site.pue.as_ref(), lang);
    rows.push((word(Word::Grid, lang), format!("{}: {grid}; PUE {pue}", site.region)));
    rows
}

/// A figure of the facility with how it came about and from where.
fn input(input: Option<&Input>, lang: Lang) -> String {
    let Some(input) = input else { return word(Word::Unknown, lang).to_owned() };
    let basis = serde_json::to_value(input.basis).ok();
    let basis = basis.as_ref().and_then(|basis| basis.as_str()).unwrap_or_default();
    let year = input.year.map(|year| format!(" {year}")).unwrap_or_default();
    format!("{} ({basis}{year}, {})", page::figure(Some(input.value), &input.unit, lang), input.source)
}

fn followed(by: &str, lang: Lang) -> &'static str {
    match (by, lang) {
        ("cgroup", Lang::Ko) => "cgroup (모든 하위 프로세스)",
        ("process_clocks", Lang::Ko) => "프로세스 시계와 종료된 자식의 기록",
        ("cgroup", _) => "its cgroup: all descendants, however short they lived",
        _ => "process clocks, and the accounts of children that were waited for",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_p_value_is_less_than_and_not_equal_to_less_than() {
        assert_eq!((stated(0.03).as_str(), stated(0.000_01).as_str()), ("p = 0.03", "p < 0.0001"));
    }
}
