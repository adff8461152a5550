//! A plot in pixels.

use super::axis::{figure, marks, times};
use super::{Bar, Data, Plot, Step};
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::sync::OnceLock;

/// Pixels: some 600 tokens to those models that count a picture by its area.
const SIZE: (u32, u32) = (880, 480);
const MARGIN: i32 = 24;
/// Noto Sans CJK KR, the characters that are needed: see `font.md`.
const FONT: &[u8] = include_bytes!("font.otf");
const FAMILY: &str = "sans-serif";

const INK: RGBColor = RGBColor(33, 37, 41);
const QUIET: RGBColor = RGBColor(96, 103, 112);
const GRID: RGBColor = RGBColor(225, 228, 232);
const FILL: RGBColor = RGBColor(133, 183, 235);
const PART: RGBColor = RGBColor(176, 186, 197);
const LINE: RGBColor = RGBColor(24, 95, 165);

/// How far hatches and dashes are apart.
const HATCH: i32 = 8;
/// Bars that there is room for; the text beside the picture counts the others.
const MOST_BARS: usize = 12;
/// Characters of a name beside its bar.
const NAME: usize = 26;

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The picture as a PNG.
///
/// # Errors
/// It cannot be drawn or encoded.
pub(crate) fn png(plot: &Plot) -> Result<Vec<u8>, Failure> {
    static FONT_IS_USABLE: OnceLock<bool> = OnceLock::new();
    if !FONT_IS_USABLE.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok()) {
        return Err("the font cannot be read".into());
    }
    let mut pixels = vec![255u8; SIZE.0 as usize * SIZE.1 as usize * 3];
    draw(plot, &BitMapBackend::with_buffer(&mut pixels, SIZE).into_drawing_area())
        .map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, SIZE.0, SIZE.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(out)
}

type Drawn = Result<(), DrawingAreaErrorKind<<BitMapBackend<'static> as DrawingBackend>::ErrorType>>;

fn draw(plot: &Plot, area: &Area<'_>) -> Drawn {
    area.fill(&WHITE)?;
    text(area, &plot.title, (MARGIN, 14), 24, INK, HPos::Left)?;
    text(area, &plot.notes.join("  ·  "), (MARGIN, 46), 16, QUIET, HPos::Left)?;
    match &plot.data {
        Data::Steps { time, parts, steps } => over_time(plot, area, time, parts.as_ref(), steps),
        Data::Bars(bars) => by_name(plot, area, bars),
    }
}

fn text(area: &Area<'_>, what: &str, at: (i32, i32), size: i32, color: RGBColor, side: HPos) -> Drawn {
    let style = TextStyle::from((FAMILY, size).into_font()).color(&color).pos(Pos::new(side, VPos::Top));
    area.draw(&Text::new(what.to_owned(), at, style))
}

/// A rectangle of the picture, and the figures and times that its sides stand for.
struct Frame {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
    start: i64,
    end: i64,
    most: f64,
}

impl Frame {
    fn x(&self, time: i64) -> i32 {
        let share = (time - self.start) as f64 / (self.end - self.start).max(1) as f64;
        self.left + (share * f64::from(self.right - self.left)).round() as i32
    }

    fn y(&self, value: f64) -> i32 {
        let share = (value / self.most).clamp(0.0, 1.0);
        self.bottom - (share * f64::from(self.bottom - self.top)).round() as i32
    }
}

fn over_time(plot: &Plot, area: &Area<'_>, time: &str, parts: Option<&[String; 2]>, steps: &[Step]) -> Drawn {
    let most = steps.iter().map(|step| step.value).fold(0.0, f64::max);
    let (heights, digits) = marks(most);
    let start = steps.iter().map(|step| step.start).min().unwrap_or(0);
    let end = steps.iter().map(|step| step.end).max().unwrap_or(1);
    let most = heights.last().copied().unwrap_or(1.0);
    let frame =
        Frame { left: 84, right: SIZE.0 as i32 - MARGIN, top: 104, bottom: SIZE.1 as i32 - 62, start, end, most };
    for height in heights {
        let y = frame.y(height);
        area.draw(&PathElement::new(vec![(frame.left, y), (frame.right, y)], GRID))?;
        text(area, &format!("{height:.digits$}"), (frame.left - 8, y - 9), 16, QUIET, HPos::Right)?;
    }
    text(area, &plot.unit, (MARGIN, 76), 16, INK, HPos::Left)?;
    for step in steps {
        let (left, right, top) =
            (frame.x(step.start), frame.x(step.end).max(frame.x(step.start) + 1), frame.y(step.value));
        let box_of = |top: i32, bottom: i32| [(left, top), (right, bottom)];
        let part = step.part.map_or(frame.bottom, |part| frame.y(part.min(step.value)));
        filled(area, box_of(top, part), FILL, plot.is_estimated)?;
        filled(area, box_of(part, frame.bottom), PART, plot.is_estimated)?;
        area.draw(&Rectangle::new([(left, top), (right, (top + 2).min(frame.bottom))], LINE.filled()))?;
    }
    area.draw(&PathElement::new(vec![(frame.left, frame.bottom), (frame.right, frame.bottom)], QUIET))?;
    for (at, written) in times(start, end) {
        let x = frame.x(at);
        area.draw(&PathElement::new(vec![(x, frame.bottom), (x, frame.bottom + 5)], QUIET))?;
        text(area, &written, (x, frame.bottom + 9), 16, QUIET, HPos::Center)?;
    }
    text(area, time, (frame.right, frame.bottom + 34), 16, INK, HPos::Right)?;
    let mut right = frame.right;
    for (name, color) in parts.into_iter().flatten().zip([FILL, PART]) {
        let width = area.estimate_text_size(name, &TextStyle::from((FAMILY, 16).into_font()))?.0 as i32;
        text(area, name, (right, 76), 16, INK, HPos::Right)?;
        filled(area, [(right - width - 24, 77), (right - width - 8, 93)], color, plot.is_estimated)?;
        right -= width + 48;
    }
    Ok(())
}

fn by_name(plot: &Plot, area: &Area<'_>, bars: &[Bar]) -> Drawn {
    let shown = bars.get(..bars.len().min(MOST_BARS)).unwrap_or_default();
    let most = shown.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let (left, right, top, bottom) = (270, SIZE.0 as i32 - 110, 100, SIZE.1 as i32 - 40);
    let height = ((bottom - top) / shown.len().max(1) as i32).min(44);
    text(area, &plot.unit, (left, 74), 16, INK, HPos::Left)?;
    for (at, bar) in (0..).zip(shown) {
        let y = top + at * height;
        let share = if most > 0.0 { (bar.value / most).clamp(0.0, 1.0) } else { 0.0 };
        let end = left + (share * f64::from(right - left)).round() as i32;
        text(area, &shortened(&bar.name), (left - 10, y + height / 2 - 9), 17, INK, HPos::Right)?;
        let corners = [(left, y + 4), (end.max(left + 1), y + height - 4)];
        filled(area, corners, FILL, bar.is_estimated)?;
        area.draw(&Rectangle::new(corners, LINE))?;
        text(area, &figure(bar.value), (end + 8, y + height / 2 - 9), 17, INK, HPos::Left)?;
    }
    area.draw(&PathElement::new(vec![(left, top), (left, top + height * shown.len() as i32)], QUIET))
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME { name.to_owned() } else { name.chars().take(NAME - 1).chain(['…']).collect() }
}

/// A rectangle in a colour; of an estimate paler, with hatches that continue from one to the next.
fn filled(area: &Area<'_>, corners: [(i32, i32); 2], color: RGBColor, is_estimated: bool) -> Drawn {
    let [(left, top), (right, bottom)] = corners;
    if right <= left || bottom <= top {
        return Ok(());
    }
    if !is_estimated {
        return area.draw(&Rectangle::new([(left, top), (right, bottom)], color.filled()));
    }
    area.draw(&Rectangle::new([(left, top), (right, bottom)], color.mix(0.35).filled()))?;
    // Lines x + y = c within the rectangle.
    let first = (left + top).div_euclid(HATCH) * HATCH;
    for c in (first..=right + bottom).step_by(HATCH as usize) {
        let from = ((c - bottom).max(left), (c - left).min(bottom));
        let to = ((c - top).min(right), (c - right).max(top));
        if from.0 < to.0 {
            area.draw(&PathElement::new(vec![from, to], color))?;
        }
    }
    Ok(())
}
