//! Answers of the REST interface, as far as they are shown.

use super::super::model::device::{Device, DevicePart};
use super::super::model::frame::{Node, Parts, Trust, Zone};
use super::super::model::item::{Names, Row, Who, id};
use super::super::model::rates::{Rates, Today};
use super::whole::{PlatformAnswer, ResidualAnswer};
use jiff::Timestamp;
use kepler_core::units::ZoneKind;
use kepler_core::workload::{Identity, WorkloadKind};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

#[derive(Debug, Deserialize)]
pub(super) struct Snapshot {
    pub(super) id: u64,
    at: Option<Timestamp>,
    age_seconds: f64,
    interval_seconds: f64,
}

impl Snapshot {
    /// The first measurement has no time that power could be the mean of.
    pub(super) fn knows_power(&self) -> bool {
        self.interval_seconds > 0.0
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct NodeAnswer {
    pub(super) snapshot: Snapshot,
    node_name: String,
    usage_ratio: f64,
    processors: u32,
    total: Option<Total>,
    zones: Vec<ZoneAnswer>,
    #[serde(default)]
    devices: Vec<DeviceAnswer>,
    #[serde(default)]
    platform: Vec<PlatformAnswer>,
    #[serde(default)]
    platform_residual: Option<ResidualAnswer>,
}

#[derive(Debug, Deserialize)]
struct Total {
    method: String,
    error_ratio: Option<f64>,
    energy_joules: f64,
    unattributed_energy_joules: f64,
    power_watts: Option<Power>,
    interval_watts: Option<Bounds>,
}

#[derive(Debug, Deserialize)]
struct Power {
    total: f64,
    idle: f64,
}

#[derive(Debug, Deserialize)]
struct Bounds {
    lower: f64,
    upper: f64,
}

#[derive(Debug, Deserialize)]
struct ZoneAnswer {
    zone: String,
    source: String,
    method: String,
    error_ratio: Option<f64>,
    energy_joules: f64,
    power_watts: Option<Power>,
}

#[derive(Debug, Deserialize)]
struct DeviceAnswer {
    gpu: u32,
    uuid: String,
    name: String,
    method: String,
    energy_joules: f64,
    power_watts: Option<DevicePower>,
    usage_ratio: Option<f64>,
    fault: Option<String>,
}

#[derive(Debug, Deserialize)]
struct DevicePower {
    total: f64,
    idle: Option<f64>,
}

impl DeviceAnswer {
    fn device(self) -> Device {
        Device {
            number: self.gpu,
            uuid: self.uuid,
            name: self.name,
            trust: Trust::named(&self.method),
            watts: self.power_watts.as_ref().map(|power| power.total),
            idle_watts: self.power_watts.and_then(|power| power.idle),
            busy: self.usage_ratio,
            joules: self.energy_joules,
            fault: self.fault,
        }
    }
}

/// What a workload uses of an accelerator.
#[derive(Debug, Deserialize)]
struct DeviceUseAnswer {
    gpu: u32,
    energy_joules: f64,
    power_watts: Option<f64>,
}

impl NodeAnswer {
    pub(super) fn node(self) -> Node {
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let total = self.total.as_ref();
        let zone = |zone: ZoneAnswer| {
            Some(Zone {
                kind: zone.zone.parse().ok()?,
                source: zone.source,
                trust: Trust::named(&zone.method),
                error_ratio: zone.error_ratio,
                watts: zone.power_watts.map(|power| power.total),
                joules: zone.energy_joules,
            })
        };
        let now = Instant::now();
        Node {
            name: self.node_name,
            sequence: self.snapshot.id,
            at: self.snapshot.at.unwrap_or_else(Timestamp::now),
            seen: now.checked_sub(seconds(self.snapshot.age_seconds)).unwrap_or(now),
            interval: seconds(self.snapshot.interval_seconds),
            busy: self.usage_ratio,
            processors: self.processors,
            trust: total.map_or(Trust::Unknown, |total| Trust::named(&total.method)),
            error_ratio: total.and_then(|total| total.error_ratio),
            parts: total.and_then(|total| total.power_watts.as_ref()).map(|power| Parts {
                total: power.total,
                idle: power.idle,
                unattributed: None,
            }),
            bounds: total.and_then(|total| total.interval_watts.as_ref()).map(|bounds| (bounds.lower, bounds.upper)),
            joules: total.map(|total| total.energy_joules),
            unattributed_joules: total.map(|total| total.unattributed_energy_joules),
            zones: self.zones.into_iter().filter_map(zone).collect(),
            devices: self.devices.into_iter().map(DeviceAnswer::device).collect(),
            platform: self.platform.into_iter().map(PlatformAnswer::whole).collect(),
            residual: self.platform_residual.map(ResidualAnswer::residual),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ListAnswer<'a> {
    pub(super) snapshot: Snapshot,
    pub(super) matched: usize,
    #[serde(borrow)]
    pub(super) items: Vec<RowAnswer<'a>>,
}

/// A figure by zone. By name of the field and not in a map: of hundreds of rows a second each costs.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct ByZone {
    package: Option<f64>,
    core: Option<f64>,
    uncore: Option<f64>,
    dram: Option<f64>,
    psys: Option<f64>,
    gpu: Option<f64>,
    platform: Option<f64>,
    total: Option<f64>,
}

impl ByZone {
    const fn of(&self, zone: ZoneKind) -> Option<f64> {
        match zone {
            ZoneKind::Package => self.package,
            ZoneKind::Core => self.core,
            ZoneKind::Uncore => self.uncore,
            ZoneKind::Dram => self.dram,
            ZoneKind::Psys => self.psys,
            ZoneKind::Gpu => self.gpu,
            ZoneKind::Platform => self.platform,
            _ => None,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RowAnswer<'a> {
    pid: Option<u32>,
    start_ticks: u64,
    #[serde(borrow)]
    comm: Cow<'a, str>,
    #[serde(borrow)]
    exe: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    cgroup: Cow<'a, str>,
    #[serde(borrow)]
    runtime: Cow<'a, str>,
    #[serde(borrow)]
    hypervisor: Cow<'a, str>,
    #[serde(borrow)]
    scheduler: Cow<'a, str>,
    #[serde(borrow)]
    container_id: Cow<'a, str>,
    #[serde(borrow)]
    pod_id: Cow<'a, str>,
    #[serde(borrow)]
    pod_namespace: Cow<'a, str>,
    #[serde(borrow)]
    vm_id: Cow<'a, str>,
    #[serde(borrow)]
    unit: Cow<'a, str>,
    #[serde(borrow)]
    job_id: Cow<'a, str>,
    cpu_seconds: f64,
    energy_joules: ByZone,
    power_watts: ByZone,
    devices: Vec<DeviceUseAnswer>,
}

/// Rows of an answer of all kinds, each under what contains it.
#[derive(Debug)]
pub(super) struct Rows<'n> {
    names: &'n mut Names,
    rows: Vec<Row>,
    known: HashSet<u64>,
    /// Units and jobs by the name that their processes know them by.
    units: HashMap<String, u64>,
    jobs: HashMap<String, u64>,
}

impl<'n> Rows<'n> {
    pub(super) fn new(names: &'n mut Names) -> Self {
        names.begin();
        Rows { names, rows: Vec::new(), known: HashSet::new(), units: HashMap::new(), jobs: HashMap::new() }
    }

    /// Takes a list in. What contains others has to come before them.
    pub(super) fn take(&mut self, kind: WorkloadKind, items: Vec<RowAnswer<'_>>, knows_power: bool) {
        for item in items {
            let key = key(kind, &item);
            if !self.known.insert(key) {
                continue;
            }
            match kind {
                WorkloadKind::Unit => drop(self.units.entry(item.name.to_string()).or_insert(key)),
                WorkloadKind::Job => drop(self.jobs.entry(item.id.to_string()).or_insert(key)),
                _ => {}
            }
            let first = |first: &str, second: &str| if first.is_empty() { second.to_owned() } else { first.to_owned() };
            let (name, detail) = match kind {
                WorkloadKind::Process => (item.comm.to_string(), &item.exe),
                WorkloadKind::Command => (item.comm.to_string(), &Cow::Borrowed("")),
                WorkloadKind::Container => (first(&item.name, &item.id), &item.runtime),
                WorkloadKind::Vm => (first(&item.name, &item.id), &item.hypervisor),
                WorkloadKind::Job => (item.id.to_string(), &item.scheduler),
                WorkloadKind::Unit => (item.name.to_string(), &item.cgroup),
                _ => (first(&item.name, &item.id), &item.id),
            };
            let who = Who {
                id: key,
                kind,
                name,
                detail: detail.to_string(),
                namespace: first(&item.namespace, &item.pod_namespace),
                pid: item.pid,
                parent: self.parent(kind, &item),
            };
            self.rows.push(Row {
                who: self.names.keep(who),
                watts: item.power_watts.total.filter(|_| knows_power),
                joules: item.energy_joules.total.unwrap_or_default(),
                cpu_seconds: item.cpu_seconds,
                zones: zones(&item),
                devices: item.devices.iter().map(part).collect(),
            });
        }
    }

    fn parent(&self, kind: WorkloadKind, item: &RowAnswer<'_>) -> Option<u64> {
        let by_id = |kind, text: &str| (!text.is_empty()).then(|| id(kind, &Identity::Text(text)));
        match kind {
            WorkloadKind::Container => by_id(WorkloadKind::Pod, &item.pod_id),
            WorkloadKind::Process | WorkloadKind::Command => by_id(WorkloadKind::Container, &item.container_id)
                .or_else(|| by_id(WorkloadKind::Vm, &item.vm_id))
                .or_else(|| self.jobs.get(&*item.job_id).copied())
                .or_else(|| self.units.get(&*item.unit).copied()),
            WorkloadKind::Job => by_id(WorkloadKind::Container, &item.container_id),
            _ => None,
        }
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}

fn key(kind: WorkloadKind, item: &RowAnswer<'_>) -> u64 {
    match kind {
        WorkloadKind::Process => {
            id(kind, &Identity::Process { pid: item.pid.unwrap_or_default(), start_ticks: item.start_ticks })
        }
        WorkloadKind::Command => {
            let within = [&item.container_id, &item.job_id, &item.cgroup].into_iter().find(|of| !of.is_empty());
            id(kind, &Identity::Command { comm: &item.comm, within: within.map_or("", |of| of) })
        }
        WorkloadKind::Unit | WorkloadKind::Job => id(kind, &Identity::Text(&item.cgroup)),
        _ => id(kind, &Identity::Text(&item.id)),
    }
}

fn part(used: &DeviceUseAnswer) -> DevicePart {
    DevicePart { number: used.gpu, watts: used.power_watts, joules: used.energy_joules }
}

fn zones(item: &RowAnswer<'_>) -> Vec<(ZoneKind, Option<f64>, f64)> {
    let of = |zone: ZoneKind| Some((zone, item.power_watts.of(zone), item.energy_joules.of(zone)?));
    ZoneKind::ALL.into_iter().filter_map(of).collect()
}

#[derive(Debug, Deserialize)]
pub(super) struct CarbonAnswer {
    from: Timestamp,
    coverage: f64,
    method: Option<String>,
    energy_joules: Option<f64>,
    #[serde(rename = "emissions_gCO2eq")]
    grams: Option<f64>,
    cost: Option<f64>,
    currency: Option<String>,
    price_per_kwh: Option<f64>,
    #[serde(rename = "effective_intensity_gCO2eq_kWh")]
    grams_per_kwh: Option<f64>,
    site: Site,
}

#[derive(Debug, Deserialize)]
struct Site {
    zone_name: String,
    pue: Option<Input>,
}

#[derive(Debug, Deserialize)]
struct Input {
    value: f64,
}

impl CarbonAnswer {
    pub(super) fn split(self) -> (Rates, Today) {
        let pue = self.site.pue.map(|pue| pue.value);
        let rates = Rates {
            grams_per_kwh: self.grams_per_kwh,
            cost_per_kwh: self.price_per_kwh.zip(pue).map(|(price, pue)| price * pue),
            currency: self.currency,
            place: self.site.zone_name,
            pue,
        };
        let today = Today {
            from: Some(self.from),
            joules: self.energy_joules,
            grams: self.grams,
            cost: self.cost,
            coverage: self.coverage,
            trust: self.method.as_deref().map_or(Trust::Unknown, Trust::named),
        };
        (rates, today)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_stand_under_their_unit_by_its_name_and_twice_listed_ones_once() {
        let mut names = Names::default();
        let mut rows = Rows::new(&mut names);
        let read = |text: &'static str| serde_json::from_str::<Vec<RowAnswer<'_>>>(text).unwrap();
        rows.take(WorkloadKind::Unit, read(r#"[{"name":"ssh.service","cgroup":"/system.slice/ssh.service"}]"#), true);
        let process = r#"[{"pid":7,"start_ticks":9,"comm":"sshd","unit":"ssh.service","cpu_seconds":1.5,
            "energy_joules":{"package":3.0,"total":3.0},"power_watts":{"package":2.0,"total":2.0},
            "devices":[{"gpu":1,"uuid":"GPU-b","energy_joules":7.0,"power_watts":null,"idle_energy_joules":0.0}]}]"#;
        rows.take(WorkloadKind::Process, read(process), true);
        rows.take(WorkloadKind::Process, read(process), true);
        let rows = rows.into_rows();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].who.parent, Some(rows[0].who.id));
        assert_eq!((rows[1].watts, rows[1].joules), (Some(2.0), 3.0));
        assert_eq!(rows[1].zones, [(ZoneKind::Package, Some(2.0), 3.0)]);
        assert_eq!(rows[1].devices, [DevicePart { number: 1, watts: None, joules: 7.0 }]);
        assert_eq!(rows[0].watts, None, "no figure is no zero");
    }
}
