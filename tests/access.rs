//! `kepler serve` that asks Kubernetes whose token a request has, at a port with TLS and one without, and a hub that is let in.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod program;
#[path = "../bindings/connect/tests/clients/support/mod.rs"]
mod support;

use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::cluster::{self, Authority, TOKEN, recorded};
use support::{Reply, Request, Server};

const AUDIENCE: &str = "kepler.kepler-system.svc";

/// An API server: reviews as a real one does, and the slices of the Service `kepler`, which may come later.
fn api(request: &Request, slice: &Mutex<Option<Value>>) -> Reply {
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return Reply::status(401);
    }
    let spec = || serde_json::from_str::<Value>(&request.body).unwrap()["spec"].clone();
    match request.path() {
        "/apis/authentication.k8s.io/v1/tokenreviews" => match spec()["token"].as_str().unwrap() {
            "hub-1" | "hub-2" => {
                let mut good: Value = serde_json::from_str(&recorded("tokenreview-good.json")).unwrap();
                good["status"]["audiences"] = spec()["audiences"].clone();
                Reply::ok(good.to_string())
            }
            "for-another" => Reply::ok(recorded("tokenreview-other-audience.json")),
            _ => Reply::ok(recorded("tokenreview-bad.json")),
        },
        "/apis/authorization.k8s.io/v1/subjectaccessreviews" => {
            let (path, verb) =
                (spec()["nonResourceAttributes"]["path"].clone(), &spec()["nonResourceAttributes"]["verb"]);
            // As every account may by `system:discovery`, which all clusters have.
            let path = path.as_str().unwrap();
            let may = verb == "get" && (path == "/metrics" || path.starts_with("/api/") || path == "/version");
            Reply::ok(recorded(if may { "sar-nodes-pods-kepler.json" } else { "sar-metrics-nobody.json" }))
        }
        path if path.ends_with("/endpointslices") && request.target.contains("sendInitialEvents") => {
            Reply::ok(recorded("pods-watch-list-unsupported.jsonl"))
        }
        path if path.ends_with("/endpointslices") && request.target.contains("watch=true") => {
            Reply::Silent(Duration::from_secs(60))
        }
        path if path.ends_with("/endpointslices") => {
            let items: Vec<Value> = slice.lock().unwrap().iter().cloned().collect();
            Reply::ok(json!({"metadata": {"resourceVersion": "1"}, "items": items}).to_string())
        }
        _ => Reply::Full(403, Vec::new(), recorded("apiserver-403.json").into_bytes()),
    }
}

/// A file as Prometheus' exporter toolkit reads it, with a certificate of this name.
fn web_config(directory: &Path, authority: &Authority, name: &str) -> String {
    let (certificate, key) = authority.certificate(&[name]);
    fs::write(directory.join("tls.crt"), certificate.pem()).unwrap();
    fs::write(directory.join("tls.key"), key.serialize_pem()).unwrap();
    let path = directory.join("web.yaml");
    fs::write(&path, "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n").unwrap();
    path.display().to_string()
}

fn ask(server: &program::Server, head: &str, token: Option<&str>) -> (u16, String) {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    write!(stream, "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}Content-Length: 0\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

fn until(what: &str, mut found: impl FnMut() -> bool) {
    let start = Instant::now();
    while !found() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn kubernetes_decides_who_may_ask_and_a_hub_shows_its_token_over_tls() {
    let (root, authority, slice) = (tempfile::tempdir().unwrap(), Authority::new(), Arc::new(Mutex::new(None)));
    let listed = Arc::clone(&slice);
    let server = Server::start_tls(authority.server(&["127.0.0.1"]), move |request| api(request, &listed));
    let kubeconfig = format!(
        "--kube.config={}",
        cluster::kubeconfig(root.path(), &authority, &format!("https://{}", server.address))
    );
    let node = program::Server::start(&[
        "--meter=fake",
        "--kube.node-name=node-a",
        &kubeconfig,
        &format!("--web.config-file={}", web_config(root.path(), &authority, AUDIENCE)),
        "--web.plain-listen-address=127.0.0.1:0",
        &format!("--web.kubernetes-audience={AUDIENCE}"),
        // At loopback a server answers to its names alone; the chart sets them.
        &format!("--web.allowed-host={AUDIENCE}"),
    ]);
    for probe in ["/livez", "/healthz"] {
        assert_eq!(ask(&node, &format!("GET {probe}"), None).0, 200, "{probe}");
    }
    let (status, answer) = ask(&node, "GET /metrics", None);
    assert!(status == 401 && answer.to_lowercase().contains("www-authenticate: bearer"), "{answer}");
    assert_eq!(ask(&node, "GET /metrics", Some("made-up")).0, 401);
    let (status, answer) = ask(&node, "GET /metrics", Some("for-another"));
    assert!(status == 401 && answer.contains("invalid for the target audiences"), "{answer}");
    let (status, answer) = ask(&node, "POST /tools/get_cluster_carbon_summary", Some("hub-1"));
    assert!(status == 403 && answer.contains("nonResourceURLs") && !answer.contains("hub-1"), "{answer}");
    let (status, answer) = ask(&node, "GET /api/v1/node", Some("hub-1"));
    assert!(status == 403 && answer.contains("nonResourceURLs: [\"/kepler/api/v1/node\"]"), "{answer}");
    let before = server.asked().len();
    for _ in 0..5 {
        let (status, answer) = ask(&node, "GET /metrics", Some("hub-1"));
        assert!(status == 200 && answer.contains("kepler_node_cpu_joules_total"), "{answer}");
    }
    assert_eq!(server.asked().len() - before, 2, "a decision holds for a while");

    // The port with TLS, found by its slice: the hub's token is a file that Kubernetes replaces.
    let line = node.log.iter().find_map(|line| line.split_once("serving /metrics at ")).unwrap().1;
    let address: std::net::SocketAddr = line.split(',').next().unwrap().parse().unwrap();
    let mut found: Value = serde_json::from_str(&recorded("endpointslice.json")).unwrap();
    found["endpoints"][0]["addresses"] = json!([address.ip().to_string()]);
    found["endpoints"][0]["nodeName"] = "node-a".into();
    found["ports"][0] = json!({"name": "https", "port": address.port()});
    *slice.lock().unwrap() = Some(found);
    let token = root.path().join("agent-token");
    fs::write(&token, "hub-2").unwrap();
    let hub = program::Server::launch(&[
        "hub",
        "--source=endpoints=kepler-system/kepler",
        "--source.interval=1s",
        &format!("--source.ca-file={}", root.path().join("ca.crt").display()),
        &format!("--source.token-file={}", token.display()),
        &kubeconfig,
    ]);
    let state = |hub: &program::Server| ask(hub, "GET /api/v1/nodes", None).1;
    until("that the node is scraped", || state(&hub).contains(r#""state":"scraped""#));
    fs::write(&token, "made-up").unwrap();
    until("that another token is not", || state(&hub).contains(r#""state":"failing""#));
    assert!(state(&hub).contains("status 401"), "{}", state(&hub));
    fs::write(&token, "hub-1").unwrap();
    until("that a new one is", || state(&hub).contains(r#""state":"scraped""#));
}

#[test]
fn a_server_without_a_reviewer_of_tokens_does_not_start() {
    let output = program::run(&["serve", "--web.kubernetes-audience=x", "--web.listen-address=127.0.0.1:0"]);
    let said = program::text(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("--web.kubernetes-audience"), "{said}");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "secret").unwrap();
    let token = format!("--web.token-file={}", file.path().display());
    let output = program::run(&["serve", "--web.kubernetes-audience=x", &token, "--web.listen-address=127.0.0.1:0"]);
    let said = program::text(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("leave --web.token-file out"), "{said}");
}
