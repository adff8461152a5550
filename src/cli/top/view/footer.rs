//! The last line: keys, the filter, or what is wrong.

use super::Palette;
use super::text::{put, put_right, run};
use crate::cli::top::state::App;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

pub(super) fn draw(app: &App, buffer: &mut Buffer, palette: Palette, area: Rect) {
    let words = app.words();
    if app.manner.typing || (!app.manner.filter.is_empty() && app.zoom.is_none()) {
        let cursor = if app.manner.typing { "▏" } else { "" };
        let text = format!("/{}{cursor}", app.manner.filter);
        let end = put(buffer, area.x, area.y, area.width, &text, palette.strong());
        if app.manner.typing {
            put(buffer, end + 1, area.y, area.right().saturating_sub(end + 1), "Enter  Esc", palette.faint());
        }
    } else if let Some(problem) = &app.problem {
        put(buffer, area.x, area.y, area.width, problem, palette.alarm());
    } else {
        let keys = if app.zoom.is_some() { words.footer_zoom } else { words.footer };
        let mut x = area.x;
        for (key, what) in keys {
            let parts = [(*key, palette.strong()), (" ", Style::new()), (*what, palette.faint())];
            let width: u16 = parts.iter().map(|(text, _)| super::text::columns(text)).sum();
            if x + width > area.right() {
                break;
            }
            x = run(buffer, x, area.y, width, &parts) + 2;
        }
        let cuts = app.frame.as_ref().map_or(&[][..], |frame| &frame.cuts);
        if let Some(cut) = cuts.first()
            && app.back == 0
        {
            let text = format!("{} {} {}", cut.shown, words.of, cut.of);
            let width = super::text::columns(&text);
            if x + width <= area.right() {
                put_right(buffer, x, area.y, area.right() - x, &text, palette.faint());
            }
        }
    }
}
