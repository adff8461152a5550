//! `/tools`: the tools of the registry, by name.

use super::problem::Problem;
use super::{Asked, body, json, to_json};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use jiff::Timestamp;
use kepler_compliance::tools::registry;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// All tools.
#[derive(Serialize, JsonSchema)]
pub(super) struct Tools {
    /// Each tool.
    tools: Vec<Tool>,
}

/// A tool: call it by a POST of its arguments to `/tools/` and its name.
#[derive(Serialize, JsonSchema)]
struct Tool {
    /// Its name.
    name: &'static str,
    /// A title for people.
    title: &'static str,
    /// What it does.
    description: String,
    /// JSON Schema of its arguments.
    input_schema: &'static Map<String, Value>,
    /// JSON Schema of its answer.
    output_schema: &'static Map<String, Value>,
}

pub(super) async fn list(State(shared): Asked) -> Result<Response, Problem> {
    let answer = shared.work(|| {
        let tools = registry::tools().iter().map(|tool| Tool {
            name: tool.name,
            title: tool.title,
            description: tool.description().to_owned(),
            input_schema: &tool.input_schema,
            output_schema: &tool.output_schema,
        });
        to_json(&Tools { tools: tools.collect() })
    });
    answer.await.map(json)
}

pub(super) async fn call(
    State(shared): Asked,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let tool = registry::find(&name)?;
    let arguments = body::read(request, &shared.options).await?;
    let toolbox = Arc::clone(&shared.toolbox);
    let lang = arguments.get("lang").map(registry::language).unwrap_or_default();
    let answer = shared.work(move || match tool.call(&toolbox.context(Timestamp::now()), arguments) {
        Ok(answer) => to_json(&answer),
        Err(error) => {
            let detail = error.render(lang);
            Err(Problem::from(error).in_words(detail))
        }
    });
    answer.await.map(json)
}
