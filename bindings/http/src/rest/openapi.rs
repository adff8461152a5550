//! `/openapi.json`: OpenAPI 3.1 of all that this server answers, made from the types that answer.

use super::events::{Event, EventsQuery};
use super::history::{History, HistoryQuery};
use super::node::Node;
use super::problem::Problem;
use super::schema::Components;
use super::tools::Tools;
use super::workload::{Container, Pod, Process, Unit, Vm};
use super::workloads::{Choice, List, NOT_ALONE, NOT_PODS};
use super::{Asked, Shared, json, to_json};
use axum::extract::State;
use axum::response::Response;
use kepler_compliance::tools::registry::{self, Tool};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) async fn answer(State(shared): Asked) -> Result<Response, Problem> {
    let own = Arc::clone(&shared);
    shared.work(move || to_json(&document(&own))).await.map(json)
}

/// What is said of each error.
const ERRORS: [(u16, &str); 11] = [
    (400, "The query, the JSON or the body itself is wrong; the detail says where and lists what is valid."),
    (401, "A password or a bearer token is needed."),
    (403, "`Host` is not a name of this server, or `Origin` is a web page that may not ask."),
    (404, "There is no such thing; the detail lists what is there."),
    (405, "Not with this method."),
    (408, "The body did not come in time."),
    (413, "The body is too large."),
    (415, "The body is not JSON."),
    (422, "The arguments do not fit; the detail says which, `parameter` names it."),
    (500, "A fault of this program."),
    (503, "The source of figures cannot answer, or too many ask at once."),
];

fn document(shared: &Shared) -> Value {
    let mut components = Components::default();
    let problem = components.answer::<Problem>();
    let mut paths = Map::new();
    paths.insert("/tools".into(), json!({ "get": operation("list_tools", "Tools", &[401, 403, 500, 503], json!({
        "summary": "List the tools",
        "responses": { "200": content("Every tool with the schemas of its arguments and of its answer.", "application/json", components.answer::<Tools>()) },
    })) }));
    for tool in registry::tools() {
        paths.insert(format!("/tools/{}", tool.name), json!({ "post": tool_operation(tool, &mut components) }));
    }
    for (path, operation) in measured(&mut components) {
        paths.insert(path.into(), json!({ "get": operation }));
    }
    for (path, operation) in others() {
        paths.insert(path.into(), json!({ "get": operation }));
    }
    let responses: Map<String, Value> = ERRORS
        .iter()
        .map(|(status, about)| (status.to_string(), content(about, "application/problem+json", problem.clone())))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kepler",
            "version": shared.exporter.options().build.version,
            "license": { "name": "Apache-2.0 OR MIT" },
            "description": "Energy of this node and of what runs on it, and what that means in carbon. \
                What is not known is `null` or absent, never zero. Every figure says whether it was measured or estimated.",
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "Tools", "description": "Questions about energy, carbon and compliance, as an AI assistant asks them over MCP." },
            { "name": "Figures", "description": "What this node measures." },
            { "name": "Server", "description": "The exporter's own endpoints." },
        ],
        "security": security(shared),
        "paths": paths,
        "components": {
            "schemas": components.into_map(),
            "responses": responses,
            "securitySchemes": {
                "basic": { "type": "http", "scheme": "basic", "description": "If `--web.config-file` names users." },
                "bearer": { "type": "http", "scheme": "bearer", "description": "If a token is configured." },
            },
        },
    })
}

/// A password is asked for outside of these routes, so it is always among what may be sent.
fn security(shared: &Shared) -> Value {
    if shared.options.bearer_token.is_some() {
        json!([{ "bearer": [] }, { "basic": [] }])
    } else {
        json!([{}, { "basic": [] }])
    }
}

fn content(about: &str, media: &str, schema: Value) -> Value {
    json!({ "description": about, "content": { media: { "schema": schema } } })
}

/// An operation with its name, group and errors.
fn operation(id: &str, tag: &str, errors: &[u16], mut operation: Value) -> Value {
    if let Some(map) = operation.as_object_mut() {
        map.insert("operationId".into(), id.into());
        map.insert("tags".into(), json!([tag]));
    }
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        for status in errors {
            let reference = json!({ "$ref": format!("#/components/responses/{status}") });
            responses.insert(status.to_string(), reference);
        }
    }
    operation
}

fn tool_operation(tool: &Tool, components: &mut Components) -> Value {
    let (input, output) = (components.root(&tool.input_schema), components.root(&tool.output_schema));
    let required = required(tool);
    let errors = [400, 401, 403, 404, 408, 413, 415, 422, 500, 503];
    operation(
        tool.name,
        "Tools",
        &errors,
        json!({
            "summary": tool.title,
            "description": tool.description(),
            "requestBody": {
                "required": !required.is_empty(),
                "content": { "application/json": { "schema": input, "example": example(&required) } },
            },
            "responses": { "200": content("The answer.", "application/json", output) },
        }),
    )
}

fn required(tool: &Tool) -> Vec<&str> {
    let names = tool.input_schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Arguments that are answered on any machine: this program is a workload itself.
fn example(required: &[&str]) -> Value {
    let value = |name: &str| match name {
        "workload_name" => json!("kepler"),
        "duration" => json!("2h"),
        _ => Value::Null,
    };
    required.iter().map(|name| ((*name).to_owned(), value(name))).collect::<Map<_, _>>().into()
}

/// Figures of this node and their history.
fn measured(components: &mut Components) -> Vec<(&'static str, Value)> {
    let errors = [400, 401, 403, 500, 503];
    let list = |id, what: &str, parameters: Vec<Value>, schema: Value| {
        let about = format!("{what}, filtered, sorted and cut.");
        let summary = format!("List {}", what.to_lowercase());
        let responses = json!({ "200": content(&about, "application/json", schema) });
        operation(
            id,
            "Figures",
            &errors,
            json!({ "summary": summary, "parameters": parameters, "responses": responses }),
        )
    };
    let node = components.answer::<Node<'_>>();
    let node = json!({
        "summary": "The node's energy and power",
        "responses": { "200": content("The newest snapshot of the node.", "application/json", node) },
    });
    let history = components.answer::<History>();
    let history = json!({
        "summary": "Energy over time",
        "description": "Of a workload, or of all nodes; from what tools answer from.",
        "parameters": components.parameters::<HistoryQuery>(&[]),
        "responses": { "200": content("The steps of the range that are known.", "application/json", history) },
    });
    let _event = components.answer::<Event<'_>>();
    let events = json!({
        "summary": "A snapshot at each measurement",
        "description": "Server-sent events named `snapshot`; their `id` is the snapshot's, their data a JSON object (schema Event). \
            A slow client misses snapshots. Comments tell that a quiet stream is alive. Swagger UI shows nothing until the stream ends: use `curl -N`.",
        "parameters": components.parameters::<EventsQuery>(&[]),
        "responses": { "200": content("The stream.", "text/event-stream", json!({ "type": "string" })) },
    });
    vec![
        ("/api/v1/node", operation("get_node", "Figures", &errors, node)),
        (
            "/api/v1/processes",
            list(
                "list_processes",
                "Processes",
                components.parameters::<Choice>(&[]),
                components.answer::<List<'_, Process<'_>>>(),
            ),
        ),
        (
            "/api/v1/containers",
            list(
                "list_containers",
                "Containers",
                components.parameters::<Choice>(&[]),
                components.answer::<List<'_, Container<'_>>>(),
            ),
        ),
        (
            "/api/v1/pods",
            list(
                "list_pods",
                "Pods",
                components.parameters::<Choice>(NOT_PODS),
                components.answer::<List<'_, Pod<'_>>>(),
            ),
        ),
        (
            "/api/v1/vms",
            list(
                "list_vms",
                "Virtual machines",
                components.parameters::<Choice>(NOT_ALONE),
                components.answer::<List<'_, Vm<'_>>>(),
            ),
        ),
        (
            "/api/v1/units",
            list(
                "list_units",
                "Systemd units",
                components.parameters::<Choice>(NOT_ALONE),
                components.answer::<List<'_, Unit<'_>>>(),
            ),
        ),
        ("/api/v1/history", operation("get_history", "Figures", &[400, 401, 403, 404, 500, 503], history)),
        ("/api/v1/events", operation("stream_events", "Figures", &errors, events)),
    ]
}

/// What the exporter serves beside this.
fn others() -> Vec<(&'static str, Value)> {
    let text = |about: &str, media: &str| content(about, media, json!({ "type": "string" }));
    let status =
        || json!({ "type": "object", "properties": { "status": { "type": "string" } }, "required": ["status"] });
    let health = |id: &str, summary: &str, unready: bool| {
        let mut responses = json!({ "200": content("Yes.", "application/json", status()) });
        if unready && let Some(responses) = responses.as_object_mut() {
            responses.insert("503".into(), content("No, and why.", "application/json", status()));
        }
        let value = json!({ "summary": summary, "responses": responses });
        operation(id, "Server", &[], value)
    };
    let mut metrics = text("The exposition.", "text/plain");
    if let Some(media) = metrics.get_mut("content").and_then(Value::as_object_mut) {
        media.insert("application/openmetrics-text".into(), json!({ "schema": { "type": "string" } }));
    }
    let metrics = json!({ "summary": "Figures for Prometheus and OpenMetrics", "responses": { "200": metrics } });
    let own = json!({
        "summary": "This document",
        "responses": { "200": content("OpenAPI 3.1.", "application/json", json!({ "type": "object" })) },
    });
    vec![
        ("/metrics", operation("get_metrics", "Server", &[], metrics)),
        ("/livez", health("get_livez", "Whether the server answers", false)),
        ("/readyz", health("get_readyz", "Whether figures are recent", true)),
        ("/healthz", health("get_healthz", "The same as /readyz", true)),
        ("/openapi.json", operation("get_openapi", "Server", &[401, 500, 503], own)),
    ]
}
