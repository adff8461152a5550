use super::*;
use crate::units::{Energy, ZoneKind};
use crate::view::{EnergySplit, LiveView, StepUsage, WorkloadEnergy, WorkloadKind};
use jiff::Timestamp;
use kepler_core::host;
use kepler_core::meter::Method;
use kepler_core::snapshot::{Feed, NodeZone, Row, State, ZonePower};
use kepler_core::workload::{PodInfo, ProcessInfo};
use proptest::prelude::*;

const STEP: Duration = Duration::from_secs(5);

/// A machine whose snapshots are made by hand: package energy in whole joules.
struct Machine {
    at: host::Timestamp,
    sequence: u64,
    node: u64,
    idle: u64,
    /// pid, joules, whether it runs.
    processes: Vec<(u32, u64, bool)>,
}

impl Machine {
    fn new() -> Self {
        let boot = Duration::from_secs(1000);
        let wall = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let at = host::Timestamp { monotonic: boot, boottime: boot, wall };
        Machine { at, sequence: 1, node: 0, idle: 0, processes: Vec::new() }
    }

    fn pass(&mut self) -> &mut Self {
        self.at = self.at.advanced(STEP);
        self.sequence += 1;
        self
    }

    fn snapshot(&self) -> Snapshot {
        let joules = |joules: u64| Energy::from_joules(joules as f64);
        let mut zone = NodeZone::new("package-0", "fake", Method::Measured);
        zone.energy = joules(self.node);
        zone.active_energy = joules(self.node - self.idle);
        zone.idle_energy = joules(self.idle);
        zone.power = Some(ZonePower::default());
        let mut snapshot = Snapshot::empty(self.at);
        snapshot.sequence = self.sequence;
        snapshot.interval = if self.sequence == 1 { Duration::ZERO } else { STEP };
        snapshot.node.zones[ZoneKind::Package] = Some(zone);
        (snapshot.node.usage_ratio, snapshot.node.processors) = (0.5, 2);
        let rows = self.processes.iter().map(|&(pid, used, running)| {
            let state = if running { State::Running } else { State::Terminated };
            let mut row = Row::new(ProcessInfo::new(pid, 7, "work"), state);
            row.energy[ZoneKind::Package] = joules(used);
            row.cpu_time = Duration::from_secs(used);
            row
        });
        snapshot.processes = rows.collect();
        snapshot
    }

    fn now(&self) -> Timestamp {
        Timestamp::try_from(self.at.wall).unwrap()
    }

    fn last(&self, seconds: u64) -> TimeRange {
        TimeRange::ending(self.now(), Duration::from_secs(seconds))
    }
}

fn ring() -> HistoryRing {
    HistoryRing::new("test", "node", RingOptions::default())
}

fn joules(row: &WorkloadEnergy) -> f64 {
    row.energy.total().unwrap().joules()
}

fn of(inventory: &Inventory, pid: u32) -> Option<&WorkloadEnergy> {
    inventory.workloads.iter().find(|row| *row.id.uid == *format!("{pid}/7"))
}

#[test]
fn one_snapshot_is_no_data_and_not_zero() {
    let (ring, machine) = (ring(), Machine::new());
    assert!(matches!(ring.inventory(machine.last(60)), Err(ViewError::NoData { .. })));
    ring.record(&machine.snapshot());
    let error = ring.inventory(machine.last(60)).unwrap_err();
    assert!(matches!(error, ViewError::NoData { .. }) && error.to_string().contains("second snapshot"), "{error}");
}

#[test]
fn a_window_holds_differences_and_both_the_running_and_the_terminated() {
    let (ring, mut machine) = (ring(), Machine::new());
    machine.node = 500;
    machine.processes = vec![(1, 400, true), (2, 9, true), (9, 50, false)];
    ring.record(&machine.snapshot());
    machine.pass().processes = vec![(1, 410, true), (2, 19, false), (3, 5, true), (9, 50, false)];
    (machine.node, machine.idle) = (530, 4);
    ring.record(&machine.snapshot());
    let inventory = ring.inventory(machine.last(5)).unwrap();
    assert_eq!(joules(of(&inventory, 1).unwrap()), 10.0);
    let ended = of(&inventory, 2).unwrap();
    assert_eq!((joules(ended), ended.running, ended.power), (10.0, false, None));
    assert_eq!(joules(of(&inventory, 3).unwrap()), 5.0, "new: counts from its start");
    assert!(of(&inventory, 9).is_none(), "ended before the window");
    let zone = inventory.nodes[0].zones[ZoneKind::Package].as_ref().unwrap();
    assert_eq!((zone.energy.joules(), zone.idle.unwrap().joules()), (30.0, 4.0));
    // A series tells the node's parts apart as the inventory does, however its steps cut the readings.
    for steps in [1, 3, 7] {
        let series = ring.series(&Subject::Cluster, machine.last(5), STEP / steps).unwrap();
        let sum = |part: fn(&StepUsage) -> EnergySplit| -> Energy {
            series.steps.steps().iter().map(|step| part(&step.value).total().unwrap()).sum()
        };
        assert_eq!((sum(|usage| usage.energy), sum(|usage| usage.idle)), (zone.energy, zone.idle.unwrap()));
        assert_eq!(sum(|usage| usage.unattributed), zone.unattributed.unwrap());
    }
    let one = Subject::Workloads(vec![of(&inventory, 1).unwrap().id.clone()]);
    let series = ring.series(&one, machine.last(5), STEP).unwrap();
    assert_eq!(series.steps.steps()[0].value.idle.total(), None, "a workload is charged active energy only");
    assert_eq!((inventory.covered.length(), inventory.coverage), (STEP, 1.0));
    assert_eq!(ring.inventory(machine.last(10)).unwrap().coverage, 0.5);
}

#[test]
fn a_workload_that_is_gone_altogether_stays_in_the_windows_it_ran_in() {
    let (ring, mut machine) = (ring(), Machine::new());
    machine.processes = vec![(1, 0, true)];
    ring.record(&machine.snapshot());
    machine.pass().processes = vec![(1, 8, true)];
    machine.node = 8;
    ring.record(&machine.snapshot());
    machine.pass().processes.clear();
    ring.record(&machine.snapshot());
    let inventory = ring.inventory(machine.last(10)).unwrap();
    let gone = of(&inventory, 1).unwrap();
    assert_eq!((joules(gone), gone.running), (8.0, false));
    assert!(of(&ring.inventory(machine.last(5)).unwrap(), 1).is_none());
}

#[test]
fn a_sampler_that_starts_again_leaves_a_gap_and_no_negative_or_double_energy() {
    let (ring, mut machine) = (ring(), Machine::new());
    ring.record(&machine.snapshot());
    machine.pass().node = 100;
    ring.record(&machine.snapshot());
    machine.pass();
    (machine.sequence, machine.node) = (1, 0);
    ring.record(&machine.snapshot());
    machine.pass().node = 7;
    ring.record(&machine.snapshot());
    let inventory = ring.inventory(machine.last(15)).unwrap();
    assert_eq!(inventory.nodes[0].energy().total().unwrap().joules(), 107.0);
    assert!((inventory.coverage - 2.0 / 3.0).abs() < 1e-9);
    let series = ring.series(&Subject::Cluster, machine.last(15), STEP).unwrap();
    assert_eq!(series.steps.steps().len(), 2, "the gap has no step");
}

#[test]
fn setting_the_clock_back_neither_loses_nor_doubles_energy() {
    let (ring, mut machine) = (ring(), Machine::new());
    ring.record(&machine.snapshot());
    machine.pass().node = 10;
    ring.record(&machine.snapshot());
    machine.pass().node = 30;
    machine.at.wall -= Duration::from_secs(86_400);
    ring.record(&machine.snapshot());
    let inventory = ring.inventory(machine.last(10)).unwrap();
    assert_eq!(inventory.nodes[0].energy().total().unwrap().joules(), 30.0);
    assert_eq!(inventory.covered, machine.last(10));
}

#[test]
fn the_ring_is_bounded_by_age_and_by_count() {
    for options in [
        RingOptions { max_age: Duration::from_secs(20), max_samples: 1000, ..RingOptions::default() },
        RingOptions { max_age: Duration::from_secs(9999), max_samples: 4, ..RingOptions::default() },
    ] {
        let ring = HistoryRing::new("test", "node", options);
        let mut machine = Machine::new();
        for _ in 0..50 {
            ring.record(&machine.snapshot());
            machine.pass().node += 1;
        }
        machine.at.wall -= STEP;
        assert_eq!(ring.ledger().samples.len(), 4);
        let inventory = ring.inventory(machine.last(3600)).unwrap();
        assert_eq!(inventory.nodes[0].energy().total().unwrap().joules(), 4.0);
    }
}

#[test]
fn the_same_moment_gives_the_same_answer() {
    let (ring, mut machine) = (ring(), Machine::new());
    ring.record(&machine.snapshot());
    machine.pass().node = 10;
    ring.record(&machine.snapshot());
    ring.record(&machine.snapshot());
    assert_eq!(ring.inventory(machine.last(5)).unwrap(), ring.inventory(machine.last(5)).unwrap());
    assert_eq!(ring.inventory(machine.last(5)).unwrap().moment, "2");
}

#[test]
fn a_pod_that_gets_its_name_later_is_one_pod() {
    let (ring, mut machine) = (ring(), Machine::new());
    let pod = |name: &str, joules: f64| {
        let mut info = PodInfo::new("uid-1");
        (info.name, info.namespace) = (name.to_owned(), if name.is_empty() { "" } else { "shop" }.to_owned());
        let mut row = Row::new(info, State::Running);
        row.energy[ZoneKind::Package] = Energy::from_joules(joules);
        row
    };
    for (name, joules) in [("", 100), ("", 104), ("cart", 107)] {
        machine.pass().node = joules;
        let mut snapshot = machine.snapshot();
        snapshot.pods = vec![pod(name, joules as f64)];
        ring.record(&snapshot);
    }
    let inventory = ring.inventory(machine.last(10)).unwrap();
    let pods: Vec<_> = inventory.workloads.iter().filter(|row| row.id.kind == WorkloadKind::Pod).collect();
    assert_eq!((pods.len(), &*pods[0].id.name, pods[0].id.namespace.as_deref()), (1, "cart", Some("shop")));
    assert_eq!(joules(pods[0]), 7.0);
    // Over time it has that name from its beginning on.
    for subject in [Subject::Namespace("shop".into()), Subject::Workloads(vec![pods[0].id.clone()])] {
        let series = ring.series(&subject, machine.last(10), STEP).unwrap();
        let used = series.steps.steps().iter().map(|step| step.value.energy.total().unwrap().joules());
        assert_eq!(used.collect::<Vec<_>>(), [4.0, 3.0], "{subject:?}");
    }
}

proptest! {
    #[test]
    fn whatever_is_used_between_two_snapshots_is_in_the_window_and_in_the_series(
        steps in prop::collection::vec((0u64..1000, 0u64..1000, any::<bool>()), 1..30),
        bucket in 1u64..60,
    ) {
        let (ring, mut machine) = (ring(), Machine::new());
        machine.processes = vec![(1, 11, true)];
        ring.record(&machine.snapshot());
        let (mut node, mut own) = (0, 0);
        for (more, work, missed) in steps {
            machine.pass();
            machine.node += more + work;
            machine.processes[0].1 += work;
            (node, own) = (machine.node, machine.processes[0].1 - 11);
            if missed {
                machine.pass();
            }
            ring.record(&machine.snapshot());
        }
        let range = machine.last(1000);
        let inventory = ring.inventory(range).unwrap();
        prop_assert_eq!(inventory.nodes[0].energy().total().unwrap().joules(), node as f64);
        prop_assert_eq!(joules(of(&inventory, 1).unwrap()), own as f64);
        let sum = |subject: &Subject| -> Energy {
            let series = ring.series(subject, range, Duration::from_secs(bucket)).unwrap();
            series.steps.steps().iter().filter_map(|step| step.value.energy.total()).sum()
        };
        prop_assert_eq!(sum(&Subject::Cluster).joules(), node as f64);
        let id = of(&inventory, 1).unwrap().id.clone();
        prop_assert_eq!(sum(&Subject::Workloads(vec![id])).joules(), own as f64);
    }
}

#[test]
fn a_live_view_answers_from_the_snapshots_it_saw() {
    let (feed, mut machine) = (kepler_core::snapshot::Feed::default(), Machine::new());
    let view = crate::view::LiveView::new(feed.clone(), "node", RingOptions::default());
    assert!(matches!(view.inventory(machine.last(60)), Err(ViewError::NoData { .. })), "nothing was published");
    feed.publish(Arc::new(machine.snapshot()));
    view.observe();
    machine.pass().node = 40;
    machine.pass();
    feed.publish(Arc::new(machine.snapshot()));
    let inventory = view.inventory(machine.last(60)).unwrap();
    assert_eq!(inventory.nodes[0].energy().total().unwrap().joules(), 40.0, "asking is seeing");
    assert_eq!(inventory.covered.length(), STEP * 2, "a snapshot between the two was not needed");
}

#[test]
fn too_many_rows_are_merged_from_the_oldest_and_no_energy_is_lost() {
    let options = RingOptions { max_rows: 60, ..RingOptions::default() };
    let (ring, mut machine) = (HistoryRing::new("test", "node", options), Machine::new());
    machine.processes = vec![(1, 0, true), (2, 0, true)];
    ring.record(&machine.snapshot());
    for _ in 0..100 {
        machine.processes.iter_mut().for_each(|process| process.1 += 1);
        machine.node += 2;
        ring.record(&machine.pass().snapshot());
    }
    let ledger = ring.ledger();
    assert!(ledger.samples.iter().map(|sample| sample.rows.len()).sum::<usize>() <= 60);
    let lengths: Vec<_> = ledger.samples.iter().map(|sample| (sample.end - sample.start).as_secs()).collect();
    assert!(lengths.len() >= 5 && lengths.first() > lengths.last(), "{lengths:?}");
    assert_eq!(*lengths.last().unwrap(), STEP.as_secs(), "{lengths:?}");
    drop(ledger);
    let inventory = ring.inventory(machine.last(500)).unwrap();
    assert_eq!(inventory.coverage, 1.0);
    assert_eq!(of(&inventory, 1).map(joules), Some(100.0));
    assert_eq!(inventory.nodes[0].energy().total(), Some(Energy::from_joules(200.0)));
}

#[test]
fn a_single_stretch_with_too_many_rows_is_kept_as_the_newest() {
    let options = RingOptions { max_rows: 1, ..RingOptions::default() };
    let (ring, mut machine) = (HistoryRing::new("test", "node", options), Machine::new());
    machine.processes = (1..=5).map(|pid| (pid, 0, true)).collect();
    ring.record(&machine.snapshot());
    for _ in 0..3 {
        machine.processes.iter_mut().for_each(|process| process.1 += 1);
        machine.node += 5;
        ring.record(&machine.pass().snapshot());
    }
    assert_eq!(ring.ledger().samples.len(), 1);
    assert_eq!(of(&ring.inventory(machine.last(5)).unwrap(), 3).map(joules), Some(1.0));
}

#[test]
fn a_live_view_answers_the_same_until_there_is_a_newer_snapshot() {
    let (feed, mut machine) = (Feed::default(), Machine::new());
    machine.processes = vec![(1, 0, true)];
    feed.publish(Arc::new(machine.snapshot()));
    let view = LiveView::new(feed.clone(), "node", RingOptions::default());
    for used in 1..=3 {
        machine.processes = vec![(1, used, true)];
        machine.node = used;
        feed.publish(Arc::new(machine.pass().snapshot()));
        assert_eq!(view.newest().map(|newest| newest.at), Some(machine.now()));
        let first = view.inventory(machine.last(60)).unwrap();
        assert_eq!(of(&first, 1).map(joules), Some(used as f64));
        assert_eq!(view.inventory(machine.last(60)).unwrap(), first);
        assert_eq!(of(&view.inventory(machine.last(5)).unwrap(), 1).map(joules), Some(1.0), "another range");
        assert_eq!(view.inventory(machine.last(10)).unwrap().asked, machine.last(10), "more ranges than are kept");
        assert_eq!(view.inventory(machine.last(60)).unwrap(), first);
    }
}

#[test]
fn what_contains_a_workload_is_reported_of_every_kind() {
    use crate::view::Containment;
    use kepler_core::workload::{ContainerInfo, UnitInfo, VmInfo};
    let unit = Arc::new(UnitInfo::new("machine.scope", "/machine.slice/machine.scope"));
    let vm = Arc::new(VmInfo::new("vm-1", "guest", "kvm"));
    let pod = Arc::new(PodInfo::new("pod-1"));
    let mut inner = ContainerInfo::new("inner", "containerd");
    (inner.pod, inner.cgroup) = (Some(Arc::clone(&pod)), "/kubepods/pod-1/inner".into());
    let mut outer = ContainerInfo::new("outer", "docker");
    outer.cgroup = "/docker/outer".into();
    let mut nested = ContainerInfo::new("nested", "containerd");
    nested.cgroup = "/docker/outer/kubepods/nested".into();
    let (inner, nested) = (Arc::new(inner), Arc::new(nested));
    let process = |pid: u32, change: &dyn Fn(&mut ProcessInfo)| {
        let mut info = ProcessInfo::new(pid, 1, "work");
        change(&mut info);
        Row::new(info, State::Running)
    };
    let record = |ring: &HistoryRing, machine: &Machine| {
        let mut snapshot = machine.snapshot();
        snapshot.processes = vec![
            process(1, &|_| {}),
            process(2, &|info| info.container = Some(Arc::clone(&inner))),
            process(3, &|info| (info.unit, info.vm) = (Some(Arc::clone(&unit)), Some(Arc::clone(&vm)))),
        ];
        snapshot.containers = [&inner, &nested].map(|info| Row::new(Arc::clone(info), State::Running)).into();
        snapshot.containers.push(Row::new(outer.clone(), State::Running));
        snapshot.pods.push(Row::new(Arc::clone(&pod), State::Running));
        snapshot.units.push(Row::new(Arc::clone(&unit), State::Running));
        snapshot.vms.push(Row::new(Arc::clone(&vm), State::Running));
        ring.record(&snapshot);
    };
    let (ring, mut machine) = (ring(), Machine::new());
    record(&ring, &machine);
    record(&ring, machine.pass());
    let inventory = ring.inventory(machine.last(5)).unwrap();
    let of = |uid: &str| {
        let row = inventory.workloads.iter().find(|row| *row.id.uid == *uid).unwrap();
        row.containment.clone()
    };
    let within = |kind, uid: &str| Containment::Within { kind, uid: uid.into() };
    assert_eq!(of("1/1"), Containment::Outermost);
    assert_eq!(of("2/1"), within(WorkloadKind::Container, "inner"));
    assert_eq!(of("inner"), within(WorkloadKind::Pod, "pod-1"));
    assert_eq!(of("nested"), within(WorkloadKind::Container, "outer"));
    assert_eq!((of("outer"), of("pod-1")), (Containment::Outermost, Containment::Outermost));
    assert_eq!(of("3/1"), within(WorkloadKind::Vm, "vm-1"));
    assert_eq!(of("vm-1"), within(WorkloadKind::Unit, "/machine.slice/machine.scope"));
}

#[test]
fn a_pods_controller_and_what_it_asked_for_are_reported_as_they_are_now() {
    use kepler_core::workload::PodOwner;
    let record = |ring: &HistoryRing, machine: &Machine, owner: &str, millicores: u64| {
        let mut snapshot = machine.snapshot();
        let mut pod = PodInfo::new("pod-1");
        (pod.name, pod.namespace) = ("report-29931696-x2x9z".into(), "shop".into());
        pod.owner = Some(PodOwner::new(owner, "report"));
        pod.resources.cpu_request_millicores = Some(millicores);
        snapshot.pods.push(Row::new(pod, State::Running));
        ring.record(&snapshot);
    };
    for (owner, kind) in [
        ("Deployment", Some(WorkloadKind::Deployment)),
        ("CronJob", Some(WorkloadKind::Job)),
        ("Rollout", Some(WorkloadKind::Controller)),
        ("", None),
    ] {
        let (ring, mut machine) = (ring(), Machine::new());
        record(&ring, &machine, owner, 100);
        record(&ring, machine.pass(), owner, 250);
        let inventory = ring.inventory(machine.last(5)).unwrap();
        let row = inventory.workloads.iter().find(|row| *row.id.uid == *"pod-1").unwrap();
        assert_eq!(row.owner.as_ref().map(|owner| owner.kind), kind);
        assert!(row.owner.as_ref().is_none_or(|owner| *owner.name == *"report"));
        assert_eq!(row.resources.and_then(|resources| resources.cpu_request_cores), Some(0.25), "it was resized");
    }
}

#[test]
fn a_platform_that_is_measured_is_the_total_where_the_package_is_estimated() {
    let (ring, mut machine) = (ring(), Machine::new());
    let record = |machine: &Machine, has_platform: bool| {
        let mut snapshot = machine.snapshot();
        if let Some(package) = snapshot.node.zones[ZoneKind::Package].as_mut() {
            package.method = Method::Estimated { error_ratio: 0.4 };
        }
        let mut platform = NodeZone::new("psys", "fake", Method::Measured);
        (platform.energy, platform.power) =
            (Energy::from_joules(machine.node as f64 * 2.0), Some(ZonePower::default()));
        (platform.active_energy, platform.idle_energy) = (platform.energy, Energy::ZERO);
        snapshot.node.zones[ZoneKind::Psys] = has_platform.then_some(platform);
        for row in &mut snapshot.processes {
            row.energy[ZoneKind::Psys] = row.energy[ZoneKind::Package] + row.energy[ZoneKind::Package];
        }
        ring.record(&snapshot);
    };
    let step = |machine: &mut Machine| {
        machine.pass();
        machine.node += 50;
        machine.processes[0].1 += 10;
    };
    machine.processes = vec![(1, 0, true)];
    record(&machine, false);
    step(&mut machine);
    record(&machine, false);
    step(&mut machine);
    record(&machine, true);
    let total = |inventory: &Inventory| inventory.nodes[0].energy().total().unwrap().joules();
    let inventory = ring.inventory(machine.last(15)).unwrap();
    assert_eq!(total(&inventory), 100.0, "the platform was not there all the time");
    for _ in 0..3 {
        step(&mut machine);
        record(&machine, true);
    }
    let inventory = ring.inventory(machine.last(15)).unwrap();
    assert_eq!(total(&inventory), 300.0);
    assert_eq!(inventory.nodes[0].method(), Method::Measured, "the total is");
    let process = of(&inventory, 1).unwrap();
    assert_eq!((joules(process), process.method), (60.0, Method::Measured));
    for (subject, joules) in [(Subject::Cluster, 300.0), (Subject::Workloads(vec![process.id.clone()]), 60.0)] {
        let series = ring.series(&subject, machine.last(15), Duration::from_secs(4)).unwrap();
        let steps = series.steps.steps().iter().map(|step| step.value.energy.total().unwrap().joules());
        assert_eq!((steps.sum::<f64>(), series.method), (joules, Method::Measured), "{subject:?}");
    }
}
