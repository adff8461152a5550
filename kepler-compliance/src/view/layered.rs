//! A short, fine-grained view on top of a long, coarse one.

use super::{
    EnergySeries, EnergyView, Inventory, NewestReading, NodeEnergy, NodeZoneEnergy, Subject, TimeRange, ViewError,
    WorkloadEnergy, WorkloadId, device,
};
use crate::series::Series;
use crate::units::{Energy, PerZone, ZoneKind};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Energy as a recent view knows it, and, for the time before that, as an older one does: a
/// [`LiveView`](super::LiveView) over a `History`.
///
/// The older one is asked for the time before the recent one's first reading only, so nothing counts twice.
/// Power and what runs is what the recent one says. Processes that the older one knows by name are rows of
/// their own, which have ended.
pub struct LayeredView {
    recent: Arc<dyn EnergyView>,
    older: Arc<OnceLock<Arc<dyn EnergyView>>>,
}

impl LayeredView {
    /// `older` may be filled later, or never.
    pub fn new(recent: Arc<dyn EnergyView>, older: Arc<OnceLock<Arc<dyn EnergyView>>>) -> Self {
        LayeredView { recent, older }
    }

    /// Asks both, and joins what they know. Where only one knows anything, that is the answer, and where none
    /// does, what the recent one says.
    fn both<T>(
        &self,
        range: TimeRange,
        ask: impl Fn(&dyn EnergyView, TimeRange) -> Result<T, ViewError>,
        start: impl Fn(&T) -> Option<Timestamp>,
        join: impl Fn(T, T, TimeRange) -> T,
    ) -> Result<T, ViewError> {
        let recent = ask(&*self.recent, range);
        let Some(older) = self.older.get() else { return recent };
        let recent = match recent {
            Ok(recent) => recent,
            Err(ViewError::NoData { .. }) => return ask(&**older, range).or(recent),
            Err(_) => return recent,
        };
        let before = TimeRange { start: range.start, end: start(&recent).unwrap_or(range.start) };
        if before.length() < range.length() / MISSED {
            return Ok(recent);
        }
        Ok(match ask(&**older, before) {
            Ok(older) => join(recent, older, before),
            Err(ViewError::NoData { .. }) => recent,
            Err(error) => {
                // What is known is worth more than an error of what would be known beyond it.
                return if matches!(error, ViewError::Unavailable { .. }) { Ok(recent) } else { Err(error) };
            }
        })
    }
}

/// The fraction 1/n of a range that may be missing before the older view is asked.
const MISSED: u32 = 100;

/// The share of `range` that is covered by two answers, one for the whole of it and one for the time `before`.
fn covered(recent: f64, older: f64, range: TimeRange, before: TimeRange) -> f64 {
    let share = before.length().as_secs_f64() / range.length().as_secs_f64();
    (recent + older * share).min(1.0)
}

fn join_inventories(mut recent: Inventory, older: Inventory, before: TimeRange) -> Inventory {
    recent.coverage = covered(recent.coverage, older.coverage, recent.asked, before);
    recent.covered.start = older.covered.start.min(recent.covered.start);
    for node in older.nodes {
        match recent.nodes.iter_mut().find(|known| known.name == node.name) {
            Some(known) => known.add(&node),
            None => recent.nodes.push(node),
        }
    }
    let indices: HashMap<WorkloadId, usize> =
        recent.workloads.iter().enumerate().map(|(index, row)| (row.id.clone(), index)).collect();
    for row in older.workloads {
        match indices.get(&row.id).and_then(|index| recent.workloads.get_mut(*index)) {
            Some(known) => known.add(&row),
            None => recent.workloads.push(WorkloadEnergy { running: false, power: None, ..row }),
        }
    }
    recent.skipped.extend(older.skipped);
    recent
}

impl NodeEnergy {
    /// Adds what was used before.
    fn add(&mut self, before: &NodeEnergy) {
        self.covered.start = self.covered.start.min(before.covered.start);
        let is_by_parts = |node: &NodeEnergy| node.counted()[ZoneKind::Package];
        let is_mixed = is_by_parts(self) != is_by_parts(before)
            && self.zones[ZoneKind::Package].is_some()
            && before.zones[ZoneKind::Package].is_some();
        self.zones = PerZone::from_fn(|zone| join_zones(self.zones[zone].take(), before.zones[zone].as_ref()));
        for device in &before.devices {
            match self.devices.iter_mut().find(|known| known.device.uuid == device.device.uuid) {
                Some(known) => known.add(device),
                None => self.devices.push(device.clone()),
            }
        }
        for platform in &before.platform {
            match self.platform.iter_mut().find(|known| known.meter == platform.meter) {
                Some(known) => known.add(platform),
                None => self.platform.push(platform.clone()),
            }
        }
        if is_mixed {
            // A platform that was not measured all the time does not stand for parts that were known all the time.
            self.zones[ZoneKind::Psys] = None;
        }
    }
}

fn join_zones(now: Option<NodeZoneEnergy>, before: Option<&NodeZoneEnergy>) -> Option<NodeZoneEnergy> {
    let Some(before) = before else { return now };
    // A zone that is not there any more has no power now.
    let Some(now) = now else { return Some(NodeZoneEnergy { power: None, ..before.clone() }) };
    // A part that one side does not know is not known of the whole.
    let sum = |a: Option<Energy>, b: Option<Energy>| Some(a? + b?);
    Some(NodeZoneEnergy {
        energy: now.energy + before.energy,
        active: sum(now.active, before.active),
        idle: sum(now.idle, before.idle),
        unattributed: sum(now.unattributed, before.unattributed),
        method: now.method.weaker(before.method),
        ..now
    })
}

impl WorkloadEnergy {
    /// Adds what was used before.
    fn add(&mut self, before: &WorkloadEnergy) {
        self.energy = self.energy.plus(&before.energy);
        self.cpu_time = self.cpu_time.zip(before.cpu_time).map(|(a, b)| a + b);
        self.method = self.method.weaker(before.method);
        device::add_used(&mut self.devices, &before.devices);
    }
}

fn join_series(recent: EnergySeries, older: &EnergySeries, range: TimeRange, before: TimeRange) -> EnergySeries {
    let steps = [older.steps.steps(), recent.steps.steps()].concat();
    match Series::new(steps) {
        Ok(steps) => EnergySeries {
            steps,
            method: recent.method.weaker(older.method),
            coverage: covered(recent.coverage, older.coverage, range, before),
            resolution: recent.resolution.max(older.resolution),
            moment: recent.moment,
        },
        // They overlap, which the ranges they were asked for rule out.
        Err(_) => recent,
    }
}

impl std::fmt::Debug for LayeredView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let older = self.older.get().map(|view| view.name());
        f.debug_struct("LayeredView").field("recent", &self.recent.name()).field("older", &older).finish()
    }
}

impl EnergyView for LayeredView {
    fn name(&self) -> &str {
        self.recent.name()
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        self.both(
            range,
            |view, range| view.inventory(range),
            |inventory| Some(inventory.covered.start),
            |recent, older, before| {
                Arc::new(join_inventories(Arc::unwrap_or_clone(recent), Arc::unwrap_or_clone(older), before))
            },
        )
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        self.both(
            range,
            |view, range| view.series(subject, range, step),
            |series| series.steps.start(),
            |recent, older, before| join_series(recent, &older, range, before),
        )
    }

    fn newest(&self) -> Option<NewestReading> {
        self.recent.newest().or_else(|| self.older.get()?.newest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{Step, span};
    use crate::units::ZoneKind;
    use crate::view::{Containment, EnergySplit, StepUsage, WorkloadKind};
    use kepler_core::meter::Method;

    /// A second on the clock.
    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn joules(joules: f64) -> EnergySplit {
        let mut split = EnergySplit::default();
        split.zones[ZoneKind::Package] = Some(Energy::from_joules(joules));
        split
    }

    /// Knows a node and one process that use a watt each, from `since` on.
    struct Since {
        name: &'static str,
        uid: &'static str,
        since: i64,
        method: Method,
    }

    impl Since {
        fn known(&self, range: TimeRange) -> Result<TimeRange, ViewError> {
            let known = TimeRange { start: range.start.max(at(self.since)), end: range.end };
            if known.length().is_zero() {
                return Err(ViewError::NoData { origin: self.name.into(), range, reason: "too early".into() });
            }
            Ok(known)
        }
    }

    impl EnergyView for Since {
        fn name(&self) -> &str {
            self.name
        }

        fn inventory(&self, asked: TimeRange) -> Result<Arc<Inventory>, ViewError> {
            let covered = self.known(asked)?;
            let (energy, method) = (joules(covered.length().as_secs_f64()), self.method);
            let mut zones = PerZone::default();
            zones[ZoneKind::Package] = Some(NodeZoneEnergy {
                energy: energy.total().unwrap(),
                active: energy.total(),
                idle: None,
                unattributed: None,
                power: None,
                method,
                source: "fake".into(),
            });
            let (node, kind) = (Arc::from("node"), WorkloadKind::Process);
            let id = WorkloadId { kind, namespace: None, name: "work".into(), uid: self.uid.into(), node };
            let row = WorkloadEnergy {
                id,
                owner: None,
                running: true,
                energy,
                power: Some(Default::default()),
                cpu_time: Some(covered.length()),
                method,
                resources: None,
                containment: Containment::Unknown,
                devices: Vec::new(),
            };
            Ok(Arc::new(Inventory {
                moment: self.name.into(),
                asked,
                covered,
                coverage: covered.length().as_secs_f64() / asked.length().as_secs_f64(),
                nodes: vec![NodeEnergy { zones, ..NodeEnergy::new("node", covered) }],
                workloads: vec![row],
                skipped: Vec::new(),
            }))
        }

        fn series(&self, _: &Subject, asked: TimeRange, _: Duration) -> Result<EnergySeries, ViewError> {
            let TimeRange { start, end } = self.known(asked)?;
            let value = StepUsage { energy: joules(span(start, end).as_secs_f64()), ..StepUsage::default() };
            let coverage = span(start, end).as_secs_f64() / asked.length().as_secs_f64();
            let steps = Series::new(vec![Step { start, end, value }]).unwrap();
            let (resolution, moment) = (Duration::ZERO, self.name.into());
            Ok(EnergySeries { steps, method: self.method, coverage, resolution, moment })
        }

        fn newest(&self) -> Option<NewestReading> {
            None
        }
    }

    /// The recent view knows the time since 900, the older one since 600 and processes by name.
    fn layered(recent: i64, older: Option<i64>) -> LayeredView {
        let estimated = Method::Estimated { error_ratio: 0.5 };
        let recent = Since { name: "recent", uid: "7/1", since: recent, method: Method::Measured };
        let older = older.map(|since| Since { name: "older", uid: "work", since, method: estimated });
        let slot: Arc<OnceLock<Arc<dyn EnergyView>>> = Arc::default();
        if let Some(older) = older {
            assert!(slot.set(Arc::new(older)).is_ok());
        }
        LayeredView::new(Arc::new(recent), slot)
    }

    /// Up to the thousandth second.
    fn last(seconds: u64) -> TimeRange {
        TimeRange::ending(at(1000), Duration::from_secs(seconds))
    }

    fn total(view: &LayeredView, seconds: u64) -> (f64, f64, usize) {
        let inventory = view.inventory(last(seconds)).unwrap();
        let series = view.series(&Subject::Cluster, last(seconds), Duration::from_secs(1)).unwrap();
        assert!((series.coverage - inventory.coverage).abs() < 1e-9);
        let stepped: f64 = series.steps.steps().iter().map(|step| step.value.energy.total().unwrap().joules()).sum();
        let rows: f64 = inventory.workloads.iter().map(|row| row.energy.total().unwrap().joules()).sum();
        let node = inventory.nodes[0].energy().total().unwrap().joules();
        assert_eq!((stepped, rows), (node, node));
        (node, inventory.coverage, inventory.workloads.iter().filter(|row| row.running).count())
    }

    #[test]
    fn the_older_view_answers_for_the_time_before_the_recent_one_and_nothing_counts_twice() {
        let view = layered(900, Some(600));
        assert_eq!(total(&view, 50), (50.0, 1.0, 1));
        assert_eq!(total(&view, 300), (300.0, 1.0, 1));
        assert_eq!(total(&view, 500), (400.0, 0.8, 1));
        let method = view.inventory(last(300)).unwrap().nodes[0].zones[ZoneKind::Package].as_ref().unwrap().method;
        assert_eq!(method, Method::Estimated { error_ratio: 0.5 });
        assert_eq!(view.inventory(last(300)).unwrap().moment, "recent");
    }

    #[test]
    fn a_view_that_knows_nothing_leaves_the_answer_to_the_other() {
        assert_eq!(total(&layered(900, None), 500), (100.0, 0.2, 1));
        assert_eq!(total(&layered(900, Some(950)), 500), (100.0, 0.2, 1));
        assert_eq!(view_of(&layered(2000, Some(600))), "older");
        let nothing = layered(2000, Some(2000)).inventory(last(50)).unwrap_err();
        assert!(matches!(nothing, ViewError::NoData { origin, .. } if origin == "recent"));
    }

    fn view_of(view: &LayeredView) -> String {
        view.inventory(last(50)).unwrap().moment.clone()
    }
}
