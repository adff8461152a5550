//! Power over time, a column of cells for each part of the time.

use super::Palette;
use super::text::put;
use jiff::{SignedDuration, Timestamp};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Modifier;

/// The power of a part of the time, watts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Column {
    pub(super) idle: f64,
    pub(super) workloads: f64,
    pub(super) unattributed: f64,
}

impl Column {
    fn total(&self) -> f64 {
        self.idle + self.workloads + self.unattributed
    }
}

/// Time along the columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    end: Timestamp,
    span: f64,
    columns: u16,
}

/// A reading speaks for this long before it, at most.
const SPEAKS: f64 = 35.0;

impl Axis {
    pub(super) fn new(end: Timestamp, span: u32, columns: u16) -> Self {
        Axis { end, span: f64::from(span), columns }
    }

    /// The column of a time.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the columns")]
    pub(super) fn column(&self, at: Timestamp) -> Option<u16> {
        let ago = self.end.duration_since(at).as_secs_f64();
        (ago >= 0.0 && ago < self.span && self.columns > 0).then(|| {
            let back = (ago / self.span * f64::from(self.columns)) as u16;
            self.columns - 1 - back.min(self.columns - 1)
        })
    }

    fn middle(&self, column: u16) -> Timestamp {
        let back = f64::from(self.columns - 1 - column) + 0.5;
        let ago = SignedDuration::try_from_secs_f64(back / f64::from(self.columns) * self.span).unwrap_or_default();
        self.end.checked_sub(ago).unwrap_or(self.end)
    }

    /// The mean of the readings in each column; what lies between two readings is the later one's.
    pub(super) fn bins(&self, points: impl Iterator<Item = (Timestamp, Option<Column>)>) -> Vec<Option<Column>> {
        let mut bins: Vec<(Column, f64)> = vec![(Column::default(), 0.0); usize::from(self.columns)];
        let points: Vec<(Timestamp, Option<Column>)> = points.collect();
        for (at, value) in &points {
            let bin = self.column(*at).and_then(|column| bins.get_mut(usize::from(column)));
            if let Some((bin, value)) = bin.zip(*value) {
                bin.0.idle += value.idle;
                bin.0.workloads += value.workloads;
                bin.0.unattributed += value.unattributed;
                bin.1 += 1.0;
            }
        }
        let between = |column: u16| {
            let at = self.middle(column);
            let next = points.partition_point(|(point, _)| *point < at);
            let (end, value) = points.get(next)?;
            let begin = next.checked_sub(1).and_then(|before| points.get(before)).map(|(begin, _)| *begin)?;
            (end.duration_since(begin).as_secs_f64() <= SPEAKS).then_some(*value).flatten()
        };
        let mean = |(column, (sum, count)): (u16, (Column, f64))| match count {
            count if count > 0.0 => Some(Column {
                idle: sum.idle / count,
                workloads: sum.workloads / count,
                unattributed: sum.unattributed / count,
            }),
            _ => between(column),
        };
        (0..).zip(bins).map(mean).collect()
    }
}

const EIGHTHS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Draws the columns from zero to the largest of them, which it returns.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, bins: &[Option<Column>], palette: Palette) -> f64 {
    let most = bins.iter().flatten().map(Column::total).fold(0.0, f64::max);
    if most <= 0.0 {
        return 0.0;
    }
    let eighths = f64::from(area.height) * 8.0;
    for (x, bin) in (area.x..area.right()).zip(bins) {
        let Some(bin) = bin else { continue };
        let scale = |watts: f64| watts / most * eighths;
        let (idle, workloads, total) = (scale(bin.idle), scale(bin.idle + bin.workloads), scale(bin.total()));
        for row in 0..area.height {
            let bottom = f64::from(row) * 8.0;
            let filled = (total - bottom).clamp(0.0, 8.0);
            if filled < 0.5 {
                break;
            }
            let middle = bottom + filled / 2.0;
            let (style, whole) = match middle {
                _ if area.height == 1 => (palette.workloads(), "█"),
                _ if middle < idle => (palette.idle(), "░"),
                _ if middle < workloads => (palette.workloads(), "█"),
                _ => (palette.unattributed(), "▒"),
            };
            let glyph = if filled >= 7.5 { whole } else { eighth(filled) };
            put(buffer, x, area.bottom() - 1 - row, 1, glyph, style);
        }
    }
    most
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most eight")]
fn eighth(filled: f64) -> &'static str {
    EIGHTHS.get((filled.round() as usize).saturating_sub(1)).copied().unwrap_or("█")
}

/// Marks a column.
pub(super) fn mark(buffer: &mut Buffer, area: Rect, column: u16, palette: Palette) {
    let mark = Rect { x: area.x + column.min(area.width.saturating_sub(1)), width: 1, ..area };
    buffer.set_style(mark.intersection(buffer.area), palette.note().add_modifier(Modifier::REVERSED));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn watts(workloads: f64) -> Option<Column> {
        Some(Column { idle: 0.0, workloads, unattributed: 0.0 })
    }

    #[test]
    fn a_column_is_the_mean_of_its_readings_and_a_gap_stays_empty() {
        let axis = Axis::new(at(0), 40, 4);
        let points = [(at(-39), watts(1.0)), (at(-31), watts(3.0)), (at(-1), watts(5.0))];
        let bins = axis.bins(points.into_iter());
        assert_eq!(bins[0].unwrap().workloads, 2.0);
        assert_eq!(bins[1].unwrap().workloads, 5.0, "30 s before a reading are its own");
        assert_eq!(bins[3].unwrap().workloads, 5.0);
        let bins = Axis::new(at(0), 200, 4).bins([(at(-190), watts(1.0)), (at(-1), watts(5.0))].into_iter());
        assert_eq!(bins.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, true]);
    }

    #[test]
    fn the_newest_stands_at_the_right_and_what_is_older_nowhere() {
        let axis = Axis::new(at(0), 60, 60);
        assert_eq!((axis.column(at(0)), axis.column(at(-59)), axis.column(at(-60))), (Some(59), Some(0), None));
        assert_eq!(axis.column(at(1)), None);
    }
}
