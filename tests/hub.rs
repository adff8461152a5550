//! `kepler hub` over real `kepler serve` processes and stand-ins, found by a watch of a stand-in for the API server.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod program;
#[path = "../bindings/connect/tests/clients/support/mod.rs"]
mod support;

use program::{run, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::cluster::{self, Authority, TOKEN, recorded};
use support::{Reply, Request, Server};

/// The slices of a Service, one an exporter, since a slice has one port: what is listed, and what a watch tells.
#[derive(Default)]
struct Slices {
    now: BTreeMap<String, Value>,
    /// Changes so far; each is a version.
    changes: Vec<Value>,
    /// Watches are answered that their version is too old.
    forgets: bool,
    /// A watch may begin with what there is.
    lists_by_watch: bool,
    lists: usize,
}

#[derive(Clone, Default)]
struct Cluster(Arc<Mutex<Slices>>);

impl Cluster {
    fn set(&self, node: &str, address: &str) {
        self.set_beside(node, node, address);
    }

    /// The exporter of a node, in a slice of its own.
    fn set_beside(&self, uid: &str, node: &str, address: &str) {
        let address: SocketAddr = address.parse().unwrap();
        let mut slices = self.0.lock().unwrap();
        let is_new = !slices.now.contains_key(uid);
        let mut slice: Value = serde_json::from_str(&recorded("endpointslice.json")).unwrap();
        slice["metadata"]["uid"] = uid.into();
        slice["metadata"]["resourceVersion"] = (slices.changes.len() + 1).to_string().into();
        slice["endpoints"][0]["addresses"] = json!([address.ip().to_string()]);
        slice["endpoints"][0]["nodeName"] = node.into();
        slice["ports"][0]["port"] = address.port().into();
        slices.now.insert(uid.to_owned(), slice.clone());
        slices.changes.push(json!({"type": if is_new { "ADDED" } else { "MODIFIED" }, "object": slice}));
    }

    fn remove(&self, node: &str) {
        let mut slices = self.0.lock().unwrap();
        let mut slice = slices.now.remove(node).unwrap();
        slice["metadata"]["resourceVersion"] = (slices.changes.len() + 1).to_string().into();
        slices.changes.push(json!({"type": "DELETED", "object": slice}));
    }

    fn answer(&self, request: &Request) -> Reply {
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Reply::status(401);
        }
        if request.path() == "/api/v1/nodes" {
            assert!(request.header("accept").unwrap().contains("PartialObjectMetadataList"));
            let region =
                json!({"topology.kubernetes.io/region": "eu-north-1", "node.kubernetes.io/instance-type": "c5.metal"});
            let names = ["node-a", "node-b", "node-c", "node-hangs", "node-go", "node-bare"];
            let items: Vec<Value> =
                names.iter().map(|name| json!({"metadata": {"name": name, "labels": region}})).collect();
            return Reply::ok(json!({"kind": "PartialObjectMetadataList", "metadata": {}, "items": items}).to_string());
        }
        assert_eq!(request.path(), "/apis/discovery.k8s.io/v1/namespaces/kepler-system/endpointslices");
        assert!(request.target.contains("labelSelector=kubernetes.io%2Fservice-name%3Dkepler"), "{}", request.target);
        if request.target.contains("sendInitialEvents") {
            let slices = self.0.lock().unwrap();
            if !slices.lists_by_watch {
                // As of an old etcd.
                return Reply::ok(recorded("pods-watch-list-unsupported.jsonl"));
            }
            let added = slices.now.values().map(|slice| json!({"type": "ADDED", "object": slice}));
            let end = json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": slices.changes.len().to_string(),
                "annotations": {"k8s.io/initial-events-end": "true"}}}});
            return Reply::Stream(added.chain([end]).map(|event| (Duration::ZERO, format!("{event}\n"))).collect());
        }
        if !request.target.contains("watch=true") {
            let mut slices = self.0.lock().unwrap();
            slices.lists += 1;
            let items: Vec<&Value> = slices.now.values().collect();
            let version = slices.changes.len().to_string();
            return Reply::ok(
                json!({"kind": "EndpointSliceList", "metadata": {"resourceVersion": version}, "items": items})
                    .to_string(),
            );
        }
        let version = request.target.split("resourceVersion=").nth(1).unwrap();
        let version: usize = version.split('&').next().unwrap().parse().unwrap();
        let start = Instant::now();
        loop {
            let mut slices = self.0.lock().unwrap();
            if std::mem::take(&mut slices.forgets) {
                return Reply::ok(recorded("pods-watch-410.jsonl"));
            }
            let news: Vec<_> =
                slices.changes.iter().skip(version).map(|event| (Duration::ZERO, format!("{event}\n"))).collect();
            drop(slices);
            if !news.is_empty() || start.elapsed() > Duration::from_secs(60) {
                return Reply::Stream(news);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn ask(hub: &program::Server, head: &str, host: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(&hub.address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{head} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn get(hub: &program::Server, path: &str) -> (u16, String) {
    ask(hub, &format!("GET {path}"), "localhost", "")
}

fn summary(hub: &program::Server, window: &str) -> Value {
    let (_, answer) =
        ask(hub, "POST /tools/get_cluster_carbon_summary", "localhost", &json!({ "window": window }).to_string());
    serde_json::from_str(&answer).unwrap_or(Value::Null)
}

/// The state of each node.
fn states(hub: &program::Server) -> BTreeMap<String, String> {
    let (_, answer) = get(hub, "/api/v1/nodes");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let node = |node: &Value| (node["node"].as_str().unwrap().to_owned(), node["state"].as_str().unwrap().to_owned());
    answer["nodes"].as_array().unwrap().iter().map(node).collect()
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn names(list: &Value, key: &str) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|item| item[key].as_str().unwrap().to_owned()).collect()
}

/// What Go Kepler v0.11 shows: a register that wraps, no owners, no word of where figures come from.
fn go_kepler(node: &str, joules: f64) -> String {
    let mut text = String::new();
    for (zone, index) in [("package", "0"), ("dram", "0")] {
        let path = format!("/host/sys/class/powercap/intel-rapl:{index}");
        let labels = format!("node_name=\"{node}\",path=\"{path}\",zone=\"{zone}\"");
        let active = 0.75 * joules;
        text += &format!(
            "kepler_node_cpu_joules_total{{{labels}}} {}\nkepler_node_cpu_active_joules_total{{{labels}}} {active}\n\
             kepler_node_cpu_idle_joules_total{{{labels}}} {}\nkepler_node_cpu_watts{{{labels}}} 20\n\
             kepler_pod_cpu_joules_total{{node_name=\"{node}\",pod_id=\"7d8dd5b5\",pod_name=\"web-7d8dd5b5cd-nxkkj\",pod_namespace=\"shop\",state=\"running\",zone=\"{zone}\"}} {active}\n",
            joules % 100.0,
            joules - active,
        );
    }
    text + "kepler_build_info{arch=\"amd64\",branch=\"main\",goversion=\"go1.24.1\",revision=\"x\",version=\"v0.11.0\"} 1\n"
}

fn node(name: &str) -> program::Server {
    program::Server::start_every("200ms", &["--meter=fake", &format!("--kube.node-name={name}")])
}

#[test]
fn a_hub_follows_its_nodes_as_they_come_hang_die_and_return() {
    let (account, authority, service) = (tempfile::tempdir().unwrap(), Authority::new(), Cluster::default());
    let (a, b, c) = (node("node-a"), node("node-b"), node("node-c"));
    let hanging = Server::start(|_| Reply::Silent(Duration::from_secs(30)));
    let start = Instant::now();
    let go = Server::start(move |request| {
        assert!(request.target == "/metrics" && request.header("accept").unwrap().contains("text/plain"));
        Reply::ok(go_kepler("node-go", 20.0 * start.elapsed().as_secs_f64()))
    });
    for (name, address) in [("node-a", &a.address), ("node-b", &b.address), ("node-c", &c.address)] {
        service.set(name, address);
    }
    service.set("node-hangs", &hanging.address.to_string());
    service.set("node-go", &go.address.to_string());
    let api = service.clone();
    let server = Server::start_tls(authority.server(&["127.0.0.1"]), move |request| api.answer(request));
    let kubeconfig = cluster::kubeconfig(account.path(), &authority, &format!("https://{}", server.address));
    let hub = program::Server::launch(&[
        "hub",
        "--source=endpoints=kepler-system/kepler",
        &format!("--kube.config={kubeconfig}"),
        "--source.interval=1s",
        "--web.allowed-host=carbon-mcp-server.carbon-mcp.svc",
    ]);

    let first = until("figures of four nodes", || {
        let summary = summary(&hub, "30s");
        (names(&summary["nodes"], "node").len() == 4).then_some(summary)
    });
    assert_eq!(names(&first["nodes"], "node"), ["node-a", "node-b", "node-c", "node-go"]);
    let of = |what: &str| first["skipped"].as_array().unwrap().iter().find(|item| item["what"] == what);
    let bare = of("node-bare").unwrap_or_else(|| panic!("{first}"));
    assert!(bare["reason"].as_str().unwrap().contains("no exporter"), "{bare}");
    assert_eq!(first["region"], "eu-north-1", "as the nodes' labels say");
    let (_, nodes) = get(&hub, "/api/v1/nodes");
    assert!(nodes.contains(r#""region":"eu-north-1","zone":null,"instance_type":"c5.metal""#), "{nodes}");
    let skipped = of("node-hangs").unwrap_or_else(|| panic!("{first}"));
    assert!(skipped["reason"].as_str().unwrap().contains("has not answered completely within 1 s"), "{skipped}");
    assert!(first["coverage"].as_f64().unwrap() < 0.7, "{first}");
    assert_eq!(get(&hub, "/readyz").0, 200);

    // One dies; then it is back with counters at 0, at another address.
    let before = node_joules(&summary(&hub, "60s"), "node-b");
    drop(b);
    until("that it is missed", || (states(&hub)["node-b"] == "failing").then_some(()));
    let missed = summary(&hub, "60s");
    assert!(names(&missed["skipped"], "what").contains(&"node-b".to_owned()), "{missed}");
    let again = node("node-b");
    service.0.lock().unwrap().forgets = true;
    service.set("node-b", &again.address);
    until("that it is back", || (states(&hub)["node-b"] == "scraped").then_some(()));
    let after = until("figures after that", || {
        Some(node_joules(&summary(&hub, "60s"), "node-b")).filter(|joules| *joules > before)
    });
    // Each node draws the same made-up power, so a counter that was taken for a leap would stand out.
    assert!(after < 2.0 * node_joules(&summary(&hub, "60s"), "node-a"), "{after}");

    // One leaves the cluster: no longer polled, and listed as long as its figures are kept.
    service.remove("node-c");
    until("that it is gone", || (states(&hub)["node-c"] == "gone").then_some(()));
    let count = get(&hub, "/api/v1/nodes").1.matches(r#""node":"node-c""#).count();
    assert_eq!(count, 1, "its node is still there, and named once");
    let left = summary(&hub, "60s");
    assert!(names(&left["nodes"], "node").contains(&"node-c".to_owned()));
    let reason = left["skipped"].as_array().unwrap().iter().find(|item| item["what"] == "node-c").unwrap();
    assert!(reason["reason"].as_str().unwrap().contains("no longer listed"), "{reason}");

    exports_its_own_health_and_no_energy(&hub);
    answers_to_its_names_only(&hub);
}

fn node_joules(summary: &Value, node: &str) -> f64 {
    let nodes = summary["nodes"].as_array().into_iter().flatten();
    nodes.filter(|own| own["node"] == node).filter_map(|own| own["energy_joules"].as_f64()).sum()
}

fn exports_its_own_health_and_no_energy(hub: &program::Server) {
    let (_, metrics) = get(hub, "/metrics");
    for line in [
        "kepler_hub_nodes{state=\"scraped\"} 3",
        "kepler_hub_nodes{state=\"failing\"} 1",
        "kepler_hub_nodes{state=\"gone\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    assert!(metrics.contains("kepler_hub_poll_errors_total{reason=\"timeout\"}"), "{metrics}");
    assert!(metrics.contains("kepler_hub_node_age_seconds{node=\"node-a\"}"));
    for name in ["kepler_node_", "kepler_pod_", "kepler_process_", "kepler_build_info", "node_name="] {
        assert!(!metrics.contains(name), "{name} in\n{metrics}");
    }
    let (status, answer) = get(hub, "/api/v1/node");
    assert!(status == 404 && answer.contains("this is a hub"), "{answer}");
    let (status, history) = get(hub, "/api/v1/history?range=30s&step=5s");
    assert_eq!(status, 200, "{history}");
}

fn answers_to_its_names_only(hub: &program::Server) {
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let answer = |host: &str| ask_mcp(hub, host, &initialize.to_string());
    assert_eq!(answer("carbon-mcp-server.carbon-mcp.svc"), 200);
    assert_eq!(answer("evil.example"), 403);
    assert_eq!(ask(hub, "GET /tools", "evil.example", "").0, 403);
}

/// The answer may be a stream that does not end, so only its status is read.
fn ask_mcp(hub: &program::Server, host: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(&hub.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    String::from_utf8_lossy(&head[9..]).parse().unwrap()
}

#[test]
fn a_watch_may_begin_with_what_there_is_and_then_nothing_is_listed() {
    let (account, authority, service) = (tempfile::tempdir().unwrap(), Authority::new(), Cluster::default());
    let (a, b) = (node("node-a"), node("node-b"));
    service.0.lock().unwrap().lists_by_watch = true;
    service.set("node-a", &a.address);
    let api = service.clone();
    let server = Server::start_tls(authority.server(&["127.0.0.1"]), move |request| api.answer(request));
    let kubeconfig = cluster::kubeconfig(account.path(), &authority, &format!("https://{}", server.address));
    let flags =
        ["--source=endpoints=kepler-system/kepler", "--source.interval=1s", &format!("--kube.config={kubeconfig}")];
    let hub = program::Server::launch(&[&["hub"], &flags[..]].concat());
    let is_scraped = |name: &str| states(&hub).get(name).is_some_and(|state| state == "scraped").then_some(());
    until("the one that was there", || is_scraped("node-a"));
    service.set("node-b", &b.address);
    until("the one that came", || is_scraped("node-b"));
    assert_eq!(service.0.lock().unwrap().lists, 0);
    // A name is asked for like any other workload's, by the controller that its exporter tells.
    let (status, _) = get(&hub, "/api/v1/events?level=node&limit=1000000");
    assert_eq!(status, 400, "what is wrong is said by a hub as well");
}

/// Go Kepler beside another exporter on a node, or the old and the new one of an update; the clock of the node is an hour off.
#[test]
fn two_exporters_of_one_node_count_once_and_whatever_their_clock_says() {
    let (account, authority, service) = (tempfile::tempdir().unwrap(), Authority::new(), Cluster::default());
    let start = Instant::now();
    let exporter = |before: f64| {
        Server::start(move |_| {
            let text = go_kepler("node-a", before + 20.0 * start.elapsed().as_secs_f64());
            let dated = text.lines().map(|line| format!("{line} 1796040000000\n")).collect::<String>();
            Reply::Full(200, vec![("date", "Mon, 30 Nov 2026 11:20:00 GMT".into())], dated.into_bytes())
        })
    };
    let (one, other) = (exporter(0.0), exporter(1e6));
    let set = || {
        service.set_beside("one", "node-a", &one.address.to_string());
        service.set_beside("other", "node-a", &other.address.to_string());
    };
    set();
    let api = service.clone();
    let server = Server::start_tls(authority.server(&["127.0.0.1"]), move |request| api.answer(request));
    let kubeconfig = cluster::kubeconfig(account.path(), &authority, &format!("https://{}", server.address));
    let flags =
        ["--source=endpoints=kepler-system/kepler", "--source.interval=1s", &format!("--kube.config={kubeconfig}")];
    let hub = program::Server::launch(&[&["hub"], &flags[..]].concat());
    let found = until("some polls, with the slices told again and again", || {
        set();
        let summary = summary(&hub, "6s");
        (summary["coverage"].as_f64() > Some(0.15)).then_some(summary)
    });
    assert_eq!(names(&found["nodes"], "node"), ["node-a"], "{found}");
    assert_eq!(states(&hub)["node-a"], "scraped");
    // 20 W in each of two zones, for six seconds at most.
    let joules = node_joules(&found, "node-a");
    assert!(joules > 0.0 && joules < 40.0 * 9.0, "{joules} in {found}");
    assert!([&one, &other].iter().any(|exporter| exporter.asked().is_empty()), "one of them is polled");
}

#[test]
fn behind_a_name_each_exporter_counts_once_whatever_families_lead_there() {
    let a = node("node-a");
    let port = a.address.rsplit_once(':').unwrap().1;
    let hub = program::Server::launch(&["hub", &format!("--source=dns=localhost:{port}"), "--source.interval=1s"]);
    let summary =
        until("figures", || Some(summary(&hub, "3s")).filter(|summary| summary["nodes"][0]["node"] == "node-a"));
    assert_eq!(names(&summary["skipped"], "what"), Vec::<String>::new(), "{summary}");
}

/// A proxy is for what is outside the cluster, such as carbon intensity.
#[test]
fn a_hub_asks_exporters_without_the_proxy_that_its_environment_names() {
    let exporter = node("node-a");
    let proxy = Server::start(|_| Reply::status(502));
    let port = exporter.address.rsplit_once(':').unwrap().1;
    let mut command = program::kepler(&["hub", &format!("--source=dns=localhost:{port}"), "--source.interval=1s"]);
    command
        .env("HTTP_PROXY", format!("http://{}", proxy.address))
        .env("http_proxy", format!("http://{}", proxy.address));
    let hub = program::Server::of(command);
    until("figures", || Some(summary(&hub, "3s")).filter(|summary| summary["nodes"][0]["node"] == "node-a"));
    assert!(proxy.asked().is_empty());
}

#[test]
fn a_hub_says_whom_to_ask_and_why_it_finds_none() {
    let output = run(&["hub"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--source=endpoints=NAMESPACE/SERVICE"), "{}", text(&output.stderr));
    let (account, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let server = Server::start_tls(authority.server(&["127.0.0.1"]), |_| {
        Reply::Full(403, Vec::new(), recorded("apiserver-403.json").into())
    });
    let kubeconfig = cluster::kubeconfig(account.path(), &authority, &format!("https://{}", server.address));
    let hub = program::Server::launch(&[
        "hub",
        "--source=endpoints=kepler",
        &format!("--kube.config={kubeconfig}"),
        "--source.interval=1s",
    ]);
    let metrics = until("the fault", || {
        Some(get(&hub, "/metrics").1).filter(|text| text.contains("kepler_hub_list_errors_total{"))
    });
    assert!(metrics.contains("kepler_hub_list_errors_total{reason=\"forbidden\"}"), "{metrics}");
    let (status, answer) = ask(&hub, "POST /tools/get_cluster_carbon_summary", "localhost", "{}");
    assert!(status == 503 && answer.contains("cannot list"), "{answer}");
}
