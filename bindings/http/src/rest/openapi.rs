//! `/openapi.json`: OpenAPI 3.1, generated from the response types.

use super::carbon::{Carbon, CarbonQuery};
use super::events::EventsQuery;
use super::history::{History, HistoryQuery, WorkloadHistory, WorkloadHistoryQuery};
use super::node::Node;
use super::nodes::Nodes;
use super::problem::Problem;
use super::schema::Components;
use super::sources::Sources;
use super::tools::Tools;
use super::workload::{properties, without};
use super::workloads::{Choice, List, Row};
use super::{Asked, Shared, json, to_json};
use axum::extract::State;
use axum::response::Response;
use kepler_compliance::tools::registry::{self, Tool};
use kepler_core::workload::WorkloadKind;
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
        paths.insert(path, json!({ "get": operation }));
    }
    paths.insert("/api/v1/nodes".into(), json!({ "get": nodes(&mut components) }));
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
        "workload" => json!("kepler"),
        "duration" => json!("2h"),
        _ => Value::Null,
    };
    required.iter().map(|name| ((*name).to_owned(), value(name))).collect::<Map<_, _>>().into()
}

/// The nodes of a hub.
fn nodes(components: &mut Components) -> Value {
    let nodes = components.answer::<Nodes>();
    let nodes = json!({
        "summary": "The nodes of a hub",
        "description": "Who answers, who does not and why. Only of `kepler hub`: a node has no such list.",
        "responses": { "200": content("Each node.", "application/json", nodes) },
    });
    operation("list_nodes", "Figures", &[400, 401, 403, 404, 500], nodes)
}

/// Figures of this node and their history.
fn measured(components: &mut Components) -> Vec<(String, Value)> {
    let errors = [400, 401, 403, 404, 500, 503];
    let list = |id: &str, what: &str, parameters: Vec<Value>, schema: Value| {
        let about = format!("The {what}, filtered, sorted and cut.");
        let summary = format!("List {what}");
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
    let past = past_workloads(components);
    let rows = WorkloadKind::MEASURED.map(|kind| (kind, row_schema(kind, components)));
    let lists = rows.iter().map(|(kind, row)| (kind.plural().to_owned(), json!({ "type": "array", "items": row })));
    let _event = components.extended::<Node<'_>>("Event".into(), lists.collect());
    let events = json!({
        "summary": "A snapshot at each measurement",
        "description": "Server-sent events named `snapshot`; their `id` is the snapshot's, their data a JSON object (schema Event). \
            A slow client misses snapshots. A hub sends its nodes instead (schema Nodes), as events named `nodes`, after each poll. Comments tell that a quiet stream is alive. Swagger UI shows nothing until the stream ends: use `curl -N`.",
        "parameters": components.parameters::<EventsQuery>(&[]),
        "responses": { "200": content("The stream.", "text/event-stream", json!({ "type": "string" })) },
    });
    let sources = components.answer::<Sources<'_>>();
    let sources = json!({
        "summary": "Where figures come from",
        "responses": { "200": content("The sources, used and unused.", "application/json", sources) },
    });
    let carbon = components.answer::<Carbon>();
    let carbon = json!({
        "summary": "Energy, cost and emissions of a time",
        "description": "Of all nodes; with region, grid intensity, PUE and price, and where these come from.",
        "parameters": components.parameters::<CarbonQuery>(&[]),
        "responses": { "200": content("The figures; `null` where they are not known.", "application/json", carbon) },
    });
    let mut paths = vec![
        ("/api/v1/node".to_owned(), operation("get_node", "Figures", &errors, node)),
        ("/api/v1/sources".to_owned(), operation("get_sources", "Figures", &errors, sources)),
        ("/api/v1/carbon".to_owned(), operation("get_carbon", "Figures", &[400, 401, 403, 404, 500, 503], carbon)),
    ];
    for (kind, row) in rows {
        let items = Map::from_iter([("items".to_owned(), json!({ "type": "array", "items": row }))]);
        let schema = components.extended::<List<'_>>(format!("{}List", type_name(kind)), items);
        let (id, parameters) = (format!("list_{}", kind.plural()), components.parameters::<Choice>(without(kind)));
        paths.push((format!("/api/v1/{}", kind.plural()), list(&id, kind.plural(), parameters, schema)));
    }
    paths.push((
        "/api/v1/history".to_owned(),
        operation("get_history", "Figures", &[400, 401, 403, 404, 500, 503], history),
    ));
    paths.push(("/api/v1/history/workloads".to_owned(), past));
    paths.push(("/api/v1/events".to_owned(), operation("stream_events", "Figures", &errors, events)));
    paths
}

/// Workloads of a time that has passed.
fn past_workloads(components: &mut Components) -> Value {
    let past = components.answer::<WorkloadHistory>();
    let past = json!({
        "summary": "Who used how much in a time",
        "description": "The workloads of a time that has passed, those that have ended included; from what tools answer from.",
        "parameters": components.parameters::<WorkloadHistoryQuery>(&[]),
        "responses": { "200": content("The workloads with what they used in the time.", "application/json", past) },
    });
    operation("list_workloads_of_a_time", "Figures", &[400, 401, 403, 404, 500, 503], past)
}

/// The schema of a workload of a kind with its figures.
fn row_schema(kind: WorkloadKind, components: &mut Components) -> Value {
    components.extended::<Row<'_>>(format!("{}Row", type_name(kind)), properties(kind))
}

/// `Process`, `Vm`: the kind as a name of types.
fn type_name(kind: WorkloadKind) -> String {
    let mut name = kind.name().to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
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
