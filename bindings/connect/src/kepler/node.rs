//! The recorded readings of one exporter.

use super::scrape::{Scrape, Shown};
use super::track::{Reading, Track};
use crate::energy::{Identity, Key, NodeFigures, Part, Quantity, Sources, WorkloadFigures, slot};
use jiff::Timestamp;
use kepler_compliance::series::span;
use kepler_compliance::units::ZoneKind;
use kepler_compliance::view::{Split, TimeRange};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

const PARTS: [Part; 6] = [
    Part::Zone(ZoneKind::Package),
    Part::Zone(ZoneKind::Core),
    Part::Zone(ZoneKind::Uncore),
    Part::Zone(ZoneKind::Dram),
    Part::Zone(ZoneKind::Psys),
    Part::Gpu,
];

const NODE_COUNTERS: [Quantity; 4] =
    [Quantity::Joules, Quantity::ActiveJoules, Quantity::IdleJoules, Quantity::UnattributedJoules];

#[derive(Debug, Default)]
pub(super) struct Node {
    name: Option<Arc<str>>,
    readings: VecDeque<Timestamp>,
    counters: [Split<Track>; NODE_COUNTERS.len()],
    watts: Split<f64>,
    sources: Sources,
    processors: Option<u32>,
    workloads: HashMap<Key, Row>,
    /// Why the newest poll brought nothing, or what was wrong with it.
    pub(super) fault: Option<String>,
}

#[derive(Debug)]
struct Row {
    identity: Identity,
    first: Timestamp,
    last: Timestamp,
    running: bool,
    joules: Split<Track>,
    cpu_seconds: Option<Track>,
    watts: Split<f64>,
}

impl Node {
    /// Takes what an exporter showed at `at`; `fallback` names a node that does not name itself.
    pub(super) fn take(&mut self, scrape: Scrape, at: Timestamp, fallback: &str, keep: Duration) {
        let name = scrape.node.unwrap_or_else(|| fallback.into());
        self.fault = None;
        if let Some(before) = self.name.take().filter(|before| *before != name) {
            let fault = format!(
                "it answers for node `{name}` and before for `{before}`: it stands before several exporters; name each exporter's own address"
            );
            *self = Node { fault: Some(fault), ..Node::default() };
        }
        if self.readings.back().is_some_and(|&last| last >= at) {
            let fault = format!("the clock went back to {at}: figures count from there again");
            *self = Node { fault: Some(fault), ..Node::default() };
        }
        self.name = Some(name);
        let since = self.readings.back().copied();
        let mut figures = scrape.figures;
        for (quantity, tracks) in NODE_COUNTERS.into_iter().zip(&mut self.counters) {
            for part in PARTS {
                let shown = match quantity {
                    Quantity::ActiveJoules => &mut figures.active,
                    Quantity::IdleJoules => &mut figures.idle,
                    Quantity::UnattributedJoules => &mut figures.unattributed,
                    _ => &mut figures.joules,
                };
                if let Some(running) = *slot(shown, part) {
                    let track = slot(tracks, part);
                    // A zone that is new was there before it was shown, so it counts from here.
                    let since = track.as_ref().and(since);
                    let reading = Reading { running: Some(running), terminated: None };
                    track.get_or_insert_default().take(since, at, reading);
                }
            }
        }
        (self.watts, self.sources, self.processors) = (figures.watts, figures.sources, figures.processors);
        for (key, shown) in scrape.workloads {
            let row =
                self.workloads.entry(key).or_insert_with(|| Row::new(shown.identity.clone(), since.unwrap_or(at)));
            row.take(shown, since, at);
        }
        self.readings.push_back(at);
        self.forget_before(at.checked_sub(keep).unwrap_or(Timestamp::MIN));
    }

    fn forget_before(&mut self, limit: Timestamp) {
        while self.readings.get(1).is_some_and(|&time| time <= limit) {
            self.readings.pop_front();
        }
        for part in PARTS {
            for track in self.counters.iter_mut().filter_map(|tracks| slot(tracks, part).as_mut()) {
                track.forget_before(limit);
            }
        }
        self.workloads.retain(|_, row| row.last > limit);
        for row in self.workloads.values_mut() {
            row.forget_before(limit);
        }
    }

    pub(super) fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// The part of `range` that lies between the first and the last reading.
    pub(super) fn covered(&self, range: TimeRange) -> Option<TimeRange> {
        let (&start, &end) = (self.readings.front()?, self.readings.back()?);
        overlap(range, TimeRange { start, end })
    }

    /// When it was read last.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.readings.back().copied()
    }

    /// The mean time between readings.
    pub(super) fn spacing(&self) -> Option<Duration> {
        let (&first, &last) = (self.readings.front()?, self.readings.back()?);
        let intervals = u32::try_from(self.readings.len().checked_sub(1)?).ok()?;
        span(first, last).checked_div(intervals)
    }

    /// Whether it was read in `range`, its end included.
    pub(super) fn read_in(&self, range: TimeRange) -> bool {
        self.readings.iter().any(|&time| range.start < time && time <= range.end)
    }

    /// Whether the power of the newest reading is that of the end of `range`.
    fn powers(&self, range: TimeRange) -> bool {
        let newest = self.readings.back().copied().unwrap_or(Timestamp::MAX);
        self.fault.is_none() && span(range.end, newest) <= self.spacing().unwrap_or_default()
    }

    /// What the node used in `range`.
    pub(super) fn figures(&self, range: TimeRange) -> NodeFigures {
        let mut figures =
            NodeFigures { sources: self.sources.clone(), processors: self.processors, ..Default::default() };
        for (quantity, tracks) in NODE_COUNTERS.into_iter().zip(&self.counters) {
            each(tracks, |part, track| figures.add(quantity, part, track.between(range.start, range.end)));
        }
        if self.powers(range) {
            figures.watts = self.watts;
        }
        figures
    }

    /// What the workloads that `wanted` names, and that were there, used in `range`.
    pub(super) fn workloads(&self, range: TimeRange, wanted: impl Fn(&Identity) -> bool) -> Vec<WorkloadFigures> {
        let newest = self.readings.back().copied().unwrap_or(Timestamp::MIN);
        let there = |row: &&Row| row.first <= range.end && row.last > range.start && wanted(&row.identity);
        let figures = |row: &Row| {
            let mut figures = WorkloadFigures::new(row.identity.clone());
            figures.running = row.running && row.last == newest;
            each(&row.joules, |part, track| {
                figures.add(Quantity::Joules, part, track.between(range.start, range.end));
            });
            figures.cpu_seconds = row.cpu_seconds.as_ref().map(|track| track.between(range.start, range.end));
            if figures.running && self.powers(range) {
                figures.watts = row.watts;
            }
            figures
        };
        self.workloads.values().filter(there).map(figures).collect()
    }
}

impl Row {
    fn new(identity: Identity, first: Timestamp) -> Self {
        let (joules, watts) = (Split::default(), Split::default());
        Row { identity, first, last: first, running: false, joules, cpu_seconds: None, watts }
    }

    fn take(&mut self, mut shown: Shown, since: Option<Timestamp>, at: Timestamp) {
        for part in PARTS {
            if let Some(reading) = *slot(&mut shown.joules, part) {
                slot(&mut self.joules, part).get_or_insert_default().take(since, at, reading);
            }
        }
        if shown.cpu_seconds != Reading::default() {
            self.cpu_seconds.get_or_insert_default().take(since, at, shown.cpu_seconds);
        }
        // Names may come later than the workload; what is known stays.
        if *shown.identity.name != *shown.identity.uid {
            self.identity = shown.identity;
        }
        (self.last, self.running, self.watts) = (at, shown.running, shown.watts);
    }

    fn forget_before(&mut self, limit: Timestamp) {
        for part in PARTS {
            if let Some(track) = slot(&mut self.joules, part) {
                track.forget_before(limit);
            }
        }
        if let Some(track) = &mut self.cpu_seconds {
            track.forget_before(limit);
        }
    }
}

/// What two ranges share; none if that is nothing.
pub(super) fn overlap(a: TimeRange, b: TimeRange) -> Option<TimeRange> {
    let (start, end) = (a.start.max(b.start), a.end.min(b.end));
    (start < end).then_some(TimeRange { start, end })
}

fn each(tracks: &Split<Track>, mut take: impl FnMut(Part, &Track)) {
    for (zone, track) in tracks.zones.iter() {
        if let Some(track) = track {
            take(Part::Zone(zone), track);
        }
    }
    if let Some(track) = &tracks.gpu {
        take(Part::Gpu, track);
    }
}
