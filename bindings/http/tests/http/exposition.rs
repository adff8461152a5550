//! What `/metrics` says, read back by a strict small parser.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use crate::support::{Sample, exporter, inhabited, options, parse, process, row, snapshot, text, values};
use kepler_core::snapshot::{PowerInterval, State};
use kepler_core::units::{Energy, Power, ZoneKind};
use kepler_http::{Compat, FacilityFigure, FacilityFigures, FacilitySource, Format, Levels};
use proptest::prelude::*;
use std::time::Duration;

fn samples(snapshot: kepler_core::snapshot::Snapshot) -> Vec<Sample> {
    parse(&text(&exporter(Some(snapshot), options()), Format::Text), Format::Text)
}

/// Name, type and labels of each family, as METRICS.md and Kepler v0.11 have them.
const CONTRACT: &str = "\
kepler_build_info gauge arch,branch,goversion,revision,rustversion,version
kepler_node_cpu_info gauge core_id,model_name,physical_id,processor,vendor_id
kepler_read_errors_total counter node_name,reason,source
kepler_estimate_warnings_total counter node_name,reason,source
kepler_last_success_timestamp_seconds gauge node_name,source
kepler_exporter_collect_seconds gauge node_name
kepler_exporter_cpu_seconds_total counter node_name
kepler_exporter_resident_bytes gauge node_name
process_cpu_seconds_total counter
process_open_fds gauge
process_max_fds gauge
process_virtual_memory_bytes gauge
process_resident_memory_bytes gauge
process_start_time_seconds gauge
kepler_pod_info gauge node_name,owner_kind,owner_name,pod_id,pod_name,pod_namespace,qos_class
kepler_container_info gauge container_id,container_kind,container_name,node_name,pod_id,pod_name,pod_namespace
kepler_pod_resource_requests gauge node_name,pod_id,pod_name,pod_namespace,resource,unit
kepler_pod_resource_limits gauge node_name,pod_id,pod_name,pod_namespace,resource,unit
kepler_container_resource_requests gauge container_id,container_name,node_name,pod_id,resource,unit
kepler_container_resource_limits gauge container_id,container_name,node_name,pod_id,resource,unit
kepler_node_cpu_usage_ratio gauge node_name
kepler_node_cpu_joules_total counter node_name,path,zone
kepler_node_cpu_watts gauge node_name,path,zone
kepler_node_cpu_active_joules_total counter node_name,path,zone
kepler_node_cpu_active_watts gauge node_name,path,zone
kepler_node_cpu_idle_joules_total counter node_name,path,zone
kepler_node_cpu_idle_watts gauge node_name,path,zone
kepler_node_cpu_unattributed_joules_total counter node_name,zone
kepler_attribution_weight_info gauge node_name,weight,zone
kepler_attribution_error_watts gauge node_name,weight,zone
kepler_power_source_info gauge method,node_name,source,zone
kepler_power_source_error_ratio gauge node_name,source,zone
kepler_estimate_correction_ratio gauge node_name,source,zone
kepler_estimate_correction_age_seconds gauge node_name,source,zone
kepler_node_cpu_idle_info gauge knowledge,node_name,zone
kepler_zone_events_total counter kind,node_name,zone
kepler_process_cpu_joules_total counter comm,container_id,exe,node_name,pid,state,type,vm_id,zone
kepler_process_cpu_watts gauge comm,container_id,exe,node_name,pid,state,type,vm_id,zone
kepler_process_cpu_seconds_total counter comm,container_id,exe,node_name,pid,type,vm_id
kepler_container_cpu_joules_total counter container_id,container_name,node_name,pod_id,runtime,state,zone
kepler_container_cpu_watts gauge container_id,container_name,node_name,pod_id,runtime,state,zone
kepler_container_cpu_seconds_total counter container_id,container_name,node_name,pod_id,runtime,state
kepler_vm_cpu_joules_total counter hypervisor,node_name,state,vm_id,vm_name,zone
kepler_vm_cpu_watts gauge hypervisor,node_name,state,vm_id,vm_name,zone
kepler_pod_cpu_joules_total counter node_name,pod_id,pod_name,pod_namespace,state,zone
kepler_pod_cpu_watts gauge node_name,pod_id,pod_name,pod_namespace,state,zone
kepler_unit_cpu_joules_total counter cgroup,node_name,state,unit,zone
kepler_unit_cpu_watts gauge cgroup,node_name,state,unit,zone
kepler_unit_cpu_seconds_total counter cgroup,node_name,state,unit
kepler_job_cpu_joules_total counter cgroup,job_id,node_name,scheduler,state,zone
kepler_job_cpu_watts gauge cgroup,job_id,node_name,scheduler,state,zone
kepler_job_cpu_seconds_total counter cgroup,job_id,node_name,scheduler,state
";

#[test]
fn names_types_and_labels_are_those_of_the_contract() {
    let text = text(&exporter(Some(inhabited()), options()), Format::Text);
    let samples = parse(&text, Format::Text);
    let mut found = String::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, _) = line.split_once(' ').unwrap();
        let of_family: Vec<_> = samples.iter().filter(|sample| sample.name == name).collect();
        let labels: Vec<&str> = of_family[0].labels.keys().map(String::as_str).collect();
        assert!(of_family.iter().all(|sample| sample.labels.keys().eq(labels.iter())), "{name}");
        found += format!("{line} {}", labels.join(",")).trim_end();
        found.push('\n');
    }
    assert_eq!(found, CONTRACT);
}

#[test]
fn what_electricity_emits_and_costs_is_told_with_its_source_as_far_as_it_is_known() {
    let mut figures = FacilityFigures::default();
    figures.zone = "SE".into();
    figures.grid_intensity = Some(FacilityFigure::new(35.8, "published", "https://a.example/\"x\""));
    figures.price = Some((0.2, "EUR".into()));
    let options = options().with(|options| options.facility = Some(FacilitySource::new(move || figures.clone())));
    let samples = parse(&text(&exporter(Some(inhabited()), options), Format::Text), Format::Text);
    let grid = [("node_name", "node-1"), ("zone", "SE"), ("method", "published")];
    assert_eq!(values(&samples, "kepler_grid_intensity_grams_per_kwh", &grid), ["35.8"]);
    assert_eq!(values(&samples, "kepler_energy_price", &[("currency", "EUR")]), ["0.2"]);
    assert!(values(&samples, "kepler_facility_pue", &[]).is_empty(), "not known is no series");
}

#[test]
fn a_zone_that_nothing_reads_any_more_has_its_books_and_no_source() {
    let mut snapshot = inhabited();
    let zone = snapshot.node.zones[ZoneKind::Package].as_mut().unwrap();
    (zone.power, zone.fault, zone.is_lost) = (None, Some("stuck"), true);
    let samples = samples(snapshot);
    let package = [("zone", "package")];
    assert_eq!(values(&samples, "kepler_node_cpu_joules_total", &package), ["120.5"]);
    for family in ["kepler_node_cpu_watts", "kepler_power_source_info"] {
        assert!(values(&samples, family, &package).is_empty(), "{family}");
    }
    assert_eq!(values(&samples, "kepler_power_source_info", &[("zone", "dram")]), ["1"]);
}

#[test]
fn figures_are_those_of_the_snapshot() {
    let samples = samples(inhabited());
    let one = |name: &str, labels: &[(&str, &str)]| {
        let found = values(&samples, name, labels);
        assert_eq!(found.len(), 1, "{name} {labels:?}");
        found[0].to_owned()
    };
    assert_eq!(one("kepler_node_cpu_joules_total", &[("zone", "package"), ("node_name", "node-1")]), "120.5");
    assert_eq!(one("kepler_node_cpu_watts", &[]), "20.5");
    assert_eq!(one("kepler_node_cpu_usage_ratio", &[]), "0.25");
    assert_eq!(one("kepler_power_source_info", &[("zone", "dram"), ("method", "estimated"), ("source", "model")]), "1");
    assert_eq!(one("kepler_power_source_error_ratio", &[]), "0.3");
    assert_eq!(one("kepler_zone_events_total", &[("zone", "package"), ("kind", "wrap")]), "3");
    assert_eq!(one("kepler_read_errors_total", &[("reason", "permission_denied")]), "2");
    assert_eq!(one("kepler_estimate_warnings_total", &[("reason", "outside_range"), ("source", "model")]), "4");
    assert_eq!(one("kepler_exporter_collect_seconds", &[]), "0.0015");
    assert_eq!(one("kepler_process_cpu_joules_total", &[("pid", "1"), ("type", "regular"), ("zone", "dram")]), "1.5");
    assert_eq!(one("kepler_process_cpu_seconds_total", &[("container_id", "f00d"), ("type", "container")]), "1.25");
    assert_eq!(one("kepler_process_cpu_seconds_total", &[("vm_id", "6b1f"), ("type", "vm")]), "1.25");
    assert_eq!(one("kepler_pod_cpu_joules_total", &[("pod_name", "web-0"), ("zone", "package")]), "2");
    assert_eq!(one("kepler_unit_cpu_watts", &[("unit", "sshd.service")]), "0.5");
    let cores = [("pod_name", "web-0"), ("resource", "cpu"), ("unit", "core")];
    assert_eq!(one("kepler_pod_resource_requests", &cores), "0.25");
    let bytes = [("container_id", "f00d"), ("resource", "memory"), ("unit", "byte")];
    assert_eq!(one("kepler_container_resource_limits", &bytes), "134217728");
    let job = [("job_id", "4711"), ("scheduler", "slurm"), ("state", "running")];
    assert_eq!(one("kepler_job_cpu_joules_total", &[&job[..], &[("zone", "package")]].concat()), "4");
    assert_eq!(
        (one("kepler_job_cpu_watts", &job), one("kepler_job_cpu_seconds_total", &job)),
        ("0.5".into(), "1.25".into())
    );
}

#[test]
fn an_estimate_has_an_interval_and_a_measurement_has_none() {
    let mut snapshot = snapshot();
    let (lower, upper) = (Power::from_watts(10.38), Power::from_watts(40.5));
    snapshot.node.zones[ZoneKind::Dram].as_mut().unwrap().interval = Some(PowerInterval::new(lower, upper));
    let samples = samples(snapshot);
    for (name, watts) in [("kepler_node_cpu_watts_lower", 10.38), ("kepler_node_cpu_watts_upper", 40.5)] {
        let found = values(&samples, name, &[]);
        assert_eq!(found.len(), 1, "{name}");
        assert!((found[0].parse::<f64>().unwrap() - watts).abs() < 0.01, "{name} {}", found[0]);
        assert_eq!(values(&samples, name, &[("zone", "dram")]).len(), 1);
    }
}

#[test]
fn a_terminated_process_keeps_its_joules_and_has_no_power() {
    let samples = samples(inhabited());
    let gone = [("pid", "40"), ("state", "terminated"), ("zone", "package")];
    assert_eq!(values(&samples, "kepler_process_cpu_joules_total", &gone), ["0.125"]);
    assert_eq!(values(&samples, "kepler_process_cpu_watts", &gone), ["0"]);
}

#[test]
fn a_zone_without_a_source_is_absent_and_one_without_a_reading_has_no_watts() {
    let samples = samples(inhabited());
    for zone in ["core", "uncore", "psys"] {
        assert!(samples.iter().all(|sample| sample.labels.get("zone").is_none_or(|have| have != zone)));
    }
    for sample in samples.iter().filter(|sample| sample.name.ends_with("_watts")) {
        assert_eq!(sample.labels["zone"], "package", "{}", sample.name);
    }
    let mut blind = inhabited();
    blind.node.zones[ZoneKind::Package] = None;
    blind.node.zones[ZoneKind::Dram] = None;
    let text = text(&exporter(Some(blind), options()), Format::Text);
    assert!(!text.contains("zone=") && !text.contains("joules") && text.contains("kepler_process_cpu_seconds_total{"));
}

#[test]
fn the_first_snapshot_has_no_usage_ratio_because_it_has_no_interval() {
    let mut first = snapshot();
    first.interval = Duration::ZERO;
    assert!(values(&samples(first), "kepler_node_cpu_usage_ratio", &[]).is_empty());
}

#[test]
fn before_the_first_snapshot_the_build_is_known_and_nothing_else() {
    for format in [Format::Text, Format::OpenMetrics] {
        let samples = parse(&text(&exporter(None, options()), format), format);
        let names: std::collections::BTreeSet<_> = samples.iter().map(|sample| sample.name.as_str()).collect();
        // What every exporter says of its own process is known as well.
        let ours: Vec<_> = names.into_iter().filter(|name| !name.starts_with("process_")).collect();
        assert_eq!(
            ours,
            [
                "kepler_build_info",
                "kepler_exporter_cpu_seconds_total",
                "kepler_exporter_resident_bytes",
                "kepler_node_cpu_info"
            ]
        );
    }
}

#[test]
fn only_the_levels_asked_for_are_exported() {
    let options = options().with(|options| options.levels = Levels::NODE | Levels::POD);
    let text = text(&exporter(Some(inhabited()), options), Format::Text);
    assert!(text.contains("kepler_node_cpu_watts{") && text.contains("kepler_pod_cpu_watts{"));
    for other in ["kepler_process_", "kepler_container_", "kepler_vm_", "kepler_unit_"] {
        assert!(!text.contains(other), "{other}");
    }
}

#[test]
fn terminated_processes_with_equal_labels_are_one_series_with_their_sum() {
    let mut snapshot = snapshot();
    snapshot.processes = vec![
        row(process(9, 30, "sh", "/bin/sh"), State::Running, 1.0),
        row(process(9, 10, "sh", "/bin/sh"), State::Terminated, 0.25),
        row(process(9, 20, "sh", "/bin/sh"), State::Terminated, 0.5),
    ];
    let samples = samples(snapshot);
    let joules = |state| values(&samples, "kepler_process_cpu_joules_total", &[("state", state), ("zone", "package")]);
    assert_eq!(joules("running"), ["1"]);
    assert_eq!(joules("terminated"), ["0.75"]);
}

#[test]
fn processor_seconds_without_a_state_are_those_of_the_newest_process_of_that_number() {
    let mut snapshot = snapshot();
    let mut alive = row(process(9, 30, "sh", "/bin/sh"), State::Running, 1.0);
    alive.cpu_time = Duration::from_secs(3);
    let mut older = row(process(8, 10, "sh", "/bin/sh"), State::Terminated, 1.0);
    older.cpu_time = Duration::from_secs(1);
    let mut newer = row(process(8, 20, "sh", "/bin/sh"), State::Terminated, 1.0);
    newer.cpu_time = Duration::from_secs(2);
    snapshot.processes = vec![alive, row(process(9, 10, "sh", "/bin/sh"), State::Terminated, 0.25), older, newer];
    let samples = samples(snapshot);
    let seconds = |pid| values(&samples, "kepler_process_cpu_seconds_total", &[("pid", pid)]);
    assert_eq!(seconds("9"), ["3"]);
    assert_eq!(seconds("8"), ["2"]);
}

#[test]
fn groups_with_equal_labels_never_make_two_series() {
    let mut twice = inhabited();
    twice.containers.extend(twice.containers.clone());
    twice.vms.extend(twice.vms.clone());
    twice.pods.extend(twice.pods.clone());
    twice.units.extend(twice.units.clone());
    let options = options().with(|options| options.compat = Some(Compat::Kepler07));
    let samples = parse(&text(&exporter(Some(twice), options), Format::Text), Format::Text);
    assert_eq!(values(&samples, "kepler_vm_cpu_joules_total", &[("zone", "package")]), ["6"]);
    assert_eq!(values(&samples, "kepler_container_cpu_seconds_total", &[]), ["2.5"]);
}

#[test]
fn names_of_kepler_0_7_are_added_when_asked_for() {
    let plain = text(&exporter(Some(inhabited()), options()), Format::Text);
    let options = options().with(|options| options.compat = Some(Compat::Kepler07));
    for format in [Format::Text, Format::OpenMetrics] {
        let samples = parse(&text(&exporter(Some(inhabited()), options.clone()), format), format);
        let pod = [("pod_name", "web-0"), ("container_namespace", "shop"), ("mode", "dynamic")];
        assert_eq!(values(&samples, "kepler_container_joules_total", &pod), ["4"]);
        assert_eq!(values(&samples, "kepler_container_package_joules_total", &pod), ["2"]);
        assert_eq!(values(&samples, "kepler_container_dram_joules_total", &pod), ["2"]);
        assert_eq!(values(&samples, "kepler_node_package_joules_total", &[("mode", "idle")]), ["60.25"]);
        assert_eq!(values(&samples, "kepler_node_dram_joules_total", &[("mode", "dynamic")]), ["4"]);
        assert!(values(&samples, "kepler_node_platform_joules_total", &[]).is_empty());
    }
    assert!(!plain.contains("kepler_node_package_joules_total"));
}

#[test]
fn what_the_platform_draws_beside_is_known_where_all_parts_are() {
    let options = options().with(|options| options.compat = Some(Compat::Kepler07));
    let mut snapshot = inhabited();
    snapshot.node.zones[ZoneKind::Psys] = Some(crate::support::zone(300.0, None));
    snapshot.containers[0].energy[ZoneKind::Psys] = Energy::from_joules(7.0);
    let samples = parse(&text(&exporter(Some(snapshot), options), Format::Text), Format::Text);
    // Package 120.5 J and dram 8 J, half of each active; the container has 2 J of each.
    assert_eq!(values(&samples, "kepler_node_other_joules_total", &[("mode", "dynamic")]), ["85.75"]);
    assert_eq!(values(&samples, "kepler_container_other_joules_total", &[("pod_name", "web-0")]), ["3"]);
}

#[test]
fn names_by_the_zones_of_rapl_are_added_when_asked_for() {
    let options = options().with(|options| options.compat = Some(Compat::RaplNames));
    let mut snapshot = inhabited();
    snapshot.node.zones[ZoneKind::Dram] = Some(crate::support::zone(8.0, Some(2.0)));
    for format in [Format::Text, Format::OpenMetrics] {
        let samples = parse(&text(&exporter(Some(snapshot.clone()), options.clone()), format), format);
        let pod = [("pod", "web-0"), ("namespace", "shop")];
        assert_eq!(values(&samples, "kepler_node_package_energy_joule", &[("zone", "package-0")]), ["120.5"]);
        assert_eq!(values(&samples, "kepler_node_dram_energy_joule", &[("zone", "dram-0")]), ["8"]);
        assert_eq!(values(&samples, "kepler_container_joules_total", &pod), ["4"]);
        assert_eq!(values(&samples, "kepler_container_dram_joules_total", &pod), ["2"]);
        assert_eq!(
            values(&samples, "kepler_container_cpu_joules_total", &[("zone", "package"), pod[0], pod[1]]),
            ["2"]
        );
        assert_eq!(values(&samples, "kepler_pod_memory_watts", &pod).len(), 1);
    }
}

proptest! {
    #[test]
    fn any_label_value_reads_back_as_it_was(
        comm in "(\\PC|[\"\\\\\n\t\r\u{0}]){0,15}",
        exe in any::<String>(),
        node in "(\\PC|[\"\\\\\n]){0,20}",
    ) {
        let mut snapshot = snapshot();
        snapshot.processes = vec![row(process(5, 1, &comm, &exe), State::Running, 1.0)];
        let exporter = exporter(Some(snapshot), options().with(|options| options.node_name = node.clone()));
        for format in [Format::Text, Format::OpenMetrics] {
            let samples = parse(&text(&exporter, format), format);
            let process: Vec<_> = samples.iter().filter(|sample| sample.labels.contains_key("comm")).collect();
            prop_assert_eq!(process.len(), 2 + 1 + 1);
            for sample in process {
                prop_assert_eq!(&sample.labels["comm"], &comm);
                prop_assert_eq!(&sample.labels["exe"], &exe);
                prop_assert_eq!(&sample.labels["node_name"], &node);
            }
        }
    }

    #[test]
    fn whatever_rows_there_are_no_series_comes_twice(
        rows in proptest::collection::vec((1u32..4, 1u64..4, "[ab]", any::<bool>()), 0..20),
    ) {
        let mut snapshot = snapshot();
        snapshot.processes = rows
            .iter()
            .map(|(pid, start, comm, running)| {
                row(process(*pid, *start, comm, ""), if *running { State::Running } else { State::Terminated }, 1.0)
            })
            .collect();
        let samples = samples(snapshot);
        // Energy is neither lost nor doubled by merging.
        let sum: f64 = values(&samples, "kepler_process_cpu_joules_total", &[("zone", "package")])
            .iter()
            .map(|value| value.parse::<f64>().unwrap())
            .sum();
        prop_assert_eq!(sum, rows.len() as f64);
    }
}
