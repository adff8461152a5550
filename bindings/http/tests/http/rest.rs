//! The REST interface at its router: tools, figures, history, events, errors, OpenAPI, Swagger UI.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod node;
mod past;
mod totals;

use crate::support::{inhabited, options};
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode};
use http_body::Body as _;
use kepler_compliance::tools::registry;
use kepler_core::snapshot::PowerInterval;
use kepler_core::units::{Power, ZoneKind};
use kepler_http::{RestOptions, Token, UnusedSource, WorkLimit};
use node::{Node, later};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;
use tower::ServiceExt;

#[tokio::test]
async fn a_tool_answers_what_it_answers_elsewhere() {
    let node = Node::measured().await;
    let answer = node.call("assess_workload_compliance", &json!({ "workload": "nginx" })).await.ok();
    assert_eq!(
        (&answer["workload"], &answer["kind"], &answer["moment"]),
        (&json!("nginx"), &json!("container"), &json!("8"))
    );
    // As `curl -d` sends it.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let path = "/tools/assess_workload_compliance";
    let same = node.ask(Method::POST, path, &form, r#"{"workload":"nginx"}"#).await.ok();
    assert_eq!(answer, same, "asked twice about one moment");
}

#[tokio::test]
async fn two_tools_asked_about_the_same_moment_agree() {
    let node = Node::measured().await;
    let assessed = node.call("assess_workload_compliance", &json!({ "workload": "make" })).await.ok();
    let listed = node.call("list_workloads_by_compliance", &json!({ "kind": "process" })).await.ok();
    let history = node.get("/api/v1/history").await.ok();
    let list = node.get("/api/v1/processes").await.ok();
    for answer in [&assessed, &listed, &history] {
        assert_eq!(answer["moment"], "8");
    }
    assert_eq!(list["snapshot"]["id"], 8);
}

#[tokio::test]
async fn every_tool_answers_with_its_required_arguments_and_is_listed() {
    let node = Node::measured().await;
    let listed = node.get("/tools").await.ok();
    assert_eq!(listed["tools"].as_array().unwrap().len(), registry::tools().len());
    for tool in listed["tools"].as_array().unwrap() {
        let mut arguments = json!({});
        for name in tool["input_schema"]["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            arguments[name] = if name == "workload" { json!("nginx") } else { json!("2h") };
        }
        let answer = node.call(tool["name"].as_str().unwrap(), &arguments).await;
        answer.ok();
    }
    let empty = node.ask(Method::POST, "/tools/get_power_hotspots", &[], "").await;
    assert!(empty.ok()["hotspots"].is_array(), "an empty body is no arguments");
}

#[tokio::test]
async fn mistakes_are_problems_that_say_what_would_be_valid() {
    let node = Node::measured().await;
    let assess = "assess_workload_compliance";
    let says = |detail: String, parts: &[&str]| {
        assert!(parts.iter().all(|part| detail.contains(part)), "{detail}");
    };
    says(node.call("asess", &json!({})).await.problem(404, "unknown-tool"), &["asess", assess]);
    says(node.call(assess, &json!({})).await.problem(422, "bad-arguments"), &["workload"]);
    let wrong = node.call(assess, &json!({ "workload": 7 })).await;
    says(wrong.problem(422, "bad-arguments"), &["expected a string"]);
    assert_eq!(wrong.json()["parameter"], "workload");
    let misspelt = node.call(assess, &json!({ "workload": "nginx", "windo": "5m" })).await;
    says(misspelt.problem(422, "bad-arguments"), &["windo", "window"]);
    says(node.call(assess, &json!([1])).await.problem(422, "bad-arguments"), &["JSON object"]);
    says(node.call(assess, &json!({ "workload": "ngin" })).await.problem(404, "unknown-workload"), &["nginx"]);
    let region = json!({ "workload": "nginx", "region": "seol" });
    says(node.call(assess, &region).await.problem(404, "unknown-region"), &["seoul"]);
    let standard = json!({ "workload": "nginx", "standard": "KR" });
    says(node.call(assess, &standard).await.problem(404, "unknown-standard"), &["KR_CARBON_2050"]);
    let broken = node.ask(Method::POST, "/tools/get_power_hotspots", &[], "{\"limit\": }").await;
    says(broken.problem(400, "bad-json"), &["line 1 column 11"]);
    let form = node.ask(Method::POST, "/tools/get_power_hotspots", &[], "limit=3").await;
    says(form.problem(400, "bad-json"), &["JSON object"]);
    let xml = [("content-type", "application/xml")];
    let xml = node.ask(Method::POST, "/tools/get_power_hotspots", &xml, "<limit>3</limit>").await;
    says(xml.problem(415, "unsupported-media-type"), &["application/json"]);
    let packed = [("content-encoding", "gzip")];
    let packed = node.ask(Method::POST, "/tools/get_power_hotspots", &packed, "x").await;
    packed.problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn a_body_that_is_too_large_or_too_slow_is_refused() {
    let options = RestOptions::default().with(|options| {
        (options.body_limit, options.body_timeout) = (100, Duration::from_millis(100));
    });
    let node = Node::new(options);
    node.publish(inhabited());
    let large = format!("{{\"workload\": \"{}\"}}", "x".repeat(100));
    let answer = node.ask(Method::POST, "/tools/get_power_hotspots", &[], large.clone()).await;
    assert!(answer.problem(413, "too-large").contains("100 bytes"));
    let announced = node.ask(Method::POST, "/tools/get_power_hotspots", &[("content-length", "101")], "").await;
    announced.problem(413, "too-large");
    let slow = node.ask(Method::POST, "/tools/get_power_hotspots", &[], Body::new(Never)).await;
    slow.problem(408, "too-slow");
}

/// A body that never comes.
struct Never;

impl http_body::Body for Never {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn wrong_paths_and_methods_are_problems() {
    let node = Node::measured().await;
    for path in ["/api", "/api/v2/node", "/api/v1/nodes", "/tools/", "/tools/a/b"] {
        node.get(path).await.problem(404, "not-found");
    }
    for (method, path, allowed) in [
        (Method::GET, "/tools/get_power_hotspots", "POST"),
        (Method::POST, "/tools", "GET,HEAD"),
        (Method::DELETE, "/api/v1/node", "GET,HEAD"),
    ] {
        let answer = node.ask(method, path, &[], "").await;
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), allowed);
    }
}

#[tokio::test]
async fn web_pages_of_others_and_names_of_others_are_refused() {
    let node = Node::measured().await;
    let evil_origin = [("origin", "https://evil.example")];
    let evil_host = [("host", "evil.example")];
    for headers in [&evil_origin, &evil_host] {
        for path in ["/tools", "/api/v1/node", "/api/v1/events"] {
            node.ask(Method::GET, path, headers, "").await.problem(403, "forbidden");
        }
        node.ask(Method::POST, "/tools/get_power_hotspots", headers, "{}").await.problem(403, "forbidden");
    }
    let own = [("origin", "http://127.0.0.1:28282")];
    node.ask(Method::GET, "/tools", &own, "").await.ok();

    let allowed_origins = vec!["https://ops.example".to_owned()];
    let node = Node::new(RestOptions::default().with(|options| options.allowed_origins = allowed_origins));
    let preflight = [
        ("origin", "https://ops.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let answer = node.ask(Method::OPTIONS, "/tools/get_power_hotspots", &preflight, "").await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://ops.example");
    assert!(answer.header("access-control-allow-headers").contains("content-type"));
}

#[tokio::test]
async fn a_token_is_asked_for_where_there_is_one() {
    let node = Node::new(RestOptions::default().with(|options| options.bearer_token = Token::new("s3cret")));
    let answer = node.get("/tools").await;
    answer.problem(401, "unauthorized");
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
    node.ask(Method::GET, "/tools", &[("authorization", "Bearer s3cret")], "").await.ok();
}

#[tokio::test]
async fn the_node_says_what_it_used_and_where_the_figures_come_from() {
    let node = Node::new(RestOptions::default());
    node.get("/api/v1/node").await.problem(503, "unavailable");
    let mut snapshot = inhabited();
    let (lower, upper) = (Power::from_watts(10.0), Power::from_watts(40.0));
    snapshot.node.zones[ZoneKind::Dram].as_mut().unwrap().interval = Some(PowerInterval::new(lower, upper));
    node.publish(snapshot);
    let answer = node.get("/api/v1/node").await.ok();
    assert_eq!((&answer["node_name"], &answer["snapshot"]["id"]), (&json!("node-1"), &json!(7)));
    let zones = answer["zones"].as_array().unwrap();
    assert_eq!(zones.iter().map(|zone| &zone["zone"]).collect::<Vec<_>>(), ["package", "dram"]);
    assert_eq!((&zones[0]["method"], &zones[0]["error_ratio"]), (&json!("measured"), &Value::Null));
    assert_eq!((&zones[1]["method"], &zones[1]["error_ratio"]), (&json!("estimated"), &json!(0.3)));
    assert_eq!((&zones[0]["energy_joules"], &zones[0]["power_watts"]["total"]), (&json!(120.5), &json!(20.5)));
    assert_eq!(zones[1]["power_watts"], Value::Null, "not known is not zero");
    assert_eq!(zones[0]["interval_watts"], Value::Null, "measured");
    assert_eq!(zones[1]["interval_watts"], json!({"lower": 10.0, "upper": 40.0}));
    let total = &answer["total"];
    assert_eq!((&total["zones"], &total["energy_joules"]), (&json!(["package", "dram"]), &json!(128.5)));
    assert_eq!(total["method"], "estimated", "as its weakest zone");
    let error = total["error_ratio"].as_f64().unwrap() * 128.5;
    assert!((error - 0.3 * 8.0).abs() < 1e-6, "what dram adds: {total}");
    assert_eq!((&total["idle_energy_joules"], &total["unattributed_energy_joules"]), (&json!(64.25), &json!(0.5)));
    assert_eq!(total["power_watts"], Value::Null, "a sum of what is known would be too small");
    let detail = node.get("/api/v1/node?x=1").await.problem(400, "bad-parameter");
    assert!(detail.contains("unknown field `x`"), "{detail}");
}

#[tokio::test]
async fn workloads_are_filtered_sorted_and_cut() {
    let node = Node::new(RestOptions::default());
    node.publish(inhabited());
    let names = |answer: &Value, field: &str| -> Vec<String> {
        answer["items"].as_array().unwrap().iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
    };
    let comms = async |query: &str| names(&node.get(&format!("/api/v1/processes{query}")).await.ok(), "comm");
    assert_eq!(comms("?sort=energy").await, ["qemu", "nginx", "systemd"]);
    assert_eq!(comms("?sort=energy&order=asc").await, ["systemd", "nginx", "qemu"]);
    assert_eq!(comms("?sort=name&state=all").await, ["make", "nginx", "qemu", "systemd"]);
    assert_eq!(comms("?state=terminated").await, ["make"]);
    assert_eq!(comms("?name=*d").await, ["systemd"]);
    assert_eq!(comms("?namespace=shop").await, ["nginx"]);
    assert_eq!(comms("?container=f00d").await, ["nginx"]);
    assert_eq!(comms("?pod=web-0").await, ["nginx"]);
    assert_eq!(comms("?search=SBIN").await, ["nginx"], "of any attribute, whatever its case");
    assert_eq!(comms("?search=30").await, ["qemu"], "numbers too");
    assert_eq!(comms("?unit=sshd.service").await, Vec::<String>::new());
    assert_eq!(comms("?min_power_watts=2").await, Vec::<String>::new());
    let top = node.get("/api/v1/processes?limit=1&sort=energy").await.ok();
    assert_eq!((names(&top, "comm"), &top["matched"]), (vec!["qemu".to_owned()], &json!(3)));
    let row = &top["items"][0];
    assert_eq!((&row["energy_joules"]["package"], &row["energy_joules"]["total"]), (&json!(3.0), &json!(6.0)));
    assert!(row["energy_joules"].get("core").is_none(), "the node has no such zone");
    for (path, name) in [("containers", "nginx"), ("pods", "web-0"), ("vms", "build"), ("units", "sshd.service")] {
        assert_eq!(names(&node.get(&format!("/api/v1/{path}")).await.ok(), "name"), [name]);
    }
    let jobs = node.get("/api/v1/jobs").await.ok();
    assert_eq!((names(&jobs, "id"), names(&jobs, "scheduler")), (vec!["4711".to_owned()], vec!["slurm".to_owned()]));
    assert_eq!(node.get("/api/v1/commands").await.ok()["matched"], json!(0));
}

#[tokio::test]
async fn wrong_parameters_are_refused_with_the_valid_ones() {
    let node = Node::measured().await;
    for (path, parts) in [
        ("processes?limt=3", ["limt", "limit"]),
        ("processes?sort=watts", ["sort: ", "cpu_time"]),
        ("processes?limit=0", ["limit", "10000"]),
        ("processes?min_power_watts=-1", ["min_power_watts", "0 or more"]),
        ("processes?min_power_watts=nan", ["min_power_watts", "0 or more"]),
        ("processes?limit=many", ["limit: ", "invalid digit"]),
        ("processes?limit=1&limit=2", ["limit", "duplicate"]),
        ("units?pod=x", ["pod", "have no"]),
        ("pods?unit=x", ["unit", "have no"]),
        ("carbon?from=2100-01-01T00:00:00Z", ["from", "before the newest reading"]),
        ("carbon?lang=fr", ["lang: ", "ko"]),
        ("events?level=socket", ["socket", "container"]),
        ("history?range=never", ["range: ", "5m"]),
        ("history?step=1ms&range=7d", ["step", "10000"]),
        ("history?to=yesterday", ["to: ", "year"]),
        ("history/workloads?step=1ms", ["step", "1000"]),
        ("history/workloads?step=1s&limit=101", ["limit", "100"]),
        ("history/workloads?kind=socket", ["kind: ", "container"]),
        ("history/workloads?sort=power", ["sort: ", "energy"]),
    ] {
        let detail = node.get(&format!("/api/v1/{path}")).await.problem(400, "bad-parameter");
        assert!(parts.iter().all(|part| detail.contains(part)), "{path}: {detail}");
    }
}

#[tokio::test]
async fn history_tells_what_was_used_when() {
    let node = Node::measured().await;
    let whole = node.get("/api/v1/history?range=5m").await.ok();
    let sum = |answer: &Value| -> f64 {
        let steps = answer["steps"].as_array().unwrap().iter();
        steps.map(|step| step["energy_joules"]["total"].as_f64().unwrap()).sum()
    };
    // Two joules more in each of package and dram.
    assert_eq!((sum(&whole), &whole["source"]), (4.0, &json!("live")));
    assert_eq!((&whole["method"], &whole["error_ratio"]), (&json!("estimated"), &json!(0.15)));
    let steps = whole["steps"].as_array().unwrap();
    for step in steps {
        let (parts, total) = (&step["parts_watts"], step["power_watts"]["total"].as_f64().unwrap());
        let part = |name: &str| parts[name].as_f64().unwrap();
        // Each zone used as much idle as active, and workloads all of that.
        assert!((part("idle") - total / 2.0).abs() <= total * 1e-5, "{step}");
        // Each figure is rounded to nine digits, so off by 5e-9 of itself at most: the parts together and the total.
        assert!((part("idle") + part("workloads") + part("unattributed") - total).abs() <= total * 1e-8, "{step}");
        let interval = |name: &str| step["interval_watts"][name].as_f64().unwrap();
        assert!((interval("upper") / total - 1.24675).abs() < 1e-6, "90 %: 1.645 standard deviations");
        assert!(interval("lower") < total && interval("lower") > 0.0);
    }
    let one = node.get("/api/v1/history?range=5m&workload=qemu").await.ok();
    assert_eq!(one["steps"][0]["parts_watts"], Value::Null, "of nodes only");
    assert_eq!((sum(&one), &one["kind"]), (2.0, &json!("process")));
    assert_eq!(one["steps"][0]["cpu_seconds"], 1.0);
    let unknown = node.get("/api/v1/history?workload=qem").await.problem(404, "unknown-workload");
    assert!(unknown.contains("qemu"), "{unknown}");
    node.get("/api/v1/history?to=2001-01-01T00:00:00Z").await.problem(404, "no-data");
}

#[tokio::test]
async fn carbon_tells_energy_cost_and_emissions_with_their_sources() {
    let node = Node::priced();
    let none = node.get("/api/v1/carbon").await.ok();
    assert_eq!((&none["energy_joules"], &none["cost"], &none["method"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(none["site"]["grid_intensity"]["value"], 417.3, "known without energy");
    node.publish(inhabited());
    node.get("/api/v1/history").await;
    node.publish(later(inhabited(), 900_000));
    let answer = node.get("/api/v1/carbon?range=5m").await.ok();
    let figure = |name: &str| answer[name].as_f64().unwrap();
    // 3.6 MJ are a kilowatt-hour: two joules for each asked for, in package and dram.
    assert_eq!(figure("energy_joules"), 3_600_000.0);
    assert!((figure("facility_energy_kwh") - 1.25).abs() < 1e-9);
    assert!((figure("emissions_gCO2eq") - 1.25 * 417.3).abs() < 1e-6);
    assert!((figure("cost") - 1.25 * 200.0).abs() < 1e-6, "{answer}");
    assert_eq!((&answer["currency"], &answer["price_per_kwh"]), (&json!("KRW"), &json!(200.0)));
    assert!((figure("effective_intensity_gCO2eq_kWh") - 1.25 * 417.3).abs() < 1e-9);
    assert_eq!((&answer["method"], &answer["error_ratio"]), (&json!("estimated"), &json!(0.15)));
    assert_eq!((&answer["site"]["pue"]["value"], &answer["site"]["pue"]["basis"]), (&json!(1.25), &json!("measured")));
    let elsewhere = node.get("/api/v1/carbon?region=FR&lang=ko").await.ok();
    assert_eq!(elsewhere["site"]["zone"], "FR");
    node.get("/api/v1/carbon?region=atlantis").await.problem(404, "unknown-region");
}

#[tokio::test]
async fn sources_say_what_delivers_what_fails_and_what_would_help() {
    let unused = UnusedSource::new("msr", "not readable", "run as root");
    let node = Node::new(RestOptions::default().with(|options| options.unused_sources = vec![unused]));
    node.get("/api/v1/sources").await.problem(503, "unavailable");
    node.publish(inhabited());
    let answer = node.get("/api/v1/sources").await.ok();
    assert_eq!(answer["unused"], json!([{"source": "msr", "reason": "not readable", "remedy": "run as root"}]));
    assert_eq!(answer["faults"][0]["count"], 2);
    assert_eq!(
        (&answer["sources"][0]["source"], &answer["zones"][1]["method"]),
        (&json!("powercap"), &json!("estimated"))
    );
    assert!(answer["sources"][0]["last_success"].is_string());
}

/// The next frame of a stream as text.
async fn frame(body: &mut Body) -> Option<String> {
    let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
    let frame = tokio::time::timeout(Duration::from_secs(5), frame).await.expect("a frame in time")?;
    Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
}

async fn stream(node: &Node, path: &str) -> Body {
    let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
    let response = node.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response.into_body()
}

fn data(event: &str) -> Value {
    let line = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    serde_json::from_str(line).unwrap()
}

#[tokio::test]
async fn events_show_each_new_snapshot_once() {
    let node = Node::new(RestOptions::default());
    node.publish(inhabited());
    let mut body = stream(&node, "/api/v1/events?level=node,process&limit=2&sort=energy").await;
    let first = frame(&mut body).await.unwrap();
    assert!(first.starts_with("retry: 3000\nid: 7\nevent: snapshot\ndata: {") && first.ends_with("}\n\n"), "{first}");
    let shown = data(&first);
    assert_eq!((&shown["snapshot"]["id"], &shown["node_name"]), (&json!(7), &json!("node-1")));
    assert_eq!(shown["processes"].as_array().unwrap().len(), 2);
    assert!(shown.get("containers").is_none());
    node.publish(later(inhabited(), 1));
    let second = frame(&mut body).await.unwrap();
    assert!(second.starts_with("id: 8\n"), "{second}");
    node.rest.end_streams();
    assert_eq!(frame(&mut body).await, None);
}

#[tokio::test]
async fn a_quiet_stream_says_that_it_lives_and_there_are_only_so_many() {
    let options = RestOptions::default().with(|options| {
        (options.heartbeat, options.streams) = (Duration::from_millis(200), 1);
    });
    let node = Node::new(options);
    node.publish(inhabited());
    let mut body = stream(&node, "/api/v1/events").await;
    frame(&mut body).await.unwrap();
    assert_eq!(frame(&mut body).await.as_deref(), Some(": alive\n\n"));
    let refused = node.get("/api/v1/events").await;
    refused.problem(503, "busy");
    assert!(!refused.header("retry-after").is_empty());
    drop(body);
    drop(stream(&node, "/api/v1/events").await);
}

#[tokio::test]
async fn the_document_describes_every_tool_and_route_and_all_it_refers_to_is_there() {
    let node = Node::measured().await;
    let document = node.get("/openapi.json").await.ok();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    for tool in registry::tools() {
        let operation = &paths[&format!("/tools/{}", tool.name)]["post"];
        assert_eq!(operation["description"], tool.description());
        assert_eq!(operation["operationId"], tool.name);
    }
    for path in ["/tools", "/metrics", "/livez", "/readyz", "/healthz", "/openapi.json"] {
        assert!(paths.contains_key(path), "{path}");
    }
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let text = document.to_string();
    assert!(!text.contains("$defs") && !text.contains("\"format\":\"uint"));
    // Readers of the document know no Rust: no links to its types, no paths, no examples in it.
    for mark in ["[`", "`](", "::", "```"] {
        let at = text.find(mark).map(|at| text.get(at.saturating_sub(60)..at + 20).unwrap_or(mark));
        assert_eq!(at, None, "{mark}");
    }
    let parameters = paths["/api/v1/units"]["get"]["parameters"].as_array().unwrap();
    let names: Vec<_> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"limit") && !names.contains(&"pod"), "{names:?}");
    for (_, operations) in paths {
        for operation in operations.as_object().unwrap().values() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{parameter}");
            }
        }
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                references.insert(reference.clone());
            }
            map.values().for_each(|value| collect(value, references));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn swagger_ui_comes_from_here_alone_and_for_all() {
    let node = Node::measured().await;
    let page = node.get("/docs").await;
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(text.contains("/docs/swagger-ui-bundle.js") && !text.contains("http://") && !text.contains("https://"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"));
    let path = "/docs/swagger-ui-bundle.js";
    let packed = node.ask(Method::GET, path, &[("accept-encoding", "gzip")], "").await;
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"));
    let plain = node.get(path).await;
    assert_eq!(plain.header("content-encoding"), "");
    assert!(plain.body.len() > packed.body.len() * 3);
    assert!(plain.body.windows(15).any(|window| window == b"SwaggerUIBundle"));
    let notice = node.get("/docs/notice.txt").await.body;
    let notice = String::from_utf8_lossy(&notice);
    assert!(notice.contains("SmartBear Software") && notice.contains("Apache License"));
    assert!(node.get("/docs/start.js").await.body.starts_with(b"window.ui = SwaggerUIBundle("));
}

#[tokio::test]
async fn more_at_once_than_may_be_wait_and_then_get_an_error() {
    let node =
        Node::new(RestOptions::default().with(|options| options.work = WorkLimit::new(1, Duration::from_secs(5))));
    node.publish(inhabited());
    let ask = || node.get("/api/v1/processes");
    let answers = tokio::join!(ask(), ask(), ask(), ask());
    for answer in [answers.0, answers.1, answers.2, answers.3] {
        answer.ok();
    }
    assert_eq!(options().node_name, "node-1");
}
