//! Charts as SVG, inline in the page. Colours are Okabe and Ito's, which colour-blind people tell apart (2008).

use super::escape::escape;
use super::words::{Word, word};
use crate::cli::page::figure;
use kepler_compliance::series::span;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{Report, ReportStep};
use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 220.0;
const SEAM: f64 = 0.5;
const LEFT: f64 = 60.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 10.0;

/// Bars of the largest users.
const BARS: usize = 12;
const BAR: f64 = 22.0;

/// Mean power of all nodes over time: idle below, unattributed, and workloads on top. Times without figures stay white.
pub(super) fn course(report: &Report, lang: Lang) -> String {
    let most = report.steps.iter().filter_map(|step| step.power_watts).fold(0.0, f64::max);
    if most <= 0.0 {
        return String::new();
    }
    let ceiling = round_up(most);
    let whole = span(report.from, report.to).as_secs_f64();
    let x = |time| LEFT + (WIDTH - LEFT) * (span(report.from, time).as_secs_f64() / whole).clamp(0.0, 1.0);
    let y = |watts: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - watts / ceiling);
    let title = word(Word::Course, lang);
    let mut svg = format!(
        r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}: {}">"#,
        escape(&super::markdown::period(report))
    );
    for part in 0..=4 {
        let watts = ceiling * f64::from(part) / 4.0;
        let at = y(watts);
        let label = figure(Some(watts), "W", lang);
        let _ = write!(
            svg,
            r#"<line x1="{LEFT}" x2="{WIDTH}" y1="{at:.1}" y2="{at:.1}" class="grid"/><text x="{:.0}" y="{:.1}" class="end">{label}</text>"#,
            LEFT - 6.0,
            at + 4.0
        );
    }
    for step in &report.steps {
        // A little wider than the step: between neighbours no seam shows, on paper either.
        let (from, width) = (x(step.from), x(step.to) - x(step.from) + SEAM);
        let mut below = 0.0;
        for (class, watts) in parts(step) {
            let (top, bottom) = (y(below + watts), y(below));
            let _ = write!(
                svg,
                r#"<rect x="{from:.2}" y="{top:.2}" width="{width:.2}" height="{:.2}" class="{class}"/>"#,
                bottom - top
            );
            below += watts;
        }
    }
    let base = HEIGHT - 6.0;
    let _ = write!(
        svg,
        r#"<text x="{LEFT}" y="{base}">{:.0}</text><text x="{WIDTH}" y="{base}" class="end">{:.0}</text></svg>"#,
        report.from, report.to
    );
    svg + &legend(report, lang)
}

/// What a step's power is made of; where the source does not tell the parts, it is all one.
fn parts(step: &ReportStep) -> Vec<(&'static str, f64)> {
    let Some(power) = step.power_watts else { return Vec::new() };
    match (step.idle_watts, step.unattributed_watts) {
        (Some(idle), Some(unattributed)) => {
            let workloads = (power - idle - unattributed).max(0.0);
            vec![("idle", idle), ("rest", unattributed), ("work", workloads)]
        }
        _ => vec![("work", power)],
    }
}

fn legend(report: &Report, lang: Lang) -> String {
    let has_parts = report.steps.iter().any(|step| step.idle_watts.is_some() && step.unattributed_watts.is_some());
    let parts: &[(&str, Word)] = match has_parts {
        true => &[("work", Word::Workloads), ("rest", Word::Unattributed), ("idle", Word::Idle)],
        false => &[("work", Word::Total)],
    };
    let items: String = parts
        .iter()
        .map(|(class, name)| {
            format!(
                r#"<span><svg viewBox="0 0 10 10"><rect width="10" height="10" class="{class}"/></svg>{}</span>"#,
                word(*name, lang)
            )
        })
        .collect();
    format!(r#"<p class="legend">{items}</p>"#)
}

/// The energy of the largest users.
pub(super) fn largest(report: &Report, lang: Lang) -> String {
    let rows: Vec<_> =
        report.rows.iter().filter(|row| row.amounts.energy_joules.is_some_and(|own| own > 0.0)).take(BARS).collect();
    let Some(most) = rows.first().and_then(|row| row.amounts.energy_joules) else { return String::new() };
    let height = BAR * rows.len() as f64;
    let title = word(Word::Largest, lang);
    let mut svg = format!(r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">"#);
    let (names, values) = (300.0, 110.0);
    for (number, row) in rows.iter().enumerate() {
        let top = BAR * number as f64;
        let joules = row.amounts.energy_joules.unwrap_or_default();
        let width = (WIDTH - names - values) * joules / most;
        let name: String = row.name.chars().take(44).collect();
        let name = if row.name.is_empty() { word(Word::None, lang) } else { &name };
        let value = super::markdown::energy(report, row.amounts.energy_joules, lang);
        let _ = write!(
            svg,
            r#"<text x="{:.0}" y="{:.0}" class="end">{}</text><rect x="{names}" y="{:.0}" width="{width:.2}" height="{:.0}" class="work"/><text x="{:.1}" y="{:.0}">{}</text>"#,
            names - 8.0,
            top + 15.0,
            escape(name),
            top + 3.0,
            BAR - 6.0,
            names + width + 6.0,
            top + 15.0,
            escape(&value),
        );
    }
    svg + "</svg>"
}

/// The next 1, 2 or 5 with zeros.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_figure() {
        for (value, end) in [(0.7, 1.0), (1.0, 1.0), (13.0, 20.0), (220.0, 500.0), (510.0, 1000.0)] {
            assert!((round_up(value) - end).abs() < 1e-9, "{value}");
        }
    }
}
