//! A node made by hand, and a small parser of what the exporter says of it.
#![allow(dead_code, unreachable_pub, reason = "shared by several test programs, each of which uses its part")]

use kepler_core::attribution::learned::{Learned, WorkCosts};
use kepler_core::attribution::{IdlePolicy, Weight};
use kepler_core::calibration::LiveCorrection;
use kepler_core::device::Device;
use kepler_core::host::{Processor, Timestamp};
use kepler_core::meter::Method;
use kepler_core::snapshot::{
    DeviceRow, DeviceUse, EstimateCorrection, Fault, Feed, NodeZone, Row, Snapshot, SourceHealth, State, ZonePower,
};
use kepler_core::units::{Energy, PerZone, Power, ZoneKind};
use kepler_core::workload::{ContainerInfo, ContainerKind, JobInfo, PodInfo, PodOwner, ProcessInfo, UnitInfo, VmInfo};
use kepler_http::{ExportOptions, Exporter, Format};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub fn zone(joules: f64, power: Option<f64>) -> NodeZone {
    let half = Energy::from_joules(joules / 2.0);
    let mut zone = NodeZone::new("/sys/class/powercap/intel-rapl:0", "powercap", Method::Measured);
    (zone.energy, zone.active_energy, zone.idle_energy) = (half + half, half, half);
    zone.unattributed_energy = Energy::from_joules(0.25);
    zone.power = power.map(|watts| {
        let half = Power::from_watts(watts / 2.0);
        ZonePower::new(Power::from_watts(watts), half, half)
    });
    (zone.events.wraps, zone.events.ambiguous) = (3, 1);
    zone
}

pub fn row<Info>(info: impl Into<Arc<Info>>, state: State, joules: f64) -> Row<Info> {
    let mut row = Row::new(info, state);
    row.cpu_time = Duration::from_millis(1250);
    row.energy = PerZone::from_fn(|_| Energy::from_joules(joules));
    row.power = PerZone::from_fn(|_| Power::from_watts(if state == State::Running { 0.5 } else { 0.0 }));
    row
}

pub fn process(pid: u32, start_ticks: u64, comm: &str, exe: &str) -> ProcessInfo {
    let mut process = ProcessInfo::new(pid, start_ticks, comm);
    process.exe = exe.into();
    process
}

/// What a BMC has taught for an hour, until a minute ago.
fn correction(at: Timestamp) -> EstimateCorrection {
    let mut live = LiveCorrection::default();
    for minute in 0..60 {
        let estimate = 20.0 + f64::from(minute % 5) * 10.0;
        live.observe(estimate, 90.0 + 2.0 * LiveCorrection::WALL_PER_WATT * estimate, Duration::from_secs(60));
    }
    EstimateCorrection::new("redfish", live.scale().unwrap(), at.wall - Duration::from_secs(60))
}

/// A snapshot of now, of a node with a measured package and an estimated dram, without workloads.
pub fn snapshot() -> Snapshot {
    let at = Timestamp::now();
    let mut snapshot = Snapshot::empty(at);
    (snapshot.sequence, snapshot.interval) = (7, Duration::from_secs(5));
    let node = &mut snapshot.node;
    (node.usage_ratio, node.processors) = (0.25, 2);
    node.weights[ZoneKind::Package] = Some(Weight::Time);
    let mut costs = WorkCosts::default();
    (costs.second, costs.instruction) = (2.5, 4e-9);
    let fixed = (Weight::Cycles, Power::from_watts(3.5));
    node.learned_costs[ZoneKind::Package] = Some(Learned::new(costs, Power::from_watts(3.4), fixed, false));
    node.zones[ZoneKind::Package] = Some(zone(120.5, Some(20.5)));
    let mut dram = zone(8.0, None);
    (dram.source, dram.method) = ("model", Method::Estimated { error_ratio: 0.3 });
    dram.correction = Some(correction(at));
    node.zones[ZoneKind::Dram] = Some(dram);
    snapshot.faults = vec![Fault::new("powercap", "permission_denied", 2)];
    snapshot.estimate_warnings = vec![Fault::new("model", "outside_range", 4)];
    snapshot.sources = vec![SourceHealth::new("powercap", at)];
    snapshot.cost.last_tick = Duration::from_micros(1500);
    snapshot.cost.ticks_total = Duration::from_millis(70);
    snapshot
}

/// One workload of each kind.
pub fn inhabited() -> Snapshot {
    let mut pod = PodInfo::new("0c5e-11");
    (pod.name, pod.namespace, pod.cgroup) = ("web-0".into(), "shop".into(), "/kubepods/pod0c5e-11".into());
    pod.resources.cpu_request_millicores = Some(250);
    pod.resources.memory_limit_bytes = Some(128 << 20);
    let pod = Arc::new(pod);
    let mut container = ContainerInfo::new("f00d", "containerd");
    container.resources = pod.resources;
    (container.name, container.cgroup) = ("nginx".into(), "/kubepods/pod0c5e-11/f00d".into());
    container.pod = Some(Arc::clone(&pod));
    container.kind = Some(ContainerKind::Regular);
    let container = Arc::new(container);
    let vm = Arc::new(VmInfo::new("6b1f", "build", "kvm"));
    let job = Arc::new(JobInfo::new("4711", "slurm", "/slurm/uid_1000/job_4711"));
    let mut nginx = process(20, 9, "nginx", "/usr/sbin/nginx");
    nginx.container = Some(Arc::clone(&container));
    let mut qemu = process(30, 9, "qemu", "/usr/bin/qemu");
    qemu.vm = Some(Arc::clone(&vm));
    let mut snapshot = snapshot();
    snapshot.processes = vec![
        row(process(1, 1, "systemd", "/usr/lib/systemd/systemd"), State::Running, 1.5),
        row(nginx, State::Running, 2.0),
        row(qemu, State::Running, 3.0),
        row(process(40, 12, "make", "/usr/bin/make"), State::Terminated, 0.125),
    ];
    snapshot.containers = vec![row(container, State::Running, 2.0)];
    snapshot.pods = vec![row(pod, State::Running, 2.0)];
    snapshot.vms = vec![row(vm, State::Running, 3.0)];
    snapshot.units = vec![row(UnitInfo::new("sshd.service", "/system.slice/sshd.service"), State::Running, 1.5)];
    snapshot.jobs = vec![row(job, State::Running, 4.0)];
    snapshot
}

/// The same with two accelerators, of which the first is used by a process, its container and its pod, and the second not
/// used yet; whether it is idle is unknown.
pub fn accelerated() -> Snapshot {
    let mut snapshot = inhabited();
    let device = |index: u32, uuid: &str| {
        let device = Device::new(uuid, "nvidia", "H200").with(|device| device.index = index);
        DeviceRow::new(device, "nvml", Method::Measured)
    };
    let (mut used, mut unknown) = (device(0, "GPU-4f1c"), device(1, "GPU-77aa"));
    used.energy = Energy::from_joules(300.0);
    (used.active_energy, used.idle_energy) = (Energy::from_joules(250.0), Energy::from_joules(50.0));
    used.unattributed_energy = Energy::from_joules(50.0);
    used.power = Some(ZonePower::new(Power::from_watts(300.0), Power::from_watts(250.0), Power::from_watts(50.0)));
    (used.idle_policy, used.idle_power) = (Some(IdlePolicy::Baseline), Some(Power::from_watts(50.0)));
    (used.utilisation, used.age) = (Some(0.9), Some(Duration::from_millis(250)));
    (unknown.energy, unknown.unsplit_energy) = (Energy::from_joules(70.0), Energy::from_joules(70.0));
    unknown.power = Some(ZonePower::new(Power::from_watts(70.0), Power::ZERO, Power::from_watts(70.0)));
    let mut sum = NodeZone::new("aggregated-gpu", "nvml", Method::Measured);
    (sum.energy, sum.active_energy) = (Energy::from_joules(370.0), Energy::from_joules(250.0));
    (sum.idle_energy, sum.unsplit_energy) = (Energy::from_joules(120.0), Energy::from_joules(70.0));
    sum.unsplit_power = Power::from_watts(70.0);
    sum.power = Some(ZonePower::new(Power::from_watts(370.0), Power::from_watts(250.0), Power::from_watts(120.0)));
    snapshot.node.zones[ZoneKind::Gpu] = Some(sum);
    snapshot.devices = vec![used, unknown];
    let share = |joules| vec![DeviceUse::new(0, Energy::from_joules(joules), Power::from_watts(joules))];
    snapshot.processes[1].devices = share(200.0);
    // Two rows of the same labels: a terminated process, and one that had its number before.
    snapshot.processes[3].devices = share(7.0);
    snapshot.processes.push(snapshot.processes[3].clone());
    snapshot.containers[0].devices = share(200.0);
    snapshot.pods[0].devices = share(200.0);
    snapshot.pods[0].devices.push(DeviceUse::new(1, Energy::from_joules(3.0), Power::ZERO));
    for row in &mut snapshot.processes {
        row.energy[ZoneKind::Gpu] = row.devices.iter().map(|used| used.energy).sum();
        row.power[ZoneKind::Gpu] = row.devices.iter().map(|used| used.power).sum();
    }
    snapshot
}

/// `count` processes of usual names on a node with four zones.
pub fn populated(count: u32) -> Snapshot {
    let mut snapshot = snapshot();
    for kind in [ZoneKind::Package, ZoneKind::Core, ZoneKind::Uncore, ZoneKind::Dram] {
        snapshot.node.zones[kind] = Some(zone(1000.0, Some(30.0)));
    }
    let id = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let container = Arc::new(ContainerInfo::new(id, "containerd"));
    snapshot.processes = (0..count)
        .map(|pid| {
            let mut info = process(pid + 1, 1, "worker", "/usr/lib/postgresql/15/bin/postgres");
            info.container = (pid % 2 == 0).then(|| Arc::clone(&container));
            let mut row = row(info, State::Running, f64::from(pid) * 1.234_567);
            row.power = PerZone::from_fn(|zone| Power::from_watts(f64::from(pid) / 7.0 + f64::from(zone as u8)));
            row.cpu_time = Duration::from_nanos(u64::from(pid) * 1_234_567_891);
            row
        })
        .collect();
    snapshot
}

/// A node of `count` named pods with two containers each, and four zones.
pub fn pods(count: u32, kind: Option<ContainerKind>) -> Snapshot {
    let mut snapshot = populated(0);
    for number in 0..count {
        let mut pod = PodInfo::new(format!("{number:08x}-6bd5-4710-95e8-1ba535d86106"));
        (pod.name, pod.namespace) = (format!("checkout-76bcb6cd6b-{number:05}"), format!("team-{}", number % 20));
        (pod.owner, pod.qos_class) = (Some(PodOwner::new("Deployment", "checkout")), "Burstable".into());
        let pod = Arc::new(pod);
        for (part, name) in ["server", "proxy"].into_iter().enumerate() {
            let mut container = ContainerInfo::new(format!("{part:032x}{number:032x}"), "kubernetes");
            (container.name, container.pod, container.kind) = (name.into(), Some(Arc::clone(&pod)), kind);
            snapshot.containers.push(row(container, State::Running, f64::from(number)));
        }
        snapshot.pods.push(row(pod, State::Running, f64::from(number)));
    }
    snapshot
}

pub fn options() -> ExportOptions {
    let processor = |number| {
        let mut processor = Processor::default();
        (processor.number, processor.core_id) = (number, number);
        (processor.vendor_id, processor.model_name) = ("GenuineIntel".into(), "Xeon".into());
        processor
    };
    ExportOptions::default().with(|options| {
        options.node_name = "node-1".into();
        (options.build.version, options.build.arch) = ("0.1.0".into(), "x86_64".into());
        options.topology.processors = vec![processor(0), processor(1)];
    })
}

pub fn exporter(snapshot: Option<Snapshot>, options: ExportOptions) -> Exporter {
    let feed = Feed::default();
    if let Some(snapshot) = snapshot {
        feed.publish(Arc::new(snapshot));
    }
    Exporter::new(feed, options)
}

pub fn text(exporter: &Exporter, format: Format) -> String {
    let mut out = Vec::new();
    exporter.encode(format, &mut out);
    String::from_utf8(out).unwrap()
}

pub type Labels = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: Labels,
    pub value: String,
}

/// Reads an exposition and fails on what either format forbids: a family that comes twice, samples
/// outside their family, a label set that comes twice.
pub fn parse(text: &str, format: Format) -> Vec<Sample> {
    let (mut samples, mut family, mut counter) = (Vec::new(), String::new(), false);
    let (mut families, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let body = match format {
        Format::Text => text,
        Format::OpenMetrics => text.strip_suffix("# EOF\n").expect("OpenMetrics ends with # EOF"),
        Format::Protobuf => panic!("that is no text"),
    };
    assert!(body.is_empty() || body.ends_with('\n'));
    for line in body.split_terminator('\n') {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (keyword, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            match keyword {
                "HELP" => {
                    assert!(families.insert(name.to_owned()), "{name} comes twice");
                    family = name.to_owned();
                }
                "TYPE" => counter = rest == "counter",
                "UNIT" => assert!(name.ends_with(&format!("_{rest}"))),
                _ => panic!("{line}"),
            }
            assert_eq!(name, family);
            continue;
        }
        let sample = parse_sample(line);
        let total = if counter && format == Format::OpenMetrics { "_total" } else { "" };
        assert_eq!(sample.name, format!("{family}{total}"));
        assert!(sample.value.parse::<f64>().is_ok(), "{line}");
        assert!(seen.insert((sample.name.clone(), sample.labels.clone())), "twice: {line}");
        samples.push(sample);
    }
    samples
}

fn parse_sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, tail) = rest.split_once("=\"").unwrap();
            let mut value = String::new();
            let mut characters = tail.char_indices();
            let close = loop {
                match characters.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match characters.next().unwrap().1 {
                        'n' => '\n',
                        other => {
                            assert!(other == '\\' || other == '"');
                            other
                        }
                    }),
                    (_, other) => value.push(other),
                }
            };
            assert!(labels.insert(label.to_owned(), value).is_none(), "label {label} comes twice");
            rest = &tail[close + 1..];
            if let Some(tail) = rest.strip_prefix('}') {
                rest = tail;
                break;
            }
            rest = rest.strip_prefix(',').unwrap();
        }
    }
    Sample { name: name.to_owned(), labels, value: rest.strip_prefix(' ').unwrap().to_owned() }
}

/// The values of the samples called `name` that have all of `labels`.
pub fn values<'a>(samples: &'a [Sample], name: &str, labels: &[(&str, &str)]) -> Vec<&'a str> {
    samples
        .iter()
        .filter(|sample| sample.name == name)
        .filter(|sample| labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|have| have == value)))
        .map(|sample| sample.value.as_str())
        .collect()
}
