//! Answers as pictures, for clients that ask for `format=chart`: a PNG, since few clients show SVG.
//!
//! plotters draws, with the font that comes along: its glyphs are the same everywhere, Korean ones too, and no system
//! needs fonts.

mod axis;
mod draw;
mod of;

use kepler_compliance::text::Lang;
use kepler_compliance::tools::{EnergyRequest, Length, PowerNowRequest, ScheduleRequest, ToolRequest, TrendRequest};
use rmcp::model::ContentBlock;
use serde_json::{Map, Value, json};

/// The argument that asks for a picture, and its only value.
pub(crate) const ARGUMENT: &str = "format";
pub(crate) const CHART: &str = "chart";

/// The tools whose answers can be drawn.
pub(crate) const TOOLS: [&str; 4] =
    [PowerNowRequest::NAME, EnergyRequest::NAME, TrendRequest::NAME, ScheduleRequest::NAME];

/// Steps of a picture where none were asked for.
const STEPS: u32 = 60;

/// What a picture shows.
#[derive(Debug, PartialEq)]
struct Plot {
    /// Whose figures these are, of what kind.
    title: String,
    /// What to know of them: measured or estimated, how much of the time they cover.
    notes: Vec<String>,
    /// What the axis of figures shows, with its unit.
    unit: String,
    /// Whether steps are estimates, in whole or in part: they are drawn hatched.
    is_estimated: bool,
    data: Data,
}

/// The figures of a picture.
#[derive(Debug, PartialEq)]
enum Data {
    /// Over time: with the axis's name, and those of what is above and below `Step::part`.
    Steps { time: String, parts: Option<[String; 2]>, steps: Vec<Step> },
    /// By name, the largest first.
    Bars(Vec<Bar>),
}

/// A figure over a time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    /// Seconds since 1970.
    start: i64,
    end: i64,
    value: f64,
    /// The part of it that is drawn darker.
    part: Option<f64>,
}

/// A figure of a name.
#[derive(Clone, Debug, PartialEq)]
struct Bar {
    name: String,
    value: f64,
    /// An estimate, in whole or in part: drawn hatched.
    is_estimated: bool,
}

/// The schema of a tool's arguments, with the one for pictures where it has some.
pub(crate) fn offered(tool: &str, mut schema: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Object(properties)) = schema.get_mut("properties").filter(|_| TOOLS.contains(&tool)) {
        properties.insert(ARGUMENT.to_owned(), json!({ "type": "string", "enum": [CHART] }));
    }
    schema
}

/// Arguments that make a picture where the caller asked for no groups and no steps: energy over time.
pub(crate) fn complete(tool: &str, arguments: &mut Map<String, Value>) {
    if tool != EnergyRequest::NAME || arguments.contains_key("by") || arguments.contains_key("step") {
        return;
    }
    let window = arguments.get("window").and_then(Value::as_str).and_then(|window| window.parse().ok());
    let window: Length = window.unwrap_or(EnergyRequest::default().window);
    let seconds = (window.duration() / STEPS).as_secs().max(1);
    arguments.insert("step".to_owned(), json!(format!("{seconds}s")));
}

/// The picture of a tool's answer, or a sentence why there is none.
pub(crate) fn picture(tool: &str, answer: &Value, lang: Lang) -> ContentBlock {
    use base64::Engine as _;
    let Some(plot) = of::plot(tool, answer, lang) else { return ContentBlock::text(of::nothing_to_draw(lang)) };
    match draw::png(&plot) {
        Ok(png) => ContentBlock::image(base64::engine::general_purpose::STANDARD.encode(png), "image/png"),
        Err(error) => {
            tracing::warn!("a chart cannot be drawn: {error}");
            ContentBlock::text(of::nothing_to_draw(lang))
        }
    }
}
