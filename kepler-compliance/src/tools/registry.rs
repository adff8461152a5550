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
//! assert!(tool.description().starts_with("Analyses a workload's power"));
//! assert!(registry::tools().iter().all(|tool| tool.read_only && tool.idempotent));
//! # Ok::<(), kepler_compliance::tools::CallError>(())
//! ```

use super::arguments::explain;
use super::{
    AssessRequest, CallError, Context, EnergyRequest, FindRequest, HotspotsRequest, ImpactRequest, ListRequest,
    PowerNowRequest, RegionalRequest, ScheduleRequest, SummaryRequest, ToolRequest, Toolset, TrendRequest,
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
    /// What it is about.
    pub toolset: Toolset,
    /// JSON Schema (2020-12) of its arguments; the root is an object.
    pub input_schema: Map<String, Value>,
    /// JSON Schema (2020-12) of its answer; the root is an object.
    pub output_schema: Map<String, Value>,
    /// Whether it only reads.
    pub read_only: bool,
    /// Whether the same call again changes nothing more.
    pub idempotent: bool,
    call: Call,
    needs_energy: Needs,
}

type Call = Box<dyn Fn(&Context<'_>, Value) -> Result<ToolAnswer, CallError> + Send + Sync>;
type Needs = Box<dyn Fn(Value) -> Result<bool, CallError> + Send + Sync>;

/// The argument of every tool that says how far back figures are taken.
pub const WINDOW_ARGUMENT: &str = "window";

/// Names that arguments had before, and the names that they have now. The old ones are still taken.
const RENAMED: [(&str, &str); 2] = [("workload_name", "workload"), ("range", WINDOW_ARGUMENT)];

/// The longest text in an argument, bytes: that of a DNS name, which names of workloads, regions and standards keep.
pub const LONGEST_TEXT: usize = 253;

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
        self.answer(context, arguments).map(ToolAnswer::into_json)
    }

    /// The same, as an answer that can be shortened.
    ///
    /// # Errors
    /// Those of [`call`](Self::call).
    pub fn answer(&self, context: &Context<'_>, arguments: Value) -> Result<ToolAnswer, CallError> {
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

/// An answer as JSON that can be had with fewer items, without asking the tool again.
pub struct ToolAnswer {
    json: Value,
    shortened: Shorten,
}

type Shorten = Box<dyn Fn(usize) -> Result<Value, CallError>>;

impl ToolAnswer {
    /// The whole answer.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// The whole answer.
    #[must_use]
    pub fn into_json(self) -> Value {
        self.json
    }

    /// The answer as it had been with this argument `limit`: what is no longer listed is counted as what was not listed before.
    /// The whole answer where the tool takes no `limit`.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn shortened(&self, limit: usize) -> Result<Value, CallError> {
        (self.shortened)(limit)
    }
}

impl fmt::Debug for ToolAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolAnswer").field("json", &self.json).finish_non_exhaustive()
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
            tool::<PowerNowRequest>(),
            tool::<EnergyRequest>(),
            tool::<FindRequest>(),
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
    let call = |context: &Context<'_>, request: Q| {
        let response = request.answer(context)?;
        let json = json_of::<Q>(&response)?;
        let shortened = move |limit| {
            let mut response = response.clone();
            request.shorten(&mut response, limit);
            json_of::<Q>(&response)
        };
        Ok(ToolAnswer { json, shortened: Box::new(shortened) })
    };
    let also_takes = takes.clone();
    Tool {
        name: Q::NAME,
        title: Q::TITLE,
        toolset: Q::TOOLSET,
        input_schema,
        output_schema,
        read_only: true,
        idempotent: true,
        call: Box::new(move |context, arguments| call(context, read::<Q>(arguments, &takes)?)),
        needs_energy: Box::new(move |arguments| Ok(read::<Q>(arguments, &also_takes)?.needs_energy())),
    }
}

fn json_of<Q: ToolRequest>(response: &Q::Response) -> Result<Value, CallError> {
    let mut json = serde_json::to_value(response).map_err(|source| CallError::Answer { tool: Q::NAME, source })?;
    round_all(&mut json);
    Ok(json)
}

/// Reads the arguments of a tool.
fn read<Q: ToolRequest>(arguments: Value, takes: &[String]) -> Result<Q, CallError> {
    let wrong = |reason: String| CallError::Arguments { tool: Q::NAME, reason, takes: takes.to_vec() };
    if let Some((name, length)) = too_long(&arguments) {
        return Err(wrong(format!("{name}: {length} bytes are more than any name has ({LONGEST_TEXT})")));
    }
    let arguments = renamed(arguments, takes).map_err(wrong)?;
    serde_path_to_error::deserialize(arguments).map_err(|error| wrong(explain(error)))
}

/// The arguments under the names that they have now.
fn renamed(mut arguments: Value, takes: &[String]) -> Result<Value, String> {
    // Serde would also fill a struct from an array, by position.
    let Some(fields) = arguments.as_object_mut() else {
        return Err("expected a JSON object that names each argument".to_owned());
    };
    let is_taken = |name: &str| takes.iter().any(|taken| taken == name);
    for (old, new) in RENAMED {
        if is_taken(old) || !is_taken(new) {
            continue;
        }
        let Some(value) = fields.remove(old) else { continue };
        if fields.insert(new.to_owned(), value).is_some() {
            return Err(format!("{old} is the former name of {new}: give one of them"));
        }
    }
    Ok(arguments)
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
    use crate::intensity::IntensityTable;
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
            intensity: Arc::new(IntensityTable::from_zones(&zones)),
            zones,
            settings: Settings::default(),
            choices: Arc::new(crate::choices::NoChoices),
        }
    }

    #[test]
    fn every_tool_says_what_it_does_and_what_each_argument_is() {
        assert_eq!(tools().len(), 11);
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

    /// Descriptions reach people and programs that know no Rust: no links to types, no paths, no code blocks.
    #[test]
    fn no_description_speaks_of_rust() {
        fn look(at: &Value, place: &str) {
            match at {
                Value::Object(fields) => {
                    let text = fields.get("description").and_then(Value::as_str).unwrap_or_default();
                    for mark in ["[`", "`]", "](", "::", "```"] {
                        assert!(!text.contains(mark), "{place}: {text}");
                    }
                    fields.iter().for_each(|(name, value)| look(value, &format!("{place}/{name}")));
                }
                Value::Array(values) => values.iter().for_each(|value| look(value, place)),
                _ => {}
            }
        }
        for tool in tools() {
            look(&Value::Object(tool.input_schema.clone()), tool.name);
            look(&Value::Object(tool.output_schema.clone()), tool.name);
        }
    }

    #[test]
    fn no_schema_has_formats_or_words_that_only_rust_knows() {
        for tool in tools() {
            let text = serde_json::to_string(&[&tool.input_schema, &tool.output_schema]).unwrap();
            assert!(!text.contains("\"format\":\"uint") && !text.contains("\"format\":\"int"), "{}", tool.name);
            assert!(!text.contains("```") && !text.contains("::"), "{}: documentation of the code", tool.name);
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
            (json!({}), "workload"),
            (json!({ "workload": 7 }), "workload: invalid type: integer `7`, expected a string"),
            (json!({ "workload": "x", "windo": "5m" }), "unknown field `windo`"),
            (json!({ "workload": "x", "window": "soon" }), "window: `soon` is not a length of time"),
            (json!({ "workload_name": 7 }), "workload: invalid type: integer `7`, expected a string"),
            (json!({ "workload_name": "x", "workload": "y" }), "workload_name is the former name of workload"),
            (json!({ "workload": "x".repeat(60_000) }), "workload: 60000 bytes are more"),
            (json!({ "x".repeat(60_000): 1 }), "an argument's name: 60000 bytes are more"),
            (json!({ "workload": "x", "lang": "fr" }), "lang: unknown variant `fr`"),
            (json!({ "workload": "x", "standard": "KR" }), "KR_CARBON_2050"),
            (json!({ "workload": "x", "region": "seol" }), "seoul"),
        ] {
            let error = assess.call(&context, arguments).unwrap_err().to_string();
            assert!(error.contains(named) && error.len() < 1000, "{named}: {error}");
        }
    }

    #[test]
    fn arguments_come_by_name_never_by_position() {
        let toolbox = toolbox();
        let context = toolbox.context(Timestamp::UNIX_EPOCH);
        for tool in tools() {
            for given in [json!([]), json!([null, null]), json!(["web"]), json!(null), json!(7), json!("web")] {
                let error = tool.call(&context, given.clone()).unwrap_err().to_string();
                assert!(error.contains("expected a JSON object"), "{} {given}: {error}", tool.name);
                assert!(tool.needs_energy(given).is_err(), "{}", tool.name);
            }
        }
    }

    #[test]
    fn former_names_of_arguments_are_still_taken() {
        let toolbox = toolbox();
        let context = toolbox.context(Timestamp::UNIX_EPOCH);
        let trend = find("analyze_workload_power_trend").unwrap();
        assert!(trend.input_schema["properties"].get("range").is_none());
        let answer = trend.call(&context, json!({ "workload_name": "cart", "range": "2h" })).unwrap();
        assert_eq!((&answer["workload"], &answer["window"]), (&json!("cart"), &json!("2h")));
    }

    #[test]
    fn what_needs_energy_is_known_before_it_is_measured_and_mistakes_are_too() {
        let needs = |tool: &str, arguments: Value| find(tool).unwrap().needs_energy(arguments);
        assert!(needs("get_power_hotspots", json!({})).unwrap());
        assert!(!needs("get_regional_comparison", json!({})).unwrap());
        assert!(needs("get_regional_comparison", json!({ "workload": "cart" })).unwrap());
        let job = json!({ "duration": "4h", "workload": "cart", "power_watts": 50 });
        assert!(!needs("calculate_optimal_schedule", job).unwrap(), "its power is given");
        assert!(needs("calculate_optimal_schedule", json!({ "duration": "soon" })).is_err());
    }

    #[test]
    fn without_figures_the_answer_is_no_verdict() {
        let toolbox = toolbox();
        let assess = find("assess_workload_compliance").unwrap();
        let context = toolbox.context("2026-11-21T00:00:00Z".parse().unwrap());
        let answer = assess.call(&context, json!({ "workload": "cart" })).unwrap();
        assert_eq!((&answer["status"], &answer["power_watts"]["total"]), (&json!("INSUFFICIENT_DATA"), &Value::Null));
    }
}
