//! Plots as SVG: points and lines in axes, no more. A plotting crate would bring a hundred times this code for three pictures.

use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 56.0;
/// More points than this hide each other; every n-th is drawn.
const MOST_POINTS: usize = 4000;

/// A series of a plot.
#[derive(Clone, Debug)]
pub(crate) enum Series {
    /// Dots.
    Points(Vec<(f64, f64)>),
    /// A line with a dot at each point, and its name.
    Line(Vec<(f64, f64)>, &'static str),
    /// A thin line without dots, for orientation.
    Rule(Vec<(f64, f64)>),
}

impl Series {
    fn points(&self) -> &[(f64, f64)] {
        match self {
            Series::Points(points) | Series::Line(points, _) | Series::Rule(points) => points,
        }
    }
}

const COLOURS: [&str; 3] = ["#1f6fb2", "#c8501e", "#3a8a3a"];

/// From values to the picture's coordinates.
struct Axes {
    x: (f64, f64),
    y: (f64, f64),
}

impl Axes {
    /// Axes that hold all points of `series`, with a small margin.
    fn around(series: &[Series]) -> Self {
        let range = |of: fn(&(f64, f64)) -> f64| {
            let points = series.iter().flat_map(|series| series.points().iter().filter(|point| is_finite(point)));
            let (low, high) = points
                .map(of)
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
            if !(low.is_finite() && high.is_finite()) {
                return (0.0, 1.0);
            }
            if high > low { (low - 0.03 * (high - low), high + 0.03 * (high - low)) } else { (low - 1.0, high + 1.0) }
        };
        Axes { x: range(|point| point.0), y: range(|point| point.1) }
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (value - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (value - self.y.0) / (self.y.1 - self.y.0) * (HEIGHT - TOP - BOTTOM)
    }

    /// Grid lines, their values and the names of both axes.
    fn draw(&self, x_label: &str, y_label: &str) -> String {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let mut out = String::new();
        for value in ticks(self.x.0, self.x.1) {
            let (at, below) = (self.x(value), bottom + 18.0);
            out += &format!(
                "<path d=\"M{at:.1} {TOP}V{bottom:.1}\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{}</text>\n",
                number(value)
            );
        }
        for value in ticks(self.y.0, self.y.1) {
            let (at, beside) = (self.y(value), LEFT - 8.0);
            out += &format!(
                "<path d=\"M{LEFT} {at:.1}H{right:.1}\" stroke=\"#ddd\"/><text x=\"{beside:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                at + 4.0,
                number(value)
            );
        }
        let (across, down) = (f64::midpoint(LEFT, right), f64::midpoint(TOP, bottom));
        out += &format!("<path d=\"M{LEFT} {TOP}V{bottom:.1}H{right:.1}\" fill=\"none\" stroke=\"#333\"/>\n");
        out += &format!(
            "<text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
            HEIGHT - 14.0,
            escape(x_label)
        );
        out += &format!(
            "<text x=\"18\" y=\"{down:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 18 {down:.1})\">{}</text>\n",
            escape(y_label)
        );
        out
    }
}

fn is_finite(point: &(f64, f64)) -> bool {
    point.0.is_finite() && point.1.is_finite()
}

/// Draws series in common axes. Points that are not numbers are left out.
pub(crate) fn svg(title: &str, x_label: &str, y_label: &str, series: &[Series]) -> String {
    let axes = Axes::around(series);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    out += &format!("<text x=\"{LEFT}\" y=\"26\" font-size=\"16\">{}</text>\n", escape(title));
    out += &axes.draw(x_label, y_label);
    let mut legend = TOP + 16.0;
    for (series, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        let finite = series.points().iter().filter(|point| is_finite(point));
        let points: Vec<(f64, f64)> = finite.map(|&(x, y)| (axes.x(x), axes.y(y))).collect();
        match series {
            Series::Points(_) => {
                for (x, y) in points.iter().step_by(points.len().div_ceil(MOST_POINTS).max(1)) {
                    out += &format!(
                        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\" fill=\"{colour}\" fill-opacity=\"0.35\"/>\n"
                    );
                }
            }
            Series::Line(_, name) => {
                out += &path(&points, colour, 2.0);
                for (x, y) in &points {
                    out += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>\n");
                }
                out += &legend_entry(legend, colour, name);
                legend += 18.0;
            }
            Series::Rule(_) => out += &path(&points, "#555", 1.0),
        }
    }
    out + "</svg>\n"
}

fn legend_entry(y: f64, colour: &str, name: &str) -> String {
    let (x, top) = (WIDTH - RIGHT - 150.0, y - 11.0);
    format!(
        "<rect x=\"{x}\" y=\"{top:.1}\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"{y:.1}\">{}</text>\n",
        x + 18.0,
        escape(name)
    )
}

fn path(points: &[(f64, f64)], colour: &str, width: f64) -> String {
    let mut d = String::new();
    for (number, (x, y)) in points.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(d, "{}{x:.1} {y:.1}", if number == 0 { 'M' } else { 'L' });
    }
    format!("<path d=\"{d}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>\n")
}

/// About six round values in a range.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 6.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    let first = (low / step).ceil();
    (0..12).map(|number| (first + f64::from(number)) * step).take_while(|value| *value <= high).collect()
}

fn number(value: f64) -> String {
    let value = if value.abs() < 1e-12 { 0.0 } else { value };
    if value.abs() >= 1e5 {
        format!("{value:.0e}")
    } else {
        format!("{:.4}", value).trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 100.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(-0.5, 0.52), [-0.4, -0.2, 0.0, 0.2, 0.4].map(|x: f64| x));
    }

    #[test]
    fn nothing_to_draw_and_values_that_are_not_numbers_still_make_a_picture() {
        for points in [vec![], vec![(f64::NAN, 1.0)], vec![(1.0, 1.0)]] {
            let picture = svg("a < b", "x", "y", &[Series::Points(points)]);
            assert!(
                picture.contains("a &lt; b") && picture.ends_with("</svg>\n") && !picture.contains("NaN"),
                "{picture}"
            );
        }
    }
}
