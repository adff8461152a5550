//! Answers from the file.

use super::super::columns::{self, energy};
use super::super::devices::method_of;
use super::super::share::Span;
use super::super::steps::{Steps, time};
use super::devices::Devices;
use crate::units::{Energy, PerZone, ZoneKind};
use crate::view::{
    Containment, EnergySeries, EnergySplit, Inventory, NoDataReason, NodeEnergy, NodeZoneEnergy, Owner, Skipped,
    StepUsage, Subject, TimeRange, ViewError, WorkloadEnergy, WorkloadId, WorkloadKind, counted,
};
use kepler_core::meter::Method;
use rusqlite::{Connection, Row, params};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Whole milliseconds; an error for a range or a step that is empty.
pub(super) fn span_of(range: TimeRange, step: Duration) -> Result<Span, ViewError> {
    let span = Span { start: range.start.as_millisecond(), end: range.end.as_millisecond() };
    if span.length() == 0 || step < Duration::from_millis(1) {
        return Err(ViewError::Invalid { range, step });
    }
    Ok(span)
}

pub(super) fn no_data(path: &Path, range: TimeRange) -> ViewError {
    let reason = NoDataReason::SubjectNotRecorded { file: path.display().to_string() };
    ViewError::NoData { origin: "history".to_owned(), range, reason }
}

/// An interval that a range touches.
struct Interval {
    id: i64,
    span: Span,
    coverage: f64,
}

fn intervals(connection: &Connection, asked: Span) -> rusqlite::Result<Vec<Interval>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, start_ms, end_ms, coverage FROM interval WHERE end_ms > ?1 AND start_ms < ?2 ORDER BY end_ms",
    )?;
    let interval = |row: &Row<'_>| {
        Ok(Interval { id: row.get(0)?, span: Span { start: row.get(1)?, end: row.get(2)? }, coverage: row.get(3)? })
    };
    statement.query_map([asked.start, asked.end], interval)?.collect()
}

/// Share of the asked time and of the nodes then expected.
fn coverage<'a>(intervals: impl Iterator<Item = &'a Interval>, asked: Span) -> f64 {
    let covered: f64 = intervals.map(|interval| interval.coverage * interval.span.meet(asked).length() as f64).sum();
    (covered / asked.length().max(1) as f64).clamp(0.0, 1.0)
}

/// What a node used in a zone in an interval.
struct NodeRow {
    node: i64,
    zone: ZoneKind,
    usage: StepUsage,
    energy: Energy,
    idle: Option<Energy>,
    unattributed: Option<Energy>,
    source: Arc<str>,
    method: Method,
}

fn node_rows(connection: &Connection, interval: &Interval, part: Span) -> rusqlite::Result<Vec<NodeRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT node, zone, energy_uj, idle_uj, unattributed_uj, source, method, error_ratio FROM node_energy
         WHERE interval = ?1",
    )?;
    let mut rows = statement.query([interval.id])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let Ok(zone) = row.get::<_, String>(1)?.parse::<ZoneKind>() else { continue };
        let share = |energy: Option<Energy>| energy.map(|energy| interval.span.share_of(energy, part));
        let figures = [share(energy(row, 2)?), share(energy(row, 3)?), share(energy(row, 4)?)];
        let of = |energy: Option<Energy>| {
            let mut split = EnergySplit::default();
            split.zones[zone] = energy;
            split
        };
        let [all, idle, unattributed] = figures;
        found.push(NodeRow {
            node: row.get(0)?,
            zone,
            usage: StepUsage::new(of(all), None).with_parts(of(idle), of(unattributed)),
            energy: all.unwrap_or_default(),
            idle,
            unattributed,
            source: row.get::<_, String>(5)?.into(),
            method: method_of(&row.get::<_, String>(6)?, row.get(7)?),
        });
    }
    Ok(found)
}

fn names(connection: &Connection) -> rusqlite::Result<HashMap<i64, Arc<str>>> {
    let mut statement = connection.prepare_cached("SELECT id, name FROM node")?;
    let name = |row: &Row<'_>| Ok((row.get(0)?, Arc::<str>::from(row.get::<_, String>(1)?)));
    statement.query_map([], name)?.collect()
}

fn plus(a: Option<Energy>, b: Option<Energy>) -> Option<Energy> {
    // What is not known of a part is not known of the sum.
    a.zip(b).map(|(a, b)| a + b)
}

pub(super) fn inventory(connection: &Connection, range: TimeRange, asked: Span) -> rusqlite::Result<Option<Inventory>> {
    let intervals = intervals(connection, asked)?;
    let (Some(first), Some(last)) = (intervals.first(), intervals.last()) else { return Ok(None) };
    let ends = (time(first.span.start.max(asked.start)), time(last.span.end.min(asked.end)));
    let (Some(start), Some(end)) = ends else { return Ok(None) };
    let covered = TimeRange { start, end };
    let names = names(connection)?;
    let moment = format!("interval {}", last.id);
    let mut answer = Inventory::new(moment, range, covered, coverage(intervals.iter(), asked));
    let (mut nodes, mut workloads) = (BTreeMap::new(), HashMap::<i64, StepUsage>::new());
    let mut skipped: BTreeMap<String, String> = BTreeMap::new();
    for interval in &intervals {
        for row in node_rows(connection, interval, asked)? {
            let Some(name) = names.get(&row.node) else { continue };
            let node = nodes.entry(row.node).or_insert_with(|| NodeEnergy::new(Arc::clone(name), covered));
            add_zone(node, row);
        }
        let mut statement = connection.prepare_cached(&format!(
            "SELECT workload, cpu_us, {} FROM workload_energy WHERE interval = ?1",
            *columns::NAMES
        ))?;
        let mut rows = statement.query([interval.id])?;
        while let Some(row) = rows.next()? {
            add(workloads.entry(row.get(0)?).or_default(), &usage(row, 1, interval.span, asked)?);
        }
        let mut statement = connection.prepare_cached("SELECT what, reason FROM skipped WHERE interval = ?1")?;
        let mut rows = statement.query([interval.id])?;
        while let Some(row) = rows.next()? {
            skipped.insert(row.get(0)?, row.get(1)?);
        }
    }
    let of_all: Vec<_> = intervals.iter().map(|interval| (interval.id, interval.span)).collect();
    let mut devices = Devices::read(connection, &of_all, asked, covered)?;
    for (id, node) in &mut nodes {
        node.devices = devices.drawn.remove(id).unwrap_or_default();
    }
    for (id, usage) in workloads {
        let row = workload(connection, id, &names, &nodes, usage)?;
        let used = devices.used.remove(&id).unwrap_or_default();
        answer.workloads.extend(row.map(|row| WorkloadEnergy { devices: used, ..row }));
    }
    answer.nodes = nodes.into_values().collect();
    answer.skipped = skipped.into_iter().map(|(what, reason)| Skipped::new(what, reason)).collect();
    Ok(Some(answer))
}

fn add_zone(node: &mut NodeEnergy, row: NodeRow) {
    let zone = &mut node.zones[row.zone];
    match zone {
        Some(zone) => {
            zone.energy += row.energy;
            (zone.idle, zone.unattributed) = (plus(zone.idle, row.idle), plus(zone.unattributed, row.unattributed));
            zone.active = zone.idle.map(|idle| zone.energy - idle);
            zone.method = zone.method.weaker(row.method);
        }
        None => {
            let mut new = NodeZoneEnergy::new(row.energy, row.method, row.source);
            (new.idle, new.unattributed) = (row.idle, row.unattributed);
            new.active = row.idle.map(|idle| row.energy - idle);
            *zone = Some(new);
        }
    }
}

/// The part of a row, from `column` on, that was used within `part`.
fn usage(row: &Row<'_>, column: usize, span: Span, part: Span) -> rusqlite::Result<StepUsage> {
    let share = |amount: i64| span.share(amount.unsigned_abs(), part);
    let cpu = row.get::<_, Option<i64>>(column)?.map(|micros| Duration::from_micros(share(micros)));
    let zones = columns::zones(row, column + 1)?;
    let zones = PerZone::from_fn(|zone| zones[zone].map(|energy| span.share_of(energy, part)));
    Ok(StepUsage::new(EnergySplit::new(zones), cpu))
}

fn add(sum: &mut StepUsage, more: &StepUsage) {
    let cpu_time = match (sum.cpu_time, more.cpu_time) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    };
    let energy = sum.energy.plus(&more.energy);
    let (idle, unattributed) = (sum.idle.plus(&more.idle), sum.unattributed.plus(&more.unattributed));
    *sum = StepUsage::new(energy, cpu_time).with_parts(idle, unattributed);
}

fn workload(
    connection: &Connection,
    id: i64,
    names: &HashMap<i64, Arc<str>>,
    nodes: &BTreeMap<i64, NodeEnergy>,
    usage: StepUsage,
) -> rusqlite::Result<Option<WorkloadEnergy>> {
    let mut statement = connection.prepare_cached(
        "SELECT node, kind, uid, name, namespace, owner_kind, owner_name FROM workload WHERE id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let node: i64 = row.get(0)?;
    let kind = |name: &str| WorkloadKind::ALL.into_iter().find(|kind| kind.name() == name);
    let (Some(name), Some(own)) = (names.get(&node), kind(&row.get::<_, String>(1)?)) else { return Ok(None) };
    let mut who = WorkloadId::new(own, row.get::<_, String>(3)?, row.get::<_, String>(2)?, Arc::clone(name));
    who.namespace = row.get::<_, Option<String>>(4)?.map(Arc::from);
    let (energy, method) = match nodes.get(&node) {
        Some(node) => (usage.energy.counting(&node.counted()), node.method_of(&usage.energy)),
        None => (usage.energy, Method::Measured),
    };
    let mut found = WorkloadEnergy::new(who, energy, method);
    let owner = row.get::<_, Option<String>>(5)?.and_then(|name| kind(&name)).zip(row.get::<_, Option<String>>(6)?);
    found.owner = owner.map(|(kind, name)| Owner::new(kind, name));
    (found.running, found.cpu_time, found.containment) = (false, usage.cpu_time, Containment::Outermost);
    Ok(Some(found))
}

pub(super) fn series(
    connection: &Connection,
    subject: &Subject,
    asked: Span,
    step: Duration,
) -> rusqlite::Result<Option<EnergySeries>> {
    let intervals = intervals(connection, asked)?;
    let Some(last) = intervals.last() else { return Ok(None) };
    let longest = intervals.iter().map(|interval| interval.span.length()).max().unwrap_or_default();
    let mut steps = Steps::new(asked, super::super::millis(step), longest, intervals.len());
    let mut methods = Vec::new();
    let wanted = wanted(connection, subject)?;
    for (position, interval) in intervals.iter().enumerate() {
        let nodes = node_rows(connection, interval, interval.span)?;
        let counted = counted_by_node(&nodes);
        let counts = |row: &&NodeRow| counted.get(&row.node).is_some_and(|zones| zones[row.zone]);
        methods.extend(nodes.iter().filter(counts).map(|row| (row.energy.joules(), row.method)));
        let used = match &wanted {
            Wanted::Nodes(only) => nodes_in(&nodes, &counted, *only),
            Wanted::Workloads(ids) => workloads_in(connection, interval, ids, &counted)?,
        };
        let Some(used) = used else { continue };
        steps.spread(position, interval.span, |sum, part| {
            let share = |energy: EnergySplit| energy.map(|energy| interval.span.share_of(energy, part));
            let cpu = used.cpu_time.map(|time| {
                let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                Duration::from_micros(interval.span.share(micros, part))
            });
            let more = StepUsage::new(share(used.energy), cpu).with_parts(share(used.idle), share(used.unattributed));
            add(sum, &more);
        });
    }
    let used = intervals.iter().zip(&steps.used).filter(|(_, used)| **used).map(|(interval, _)| interval);
    let coverage = coverage(used, asked);
    Ok(steps.finish().map(|steps| {
        let method = match wanted {
            Wanted::Nodes(_) => Method::of_sum(methods),
            // What workloads have of each node and zone is not told apart.
            Wanted::Workloads(_) => methods.into_iter().map(|(_, method)| method).reduce(Method::weaker),
        };
        let method = method.unwrap_or(Method::Measured);
        let mut series = EnergySeries::new(steps, method, format!("interval {}", last.id));
        series.coverage = coverage;
        series
    }))
}

/// The zones whose sum is the machine, by node.
fn counted_by_node(rows: &[NodeRow]) -> HashMap<i64, PerZone<bool>> {
    let mut nodes: HashMap<i64, PerZone<Option<NodeZoneEnergy>>> = HashMap::new();
    for row in rows {
        let zone = NodeZoneEnergy::new(row.energy, row.method, Arc::clone(&row.source));
        nodes.entry(row.node).or_default()[row.zone] = Some(zone);
    }
    nodes.into_iter().map(|(node, zones)| (node, counted(&zones))).collect()
}

/// What all nodes used together, or one of them.
fn nodes_in(rows: &[NodeRow], counted: &HashMap<i64, PerZone<bool>>, only: Option<i64>) -> Option<StepUsage> {
    let mut nodes: BTreeMap<i64, StepUsage> = BTreeMap::new();
    for row in rows.iter().filter(|row| only.is_none_or(|only| row.node == only)) {
        add(nodes.entry(row.node).or_default(), &row.usage);
    }
    let of_machine = |(node, usage): (i64, StepUsage)| counting(usage, counted.get(&node));
    nodes.into_iter().map(of_machine).reduce(|mut sum, more| {
        add(&mut sum, &more);
        sum
    })
}

/// The same with the total of these zones.
fn counting(usage: StepUsage, zones: Option<&PerZone<bool>>) -> StepUsage {
    let Some(zones) = zones else { return usage };
    StepUsage::new(usage.energy.counting(zones), usage.cpu_time)
        .with_parts(usage.idle.counting(zones), usage.unattributed.counting(zones))
}

/// Whose energy a series is of.
enum Wanted {
    /// All nodes, or this one.
    Nodes(Option<i64>),
    Workloads(Vec<i64>),
}

fn wanted(connection: &Connection, subject: &Subject) -> rusqlite::Result<Wanted> {
    let ids = |sql: &str, values: &[&str]| -> rusqlite::Result<Vec<i64>> {
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_map(rusqlite::params_from_iter(values), |row| row.get(0))?.collect()
    };
    Ok(match subject {
        Subject::Cluster => Wanted::Nodes(None),
        // No row has the id 0.
        Subject::Node(name) => {
            Wanted::Nodes(Some(ids("SELECT id FROM node WHERE name = ?1", &[name])?.first().copied().unwrap_or(0)))
        }
        Subject::Namespace(namespace) => {
            Wanted::Workloads(ids("SELECT id FROM workload WHERE kind = 'pod' AND namespace = ?1", &[namespace])?)
        }
        Subject::Workloads(workloads) => {
            let sql = "SELECT workload.id FROM workload JOIN node ON node.id = workload.node
                 WHERE node.name = ?1 AND kind = ?2 AND uid = ?3";
            let mut found = Vec::new();
            for id in workloads {
                found.extend(ids(sql, &[&id.node, id.kind.name(), &id.uid])?);
            }
            Wanted::Workloads(found)
        }
    })
}

fn workloads_in(
    connection: &Connection,
    interval: &Interval,
    ids: &[i64],
    counted: &HashMap<i64, PerZone<bool>>,
) -> rusqlite::Result<Option<StepUsage>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT node, cpu_us, {} FROM workload_energy
         JOIN workload ON workload.id = workload_energy.workload WHERE interval = ?1 AND workload = ?2",
        *columns::NAMES
    ))?;
    let mut sum: Option<StepUsage> = None;
    for id in ids {
        let mut rows = statement.query(params![interval.id, id])?;
        if let Some(row) = rows.next()? {
            let used = usage(row, 1, interval.span, interval.span)?;
            add(sum.get_or_insert_default(), &counting(used, counted.get(&row.get(0)?)));
        }
    }
    Ok(sum)
}
