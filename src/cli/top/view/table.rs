//! The workloads.

use super::Palette;
use super::text::{columns, put, put_right};
use crate::cli::top::model::arrange::{Line, Sort};
use crate::cli::top::model::rates::short;
use crate::cli::top::state::App;
use kepler_core::workload::WorkloadKind;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

/// A column. The name is the last that every screen has: what a terminal takes for wider than we do shifts nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Power,
    Share,
    Cpu,
    Energy,
    Kind,
    Pid,
    Name,
    Detail,
}

/// The columns that fit, with their widths.
fn layout(width: u16) -> Vec<(Column, u16)> {
    let mut columns = vec![(Column::Power, 8)];
    if width >= 44 {
        columns.push((Column::Share, 5));
    }
    if width >= 54 {
        columns.push((Column::Cpu, 5));
    }
    if width >= 36 {
        columns.push((Column::Energy, 8));
    }
    if width >= 64 {
        columns.push((Column::Kind, 10));
    }
    if width >= 72 {
        columns.push((Column::Pid, 7));
    }
    let used: u16 = columns.iter().map(|(_, width)| width + 1).sum();
    let left = width.saturating_sub(used);
    if left >= 60 {
        columns.extend([(Column::Name, left / 2 - 1), (Column::Detail, left - left / 2)]);
    } else {
        columns.push((Column::Name, left));
    }
    columns
}

/// Draws them, and notes their order for the keys.
pub(super) fn draw(app: &mut App, buffer: &mut Buffer, palette: Palette, mut area: Rect) {
    let columns = layout(area.width);
    heads(app, buffer, palette, super::take(&mut area, 1), &columns);
    let words = app.words();
    app.page = usize::from(area.height);
    let Some(lines) = app.lines() else {
        let text = match (&app.frame, app.waits_for_past()) {
            (None, _) => words.waiting,
            (Some(_), true) => words.asking_past,
            (Some(_), false) => words.not_watched,
        };
        put(buffer, area.x, area.y, area.width, text, palette.faint());
        app.order.clear();
        return;
    };
    if lines.is_empty() {
        let text = match (&app.zoom, app.manner.filter.is_empty()) {
            (_, false) => words.nothing_fits,
            (Some(_), true) => "",
            (None, true) => words.nothing,
        };
        put(buffer, area.x, area.y, area.width, text, palette.faint());
    }
    let order: Vec<u64> = lines.iter().map(|line| line.item.id).collect();
    let (selected, first) = scroll(app, &order, usize::from(area.height));
    let total = app.shown().and_then(|(_, parts)| parts).map(|parts| parts.total);
    for (y, line) in (area.y..area.bottom()).zip(lines.iter().skip(first)) {
        let is_selected = selected == Some(line.item.id);
        row(app, buffer, palette, Rect { y, height: 1, ..area }, &columns, line, total, is_selected);
    }
    (app.order, app.selected, app.first) = (order, selected, first);
}

/// The selection, where it is still there, and the first line that is shown so that it is seen.
fn scroll(app: &App, order: &[u64], height: usize) -> (Option<u64>, usize) {
    let at = app.selected.and_then(|id| order.iter().position(|other| *other == id));
    let last = order.len().saturating_sub(height);
    let first = match at {
        Some(at) => app.first.clamp((at + 1).saturating_sub(height), at).min(last),
        // Without one the largest are looked at.
        None => 0,
    };
    (at.and_then(|at| order.get(at)).copied(), first)
}

fn heads(app: &App, buffer: &mut Buffer, palette: Palette, area: Rect, columns: &[(Column, u16)]) {
    let words = app.words();
    let (power_unit, energy_unit) = app.manner.unit.names(&app.rates);
    let sorted = |column: Column| {
        let by = match app.manner.sort {
            Sort::Power => Column::Power,
            Sort::Energy => Column::Energy,
            Sort::Cpu => Column::Cpu,
            Sort::Name => Column::Name,
            Sort::Pid => Column::Pid,
        };
        match (by == column, app.manner.reverse ^ matches!(app.manner.sort, Sort::Name | Sort::Pid)) {
            (false, _) => "",
            (true, false) => "▼",
            (true, true) => "▲",
        }
    };
    let mut x = area.x;
    for &(column, width) in columns {
        let mark = sorted(column);
        let text = match column {
            Column::Power => format!("{power_unit}{mark}"),
            Column::Share => "%".to_owned(),
            Column::Cpu => format!("CPU%{mark}"),
            Column::Energy => format!("{energy_unit}{mark}"),
            Column::Kind => words.kind.to_owned(),
            Column::Pid => format!("{}{mark}", words.pid),
            Column::Name => format!("{}{mark}", words.name),
            Column::Detail => String::new(),
        };
        match column {
            Column::Kind | Column::Name | Column::Detail => {
                put(buffer, x, area.y, width, &text, palette.strong());
            }
            _ => put_right(buffer, x, area.y, width, &text, palette.strong()),
        }
        x += width + 1;
    }
    buffer.set_style(area.intersection(buffer.area), palette.chosen());
}

#[expect(clippy::too_many_arguments, reason = "one line of the table, with what all of them share")]
fn row(
    app: &App,
    buffer: &mut Buffer,
    palette: Palette,
    area: Rect,
    columns_: &[(Column, u16)],
    line: &Line<'_>,
    total: Option<f64>,
    is_selected: bool,
) {
    let (unit, rates, mark) = (app.manner.unit, &app.rates, app.trust().mark());
    let item = &line.item;
    // What is not known is blank, and nothing is known to be nothing without a mark.
    let marked = |value: Option<f64>| match value {
        Some(0.0) => "0".to_owned(),
        Some(value) => format!("{mark}{}", short(value)),
        None => String::new(),
    };
    let mut x = area.x;
    for &(column, width) in columns_ {
        let text = match column {
            Column::Power => marked(item.watts.and_then(|watts| unit.of_power(watts, rates))),
            Column::Share => share(item.watts, total),
            Column::Cpu => line.cpu.map(|cpu| format!("{:.1}", cpu * 100.0)).unwrap_or_default(),
            Column::Energy => marked(line.joules.and_then(|joules| unit.of_energy(joules, rates))),
            Column::Kind => app.words().kind_of(item.kind).to_owned(),
            Column::Pid => item.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            Column::Name => String::new(),
            Column::Detail => detail(item),
        };
        match column {
            Column::Name => name(buffer, palette, Rect { x, width, ..area }, line, app.manner.tree),
            Column::Kind | Column::Detail => {
                put(buffer, x, area.y, width, &text, palette.faint());
            }
            Column::Power => put_right(buffer, x, area.y, width, &text, palette.strong()),
            _ => put_right(buffer, x, area.y, width, &text, Style::new()),
        }
        x += width + 1;
    }
    if is_selected {
        buffer.set_style(area.intersection(buffer.area), palette.chosen());
    }
}

fn share(watts: Option<f64>, total: Option<f64>) -> String {
    match watts.zip(total).filter(|(_, total)| *total > 0.0).map(|(watts, total)| watts / total * 100.0) {
        Some(percent) if percent >= 0.05 => format!("{percent:.1}"),
        Some(_) | None => String::new(),
    }
}

fn detail(item: &crate::cli::top::model::item::Item<'_>) -> String {
    match (item.namespace, item.detail) {
        ("", detail) => detail.to_owned(),
        (namespace, "") => namespace.to_owned(),
        (namespace, detail) => format!("{namespace}/{detail}"),
    }
}

fn name(buffer: &mut Buffer, palette: Palette, area: Rect, line: &Line<'_>, tree: bool) {
    let indent = if tree { "  ".repeat(usize::from(line.depth.min(4))) } else { String::new() };
    let is_group = !matches!(line.item.kind, WorkloadKind::Process | WorkloadKind::Command);
    let mark = match (tree, is_group, line.hidden) {
        (true, true, 0) => "",
        (true, _, 1..) => "+ ",
        _ => "",
    };
    let style = if is_group { palette.strong() } else { Style::new() };
    let end = put(buffer, area.x, area.y, area.width, &format!("{indent}{mark}"), palette.faint());
    let end = put(buffer, end, area.y, area.right().saturating_sub(end), line.item.name, style);
    let more = match line.hidden {
        0 => String::new(),
        hidden => format!(" ({hidden})"),
    };
    if columns(&more) <= area.right().saturating_sub(end) {
        put(buffer, end, area.y, area.right().saturating_sub(end), &more, palette.faint());
    }
}
