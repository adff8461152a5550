//! Converts the points of a provider's answer into a series.

use jiff::Timestamp;
use kepler_compliance::series::{Series, SeriesError, Step};
use kepler_compliance::units::CarbonIntensity;

/// A series of points that each hold for `step`, or, if that is not stated, for the shortest distance
/// between two, an hour at most. Points without a value, or with one no grid can have, are gaps. Of
/// several points for one time the last counts.
#[cfg(any(feature = "electricity-maps", feature = "watttime"))]
pub(super) fn series(
    points: impl IntoIterator<Item = (Timestamp, Option<CarbonIntensity>)>,
    step: Option<std::time::Duration>,
) -> Result<Series<CarbonIntensity>, SeriesError> {
    use kepler_compliance::series::span;
    /// Longer than any provider's step: a point alone is not stretched over more.
    const LONGEST: std::time::Duration = std::time::Duration::from_secs(3600);
    let mut points: Vec<_> = points.into_iter().collect();
    // Stable, so of equal times the last stays last.
    points.sort_by_key(|&(start, _)| start);
    points.reverse();
    points.dedup_by_key(|&mut (start, _)| start);
    points.reverse();
    let distances = points.iter().zip(points.iter().skip(1)).map(|(a, b)| span(a.0, b.0));
    let step = step.filter(|step| !step.is_zero()).or_else(|| distances.min()).unwrap_or(LONGEST).min(LONGEST);
    let ends = points.iter().skip(1).map(|&(start, _)| start).chain([Timestamp::MAX]);
    let steps = points.iter().zip(ends).filter_map(|(&(start, value), next)| {
        let value = value.filter(|value| possible(value.grams_per_kilowatt_hour()))?;
        let end = start.checked_add(step).unwrap_or(Timestamp::MAX).min(next);
        (start < end).then_some(Step { start, end, value })
    });
    from_steps(steps.collect())
}

/// A series of intervals with their own ends; overlaps are cut in favour of the later.
#[cfg(feature = "uk-carbon-intensity")]
pub(super) fn intervals(
    intervals: impl IntoIterator<Item = (Timestamp, Timestamp, Option<CarbonIntensity>)>,
) -> Result<Series<CarbonIntensity>, SeriesError> {
    let mut steps: Vec<Step<_>> = intervals
        .into_iter()
        .filter_map(|(start, end, value)| {
            let value = value.filter(|value| possible(value.grams_per_kilowatt_hour()))?;
            (start < end).then_some(Step { start, end, value })
        })
        .collect();
    steps.sort_by_key(|step| step.start);
    from_steps(steps)
}

/// Joins series of consecutive stretches of time.
pub(super) fn join<'a>(
    parts: impl IntoIterator<Item = &'a Series<CarbonIntensity>>,
) -> Result<Series<CarbonIntensity>, SeriesError> {
    let mut steps: Vec<_> = parts.into_iter().flat_map(|part| part.steps().iter().cloned()).collect();
    steps.sort_by_key(|step| step.start);
    from_steps(steps)
}

/// From steps in order of their start.
fn from_steps(steps: Vec<Step<CarbonIntensity>>) -> Result<Series<CarbonIntensity>, SeriesError> {
    let mut apart: Vec<Step<CarbonIntensity>> = Vec::with_capacity(steps.len());
    for step in steps {
        if let Some(last) = apart.last_mut() {
            last.end = last.end.min(step.start);
            if last.start >= last.end {
                apart.pop();
            }
        }
        apart.push(step);
    }
    Series::new(apart)
}

fn possible(grams: f64) -> bool {
    grams.is_finite() && grams >= 0.0
}

#[cfg(any(feature = "electricity-maps", feature = "watttime"))]
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn seen(points: &[(i64, Option<f64>)], step: Option<u64>) -> Vec<(i64, i64, f64)> {
        let point = |&(second, value): &(i64, Option<f64>)| {
            (at(second), value.map(CarbonIntensity::from_grams_per_kilowatt_hour))
        };
        let series = series(points.iter().map(point), step.map(Duration::from_secs)).unwrap();
        let step =
            |s: &Step<CarbonIntensity>| (s.start.as_second(), s.end.as_second(), s.value.grams_per_kilowatt_hour());
        series.steps().iter().map(step).collect()
    }

    #[test]
    fn a_missing_hour_a_null_and_a_negative_figure_are_gaps() {
        let points = [(0, Some(1.0)), (3600, None), (7200, Some(3.0)), (14_400, Some(5.0)), (18_000, Some(-1.0))];
        assert_eq!(seen(&points, None), [(0, 3600, 1.0), (7200, 10_800, 3.0), (14_400, 18_000, 5.0)]);
    }

    #[test]
    fn points_in_any_order_and_twice_make_one_series_in_which_the_last_counts() {
        let points = [(300, Some(2.0)), (0, Some(1.0)), (300, Some(9.0))];
        assert_eq!(seen(&points, Some(300)), [(0, 300, 1.0), (300, 600, 9.0)]);
    }

    #[test]
    fn a_point_alone_holds_for_an_hour_at_most() {
        assert_eq!(seen(&[(0, Some(1.0))], None), [(0, 3600, 1.0)]);
        assert_eq!(seen(&[(0, Some(1.0)), (86_400, Some(2.0))], None)[0].1, 3600);
    }

    proptest! {
        #[test]
        fn any_points_make_a_series(
            points in prop::collection::vec((-9_000_000_000i64..9_000_000_000, prop::option::of(any::<f64>())), 0..40),
            step in prop::option::of(0u64..100_000),
        ) {
            let steps = seen(&points, step);
            prop_assert!(steps.windows(2).all(|pair| pair[0].1 <= pair[1].0));
            prop_assert!(steps.iter().all(|&(start, end, value)| start < end && value >= 0.0));
        }
    }
}
