//! Accelerators in `/metrics`: families of their own, one series a device where there are several.

use crate::support::{Sample, accelerated, exporter, options, parse, text, values};
use kepler_core::snapshot::Snapshot;
use kepler_core::units::ZoneKind;
use kepler_http::Format;

fn samples(snapshot: Snapshot, summed: bool) -> Vec<Sample> {
    let options = options().with(|options| options.gpus_summed = summed);
    parse(&text(&exporter(Some(snapshot), options), Format::Text), Format::Text)
}

#[test]
fn each_device_has_its_figures_and_what_is_not_known_is_absent() {
    let samples = samples(accelerated(), false);
    let first = [("gpu", "0"), ("gpu_uuid", "GPU-4f1c"), ("gpu_name", "H200"), ("vendor", "nvidia")];
    for (name, value) in [
        ("kepler_node_gpu_info", "1"),
        ("kepler_node_gpu_joules_total", "300"),
        ("kepler_node_gpu_watts", "300"),
        ("kepler_node_gpu_active_joules_total", "250"),
        ("kepler_node_gpu_active_watts", "250"),
        ("kepler_node_gpu_idle_joules_total", "50"),
        ("kepler_node_gpu_idle_watts", "50"),
        ("kepler_node_gpu_unattributed_joules_total", "50"),
        ("kepler_node_gpu_usage_ratio", "0.9"),
    ] {
        assert_eq!(values(&samples, name, &first), [value], "{name}");
    }
    let second = [("gpu", "1")];
    assert_eq!(values(&samples, "kepler_node_gpu_watts", &second), ["70"]);
    assert_eq!(values(&samples, "kepler_node_gpu_unsplit_joules_total", &second), ["70"]);
    for absent in ["kepler_node_gpu_idle_watts", "kepler_node_gpu_active_watts", "kepler_node_gpu_usage_ratio"] {
        assert!(values(&samples, absent, &second).is_empty(), "{absent}");
    }
}

#[test]
fn accelerators_are_no_zone_of_the_processors() {
    let samples = samples(accelerated(), false);
    for sample in samples.iter().filter(|sample| sample.labels.get("zone").is_some_and(|zone| zone == "gpu")) {
        assert!(["kepler_power_source_info", "kepler_zone_events_total"].contains(&sample.name.as_str()), "{sample:?}");
    }
    let source = [("zone", "gpu"), ("source", "nvml"), ("method", "measured")];
    assert_eq!(values(&samples, "kepler_power_source_info", &source), ["1"]);
}

#[test]
fn a_workload_has_a_series_for_each_device_that_it_used() {
    let samples = samples(accelerated(), false);
    let first = [("gpu", "0"), ("gpu_uuid", "GPU-4f1c")];
    assert_eq!(values(&samples, "kepler_process_gpu_joules_total", &[&first[..], &[("pid", "20")]].concat()), ["200"]);
    assert_eq!(values(&samples, "kepler_process_gpu_watts", &[("pid", "20"), ("gpu", "0")]), ["200"]);
    assert_eq!(values(&samples, "kepler_container_gpu_joules_total", &[("container_id", "f00d")]), ["200"]);
    assert_eq!(values(&samples, "kepler_pod_gpu_joules_total", &[("pod_name", "web-0"), ("gpu", "1")]), ["3"]);
    assert_eq!(values(&samples, "kepler_pod_gpu_joules_total", &[("pod_name", "web-0")]).len(), 2);
    let gone = [("pid", "40"), ("state", "terminated")];
    assert_eq!(values(&samples, "kepler_process_gpu_joules_total", &gone), ["14"], "equal labels are one series");
    assert_eq!(values(&samples, "kepler_process_gpu_watts", &gone), ["0"]);
    assert!(values(&samples, "kepler_process_gpu_joules_total", &[("pid", "1")]).is_empty(), "it used none");
}

#[test]
fn one_series_a_workload_where_asked_for_or_where_there_is_one_device() {
    let mut one = accelerated();
    one.devices.truncate(1);
    one.pods[0].devices.truncate(1);
    for (snapshot, joules) in [(accelerated(), "203"), (one, "200")] {
        let summed = snapshot.devices.len() > 1;
        let samples = samples(snapshot, summed);
        let pods: Vec<_> = samples.iter().filter(|sample| sample.name == "kepler_pod_gpu_joules_total").collect();
        assert_eq!(pods.len(), 1);
        assert_eq!(pods[0].value, joules);
        assert!(!pods[0].labels.contains_key("gpu") && !pods[0].labels.contains_key("gpu_uuid"));
    }
}

#[test]
fn without_accelerators_there_are_no_such_families() {
    let mut snapshot = accelerated();
    snapshot.devices.clear();
    snapshot.node.zones[ZoneKind::Gpu] = None;
    let text = text(&exporter(Some(snapshot), options()), Format::OpenMetrics);
    assert!(!text.contains("_gpu_"), "{text}");
}
