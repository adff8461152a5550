//! A cluster whose figures a test states.

use jiff::Timestamp;
use kepler_compliance::intensity::{IntensitySource, Table};
use kepler_compliance::series::Series;
use kepler_compliance::standards::{Basis, Standards};
use kepler_compliance::tariff::EnergyPrice;
use kepler_compliance::tools::{Context, Price, Settings, StatedPue};
use kepler_compliance::units::{CarbonIntensity, Energy, PerZone, Pue, ZoneKind};
use kepler_compliance::view::{
    Containment, EnergySeries, EnergySplit, EnergyView, Inventory, NewestReading, NodeEnergy, NodeZoneEnergy,
    Resources, Subject, TimeRange, Usage, ViewError, WorkloadEnergy, WorkloadId, WorkloadKind,
};
use kepler_compliance::zones::Zones;
use kepler_core::meter::Method;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A view that answers what it was told; everything happened in the `window` before the asked end.
pub(crate) struct Stated {
    pub(crate) window: Duration,
    pub(crate) nodes: Vec<(&'static str, f64, f64, f64)>,
    pub(crate) rows: Vec<Row>,
    pub(crate) skipped: Vec<(&'static str, &'static str)>,
    pub(crate) coverage: f64,
    /// Of every node's package, joules.
    pub(crate) unattributed: f64,
    pub(crate) steps: Vec<Usage>,
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
            let zone = |joules: f64, idle: f64, unattributed: f64| NodeZoneEnergy {
                energy: Energy::from_joules(joules),
                active: Some(Energy::from_joules(joules - idle)),
                idle: Some(Energy::from_joules(idle)),
                unattributed: Some(Energy::from_joules(unattributed)),
                power: None,
                method: Method::Measured,
                source: "powercap".into(),
            };
            let mut zones = PerZone::default();
            zones[ZoneKind::Package] = Some(zone(package, idle, self.unattributed));
            zones[ZoneKind::Dram] = Some(zone(dram, 0.0, 0.0));
            NodeEnergy { name: name.into(), covered, zones, gpu: None, processors: Some(8) }
        };
        let row = |(index, row): (usize, &Row)| WorkloadEnergy {
            id: WorkloadId {
                kind: row.kind,
                namespace: row.namespace.map(Into::into),
                name: row.name.as_str().into(),
                uid: format!("uid-{index}").into(),
                node: self.nodes[index % self.nodes.len()].0.into(),
            },
            owner: None,
            running: row.running,
            energy: split(row.package, row.dram),
            power: None,
            cpu_time: Some(Duration::from_secs(1)),
            method: row.method,
            containment: row.containment.clone(),
            resources: row.requests.map(|cores| Resources { cpu_request_cores: Some(cores), ..Resources::default() }),
        };
        Ok(Arc::new(Inventory {
            moment: "7".into(),
            asked: range,
            covered,
            coverage: self.coverage,
            nodes: self.nodes.iter().map(node).collect(),
            workloads: self.rows.iter().enumerate().map(row).collect(),
            skipped: self
                .skipped
                .iter()
                .map(|(what, why)| kepler_compliance::view::Skipped { what: (*what).into(), reason: (*why).into() })
                .collect(),
        }))
    }

    fn series(&self, _: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        if self.steps.is_empty() {
            return Err(ViewError::NoData { origin: "stated".into(), range, reason: "no steps".into() });
        }
        let steps = Series::regular(range.start, step, self.steps.iter().copied()).unwrap();
        let (method, resolution) = (Method::Measured, Duration::ZERO);
        Ok(EnergySeries { steps, method, coverage: self.coverage, resolution, moment: "7".into() })
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
            intensity: Box::new(Table::from_zones(&zones)),
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
    Settings {
        region: Some("ap-northeast-2".into()),
        pue: Some(StatedPue { value: Pue::new(pue).unwrap(), basis: Basis::Measured }),
        grid_intensity: Some(CarbonIntensity::from_grams_per_kilowatt_hour(grams)),
        price: Some(Price { per_kwh: EnergyPrice::per_kilowatt_hour(100.0), currency: "KRW".into() }),
        ..Settings::default()
    }
}

pub(crate) fn near(value: Option<f64>, expected: f64, tolerance: f64) -> bool {
    value.is_some_and(|value| (value - expected).abs() <= tolerance)
}
