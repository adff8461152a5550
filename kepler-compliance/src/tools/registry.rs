//! The tools by name, with their schemas: what frontends list, describe and call.
//!
//! MCP, REST, OpenAPI and Python are made from this table, so that each tool is described once: its description is the
//! doc comment of its request, its schemas are those of its types, and what it needs is said beside them. No frontend
//! knows a tool by name.
//!
//! ```
//! use kepler_compliance::tools::registry;
//!
//! let tool = registry::find("analyze_workload_power_trend")?;
//! assert_eq!(tool.window_argument, "range");
//! assert!(registry::tools().iter().all(|tool| tool.read_only && tool.idempotent));
//! # Ok::<(), registry::CallError>(())
//! ```

use super::arguments::explain;
use super::{
    AssessRequest, Context, HotspotsRequest, ImpactRequest, ListRequest, RegionalRequest, ScheduleRequest,
    SummaryRequest, ToolError, ToolRequest, TrendRequest,
};
use crate::numbers::round_all;
use crate::text::Lang;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde::Deserialize as _;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::LazyLock;

/// A tool that can be called by name, with JSON.
#[non_exhaustive]
pub struct Tool {
    /// Its name: `assess_workload_compliance`.
    pub name: &'static str,
    /// A title for people.
    pub title: &'static str,
    /// JSON Schema (2020-12) of its arguments; the root is an object.
    pub input_schema: Map<String, Value>,
    /// JSON Schema (2020-12) of its answer; the root is an object.
    pub output_schema: Map<String, Value>,
    /// The argument that says how far back figures are taken: `window` or `range`.
    pub window_argument: &'static str,
    /// Whether it only reads.
    pub read_only: bool,
    /// Whether the same call again changes nothing more.
    pub idempotent: bool,
    call: Call,
    needs_energy: Needs,
}

type Call = Box<dyn Fn(&Context<'_>, Value) -> Result<Value, CallError> + Send + Sync>;
type Needs = Box<dyn Fn(Value) -> Result<bool, CallError> + Send + Sync>;

/// The longest text in an argument, bytes: that of a DNS name, which names of workloads, regions and standards keep.
const LONGEST_TEXT: usize = 253;

/// Why a call has no answer. Its text tells the caller what would be valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No tool has the name.
    #[error("unknown tool `{name}`; valid: {}", valid.join(", "))]
    UnknownTool {
        /// The name asked for.
        name: String,
        /// All names.
        valid: Vec<&'static str>,
    },
    /// The arguments do not fit the tool's schema.
    #[error("the arguments of {tool} do not fit: {reason}; it takes {}", takes.join(", "))]
    Arguments {
        /// The tool.
        tool: &'static str,
        /// Which argument, and what is wrong with it.
        reason: String,
        /// The names of all its arguments.
        takes: Vec<String>,
    },
    /// The tool itself has no answer.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// The answer cannot be written as JSON.
    #[error("the answer of {tool} is not JSON: {source}")]
    Answer {
        /// The tool.
        tool: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
}

impl CallError {
    /// The error in a language, for people; its `Display` is in English.
    #[must_use]
    pub fn render(&self, lang: Lang) -> String {
        crate::messages::call_error(self, lang)
    }
}

/// The language that the argument `lang` of a tool names; English where it is none that is known.
#[must_use]
pub fn language(lang: &Value) -> Lang {
    Lang::deserialize(lang).unwrap_or_default()
}

impl Tool {
    /// What it does: the doc comment of its request.
    #[must_use]
    pub fn description(&self) -> &str {
        self.input_schema.get("description").and_then(Value::as_str).unwrap_or(self.title)
    }

    /// Its answer to `arguments`, a JSON object. Blocks as long as the sources of `context` do.
    ///
    /// # Errors
    /// The arguments do not fit, or the tool has no answer.
    pub fn call(&self, context: &Context<'_>, arguments: Value) -> Result<Value, CallError> {
        (self.call)(context, arguments)
    }

    /// Whether an answer to `arguments` needs energy figures, which some callers have to wait for.
    ///
    /// # Errors
    /// The arguments do not fit: known before anything is measured for them.
    pub fn needs_energy(&self, arguments: Value) -> Result<bool, CallError> {
        (self.needs_energy)(arguments)
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All tools.
#[must_use]
pub fn tools() -> &'static [Tool] {
    static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| {
        vec![
            tool::<AssessRequest>(),
            tool::<ListRequest>(),
            tool::<ImpactRequest>(),
            tool::<RegionalRequest>(),
            tool::<ScheduleRequest>(),
            tool::<HotspotsRequest>(),
            tool::<TrendRequest>(),
            tool::<SummaryRequest>(),
        ]
    });
    &TOOLS
}

/// The tool of a name.
///
/// # Errors
/// No tool has it; the error lists the valid names.
pub fn find(name: &str) -> Result<&'static Tool, CallError> {
    tools().iter().find(|tool| tool.name == name).ok_or_else(|| CallError::UnknownTool {
        name: name.to_owned(),
        valid: tools().iter().map(|tool| tool.name).collect(),
    })
}

fn tool<Q: ToolRequest>() -> Tool {
    let input_schema = object(SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Q>());
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let output_schema = object(settings.into_generator().into_root_schema_for::<Q::Response>());
    let takes = properties(&input_schema);
    let call = |context: &Context<'_>, request: &Q| {
        let mut answer = serde_json::to_value(request.answer(context)?)
            .map_err(|source| CallError::Answer { tool: Q::NAME, source })?;
        round_all(&mut answer);
        Ok(answer)
    };
    let also_takes = takes.clone();
    Tool {
        name: Q::NAME,
        title: Q::TITLE,
        input_schema,
        output_schema,
        window_argument: Q::WINDOW_ARGUMENT,
        read_only: true,
        idempotent: true,
        call: Box::new(move |context, arguments| call(context, &read::<Q>(arguments, &takes)?)),
        needs_energy: Box::new(move |arguments| Ok(read::<Q>(arguments, &also_takes)?.needs_energy())),
    }
}

/// Reads the arguments of a tool.
fn read<Q: ToolRequest>(arguments: Value, takes: &[String]) -> Result<Q, CallError> {
    let wrong = |reason: String| CallError::Arguments { tool: Q::NAME, reason, takes: takes.to_vec() };
    if let Some((name, length)) = too_long(&arguments) {
        return Err(wrong(format!("{name}: {length} bytes are more than any name has ({LONGEST_TEXT})")));
    }
    serde_path_to_error::deserialize(arguments).map_err(|error| wrong(explain(error)))
}

/// The argument that holds a text which is too long, and how long that is.
fn too_long(arguments: &Value) -> Option<(String, usize)> {
    fn longest(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(longest).max().unwrap_or(0),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| name.len().max(longest(value))).max().unwrap_or(0)
            }
            _ => 0,
        }
    }
    let fields = arguments.as_object()?;
    if fields.keys().any(|name| name.len() > LONGEST_TEXT) {
        return Some(("an argument's name".to_owned(), fields.keys().map(String::len).max()?));
    }
    let found = fields.iter().map(|(name, value)| (name, longest(value))).find(|(_, length)| *length > LONGEST_TEXT);
    found.map(|(name, length)| (name.clone(), length))
}

/// A schema as an object, without formats that are Rust's own (`uint64`): validators warn of those.
fn object(mut schema: Schema) -> Map<String, Value> {
    RecursiveTransform(|schema: &mut Schema| {
        let own =
            |format: &Value| format.as_str().is_some_and(|name| name.starts_with("uint") || name.starts_with("int"));
        if schema.get("format").is_some_and(own) {
            schema.remove("format");
        }
    })
    .transform(&mut schema);
    match schema.to_value() {
        Value::Object(map) => map,
        // `true` and `false` are schemas too, but of no struct.
        _ => Map::new(),
    }
}

fn properties(schema: &Map<String, Value>) -> Vec<String> {
    let Some(Value::Object(properties)) = schema.get("properties") else { return Vec::new() };
    properties.keys().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intensity::Table;
    use crate::standards::Standards;
    use crate::tools::{Settings, Toolbox};
    use crate::view::{HistoryRing, RingOptions};
    use crate::zones::Zones;
    use jiff::Timestamp;
    use serde_json::json;
    use std::sync::Arc;

    fn toolbox() -> Toolbox {
        let zones = Zones::embedded().unwrap();
        Toolbox {
            view: Arc::new(HistoryRing::new("live", "node-1", RingOptions::default())),
            standards: Standards::embedded().unwrap(),
            intensity: Arc::new(Table::from_zones(&zones)),
            zones,
            settings: Settings::default(),
        }
    }

    #[test]
    fn every_tool_says_what_it_does_and_what_each_argument_is() {
        assert_eq!(tools().len(), 8);
        for tool in tools() {
            assert!(tool.description().len() > 40, "{}: {}", tool.name, tool.description());
            assert_eq!(tool.input_schema["type"], "object", "{}", tool.name);
            assert_eq!(tool.output_schema["type"], "object", "{}", tool.name);
            assert_eq!(
                tool.input_schema["additionalProperties"], false,
                "{}: a misspelt argument is an error",
                tool.name
            );
            for (name, property) in tool.input_schema["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{}: {name}", tool.name);
            }
        }
    }

    #[test]
    fn what_an_argument_can_be_is_in_its_schema() {
        let property = |tool: &str, name: &str| find(tool).unwrap().input_schema["properties"][name].clone();
        for (tool, name, range) in [
            ("list_workloads_by_compliance", "limit", [json!(1), json!(1000)]),
            ("get_regional_comparison", "margin_percent", [json!(0), json!(100)]),
            ("compare_optimization_impact", "target_pue", [json!(1), json!(10)]),
            ("get_power_hotspots", "threshold_watts", [json!(0), Value::Null]),
            ("calculate_optimal_schedule", "power_watts", [json!(0), Value::Null]),
        ] {
            let schema = property(tool, name);
            let bound = |name: &str| schema.get(name).cloned().unwrap_or_default();
            assert_eq!([bound("minimum"), bound("maximum")], range, "{tool} {name}: {schema}");
        }
        assert_eq!(property("assess_workload_compliance", "window")["default"], "5m");
    }

    #[test]
    fn no_schema_has_a_format_that_only_rust_knows() {
        for tool in tools() {
            let text = serde_json::to_string(&[&tool.input_schema, &tool.output_schema]).unwrap();
            assert!(!text.contains("\"format\":\"uint") && !text.contains("\"format\":\"int"), "{}", tool.name);
        }
    }

    #[test]
    fn mistakes_are_answered_with_what_would_be_valid() {
        let error = find("asess").unwrap_err().to_string();
        assert!(error.contains("asess") && error.contains("assess_workload_compliance"), "{error}");
        let toolbox = toolbox();
        let context = toolbox.context(Timestamp::UNIX_EPOCH);
        let assess = find("assess_workload_compliance").unwrap();
        for (arguments, named) in [
            (json!({}), "workload_name"),
            (json!({ "workload_name": 7 }), "workload_name: invalid type: integer `7`, expected a string"),
            (json!({ "workload_name": "x", "windo": "5m" }), "unknown field `windo`"),
            (json!({ "workload_name": "x", "window": "soon" }), "window: `soon` is not a length of time"),
            (json!({ "workload_name": "x".repeat(60_000) }), "workload_name: 60000 bytes are more"),
            (json!({ "x".repeat(60_000): 1 }), "an argument's name: 60000 bytes are more"),
            (json!({ "workload_name": "x", "lang": "fr" }), "lang: unknown variant `fr`"),
            (json!({ "workload_name": "x", "standard": "KR" }), "KR_CARBON_2050"),
            (json!({ "workload_name": "x", "region": "seol" }), "seoul"),
        ] {
            let error = assess.call(&context, arguments).unwrap_err().to_string();
            assert!(error.contains(named) && error.len() < 1000, "{named}: {error}");
        }
    }

    #[test]
    fn what_needs_energy_is_known_before_it_is_measured_and_mistakes_are_too() {
        let needs = |tool: &str, arguments: Value| find(tool).unwrap().needs_energy(arguments);
        assert!(needs("get_power_hotspots", json!({})).unwrap());
        assert!(!needs("get_regional_comparison", json!({})).unwrap());
        assert!(needs("get_regional_comparison", json!({ "workload_name": "cart" })).unwrap());
        let job = json!({ "duration": "4h", "workload_name": "cart", "power_watts": 50 });
        assert!(!needs("calculate_optimal_schedule", job).unwrap(), "its power is given");
        assert!(needs("calculate_optimal_schedule", json!({ "duration": "soon" })).is_err());
    }

    #[test]
    fn without_figures_the_answer_is_no_verdict() {
        let toolbox = toolbox();
        let assess = find("assess_workload_compliance").unwrap();
        let context = toolbox.context("2026-11-21T00:00:00Z".parse().unwrap());
        let answer = assess.call(&context, json!({ "workload_name": "cart" })).unwrap();
        assert_eq!((&answer["status"], &answer["power_watts"]["total"]), (&json!("INSUFFICIENT_DATA"), &Value::Null));
    }
}
