//! Text in cells: escaped, cut to its columns.

use kepler_core::printable;
use ratatui_core::buffer::Buffer;
use ratatui_core::style::Style;
use ratatui_core::text::Span;

/// Columns that a text takes.
pub(in super::super) fn columns(text: &str) -> u16 {
    u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX)
}

/// Writes a text into `width` columns; what is cut ends with `…`. The column after it.
pub(super) fn put(buffer: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
    let area = buffer.area;
    let width = width.min(area.right().saturating_sub(x));
    if width == 0 || y >= area.bottom() || y < area.y || x < area.x {
        return x;
    }
    let text = printable::line(text);
    if columns(&text) <= width {
        return buffer.set_stringn(x, y, &*text, usize::from(width), style).0;
    }
    let (end, _) = buffer.set_stringn(x, y, &*text, usize::from(width - 1), style);
    buffer.set_stringn(end, y, "…", 1, style).0
}

/// Writes a text that ends at the right of its columns.
pub(super) fn put_right(buffer: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style) {
    let columns = columns(text).min(width);
    put(buffer, x + (width - columns), y, columns, text, style);
}

/// Writes texts one after the other, as far as there is room. The column after them.
pub(super) fn run(buffer: &mut Buffer, x: u16, y: u16, width: u16, parts: &[(&str, Style)]) -> u16 {
    let end = x.saturating_add(width);
    parts.iter().fold(x, |x, (text, style)| put(buffer, x, y, end.saturating_sub(x), text, *style))
}
