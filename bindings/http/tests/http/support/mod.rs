//! A node made by hand, and a small parser of what the exporter says of it.
#![allow(dead_code, unreachable_pub, reason = "shared by several test programs, each of which uses its part")]

use kepler_core::attribution::{IdlePolicy, Weight};
use kepler_core::counter::CounterEvents;
use kepler_core::host::{Processor, Timestamp, Topology};
use kepler_core::meter::Method;
use kepler_core::snapshot::{Cost, Fault, Feed, Node, NodeZone, Row, Snapshot, SourceHealth, State, ZonePower};
use kepler_core::units::{Energy, PerZone, Power, ZoneKind};
use kepler_core::workload::{ContainerInfo, PodInfo, ProcessInfo, UnitInfo, VmInfo};
use kepler_http::{BuildInfo, ExportOptions, Exporter, Format};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub fn zone(joules: f64, power: Option<f64>) -> NodeZone {
    let half = Energy::from_joules(joules / 2.0);
    NodeZone {
        path: "/sys/class/powercap/intel-rapl:0".into(),
        source: "powercap",
        method: Method::Measured,
        energy: half + half,
        active_energy: half,
        idle_energy: half,
        unattributed_energy: Energy::from_joules(0.25),
        short_lived_energy: Energy::ZERO,
        forgotten_energy: Energy::ZERO,
        idle_policy: IdlePolicy::Baseline,
        power: power.map(|watts| {
            let half = Power::from_watts(watts / 2.0);
            ZonePower { total: Power::from_watts(watts), active: half, idle: half }
        }),
        interval: None,
        events: CounterEvents { wraps: 3, resets: 0, ambiguous: 1 },
    }
}

pub fn row<Info>(info: Info, state: State, joules: f64) -> Row<Info> {
    Row {
        info: Arc::new(info),
        state,
        cpu_time: Duration::from_millis(1250),
        energy: PerZone::from_fn(|_| Energy::from_joules(joules)),
        power: PerZone::from_fn(|_| Power::from_watts(if state == State::Running { 0.5 } else { 0.0 })),
    }
}

pub fn process(pid: u32, start_ticks: u64, comm: &str, exe: &str) -> ProcessInfo {
    ProcessInfo { pid, start_ticks, comm: comm.into(), exe: exe.into(), container: None, vm: None, unit: None }
}

/// A snapshot of now, of a node with a measured package and an estimated dram, without workloads.
pub fn snapshot() -> Snapshot {
    let mut node = Node { usage_ratio: 0.25, processors: 2, ..Node::default() };
    node.weights[ZoneKind::Package] = Some(Weight::Time);
    node.zones[ZoneKind::Package] = Some(zone(120.5, Some(20.5)));
    node.zones[ZoneKind::Dram] =
        Some(NodeZone { source: "model", method: Method::Estimated { error_ratio: 0.3 }, ..zone(8.0, None) });
    let at = Timestamp::now();
    Snapshot {
        sequence: 7,
        at,
        interval: Duration::from_secs(5),
        node,
        processes: Vec::new(),
        containers: Vec::new(),
        pods: Vec::new(),
        vms: Vec::new(),
        units: Vec::new(),
        commands: Vec::new(),
        faults: vec![Fault { source: "powercap", reason: "permission_denied", count: 2 }],
        estimate_warnings: vec![Fault { source: "model", reason: "outside_range", count: 4 }],
        sources: vec![SourceHealth { source: "powercap", last_success: at }],
        cost: Cost { last_tick: Duration::from_micros(1500), ticks_total: Duration::from_millis(70) },
    }
}

/// One workload of each kind.
pub fn inhabited() -> Snapshot {
    let pod = Arc::new(PodInfo {
        id: "0c5e-11".into(),
        name: "web-0".into(),
        namespace: "shop".into(),
        cgroup: "/kubepods/pod0c5e-11".into(),
    });
    let container = Arc::new(ContainerInfo {
        id: "f00d".into(),
        name: "nginx".into(),
        runtime: "containerd",
        pod: Some(Arc::clone(&pod)),
        cgroup: "/kubepods/pod0c5e-11/f00d".into(),
    });
    let vm = Arc::new(VmInfo { id: "6b1f".into(), name: "build".into(), hypervisor: "kvm" });
    let unit = UnitInfo { name: "sshd.service".into(), cgroup: "/system.slice/sshd.service".into() };
    let mut snapshot = snapshot();
    snapshot.processes = vec![
        row(process(1, 1, "systemd", "/usr/lib/systemd/systemd"), State::Running, 1.5),
        row(
            ProcessInfo { container: Some(Arc::clone(&container)), ..process(20, 9, "nginx", "/usr/sbin/nginx") },
            State::Running,
            2.0,
        ),
        row(ProcessInfo { vm: Some(Arc::clone(&vm)), ..process(30, 9, "qemu", "/usr/bin/qemu") }, State::Running, 3.0),
        row(process(40, 12, "make", "/usr/bin/make"), State::Terminated, 0.125),
    ];
    snapshot.containers = vec![row((*container).clone(), State::Running, 2.0)];
    snapshot.pods = vec![row((*pod).clone(), State::Running, 2.0)];
    snapshot.vms = vec![row((*vm).clone(), State::Running, 3.0)];
    snapshot.units = vec![row(unit, State::Running, 1.5)];
    snapshot
}

/// `count` processes of usual names on a node with four zones.
pub fn crowded(count: u32) -> Snapshot {
    let mut snapshot = snapshot();
    for kind in [ZoneKind::Package, ZoneKind::Core, ZoneKind::Uncore, ZoneKind::Dram] {
        snapshot.node.zones[kind] = Some(zone(1000.0, Some(30.0)));
    }
    let container = Arc::new(ContainerInfo {
        id: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        name: String::new(),
        runtime: "containerd",
        pod: None,
        cgroup: String::new(),
    });
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

pub fn options() -> ExportOptions {
    let processor = |number| Processor {
        number,
        vendor_id: "GenuineIntel".into(),
        model_name: "Xeon".into(),
        core_id: number,
        ..Processor::default()
    };
    ExportOptions {
        node_name: "node-1".into(),
        build: BuildInfo { version: "0.1.0".into(), arch: "x86_64".into(), ..BuildInfo::default() },
        topology: Topology { processors: vec![processor(0), processor(1)], virtualised: false },
        ..ExportOptions::default()
    }
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
