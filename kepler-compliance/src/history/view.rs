//! The history as a source of energy figures.

use super::device_reader::Devices;
use super::reader::{HistoryReader, Interval, Intervals, NodeRow, Reading, Source, WorkloadRow};
use super::share::Span;
use super::steps::{Steps, time};
use super::{HistoryError, millis, platform};
use crate::units::{Energy, PerZone, ZoneKind};
use crate::view::{
    Containment, EnergySeries, EnergySplit, EnergyView, Inventory, NewestReading, NoDataReason, NodeEnergy,
    NodeZoneEnergy, StepUsage, Subject, TimeRange, ViewError, WorkloadEnergy, counted,
};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// The length of what a thinned interval stands for, in milliseconds.
const THINNED: i64 = 3_600_000;

impl EnergyView for HistoryReader {
    fn name(&self) -> &str {
        "history"
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        let asked = span_of(range, range.length())?;
        let found = self.read(|reading| inventory(reading, range, asked)).map_err(unavailable)?;
        let reason = |file| NoDataReason::NotRecorded { file };
        found.map(Arc::new).ok_or_else(|| self.no_data(range, reason))
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        let asked = span_of(range, step)?;
        let found = self.read(|reading| series(reading, subject, asked, step)).map_err(unavailable)?;
        found.ok_or_else(|| self.no_data(range, |file| NoDataReason::SubjectNotRecorded { file }))
    }

    fn newest(&self) -> Option<NewestReading> {
        let (end, interval) = self.read(|reading| reading.newest_record()).ok()??;
        Some(NewestReading { at: time(end)?, interval })
    }
}

impl HistoryReader {
    fn no_data(&self, range: TimeRange, reason: impl Fn(String) -> NoDataReason) -> ViewError {
        let reason = reason(self.path().display().to_string());
        ViewError::NoData { origin: self.name().to_owned(), range, reason }
    }
}

/// Whole milliseconds; an error for a range or a step that is empty.
fn span_of(range: TimeRange, step: Duration) -> Result<Span, ViewError> {
    let span = Span { start: range.start.as_millisecond(), end: range.end.as_millisecond() };
    if span.length() == 0 || step < Duration::from_millis(1) {
        return Err(ViewError::Invalid { range, step });
    }
    Ok(span)
}

fn unavailable(error: HistoryError) -> ViewError {
    ViewError::Unavailable { origin: "history".to_owned(), reason: error.to_string() }
}

/// A workload's figures while they are added up.
#[derive(Debug, Default)]
struct Sum {
    usage: StepUsage,
    newest: EnergySplit,
}

impl StepUsage {
    /// Adds the part of a row that was used within `part`.
    fn add(&mut self, row: &WorkloadRow, span: Span, part: Span) {
        let split = EnergySplit::new(shares(&row.energy, span, part));
        self.energy = self.energy.plus(&split);
        let nanoseconds = span.share(u64::try_from(row.cpu_time.as_nanos()).unwrap_or(u64::MAX), part);
        let before = self.cpu_time.unwrap_or_default();
        self.cpu_time = Some(before.saturating_add(Duration::from_nanos(nanoseconds)));
    }
}

fn shares(energy: &PerZone<Option<Energy>>, span: Span, part: Span) -> PerZone<Option<Energy>> {
    PerZone::from_fn(|zone| energy[zone].map(|energy| span.share_of(energy, part)))
}

fn inventory(reading: &Reading<'_>, range: TimeRange, asked: Span) -> rusqlite::Result<Option<Inventory>> {
    let intervals = reading.intervals(asked)?;
    let node = reading.node()?;
    let Some(moment) = moment(&intervals) else { return Ok(None) };
    let Some(covered) = covered(&intervals, asked) else { return Ok(None) };
    // Power and state are those of now only if the newest record lies in the range.
    let newest = reading.newest_interval()?.and_then(|id| intervals.get(id)).copied();
    let sources = reading.sources(asked)?;
    let mut described = NodeEnergy::new(node.clone(), covered);
    described.zones = node_zones(reading, &intervals, asked, &sources, newest)?;
    described.processors = reading.processors(asked)?;
    let of_newest = newest.map(|newest| (newest, awake(newest)));
    let mut devices = Devices::read(reading, &intervals, asked, covered, of_newest)?;
    described.devices = std::mem::take(&mut devices.drawn);
    described.platform = platform::sums(reading.platform(asked)?, &intervals, asked);
    let counted = described.counted();

    let mut sums: HashMap<i64, Sum> = HashMap::new();
    reading.workload_rows(asked, None, |row| {
        let Some(interval) = intervals.get(row.interval) else { return };
        let sum = sums.entry(row.workload).or_default();
        sum.usage.add(&row, interval.span, asked);
        if newest.is_some_and(|newest| newest.id == row.interval) {
            sum.newest = EnergySplit::new(row.energy);
        }
    })?;
    let mut workloads = Vec::with_capacity(sums.len());
    for (id, sum) in sums {
        let Some(known) = reading.workload(id, &node)? else { continue };
        let running = known.running && newest.is_some();
        let elapsed = newest.map(awake).filter(|elapsed| running && !elapsed.is_zero());
        workloads.push(WorkloadEnergy {
            id: known.id,
            owner: known.owner,
            running,
            energy: sum.usage.energy.counting(&counted),
            power: elapsed.map(|elapsed| sum.newest.map(|energy| energy.over(elapsed)).counting(&counted)),
            cpu_time: sum.usage.cpu_time,
            method: described.method_of(&sum.usage.energy),
            resources: None,
            containment: Containment::Unknown,
            devices: devices.used.remove(&id).unwrap_or_default(),
        });
    }
    Ok(Some(Inventory {
        moment,
        asked: range,
        covered,
        coverage: coverage(intervals.iter(), asked),
        nodes: vec![described],
        workloads,
        skipped: Vec::new(),
    }))
}

fn node_zones(
    reading: &Reading<'_>,
    intervals: &Intervals,
    asked: Span,
    sources: &[Source],
    newest: Option<Interval>,
) -> rusqlite::Result<PerZone<Option<NodeZoneEnergy>>> {
    let mut sums: PerZone<Option<(NodeRow, Option<Energy>)>> = PerZone::default();
    let mut rows = PerZone::<usize>::default();
    reading.node_rows(intervals, |row| {
        let Some(interval) = intervals.get(row.interval) else { return };
        let share = |energy| interval.span.share_of(energy, asked);
        rows[row.zone] += 1;
        let (sum, last) = sums[row.zone].get_or_insert((
            NodeRow { energy: Energy::ZERO, idle: Energy::ZERO, unattributed: Energy::ZERO, ..row },
            None,
        ));
        sum.energy += share(row.energy);
        sum.idle += share(row.idle);
        sum.unattributed += share(row.unattributed);
        if newest.is_some_and(|newest| newest.id == row.interval) {
            *last = Some(row.energy);
        }
    })?;
    let elapsed = newest.map(awake).filter(|elapsed| !elapsed.is_zero());
    let mut zones = PerZone::from_fn(|zone| {
        let (sum, last) = sums[zone]?;
        let source = sources.iter().find(|source| source.zone == zone)?;
        Some(NodeZoneEnergy {
            energy: sum.energy,
            active: Some(sum.energy - sum.idle),
            idle: Some(sum.idle),
            unattributed: Some(sum.unattributed),
            power: last.zip(elapsed).map(|(energy, elapsed)| energy.over(elapsed)),
            method: source.method,
            source: Arc::clone(&source.name),
        })
    });
    // A platform that was not recorded all the time does not stand for parts that were.
    let is_shorter = rows[ZoneKind::Psys] < rows[ZoneKind::Package];
    if is_shorter && counted(&zones)[ZoneKind::Psys] {
        zones[ZoneKind::Psys] = None;
    }
    Ok(zones)
}

fn series(
    reading: &Reading<'_>,
    subject: &Subject,
    asked: Span,
    step: Duration,
) -> rusqlite::Result<Option<EnergySeries>> {
    let intervals = reading.intervals(asked)?;
    let node = reading.node()?;
    let is_thinned = intervals.iter().any(|interval| interval.thinned);
    let resolution = if is_thinned { reading.resolution()?.max(THINNED) } else { reading.resolution()? };
    let mut steps = Steps::new(asked, millis(step), resolution, intervals.len());
    match subject {
        Subject::Cluster => whole_node(reading, &intervals, &mut steps)?,
        Subject::Node(name) if *name == node => whole_node(reading, &intervals, &mut steps)?,
        Subject::Node(_) => {}
        Subject::Namespace(namespace) => {
            for id in reading.pods(namespace)? {
                workload(reading, &intervals, id, &mut steps)?;
            }
        }
        Subject::Workloads(ids) => {
            let mut rows = BTreeSet::new();
            for id in ids.iter().filter(|id| id.node == node) {
                rows.extend(reading.find(id)?);
            }
            for id in rows {
                workload(reading, &intervals, id, &mut steps)?;
            }
        }
    }
    let Some(moment) = moment(&intervals) else { return Ok(None) };
    let used = intervals.iter().zip(&steps.used).filter(|(_, used)| **used).map(|(interval, _)| interval);
    let coverage = coverage(used, asked);
    let Some(covered) = covered(&intervals, asked) else { return Ok(None) };
    let mut described = NodeEnergy::new(node, covered);
    described.zones = node_zones(reading, &intervals, asked, &reading.sources(asked)?, None)?;
    let counted = described.counted();
    let resolution = Duration::ZERO;
    let of_machine = |usage: &StepUsage| StepUsage {
        energy: usage.energy.counting(&counted),
        idle: usage.idle.counting(&counted),
        unattributed: usage.unattributed.counting(&counted),
        ..*usage
    };
    Ok(steps.finish().map(|steps| {
        let steps = steps.map(of_machine);
        let used = steps.steps().iter().fold(EnergySplit::default(), |sum, step| sum.plus(&step.value.energy));
        let method = described.method_of(&used);
        EnergySeries { steps, method, coverage, resolution, moment }
    }))
}

fn whole_node(reading: &Reading<'_>, intervals: &Intervals, steps: &mut Steps) -> rusqlite::Result<()> {
    reading.node_rows(intervals, |row| {
        let Some((position, interval)) = intervals.find(row.interval) else { return };
        steps.spread(position, interval.span, |usage, part| {
            let add = |split: &mut EnergySplit, energy| {
                let known = split.zones[row.zone].unwrap_or_default();
                split.zones[row.zone] = Some(known + interval.span.share_of(energy, part));
            };
            add(&mut usage.energy, row.energy);
            add(&mut usage.idle, row.idle);
            add(&mut usage.unattributed, row.unattributed);
        });
    })
}

fn workload(reading: &Reading<'_>, intervals: &Intervals, id: i64, steps: &mut Steps) -> rusqlite::Result<()> {
    reading.workload_rows(steps.asked, Some(id), |row| {
        let Some((position, interval)) = intervals.find(row.interval) else { return };
        steps.spread(position, interval.span, |usage, part| usage.add(&row, interval.span, part));
    })
}

/// The state of the file: the newest interval asked for, and how far it had come.
fn moment(intervals: &Intervals) -> Option<String> {
    intervals.last().map(|last| format!("interval {} to {}", last.id, last.span.end))
}

/// From the first to the last reading, within what was asked.
fn covered(intervals: &Intervals, asked: Span) -> Option<TimeRange> {
    let start = intervals.iter().map(|interval| interval.span.start).min()?.max(asked.start);
    let end = intervals.iter().map(|interval| interval.span.end).max()?.min(asked.end);
    Some(TimeRange { start: time(start)?, end: time(end)? })
}

/// Share of the asked time that the intervals stand for, 0 to 1; suspended time is not covered.
fn coverage<'a>(intervals: impl Iterator<Item = &'a Interval>, asked: Span) -> f64 {
    let covered: u64 = intervals
        .map(|interval| interval.span.share(interval.covered.unsigned_abs(), asked))
        .fold(0, u64::saturating_add);
    (covered as f64 / asked.length().max(1) as f64).min(1.0)
}

fn awake(interval: Interval) -> Duration {
    Duration::from_millis(interval.covered.unsigned_abs())
}
