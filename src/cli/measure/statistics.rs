//! Means of repeated runs, how sure they are, and whether two differ.

use serde::Serialize;

/// Further from the median than this many scaled deviations, a run is an outlier: the modified z-score of Iglewicz and Hoaglin
/// (How to Detect and Handle Outliers, 1993).
const FAR: f64 = 3.5;

/// The half-width of 50 % of a normal distribution, which makes the median deviation a standard deviation.
const QUARTILE: f64 = 0.6745;

/// What is known of a figure from several runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Summary {
    /// In how many runs the figure is known.
    pub(super) runs: usize,
    pub(super) mean: f64,
    /// Standard deviation of a run; unknown from one.
    pub(super) standard_deviation: Option<f64>,
    /// Where the mean of all runs that could be made lies with 95 % probability; unknown from one.
    pub(super) interval_95: Option<[f64; 2]>,
    pub(super) minimum: f64,
    pub(super) median: f64,
    pub(super) maximum: f64,
    /// Runs far from the others.
    pub(super) outliers: usize,
}

impl Summary {
    /// `None` of nothing.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (minimum, maximum) = (*sorted.first()?, *sorted.last()?);
        let mean = mean(values);
        let standard_deviation = variance(values).map(f64::sqrt);
        let interval_95 = standard_deviation.map(|deviation| {
            let runs = values.len() as f64;
            let half = t_quantile_95(runs - 1.0) * deviation / runs.sqrt();
            [mean - half, mean + half]
        });
        let median = middle(&sorted);
        let mut apart: Vec<f64> = sorted.iter().map(|value| (value - median).abs()).collect();
        apart.sort_by(f64::total_cmp);
        let spread = middle(&apart);
        let is_far = |value: &&f64| spread > 0.0 && QUARTILE * (**value - median).abs() / spread > FAR;
        let outliers = sorted.iter().filter(is_far).count();
        Some(Summary { runs: values.len(), mean, standard_deviation, interval_95, minimum, median, maximum, outliers })
    }
}

/// By how much the mean of one command's runs differs from another's (Welch's t-test).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Difference {
    /// The second minus the first.
    pub(super) mean: f64,
    /// The same as a share of the first; unknown where that is zero.
    pub(super) ratio: Option<f64>,
    /// Where the difference lies with 95 % probability; unknown from one run, or from runs that are all alike.
    pub(super) interval_95: Option<[f64; 2]>,
    /// The statistic.
    pub(super) t: Option<f64>,
    /// Its degrees of freedom (Welch and Satterthwaite).
    pub(super) degrees_of_freedom: Option<f64>,
    /// How probable so large a difference were if there was none, on both sides.
    pub(super) p_value: Option<f64>,
}

impl Difference {
    /// `None` where one of them has no run.
    pub(super) fn between(first: &[f64], second: &[f64]) -> Option<Self> {
        if first.is_empty() || second.is_empty() {
            return None;
        }
        let (a, b) = (mean(first), mean(second));
        let difference = b - a;
        let test = variance(first).zip(variance(second)).and_then(|(v, w)| {
            let (n, m) = (first.len() as f64, second.len() as f64);
            let (v, w) = (v / n, w / m);
            let freedom = (v + w).powi(2) / (v * v / (n - 1.0) + w * w / (m - 1.0));
            (v + w > 0.0).then(|| ((v + w).sqrt(), freedom))
        });
        let half = test.map(|(error, freedom)| t_quantile_95(freedom) * error);
        let t = test.map(|(error, _)| difference / error);
        Some(Difference {
            mean: difference,
            ratio: (a != 0.0).then(|| difference / a),
            interval_95: half.map(|half| [difference - half, difference + half]),
            t,
            degrees_of_freedom: test.map(|(_, freedom)| freedom),
            p_value: t.zip(test).map(|(t, (_, freedom))| beyond(t, freedom)),
        })
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Of a sample; unknown from one value.
fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| squares / (values.len() - 1) as f64)
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    let upper = sorted.get(half).copied().unwrap_or_default();
    let lower = half.checked_sub(1).and_then(|below| sorted.get(below)).copied().unwrap_or(upper);
    if sorted.len().is_multiple_of(2) { f64::midpoint(lower, upper) } else { upper }
}

/// How probable a Student's t at least as far from zero is: `I_x(ν/2, 1/2)` at `x = ν / (ν + t²)`.
fn beyond(t: f64, freedom: f64) -> f64 {
    incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)
}

/// The t that is exceeded on either side with 5 % probability.
fn t_quantile_95(freedom: f64) -> f64 {
    // One degree of freedom has 12.7; fractions of one, as Welch's may be, more.
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..100 {
        let t = f64::midpoint(low, high);
        if beyond(t, freedom) > 0.05 { low = t } else { high = t }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function by its continued fraction (Abramowitz and Stegun, 26.5.8), which converges
/// quickly below `(a + 1) / (a + b + 2)`; above, by symmetry.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp() / a;
    front / fraction(x, a, b)
}

/// `1 + d1 / (1 + d2 / (1 + …))`, from the end.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let coefficient = |n: u32| {
        let m = f64::from(n / 2);
        match n % 2 {
            0 => m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            _ => -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        }
    };
    (1..=300).rev().fold(1.0, |rest, n| 1.0 + coefficient(n) / rest)
}

/// Stirling's series, for arguments raised above 10.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut raised) = (x, 0.0);
    while x < 10.0 {
        raised += x.ln();
        x += 1.0;
    }
    let square = x * x;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - raised
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() <= 1e-6 * expected.abs().max(1e-3), "{value} is not {expected}");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // scipy.stats.t.ppf(0.975, …), SciPy 1.17.
        for (freedom, t) in [
            (1.0, 12.706_204_736),
            (2.0, 4.302_652_730),
            (9.0, 2.262_157_163),
            (19.0, 2.093_024_054),
            (120.0, 1.979_930_405),
        ] {
            near(t_quantile_95(freedom), t);
        }
    }

    #[test]
    fn a_summary_is_that_of_numpy_and_scipy() {
        let summary = Summary::of(&[10.1, 9.8, 10.4, 10.0, 9.9]).unwrap();
        near(summary.mean, 10.04);
        near(summary.standard_deviation.unwrap(), 0.230_217_289);
        let [low, high] = summary.interval_95.unwrap();
        near(low, 9.754_147_48);
        near(high, 10.325_852_52);
        assert_eq!((summary.minimum, summary.median, summary.maximum, summary.outliers), (9.8, 10.0, 10.4, 0));
    }

    #[test]
    fn one_run_has_no_deviation() {
        let summary = Summary::of(&[3.0]).unwrap();
        assert_eq!((summary.standard_deviation, summary.interval_95, summary.median), (None, None, 3.0));
        assert_eq!(Summary::of(&[]), None);
        let difference = Difference::between(&[3.0], &[2.0]).unwrap();
        assert_eq!((difference.mean, difference.p_value, difference.interval_95), (-1.0, None, None));
    }

    #[test]
    fn a_run_far_from_the_others_is_an_outlier() {
        assert_eq!(Summary::of(&[10.0, 10.1, 9.9, 10.05, 9.95, 14.0]).unwrap().outliers, 1);
        assert_eq!(Summary::of(&[10.0, 10.0, 10.0, 10.0, 11.0]).unwrap().outliers, 0, "nothing to compare with");
    }

    #[test]
    fn a_difference_is_that_of_scipys_welch_test() {
        let first = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4];
        let second = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 24.4];
        let difference = Difference::between(&first, &second).unwrap();
        near(difference.t.unwrap(), 2.852_954_870);
        near(difference.degrees_of_freedom.unwrap(), 27.887_303_988);
        near(difference.p_value.unwrap(), 0.008_071_938_17);
        let [low, high] = difference.interval_95.unwrap();
        near(low, 0.798_643_925);
        near(high, 4.868_022_742);
        let same = Difference::between(&first, &first).unwrap();
        near(same.p_value.unwrap(), 1.0);
    }
}
