//! Draws the state into cells.

mod chart;
mod devices;
mod footer;
mod head;
mod help;
mod table;
pub(super) mod text;
mod zoom;

use super::state::App;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use std::time::Instant;
use text::put;

/// Styles, which without colour differ by weight alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    coloured: bool,
}

impl Palette {
    pub(super) const fn new(coloured: bool) -> Self {
        Palette { coloured }
    }

    // Blue, orange and purple are told apart by every kind of colour vision.
    fn fg(self, colour: Color) -> Style {
        if self.coloured { Style::new().fg(colour) } else { Style::new() }
    }

    fn idle(self) -> Style {
        self.fg(Color::Blue)
    }

    fn workloads(self) -> Style {
        self.fg(Color::Yellow)
    }

    fn unattributed(self) -> Style {
        self.fg(Color::Magenta)
    }

    fn alarm(self) -> Style {
        self.fg(Color::Red).add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    fn note(self) -> Style {
        self.fg(Color::Cyan)
    }

    fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// Draws all of it, as of `now`.
pub(super) fn draw(app: &mut App, buffer: &mut Buffer, palette: Palette, now: Instant) {
    let area = buffer.area;
    if area.width < 16 || area.height < 4 {
        put(buffer, area.x, area.y, area.width, "kepler top", Style::new());
        return;
    }
    let mut rest = area;
    head::draw(app, buffer, palette, &mut rest, now);
    let footer = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
    rest.height = rest.height.saturating_sub(1);
    if app.zoom.is_some() {
        zoom::draw(app, buffer, palette, &mut rest);
    }
    table::draw(app, buffer, palette, rest);
    footer::draw(app, buffer, palette, footer);
    if app.manner.help {
        help::draw(app, buffer, palette);
    }
}

/// Takes lines from the top of what is left.
fn take(rest: &mut Rect, height: u16) -> Rect {
    let height = height.min(rest.height);
    let taken = Rect { height, ..*rest };
    rest.y += height;
    rest.height -= height;
    taken
}
