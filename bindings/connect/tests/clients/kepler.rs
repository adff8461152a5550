//! The view over Kepler exporters, against stand-ins that show what exporters show.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use crate::support::{Reply, Server};
use jiff::{Timestamp, ToSpan};
use kepler_compliance::view::{EnergyView, Inventory, Subject, TimeRange, ViewError, WorkloadEnergy, WorkloadKind};
use kepler_connect::http::{Auth, Secret};
use kepler_connect::kepler::{KeplerOptions, KeplerView, Target};
use kepler_core::meter::Method;
use kepler_core::units::{Energy, ZoneKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An exporter whose answer can be changed.
struct Exporter {
    server: Server,
    reply: Arc<Mutex<Reply>>,
}

impl Exporter {
    fn start() -> Self {
        let reply = Arc::new(Mutex::new(Reply::status(503)));
        let shown = reply.clone();
        Exporter { server: Server::start(move |_| shown.lock().unwrap().clone()), reply }
    }

    fn shows(&self, text: &str) {
        *self.reply.lock().unwrap() = Reply::ok(text);
    }

    fn fails(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }
}

/// A node with a pod, its container and a process: active energy all of the pod's, idle beside it.
fn metrics(node: &str, active: f64, state: &str) -> String {
    let mut text = String::new();
    for (zone, share) in [("package", 1.0), ("dram", 0.5), ("core", 0.8), ("psys", 3.0)] {
        let joules = active * share;
        text += &format!(
            r#"kepler_node_cpu_joules_total{{node_name="{node}",path="p",zone="{zone}"}} 7
kepler_node_cpu_active_joules_total{{node_name="{node}",path="p",zone="{zone}"}} {joules}
kepler_node_cpu_idle_joules_total{{node_name="{node}",path="p",zone="{zone}"}} {}
kepler_node_cpu_watts{{node_name="{node}",path="p",zone="{zone}"}} {}
kepler_pod_cpu_joules_total{{node_name="{node}",pod_id="uid",pod_name="we}}b\"",pod_namespace="shop",state="{state}",zone="{zone}"}} {joules}
kepler_pod_cpu_watts{{node_name="{node}",pod_id="uid",pod_name="we}}b\"",pod_namespace="shop",state="{state}",zone="{zone}"}} 5
kepler_container_cpu_joules_total{{node_name="{node}",container_id="c1",container_name="app",runtime="containerd",state="{state}",zone="{zone}",pod_id="uid"}} {joules}
kepler_process_cpu_joules_total{{node_name="{node}",pid="42",comm="app",exe="/app",type="container",state="{state}",container_id="c1",vm_id="",zone="{zone}"}} {joules}
"#,
            2.0 * joules,
            15.0 * share,
        );
    }
    text + &format!(
        "kepler_process_cpu_seconds_total{{node_name=\"{node}\",pid=\"42\",comm=\"app\"}} {active}\nkepler_build_info{{}} 1\n"
    )
}

fn view(exporters: &[&Exporter]) -> KeplerView {
    let urls: Vec<_> = exporters.iter().map(|exporter| exporter.server.url()).collect();
    let mut options = KeplerOptions::default();
    options.http.timeout = Duration::from_millis(500);
    KeplerView::new(&urls, options).unwrap()
}

fn start() -> Timestamp {
    "2026-05-01T00:00:00Z".parse().unwrap()
}

fn range(from: i64, to: i64) -> TimeRange {
    TimeRange { start: start() + from.seconds(), end: start() + to.seconds() }
}

/// Polls at second 0, 10, 20 … with what is shown then.
fn polls(view: &KeplerView, exporter: &Exporter, shown: &[String]) {
    for (n, text) in (0..).zip(shown) {
        exporter.shows(text);
        assert_eq!(view.poll(start() + (10 * n).seconds()), []);
    }
}

fn row(inventory: &Inventory, kind: WorkloadKind) -> &WorkloadEnergy {
    inventory.workloads.iter().find(|row| row.id.kind == kind).unwrap()
}

fn close(energy: Option<Energy>, joules: f64) -> bool {
    // The answers come a few milliseconds after the polls.
    energy.is_some_and(|energy| (energy.joules() - joules).abs() <= 0.02 * joules.max(1.0))
}

#[test]
fn a_poll_that_is_late_leaves_no_gap_in_a_series_and_one_that_is_missing_for_long_does() {
    let exporter = Exporter::start();
    let view = view(&[&exporter]);
    // Two seconds apart on average; one comes late.
    let times = [0, 2, 4, 5, 8, 10, 12, 13, 16, 18, 20, 22, 24, 26, 28, 30];
    for time in times {
        exporter.shows(&metrics("n", f64::from(time), "running"));
        assert_eq!(view.poll(start() + time.seconds()), []);
    }
    let steps = |view: &KeplerView, end: i64| {
        let series = view.series(&Subject::Cluster, range(0, end), Duration::from_secs(1)).unwrap();
        let steps = series.steps.steps();
        let covered: f64 = steps.iter().map(|step| step.length().as_secs_f64()).sum();
        (covered.round(), steps.iter().map(|step| step.value.energy.cpu().unwrap().joules()).sum::<f64>().round())
    };
    assert_eq!(steps(&view, 30), (30.0, 90.0));
    exporter.shows(&metrics("n", 60.0, "running"));
    assert_eq!(view.poll(start() + 60.seconds()), []);
    assert!(steps(&view, 60).0 < 40.0, "{:?}", steps(&view, 60));
}

#[test]
fn energy_is_what_was_used_between_polls_and_zones_are_not_counted_twice() {
    let exporter = Exporter::start();
    let view = view(&[&exporter]);
    polls(
        &view,
        &exporter,
        &[metrics("n1", 1000.0, "running"), metrics("n1", 1060.0, "running"), metrics("n1", 1120.0, "running")],
    );
    let inventory = view.inventory(range(0, 20)).unwrap();
    let pod = row(&inventory, WorkloadKind::Pod);
    assert_eq!((pod.id.name.as_ref(), pod.id.namespace.as_deref()), ("we}b\"", Some("shop")));
    assert!(close(pod.energy.total(), 120.0 * 1.5), "package and dram: {:?}", pod.energy);
    assert!(close(pod.energy.zones[ZoneKind::Psys], 360.0));
    assert_eq!(pod.power.unwrap().total().unwrap().watts(), 10.0);
    assert_eq!(pod.method, Method::Measured);
    let node = &inventory.nodes[0];
    assert!(close(node.energy().total(), 3.0 * 120.0 * 1.5), "active and idle, not the register");
    assert_eq!(node.zones[ZoneKind::Uncore], None);
    let container = row(&inventory, WorkloadKind::Container);
    assert_eq!(container.id.namespace.as_deref(), Some("shop"));
    let process = row(&inventory, WorkloadKind::Process);
    assert!((process.cpu_time.unwrap().as_secs_f64() - 120.0).abs() < 2.0);
    assert!((inventory.coverage - 1.0).abs() < 0.01 && inventory.skipped.is_empty());
    assert_eq!(inventory.moment, view.inventory(range(5, 15)).unwrap().moment);
}

#[test]
fn a_range_between_polls_gets_its_share() {
    let exporter = Exporter::start();
    let view = view(&[&exporter]);
    polls(&view, &exporter, &[metrics("n1", 0.0, "running"), metrics("n1", 100.0, "running")]);
    let inventory = view.inventory(range(2, 7)).unwrap();
    assert!(close(row(&inventory, WorkloadKind::Pod).energy.zones[ZoneKind::Package], 50.0));
    let wider = view.inventory(range(-10, 30)).unwrap();
    assert!((wider.coverage - 0.25).abs() < 0.01, "{}", wider.coverage);
}

#[test]
fn terminated_workloads_keep_their_energy_and_have_no_power() {
    let exporter = Exporter::start();
    let view = view(&[&exporter]);
    polls(
        &view,
        &exporter,
        &[metrics("n1", 10.0, "running"), metrics("n1", 14.0, "terminated"), metrics("n1", 14.0, "terminated")],
    );
    let inventory = view.inventory(range(0, 20)).unwrap();
    let pod = row(&inventory, WorkloadKind::Pod);
    assert!(close(pod.energy.zones[ZoneKind::Package], 4.0), "{pod:?}");
    assert_eq!((pod.running, pod.power), (false, None));
}

#[test]
fn a_restarted_exporter_is_understood() {
    let exporter = Exporter::start();
    let view = view(&[&exporter]);
    polls(
        &view,
        &exporter,
        &[metrics("n1", 1000.0, "running"), metrics("n1", 3.0, "running"), metrics("n1", 5.0, "running")],
    );
    let inventory = view.inventory(range(0, 20)).unwrap();
    assert!(close(row(&inventory, WorkloadKind::Pod).energy.zones[ZoneKind::Package], 5.0));
    assert!(close(inventory.nodes[0].energy().cpu(), 15.0));
}

#[test]
fn every_node_is_polled_and_a_failing_one_lowers_coverage() {
    let exporters = [Exporter::start(), Exporter::start(), Exporter::start()];
    let view = view(&[&exporters[0], &exporters[1], &exporters[2]]);
    exporters[2].fails(Reply::Truncated(metrics("n3", 1.0, "running")));
    for second in [0, 10] {
        exporters[0].shows(&metrics("n1", 100.0 + second as f64, "running"));
        exporters[1].shows(&metrics("n2", 200.0 + second as f64, "running"));
        let failed = view.poll(start() + i64::from(second).seconds());
        assert_eq!(failed.len(), 1);
    }
    let inventory = view.inventory(range(0, 10)).unwrap();
    assert_eq!(inventory.nodes.iter().map(|node| node.name.as_ref()).collect::<Vec<_>>(), ["n1", "n2"]);
    assert!((inventory.coverage - 2.0 / 3.0).abs() < 0.01, "{}", inventory.coverage);
    assert!(inventory.skipped[0].what.contains(&exporters[2].server.url()));
    assert!(inventory.skipped[0].reason.contains("broken"), "{:?}", inventory.skipped);
    exporters[1].fails(Reply::status(500));
    view.poll(start() + 20.seconds());
    let later = view.inventory(range(0, 20)).unwrap();
    let n2 = later.workloads.iter().find(|row| &*row.id.node == "n2").unwrap();
    assert!(later.skipped.iter().any(|out| out.reason.contains("since its last good answer")));
    assert_eq!(n2.power, None, "unknown knows what it draws now");
}

/// What stands at an address where an exporter was expected: a proxy with a login, a page of a web interface, a server that is
/// busy. Each is said as what it is, and the others' figures go on.
#[test]
fn what_answers_in_place_of_an_exporter_is_said_with_what_to_do() {
    let page = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n";
    let moved = Reply::Full(302, vec![("location", "https://sso.example/login?next=/metrics".into())], page.into());
    let json = r#"{"status":"ok"}"#;
    let cases = [
        (moved, "status", "redirects are not followed"),
        (Reply::status(401), "refused", "check the token"),
        (Reply::status(403), "refused", "may not"),
        (Reply::status(404), "status", "check the path"),
        (Reply::status(503), "status", "503"),
        (Reply::ok(page), "malformed", "no metrics"),
        (Reply::ok(json), "malformed", "no metrics"),
        (Reply::ok(""), "malformed", "no metrics of Kepler"),
        (Reply::Raw(b"\x15\x03\x01\x00\x02\x02\x50"), "broken", "broken"),
        (Reply::Slow(metrics("n2", 1.0, "running"), Duration::from_millis(20)), "timeout", "within"),
        (Reply::Silent(Duration::from_secs(3)), "timeout", "has not answered completely"),
    ];
    let (well, other) = (Exporter::start(), Exporter::start());
    let view = view(&[&well, &other]);
    for (second, (reply, fault, said)) in (0..).zip(cases) {
        well.shows(&metrics("n1", f64::from(second), "running"));
        other.fails(reply);
        let failed = view.poll(start() + (10 * second).seconds());
        let [failed] = failed.as_slice() else { panic!("{fault} {said}: {failed:?}") };
        assert!(failed.what.contains(&other.server.url()) && failed.reason.contains(said), "{said}: {failed:?}");
        let fleet = view.fleet();
        assert!(fleet.poll_faults.iter().any(|(kind, _)| *kind == fault), "{fault}: {:?}", fleet.poll_faults);
        assert!(!failed.reason.contains("Sign in") && !failed.reason.contains("next="), "{failed:?}");
    }
    let inventory = view.inventory(range(0, 100)).unwrap();
    assert!(close(row(&inventory, WorkloadKind::Pod).energy.zones[ZoneKind::Package], 10.0), "{inventory:?}");
}

#[test]
fn a_load_balancer_and_a_node_named_twice_are_noticed() {
    let exporter = Exporter::start();
    let one = view(&[&exporter]);
    exporter.shows(&metrics("n1", 1.0, "running"));
    one.poll(start());
    exporter.shows(&metrics("n2", 500.0, "running"));
    let failed = one.poll(start() + 10.seconds());
    assert!(failed[0].reason.contains("`n2` and before for `n1`"), "{failed:?}");
    assert!(one.inventory(range(0, 10)).is_err());

    let (a, b) = (Exporter::start(), Exporter::start());
    let two = view(&[&a, &b]);
    for second in [0, 10] {
        a.shows(&metrics("n1", second as f64, "running"));
        b.shows(&metrics("n1", second as f64, "running"));
        two.poll(start() + i64::from(second).seconds());
    }
    let inventory = two.inventory(range(0, 10)).unwrap();
    assert_eq!((inventory.nodes.len(), inventory.skipped.len()), (1, 1));
    assert!(inventory.coverage < 0.51);
}

/// A rolling update that starts a new pod before the old one ends, behind a name: both are there for a while.
#[test]
fn two_exporters_of_one_node_count_once_and_the_newer_goes_on_when_the_older_is_gone() {
    let (old, new) = (Exporter::start(), Exporter::start());
    let listed = |exporter: &Exporter| Target::new(&exporter.server.url()).unwrap().perhaps_known();
    let view = KeplerView::of_fleet("exporters", false, KeplerOptions::default()).unwrap();
    let shows = |exporter: &Exporter, joules: i64| exporter.shows(&metrics("n1", joules as f64, "running"));
    let poll = |second: i64| assert_eq!(view.poll(start() + second.seconds()), []);
    view.list(vec![listed(&old)], start());
    for second in [0, 10, 20] {
        shows(&old, 1000 + second);
        poll(second);
    }
    view.list(vec![listed(&old), listed(&new)], start() + 20.seconds());
    for second in [30, 40] {
        shows(&old, 1000 + second);
        shows(&new, second - 30);
        poll(second);
    }
    let both = view.inventory(range(0, 40)).unwrap();
    assert_eq!((both.nodes.len(), both.skipped.len()), (1, 0), "{:?}", both.skipped);
    assert!(close(row(&both, WorkloadKind::Pod).energy.zones[ZoneKind::Package], 40.0) && both.coverage > 0.99);
    view.list(vec![listed(&new)], start() + 40.seconds());
    for second in [50, 60] {
        shows(&new, second - 30);
        poll(second);
    }
    let after = view.inventory(range(0, 60)).unwrap();
    assert_eq!((after.nodes.len(), after.skipped.len()), (1, 0), "{:?}", after.skipped);
    assert!(after.coverage > 0.99, "{}", after.coverage);
    // The new one counts from its own start, ten seconds of which the old one has counted as well.
    assert!(close(row(&after, WorkloadKind::Pod).energy.zones[ZoneKind::Package], 70.0), "{after:?}");
}

#[test]
fn no_data_is_an_error_that_says_what_to_do() {
    let exporter = Exporter::start();
    let view = view(&[&exporter]);
    let before = view.inventory(range(0, 10)).unwrap_err();
    assert!(matches!(before, ViewError::NoData { .. }) && before.to_string().contains("not polled yet"), "{before}");
    exporter.shows(&metrics("n1", 1.0, "running"));
    view.poll(start());
    let once = view.inventory(range(0, 10)).unwrap_err().to_string();
    assert!(once.contains("wait for two polls"), "{once}");
    exporter.shows("up 1\n");
    view.poll(start() + 10.seconds());
    let other = view.inventory(range(0, 10)).unwrap_err();
    assert!(
        matches!(other, ViewError::Unavailable { .. }) && other.to_string().contains("no metrics of Kepler"),
        "{other}"
    );
    assert!(matches!(view.inventory(range(10, 0)), Err(ViewError::Invalid { .. })));
    assert!(KeplerView::new(&[] as &[&str], KeplerOptions::default()).is_err());
}

#[test]
fn a_series_has_steps_no_shorter_than_the_polls_and_leaves_gaps_out() {
    let exporter = Exporter::start();
    let view = view(&[&exporter]);
    let shown: Vec<_> = (0..7).map(|n| metrics("n1", f64::from(n * 10), "running")).collect();
    polls(&view, &exporter, &shown);
    let pod = row(&view.inventory(range(0, 60)).unwrap(), WorkloadKind::Pod).id.clone();
    let series = view.series(&Subject::Workloads(vec![pod]), range(0, 60), Duration::from_secs(4)).unwrap();
    let lengths: Vec<_> = series.steps.steps().iter().map(|step| step.length().as_secs_f64().round()).collect();
    assert_eq!(lengths, [12.0, 12.0, 12.0, 12.0, 12.0], "the smallest multiple of 4 s that holds a poll");
    for step in series.steps.steps() {
        let watts = step.value.energy.cpu().unwrap().joules() / step.length().as_secs_f64();
        assert!((watts - 1.0).abs() < 0.02, "{watts}");
    }
    assert!(series.coverage > 0.98);
    let cluster = view.series(&Subject::Cluster, range(0, 60), Duration::from_secs(20)).unwrap();
    assert!(close(cluster.steps.steps()[0].value.energy.cpu(), 60.0));
    let whole = view.inventory(range(0, 60)).unwrap();
    let idle = whole.nodes[0].split(|zone| zone.idle).total().map(|energy| energy.joules());
    let steps = cluster.steps.steps().iter();
    let reported: Option<f64> = steps.map(|step| step.value.idle.total().map(|energy| energy.joules())).sum();
    assert_eq!(reported.map(f64::round), idle.map(f64::round), "as far as the exporter distinguishes it");
    let namespace = view.series(&Subject::Namespace("shop".into()), range(0, 60), Duration::from_secs(20)).unwrap();
    assert!(close(namespace.steps.steps()[0].value.energy.cpu(), 20.0));
    let unknown = view.series(&Subject::Namespace("none".into()), range(0, 60), Duration::from_secs(20)).unwrap_err();
    assert!(matches!(unknown, ViewError::NoData { .. }));
    // A long silence is a gap of the series, and no loss of the inventory.
    exporter.shows(&metrics("n1", 100.0, "running"));
    view.poll(start() + 160.seconds());
    let gap = view.series(&Subject::Cluster, range(0, 160), Duration::from_secs(30)).unwrap();
    assert_eq!(gap.steps.at(start() + 100.seconds()), None);
    let whole = view.inventory(range(0, 160)).unwrap();
    assert!(close(row(&whole, WorkloadKind::Pod).energy.cpu(), 100.0));
}

#[test]
fn estimates_are_reported_with_their_error() {
    let exporter = Exporter::start();
    let view = view(&[&exporter]);
    let estimated = |joules| {
        metrics("n1", joules, "running")
            + "kepler_power_source_error_ratio{node_name=\"n1\",source=\"model\",zone=\"package\"} 0.35\n\
               kepler_power_source_info{node_name=\"n1\",source=\"model\",method=\"estimated\",zone=\"package\"} 1\n\
               kepler_power_source_info{node_name=\"n1\",source=\"powercap\",method=\"measured\",zone=\"dram\"} 1\n"
    };
    polls(&view, &exporter, &[estimated(1.0), estimated(2.0)]);
    let inventory = view.inventory(range(0, 10)).unwrap();
    let method = Method::Estimated { error_ratio: 0.35 };
    let of_pod = row(&inventory, WorkloadKind::Pod);
    let estimated = of_pod.energy.cpu().unwrap().joules() / of_pod.energy.total().unwrap().joules();
    let error = of_pod.method.error_ratio().unwrap();
    assert!(estimated < 0.9 && (error - 0.35 * estimated).abs() < 1e-6, "dram is measured: {of_pod:?}");
    let zones = &inventory.nodes[0].zones;
    let reported = |zone| zones[zone].as_ref().map(|zone| (&*zone.source, zone.method));
    assert_eq!(reported(ZoneKind::Package), Some(("model", method)));
    assert_eq!(reported(ZoneKind::Dram), Some(("powercap", Method::Measured)));
}

#[test]
fn many_slow_exporters_are_polled_side_by_side() {
    // How many are asked by now; each answers when four others wait beside it, or in two seconds.
    let asked = Arc::new(AtomicUsize::new(0));
    let exporters: Vec<_> = (0..12)
        .map(|n| {
            let asked = asked.clone();
            Server::start(move |_| {
                let own = asked.fetch_add(1, Ordering::SeqCst);
                let begun = Instant::now();
                while asked.load(Ordering::SeqCst) < 5 && begun.elapsed() < Duration::from_secs(2) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                assert!(own > 0 || asked.load(Ordering::SeqCst) > 1, "one after the other");
                Reply::ok(metrics(&format!("n{n}"), 1.0, "running"))
            })
        })
        .collect();
    let urls: Vec<_> = exporters.iter().map(Server::url).collect();
    let view = KeplerView::new(&urls, KeplerOptions::default()).unwrap();
    assert_eq!(view.poll(start()), []);
}

#[test]
fn a_watch_polls_until_it_is_dropped_and_shows_who_it_is() {
    let exporter = Exporter::start();
    exporter.shows(&metrics("n1", 1.0, "running"));
    let mut options = KeplerOptions::default();
    options.auth = Auth::Basic { user: "ada".into(), password: Secret::new("pw") };
    let view = Arc::new(KeplerView::new(&[exporter.server.url()], options).unwrap());
    let watch = view.watch(Duration::from_millis(20)).unwrap();
    let begun = Instant::now();
    while exporter.server.asked().len() < 3 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(watch);
    let asked = exporter.server.asked();
    assert!(asked.len() >= 3);
    assert_eq!((asked[0].target.as_str(), asked[0].header("authorization")), ("/metrics", Some("Basic YWRhOnB3")));
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(exporter.server.asked().len(), asked.len());
}
