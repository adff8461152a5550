//! Snapshots made by hand: a small node whose counters a test moves as it likes.

use kepler_core::attribution::IdlePolicy;
use kepler_core::counter::CounterEvents;
use kepler_core::host::Timestamp;
use kepler_core::meter::Method;
use kepler_core::snapshot::{Cost, Node, NodeZone, Row, Snapshot, State};
use kepler_core::units::{Energy, PerZone, ZoneKind};
use kepler_core::workload::{ContainerInfo, PodInfo, ProcessInfo, UnitInfo};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// 2026-11-01 00:00:00 UTC, a round hour.
pub(crate) const START: u64 = 1_793_491_200;

/// A moment so many seconds after [`START`], booted a day before.
pub(crate) fn at(seconds: u64) -> Timestamp {
    let up = Duration::from_secs(86_400 + seconds);
    Timestamp { monotonic: up, boottime: up, wall: SystemTime::UNIX_EPOCH + Duration::from_secs(START + seconds) }
}

/// An empty snapshot of a node with a package zone that has counted `package` microjoules.
pub(crate) fn snapshot(sequence: u64, at: Timestamp, package: u64) -> Snapshot {
    let mut node = Node { processors: 4, ..Node::default() };
    node.zones[ZoneKind::Package] = Some(zone(package));
    Snapshot {
        sequence,
        at,
        interval: Duration::from_secs(1),
        node,
        processes: Vec::new(),
        containers: Vec::new(),
        pods: Vec::new(),
        vms: Vec::new(),
        units: Vec::new(),
        commands: Vec::new(),
        faults: Vec::new(),
        estimate_warnings: Vec::new(),
        sources: Vec::new(),
        cost: Cost::default(),
    }
}

/// A measured zone, a quarter of it idle, an eighth unattributed.
pub(crate) fn zone(energy: u64) -> NodeZone {
    let part = |of| Energy::from_microjoules(energy / of);
    NodeZone {
        path: "intel-rapl:0".into(),
        idle_policy: IdlePolicy::Baseline,
        source: "powercap",
        method: Method::Measured,
        energy: Energy::from_microjoules(energy),
        active_energy: Energy::from_microjoules(energy - energy / 4),
        idle_energy: part(4),
        unattributed_energy: part(8),
        short_lived_energy: Energy::ZERO,
        forgotten_energy: Energy::ZERO,
        power: None,
        interval: None,
        events: CounterEvents::default(),
    }
}

/// A running workload that has counted `package` microjoules and as many nanoseconds of CPU time.
pub(crate) fn row<Info>(info: Info, package: u64) -> Row<Info> {
    let mut energy = PerZone::default();
    energy[ZoneKind::Package] = Energy::from_microjoules(package);
    let cpu_time = Duration::from_nanos(package);
    Row { info: Arc::new(info), state: State::Running, cpu_time, energy, power: PerZone::default() }
}

pub(crate) fn process(pid: u32, comm: &str) -> ProcessInfo {
    let exe = format!("/usr/bin/{comm}");
    ProcessInfo { pid, start_ticks: 1, comm: comm.into(), exe, container: None, vm: None, unit: None }
}

pub(crate) fn unit(name: &str) -> UnitInfo {
    UnitInfo { name: name.into(), cgroup: format!("/system.slice/{name}") }
}

pub(crate) fn pod(name: &str, namespace: &str) -> PodInfo {
    PodInfo { id: format!("uid-{name}"), name: name.into(), namespace: namespace.into(), cgroup: String::new() }
}

pub(crate) fn container(id: &str, pod: Option<PodInfo>) -> ContainerInfo {
    let pod = pod.map(Arc::new);
    ContainerInfo { id: id.into(), name: String::new(), runtime: "containerd", pod, cgroup: String::new() }
}
