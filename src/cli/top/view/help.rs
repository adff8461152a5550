//! The keys, over all else.

use super::Palette;
use super::text::{columns, put};
use crate::cli::top::state::App;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

pub(super) fn draw(app: &App, buffer: &mut Buffer, palette: Palette) {
    let words = app.words();
    let lines = words.help.len() + words.marks.len() + 2;
    let first = words.help.iter().chain(words.marks).map(|(key, _)| columns(key)).max().unwrap_or_default();
    let second = words.help.iter().chain(words.marks).map(|(_, what)| columns(what)).max().unwrap_or_default();
    let whole = buffer.area;
    let width = (first + second + 6).min(whole.width);
    let height = u16::try_from(lines + 2).unwrap_or(u16::MAX).min(whole.height);
    let x = whole.x + (whole.width - width) / 2;
    let y = whole.y + (whole.height - height) / 2;
    let area = Rect { x, y, width, height };
    for line in area.y..area.bottom() {
        put(buffer, area.x, line, width, &" ".repeat(usize::from(width)), Style::new());
        // Cells of what was drawn there keep their style else.
        for column in area.x..area.right() {
            if let Some(cell) = buffer.cell_mut((column, line)) {
                cell.reset();
            }
        }
    }
    frame(buffer, area, words.help_title, palette);
    let blank = ("", "");
    let rows = words.help.iter().chain([&blank]).chain(words.marks);
    for (line, (key, what)) in (area.y + 1..area.bottom().saturating_sub(1)).zip(rows) {
        put(buffer, area.x + 2, line, first.min(width.saturating_sub(4)), key, palette.strong());
        let at = area.x + 4 + first;
        put(buffer, at, line, (area.right() - 1).saturating_sub(at), what, Style::new());
    }
}

fn frame(buffer: &mut Buffer, area: Rect, title: &str, palette: Palette) {
    if area.width < 2 || area.height < 2 {
        return;
    }
    let across = "─".repeat(usize::from(area.width - 2));
    put(buffer, area.x, area.y, area.width, &format!("┌{across}┐"), palette.faint());
    put(buffer, area.x, area.bottom() - 1, area.width, &format!("└{across}┘"), palette.faint());
    for line in area.y + 1..area.bottom() - 1 {
        put(buffer, area.x, line, 1, "│", palette.faint());
        put(buffer, area.right() - 1, line, 1, "│", palette.faint());
    }
    put(buffer, area.x + 2, area.y, area.width.saturating_sub(4), &format!(" {title} "), palette.strong());
}
