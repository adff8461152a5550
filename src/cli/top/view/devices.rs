//! The node's accelerators and the meters of the whole machine, as many in a line as there is room for.

use super::text::{columns, run};
use super::{Palette, take};
use crate::cli::top::clock;
use crate::cli::top::model::device::Device;
use crate::cli::top::model::rates::short;
use crate::cli::top::model::whole::{Residual, Whole};
use crate::cli::top::state::App;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

/// What is written of one: its name, its power, what else is known, its fault.
type Entry = [(String, Style); 4];

/// Draws them and takes their room.
pub(super) fn draw(app: &App, buffer: &mut Buffer, palette: Palette, rest: &mut Rect) {
    let Some(node) = app.node().filter(|_| app.back == 0) else { return };
    lay(buffer, palette, rest, &node.devices.iter().map(|device| entry(app, palette, device)).collect::<Vec<_>>());
    let meters = node.platform.iter().map(|whole| of_whole(app, palette, whole));
    let left = node.residual.iter().map(|residual| of_rest(app, palette, residual));
    lay(buffer, palette, rest, &meters.chain(left).collect::<Vec<_>>());
}

/// A line, or up to a sixth of the height.
fn lay(buffer: &mut Buffer, palette: Palette, rest: &mut Rect, texts: &[Entry]) {
    if texts.is_empty() {
        return;
    }
    let width = |entry: &Entry| entry.iter().map(|(text, _)| columns(text)).sum::<u16>();
    let widest = texts.iter().map(width).max().unwrap_or(0).max(1);
    let in_a_line = usize::from(((rest.width + GAP) / (widest + GAP)).max(1));
    let lines = usize::from((rest.height / 6).max(1)).min(texts.len().div_ceil(in_a_line));
    // The last place tells how many there are beside those that are seen.
    let places = lines * in_a_line;
    let seen = if texts.len() > places { places.saturating_sub(1).max(1) } else { texts.len() };
    let mut shown = texts.iter().take(seen);
    for line in 0..lines {
        let area = take(rest, 1);
        let mut x = area.x;
        for device in shown.by_ref().take(in_a_line) {
            let parts = device.each_ref().map(|(text, style)| (text.as_str(), *style));
            run(buffer, x, area.y, area.right().saturating_sub(x), &parts);
            x = x.saturating_add(widest + GAP);
        }
        let hidden = texts.len() - seen;
        if hidden > 0 && line + 1 == lines {
            let more = format!("+{hidden}");
            let x = x.min(area.right().saturating_sub(columns(&more)));
            run(buffer, x, area.y, area.right().saturating_sub(x), &[(more.as_str(), palette.faint())]);
        }
    }
}

/// Columns between two.
const GAP: u16 = 3;

/// `gpu0 H200 ~300 W`, its idle part, how busy it was, its fault.
fn entry(app: &App, palette: Palette, device: &Device) -> Entry {
    let (unit, rates) = (app.manner.unit, &app.rates);
    let power = power(app, device.trust.mark(), device.watts);
    let idle = device.idle_watts.and_then(|watts| unit.of_power(watts, rates));
    let idle = idle.map(|idle| format!(" {} {}", app.words().idle, short(idle)));
    let busy = device.busy.map(|busy| format!(" {:.0} %", busy * 100.0));
    let fault = device.fault.as_ref().map(|fault| format!(" {fault}"));
    [
        (format!("gpu{} {} ", device.number, device.name), palette.faint()),
        (power, palette.strong()),
        (idle.unwrap_or_default() + busy.as_deref().unwrap_or_default(), Style::new()),
        (fault.unwrap_or_default(), palette.note()),
    ]
}

fn power(app: &App, mark: &str, watts: Option<f64>) -> String {
    let (unit, rates) = (app.manner.unit, &app.rates);
    let (power_unit, _) = unit.names(rates);
    match watts.map(|watts| unit.of_power(watts, rates)) {
        Some(Some(power)) => format!("{mark}{} {power_unit}", short(power)),
        _ => app.words().unknown.to_owned(),
    }
}

/// `redfish bmc-1/1 251 W 4 s old`, its fault.
fn of_whole(app: &App, palette: Palette, whole: &Whole) -> Entry {
    let age = whole.age_seconds.map(|age| format!(" {} {}", clock::seconds(age), app.words().old));
    [
        (format!("{} ", whole.name()), palette.faint()),
        (power(app, whole.trust.mark(), whole.watts), palette.strong()),
        (age.unwrap_or_default(), Style::new()),
        (whole.fault.as_ref().map(|fault| format!(" {fault}")).unwrap_or_default(), palette.note()),
    ]
}

/// `rest ~131 W ±12 %`, its fault.
fn of_rest(app: &App, palette: Palette, rest: &Residual) -> Entry {
    let error = rest.error_ratio.map(|ratio| format!(" ±{:.0} %", ratio * 100.0));
    [
        (format!("{} ", app.words().rest), palette.faint()),
        (power(app, rest.trust.mark(), rest.watts), palette.strong()),
        (error.unwrap_or_default(), Style::new()),
        (rest.fault.as_ref().map(|fault| format!(" {fault}")).unwrap_or_default(), palette.note()),
    ]
}
