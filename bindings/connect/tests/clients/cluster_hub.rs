//! What a hub in a cluster asks of the API server and shows exporters, against stand-ins that answer as real ones did.

use crate::support::cluster::{Authority, TOKEN, recorded, service_account};
use crate::support::{Reply, Request, Server};
use jiff::{Timestamp, ToSpan};
use kepler_compliance::choices::ChoiceSource as _;
use kepler_compliance::view::{EnergyView, Inventory, TimeRange, WorkloadKind};
use kepler_connect::http::Auth;
use kepler_connect::kepler::{KeplerOptions, KeplerView, Target};
use kepler_connect::kubernetes::{Access, Review, Reviewer, follow_owners};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn access(account: &Path, server: &Server) -> Access {
    let variable = |name: &str| match name {
        "KUBERNETES_SERVICE_HOST" => Some(server.address.ip().to_string()),
        "KUBERNETES_SERVICE_PORT" => Some(server.address.port().to_string()),
        _ => None,
    };
    Access::in_cluster(account, variable).unwrap()
}

/// An API server that reviews as the recorded one did: `good` is a token for the audience, and whose holder may get metrics.
fn reviews(request: &Request) -> Reply {
    assert_eq!((request.method.as_str(), request.header("content-type")), ("POST", Some("application/json")));
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return Reply::status(401);
    }
    let asked: Value = serde_json::from_str(&request.body).unwrap();
    let spec = &asked["spec"];
    match request.path() {
        "/apis/authentication.k8s.io/v1/tokenreviews" => {
            assert_eq!(spec["audiences"][0], "kepler.kepler-system.svc");
            match spec["token"].as_str().unwrap() {
                "good" => {
                    let mut answer: Value = serde_json::from_str(&recorded("tokenreview-good.json")).unwrap();
                    answer["status"]["audiences"][0] = "kepler.kepler-system.svc".into();
                    Reply::ok(answer.to_string())
                }
                // A server that knows no audiences takes the token whatever it is for.
                "any" => Reply::ok(recorded("tokenreview-good.json")),
                "other" => Reply::ok(recorded("tokenreview-other-audience.json")),
                "garbage" => Reply::ok("[]"),
                _ => Reply::ok(recorded("tokenreview-bad.json")),
            }
        }
        "/apis/authorization.k8s.io/v1/subjectaccessreviews" => {
            assert_eq!(spec["user"], "system:serviceaccount:kepler-system:kepler");
            assert_eq!(spec["groups"].as_array().unwrap().len(), 3);
            assert!(spec["extra"]["authentication.kubernetes.io/credential-id"][0].is_string());
            let may = spec["nonResourceAttributes"] == serde_json::json!({"path": "/metrics", "verb": "get"});
            Reply::ok(recorded(if may { "sar-nodes-pods-kepler.json" } else { "sar-metrics-nobody.json" }))
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_token_counts_for_its_audience_and_its_holders_rights_alone() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let server = Server::start_tls(authority.server(&["127.0.0.1"]), reviews);
    let reviewer = Reviewer::new(access(&account, &server), "kepler.kepler-system.svc");
    let user = "system:serviceaccount:kepler-system:kepler".to_owned();
    assert_eq!(reviewer.review("good", "get", "/metrics"), Ok(Review::Allowed { user: user.clone() }));
    assert_eq!(reviewer.review("good", "post", "/tools/x"), Ok(Review::Forbidden { user }));
    for (token, said) in [("any", "is not for"), ("other", "invalid for the target audiences"), ("bad", "invalid")] {
        let Ok(Review::Unknown { reason }) = reviewer.review(token, "get", "/metrics") else { panic!("{token}") };
        assert!(reason.contains(said) && reason.len() < 300, "{reason}");
    }
    assert!(reviewer.review("garbage", "get", "/metrics").unwrap_err().contains("cannot be read"));
    let before = server.asked().len();
    assert!(reviewer.review("bad", "get", "/metrics").is_ok());
    assert_eq!(server.asked().len(), before + 1, "no access review for an unknown token");
}

#[test]
fn a_reviewer_without_the_right_says_which_is_missing() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let server = Server::start_tls(authority.server(&["127.0.0.1"]), |_| {
        Reply::Full(403, Vec::new(), recorded("apiserver-403.json").into_bytes())
    });
    let refused = Reviewer::new(access(&account, &server), "x").review("good", "get", "/metrics").unwrap_err();
    assert!(refused.contains("tokenreviews"), "{refused}");
}

/// A node with three pods: one of a replica set that an Argo rollout has, one of a job by itself, one of a cron job's job.
fn metrics(cores: f64) -> String {
    let pods = [
        ("a", "ReplicaSet", "web-6f7"),
        ("b", "Job", "batch-once"),
        ("c", "Job", "nightly-report-29931696"),
        ("d", "CloneSet", "games"),
    ];
    let mut text = "kepler_build_info{} 1\n".to_owned();
    text += "kepler_node_cpu_active_joules_total{node_name=\"n\",zone=\"package\"} 9\n";
    text += "kepler_node_cpu_idle_joules_total{node_name=\"n\",zone=\"package\"} 9\n";
    for (uid, kind, name) in pods {
        text += &format!(
            "kepler_pod_info{{node_name=\"n\",pod_id=\"{uid}\",pod_name=\"{name}-x\",pod_namespace=\"shop\",owner_kind=\"{kind}\",owner_name=\"{name}\"}} 1\n\
             kepler_pod_cpu_joules_total{{node_name=\"n\",pod_id=\"{uid}\",pod_name=\"{name}-x\",pod_namespace=\"shop\",state=\"running\",zone=\"package\"}} 3\n"
        );
    }
    text + &format!(
        "kepler_pod_resource_requests{{node_name=\"n\",pod_id=\"a\",resource=\"cpu\",unit=\"core\"}} {cores}\n\
         kepler_pod_resource_requests{{node_name=\"n\",pod_id=\"a\",resource=\"memory\",unit=\"byte\"}} 33554432\n\
         kepler_pod_resource_limits{{node_name=\"n\",pod_id=\"a\",resource=\"cpu\",unit=\"core\"}} 1\n\
         kepler_pod_resource_limits{{node_name=\"n\",pod_id=\"a\",resource=\"example.com/tpu\",unit=\"\"}} 7\n\
         kepler_pod_resource_limits{{node_name=\"n\",pod_id=\"\",resource=\"cpu\",unit=\"core\"}} 7\n"
    )
}

fn poll(view: &KeplerView, times: i64) -> Arc<Inventory> {
    let start: Timestamp = "2026-05-01T00:00:00Z".parse().unwrap();
    for second in 0..times {
        assert_eq!(view.poll(start + (10 * second).seconds()), []);
    }
    view.inventory(TimeRange { start, end: start + (10 * (times - 1)).seconds() }).unwrap()
}

fn owner(inventory: &Inventory, uid: &str) -> (WorkloadKind, String, Option<String>) {
    let row = inventory.workloads.iter().find(|row| *row.id.uid == *uid).unwrap();
    let owner = row.owner.as_ref().unwrap();
    (owner.kind, owner.name.to_string(), owner.controller.as_ref().map(ToString::to_string))
}

#[test]
fn requests_and_limits_reach_a_hub_and_follow_a_resize_in_place() {
    let cores = Arc::new(std::sync::Mutex::new(0.5));
    let shown = Arc::clone(&cores);
    let exporter = Server::start(move |_| Reply::ok(metrics(*shown.lock().unwrap())));
    let view = KeplerView::new(&[exporter.url()], KeplerOptions::default()).unwrap();
    let of = |inventory: &Inventory, uid: &str| {
        inventory.workloads.iter().find(|row| *row.id.uid == *uid).unwrap().resources
    };
    let resources = of(&poll(&view, 2), "a").unwrap();
    assert_eq!((resources.cpu_request_cores, resources.cpu_limit_cores), (Some(0.5), Some(1.0)));
    assert_eq!((resources.memory_request_bytes, resources.memory_limit_bytes), (Some(32 << 20), None));
    *cores.lock().unwrap() = 0.25;
    let start: Timestamp = "2026-05-01T00:00:00Z".parse().unwrap();
    view.poll(start + 30.seconds());
    let inventory = view.inventory(TimeRange { start, end: start + 30.seconds() }).unwrap();
    assert_eq!(of(&inventory, "a").unwrap().cpu_request_cores, Some(0.25));
    assert_eq!(of(&inventory, "b"), None, "it states nothing");
}

#[test]
fn controllers_that_names_do_not_tell_are_asked_for_once_each_and_by_their_metadata_alone() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let controllers: Value = serde_json::from_str(&recorded("controllers-metadata-only.json")).unwrap();
    let api = Server::start_tls(authority.server(&["127.0.0.1"]), move |request| {
        assert!(request.header("accept").unwrap().starts_with("application/json;as=PartialObjectMetadata;"));
        let (place, name) = request.path().rsplit_once('/').unwrap();
        let mut found = match (place, name) {
            ("/apis/apps/v1/namespaces/shop/replicasets", "web-6f7") => controllers["nginx-light-76bcb6cd6b"].clone(),
            ("/apis/batch/v1/namespaces/shop/jobs", name) => controllers[name].clone(),
            other => panic!("{other:?}"),
        };
        if name == "web-6f7" {
            found["metadata"]["ownerReferences"][0]["kind"] = "Rollout".into();
            found["metadata"]["ownerReferences"][0]["name"] = "web".into();
        }
        Reply::ok(found.to_string())
    });
    let exporter = Server::start(|_| Reply::ok(metrics(0.5)));
    let view = Arc::new(KeplerView::new(&[exporter.url()], KeplerOptions::default()).unwrap());
    let shown = poll(&view, 2);
    assert_eq!(owner(&shown, "a"), (WorkloadKind::Controller, "web-6f7".into(), Some("ReplicaSet".into())));
    assert_eq!(owner(&shown, "d"), (WorkloadKind::Controller, "games".into(), Some("CloneSet".into())));
    let _follower = follow_owners(access(&account, &api), Arc::clone(&view)).unwrap();
    let begun = Instant::now();
    while !view.unknown_controllers(10).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", view.unknown_controllers(10));
        std::thread::sleep(Duration::from_millis(50));
    }
    let start: Timestamp = "2026-05-01T00:00:00Z".parse().unwrap();
    let known = view.inventory(TimeRange { start, end: start + 10.seconds() }).unwrap();
    assert_eq!(owner(&known, "a"), (WorkloadKind::Controller, "web".into(), Some("Rollout".into())));
    assert_eq!(owner(&known, "b"), (WorkloadKind::Job, "batch-once".into(), None));
    assert_eq!(owner(&known, "c"), (WorkloadKind::Job, "nightly-report".into(), Some("CronJob".into())));
    assert_eq!(owner(&known, "d").1, "games", "what controls pods itself is not asked for");
    assert_eq!(api.asked().len(), 3, "each once: {:?}", api.asked());
}

#[test]
fn exporters_are_shown_the_token_of_now_over_tls_and_none_without() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let (token, bundle) = (root.path().join("token"), root.path().join("ca.crt"));
    std::fs::write(&bundle, &authority.pem).unwrap();
    let answer = |request: &Request| match request.header("authorization") {
        Some(_) => Reply::ok(metrics(0.5)),
        None => Reply::status(401),
    };
    let secure = Server::start_tls(authority.server(&["kepler.kepler-system.svc"]), answer);
    let plain = Server::start(answer);
    let mut options = KeplerOptions::default();
    options.http.ca_bundle = Some(bundle);
    options.auth = Auth::BearerFile(token.clone());
    let view = KeplerView::of_fleet("kepler-system/kepler", false, options).unwrap();
    let target = Target::new(&format!("https://{}", secure.address)).unwrap().on_node("a");
    let other = Target::new(&plain.url()).unwrap().on_node("b");
    view.list(vec![target.named("kepler.kepler-system.svc"), other], Timestamp::now());
    let start: Timestamp = "2026-05-01T00:00:00Z".parse().unwrap();
    let failed = view.poll(start);
    assert!(failed.iter().any(|failed| failed.what == "a" && failed.reason.contains("token")), "{failed:?}");
    assert!(secure.asked().is_empty(), "without a token no review is asked for");
    for (second, text) in [(10, "first\n"), (20, "second\n")] {
        std::fs::write(&token, text).unwrap();
        let failed = view.poll(start + second.seconds());
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert!(failed[0].what == "b" && failed[0].reason.contains("over TLS only"), "{failed:?}");
    }
    let shown: Vec<_> =
        secure.asked().iter().map(|request| request.header("authorization").map(str::to_owned)).collect();
    assert_eq!(shown, [Some("Bearer first".to_owned()), Some("Bearer second".to_owned())]);
    assert!(plain.asked().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn what_pods_choose_is_read_of_their_exporters_and_forgotten_with_them() {
    let says = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let shown = Arc::clone(&says);
    let exporter = Server::start(move |_| {
        let text = "kepler_pod_annotation_info{node_name=\"n\",pod_id=\"a\",pod_name=\"web-6f7-x\",\
                    pod_namespace=\"shop\",annotation=\"budget\",value=\"20 g/h\",written_as=\"label\"} 1\n";
        let text = if shown.load(std::sync::atomic::Ordering::Relaxed) { text } else { "" };
        Reply::ok(metrics(0.1) + text)
    });
    let view = KeplerView::new(&[exporter.url()], KeplerOptions::default()).unwrap();
    poll(&view, 2);
    let choices = view.choices();
    let [budget] = choices.pods["a"].as_slice() else { panic!("{choices:?}") };
    assert_eq!((budget.name.as_str(), budget.value.as_str(), budget.is_label), ("budget", "20 g/h", true));
    assert_eq!(choices.pods.len(), 1);
    says.store(false, std::sync::atomic::Ordering::Relaxed);
    let later: Timestamp = "2026-05-01T00:01:00Z".parse().unwrap();
    assert_eq!(view.poll(later), []);
    assert!(view.choices().pods.is_empty());
}
