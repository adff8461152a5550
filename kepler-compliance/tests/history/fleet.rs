//! The history of a fleet.

use jiff::Timestamp;
use kepler_compliance::history::{FleetHistory, FleetHistoryOptions, History, HistoryError, HistoryOptions};
use kepler_compliance::units::{Energy, ZoneKind};
use kepler_compliance::view::{
    Containment, EnergySplit, EnergyView, Inventory, NodeEnergy, NodeZoneEnergy, Owner, Skipped, Subject, TimeRange,
    WorkloadEnergy, WorkloadId, WorkloadKind,
};
use kepler_core::meter::Method;
use std::time::Duration;

fn range(from: i64, to: i64) -> TimeRange {
    let at = |minute: i64| Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap();
    TimeRange { start: at(from), end: at(to) }
}

fn package(joules: f64) -> EnergySplit {
    let mut split = EnergySplit::default();
    split.zones[ZoneKind::Package] = Some(Energy::from_joules(joules));
    split
}

fn pod(node: &str, uid: &str, joules: f64) -> WorkloadEnergy {
    let mut id = WorkloadId::new(WorkloadKind::Pod, format!("web-{uid}"), uid, node);
    id.namespace = Some("shop".into());
    let mut row = WorkloadEnergy::new(id, package(joules), Method::Measured);
    row.owner = Some(Owner::new(WorkloadKind::Deployment, "web"));
    (row.containment, row.cpu_time) = (Containment::Outermost, Some(Duration::from_secs(10)));
    row
}

/// Two nodes, of which one is not measured; a pod on each, its container, and a node that is missing.
fn inventory(range: TimeRange, joules: f64) -> Inventory {
    let mut inventory = Inventory::new("poll 7", range, range, 2.0 / 3.0);
    for (name, method) in [("a", Method::Measured), ("b", Method::Estimated { error_ratio: 0.3 })] {
        let mut zone = NodeZoneEnergy::new(Energy::from_joules(4.0 * joules), method, "powercap");
        (zone.idle, zone.unattributed) = (Some(Energy::from_joules(joules)), Some(Energy::from_joules(0.5)));
        let mut node = NodeEnergy::new(name, range);
        node.zones[ZoneKind::Package] = Some(zone);
        inventory.nodes.push(node);
        inventory.workloads.push(pod(name, &format!("{name}1"), joules));
        let container = WorkloadId::new(WorkloadKind::Container, "app", format!("{name}c"), name);
        let mut container = WorkloadEnergy::new(container, package(joules), method);
        container.containment = Containment::Within { kind: WorkloadKind::Pod, uid: format!("{name}1").into() };
        inventory.workloads.push(container);
    }
    inventory.skipped.push(Skipped::new("c", "it hangs"));
    inventory
}

fn open(path: &std::path::Path) -> FleetHistory {
    FleetHistory::open(path, FleetHistoryOptions::default()).unwrap()
}

#[test]
fn what_was_recorded_is_told_by_node_and_controller_and_what_was_missing_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let history = open(&path);
    assert!(history.record(&inventory(range(0, 15), 90.0)).unwrap());
    assert!(history.record(&inventory(range(15, 30), 30.0)).unwrap());
    assert!(!history.record(&inventory(range(20, 40), 1.0)).unwrap(), "nothing counts twice");
    drop(history);
    let history = open(&path);
    assert_eq!(history.end(), Some(range(0, 30).end));

    let all = history.inventory(range(0, 60)).unwrap();
    assert!((all.coverage - 1.0 / 3.0).abs() < 1e-9, "{}", all.coverage);
    assert_eq!(all.nodes.iter().map(|node| &*node.name).collect::<Vec<_>>(), ["a", "b"]);
    let zone = all.nodes[1].zones[ZoneKind::Package].as_ref().unwrap();
    assert_eq!(
        (zone.energy.joules(), zone.idle.unwrap().joules(), zone.unattributed.unwrap().joules()),
        (480.0, 120.0, 1.0)
    );
    assert_eq!(zone.method, Method::Estimated { error_ratio: 0.3 });
    assert_eq!(all.workloads.len(), 2, "containers are in their pods");
    for row in &all.workloads {
        assert_eq!(row.energy.total().unwrap().joules(), 120.0);
        assert_eq!(row.owner, Some(Owner::new(WorkloadKind::Deployment, "web")));
        assert_eq!((row.id.namespace.as_deref(), row.cpu_time), (Some("shop"), Some(Duration::from_secs(20))));
    }
    assert_eq!(all.skipped, [Skipped::new("c", "it hangs")]);
    // A third of an interval has a third of its energy.
    let part = history.inventory(range(10, 15)).unwrap();
    assert_eq!(part.workloads[0].energy.total().unwrap().joules(), 30.0);
    assert!(history.inventory(range(40, 60)).is_err());
}

#[test]
fn series_add_up_to_what_was_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let history = open(&directory.path().join("fleet.db"));
    for (start, joules) in [(0, 90.0), (15, 30.0)] {
        history.record(&inventory(range(start, start + 15), joules)).unwrap();
    }
    let total = |subject: &Subject| -> Vec<f64> {
        let series = history.series(subject, range(0, 30), Duration::from_secs(900)).unwrap();
        series.steps.steps().iter().map(|step| step.value.energy.total().unwrap().joules()).collect()
    };
    assert_eq!(total(&Subject::Cluster), [720.0, 240.0]);
    assert_eq!(total(&Subject::Node("a".into())), [360.0, 120.0]);
    assert_eq!(total(&Subject::Namespace("shop".into())), [180.0, 60.0]);
    assert_eq!(total(&Subject::Workloads(vec![pod("b", "b1", 0.0).id])), [90.0, 30.0]);
    assert!(history.series(&Subject::Node("z".into()), range(0, 30), Duration::from_secs(60)).is_err());
    let hour = history.series(&Subject::Cluster, range(0, 30), Duration::from_secs(3600)).unwrap();
    assert_eq!(hour.steps.steps().len(), 1);
    // Half of it is estimated.
    assert_eq!(hour.method, Method::Estimated { error_ratio: 0.15 });
}

#[test]
fn the_oldest_goes_where_age_or_size_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let options = FleetHistoryOptions::default().with(|options| options.max_age = Some(Duration::from_secs(3600)));
    let history = FleetHistory::open(&path, options).unwrap();
    for quarter in 0..20 {
        history.record(&inventory(range(15 * quarter, 15 * quarter + 15), 1.0)).unwrap();
    }
    assert!(history.inventory(range(0, 200)).is_err() && history.inventory(range(250, 300)).is_ok());
    drop(history);
    let options = FleetHistoryOptions::default().with(|options| options.max_bytes = Some(1));
    let history = FleetHistory::open(&path, options).unwrap();
    history.record(&inventory(range(300, 315), 1.0)).unwrap();
    assert!(history.inventory(range(0, 300)).is_err() && history.inventory(range(300, 315)).is_ok());
}

#[test]
fn a_file_of_something_else_or_with_a_writer_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let _writer = open(&path);
    assert!(matches!(FleetHistory::open(&path, FleetHistoryOptions::default()), Err(HistoryError::Locked { .. })));
    let of_node = directory.path().join("node.db");
    drop(History::open(&of_node, HistoryOptions::default()).unwrap());
    let error = FleetHistory::open(&of_node, FleetHistoryOptions::default()).unwrap_err().to_string();
    assert!(error.contains("the history of one node"), "{error}");
    let text = directory.path().join("text");
    std::fs::write(&text, "no database, and more than a hundred bytes of it so that it is looked at ".repeat(9))
        .unwrap();
    assert!(matches!(FleetHistory::open(&text, FleetHistoryOptions::default()), Err(HistoryError::Foreign { .. })));
}
