//! All that is known at one moment.

use super::device::{self, Device, DevicePart};
use super::item::{Names, Row};
pub(crate) use super::trust::Trust;
use super::whole::{Residual, Whole};
use jiff::Timestamp;
use kepler_core::meter::Method;
use kepler_core::snapshot::{Snapshot, State};
use kepler_core::units::{Energy, PerZone, Power, ZoneKind};
use kepler_core::workload::WorkloadKind;
use std::iter::Sum;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the node's power went, watts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Parts {
    pub(crate) total: f64,
    pub(crate) idle: f64,
    /// The part of the active power that no workload explains; known from the second moment on.
    pub(crate) unattributed: Option<f64>,
}

impl Parts {
    /// What workloads drew; together with what is not attributed, where that is not known.
    pub(crate) fn workloads(&self) -> f64 {
        (self.total - self.idle - self.unattributed.unwrap_or_default()).max(0.0)
    }
}

/// A power zone of the node.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) kind: ZoneKind,
    pub(crate) source: String,
    pub(crate) trust: Trust,
    pub(crate) error_ratio: Option<f64>,
    pub(crate) watts: Option<f64>,
    pub(crate) joules: f64,
}

/// The node at that moment.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// Number of the snapshot.
    pub(crate) sequence: u64,
    pub(crate) at: Timestamp,
    /// When that was by the clock that does not jump.
    pub(crate) seen: Instant,
    /// The time that power is the mean of.
    pub(crate) interval: Duration,
    pub(crate) busy: f64,
    pub(crate) processors: u32,
    pub(crate) trust: Trust,
    pub(crate) error_ratio: Option<f64>,
    pub(crate) parts: Option<Parts>,
    /// Where an estimated total lies with 90 % probability.
    pub(crate) bounds: Option<(f64, f64)>,
    /// Since the source of figures began to measure.
    pub(crate) joules: Option<f64>,
    pub(crate) unattributed_joules: Option<f64>,
    pub(crate) zones: Vec<Zone>,
    pub(crate) devices: Vec<Device>,
    /// Meters of the whole machine.
    pub(crate) platform: Vec<Whole>,
    pub(crate) residual: Option<Residual>,
}

impl Node {
    /// Completes the parts of the power by what was known before.
    pub(crate) fn follow(&mut self, before: Option<&Node>) {
        let Some((parts, before)) = self.parts.as_mut().zip(before) else { return };
        if self.sequence <= before.sequence {
            return;
        }
        let Some((now, then)) = self.unattributed_joules.zip(before.unattributed_joules) else { return };
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        // A counter that fell is another program's.
        if seconds > 0.0 && now >= then {
            let active = (parts.total - parts.idle).max(0.0);
            parts.unattributed = Some(((now - then) / seconds).min(active));
        }
    }

    /// The meters that its figures come from.
    pub(crate) fn sources(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for zone in &self.zones {
            if !names.contains(&zone.source.as_str()) {
                names.push(&zone.source);
            }
        }
        names.join(", ")
    }
}

/// How many workloads of a kind are shown, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) kind: WorkloadKind,
    pub(crate) shown: usize,
    pub(crate) of: usize,
}

/// One moment.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) node: Node,
    /// Every workload that runs, but for those cut.
    pub(crate) rows: Vec<Row>,
    /// Lists that the server cut.
    pub(crate) cuts: Vec<Cut>,
    /// Where it was measured here: figures by zone are taken from it, for the one workload that is looked into.
    snapshot: Option<Arc<Snapshot>>,
}

impl Frame {
    /// Of a snapshot.
    pub(crate) fn of(snapshot: &Arc<Snapshot>, name: &str, names: &mut Names) -> Self {
        names.begin();
        let node = node_of(snapshot, name);
        let counted = snapshot.machine_zones();
        let counted: Vec<ZoneKind> = ZoneKind::ALL.into_iter().filter(|zone| counted[*zone]).collect();
        let knows_power = node.parts.is_some();
        let mut rows = Vec::with_capacity(snapshot.processes.len() + snapshot.units.len());
        snapshot.for_each(|row| {
            if row.state == State::Running {
                rows.push(Row {
                    who: names.of_row(&row),
                    watts: knows_power.then(|| sum(&counted, row.power).watts()),
                    joules: sum(&counted, row.energy).joules(),
                    cpu_seconds: row.cpu_time.as_secs_f64(),
                    zones: Vec::new(),
                    devices: device::parts(snapshot, &row),
                });
            }
        });
        Frame { node, rows, cuts: Vec::new(), snapshot: Some(Arc::clone(snapshot)) }
    }

    /// Of answers of a server.
    pub(crate) const fn of_rows(node: Node, rows: Vec<Row>, cuts: Vec<Cut>) -> Self {
        Frame { node, rows, cuts, snapshot: None }
    }

    /// Whether every workload is in it.
    pub(crate) const fn is_whole(&self) -> bool {
        self.cuts.is_empty()
    }

    /// Power and energy of one workload by zone: watts, joules.
    pub(crate) fn zones_of(&self, id: u64) -> Vec<(ZoneKind, Option<f64>, f64)> {
        let Some(snapshot) = &self.snapshot else {
            return self.rows.iter().find(|row| row.who.id == id).map_or_else(Vec::new, |row| row.zones.clone());
        };
        let mut zones = Vec::new();
        snapshot.for_each(|row| {
            if super::item::id(row.kind(), &row.identity()) == id {
                let known = snapshot.node.zones();
                zones =
                    known.map(|(zone, _)| (zone, Some(row.power[zone].watts()), row.energy[zone].joules())).collect();
            }
        });
        zones
    }

    /// What one workload uses of each accelerator.
    pub(crate) fn devices_of(&self, id: u64) -> &[DevicePart] {
        self.rows.iter().find(|row| row.who.id == id).map_or(&[], |row| row.devices.as_slice())
    }
}

fn sum<T: Copy + Sum>(zones: &[ZoneKind], values: &PerZone<T>) -> T {
    zones.iter().map(|zone| values[*zone]).sum()
}

fn node_of(snapshot: &Snapshot, name: &str) -> Node {
    let present = snapshot.machine_zones();
    let added: Vec<_> = snapshot.node.zones().filter(|(zone, _)| present[*zone]).map(|(_, zone)| zone).collect();
    let powers: Option<Vec<_>> = added.iter().map(|zone| zone.power).collect();
    let sum = |powers: &[kepler_core::snapshot::ZonePower], part: fn(&kepler_core::snapshot::ZonePower) -> Power| {
        powers.iter().map(part).sum::<Power>().watts()
    };
    let parts = powers.filter(|powers| !powers.is_empty()).map(|powers| Parts {
        total: sum(&powers, |power| power.total),
        idle: sum(&powers, |power| power.idle),
        unattributed: None,
    });
    let method = kepler_core::snapshot::NodeZone::method_of_sum(added.iter().copied());
    let error_ratio = method.and_then(Method::error_ratio);
    let bounds = added.iter().map(|zone| {
        let power = zone.power?.total.watts();
        Some(zone.interval.map_or((power, power), |interval| (interval.lower.watts(), interval.upper.watts())))
    });
    let bounds: Option<Vec<(f64, f64)>> = bounds.collect();
    let joules = |part: fn(&kepler_core::snapshot::NodeZone) -> Energy| {
        (!added.is_empty()).then(|| added.iter().map(|zone| part(zone)).sum::<Energy>().joules())
    };
    Node {
        name: name.to_owned(),
        sequence: snapshot.sequence,
        at: Timestamp::try_from(snapshot.at.wall).unwrap_or_else(|_| Timestamp::now()),
        seen: Instant::now() - kepler_core::host::Timestamp::now().since(&snapshot.at),
        interval: snapshot.interval,
        busy: snapshot.node.usage_ratio,
        processors: snapshot.node.processors,
        trust: method.map_or(Trust::Unknown, Trust::of),
        error_ratio,
        parts,
        bounds: bounds
            .filter(|bounds| error_ratio.is_some() && !bounds.is_empty())
            .map(|bounds| bounds.into_iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))),
        joules: joules(|zone| zone.energy),
        unattributed_joules: joules(|zone| zone.unattributed_energy),
        zones: snapshot
            .node
            .zones()
            .map(|(kind, zone)| Zone {
                kind,
                source: zone.source.to_owned(),
                trust: Trust::of(zone.method),
                error_ratio: zone.method.error_ratio(),
                watts: zone.power.map(|power| power.total.watts()),
                joules: zone.energy.joules(),
            })
            .collect(),
        devices: snapshot.devices.iter().map(Device::of).collect(),
        platform: snapshot.platform.iter().map(Whole::of).collect(),
        residual: snapshot.platform_residual.as_ref().map(Residual::of),
    }
}
