//! A cluster whose figures a test states.

use jiff::Timestamp;
use kepler_compliance::intensity::{IntensitySource, IntensityTable};
use kepler_compliance::series::Series;
use kepler_compliance::standards::{Basis, Standards};
use kepler_compliance::tariff::EnergyPrice;
use kepler_compliance::tools::{Context, Price, Settings, StatedPue};
use kepler_compliance::units::{CarbonIntensity, Energy, Pue, ZoneKind};
use kepler_compliance::view::{
    Containment, EnergySeries, EnergySplit, EnergyView, Inventory, NewestReading, NodeEnergy, NodeZoneEnergy,
    Resources, Skipped, StepUsage, Subject, TimeRange, ViewError, WorkloadEnergy, WorkloadId, WorkloadKind,
};
use kepler_compliance::zones::Zones;
use kepler_core::meter::Method;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A view with given answers; everything happened in the `window` before the asked end.
pub(crate) struct Stated {
    pub(crate) window: Duration,
    pub(crate) nodes: Vec<(&'static str, f64, f64, f64)>,
    pub(crate) rows: Vec<Row>,
    pub(crate) skipped: Vec<(&'static str, &'static str)>,
    pub(crate) coverage: f64,
    /// Of every node's package, joules.
    pub(crate) unattributed: f64,
    pub(crate) steps: Vec<StepUsage>,
    pub(crate) down: bool,
}

#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) kind: WorkloadKind,
    pub(crate) namespace: Option<&'static str>,
    pub(crate) name: String,
    pub(crate) package: f64,
    pub(crate) dram: f64,
    pub(crate) running: bool,
    pub(crate) method: Method,
    pub(crate) requests: Option<f64>,
    pub(crate) containment: Containment,
}

impl Row {
    pub(crate) fn new(kind: WorkloadKind, name: &str, package: f64, dram: f64) -> Self {
        let namespace = (kind == WorkloadKind::Pod).then_some("default");
        let (running, method, requests) = (true, Method::Measured, None);
        let containment = Containment::Outermost;
        Row { kind, namespace, name: name.to_owned(), package, dram, running, method, requests, containment }
    }

    pub(crate) fn pod(name: &str, package: f64, dram: f64) -> Self {
        Row::new(WorkloadKind::Pod, name, package, dram)
    }

    pub(crate) fn ended(self) -> Self {
        Row { running: false, ..self }
    }

    pub(crate) fn within(self, namespace: &'static str) -> Self {
        Row { namespace: Some(namespace), ..self }
    }

    pub(crate) fn estimated(self, error_ratio: f64) -> Self {
        Row { method: Method::Estimated { error_ratio }, ..self }
    }

    pub(crate) fn requesting(self, cores: f64) -> Self {
        Row { requests: Some(cores), ..self }
    }
}

impl EnergyView for Stated {
    fn name(&self) -> &str {
        "stated"
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        if self.down {
            let reason = "connection refused; is it running?".into();
            return Err(ViewError::Unavailable { origin: "stated".into(), reason });
        }
        if self.nodes.is_empty() {
            return Err(ViewError::NoData { origin: "stated".into(), range, reason: "nothing was measured".into() });
        }
        let covered = TimeRange::ending(range.end, self.window);
        let node = |&(name, package, dram, idle): &(&str, f64, f64, f64)| {
            let zone = |joules: f64, idle: f64, unattributed: f64| {
                let mut zone = NodeZoneEnergy::new(Energy::from_joules(joules), Method::Measured, "powercap");
                zone.active = Some(Energy::from_joules(joules - idle));
                zone.idle = Some(Energy::from_joules(idle));
                zone.unattributed = Some(Energy::from_joules(unattributed));
                zone
            };
            let mut node = NodeEnergy::new(name, covered);
            node.zones[ZoneKind::Package] = Some(zone(package, idle, self.unattributed));
            node.zones[ZoneKind::Dram] = Some(zone(dram, 0.0, 0.0));
            node.processors = Some(8);
            node
        };
        let row = |(index, row): (usize, &Row)| {
            let node = self.nodes[index % self.nodes.len()].0;
            let mut id = WorkloadId::new(row.kind, row.name.as_str(), format!("uid-{index}"), node);
            id.namespace = row.namespace.map(Into::into);
            let mut workload = WorkloadEnergy::new(id, split(row.package, row.dram), row.method);
            workload.running = row.running;
            workload.cpu_time = Some(Duration::from_secs(1));
            workload.containment = row.containment.clone();
            workload.resources = row.requests.map(|cores| {
                let mut resources = Resources::default();
                resources.cpu_request_cores = Some(cores);
                resources
            });
            workload
        };
        let mut inventory = Inventory::new("7", range, covered, self.coverage);
        inventory.nodes = self.nodes.iter().map(node).collect();
        inventory.workloads = self.rows.iter().enumerate().map(row).collect();
        inventory.skipped = self.skipped.iter().map(|&(what, why)| Skipped::new(what, why)).collect();
        Ok(Arc::new(inventory))
    }

    fn series(&self, _: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        if self.steps.is_empty() {
            return Err(ViewError::NoData { origin: "stated".into(), range, reason: "no steps".into() });
        }
        let steps = Series::regular(range.start, step, self.steps.iter().copied()).unwrap();
        let mut series = EnergySeries::new(steps, Method::Measured, "7");
        series.coverage = self.coverage;
        Ok(series)
    }

    fn newest(&self) -> Option<NewestReading> {
        None
    }
}

pub(crate) fn split(package: f64, dram: f64) -> EnergySplit {
    let mut split = EnergySplit::default();
    split.zones[ZoneKind::Package] = Some(Energy::from_joules(package));
    split.zones[ZoneKind::Dram] = Some(Energy::from_joules(dram));
    split
}

/// All that the tools work with.
pub(crate) struct World {
    pub(crate) view: Stated,
    pub(crate) standards: Standards,
    pub(crate) zones: Zones,
    pub(crate) intensity: Box<dyn IntensitySource>,
    pub(crate) settings: Settings,
    pub(crate) now: Timestamp,
}

const BUDGET: &str = r#"{"rules": [{
    "code": "TEAM_BUDGET", "kind": "emission_budget", "name": "Team budget",
    "text": {"en": "20 g/h", "ko": "시간당 20 g"}, "jurisdiction": "user", "force": "internal",
    "subject": "workload", "metric": "emissions_per_hour", "limit": {"at_most": 20}, "source": "team wiki"
}]}"#;

impl World {
    /// The node of worked example 1 with its two pods, at 424 g/kWh and PUE 1 unless a test says otherwise.
    pub(crate) fn new() -> Self {
        let zones = Zones::embedded().unwrap();
        let mut standards = Standards::embedded().unwrap();
        standards.add(Path::new("budget.json"), BUDGET).unwrap();
        World {
            view: Stated {
                window: Duration::from_secs(5),
                nodes: vec![("node-1", 452.0, 224.0, 0.0)],
                rows: vec![
                    Row::pod("small", 452.0 * 0.05, 224.0 * 0.05),
                    Row::pod("large", 452.0 * 0.65, 224.0 * 0.65),
                ],
                skipped: Vec::new(),
                coverage: 1.0,
                unattributed: 0.0,
                steps: Vec::new(),
                down: false,
            },
            standards,
            intensity: Box::new(IntensityTable::from_zones(&zones)),
            zones,
            settings: settings(424.0, 1.0),
            now: "2026-11-21T12:00:00Z".parse().unwrap(),
        }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context::new(&self.view, &self.standards, &self.zones, &*self.intensity, &self.settings, self.now)
    }
}

/// A facility with its grid, its PUE and a price of 100 won.
pub(crate) fn settings(grams: f64, pue: f64) -> Settings {
    let mut settings = Settings::default();
    settings.region = Some("ap-northeast-2".into());
    settings.pue = Some(StatedPue::new(Pue::new(pue).unwrap(), Basis::Measured));
    settings.grid_intensity = Some(CarbonIntensity::from_grams_per_kilowatt_hour(grams));
    settings.price = Some(Price::new(EnergyPrice::per_kilowatt_hour(100.0), "KRW"));
    settings
}

pub(crate) fn near(value: Option<f64>, expected: f64, tolerance: f64) -> bool {
    value.is_some_and(|value| (value - expected).abs() <= tolerance)
}
