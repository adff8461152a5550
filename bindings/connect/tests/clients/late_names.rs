//! Pods and containers that Kubernetes names late: their series of energy keep labels without a name, and other series
//! tell it.

use crate::support::prometheus::prometheus_of;
use crate::support::{Reply, Server};
use jiff::{Timestamp, ToSpan};
use kepler_compliance::view::{EnergyView, Inventory, Subject, TimeRange, WorkloadEnergy, WorkloadKind};
use kepler_connect::kepler::{KeplerOptions, KeplerView};
use kepler_connect::prometheus::{PrometheusOptions, PrometheusView};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const CONTAINER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// When the kubelet answers, and when the exporter begins again, in seconds.
const NAMED: f64 = 9.0;
const RESTARTED: f64 = 11.0;

/// A pod's series of energy, as it was named when they began.
fn pod(node: &str, uid: &str, name: &str, namespace: &str, joules: f64) -> String {
    format!(
        "kepler_pod_cpu_joules_total{{node_name=\"{node}\",pod_id=\"{uid}\",pod_name=\"{name}\",pod_namespace=\"{namespace}\",state=\"running\",zone=\"package\"}} {joules}\n"
    )
}

fn pod_info(uid: &str, name: &str, namespace: &str, owner: &str) -> String {
    format!(
        "kepler_pod_info{{node_name=\"n1\",pod_id=\"{uid}\",pod_name=\"{name}\",pod_namespace=\"{namespace}\",owner_kind=\"Deployment\",owner_name=\"{owner}\",qos_class=\"Burstable\"}} 1\n"
    )
}

fn node(name: &str, joules: f64) -> String {
    ["", "active_", "idle_"]
        .iter()
        .zip([2.0, 1.0, 1.0])
        .map(|(part, share)| {
            format!(
                "kepler_node_cpu_{part}joules_total{{node_name=\"{name}\",path=\"p\",zone=\"package\"}} {}\n",
                share * joules
            )
        })
        .collect::<String>()
        + "kepler_build_info{} 1\n"
}

/// In `shop` a pod of 10 W and one of 4 W that are named late, the second until the exporter begins again, and one of 5 W
/// that is named at once; in `cache` one of 7 W that is named late; one of 2 W that nothing names. A container of 6 W.
fn exporter(elapsed: f64) -> String {
    let container = |labels: &str| format!("node_name=\"n1\",container_id=\"{CONTAINER}\",pod_id=\"late\",{labels}");
    let mut text = node("n1", 50.0 * elapsed)
        + &pod("n1", "late", "", "", 10.0 * elapsed)
        + &pod("n1", "cached", "", "", 7.0 * elapsed)
        + &pod("n1", "unknown", "", "", 2.0 * elapsed)
        + &pod("n1", "prompt", "db-0", "shop", 5.0 * elapsed)
        + &pod_info("prompt", "db-0", "shop", "db");
    text += &match elapsed {
        before if before < RESTARTED => pod("n1", "again", "", "", 4.0 * elapsed),
        _ => pod("n1", "again", "again-0", "shop", 4.0 * (elapsed - RESTARTED)),
    };
    let labels = container("container_name=\"0123456789ab\",runtime=\"kubernetes\",state=\"running\"");
    text += &format!("kepler_container_cpu_joules_total{{{labels},zone=\"package\"}} {}\n", 6.0 * elapsed);
    text += &format!("kepler_container_cpu_seconds_total{{{labels}}} {elapsed}\n");
    if elapsed >= NAMED {
        // Its controller becomes known a little later than its name: a second series of the same pod.
        text += &pod_info("late", "web-0", "shop", if elapsed < NAMED + 2.0 { "" } else { "web" });
        text += &pod_info("again", "again-0", "shop", "again");
        text += &pod_info("cached", "redis-0", "cache", "redis");
        let labels =
            container("container_name=\"nginx\",container_kind=\"regular\",pod_name=\"web-0\",pod_namespace=\"shop\"");
        text += &format!("kepler_container_info{{{labels}}} 1\n");
    }
    text
}

/// Go Kepler: a pod of 3 W in `shop`, and one of 1 W whose name it does not know. It tells no names beside.
fn go_kepler(elapsed: f64) -> String {
    node("n2", 10.0 * elapsed)
        + &pod("n2", "go", "go-0", "shop", 3.0 * elapsed)
        + &pod("n2", "go-unknown", "", "", elapsed)
}

fn found<'a>(inventory: &'a Inventory, kind: WorkloadKind, name: &str) -> &'a WorkloadEnergy {
    let names: Vec<_> = inventory.workloads.iter().map(|row| &row.id.name).collect();
    let is = |row: &&WorkloadEnergy| row.id.kind == kind && &*row.id.name == name;
    inventory.workloads.iter().find(is).unwrap_or_else(|| panic!("no {name} in {names:?}"))
}

/// The energy of the pods of a namespace in an inventory.
fn of_namespace(inventory: &Inventory, namespace: Option<&str>) -> f64 {
    let pods = inventory.workloads.iter().filter(|row| row.id.kind == WorkloadKind::Pod);
    let wanted = pods.filter(|row| row.id.namespace.as_deref() == namespace);
    wanted.map(|row| row.energy.cpu().unwrap().joules()).sum()
}

/// The energy of a subject, step by step.
fn steps(view: &dyn EnergyView, subject: &Subject, range: TimeRange, step: Duration) -> Vec<f64> {
    let series = view.series(subject, range, step).unwrap();
    series.steps.steps().iter().map(|step| step.value.energy.cpu().unwrap().joules()).collect()
}

fn near(found: &[f64], expected: f64, tolerance: f64) -> bool {
    !found.is_empty() && found.iter().all(|joules| (joules - expected).abs() <= tolerance * expected)
}

#[test]
fn prometheus_is_asked_for_a_namespace_with_the_pods_that_were_named_late_and_counts_none_twice() {
    let begun = Instant::now();
    let ours = Server::start(move |_| Reply::ok(exporter(begun.elapsed().as_secs_f64())));
    let go = Server::start(move |_| Reply::ok(go_kepler(begun.elapsed().as_secs_f64())));
    let (both, twice) = ([ours.address.to_string(), go.address.to_string()], [ours.address.to_string()]);
    let Some(server) = prometheus_of(&[("kepler", &both), ("annotated", &twice)]) else { return };
    let view = PrometheusView::new(&server.url, PrometheusOptions::default()).unwrap();
    while begun.elapsed().as_secs_f64() < NAMED + 7.0 || go.asked().len() < 14 {
        assert!(begun.elapsed() < Duration::from_secs(60), "Prometheus does not scrape");
        thread::sleep(Duration::from_millis(100));
    }
    let range = TimeRange::ending(Timestamp::now(), Duration::from_secs(12));
    let four = Duration::from_secs(4);

    let inventory = view.inventory(range).unwrap();
    let late = found(&inventory, WorkloadKind::Pod, "web-0");
    assert_eq!((&*late.id.uid, late.id.namespace.as_deref()), ("late", Some("shop")));
    assert_eq!(late.owner.as_ref().map(|owner| &*owner.name), Some("web"));
    let container = found(&inventory, WorkloadKind::Container, "nginx");
    assert_eq!((&*container.id.uid, container.id.namespace.as_deref()), (CONTAINER, Some("shop")));
    assert!(near(&[container.energy.cpu().unwrap().joules()], 72.0, 0.15), "{container:?}");
    assert!(container.cpu_time.is_some() && !inventory.workloads.iter().any(|row| &*row.id.name == "0123456789ab"));

    let subject = Subject::Namespace("shop".into());
    let shop = steps(&view, &subject, range, four);
    // 10 + 5 + 4 + 3 W, before its pods were named as well.
    assert!(shop.len() == 3 && near(&shop, 88.0, 0.3), "{shop:?}");
    assert!(near(&[shop.iter().sum()], 264.0, 0.15), "{shop:?}");
    assert!(near(&[shop.iter().sum()], of_namespace(&inventory, Some("shop")), 0.15), "{shop:?}");
    // A last step that is shorter has them too.
    let uneven = steps(&view, &subject, range, Duration::from_secs(8));
    assert!(uneven.len() == 2 && near(&uneven[..1], 176.0, 0.3) && near(&uneven[1..], 88.0, 0.3), "{uneven:?}");
    let cache = steps(&view, &Subject::Namespace("cache".into()), range, four);
    assert!(cache.len() == 3 && near(&cache, 28.0, 0.3), "{cache:?}");
    assert!(near(&[of_namespace(&inventory, None)], 36.0, 0.15), "what nothing names is in no namespace");
    let of_container = steps(&view, &Subject::Workloads(vec![container.id.clone()]), range, four);
    assert!(of_container.len() == 3 && near(&of_container, 24.0, 0.3), "{of_container:?}");
}

#[test]
fn a_server_is_asked_by_label_alone_where_no_pod_was_named_late() {
    let server = Server::start(|request| {
        let value = match &request.body {
            body if body.contains("up%7B") => {
                return Reply::ok(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#);
            }
            body if body.contains("kepler_pod_info") => {
                return Reply::ok(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#);
            }
            _ if request.path().ends_with("query_range") => {
                return Reply::ok(
                    r#"{"status":"success","data":{"resultType":"matrix","result":[
                    {"metric":{"node_name":"n2","pod_id":"go","pod_name":"go-0","pod_namespace":"shop","zone":"package"},
                     "values":[[1777593900,"3"]]}]}}"#,
                );
            }
            body if body.contains("count_over_time") => 20,
            body if body.contains("min_over_time") => 1_777_593_600,
            _ => 1_777_593_900,
        };
        Reply::ok(format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[
            {{"metric":{{"node_name":"n2","zone":"package"}},"value":[1777593900,"{value}"]}}]}}}}"#
        ))
    });
    let view = PrometheusView::new(&server.url(), PrometheusOptions::default()).unwrap();
    let range =
        TimeRange { start: "2026-05-01T00:00:00Z".parse().unwrap(), end: "2026-05-01T00:05:00Z".parse().unwrap() };
    let shop = steps(&view, &Subject::Namespace("shop".into()), range, Duration::from_secs(300));
    assert_eq!(shop, [3.0]);
    let asked = server.asked();
    let ranges: Vec<_> = asked.iter().filter(|asked| asked.path().ends_with("query_range")).collect();
    assert_eq!(ranges.len(), 2, "of processors and of accelerators");
    assert!(ranges.iter().all(|asked| asked.body.contains("pod_namespace%3D%22shop%22")), "{ranges:?}");
}

#[test]
fn a_hub_shows_late_names_and_has_those_pods_in_their_namespace() {
    let shown = Arc::new(Mutex::new(String::new()));
    let text = Arc::clone(&shown);
    let server = Server::start(move |_| Reply::ok(text.lock().unwrap().clone()));
    let view = KeplerView::new(&[server.url()], KeplerOptions::default()).unwrap();
    let start: Timestamp = "2026-05-01T00:00:00Z".parse().unwrap();
    let poll = |second: i32, text: String| {
        *shown.lock().unwrap() = text;
        assert_eq!(view.poll(start + i64::from(second).seconds()), []);
    };
    for second in [0, 4, 8] {
        poll(second, exporter(f64::from(second)));
    }
    let range = |end: i64| TimeRange { start, end: start + end.seconds() };
    let before = view.inventory(range(8)).unwrap();
    assert_eq!(&*found(&before, WorkloadKind::Container, "0123456789ab").id.uid, CONTAINER);
    assert_eq!(of_namespace(&before, Some("shop")).round(), 40.0);
    poll(10, exporter(10.0));
    let inventory = view.inventory(range(10)).unwrap();
    let container = found(&inventory, WorkloadKind::Container, "nginx");
    assert_eq!((&*container.id.uid, container.id.namespace.as_deref()), (CONTAINER, Some("shop")));
    assert_eq!(container.energy.cpu().unwrap().joules().round(), 60.0);
    assert!(!inventory.workloads.iter().any(|row| &*row.id.name == "0123456789ab"));
    // 10 + 5 + 4 W from the beginning on.
    assert_eq!(of_namespace(&inventory, Some("shop")).round(), 190.0);
    let shop = steps(&view, &Subject::Namespace("shop".into()), range(10), Duration::from_secs(5));
    assert_eq!(shop.iter().sum::<f64>().round(), 190.0);
    // An exporter that has begun again and waits for the kubelet takes no name back.
    let is_known = |line: &&str| !line.contains("_info{node_name");
    poll(12, exporter(12.0).lines().filter(is_known).map(|line| format!("{line}\n")).collect());
    assert_eq!(&*found(&view.inventory(range(12)).unwrap(), WorkloadKind::Container, "nginx").id.uid, CONTAINER);
}
