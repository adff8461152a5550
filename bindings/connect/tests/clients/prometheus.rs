//! The view over Prometheus: against a real server, and against stand-ins for what a real one does not do
//! on demand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "a test fails by panicking")]

use crate::support::prometheus::{prometheus, prometheus_of};
use crate::support::{Reply, Server};
use jiff::Timestamp;
use kepler_compliance::choices::ChoiceSource;
use kepler_compliance::view::{
    EnergyView, Inventory, NodeEnergy, Subject, TimeRange, ViewError, WorkloadEnergy, WorkloadKind,
};
use kepler_connect::http::{Auth, Secret};
use kepler_connect::prometheus::{PrometheusOptions, PrometheusView};
use kepler_core::meter::Method;
use kepler_core::units::{Energy, ZoneKind};
use std::thread;
use std::time::{Duration, Instant};

/// A namespace that would leave its quotes, braces and line if it were not escaped.
const ODD: &str = "a\"},b=\"\\\n{}|.*";

/// A node that draws 60 W of package and dram, 40 W of them active; three pods and a process.
fn metrics(elapsed: f64) -> String {
    let odd = ODD.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut text = String::from(
        "kepler_build_info{version=\"1\"} 1\nkepler_node_cpu_info{processor=\"0\"} 1\nkepler_node_cpu_info{processor=\"1\"} 1\n",
    );
    let node = "node_name=\"n1\"";
    for (zone, share) in [("package", 1.0), ("dram", 0.5), ("psys", 4.0)] {
        let joules = elapsed * share;
        // As the register of Go Kepler, which wraps.
        let register = (60.0 * joules) % 200.0;
        // The exporter loses its count after 8 s.
        let reset = if elapsed < 8.0 { 10.0 * joules } else { 10.0 * (elapsed - 8.0) * share };
        text += &format!(
            r#"kepler_node_cpu_joules_total{{{node},path="p",zone="{zone}"}} {register}
kepler_node_cpu_active_joules_total{{{node},path="p",zone="{zone}"}} {}
kepler_node_cpu_idle_joules_total{{{node},path="p",zone="{zone}"}} {}
kepler_node_cpu_watts{{{node},path="p",zone="{zone}"}} {}
kepler_pod_cpu_joules_total{{{node},pod_id="a",pod_name="steady",pod_namespace="{odd}",state="running",zone="{zone}"}} {}
kepler_pod_cpu_watts{{{node},pod_id="a",pod_name="steady",pod_namespace="{odd}",state="running",zone="{zone}"}} {}
kepler_pod_cpu_joules_total{{{node},pod_id="b",pod_name="reset",pod_namespace="shop",state="running",zone="{zone}"}} {reset}
kepler_pod_cpu_joules_total{{{node},pod_id="c",pod_name="gone",pod_namespace="shop",state="terminated",zone="{zone}"}} 77
kepler_pod_cpu_watts{{{node},pod_id="c",pod_name="gone",pod_namespace="shop",state="terminated",zone="{zone}"}} 0
kepler_pod_info{{{node},pod_id="a",owner_kind="Deployment",owner_name="web",qos_class="Burstable",zone_of="{zone}"}} 1
kepler_process_cpu_joules_total{{{node},pid="42",comm="we(b",exe="/x",type="regular",state="running",container_id="",vm_id="",zone="{zone}"}} {}
kepler_power_source_info{{{node},source="model",method="estimated",zone="{zone}"}} 1
kepler_power_source_error_ratio{{{node},source="model",zone="{zone}"}} 0.3
"#,
            40.0 * joules,
            20.0 * joules,
            60.0 * share,
            10.0 * joules,
            10.0 * share,
            5.0 * joules,
        );
    }
    for (gpu, watts) in [(0, 300.0), (1, 50.0)] {
        let device = format!("gpu=\"{gpu}\",gpu_uuid=\"GPU-{gpu}\"");
        text += &format!(
            r#"kepler_node_gpu_joules_total{{{node},{device},gpu_name="H200",vendor="nvidia"}} {}
kepler_node_gpu_watts{{{node},{device},gpu_name="H200",vendor="nvidia"}} {watts}
kepler_pod_gpu_joules_total{{{node},pod_id="a",pod_name="steady",pod_namespace="{odd}",state="running",{device}}} {}
"#,
            watts * elapsed,
            watts * elapsed / 2.0,
        );
    }
    text += &platform_metrics(elapsed);
    text + &format!(
        "kepler_process_cpu_seconds_total{{{node},pid=\"42\",comm=\"we(b\",exe=\"/x\"}} {}\n",
        elapsed / 2.0
    )
}

/// A BMC by an estimate of 200 W, a plug that has become stale, and a BMC as Go Kepler shows it: its power and no more.
fn platform_metrics(elapsed: f64) -> String {
    let labels = |source: &str, id: &str| {
        format!(
            "node_name=\"n1\",source=\"{source}\",bmc_id=\"{id}\",chassis_id=\"1\",source_id=\"0\",source_name=\"\",source_type=\"\""
        )
    };
    let (bmc, plug, go) = (labels("redfish", "b"), labels("http", "plug"), labels("redfish", "go"));
    let joules = 200.0 * elapsed;
    format!(
        r#"kepler_platform_watts{{{bmc}}} 200
kepler_platform_watts{{{go}}} 150
kepler_platform_joules_total{{{bmc}}} {joules}
kepler_platform_joules_total{{{plug}}} 50
kepler_platform_covered_seconds_total{{{bmc}}} {elapsed}
kepler_platform_covered_seconds_total{{{plug}}} 5
kepler_platform_reading_age_seconds{{{bmc}}} 3
kepler_platform_reading_age_seconds{{{plug}}} 300
kepler_platform_info{{{bmc},scope="node",method="estimated",contains_gpus="false"}} 1
kepler_platform_info{{{plug},scope="part",method="measured",contains_gpus="true"}} 1
kepler_platform_error_ratio{{{bmc}}} 0.1
kepler_platform_fault{{{plug},reason="stale"}} 1
"#
    )
}

fn check_platform(node: &NodeEnergy) {
    let meters: Vec<_> = node.platform.iter().map(|one| &*one.meter.bmc_id).collect();
    assert_eq!(meters, ["plug", "b", "go"]);
    let [plug, bmc, go] = node.platform.as_slice() else { panic!("{:?}", node.platform) };
    assert!(near(Some(bmc.energy), 2400.0, 0.1), "{bmc:?}");
    assert!((bmc.covered.unwrap().as_secs_f64() - 12.0).abs() < 1.2, "{bmc:?}");
    assert_eq!((bmc.power.unwrap().watts(), bmc.age), (200.0, Some(Duration::from_secs(3))));
    assert_eq!((bmc.method, bmc.contains_gpus), (Method::Estimated { error_ratio: 0.1 }, Some(false)));
    assert_eq!((plug.power, plug.fault.as_deref(), plug.age), (None, Some("stale"), Some(Duration::from_secs(300))));
    assert_eq!((plug.energy, plug.covered), (Energy::ZERO, Some(Duration::ZERO)));
    // Absent is not zero: Go Kepler sums up nothing.
    assert_eq!((go.power.unwrap().watts(), go.covered, go.scope, go.fault.as_deref()), (150.0, None, None, None));
}

fn near(energy: Option<Energy>, joules: f64, tolerance: f64) -> bool {
    energy.is_some_and(|energy| (energy.joules() - joules).abs() <= joules * tolerance)
}

fn pod<'a>(inventory: &'a Inventory, name: &str) -> &'a WorkloadEnergy {
    let is = |row: &&WorkloadEnergy| row.id.kind == WorkloadKind::Pod && &*row.id.name == name;
    inventory.workloads.iter().find(is).unwrap()
}

fn view(url: &str) -> PrometheusView {
    PrometheusView::new(url, PrometheusOptions::default()).unwrap()
}

fn range() -> TimeRange {
    TimeRange { start: "2026-05-01T00:00:00Z".parse().unwrap(), end: "2026-05-01T00:05:00Z".parse().unwrap() }
}

#[test]
fn a_real_prometheus_gives_energy_power_coverage_and_series() {
    let begun = Instant::now();
    let exporter = Server::start(move |_| {
        Reply::Full(
            200,
            vec![("content-type", "text/plain; version=0.0.4".into())],
            metrics(begun.elapsed().as_secs_f64()).into(),
        )
    });
    let dead = Server::start(|_| Reply::status(500));
    let Some(server) = prometheus(&[exporter.address.to_string(), dead.address.to_string()]) else { return };
    let view = view(&server.url);
    while exporter.asked().len() < 16 {
        assert!(begun.elapsed() < Duration::from_secs(60), "Prometheus does not scrape");
        thread::sleep(Duration::from_millis(100));
    }
    thread::sleep(Duration::from_millis(300));
    let range = TimeRange::ending(Timestamp::now(), Duration::from_secs(12));

    let inventory = view.inventory(range).unwrap();
    let steady = pod(&inventory, "steady");
    assert_eq!(steady.id.namespace.as_deref(), Some(ODD));
    assert!(near(steady.energy.zones[ZoneKind::Package], 120.0, 0.1), "{steady:?}");
    assert!(near(steady.energy.total(), 180.0 + 2100.0, 0.1), "package, dram and GPUs, without psys");
    assert_eq!(steady.power.unwrap().total().unwrap().watts(), 15.0);
    let owner = steady.owner.as_ref().map(|owner| (owner.kind, &*owner.name));
    assert_eq!(owner, Some((WorkloadKind::Deployment, "web")));
    // The package is estimated; GPUs and dram are measured.
    let error = steady.method.error_ratio().unwrap() * steady.energy.total().unwrap().joules();
    assert!(steady.running && near(Some(Energy::from_joules(error)), 0.3 * 180.0, 0.1), "{steady:?}");
    // Of the second in which it was lost a reset hides what came before it.
    assert!(near(pod(&inventory, "reset").energy.cpu(), 120.0, 0.2), "{:?}", pod(&inventory, "reset"));
    let gone = pod(&inventory, "gone");
    assert_eq!((gone.running, gone.power, gone.energy.cpu()), (false, None, Some(Energy::ZERO)));
    let node = &inventory.nodes[0];
    assert!(near(node.energy().cpu(), 720.0, 0.1), "{:?}", node.energy());
    assert_eq!((node.processors, &*node.zones[ZoneKind::Dram].as_ref().unwrap().source), (Some(2), "model"));
    check_platform(node);
    let devices: Vec<_> = node.devices.iter().map(|device| (&*device.device.uuid, device.device.index)).collect();
    assert_eq!(devices, [("GPU-0", 0), ("GPU-1", 1)]);
    assert!(near(Some(node.devices[0].energy), 3600.0, 0.1) && near(Some(node.devices[1].energy), 600.0, 0.1));
    assert_eq!((node.devices[0].unsplit, node.devices[0].unattributed), (node.devices[0].energy, None));
    assert_eq!(node.devices[1].power.unwrap().watts(), 50.0);
    let used: Vec<_> = steady.devices.iter().map(|used| (&*used.uuid, near(Some(used.energy), 1800.0, 0.1))).collect();
    assert_eq!((used[0], used[1].0), (("GPU-0", true), "GPU-1"));
    let process = inventory.workloads.iter().find(|row| row.id.kind == WorkloadKind::Process).unwrap();
    assert!((process.cpu_time.unwrap().as_secs_f64() - 6.0).abs() < 0.6);
    assert!((0.45..=0.5).contains(&inventory.coverage), "one of two exporters is dead: {}", inventory.coverage);
    assert_eq!(inventory.skipped.len(), 1);
    assert!(inventory.skipped[0].what == dead.address.to_string() && inventory.skipped[0].reason.contains("up == 0"));
    assert_eq!(view.inventory(range).unwrap(), inventory);

    let steps = |subject: &Subject| view.series(subject, range, Duration::from_secs(4)).unwrap();
    let odd = steps(&Subject::Namespace(ODD.into()));
    assert_eq!(odd.steps.steps().len(), 3);
    assert!(odd.steps.steps().iter().all(|step| near(step.value.energy.cpu(), 40.0, 0.15)), "{odd:?}");
    assert_eq!(odd.method, Method::Estimated { error_ratio: 0.3 });
    assert!(steps(&Subject::Node("n1".into())).steps.steps().iter().all(|step| near(
        step.value.energy.cpu(),
        240.0,
        0.15
    )));
    let cluster = steps(&Subject::Cluster);
    assert!(cluster.coverage <= 0.5, "{}", cluster.coverage);
    let one = steps(&Subject::Workloads(vec![process.id.clone()]));
    assert!(one.steps.steps().iter().all(|step| near(step.value.energy.cpu(), 20.0, 0.15)));
    assert!((one.steps.steps()[0].value.cpu_time.unwrap().as_secs_f64() - 2.0).abs() < 0.3);
    let finer = view.series(&Subject::Node("n1".into()), range, Duration::from_secs(1)).unwrap();
    assert!(finer.steps.steps()[0].length() >= Duration::from_secs(3), "no steps without two samples");

    let unknown = view.series(&Subject::Namespace("none".into()), range, Duration::from_secs(4)).unwrap_err();
    assert!(matches!(unknown, ViewError::NoData { .. }), "{unknown}");
    let before = TimeRange::ending(range.end - Duration::from_secs(86_400), Duration::from_secs(60));
    let nothing = view.inventory(before).unwrap_err();
    assert!(
        matches!(nothing, ViewError::NoData { .. }) && nothing.to_string().contains("scrape intervals"),
        "{nothing}"
    );

    let mut options = PrometheusOptions::default();
    options.matchers = vec![("job".into(), "other".into())];
    let other = PrometheusView::new(&server.url, options).unwrap();
    assert!(matches!(other.inventory(range), Err(ViewError::NoData { .. })));
    // A year in steps of a second stays within what the server gives.
    let year = TimeRange::ending(range.end, Duration::from_secs(365 * 86_400));
    let long = view.series(&Subject::Cluster, year, Duration::from_secs(1)).unwrap();
    assert!(long.coverage < 0.01, "{}", long.coverage);
}

/// Go Kepler beside another exporter on a node, as while one takes the other's place; and one that two jobs scrape.
#[test]
fn a_node_that_is_scraped_several_times_is_counted_once() {
    let begun = Instant::now();
    let exporter = || Server::start(move |_| Reply::ok(metrics(begun.elapsed().as_secs_f64())));
    let (one, other) = (exporter(), exporter());
    let (both, twice) = ([one.address.to_string(), other.address.to_string()], [one.address.to_string()]);
    let Some(server) = prometheus_of(&[("kepler", &both), ("annotated", &twice)]) else { return };
    let view = view(&server.url);
    while other.asked().len() < 9 || one.asked().len() < 18 {
        assert!(begun.elapsed() < Duration::from_secs(60), "Prometheus does not scrape");
        thread::sleep(Duration::from_millis(100));
    }
    let range = TimeRange::ending(Timestamp::now(), Duration::from_secs(5));
    let inventory = view.inventory(range).unwrap();
    // 60 W of package and dram.
    let node = &inventory.nodes[0];
    assert!(near(node.energy().cpu(), 300.0, 0.2), "{:?}", node.energy());
    let (gone, reasons) = (&inventory.skipped, format!("{:?}", inventory.skipped));
    assert_eq!(gone.iter().filter(|own| own.reason.contains("it is not counted")).count(), 2, "{reasons}");
    assert!(reasons.contains("job annotated") && reasons.contains("shows node `n1`"), "{reasons}");
    let series = view.series(&Subject::Cluster, range, Duration::from_secs(5)).unwrap();
    let drawn: f64 = series.steps.steps().iter().map(|step| step.value.energy.cpu().unwrap().joules()).sum();
    assert!((drawn - 300.0).abs() < 100.0, "{drawn} J");
}

#[test]
fn errors_of_the_api_are_passed_on() {
    let server = Server::start(|_| {
        let body = r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": too long"}"#;
        Reply::Full(400, vec![], body.into())
    });
    let error = view(&server.url()).inventory(range()).unwrap_err();
    assert!(matches!(error, ViewError::Unavailable { .. }));
    let text = error.to_string();
    assert!(text.contains("bad_data") && text.contains("too long") && text.contains(&server.url()), "{text}");
}

#[test]
fn what_is_not_prometheus_is_named_and_no_secret_shown() {
    for (reply, expected) in [
        (Reply::status(401), "check the token"),
        (Reply::ok("<html>"), "not of the Prometheus HTTP API"),
        (
            Reply::ok(r#"{"status":"success","data":{"resultType":"tensor","result":[]}}"#),
            "not of the Prometheus HTTP API",
        ),
        (Reply::Truncated(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#.into()), "is broken"),
        (Reply::Silent(Duration::from_secs(2)), "within 0.3 s"),
    ] {
        let server = Server::start(move |_| reply.clone());
        let mut options = PrometheusOptions::default();
        options.http.timeout = Duration::from_millis(300);
        options.auth = Auth::Bearer(Secret::new("prom-secret"));
        let address = server.url().replace("http://", "http://ada:url-secret@") + "/prefix/";
        let view = PrometheusView::new(&address, options).unwrap();
        let error = view.inventory(range()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("secret") && !view.name().contains("secret"), "{error}");
        let asked = &server.asked()[0];
        assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/prefix/api/v1/query"));
        assert_eq!(asked.header("authorization"), Some("Bearer prom-secret"));
    }
}

#[test]
fn warnings_of_the_server_are_among_what_is_left_out() {
    let server = Server::start(|request| {
        // `+` and `%` as a form writes them.
        let value = match &request.body {
            body if body.contains("up%7B") => {
                return Reply::ok(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#);
            }
            body if body.contains("count_over_time") => 20,
            body if body.contains("min_over_time") => 1_777_593_600,
            _ => 1_777_593_900,
        };
        Reply::ok(format!(
            r#"{{"status":"success","warnings":["store 2 is away"],"data":{{"resultType":"vector","result":[
            {{"metric":{{"node_name":"n1","zone":"package"}},"value":[1777593900,"{value}"]}}]}}}}"#
        ))
    });
    let inventory = view(&server.url()).inventory(range()).unwrap();
    assert_eq!(inventory.skipped.len(), 1);
    assert_eq!(inventory.skipped[0].reason, "store 2 is away");
}

#[test]
fn what_pods_choose_is_read_of_what_their_exporters_show() {
    let server = Server::start(|request| {
        if request.body.contains("kepler_pod_info") {
            return Reply::ok(
                r#"{"status":"success","data":{"resultType":"vector","result":[
                {"metric":{"__name__":"kepler_pod_info","instance":"10.0.0.1:28282","job":"kepler","node_name":"n1","pod_id":"a","pod_name":"web-1","pod_namespace":"shop","label_track":"canary","label_app_kubernetes_io_name":"web"},"value":[1777593900,"1"]},
                {"metric":{"__name__":"kepler_pod_info","label_app":"of no pod"},"value":[1777593900,"1"]},
                {"metric":{"__name__":"kepler_pod_info","pod_id":"b","pod_name":"bare"},"value":[1777593900,"1"]}]}}"#,
            );
        }
        assert!(request.body.contains("kepler_pod_annotation_info"), "{}", request.body);
        Reply::ok(
            r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"pod_id":"a","annotation":"budget","value":"20 g/h","written_as":"annotation"},"value":[1777593900,"1"]},
            {"metric":{"pod_id":"a","annotation":"language","value":"ko","written_as":"label"},"value":[1777593900,"1"]},
            {"metric":{"annotation":"pue","value":"1.2"},"value":[1777593900,"1"]}]}}"#,
        )
    });
    let choices = view(&server.url()).choices();
    let own: Vec<_> = choices.pods["a"].iter().map(|own| (&*own.name, &*own.value, own.is_label)).collect();
    assert_eq!((choices.pods.len(), own), (1, vec![("budget", "20 g/h", false), ("language", "ko", true)]));
    let labels: Vec<_> = choices.labels["a"].iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!((choices.labels.len(), labels), (1, vec![("app_kubernetes_io_name", "web"), ("track", "canary")]));
    let refusing = Server::start(|_| Reply::status(503));
    let choices = view(&refusing.url()).choices();
    assert!(choices.pods.is_empty() && choices.labels.is_empty());
}

#[test]
fn labels_are_known_where_a_server_refuses_annotations() {
    let server = Server::start(|request| {
        if request.body.contains("annotation") {
            return Reply::status(422);
        }
        Reply::ok(
            r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"pod_id":"a","label_app":"web"},"value":[1777593900,"1"]}]}}"#,
        )
    });
    let choices = view(&server.url()).choices();
    assert!(choices.pods.is_empty());
    assert_eq!(choices.labels["a"], [("app".to_owned(), "web".to_owned())]);
}

#[test]
fn a_label_that_is_none_is_refused() {
    let mut options = PrometheusOptions::default();
    options.matchers = vec![("a} or up{b".into(), "x".into())];
    assert!(PrometheusView::new("http://localhost", options).is_err());
    assert!(matches!(
        view("http://localhost").inventory(TimeRange { start: range().end, end: range().start }),
        Err(ViewError::Invalid { .. })
    ));
}
