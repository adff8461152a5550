//! The nodes that Prometheus has samples of, with their time ranges.

use super::api::{Answer, Api, ApiError, Row, When};
use super::promql::{Matchers, duration};
use crate::energy::skipped;
use jiff::{SignedDuration, Timestamp};
use kepler_compliance::series::span;
use kepler_compliance::view::{Skipped, TimeRange};
use kepler_core::metric_names;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

const METRIC: &str = metric_names::NODE_CPU_JOULES_TOTAL;
/// A sample this many intervals from an end of the range still lets `increase()` reach that end
/// (Prometheus, `extrapolatedRate`).
const REACH: f64 = 1.1;
/// No scrape interval is shorter.
const FINEST: Duration = Duration::from_secs(1);
/// An exporter that was last seen longer ago is not expected to be there.
const RECENT: Duration = Duration::from_secs(3600);

#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// The nodes with two samples or more, and the time that `increase()` speaks for.
    pub(super) covered: BTreeMap<Arc<str>, TimeRange>,
    /// The node behind a scraped address.
    pub(super) instances: HashMap<String, Arc<str>>,
    /// Scrape interval: the longest of the nodes' mean intervals.
    pub(super) interval: Duration,
    /// Exporters that cannot be scraped, or are not counted.
    pub(super) skipped: Vec<Skipped>,
    /// Addresses and jobs of exporters of nodes that are counted by another one.
    repeated: [Vec<String>; 2],
    /// Of those, the ones without any figures.
    missing: usize,
    newest: Option<Timestamp>,
}

impl Nodes {
    pub(super) fn ask(api: &Api, matchers: &Matchers, range: TimeRange) -> Result<Self, ApiError> {
        let (at, series) = (When::At(range.end), matchers.of(METRIC));
        let (window, resolution) = (range.length(), resolution(range.length()));
        let time = format!("timestamp({series})");
        let by_node = |aggregate: &str, of: String| (format!("{aggregate} by (node_name, instance, job) ({of})"), at);
        let queries = [
            by_node("max", format!("count_over_time({series}[{}])", duration(window))),
            by_node("min", format!("min_over_time({time}[{}:{}])", duration(window), duration(resolution))),
            // The last sample lies between two points of a subquery, so it is asked for itself.
            by_node("max", format!("{time} or max_over_time({time}[{}:{}])", duration(window), duration(resolution))),
            (
                format!(
                    "{} == 0 and on (job) count by (job) (last_over_time({}[{}]))",
                    matchers.of("up"),
                    matchers.of(metric_names::BUILD_INFO),
                    duration(window.saturating_add(RECENT))
                ),
                at,
            ),
        ];
        let answers = api.all(&queries)?;
        let [count, first, last, down] = answers.as_slice() else { return Ok(Nodes::default()) };
        let (count, mut first, last) = (by_target(count), by_target(first), by_target(last));
        // Who came after the last point of the subquery, or so shortly before it that its first sample
        // looks like its last, is looked for more closely.
        let is_open = |first: &BTreeMap<_, f64>, (target, samples): (&_, &f64)| {
            let ends = first.get(target).zip(last.get(target));
            *samples >= 2.0 && ends.is_none_or(|(first, last)| first >= last)
        };
        let mut closer = resolution;
        while closer > FINEST && count.iter().any(|target| is_open(&first, target)) {
            let window = closer.saturating_mul(2);
            closer = self::resolution(window);
            let (query, at) =
                by_node("min", format!("min_over_time({time}[{}:{}])", duration(window), duration(closer)));
            for (target, time) in by_target(&api.query(&query, at)?) {
                first.entry(target).and_modify(|first| *first = first.min(time)).or_insert(time);
            }
        }

        let mut nodes = Nodes::default();
        let mut exporters = Vec::new();
        for (target, samples) in count {
            let (Some(&first), Some(&last)) = (first.get(&target), last.get(&target)) else { continue };
            let Some((covered, interval)) = covered(range, first, last, samples, resolution) else { continue };
            let (node, instance, job) = target;
            nodes.interval = nodes.interval.max(interval);
            nodes.newest = nodes.newest.max(self::time(last));
            exporters.push(Exporter { node: node.into(), instance, job, covered });
        }
        nodes.count_once(exporters, range);
        for row in &down.rows {
            let instance = row.label("instance").unwrap_or("an exporter");
            let reason = match nodes.instances.get(instance) {
                Some(node) => format!("Prometheus cannot scrape it (up == 0), so figures of node `{node}` end early"),
                None => {
                    nodes.missing += 1;
                    "Prometheus cannot scrape it (up == 0): see its page of targets".into()
                }
            };
            nodes.skipped.push(skipped(instance, reason));
        }
        Ok(nodes)
    }

    /// Of exporters of one node that were there at the same time (Go Kepler beside another one, one that two jobs scrape) one is
    /// counted: who was there for longest, of the job with the most nodes.
    fn count_once(&mut self, mut exporters: Vec<Exporter>, range: TimeRange) {
        let mut of_job: HashMap<String, usize> = HashMap::new();
        for exporter in &exporters {
            *of_job.entry(exporter.job.clone()).or_default() += 1;
        }
        let tenth = (range.length() / 10).max(FINEST);
        exporters.sort_by_key(|own| {
            let tenths = own.covered.length().as_secs() / tenth.as_secs().max(1);
            let of_job = of_job.get(&own.job).copied().unwrap_or_default();
            (std::cmp::Reverse((tenths, of_job)), own.job.clone(), own.instance.clone())
        });
        let mut counted: Vec<Exporter> = Vec::new();
        let mut repeated: Vec<(Exporter, String)> = Vec::new();
        for own in exporters {
            let beside = |other: &&Exporter| {
                let shared = span(own.covered.start.max(other.covered.start), own.covered.end.min(other.covered.end));
                other.node == own.node && shared > own.covered.length() / 2
            };
            match counted.iter().find(beside).map(|other| format!("{} of job {}", other.instance, other.job)) {
                Some(other) => repeated.push((own, other)),
                None => counted.push(own),
            }
        }
        for (own, other) in repeated {
            // Series are chosen by label: by the address, or by the job where both have one address.
            let by_address = counted.iter().all(|other| other.instance != own.instance);
            let what = format!("{} of job {}", own.instance, own.job);
            let also = if by_address || counted.iter().all(|other| other.job != own.job) {
                let [addresses, jobs] = &mut self.repeated;
                if by_address {
                    addresses.push(own.instance)
                } else {
                    jobs.push(own.job)
                }
                "it is not counted"
            } else {
                "both are counted"
            };
            let node = own.node;
            self.skipped.push(skipped(
                what,
                format!("it shows node `{node}`, as {other} does, and {also}: have Prometheus scrape each node once"),
            ));
        }
        for Exporter { node, instance, covered, .. } in counted {
            let whole = self.covered.entry(Arc::clone(&node)).or_insert(covered);
            *whole = TimeRange { start: whole.start.min(covered.start), end: whole.end.max(covered.end) };
            self.instances.insert(instance, node);
        }
    }

    /// The series that are counted.
    pub(super) fn counted(&self, matchers: &Matchers) -> Matchers {
        let [addresses, jobs] = &self.repeated;
        let matchers = matchers.clone().none_of("instance", addresses.iter().map(String::as_str));
        matchers.none_of("job", jobs.iter().map(String::as_str))
    }

    /// Share of `range` that the nodes of `wanted` stand for; exporters that cannot be scraped count as
    /// nodes without figures.
    pub(super) fn coverage(&self, range: TimeRange, wanted: impl Fn(&str) -> bool) -> f64 {
        let covered =
            self.covered.iter().filter(|(name, _)| wanted(name)).map(|(_, covered)| covered.length().as_secs_f64());
        let expected = self.covered.len() + self.missing;
        (covered.sum::<f64>() / (expected as f64 * range.length().as_secs_f64())).clamp(0.0, 1.0)
    }

    pub(super) fn moment(&self) -> String {
        self.newest.map_or_else(String::new, |newest| format!("samples to {newest}"))
    }
}

/// One exporter of a node, and the time that it speaks for.
struct Exporter {
    node: Arc<str>,
    instance: String,
    job: String,
    covered: TimeRange,
}

/// Values by node, scraped address and job.
fn by_target(answer: &Answer) -> BTreeMap<(String, String, String), f64> {
    let label = |row: &Row, name| row.label(name).unwrap_or_default().to_string();
    let target = |row: &Row| Some(((label(row, "node_name"), label(row, "instance"), label(row, "job")), row.value()?));
    answer.rows.iter().filter_map(target).collect()
}

/// Of a subquery over `window`: fine enough to see the first and the last sample, coarse enough to be cheap.
fn resolution(window: Duration) -> Duration {
    (window / 200).max(FINEST)
}

/// The part of `range` that `increase()` speaks for, and the mean time between samples: to an end of the
/// range if a sample is near it, else half an interval beyond the sample. The first sample is known to
/// `resolution`.
fn covered(
    range: TimeRange,
    first: f64,
    last: f64,
    samples: f64,
    resolution: Duration,
) -> Option<(TimeRange, Duration)> {
    let (first, last) = (time(first)?.max(range.start), time(last)?.min(range.end));
    // A single sample has no increase.
    if samples < 2.0 || first >= last {
        return None;
    }
    let interval = span(first, last).div_f64(samples - 1.0);
    let half = SignedDuration::try_from(interval / 2).ok()?;
    let near = |distance: Duration| distance <= interval.mul_f64(REACH).saturating_add(resolution);
    let start = if near(span(range.start, first)) { range.start } else { first.checked_sub(half).ok()? };
    let end = if near(span(last, range.end)) { range.end } else { last.checked_add(half).ok()? };
    Some((TimeRange { start, end }, interval))
}

fn time(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_millisecond((seconds * 1e3).round() as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(first: f64, last: f64, samples: f64) -> Option<(f64, f64)> {
        let range = TimeRange { start: time(1000.0).unwrap(), end: time(1300.0).unwrap() };
        let (covered, _) = covered(range, first, last, samples, FINEST)?;
        Some((covered.start.as_duration().as_secs_f64(), covered.end.as_duration().as_secs_f64()))
    }

    #[test]
    fn samples_near_the_ends_cover_all_and_others_half_an_interval_more() {
        assert_eq!(seen(1010.0, 1295.0, 20.0), Some((1000.0, 1300.0)));
        assert_eq!(seen(1150.0, 1300.0, 11.0), Some((1142.5, 1300.0)), "a node that came");
        assert_eq!(seen(1000.0, 1150.0, 11.0), Some((1000.0, 1157.5)), "a node that went");
        assert_eq!(seen(990.0, 1300.0, 21.0), Some((1000.0, 1300.0)), "a sample from before");
        assert_eq!(seen(1290.0, 1290.0, 1.0), None);
    }
}
