//! A line through the steps, and the steps that are far from the others.
//!
//! What lies below the [`Points::floor`] is no change: meters are off by per cents, and a source that is read now and
//! then does not know to the second when its counters rose.

use super::{Anomaly, Slope};
use crate::series::{Step, span};
use crate::view::{EnergySeries, StepUsage};

/// Beyond this many robust deviations a step is an anomaly (Iglewicz and Hoaglin, 1993).
const ANOMALY: f64 = 3.5;

/// Less than this share of the level is no change. A choice: power of a constant load differs by as much with
/// temperature, clock frequency and neighbours.
const RELATIVE_FLOOR: f64 = 0.05;

/// The unit of most energy counters, joules: 2^-14 (Intel SDM, MSR_RAPL_POWER_UNIT).
const COUNTER_UNIT: f64 = 1.0 / 16_384.0;

/// The steps that statistics look at, with their power, watts.
pub(super) struct Points<'a> {
    steps: Vec<(&'a Step<StepUsage>, f64)>,
    sorted: Vec<f64>,
    /// How far an edge of a step may be off, seconds.
    resolution: f64,
}

impl<'a> Points<'a> {
    /// Whole steps: of one that is cut at an edge of the range or at a gap, power says little.
    pub(super) fn of(series: &'a EnergySeries) -> Self {
        let steps = series.steps.steps();
        let longest = steps.iter().map(Step::length).max().unwrap_or_default();
        let point = |step: &'a Step<StepUsage>| Some((step, step.value.energy.total()?.over(step.length()).watts()));
        let steps: Vec<_> = steps.iter().filter(|step| step.length() * 2 >= longest).filter_map(point).collect();
        let mut sorted: Vec<f64> = steps.iter().map(|(_, watts)| *watts).collect();
        sorted.sort_by(f64::total_cmp);
        Points { steps, sorted, resolution: series.resolution.as_secs_f64() }
    }

    /// The level that power rarely falls below: the tenth percentile, watts.
    pub(super) fn baseline(&self) -> Option<f64> {
        self.sorted.get(self.sorted.len() / 10).copied()
    }

    /// The highest step.
    pub(super) fn peak(&self) -> Option<(&'a Step<StepUsage>, f64)> {
        self.steps.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The least detectable change, watts: by the level, by how well the source knows when its
    /// counters rose, and by the counters' unit.
    fn floor(&self) -> f64 {
        let mean = self.sorted.iter().sum::<f64>() / self.sorted.len().max(1) as f64;
        let level = middle(&self.sorted).map_or(mean, |median| median.abs().max(mean));
        let shortest = self.steps.iter().map(|(step, _)| step.length().as_secs_f64()).fold(f64::INFINITY, f64::min);
        let timing = (self.resolution / shortest).min(1.0);
        (level * RELATIVE_FLOOR.max(timing)).max(COUNTER_UNIT / shortest)
    }
}

/// Least squares through the middles of the steps.
pub(super) fn slope(points: &Points<'_>) -> Option<Slope> {
    let first = points.steps.first()?.0.start;
    let hours = |step: &Step<StepUsage>| (span(first, step.start) + step.length() / 2).as_secs_f64() / 3600.0;
    let xy: Vec<(f64, f64)> = points.steps.iter().map(|(step, watts)| (hours(step), *watts)).collect();
    let n = xy.len() as f64;
    if xy.len() < 3 {
        return None;
    }
    let (x_mean, y_mean) = (xy.iter().map(|p| p.0).sum::<f64>() / n, xy.iter().map(|p| p.1).sum::<f64>() / n);
    let sxx: f64 = xy.iter().map(|p| (p.0 - x_mean).powi(2)).sum();
    let sxy: f64 = xy.iter().map(|p| (p.0 - x_mean) * (p.1 - y_mean)).sum();
    let syy: f64 = xy.iter().map(|p| (p.1 - y_mean).powi(2)).sum();
    if sxx <= 0.0 {
        return None;
    }
    let slope = sxy / sxx;
    let rest = (syy - slope * sxy).max(0.0);
    let error = (rest / (n - 2.0) / sxx).sqrt();
    let half = student_95(xy.len() - 2) * error;
    let last = points.steps.last().map_or(first, |(step, _)| step.end);
    let change = slope.abs() * span(first, last).as_secs_f64() / 3600.0;
    Some(Slope {
        watts_per_hour: slope,
        confidence_95: [slope - half, slope + half],
        significant: slope.abs() > half && change >= points.floor(),
        r_squared: if syy > 0.0 { (1.0 - rest / syy).clamp(0.0, 1.0) } else { 0.0 },
    })
}

/// Two-sided 95 % quantile of Student's t: exact to three digits for few degrees of freedom, by the
/// Cornish–Fisher expansion (Abramowitz and Stegun 26.7.5) from ten on.
fn student_95(freedom: usize) -> f64 {
    const FEW: [f64; 9] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];
    const Z: f64 = 1.959_964;
    let exact = freedom.checked_sub(1).and_then(|index| FEW.get(index)).copied();
    exact.unwrap_or_else(|| {
        let n = freedom as f64;
        let first = (Z.powi(3) + Z) / 4.0;
        let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
        let third = (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0;
        Z + first / n + second / n.powi(2) + third / n.powi(3)
    })
}

/// Steps far from the median, by the median absolute deviation, which a few of them do not move.
pub(super) fn anomalies(points: &Points<'_>) -> Vec<Anomaly> {
    let Some(median) = middle(&points.sorted) else { return Vec::new() };
    let mut distances: Vec<f64> = points.sorted.iter().map(|watts| (watts - median).abs()).collect();
    distances.sort_by(f64::total_cmp);
    // At its threshold an anomaly differs by the floor at least.
    let scatter = middle(&distances).unwrap_or(0.0) * 1.4826;
    let deviation = scatter.max(points.floor() / ANOMALY);
    if deviation <= 0.0 {
        return Vec::new();
    }
    let of = |(step, watts): &(&Step<StepUsage>, f64)| {
        let deviations = (watts - median) / deviation;
        (deviations.abs() > ANOMALY).then_some(Anomaly { at: step.start, power_watts: *watts, deviations })
    };
    points.steps.iter().filter_map(of).collect()
}

fn middle(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some((sorted.get(half.checked_sub(1)?)? + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Series;
    use crate::units::{Energy, ZoneKind};
    use kepler_core::meter::Method;
    use proptest::prelude::*;
    use std::time::Duration;

    /// Steps of these watts and seconds, one after the other.
    fn series(steps: &[(f64, f64)], resolution: f64) -> EnergySeries {
        let mut at = jiff::Timestamp::UNIX_EPOCH;
        let step = |&(watts, seconds): &(f64, f64)| {
            let start = at;
            at += Duration::from_secs_f64(seconds);
            let mut value = StepUsage::default();
            value.energy.zones[ZoneKind::Package] = Some(Energy::from_joules(watts * seconds));
            Step { start, end: at, value }
        };
        EnergySeries {
            steps: Series::new(steps.iter().map(step).collect()).unwrap(),
            method: Method::Measured,
            coverage: 1.0,
            resolution: Duration::from_secs_f64(resolution),
            moment: String::new(),
        }
    }

    #[test]
    fn a_constant_load_has_no_anomaly_however_short_its_first_step_is() {
        // As polled: 87.88 W, counters known to the microjoule, the first step cut and off.
        let mut steps = vec![(0.0, 0.02), (87.880_001, 36.0)];
        steps.extend((0..98).map(|index| (87.88 + f64::from(index % 3) * 1e-6, 36.0)));
        let series = series(&steps, 0.0);
        let points = Points::of(&series);
        assert_eq!(anomalies(&points), Vec::new());
        assert!(!slope(&points).unwrap().significant);
        assert!((points.baseline().unwrap() - 87.88).abs() < 1e-3);
    }

    #[test]
    fn a_source_that_is_late_by_a_fifth_of_a_step_has_anomalies_beyond_that_only() {
        let jitter: Vec<(f64, f64)> = (0..60).map(|index| (if index == 30 { 118.0 } else { 100.0 }, 10.0)).collect();
        assert_eq!(anomalies(&Points::of(&series(&jitter, 2.0))).len(), 0);
        assert_eq!(anomalies(&Points::of(&series(&jitter, 0.0))).len(), 1, "a spike of 18 % on a constant load");
    }

    #[test]
    fn a_drift_below_the_floor_is_no_trend_though_it_is_steady() {
        let rising = |percent: f64| -> Vec<(f64, f64)> {
            (0..60).map(|index| (100.0 + percent * f64::from(index) / 59.0, 60.0)).collect()
        };
        assert!(!slope(&Points::of(&series(&rising(2.0), 0.0))).unwrap().significant);
        assert!(slope(&Points::of(&series(&rising(10.0), 0.0))).unwrap().significant);
    }

    proptest! {
        #[test]
        fn noise_within_the_floor_is_neither_trend_nor_anomaly(
            level in 1e-3f64..1e5, noise in prop::collection::vec(-0.015f64..0.015, 3..100)
        ) {
            let steps: Vec<(f64, f64)> = noise.iter().map(|noise| (level * (1.0 + noise), 60.0)).collect();
            let series = series(&steps, 0.0);
            let points = Points::of(&series);
            prop_assert_eq!(anomalies(&points), Vec::new());
            prop_assert!(!slope(&points).is_some_and(|slope| slope.significant));
        }
    }

    #[test]
    fn students_quantiles_are_those_of_the_tables() {
        for (freedom, table) in [(1, 12.706), (9, 2.262), (10, 2.228), (30, 2.042), (120, 1.980)] {
            assert!((student_95(freedom) - table).abs() < 2e-3, "{freedom}: {}", student_95(freedom));
        }
    }
}
