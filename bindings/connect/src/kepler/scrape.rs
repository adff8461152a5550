//! Parses one scrape of an exporter.

use super::track::Reading;
use crate::energy::{
    Identity, Key, Level, METRICS, Metric, NodeFigures, Platforms, Quantity, RESOURCES, SOURCE_ERROR, SOURCE_INFO, add,
    annotation_of_pod, labels_of_pod, owner_of_pod, slot,
};
use crate::exposition::{Sample, samples};
use crate::http::chain;
use kepler_compliance::units::ZoneKind;
use kepler_compliance::view::{Owner, Resources, Split, WorkloadKind};
use kepler_core::metric_names;
use kepler_core::workload::EnergyAnnotation;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::sync::{Arc, LazyLock};

/// What an exporter showed.
#[derive(Debug, Default)]
pub(super) struct Scrape {
    /// The `node_name` of its series, where they have one.
    pub(super) node: Option<Arc<str>>,
    /// When its process began, seconds since 1970.
    pub(super) started: Option<f64>,
    /// The node's counters and power.
    pub(super) figures: NodeFigures,
    pub(super) workloads: HashMap<Key, Shown>,
    /// Controllers by the identifier of their pod.
    pub(super) owners: HashMap<Arc<str>, Owner>,
    /// Annotations about energy by the identifier of their pod.
    pub(super) annotations: HashMap<Arc<str>, Vec<EnergyAnnotation>>,
    /// Names that are told beside the series of energy, which may have begun before they were known.
    names: HashMap<Key, Identity>,
    /// Labels of pods by the identifier of their pod.
    pub(super) labels: HashMap<Arc<str>, Vec<(String, String)>>,
    /// Requests and limits of pods and containers by kind and identifier.
    pub(super) resources: HashMap<(WorkloadKind, Arc<str>), Resources>,
    /// Meters of the whole machine.
    pub(super) platform: Platforms,
    /// Whether it is an exporter of Kepler's.
    is_kepler: bool,
}

/// How much is read of an exporter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Whether processes are.
    pub(super) processes: bool,
    /// How many workloads at most.
    pub(super) workloads: usize,
    /// How many bytes at most, decompressed.
    pub(super) bytes: u64,
}

/// Why a text cannot be used.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// The kind of fault, a fixed word.
    pub(super) fault: &'static str,
    pub(super) reason: String,
}

impl Unreadable {
    fn malformed(reason: impl Into<String>) -> Self {
        Unreadable { fault: "malformed", reason: reason.into() }
    }
}

/// So much is read at a time.
const PIECE: usize = 64 << 10;
/// No line is longer.
const LONGEST_LINE: usize = 1 << 20;

/// What every exporter by a Prometheus client library says of itself.
const PROCESS_START: &str = "process_start_time_seconds";

/// No node has more accelerators.
const MOST_DEVICES: usize = 256;

/// What it showed of a workload.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) identity: Identity,
    pub(super) running: bool,
    pub(super) joules: Split<Reading>,
    /// Joules of accelerators that are told apart, by their identifiers. They are no part of `joules`.
    pub(super) devices: BTreeMap<Arc<str>, Reading>,
    pub(super) cpu_seconds: Reading,
    /// Of what runs.
    pub(super) watts: Split<f64>,
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Metric>> =
    LazyLock::new(|| METRICS.iter().map(|metric| (metric.name, metric)).collect());

impl Scrape {
    /// Reads the text of `/metrics` as it comes. One wrong line makes the whole text wrong: a sum over the rest would
    /// silently be short.
    pub(super) fn read(mut from: impl Read, extent: Extent) -> Result<Self, Unreadable> {
        let mut scrape = Scrape::default();
        let (mut text, mut lines, mut bytes) = (Vec::with_capacity(2 * PIECE), 0, 0_u64);
        loop {
            let read = (&mut from).take(PIECE as u64).read_to_end(&mut text).map_err(of_io)?;
            bytes = bytes.saturating_add(read as u64);
            if bytes > extent.bytes {
                let reason = format!("it is longer than {} bytes", extent.bytes);
                return Err(Unreadable { fault: "too_large", reason });
            }
            let is_last = read == 0;
            let whole =
                if is_last { text.len() } else { text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1) };
            let piece = text.get(..whole).unwrap_or_default();
            scrape.take_all(piece, lines, extent)?;
            if is_last {
                break;
            }
            lines += piece.iter().filter(|&&byte| byte == b'\n').count();
            text.drain(..whole);
            if text.len() > LONGEST_LINE {
                return Err(Unreadable::malformed(format!("line {} does not end", lines + 1)));
            }
        }
        if scrape.is_kepler {
            scrape.take_names();
            Ok(scrape)
        } else {
            Err(Unreadable::malformed("it shows no metrics of Kepler: check the port and the path"))
        }
    }

    /// Takes whole lines, of which the first follows `lines` others.
    fn take_all(&mut self, text: &[u8], lines: usize, extent: Extent) -> Result<(), Unreadable> {
        for sample in samples(text) {
            let sample = sample.map_err(|mut error| {
                error.line += lines;
                let foreign = foreign(text).filter(|_| lines == 0 && !self.is_kepler);
                Unreadable::malformed(foreign.map_or_else(|| error.to_string(), str::to_owned))
            })?;
            let known = BY_NAME.get(sample.name).copied();
            self.is_kepler |= known.is_some() || sample.name == metric_names::BUILD_INFO;
            if known.is_some_and(|metric| metric.level == Level::Workload(WorkloadKind::Process)) && !extent.processes {
                continue;
            }
            if known.is_some() {
                self.of_node(&sample).map_err(Unreadable::malformed)?;
            }
            self.take(&sample, known);
            if self.figures.devices.len() > MOST_DEVICES {
                let reason = format!("it shows more than {MOST_DEVICES} accelerators");
                return Err(Unreadable { fault: "too_large", reason });
            }
            if self.workloads.len() > extent.workloads {
                let reason = format!("it shows more than {} workloads", extent.workloads);
                return Err(Unreadable { fault: "too_large", reason });
            }
        }
        Ok(())
    }

    fn of_node(&mut self, sample: &Sample<'_>) -> Result<(), String> {
        match (sample.label("node_name"), self.node.as_deref()) {
            (Some(name), None) => self.node = Some(name.into()),
            (Some(name), Some(other)) if name != other => {
                return Err(format!(
                    "it shows more than one node (`{other}`, `{name}`): name the exporters themselves, or ask Prometheus"
                ));
            }
            _ => {}
        }
        Ok(())
    }

    fn take(&mut self, sample: &Sample<'_>, known: Option<&Metric>) {
        // A counter that is not a number says nothing.
        if !sample.value.is_finite() {
            return;
        }
        let label = |name: &str| sample.label(name);
        match (sample.name, known) {
            (PROCESS_START, _) => self.started = Some(sample.value),
            (SOURCE_INFO | SOURCE_ERROR, _) => self.figures.sources.take(sample.name, label, sample.value),
            (metric_names::POD_INFO, _) => {
                self.note_name(WorkloadKind::Pod, label);
                if let Some((pod, owner)) = owner_of_pod(label) {
                    self.owners.insert(pod.into(), owner);
                }
                let labels = labels_of_pod(sample.labels.iter().map(|(name, value)| (*name, &**value)));
                if let Some(pod) = sample.label("pod_id").filter(|_| !labels.is_empty()) {
                    self.labels.insert(pod.into(), labels);
                }
            }
            (metric_names::CONTAINER_INFO, _) => self.note_name(WorkloadKind::Container, label),
            (metric_names::POD_ANNOTATION_INFO, _) => {
                if let Some((pod, annotation)) = annotation_of_pod(label) {
                    self.annotations.entry(pod.into()).or_default().push(annotation);
                }
            }
            (name, _) if Platforms::knows(name) => self.platform.take(name, label, sample.value),
            (metric_names::NODE_CPU_INFO, _) => *self.figures.processors.get_or_insert_default() += 1,
            (_, Some(metric)) => {
                let Some(part) = metric.part(label) else { return };
                match metric.level {
                    Level::Node => match metric.device(label) {
                        Some(uuid) => self.figures.add_of_device(uuid, metric.quantity, sample.value, label),
                        None => self.figures.add(metric.quantity, part, sample.value),
                    },
                    Level::Workload(kind) => {
                        let Some(identity) = Identity::read(kind, label) else { return };
                        let shown = self.workloads.entry(identity.key()).or_insert_with(|| Shown::new(identity));
                        let device = metric.device(label);
                        shown.add(metric.quantity, (part, device), label("state"), sample.value);
                    }
                }
            }
            _ => {
                let series = RESOURCES.iter().find(|(name, _)| *name == sample.name).map(|(_, series)| series);
                let Some((series, uid)) = series.and_then(|series| Some((series, series.uid(label)?))) else { return };
                let resources = self.resources.entry((series.kind, uid.into())).or_default();
                series.note(resources, label, sample.value);
                self.note_name(series.kind, label);
            }
        }
    }

    /// A series that is about a workload and has its name.
    fn note_name<'a>(&mut self, kind: WorkloadKind, label: impl Fn(&str) -> Option<&'a str>) {
        if let Some(identity) = Identity::read(kind, label).filter(Identity::is_named) {
            self.names.entry(identity.key()).or_insert(identity);
        }
    }

    /// Gives workloads the names that other series have for them.
    fn take_names(&mut self) {
        for (key, named) in std::mem::take(&mut self.names) {
            if let Some(shown) = self.workloads.get_mut(&key) {
                shown.identity.take_name(named);
            }
        }
    }
}

/// What a text is that is none of metrics, by its beginning.
fn foreign(text: &[u8]) -> Option<&'static str> {
    match text.trim_ascii_start().first()? {
        b'<' => {
            Some("it shows no metrics but a page: check the port and the path, and look for a login or a proxy between")
        }
        b'{' | b'[' => Some("it shows no metrics but JSON: check the port and the path"),
        _ => None,
    }
}

/// The rest of a text that did not come.
fn of_io(error: io::Error) -> Unreadable {
    let (is_timeout, reason) = match error.downcast::<reqwest::Error>() {
        // The address may hold a password.
        Ok(error) => (error.is_timeout(), chain(&error.without_url())),
        Err(error) => (error.kind() == io::ErrorKind::TimedOut, error.to_string()),
    };
    if is_timeout {
        return Unreadable { fault: "timeout", reason: "it has not come completely within the time for it".into() };
    }
    Unreadable { fault: "broken", reason: format!("it is broken: {reason}") }
}

impl Shown {
    /// The controller of this pod.
    pub(super) fn owner_in(&self, owners: &HashMap<Arc<str>, Owner>) -> Option<Owner> {
        (self.identity.kind == WorkloadKind::Pod).then(|| owners.get(&self.identity.uid).cloned()).flatten()
    }

    /// What it asked for.
    pub(super) fn resources_in(&self, resources: &HashMap<(WorkloadKind, Arc<str>), Resources>) -> Option<Resources> {
        if resources.is_empty() || !matches!(self.identity.kind, WorkloadKind::Pod | WorkloadKind::Container) {
            return None;
        }
        resources.get(&(self.identity.kind, Arc::clone(&self.identity.uid))).copied()
    }

    fn new(identity: Identity) -> Self {
        let (joules, watts) = (Split::default(), Split::default());
        Shown { identity, running: false, joules, devices: BTreeMap::new(), cpu_seconds: Reading::default(), watts }
    }

    /// Adds what a series of a zone shows, or of one accelerator.
    fn add(&mut self, quantity: Quantity, of: (ZoneKind, Option<&str>), state: Option<&str>, value: f64) {
        let (part, device) = of;
        let terminated = state == Some("terminated");
        // The CPU time of a process has no state, so it does not tell whether it runs.
        self.running |= !terminated && (state.is_some() || quantity != Quantity::CpuSeconds);
        let reading = match quantity {
            Quantity::Watts if terminated => return,
            Quantity::Watts => return add(&mut self.watts, part, value),
            Quantity::CpuSeconds => &mut self.cpu_seconds,
            _ => match device {
                Some(uuid) => self.devices.entry(uuid.into()).or_default(),
                None => slot(&mut self.joules, part).get_or_insert_default(),
            },
        };
        let slot = if terminated { &mut reading.terminated } else { &mut reading.running };
        *slot = Some(slot.unwrap_or(0.0) + value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: Extent = Extent { processes: true, workloads: 1000, bytes: 1 << 20 };

    #[test]
    fn rows_of_one_workload_come_together_and_sockets_are_summed() {
        let text = br#"kepler_node_cpu_joules_total{node_name="n",path="a",zone="package"} 10
kepler_node_cpu_joules_total{node_name="n",path="b",zone="package"} 5
kepler_pod_cpu_joules_total{node_name="n",pod_id="u",pod_name="",pod_namespace="",state="running",zone="package"} 3
kepler_pod_cpu_joules_total{node_name="n",pod_id="u",pod_name="web",pod_namespace="shop",state="terminated",zone="package"} 4
kepler_pod_cpu_watts{node_name="n",pod_id="u",pod_name="web",pod_namespace="shop",state="terminated",zone="package"} 0
kepler_node_cpu_info{processor="0"} 1
kepler_node_cpu_info{processor="1"} 1
"#;
        let mut scrape = Scrape::read(&text[..], ALL).unwrap();
        let package = ZoneKind::Package;
        assert_eq!(*slot(&mut scrape.figures.joules, package), Some(15.0));
        assert_eq!((scrape.node.as_deref(), scrape.figures.processors), (Some("n"), Some(2)));
        let pod = scrape.workloads.values_mut().next().unwrap();
        assert_eq!(pod.identity.kind, WorkloadKind::Pod);
        let joules = slot(&mut pod.joules, package).unwrap();
        assert_eq!((joules.running, joules.terminated), (Some(3.0), Some(4.0)));
        assert_eq!(pod.watts, Split::default(), "what is terminated has no power");
    }

    #[test]
    fn another_servers_metrics_a_cut_text_and_several_nodes_are_refused() {
        let refused = |text: &str| Scrape::read(text.as_bytes(), ALL).unwrap_err().reason;
        assert!(refused("up 1\n").contains("no metrics of Kepler"));
        assert!(refused("").contains("no metrics of Kepler"));
        assert!(refused("kepler_build_info{} 1\nkepler_node_cpu_watts{zone=").contains("line 2"));
        let two = "kepler_node_cpu_watts{node_name=\"a\",zone=\"dram\"} 1\nkepler_node_cpu_watts{node_name=\"b\",zone=\"dram\"} 1\n";
        assert!(refused(two).contains("`a`, `b`"));
    }

    #[test]
    fn a_text_is_read_in_pieces_and_bounded_in_bytes_and_workloads() {
        let pod = |n: usize| {
            format!("kepler_pod_cpu_watts{{node_name=\"n\",pod_id=\"{n}\",pod_name=\"web\",zone=\"dram\"}} 1\n")
        };
        let text: String = (0..3000).map(pod).collect();
        assert!(text.len() > 3 * PIECE);
        let read = |text: &str, extent| Scrape::read(text.as_bytes(), extent);
        let wide = Extent { workloads: 3000, ..ALL };
        assert_eq!(read(&text, wide).unwrap().workloads.len(), 3000);
        assert!(read(&(text.clone() + "{"), wide).unwrap_err().reason.contains("line 3001"));
        assert_eq!(read(&text, Extent { workloads: 2999, ..ALL }).unwrap_err().fault, "too_large");
        assert_eq!(read(&text, Extent { bytes: 1000, ..wide }).unwrap_err().fault, "too_large");
    }

    #[test]
    fn a_pods_controller_is_told_beside_its_figures_and_processes_only_where_wanted() {
        let text = "kepler_pod_info{node_name=\"n\",pod_id=\"u\",owner_kind=\"Deployment\",owner_name=\"web\"} 1\n\
            kepler_pod_info{node_name=\"n\",pod_id=\"v\",owner_kind=\"\",owner_name=\"\"} 1\n\
            kepler_pod_cpu_watts{node_name=\"n\",pod_id=\"u\",pod_name=\"web-1\",zone=\"dram\"} 1\n\
            kepler_process_cpu_watts{node_name=\"n\",pid=\"1\",comm=\"init\",zone=\"dram\"} 1\n";
        let all = Scrape::read(text.as_bytes(), ALL).unwrap();
        let owner = all.workloads.values().find_map(|shown| shown.owner_in(&all.owners)).unwrap();
        assert_eq!((owner.kind, &*owner.name, all.workloads.len()), (WorkloadKind::Deployment, "web", 2));
        let pods = Scrape::read(text.as_bytes(), Extent { processes: false, ..ALL }).unwrap();
        assert_eq!(pods.workloads.len(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Scrape::read(&text[..], ALL);
        }
    }
}
