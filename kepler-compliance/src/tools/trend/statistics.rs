//! A line through the steps, and the steps that are far from the others.

use super::{Anomaly, Slope};
use crate::series::{Step, span};
use crate::view::Usage;

/// Beyond this many robust deviations a step is an anomaly (Iglewicz and Hoaglin, 1993).
const ANOMALY: f64 = 3.5;

/// Least squares through the middles of the steps.
pub(super) fn slope(points: &[(&Step<Usage>, f64)]) -> Option<Slope> {
    let first = points.first()?.0.start;
    let hours = |step: &Step<Usage>| (span(first, step.start) + step.length() / 2).as_secs_f64() / 3600.0;
    let xy: Vec<(f64, f64)> = points.iter().map(|(step, watts)| (hours(step), *watts)).collect();
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
    Some(Slope {
        watts_per_hour: slope,
        confidence_95: [slope - half, slope + half],
        significant: slope.abs() > half,
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
pub(super) fn anomalies(points: &[(&Step<Usage>, f64)], sorted: &[f64]) -> Vec<Anomaly> {
    let Some(median) = middle(sorted) else { return Vec::new() };
    let mut distances: Vec<f64> = sorted.iter().map(|watts| (watts - median).abs()).collect();
    distances.sort_by(f64::total_cmp);
    let Some(deviation) = middle(&distances).map(|distance| distance * 1.4826).filter(|own| *own > 0.0) else {
        return Vec::new();
    };
    let of = |(step, watts): &(&Step<Usage>, f64)| {
        let deviations = (watts - median) / deviation;
        (deviations.abs() > ANOMALY).then_some(Anomaly { at: step.start, power_watts: *watts, deviations })
    };
    points.iter().filter_map(of).collect()
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

    #[test]
    fn students_quantiles_are_those_of_the_tables() {
        for (freedom, table) in [(1, 12.706), (9, 2.262), (10, 2.228), (30, 2.042), (120, 1.980)] {
            assert!((student_95(freedom) - table).abs() < 2e-3, "{freedom}: {}", student_95(freedom));
        }
    }
}
