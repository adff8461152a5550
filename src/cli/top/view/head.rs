//! The lines above the table: the machine.

use super::chart::{self, Column};
use super::text::{columns, put, put_right, run};
use super::{Palette, devices, take};
use crate::cli::top::clock;
use crate::cli::top::model::frame::{Parts, Trust};
use crate::cli::top::model::rates::{Unit, short};
use crate::cli::top::state::{App, Origin, SPANS};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use std::time::Instant;

/// Draws them and takes their room.
pub(super) fn draw(app: &App, buffer: &mut Buffer, palette: Palette, rest: &mut Rect, now: Instant) {
    let height = rest.height;
    title(app, buffer, palette, take(rest, 1), now);
    power(app, buffer, palette, take(rest, 1));
    if height >= 8 {
        bar(app, buffer, palette, take(rest, 1));
    }
    if height >= 8 {
        devices::draw(app, buffer, palette, rest);
    }
    if height >= 14 {
        let lines = match height {
            40.. => 8,
            30.. => 5,
            22.. => 3,
            _ => 1,
        };
        history(app, buffer, palette, take(rest, lines));
    }
    if height >= 12 {
        totals(app, buffer, palette, take(rest, 1));
    }
}

fn title(app: &App, buffer: &mut Buffer, palette: Palette, area: Rect, now: Instant) {
    let words = app.words();
    let (mode, style) = match (app.stale(now), app.back, app.paused) {
        (Some(age), ..) => (format!(" {} {} ", words.stale, clock::length(age)), palette.alarm()),
        (None, _, true) => (format!(" {} ", words.paused), palette.chosen()),
        (None, 1.., false) => (format!(" {} ", words.past), palette.chosen()),
        // Nothing is live that has not been seen yet; below it says what is waited for.
        (None, 0, false) if app.node().is_none() => (String::new(), palette.note()),
        (None, 0, false) => (words.live.to_owned(), palette.note()),
    };
    let time = app.shown().map_or_else(String::new, |(at, _)| clock::time(&app.zone, at));
    let right = columns(&mode) + columns(&time) + 1;
    let origin = match &app.origin {
        Origin::Server(url) => url.clone(),
        Origin::Here { no_server_at: None } => words.measuring_here.to_owned(),
        Origin::Here { no_server_at: Some(address) } => {
            format!("{} ({} {address})", words.measuring_here, words.no_server)
        }
    };
    let node = app.node().map_or("", |node| node.name.as_str());
    let interval = app.node().map_or(app.interval, |node| node.interval.max(app.interval));
    let every = format!("{} {}", words.every, clock::length(interval));
    let parts = [
        ("kepler top", palette.strong()),
        ("  ", Style::new()),
        (node, palette.strong()),
        ("  ", Style::new()),
        (origin.as_str(), palette.note()),
        (", ", palette.faint()),
        (every.as_str(), palette.faint()),
    ];
    run(buffer, area.x, area.y, area.width.saturating_sub(right + 1), &parts);
    let x = area.right().saturating_sub(right);
    let end = put(buffer, x, area.y, right, &mode, style);
    put_right(buffer, end, area.y, area.right().saturating_sub(end), &time, Style::new());
}

/// Power, its interval, how it came about.
fn power(app: &App, buffer: &mut Buffer, palette: Palette, area: Rect) {
    let words = app.words();
    let Some(node) = app.node() else {
        put(buffer, area.x, area.y, area.width, words.waiting, palette.faint());
        return;
    };
    let (figure_unit, _) = app.manner.unit.names(&app.rates);
    let figure = |watts: f64| app.manner.unit.of_power(watts, &app.rates).map(short);
    let trust = app.trust();
    let parts = app.shown().and_then(|(_, parts)| parts);
    let total = match parts.map(|parts| figure(parts.total)) {
        Some(Some(total)) => format!("{}{total} {figure_unit}", trust.mark()),
        Some(None) => format!("{} {figure_unit}", words.unknown),
        None => words.unknown.to_owned(),
    };
    let bounds = node.bounds.filter(|_| app.back == 0 && parts.is_some());
    let bounds = bounds.and_then(|(lower, upper)| Some(format!(" [{} – {}, 90 %]", figure(lower)?, figure(upper)?)));
    let method = words.method(trust);
    let error = node.error_ratio.map_or_else(String::new, |ratio| format!(" ±{:.0} %", ratio * 100.0));
    let method = format!("  {method} ({}{error})", node.sources());
    let cpu = format!("  CPU {:.0} %", node.busy * 100.0);
    let short_of_power =
        if parts.is_none() && app.back == 0 { format!("  {}", words.first_power) } else { String::new() };
    let line = [
        (total.as_str(), palette.strong()),
        (bounds.as_deref().unwrap_or_default(), Style::new()),
        (method.as_str(), if trust == Trust::Measured { Style::new() } else { palette.note() }),
        (if app.back == 0 { cpu.as_str() } else { "" }, Style::new()),
        (short_of_power.as_str(), palette.faint()),
    ];
    run(buffer, area.x, area.y, area.width, &line);
}

/// Idle, workloads, unattributed, side by side.
fn bar(app: &App, buffer: &mut Buffer, palette: Palette, area: Rect) {
    let words = app.words();
    let Some(parts) = app.shown().and_then(|(_, parts)| parts).filter(|parts| parts.total > 0.0) else { return };
    let unit = app.manner.unit;
    let figure = |watts| unit.of_power(watts, &app.rates).map(short).unwrap_or_default();
    let rest = match parts.unattributed {
        Some(watts) => format!("▒ {} {}", words.unattributed, figure(watts)),
        None => String::new(),
    };
    let active = if parts.unattributed.is_some() { words.workloads } else { words.active };
    let legend = [
        (format!("░ {} {}  ", words.idle, figure(parts.idle)), palette.idle()),
        (format!("█ {active} {}  ", figure(parts.workloads())), palette.workloads()),
        (rest, palette.unattributed()),
    ];
    let legend_width: u16 = legend.iter().map(|(text, _)| columns(text)).sum();
    let width = area.width.saturating_sub(legend_width + 1);
    let width = if width < 8 { 0 } else { width };
    let mut x = area.x;
    for (share, glyph, style) in [
        (parts.idle, "░", palette.idle()),
        (parts.workloads(), "█", palette.workloads()),
        (parts.unattributed.unwrap_or_default(), "▒", palette.unattributed()),
    ] {
        let cells = cells(share / parts.total, width).min((area.x + width).saturating_sub(x));
        x = put(buffer, x, area.y, cells, &glyph.repeat(usize::from(cells)), style);
    }
    let x = if width == 0 { area.x } else { area.x + width + 1 };
    let legend: Vec<(&str, Style)> = legend.iter().map(|(text, style)| (text.as_str(), *style)).collect();
    run(buffer, x, area.y, area.right().saturating_sub(x), &legend);
}

/// A share of columns, at least one where there is any.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a screen's width")]
fn cells(share: f64, width: u16) -> u16 {
    let cells = (share.clamp(0.0, 1.0) * f64::from(width)).round() as u16;
    if share > 0.0 { cells.max(1).min(width) } else { 0 }
}

fn history(app: &App, buffer: &mut Buffer, palette: Palette, area: Rect) {
    let span = SPANS.get(app.manner.span).copied().unwrap_or(300);
    let Some(newest) = app.frame.as_ref().map(|frame| frame.node.at) else { return };
    let label = 8;
    let plot = Rect { width: area.width.saturating_sub(label), ..area };
    let mut axis = chart::Axis::new(newest, span, plot.width);
    let shown = app.shown().map(|(at, _)| at);
    // What lies before the chart is looked at with its own end.
    if let Some(at) = shown.filter(|at| axis.column(*at).is_none()) {
        axis = chart::Axis::new(at, span, plot.width);
    }
    let points = app.past.moments().map(|moment| (moment.time.to, moment.parts.map(column)));
    let bins = axis.bins(points);
    let most = chart::draw(buffer, plot, &bins, palette);
    if app.back > 0
        && let Some(at) = shown.and_then(|at| axis.column(at))
    {
        chart::mark(buffer, plot, at, palette);
    }
    let (unit, _) = app.manner.unit.names(&app.rates);
    let Some(most) = app.manner.unit.of_power(most, &app.rates).filter(|most| *most > 0.0).map(short) else { return };
    let x = plot.right() + 1;
    put(buffer, x, area.y, label - 1, &format!("{most} {unit}"), palette.faint());
    if area.height > 1 {
        let length = clock::length(std::time::Duration::from_secs(u64::from(span)));
        put(buffer, x, area.bottom() - 1, label - 1, &length, palette.faint());
    }
}

fn column(parts: Parts) -> Column {
    Column { idle: parts.idle, workloads: parts.workloads(), unattributed: parts.unattributed.unwrap_or_default() }
}

/// What was used: today where the source knows that, and in this session.
fn totals(app: &App, buffer: &mut Buffer, palette: Palette, area: Rect) {
    let words = app.words();
    let rates = &app.rates;
    let mut parts: Vec<(String, Style)> = Vec::new();
    let today = app.today();
    if let Some(today) = &today {
        parts.push((format!("{} ", words.today), palette.faint()));
        parts.push((used(app, today.joules, today.grams, today.cost, today.trust), Style::new()));
        if today.coverage < 0.995 {
            parts.push((format!(" ({:.0} % {})", today.coverage * 100.0, words.known), palette.faint()));
        }
        parts.push(("  ".into(), Style::new()));
    }
    let (since, joules) = app.session();
    parts.push((format!("{} ", words.session), palette.faint()));
    // Carbon and cost of the day say more, where they are known.
    let (grams, cost) = match (&today, joules) {
        (None, Some(joules)) => (rates.grams(joules), rates.cost(joules)),
        _ => (None, None),
    };
    parts.push((used(app, joules, grams, cost, app.trust()), Style::new()));
    parts.push((format!(" {} {}", words.since, clock::time(&app.zone, since)), palette.faint()));
    if let Some(grams) = rates.grams_per_kwh {
        let pue = rates.pue.map_or_else(String::new, |pue| format!(", PUE {pue:.2}"));
        parts.push((format!("  {} {} g/kWh{pue}", rates.place, short(grams)), palette.faint()));
    }
    let parts: Vec<(&str, Style)> = parts.iter().map(|(text, style)| (text.as_str(), *style)).collect();
    run(buffer, area.x, area.y, area.width, &parts);
}

/// An energy with its emissions and cost, as far as they are known.
fn used(app: &App, joules: Option<f64>, grams: Option<f64>, cost: Option<f64>, trust: Trust) -> String {
    let Some(joules) = joules else { return app.words().unknown.to_owned() };
    let mark = trust.mark();
    let mut text = match app.manner.unit {
        Unit::Joules => format!("{mark}{} J", short(joules)),
        _ => format!("{mark}{} Wh", short(joules / 3600.0)),
    };
    for (value, unit) in [(grams, "gCO2e"), (cost, app.rates.currency.as_deref().unwrap_or_default())] {
        if let Some(value) = value {
            text += &format!(", {mark}{} {unit}", short(value));
        }
    }
    text
}
