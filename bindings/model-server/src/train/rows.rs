//! From counters to rows: activity and power in each interval between two scrapes.
//!
//! An interval counts only if all that is asked of it is known: no counter went back, none is missing. Nothing is filled
//! in. Prometheus repeats a value until the next scrape; an interval therefore ends where a counter of energy moved.

use super::prometheus::{Queries, Series, energy_query, feature_query};
use kepler_core::model::{EnergySource, FeatureGroup, Semantics, zone};
use kepler_core::units::ZoneKind;
use kepler_train::{Dataset, TrainError};
use std::collections::BTreeMap;

/// The most rows that are learned from: at a scrape every 15 s, more than three days of one node.
pub(super) const MOST_ROWS: usize = 20_000;
/// The fewest: each of five folds is predicted by a model of the others.
pub(super) const FEWEST_ROWS: usize = 20;

/// The rows, and what became of the intervals.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) data: Dataset,
    /// Intervals that were left out because a counter went back or was missing.
    pub(super) left_out: usize,
}

/// Rows of a feature group, of all nodes one after the other.
///
/// # Errors
/// A text for the caller.
pub(super) fn rows(
    queries: &Queries,
    group: FeatureGroup,
    source: EnergySource,
    semantics: Semantics,
) -> Result<Recorded, String> {
    let features = group.features();
    let (zones, by_instance) = energies(queries, source)?;
    let mut flat = Vec::new();
    let mut targets: Vec<(ZoneKind, Vec<f64>)> = zones.iter().map(|zone| (*zone, Vec::new())).collect();
    let mut left_out = 0;
    for (instance, energies) in &by_instance {
        let ends = ends(energies.iter().flatten().copied());
        let intervals = ends.len().saturating_sub(1);
        if intervals + targets.first().map_or(0, |(_, watts)| watts.len()) > MOST_ROWS {
            return Err(format!(
                "prom_response: more than {MOST_ROWS} intervals; give a shorter time or a larger step, or train with \
                 `kepler train`"
            ));
        }
        let mut columns: Vec<Column> = energies.iter().map(|series| Column::energy(&ends, series)).collect();
        for feature in features {
            let all = queries.0.get(&feature_query(feature)).map(Vec::as_slice).unwrap_or_default();
            let of_instance = all.iter().filter(|series| series.instance == *instance);
            columns.push(Column::feature(&ends, of_instance));
        }
        for (interval, pair) in ends.windows(2).enumerate() {
            let &[from, to] = pair else { continue };
            let seconds = (to - from) as f64 / 1000.0;
            let rates: Option<Vec<f64>> =
                columns.iter().map(|column| column.sum(interval).map(|sum| sum / seconds)).collect();
            let Some(rates) = rates else {
                left_out += 1;
                continue;
            };
            let (watts, rates) = rates.split_at(targets.len());
            for ((_, target), watts) in targets.iter_mut().zip(watts) {
                target.push(*watts);
            }
            flat.extend_from_slice(rates);
        }
    }
    // Exporters write zero joules for what they cannot measure. Absent is not zero.
    targets.retain(|(_, watts)| watts.iter().any(|watts| *watts > 0.0));
    let found = flat.len() / features.len().max(1);
    if found < FEWEST_ROWS || targets.is_empty() {
        return Err(format!(
            "{}: {found} intervals to learn from where at least {FEWEST_ROWS} are needed ({left_out} were left out, in \
             which a counter went back, or a counter of energy or of the features was missing); query a longer time, all \
             queries with the same start, end and step",
            group.name()
        ));
    }
    let names = features.iter().map(|name| (*name).to_owned()).collect();
    let data = Dataset::new(names, flat, targets, semantics);
    Ok(Recorded { data: data.map_err(|error: TrainError| format!("{}: {error}", group.name()))?, left_out })
}

/// The counters of each component.
type Instance<'a> = Vec<Vec<&'a Series>>;
/// Components, and by exporter their counters.
type Energies<'a> = (Vec<ZoneKind>, BTreeMap<&'a str, Instance<'a>>);

/// The components that were measured, and by exporter the counters of each.
fn energies(queries: &Queries, source: EnergySource) -> Result<Energies<'_>, String> {
    let components: &[&str] = match source {
        EnergySource::RaplSysfs => &["package", "core", "uncore", "dram"],
        EnergySource::Acpi => &["platform"],
    };
    let is_source = |series: &&Series| match source {
        EnergySource::RaplSysfs => series.source.contains("rapl"),
        EnergySource::Acpi => series.source == "acpi",
    };
    let mut zones = Vec::new();
    let mut by_instance: BTreeMap<&str, Instance<'_>> = BTreeMap::new();
    let mut others: Vec<&str> = Vec::new();
    for component in components {
        let all = queries.0.get(&energy_query(component)).map(Vec::as_slice).unwrap_or_default();
        others.extend(all.iter().filter(|series| !is_source(series)).map(|series| series.source.as_str()));
        let measured: Vec<&Series> = all.iter().filter(is_source).collect();
        let Some(zone) = zone(component).filter(|_| !measured.is_empty()) else { continue };
        for series in measured {
            let of_zones = by_instance.entry(&series.instance).or_default();
            of_zones.resize_with(zones.len() + 1, Vec::new);
            if let Some(of_zone) = of_zones.last_mut() {
                of_zone.push(series);
            }
        }
        zones.push(zone);
    }
    if !zones.is_empty() {
        for of_zones in by_instance.values_mut() {
            of_zones.resize_with(zones.len(), Vec::new);
        }
        return Ok((zones, by_instance));
    }
    others.sort_unstable();
    others.dedup();
    let names = components.iter().map(|component| energy_query(component)).collect::<Vec<_>>().join(", ");
    Err(if others.is_empty() {
        format!(
            "prom_response: none of {names} has samples; query them as the features, with the same start, end and step"
        )
    } else {
        let others: Vec<String> = others.iter().take(5).map(|other| format!("`{other}`")).collect();
        format!(
            "prom_response: no series of {names} has the source {}, there is {}; record where power is measured, \
             or set energy_source",
            source.name(),
            others.join(", ")
        )
    })
}

/// Where intervals begin and end: where any counter of energy moved, and at the first sample.
fn ends<'a>(energies: impl Iterator<Item = &'a Series>) -> Vec<i64> {
    let mut ends = Vec::new();
    for series in energies {
        let mut last = None;
        for &(time, joules) in &series.samples {
            if last != Some(joules) {
                ends.push(time);
            }
            last = Some(joules);
        }
    }
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// What counters of one kind rose by, all together, in each interval.
struct Column {
    sums: Vec<f64>,
    /// How many of them are known there.
    known: Vec<u32>,
    /// Differences from interval to interval of how many make it unusable.
    unusable: Vec<i64>,
}

impl Column {
    fn new(ends: &[i64]) -> Self {
        let intervals = ends.len().saturating_sub(1);
        Column { sums: vec![0.0; intervals], known: vec![0; intervals], unusable: vec![0; ends.len() + 1] }
    }

    /// Each must be there all the time.
    fn energy(ends: &[i64], all: &[&Series]) -> Self {
        let mut column = Column::new(ends);
        for series in all {
            if let Some((first, last)) = column.add(ends, series) {
                column.refuse(0, first);
                column.refuse(last, ends.len());
            }
        }
        column.totalled()
    }

    /// Containers come and go. Counters begin at zero, so that what a new one tells is what it did. What one did
    /// after its last sample is not known, and not counted.
    fn feature<'a>(ends: &[i64], all: impl Iterator<Item = &'a Series>) -> Self {
        let mut column = Column::new(ends);
        for series in all {
            let Some((first, _)) = column.add(ends, series) else { continue };
            let value = series.samples.first().filter(|(time, _)| ends.get(first) == Some(time));
            let Some(before) = first.checked_sub(1) else { continue };
            match (value, column.sums.get_mut(before)) {
                (Some((_, value)), Some(sum)) => *sum += value,
                // It came between two step ends: the counter at the next end includes it.
                (None, Some(sum)) => {
                    let at = ends.get(first).and_then(|end| value_at(series, *end));
                    *sum += at.unwrap_or_default();
                }
                _ => {}
            }
        }
        column.totalled()
    }

    /// Adds a counter: between which ends it is there. `None` if at none.
    fn add(&mut self, ends: &[i64], series: &Series) -> Option<(usize, usize)> {
        let mut first = None;
        let mut last: Option<(usize, f64)> = None;
        for &(time, value) in &series.samples {
            let Ok(end) = ends.binary_search(&time) else { continue };
            first.get_or_insert(end);
            if let Some((before, start)) = last {
                let is_next = before + 1 == end;
                match (self.sums.get_mut(before), self.known.get_mut(before)) {
                    (Some(sum), Some(known)) if is_next && value >= start => {
                        *sum += value - start;
                        *known += 1;
                    }
                    _ => self.refuse(before, end),
                }
            }
            last = Some((end, value));
        }
        Some((first?, last?.0))
    }

    /// The intervals between two ends are not used.
    fn refuse(&mut self, from: usize, to: usize) {
        if let (true, Some(start)) = (from < to, self.unusable.get_mut(from)) {
            *start += 1;
            if let Some(end) = self.unusable.get_mut(to) {
                *end -= 1;
            }
        }
    }

    /// From differences to what they add up to.
    fn totalled(mut self) -> Self {
        let mut total = 0;
        for count in &mut self.unusable {
            total += *count;
            *count = total;
        }
        self
    }

    fn sum(&self, interval: usize) -> Option<f64> {
        let is_known = self.known.get(interval).is_some_and(|known| *known > 0);
        let is_usable = self.unusable.get(interval) == Some(&0);
        self.sums.get(interval).copied().filter(|_| is_known && is_usable)
    }
}

fn value_at(series: &Series, time: i64) -> Option<f64> {
    let index = series.samples.binary_search_by_key(&time, |(time, _)| *time).ok()?;
    series.samples.get(index).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests;
