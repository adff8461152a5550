//! Snapshots made by hand: a small node whose counters a test moves as it likes.

use kepler_core::host::Timestamp;
use kepler_core::meter::Method;
use kepler_core::snapshot::{NodeZone, Row, Snapshot, State};
use kepler_core::units::{Energy, ZoneKind};
use kepler_core::workload::{ContainerInfo, PodInfo, ProcessInfo, UnitInfo};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// 2026-11-01 00:00:00 UTC, a round hour.
pub(crate) const START: u64 = 1_793_491_200;

/// A moment some seconds after [`START`], booted a day before.
pub(crate) fn at(seconds: u64) -> Timestamp {
    let up = Duration::from_secs(86_400 + seconds);
    Timestamp { monotonic: up, boottime: up, wall: SystemTime::UNIX_EPOCH + Duration::from_secs(START + seconds) }
}

/// An empty snapshot of a node with a package zone that has counted `package` microjoules.
pub(crate) fn snapshot(sequence: u64, at: Timestamp, package: u64) -> Snapshot {
    let mut snapshot = Snapshot::empty(at);
    (snapshot.sequence, snapshot.interval) = (sequence, Duration::from_secs(1));
    snapshot.node.processors = 4;
    snapshot.node.zones[ZoneKind::Package] = Some(zone(package));
    snapshot
}

/// A measured zone, a quarter of it idle, an eighth unattributed.
pub(crate) fn zone(energy: u64) -> NodeZone {
    let part = |of| Energy::from_microjoules(energy / of);
    let mut zone = NodeZone::new("intel-rapl:0", "powercap", Method::Measured);
    zone.energy = Energy::from_microjoules(energy);
    zone.active_energy = Energy::from_microjoules(energy - energy / 4);
    (zone.idle_energy, zone.unattributed_energy) = (part(4), part(8));
    zone
}

/// A running workload that has counted `package` microjoules and as many nanoseconds of CPU time.
pub(crate) fn row<Info>(info: Info, package: u64) -> Row<Info> {
    let mut row = Row::new(info, State::Running);
    row.energy[ZoneKind::Package] = Energy::from_microjoules(package);
    row.cpu_time = Duration::from_nanos(package);
    row
}

pub(crate) fn process(pid: u32, comm: &str) -> ProcessInfo {
    let mut process = ProcessInfo::new(pid, 1, comm);
    process.exe = format!("/usr/bin/{comm}");
    process
}

pub(crate) fn unit(name: &str) -> UnitInfo {
    UnitInfo::new(name, format!("/system.slice/{name}"))
}

pub(crate) fn pod(name: &str, namespace: &str) -> PodInfo {
    let mut pod = PodInfo::new(format!("uid-{name}"));
    (pod.name, pod.namespace) = (name.into(), namespace.into());
    pod
}

pub(crate) fn container(id: &str, pod: Option<PodInfo>) -> ContainerInfo {
    let mut container = ContainerInfo::new(id, "containerd");
    container.pod = pod.map(Arc::new);
    container
}
