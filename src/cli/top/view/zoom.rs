//! One workload: who it is, its zones, its power over time.

use super::chart::{self, Column};
use super::text::{put, run};
use super::{Palette, take};
use crate::cli::top::model::item::Row;
use crate::cli::top::model::rates::short;
use crate::cli::top::state::{App, SPANS};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

/// Draws it, and takes its room; what the workload contains comes below.
pub(super) fn draw(app: &App, buffer: &mut Buffer, palette: Palette, rest: &mut Rect) {
    let Some(zoom) = &app.zoom else { return };
    let words = app.words();
    let mark = app.trust().mark();
    let (unit, rates) = (app.manner.unit, &app.rates);
    let (power_unit, energy_unit) = unit.names(rates);
    let frame = app.frame.as_ref();
    let row = frame.and_then(|frame| frame.rows.iter().find(|row| row.who.id == zoom.id));
    let item = row.map(Row::item);
    let line = take(rest, 1);
    let pid = item.and_then(|item| item.pid).map_or_else(String::new, |pid| format!("  {} {pid}", words.pid));
    let detail = item.map_or_else(String::new, |item| format!("  {}", item.detail));
    let place = if zoom.namespace.is_empty() { String::new() } else { format!("  {}", zoom.namespace) };
    let parts = [
        (words.kind_of(zoom.kind), palette.note()),
        (" ", Style::new()),
        (zoom.name.as_str(), palette.strong()),
        (place.as_str(), Style::new()),
        (pid.as_str(), Style::new()),
        (detail.as_str(), palette.faint()),
    ];
    run(buffer, line.x, line.y, line.width, &parts);
    if item.is_none() {
        let line = take(rest, 1);
        put(buffer, line.x, line.y, line.width, words.ended, palette.faint());
    }
    let figure = |value: Option<f64>, unit: &str| match value {
        Some(value) => format!("{mark}{} {unit}", short(value)),
        None => String::new(),
    };
    let zones = frame.filter(|_| app.back == 0).map(|frame| frame.zones_of(zoom.id)).unwrap_or_default();
    for (zone, watts, joules) in zones {
        if rest.height < 6 {
            break;
        }
        let line = take(rest, 1);
        put(buffer, line.x + 2, line.y, 10, zone.name(), Style::new());
        let watts = figure(watts.and_then(|watts| unit.of_power(watts, rates)), &power_unit);
        let end =
            put(buffer, line.x + 12, line.y, line.width.saturating_sub(12), &format!("{watts:>14}"), palette.strong());
        let joules = figure(unit.of_energy(joules, rates), &energy_unit);
        put(buffer, end, line.y, line.right().saturating_sub(end), &format!("{joules:>16}"), Style::new());
    }
    for part in frame.filter(|_| app.back == 0).map(|frame| frame.devices_of(zoom.id)).unwrap_or_default() {
        if rest.height < 6 {
            break;
        }
        let line = take(rest, 1);
        put(buffer, line.x + 4, line.y, 8, &format!("gpu{}", part.number), palette.faint());
        let watts = figure(part.watts.and_then(|watts| unit.of_power(watts, rates)), &power_unit);
        let end =
            put(buffer, line.x + 12, line.y, line.width.saturating_sub(12), &format!("{watts:>14}"), Style::new());
        let joules = figure(unit.of_energy(part.joules, rates), &energy_unit);
        put(buffer, end, line.y, line.right().saturating_sub(end), &format!("{joules:>16}"), Style::new());
    }
    let height = match rest.height {
        20.. => 6,
        12.. => 4,
        7.. => 2,
        _ => 0,
    };
    series(app, buffer, palette, take(rest, height), zoom.id);
}

fn series(app: &App, buffer: &mut Buffer, palette: Palette, area: Rect, id: u64) {
    let Some(newest) = app.frame.as_ref().map(|frame| frame.node.at).filter(|_| area.height > 0) else { return };
    let span = SPANS.get(app.manner.span).copied().unwrap_or(300);
    let label = 8;
    let plot = Rect { width: area.width.saturating_sub(label), ..area };
    let axis = chart::Axis::new(newest, span, plot.width);
    let watts = |workloads: f64| Column { idle: 0.0, workloads, unattributed: 0.0 };
    let watched: Vec<_> = app.past.of(id).map(|(at, power)| (at, power.map(watts))).collect();
    let first = watched.first().map(|(at, _)| *at);
    let before = app.series.iter().filter(|(at, _)| first.is_none_or(|first| *at < first));
    let points = before.map(|(at, power)| (*at, Some(watts(*power)))).chain(watched.iter().copied());
    let bins = axis.bins(points);
    let most = chart::draw(buffer, plot, &bins, palette);
    if app.back > 0
        && let Some(at) = app.shown().and_then(|(at, _)| axis.column(at))
    {
        chart::mark(buffer, plot, at, palette);
    }
    let (unit, _) = app.manner.unit.names(&app.rates);
    let Some(most) = app.manner.unit.of_power(most, &app.rates).filter(|most| *most > 0.0).map(short) else { return };
    put(buffer, plot.right() + 1, area.y, label - 1, &format!("{most} {unit}"), palette.faint());
}
