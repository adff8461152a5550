//! The recorded readings of one exporter.

use super::platform::PlatformTracks;
use super::scrape::{Scrape, Shown};
use super::track::{Poll, Reading, Track};
use crate::energy::{DeviceFigures, Identity, Key, NodeFigures, Quantity, Sources, WorkloadFigures, slot};
use jiff::Timestamp;
use kepler_compliance::series::span;
use kepler_compliance::units::ZoneKind;
use kepler_compliance::view::{Owner, PlatformEnergy, Resources, Split, TimeRange, WorkloadKind};
use kepler_core::workload::EnergyAnnotation;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

const NODE_COUNTERS: [Quantity; 4] =
    [Quantity::Joules, Quantity::ActiveJoules, Quantity::IdleJoules, Quantity::UnattributedJoules];

/// A reading may come so many times as late as the mean.
const LATE: u32 = 2;

#[derive(Debug, Default)]
pub(super) struct Node {
    name: Option<Arc<str>>,
    /// When the exporter that answered last began, seconds since 1970 by its own clock.
    started: Option<f64>,
    readings: VecDeque<Timestamp>,
    counters: [Split<Track>; NODE_COUNTERS.len()],
    watts: Split<f64>,
    /// Accelerators by their identifiers; of their zone nothing is counted beside them.
    devices: BTreeMap<Arc<str>, Device>,
    sources: Sources,
    processors: Option<u32>,
    platform: PlatformTracks,
    workloads: HashMap<Key, Row>,
    /// Workloads that the newest reading showed and that are not kept.
    unkept: usize,
    /// Why the newest poll brought nothing, or what was wrong with it.
    pub(super) fault: Option<String>,
}

/// An accelerator: each has its counters, since one that vanishes or begins again must not look like a sum that fell.
#[derive(Debug)]
struct Device {
    last: Timestamp,
    /// What the newest reading showed of it: who it is, and its power.
    shown: DeviceFigures,
    counters: [Option<Track>; NODE_COUNTERS.len()],
}

#[derive(Debug)]
struct Row {
    identity: Identity,
    owner: Option<Owner>,
    /// Most rows of a node, its units, have none.
    resources: Option<Box<Resources>>,
    /// Few pods have any.
    annotations: Option<Box<[EnergyAnnotation]>>,
    /// Those that its exporter shows of a pod.
    labels: Option<Box<[(String, String)]>>,
    first: Timestamp,
    last: Timestamp,
    running: bool,
    /// Of those zones that there are: a fleet has tens of thousands of rows.
    joules: Vec<(ZoneKind, Track)>,
    /// Of accelerators that are told apart: few rows have any.
    devices: Box<[(Arc<str>, Track)]>,
    cpu_seconds: Option<Track>,
    watts: Vec<(ZoneKind, f64)>,
}

impl Node {
    /// Takes what an exporter showed at `at`; `fallback` names a node that does not name itself. No more than `most`
    /// workloads are kept.
    pub(super) fn take(&mut self, mut scrape: Scrape, at: Timestamp, fallback: &str, keep: Duration, most: usize) {
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
        let takeover = since.and_then(|since| takeover(self.started, scrape.started, since, at));
        self.started = scrape.started;
        let poll = Poll { since, at, takeover };
        let mut figures = scrape.figures;
        self.take_devices(std::mem::take(&mut figures.devices), poll);
        let of_zone = |part| part != ZoneKind::Gpu || self.devices.is_empty();
        for (quantity, tracks) in NODE_COUNTERS.into_iter().zip(&mut self.counters) {
            for part in ZoneKind::ALL.into_iter().filter(|part| of_zone(*part)) {
                let shown = match quantity {
                    Quantity::ActiveJoules => &mut figures.active,
                    Quantity::IdleJoules => &mut figures.idle,
                    Quantity::UnattributedJoules => &mut figures.unattributed,
                    _ => &mut figures.joules,
                };
                if let Some(running) = *slot(shown, part) {
                    let track = slot(tracks, part);
                    let poll = poll.of(track.is_none());
                    let reading = Reading { running: Some(running), terminated: None };
                    track.get_or_insert_default().take(poll, reading);
                }
            }
        }
        (self.watts, self.sources, self.processors) = (figures.watts, figures.sources, figures.processors);
        self.platform.take(scrape.platform, poll);
        self.unkept = 0;
        for (key, shown) in scrape.workloads {
            let owner = shown.owner_in(&scrape.owners);
            let resources = shown.resources_in(&scrape.resources);
            let is_pod = shown.identity.kind == WorkloadKind::Pod;
            let annotations =
                is_pod.then(|| scrape.annotations.remove(&shown.identity.uid)).flatten().map(Vec::into_boxed_slice);
            let labels = is_pod.then(|| scrape.labels.remove(&shown.identity.uid)).flatten().map(Vec::into_boxed_slice);
            if self.workloads.len() >= most && !self.workloads.contains_key(&key) {
                self.unkept += 1;
                continue;
            }
            let row =
                self.workloads.entry(key).or_insert_with(|| Row::new(shown.identity.clone(), since.unwrap_or(at)));
            row.name_owner(owner);
            row.note_resources(resources);
            row.annotations = annotations;
            // Of a pod that has ended none are shown any more.
            if labels.is_some() {
                row.labels = labels;
            }
            row.take(shown, poll);
        }
        self.readings.push_back(at);
        self.forget_before(at.checked_sub(keep).unwrap_or(Timestamp::MIN));
    }

    fn take_devices(&mut self, shown: BTreeMap<Arc<str>, DeviceFigures>, poll: Poll) {
        self.devices.values_mut().for_each(|device| device.shown.watts = None);
        for (uuid, mut shown) in shown {
            let counters = std::array::from_fn(|_| None);
            let device = self.devices.entry(uuid).or_insert_with(|| Device {
                last: poll.at,
                shown: DeviceFigures::default(),
                counters,
            });
            for (quantity, track) in NODE_COUNTERS.into_iter().zip(&mut device.counters) {
                if let Some(running) = shown.figure(quantity).and_then(|figure| *figure) {
                    let poll = poll.of(track.is_none());
                    track.get_or_insert_default().take(poll, Reading { running: Some(running), terminated: None });
                }
            }
            (device.last, device.shown) = (poll.at, shown);
        }
    }

    pub(super) fn forget_before(&mut self, limit: Timestamp) {
        self.devices.retain(|_, device| device.last > limit);
        for track in self.devices.values_mut().flat_map(|device| device.counters.iter_mut().flatten()) {
            track.forget_before(limit);
        }
        while self.readings.get(1).is_some_and(|&time| time <= limit) {
            self.readings.pop_front();
        }
        for part in ZoneKind::ALL {
            for track in self.counters.iter_mut().filter_map(|tracks| slot(tracks, part).as_mut()) {
                track.forget_before(limit);
            }
        }
        self.platform.forget_before(limit);
        self.workloads.retain(|_, row| row.last > limit);
        for row in self.workloads.values_mut() {
            row.forget_before(limit);
        }
    }

    /// All tracks.
    fn tracks(&mut self) -> impl Iterator<Item = &mut Track> {
        let of_node = self.counters.iter_mut().flat_map(parts);
        let of_devices = self.devices.values_mut().flat_map(|device| device.counters.iter_mut().flatten());
        of_node.chain(of_devices).chain(self.platform.tracks()).chain(self.workloads.values_mut().flat_map(Row::tracks))
    }

    /// Points that are kept of all counters.
    pub(super) fn points(&mut self) -> usize {
        self.tracks().map(|track| track.len()).sum()
    }

    /// Keeps of the points before `limit` one each `spacing`: energy is known as well as before, its course less finely.
    pub(super) fn thin(&mut self, limit: Timestamp, spacing: Duration) {
        self.tracks().for_each(|track| track.thin(limit, spacing));
    }

    /// The pods that have a controller, by namespace and controller.
    pub(super) fn owned(&self) -> impl Iterator<Item = (Option<&Arc<str>>, &Owner)> {
        self.workloads.values().filter_map(|row| Some((row.identity.namespace.as_ref(), row.owner.as_ref()?)))
    }

    /// The pods that say how their energy is to be judged and shown.
    pub(super) fn annotated(&self) -> impl Iterator<Item = (&Arc<str>, &[EnergyAnnotation])> {
        self.workloads.values().filter_map(|row| Some((&row.identity.uid, row.annotations.as_deref()?)))
    }

    /// The pods whose labels are shown.
    pub(super) fn labelled(&self) -> impl Iterator<Item = (&Arc<str>, &[(String, String)])> {
        self.workloads.values().filter_map(|row| Some((&row.identity.uid, row.labels.as_deref()?)))
    }

    /// Workloads that are known.
    pub(super) fn rows(&self) -> usize {
        self.workloads.len()
    }

    /// What is not kept of what it shows.
    pub(super) fn left_out(&self) -> Option<String> {
        let (unkept, kept) = (self.unkept, self.workloads.len());
        (unkept > 0)
            .then(|| format!("{unkept} of its workloads are left out: {kept} are kept, and there is room for no more"))
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

    /// Whether it was read in `range`, its end included; or before and after it, no farther apart than readings that are a little
    /// late are.
    pub(super) fn read_in(&self, range: TimeRange) -> bool {
        let after = self.readings.partition_point(|&time| time <= range.start);
        let Some(&next) = self.readings.get(after) else { return false };
        let before = after.checked_sub(1).and_then(|before| self.readings.get(before));
        let longest = self.spacing().unwrap_or_default().saturating_mul(LATE);
        next <= range.end || before.is_some_and(|&before| span(before, next) <= longest)
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
        let is_now = self.powers(range);
        for (uuid, device) in &self.devices {
            let mut own = DeviceFigures { watts: None, ..device.shown.clone() };
            own.watts = device.shown.watts.filter(|_| is_now);
            for (quantity, track) in NODE_COUNTERS.into_iter().zip(&device.counters) {
                let used = track.as_ref().map(|track| track.between(range.start, range.end));
                if let Some(figure) = own.figure(quantity) {
                    *figure = used;
                }
                if let Some(used) = used {
                    figures.add(quantity, ZoneKind::Gpu, used);
                }
            }
            figures.devices.insert(Arc::clone(uuid), own);
        }
        if is_now {
            figures.watts = self.watts;
        }
        figures
    }

    /// What meters of the whole machine showed in `range`.
    pub(super) fn platform(&self, range: TimeRange) -> Vec<PlatformEnergy> {
        self.platform.between(range, self.powers(range), self.newest())
    }

    /// What the workloads that `wanted` names, and that were there, used in `range`.
    pub(super) fn workloads(&self, range: TimeRange, wanted: impl Fn(&Identity) -> bool) -> Vec<WorkloadFigures> {
        let newest = self.readings.back().copied().unwrap_or(Timestamp::MIN);
        let there = |row: &&Row| row.first <= range.end && row.last > range.start && wanted(&row.identity);
        let figures = |row: &Row| {
            let mut figures = WorkloadFigures::new(row.identity.clone());
            figures.owner.clone_from(&row.owner);
            figures.resources = row.resources.as_deref().copied();
            figures.running = row.running && row.last == newest;
            for (part, track) in &row.joules {
                figures.add(Quantity::Joules, *part, track.between(range.start, range.end));
            }
            for (uuid, track) in &row.devices {
                let used = track.between(range.start, range.end);
                figures.add(Quantity::Joules, ZoneKind::Gpu, used);
                figures.note_device(uuid, Quantity::Joules, used);
            }
            figures.cpu_seconds = row.cpu_seconds.as_ref().map(|track| track.between(range.start, range.end));
            if figures.running && self.powers(range) {
                row.watts.iter().for_each(|&(part, watts)| figures.add(Quantity::Watts, part, watts));
            }
            figures
        };
        self.workloads.values().filter(there).map(figures).collect()
    }
}

impl Row {
    fn new(identity: Identity, first: Timestamp) -> Self {
        let (joules, devices, watts) = (Vec::new(), Box::default(), Vec::new());
        let (owner, resources, annotations, labels, cpu_seconds) = (None, None, None, None, None);
        let (last, running) = (first, false);
        Row {
            identity,
            owner,
            resources,
            annotations,
            labels,
            first,
            last,
            running,
            joules,
            devices,
            cpu_seconds,
            watts,
        }
    }

    /// All tracks.
    fn tracks(&mut self) -> impl Iterator<Item = &mut Track> {
        let of_devices = self.devices.iter_mut().map(|(_, track)| track);
        self.joules.iter_mut().map(|(_, track)| track).chain(of_devices).chain(&mut self.cpu_seconds)
    }

    /// Takes over who controls it; what is known stays.
    fn name_owner(&mut self, shown: Option<Owner>) {
        if shown.is_some() && shown != self.owner {
            self.owner = shown;
        }
    }

    /// Takes over what it asks for: that may be changed while it runs, and once it has ended it is not shown.
    fn note_resources(&mut self, shown: Option<Resources>) {
        match (shown, &mut self.resources) {
            (None, _) => {}
            (Some(shown), Some(known)) => **known = shown,
            (Some(shown), none) => *none = Some(Box::new(shown)),
        }
    }

    fn take(&mut self, mut shown: Shown, poll: Poll) {
        for part in ZoneKind::ALL {
            if let Some(reading) = *slot(&mut shown.joules, part) {
                self.with_track(part, |track| track.take(poll, reading));
            }
        }
        // Where they were not told apart before, their counters were part of the zone's.
        let was_whole = self.joules.iter().any(|(part, _)| *part == ZoneKind::Gpu);
        let poll_device = poll.of(was_whole);
        for (uuid, reading) in shown.devices {
            match self.devices.iter_mut().find(|(known, _)| *known == uuid) {
                Some((_, track)) => track.take(poll, reading),
                None => {
                    let mut track = Track::default();
                    track.take(poll_device, reading);
                    let mut devices = std::mem::take(&mut self.devices).into_vec();
                    devices.push((uuid, track));
                    self.devices = devices.into();
                }
            }
        }
        if shown.cpu_seconds != Reading::default() {
            self.cpu_seconds.get_or_insert_default().take(poll, shown.cpu_seconds);
        }
        // Names may come later than the workload; what is known stays.
        if shown.identity.is_named() && shown.identity != self.identity {
            self.identity = shown.identity;
        }
        (self.last, self.running) = (poll.at, shown.running);
        self.watts.clear();
        let watts = shown.watts.zones.iter().filter_map(|(zone, watts)| Some((zone, (*watts)?)));
        self.watts.extend(watts);
        self.watts.shrink_to_fit();
    }

    fn with_track(&mut self, part: ZoneKind, take: impl FnOnce(&mut Track)) {
        if let Some((_, track)) = self.joules.iter_mut().find(|(zone, _)| *zone == part) {
            return take(track);
        }
        let mut track = Track::default();
        take(&mut track);
        self.joules.reserve_exact(1);
        self.joules.push((part, track));
    }

    fn forget_before(&mut self, limit: Timestamp) {
        self.tracks().for_each(|track| track.forget_before(limit));
    }
}

/// Start times of one process may differ by so much, seconds: they are read off clocks that are set.
const START_JITTER: f64 = 2.0;

/// The part of the counters of another process than before that lies after `since`, the reading before: what they hold of
/// earlier times was counted by the other one. Both run while a node's exporter is replaced with `maxSurge`.
fn takeover(before: Option<f64>, now: Option<f64>, since: Timestamp, at: Timestamp) -> Option<f64> {
    let (before, now) = (before?, now?);
    if (before - now).abs() < START_JITTER {
        return None;
    }
    let age = at.as_duration().as_secs_f64() - now;
    let part = span(since, at).as_secs_f64() / age;
    // One that began after the reading before, or by its clock will begin, counted nothing of earlier times.
    Some(if age > 0.0 { part.min(1.0) } else { 1.0 })
}

/// What two ranges share; none if that is nothing.
pub(super) fn overlap(a: TimeRange, b: TimeRange) -> Option<TimeRange> {
    let (start, end) = (a.start.max(b.start), a.end.min(b.end));
    (start < end).then_some(TimeRange { start, end })
}

fn parts(tracks: &mut Split<Track>) -> impl Iterator<Item = &mut Track> {
    tracks.zones.iter_mut().filter_map(|(_, track)| track.as_mut())
}

fn each(tracks: &Split<Track>, mut take: impl FnMut(ZoneKind, &Track)) {
    for (zone, track) in tracks.zones.iter() {
        if let Some(track) = track {
            take(zone, track);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scrape::Extent;
    use super::*;

    /// Takes scrapes: the second, when the process that answers began, and its counter of joules. What came to the node
    /// and to its pod from second 0 on.
    fn counted(polls: &[(i64, i64, f64)]) -> (f64, f64) {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut node = Node::default();
        for &(second, started, joules) in polls {
            let text = format!(
                "process_start_time_seconds {started}\nkepler_node_cpu_joules_total{{node_name=\"n\",zone=\"package\"}} {joules}\n\
                 kepler_pod_cpu_joules_total{{pod_id=\"u\",pod_name=\"web\",state=\"running\",zone=\"package\"}} {joules}\n"
            );
            let extent = Extent { processes: false, workloads: 10, bytes: 1 << 20 };
            let scrape = Scrape::read(text.as_bytes(), extent).unwrap();
            node.take(scrape, at(second), "n", Duration::from_hours(1), 10);
        }
        let range = TimeRange { start: at(0), end: at(10_000) };
        let package = |split: Split<f64>| split.zones[ZoneKind::Package].unwrap();
        let pod = node.workloads(range, |_| true).remove(0);
        (package(node.figures(range).joules), package(pod.joules))
    }

    #[test]
    fn what_an_exporter_that_takes_over_counted_beside_the_other_is_not_counted_twice() {
        // 10 W; the second one runs since 1000 s, and is read from 1100 s on.
        let both = [(1080, 0, 10_800.0), (1090, 0, 10_900.0), (1100, 1000, 1000.0), (1110, 1000, 1100.0)];
        assert_eq!(counted(&both), (300.0, 300.0));
        // Both answer by turns behind one address.
        let turns = [(1080, 0, 10_800.0), (1090, 1000, 900.0), (1100, 0, 11_000.0), (1110, 1000, 1100.0)];
        assert_eq!(counted(&turns), (300.0, 300.0));
    }

    #[test]
    fn an_exporter_that_began_after_the_reading_before_is_counted_whole() {
        assert_eq!(counted(&[(1080, 0, 50.0), (1090, 1082, 80.0)]), (80.0, 80.0), "it has passed the one before");
        assert_eq!(counted(&[(1080, 0, 500.0), (1090, 2000, 80.0)]), (80.0, 80.0), "its clock is ahead");
        assert_eq!(counted(&[(1080, 5, 500.0), (1090, 6, 580.0)]), (80.0, 80.0), "the same, by a clock that was set");
    }
}
