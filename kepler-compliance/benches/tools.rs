//! What assessing a large cluster costs: 10,000 workloads in a view that answers at once, so that the
//! tools' own share shows. The view's share (copying its rows) is measured beside it, as the floor.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark that cannot set up its cluster has no result")]

use criterion::{Criterion, criterion_group, criterion_main};
use kepler_compliance::intensity::IntensityTable;
use kepler_compliance::series::Series;
use kepler_compliance::standards::{Basis, Standards};
use kepler_compliance::tools::{
    AssessRequest, Context, ListRequest, Settings, StatedPue, SummaryRequest, ToolRequest, assess_workload_compliance,
    get_cluster_carbon_summary, list_workloads_by_compliance,
};
use kepler_compliance::units::{CarbonIntensity, Energy, Pue, ZoneKind};
use kepler_compliance::view::{
    Containment, EnergySeries, EnergySplit, EnergyView, Inventory, NewestReading, NodeEnergy, NodeZoneEnergy,
    StepUsage, Subject, TimeRange, ViewError, WorkloadEnergy, WorkloadId, WorkloadKind,
};
use kepler_compliance::zones::Zones;
use kepler_core::meter::Method;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const WORKLOADS: usize = 10_000;
const NODES: usize = 100;

struct Cluster(Arc<Inventory>);

impl Cluster {
    fn new(range: TimeRange) -> Self {
        let name = |node: usize| -> Arc<str> { format!("node-{node}").into() };
        let zone = |joules: f64| {
            let mut zone = NodeZoneEnergy::new(Energy::from_joules(joules), Method::Measured, "powercap");
            zone.active = Some(Energy::from_joules(joules * 0.7));
            zone.idle = Some(Energy::from_joules(joules * 0.3));
            zone.unattributed = Some(Energy::ZERO);
            zone
        };
        let node = |index: usize| {
            let mut node = NodeEnergy::new(name(index), range);
            node.zones[ZoneKind::Package] = Some(zone(30_000.0));
            node.zones[ZoneKind::Dram] = Some(zone(6_000.0));
            node.processors = Some(64);
            node
        };
        let workload = |index: usize| {
            let mut energy = EnergySplit::default();
            energy.zones[ZoneKind::Package] = Some(Energy::from_joules(index as f64));
            energy.zones[ZoneKind::Dram] = Some(Energy::from_joules(index as f64 / 5.0));
            let uid = format!("00000000-0000-0000-0000-{index:012}");
            let name_of = format!("service-{index}-7d4b9c6f5-x2x9z");
            let mut id = WorkloadId::new(WorkloadKind::Pod, name_of, uid, name(index % NODES));
            id.namespace = Some(format!("team-{}", index % 50).into());
            let mut workload = WorkloadEnergy::new(id, energy, Method::Measured);
            workload.cpu_time = Some(Duration::from_secs(1));
            workload.containment = Containment::Outermost;
            workload
        };
        let mut inventory = Inventory::new("1", range, range, 1.0);
        inventory.nodes = (0..NODES).map(node).collect();
        inventory.workloads = (0..WORKLOADS).map(workload).collect();
        Cluster(Arc::new(inventory))
    }
}

impl EnergyView for Cluster {
    fn name(&self) -> &str {
        "cluster"
    }

    fn inventory(&self, _: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        Ok(Arc::clone(&self.0))
    }

    fn series(&self, _: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        let steps = Series::regular(range.start, step, [StepUsage::default()]).unwrap();
        Ok(EnergySeries::new(steps, Method::Measured, "1"))
    }

    fn newest(&self) -> Option<NewestReading> {
        None
    }
}

const BUDGET: &str = r#"{"rules": [{
    "code": "TEAM_BUDGET", "kind": "emission_budget", "name": "Team budget",
    "text": {"en": "20 g/h", "ko": "시간당 20 g"}, "jurisdiction": "user", "force": "internal",
    "subject": "workload", "metric": "emissions_per_hour", "limit": {"at_most": 20}, "source": "bench"
}]}"#;

fn tools(criterion: &mut Criterion) {
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let range = TimeRange::ending(now, Duration::from_secs(300));
    let view = Cluster::new(range);
    let zones = Zones::embedded().unwrap();
    let mut standards = Standards::embedded().unwrap();
    standards.add(Path::new("budget.json"), BUDGET).unwrap();
    let intensity = IntensityTable::from_zones(&zones);
    let mut settings = Settings::default();
    settings.pue = Some(StatedPue::new(Pue::new(1.2).unwrap(), Basis::Measured));
    settings.grid_intensity = Some(CarbonIntensity::from_grams_per_kilowatt_hour(417.3));
    let context = Context::new(&view, &standards, &zones, &intensity, &settings, now);
    let mut group = criterion.benchmark_group("10000_workloads");
    group.bench_function("view_alone", |bencher| bencher.iter(|| view.inventory(range).unwrap()));
    for standard in ["KR_CARBON_2050", "TEAM_BUDGET"] {
        let list = |offset| {
            ListRequest::default().with(|asked| {
                asked.standard = Some(standard.into());
                asked.offset = offset;
            })
        };
        group.bench_function(format!("assess_all/{standard}"), |bencher| {
            let request = SummaryRequest::default().with(|asked| asked.standard = Some(standard.into()));
            bencher.iter(|| get_cluster_carbon_summary(&context, &request).unwrap());
        });
        group.bench_function(format!("list_a_page/{standard}"), |bencher| {
            bencher.iter(|| list_workloads_by_compliance(&context, &list(5_000)).unwrap());
        });
    }
    group.bench_function("assess_one", |bencher| {
        let request = AssessRequest::new("service-9999-7d4b9c6f5-x2x9z")
            .with(|asked| asked.qualifiers.namespace = Some("team-49".into()));
        bencher.iter(|| assess_workload_compliance(&context, &request).unwrap());
    });
    group.finish();
}

criterion_group!(benches, tools);
criterion_main!(benches);
