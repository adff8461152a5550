//! The history as a source of figures.

use crate::TempHistory;
use crate::snapshots::{START, at, container, pod, process, row, snapshot, unit, zone};
use jiff::Timestamp;
use kepler_compliance::history::{History, HistoryOptions, HistoryReader};
use kepler_compliance::view::{
    EnergySplit, EnergyView, HistoryRing, RingOptions, StepUsage, Subject, TimeRange, ViewError, WorkloadEnergy,
    WorkloadKind,
};
use kepler_core::meter::Method;
use kepler_core::snapshot::State;
use kepler_core::units::{Energy, ZoneKind};
use kepler_core::workload::PodOwner;
use std::time::Duration;

#[test]
fn a_pod_is_found_by_its_controller_and_keeps_it() {
    let temp = TempHistory::new();
    let history = temp.open();
    for sequence in 1..=3u64 {
        let mut snapshot = snapshot(sequence, at(sequence * 60), sequence * 4_000_000);
        let mut web = pod("web-7d8dd5b5cd-nxkkj", "shop");
        // It is not reported at first, nor after the pod is gone from the list.
        web.owner = (sequence == 2).then(|| PodOwner::new("Deployment", "web"));
        snapshot.pods.push(row(web, sequence * 1_000_000));
        let mut report = pod("report-29931696-x", "shop");
        report.owner = Some(PodOwner::new("CronJob", "report"));
        snapshot.pods.push(row(report, sequence * 1_000_000));
        history.record(&snapshot).unwrap();
    }
    let inventory = history.inventory(range(0, 600)).unwrap();
    let owner = |name: &str| {
        let row = inventory.workloads.iter().find(|row| row.id.name.starts_with(name)).unwrap();
        row.owner.as_ref().map(|owner| (owner.kind, owner.name.to_string()))
    };
    assert_eq!(owner("web"), Some((WorkloadKind::Deployment, "web".to_owned())));
    assert_eq!(owner("report"), Some((WorkloadKind::Job, "report".to_owned())));
}

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn time(seconds: u64) -> Timestamp {
    Timestamp::from_second((START + seconds) as i64).unwrap()
}

pub(crate) fn range(from: u64, to: u64) -> TimeRange {
    TimeRange { start: time(from), end: time(to) }
}

/// One hour, a record a minute: a pod of 10 W with a container, a unit of 1 W, a job that ends after 30
/// minutes, and `dram` beside `package`. 20 W in all.
pub(crate) fn hour(temp: &TempHistory) -> History {
    let history = temp.open_with(HistoryOptions::default().with(|options| options.node = "node-1".into()));
    for minute in 0..=60u64 {
        let joules = |watts: u64| watts * minute * 60 * 1_000_000;
        let mut snapshot = snapshot(minute + 1, at(minute * 60), joules(20));
        snapshot.node.zones[ZoneKind::Dram] = Some(zone(joules(4)));
        let web = pod("web", "shop");
        snapshot.pods.push(row(web.clone(), joules(10)));
        snapshot.containers.push(row(container("c0ffee", Some(web)), joules(10)));
        snapshot.units.push(row(unit("sshd.service"), joules(1)));
        snapshot.processes.push(row(process(7, "nginx"), joules(5)));
        snapshot.processes.push(row(process(8, "nginx"), joules(5)));
        if minute <= 40 {
            let mut job = row(unit("job.service"), 2 * minute.min(30) * 60 * 1_000_000);
            job.state = if minute < 30 { State::Running } else { State::Terminated };
            snapshot.units.push(job);
        }
        history.record(&snapshot).unwrap();
    }
    history
}

fn find<'a>(workloads: &'a [WorkloadEnergy], name: &str) -> &'a WorkloadEnergy {
    workloads.iter().find(|workload| &*workload.id.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn package(workload: &WorkloadEnergy) -> f64 {
    workload.energy.zones[ZoneKind::Package].unwrap().joules()
}

#[test]
fn an_inventory_lists_what_ran_and_what_it_used() {
    let temp = TempHistory::new();
    let history = hour(&temp);
    let inventory = history.inventory(range(0, 3600)).unwrap();
    assert_eq!(inventory.coverage, 1.0);
    assert_eq!(inventory.covered, range(0, 3600));
    let node = &inventory.nodes[0];
    let zone = node.zones[ZoneKind::Package].as_ref().unwrap();
    assert_eq!((&*node.name, node.processors), ("node-1", Some(4)));
    assert_eq!(zone.energy, Energy::from_joules(72_000.0));
    assert_eq!(zone.active.unwrap() + zone.idle.unwrap(), zone.energy);
    assert_eq!((&*zone.source, zone.method), ("powercap", Method::Measured));
    assert_eq!(zone.power.unwrap().watts(), 20.0);
    assert!(node.zones[ZoneKind::Psys].is_none());

    let web = find(&inventory.workloads, "web");
    assert_eq!((web.id.kind, web.id.namespace.as_deref(), &*web.id.uid), (WorkloadKind::Pod, Some("shop"), "uid-web"));
    assert_eq!(package(web), 36_000.0);
    assert_eq!(web.energy.zones[ZoneKind::Dram], Some(Energy::ZERO), "the node has this zone: zero, not unknown");
    assert_eq!(web.energy.zones[ZoneKind::Psys], None, "the node has no such zone");
    assert_eq!(web.power.unwrap().total().unwrap().watts(), 10.0);
    let unnamed = find(&inventory.workloads, "c0ffee");
    assert_eq!((unnamed.id.kind, unnamed.id.namespace.as_deref()), (WorkloadKind::Container, Some("shop")));
    let nginx = find(&inventory.workloads, "nginx");
    assert_eq!((nginx.id.kind, package(nginx)), (WorkloadKind::Process, 36_000.0));

    let job = find(&inventory.workloads, "job.service");
    assert!(!job.running && job.power.is_none());
    assert_eq!(package(job), 3_600.0);
}

#[test]
fn a_range_gets_its_share_of_the_intervals_at_its_edges() {
    let temp = TempHistory::new();
    let history = hour(&temp);
    let inventory = history.inventory(range(150, 750)).unwrap();
    assert_eq!(package(find(&inventory.workloads, "web")), 6_000.0);
    let early = history.inventory(range(0, 300)).unwrap();
    assert!(!find(&early.workloads, "web").running, "what runs now is not known of a time long past");
}

#[test]
fn time_without_records_is_not_covered() {
    let temp = TempHistory::new();
    let history = hour(&temp);
    let inventory = history.inventory(range(1800, 5400)).unwrap();
    assert_eq!(inventory.coverage, 0.5);
    assert_eq!(inventory.covered, range(1800, 3600));
    assert!(matches!(history.inventory(range(7200, 9000)), Err(ViewError::NoData { .. })));
    assert!(matches!(history.inventory(range(9000, 7200)), Err(ViewError::Invalid { .. })));
}

#[test]
fn a_series_has_the_energy_of_the_inventory() {
    let temp = TempHistory::new();
    let history = hour(&temp);
    let web = find(&history.inventory(range(0, 3600)).unwrap().workloads, "web").id.clone();
    for subject in [Subject::Workloads(vec![web.clone(), web]), Subject::Namespace("shop".into())] {
        let series = history.series(&subject, range(0, 3600), 10 * MINUTE).unwrap();
        assert_eq!(series.steps.steps().len(), 6);
        let sums = series.steps.steps().iter().map(|step| step.value.energy.total().unwrap().joules());
        assert!(sums.eq([6_000.0; 6]));
        assert_eq!((series.coverage, series.method), (1.0, Method::Measured));
    }
    let node = history.series(&Subject::Cluster, range(0, 3600), 20 * MINUTE).unwrap();
    let package = |position: usize| node.steps.steps()[position].value.energy.zones[ZoneKind::Package].unwrap();
    assert_eq!((package(0).joules(), package(2).joules()), (24_000.0, 24_000.0));
    let whole = history.inventory(range(0, 3600)).unwrap();
    let zone = whole.nodes[0].zones[ZoneKind::Package].as_ref().unwrap();
    let sum = |part: fn(&StepUsage) -> EnergySplit| -> Energy {
        node.steps.steps().iter().map(|step| part(&step.value).zones[ZoneKind::Package].unwrap()).sum()
    };
    assert_eq!(Some(sum(|usage| usage.idle)), zone.idle);
    assert_eq!(Some(sum(|usage| usage.unattributed)), zone.unattributed);
    assert!(matches!(
        history.series(&Subject::Node("other".into()), range(0, 3600), MINUTE),
        Err(ViewError::NoData { .. })
    ));
}

#[test]
fn steps_finer_than_the_file_become_a_whole_multiple_and_gaps_stay_gaps() {
    let temp = TempHistory::new();
    let history = hour(&temp);
    let job = find(&history.inventory(range(0, 3600)).unwrap().workloads, "job.service").id.clone();
    let series = history.series(&Subject::Workloads(vec![job]), range(0, 3600), 2 * MINUTE).unwrap();
    let steps = series.steps.steps();
    assert_eq!(steps[0].length(), 6 * MINUTE);
    assert_eq!(steps.last().unwrap().end, time(1800), "nothing after the job's end");
    let sum: Energy = steps.iter().map(|step| step.value.energy.total().unwrap()).sum();
    assert_eq!(sum, Energy::from_joules(3_600.0));
    assert_eq!(series.coverage, 0.5);
}

#[test]
fn a_step_known_in_part_is_cut_to_that_part() {
    let temp = TempHistory::new();
    let history = hour(&temp);
    let range = TimeRange { start: Timestamp::from_second(START as i64 - 600).unwrap(), end: time(3600 + 600) };
    let series = history.series(&Subject::Cluster, range, 25 * MINUTE).unwrap();
    let steps: Vec<_> = series.steps.steps().iter().map(|step| (step.start, step.end)).collect();
    assert_eq!(steps, [(time(0), time(900)), (time(900), time(2400)), (time(2400), time(3600))]);
    assert_eq!(series.steps.steps()[0].value.energy.zones[ZoneKind::Package], Some(Energy::from_joules(18_000.0)));
}

#[test]
fn an_estimate_is_said_to_be_one() {
    let temp = TempHistory::new();
    let history = temp.open();
    for second in 0..4u64 {
        let mut snapshot = snapshot(second + 1, at(second), second * 10);
        if let Some(zone) = &mut snapshot.node.zones[ZoneKind::Package] {
            zone.source = "model";
            zone.method = Method::Estimated { error_ratio: 0.1 * second as f64 };
        }
        history.record(&snapshot).unwrap();
    }
    let inventory = history.inventory(range(0, 4)).unwrap();
    let zone = inventory.nodes[0].zones[ZoneKind::Package].clone().unwrap();
    assert_eq!((&*zone.source, zone.method), ("model", Method::Estimated { error_ratio: 0.1 * 3.0 }));
}

/// The weakest of a time holds for it, in whatever order they come, and a half is not taken for a whole.
#[test]
fn what_is_partly_measured_is_neither_measured_nor_estimated() {
    let partial = |error_ratio| Method::Partial { error_ratio };
    let estimated = |error_ratio| Method::Estimated { error_ratio };
    for (methods, expected) in [
        ([Method::Measured, partial(0.2), Method::Measured], partial(0.2)),
        ([partial(0.1), partial(0.3), partial(0.2)], partial(0.3)),
        ([partial(0.4), estimated(0.2), Method::Measured], estimated(0.4)),
        ([estimated(0.2), partial(0.1), partial(0.1)], estimated(0.2)),
        ([Method::Measured; 3], Method::Measured),
    ] {
        let temp = TempHistory::new();
        let history = temp.open();
        // The first reading only lays the ground.
        history.record(&snapshot(1, at(0), 0)).unwrap();
        for (second, method) in (1..).zip(methods) {
            let mut snapshot = snapshot(second + 1, at(second), second * 10);
            if let Some(zone) = &mut snapshot.node.zones[ZoneKind::Package] {
                zone.method = method;
            }
            history.record(&snapshot).unwrap();
        }
        let inventory = history.inventory(range(0, 4)).unwrap();
        assert_eq!(inventory.nodes[0].zones[ZoneKind::Package].as_ref().unwrap().method, expected, "{methods:?}");
        let series = history.series(&Subject::Cluster, range(0, 3), Duration::from_secs(1)).unwrap();
        assert_eq!(series.method, expected);
    }
}

#[test]
fn what_was_recorded_outlives_the_writer() {
    let temp = TempHistory::new();
    drop(hour(&temp));
    let reader = HistoryReader::open(temp.path()).unwrap();
    assert_eq!(package(find(&reader.inventory(range(0, 3600)).unwrap().workloads, "web")), 36_000.0);
    drop(reader);
    let history = temp.open_with(HistoryOptions::default().with(|options| options.node = "node-1".into()));
    let inventory = history.inventory(range(0, 3600)).unwrap();
    assert!(!find(&inventory.workloads, "web").running, "the new writer has not seen it yet");
}

#[test]
fn pods_named_later_get_their_name() {
    let temp = TempHistory::new();
    let history = temp.open();
    for (sequence, name) in [(1, ""), (2, ""), (3, "web")] {
        let mut snapshot = snapshot(sequence, at(sequence * 10), sequence);
        snapshot.pods.push(row(pod(name, if name.is_empty() { "" } else { "shop" }), sequence));
        let mut info = pod(name, "shop");
        info.id = "42".into();
        snapshot.pods[0].info = std::sync::Arc::new(info);
        history.record(&snapshot).unwrap();
    }
    let inventory = history.inventory(range(0, 60)).unwrap();
    assert_eq!(inventory.workloads.len(), 1);
    assert_eq!(package(find(&inventory.workloads, "web")), 0.000_002);
}

/// Energy and CPU time of a row by its name, and the coverage of an hour.
fn used_by(view: &dyn EnergyView, name: &str) -> (f64, Duration, f64) {
    let inventory = view.inventory(range(0, 3600)).unwrap();
    let row = find(&inventory.workloads, name);
    (package(row), row.cpu_time.unwrap(), inventory.coverage)
}

#[test]
fn a_ring_and_a_history_tell_the_same_of_a_sampler_that_starts_again() {
    let (temp, ring) = (TempHistory::new(), HistoryRing::new("ring", "node", RingOptions::default()));
    let history = temp.open();
    // The sampler starts again after half an hour, and is first looked at after five of its intervals of a minute.
    let joules = |minute: u64| minute * 60 * 1_000_000;
    for (sequence, minute, counted) in (0..30).map(|m| (m + 1, m, m)).chain((35..=60).map(|m| (m - 29, m, m - 30))) {
        let mut snapshot = snapshot(sequence, at(minute * 60), joules(counted));
        snapshot.interval = MINUTE;
        let mut service = row(unit("sshd.service"), joules(counted));
        // CPU time of a group begins again with the sampler as well.
        service.cpu_time = Duration::from_secs(counted);
        snapshot.units.push(service);
        ring.record(&snapshot);
        history.record(&snapshot).unwrap();
    }
    let (ring, history) = (used_by(&ring, "sshd.service"), used_by(&history, "sshd.service"));
    assert_eq!(ring, history);
    assert_eq!((ring.0, ring.1), (59.0 * 60.0, Duration::from_secs(59)), "29 minutes before, 30 after");
    assert!((ring.2 - 59.0 / 60.0).abs() < 1e-9, "the minute between the two samplers is a gap: {}", ring.2);
}

#[test]
fn a_platform_that_is_measured_is_the_total_where_the_package_is_estimated() {
    let temp = TempHistory::new();
    let history = temp.open_with(HistoryOptions::default().with(|options| options.node = "node-1".into()));
    let record = |minute: u64, has_platform: bool| {
        let joules = |watts: u64| watts * minute * 60 * 1_000_000;
        let mut snapshot = snapshot(minute + 1, at(minute * 60), joules(20));
        snapshot.node.zones[ZoneKind::Package].as_mut().unwrap().method = Method::Estimated { error_ratio: 0.4 };
        snapshot.node.zones[ZoneKind::Psys] = has_platform.then(|| zone(joules(50)));
        let mut web = row(unit("web.service"), joules(10));
        web.energy[ZoneKind::Psys] = Energy::from_microjoules(joules(25));
        snapshot.units.push(web);
        history.record(&snapshot).unwrap();
    };
    (0..=30).for_each(|minute| record(minute, true));
    let inventory = history.inventory(range(0, 1800)).unwrap();
    let watts = |joules: Option<Energy>| joules.unwrap().joules() / 1800.0;
    assert_eq!(watts(inventory.nodes[0].energy().total()), 50.0);
    let web = find(&inventory.workloads, "web.service");
    assert_eq!((watts(web.energy.total()), web.method), (25.0, Method::Measured));
    assert_eq!(web.power.unwrap().total().unwrap().watts(), 25.0);
    for (subject, expected) in [(Subject::Cluster, 50.0), (Subject::Workloads(vec![web.id.clone()]), 25.0)] {
        let series = history.series(&subject, range(0, 1800), MINUTE).unwrap();
        let sum = series.steps.steps().iter().filter_map(|step| step.value.energy.total()).reduce(|a, b| a + b);
        assert_eq!((watts(sum), series.method), (expected, Method::Measured), "{subject:?}");
    }
    // Without it for a while, the parts are what is known of the whole time.
    (31..=60).for_each(|minute| record(minute, false));
    let inventory = history.inventory(range(0, 3600)).unwrap();
    assert_eq!(inventory.nodes[0].energy().total(), Some(Energy::from_joules(72_000.0)));
    assert_eq!(inventory.nodes[0].method(), Method::Estimated { error_ratio: 0.4 });
}
