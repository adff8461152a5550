//! Parses one scrape of an exporter.

use super::track::Reading;
use crate::energy::{
    Identity, Key, Level, METRICS, Metric, NodeFigures, Part, Quantity, SOURCE_ERROR, SOURCE_INFO, add, slot,
};
use crate::exposition::{Sample, samples};
use kepler_compliance::view::Split;
use kepler_core::metric_names;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// What an exporter showed.
#[derive(Debug, Default)]
pub(super) struct Scrape {
    /// The `node_name` of its series, where they have one.
    pub(super) node: Option<Arc<str>>,
    /// The node's counters and power.
    pub(super) figures: NodeFigures,
    pub(super) workloads: HashMap<Key, Shown>,
}

/// What it showed of a workload.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) identity: Identity,
    pub(super) running: bool,
    pub(super) joules: Split<Reading>,
    pub(super) cpu_seconds: Reading,
    /// Of what runs.
    pub(super) watts: Split<f64>,
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Metric>> =
    LazyLock::new(|| METRICS.iter().map(|metric| (metric.name, metric)).collect());

impl Scrape {
    /// Reads the text of `/metrics`. One wrong line makes the whole text wrong: a sum over the rest would
    /// be short without anybody's noticing.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        let mut scrape = Scrape::default();
        let mut any = false;
        for sample in samples(text) {
            let sample = sample.map_err(|error| error.to_string())?;
            let known = BY_NAME.get(sample.name).copied();
            any |= known.is_some() || sample.name == metric_names::BUILD_INFO;
            if known.is_some() {
                scrape.of_node(&sample)?;
            }
            scrape.take(&sample, known);
        }
        if any { Ok(scrape) } else { Err("it shows no metrics of Kepler: check the port and the path".into()) }
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
            (SOURCE_INFO | SOURCE_ERROR, _) => self.figures.sources.take(sample.name, label, sample.value),
            (metric_names::NODE_CPU_INFO, _) => *self.figures.processors.get_or_insert_default() += 1,
            (_, Some(metric)) => {
                let Some(part) = metric.part(label) else { return };
                match metric.level {
                    Level::Node => self.figures.add(metric.quantity, part, sample.value),
                    Level::Workload(kind) => {
                        let Some(identity) = Identity::read(kind, label) else { return };
                        let shown = self.workloads.entry(identity.key()).or_insert_with(|| Shown::new(identity));
                        shown.add(metric.quantity, part, label("state"), sample.value);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Shown {
    fn new(identity: Identity) -> Self {
        let (joules, watts) = (Split::default(), Split::default());
        Shown { identity, running: false, joules, cpu_seconds: Reading::default(), watts }
    }

    fn add(&mut self, quantity: Quantity, part: Part, state: Option<&str>, value: f64) {
        let terminated = state == Some("terminated");
        // The CPU time of a process has no state, so it does not tell whether it runs.
        self.running |= !terminated && (state.is_some() || quantity != Quantity::CpuSeconds);
        let reading = match quantity {
            Quantity::Watts if terminated => return,
            Quantity::Watts => return add(&mut self.watts, part, value),
            Quantity::CpuSeconds => &mut self.cpu_seconds,
            _ => slot(&mut self.joules, part).get_or_insert_default(),
        };
        let slot = if terminated { &mut reading.terminated } else { &mut reading.running };
        *slot = Some(slot.unwrap_or(0.0) + value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepler_compliance::units::ZoneKind;
    use kepler_compliance::view::WorkloadKind;
    use proptest::prelude::*;

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
        let mut scrape = Scrape::read(text).unwrap();
        let package = Part::Zone(ZoneKind::Package);
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
        let refused = |text: &str| Scrape::read(text.as_bytes()).unwrap_err();
        assert!(refused("up 1\n").contains("no metrics of Kepler"));
        assert!(refused("").contains("no metrics of Kepler"));
        assert!(refused("kepler_build_info{} 1\nkepler_node_cpu_watts{zone=").contains("line 2"));
        let two = "kepler_node_cpu_watts{node_name=\"a\",zone=\"dram\"} 1\nkepler_node_cpu_watts{node_name=\"b\",zone=\"dram\"} 1\n";
        assert!(refused(two).contains("`a`, `b`"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Scrape::read(&text);
        }
    }
}
