//! What a machine draws at its input, by what its parts draw: [`WallModel`].
//!
//! A meter of the [whole machine](crate::platform) is slow: a service processor shows something once in seconds or a minute, half a
//! minute late, and a mean of some time. Its parts are measured every second. So what was seen of both for some minutes, under
//! changing load, says what the whole draws by the second: `constant + package·P + dram·D + gpus·G`. How late the meter is
//! and over what time its figures are means is found with it: the pair that explains them best.
//!
//! ```
//! use kepler_core::calibration::wall::{PartsSample, WallModel, WallReading};
//!
//! // Package 20 W and 80 W in turn, a minute each, and a meter that shows 40 W and 1.2 times of it.
//! let watts = |second: u32| if second / 60 % 2 == 0 { 20.0 } else { 80.0 };
//! let parts: Vec<_> = (0..900).map(|second| PartsSample::new(f64::from(second + 1), 1.0, watts(second), None, None)).collect();
//! let readings: Vec<_> = (10..900)
//!     .step_by(10)
//!     .map(|second| WallReading::new(f64::from(second), 40.0 + 1.2 * watts(second - 1)))
//!     .collect();
//! let model = WallModel::fit(&readings, &parts)?;
//! assert!((model.watts(50.0, None, None).unwrap() - 100.0).abs() < 1.0);
//! # Ok::<(), kepler_core::calibration::wall::WallError>(())
//! ```

/// Delays of a meter that are tried, and times that its figures may be means of, seconds.
const DELAYS: [f64; 13] = [0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 16.0, 20.0, 25.0, 30.0, 40.0, 55.0];
const MEANS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0];
/// Readings that a model rests on at least.
const LEAST_READINGS: usize = 12;
/// The parts' power must have changed by this share of its greatest, and by so many watts. Where other work keeps a machine busy, it
/// changes by no more.
const LEAST_SPREAD: (f64, f64) = (0.06, 2.0);
/// So well must be known by how much the whole rises with its parts: the standard error of that, relative to it.
const SURE_OF_SLOPE: f64 = 0.05;
/// A model with more terms must be better by this share of the error.
const WORTH_A_TERM: f64 = 0.9;
/// Of equal readings in a row those count whose parts drew what they did at the first, within this share of the spread.
const STEADY: f64 = 0.05;
/// Where the parts drew the same in this share of the readings that show a figure again, it is the load that was held, and not the meter
/// that is renewed rarely.
const HELD: f64 = 0.8;
/// A meter that shows each figure so many times on average is renewed more rarely than it is asked.
const RARELY: usize = 3;
/// Time is cut into so many pieces, each predicted by a model of the others.
const FOLDS: usize = 5;
/// Errors beyond so many of the median are of readings that are none.
const OUTLIER: f64 = 6.0;

/// A reading of the whole machine.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct WallReading {
    /// When it was taken, as far as the meter says; seconds from any moment.
    pub at: f64,
    /// W.
    pub watts: f64,
}

impl WallReading {
    /// A reading at a moment.
    #[must_use]
    pub const fn new(at: f64, watts: f64) -> Self {
        WallReading { at, watts }
    }
}

/// What the parts drew for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PartsSample {
    /// When that time ended; seconds from the same moment.
    pub at: f64,
    /// How long it was, s.
    pub seconds: f64,
    /// Mean power of all packages, W.
    pub package: f64,
    /// Of memory, where it is measured.
    pub dram: Option<f64>,
    /// Of accelerators, where there are any.
    pub gpus: Option<f64>,
}

impl PartsSample {
    /// Mean powers in watts over some seconds that ended at a moment.
    #[must_use]
    pub const fn new(at: f64, seconds: f64, package: f64, dram: Option<f64>, gpus: Option<f64>) -> Self {
        PartsSample { at, seconds, package, dram, gpus }
    }
}

/// What a machine draws at its input by what its parts draw.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct WallModel {
    /// The meter it was learned from, for people.
    pub source: String,
    /// What is drawn whatever the parts draw, W.
    pub constant: f64,
    /// Watts at the input for each of the packages'.
    pub package: f64,
    /// The same of memory; none where it was not measured.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub dram: Option<f64>,
    /// The same of accelerators; none where there were none, or the meter does not contain them.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub gpus: Option<f64>,
    /// Expected error, 1 sigma, W: that of stretches of time which the model had not seen.
    pub error_watts: f64,
    /// The least and the most that the parts together drew meanwhile, W.
    pub seen: (f64, f64),
    /// How late the meter was found to be beyond what it says, s.
    pub delay: f64,
    /// The time that the meter's figures are means of, s.
    pub mean_of: f64,
    /// How many readings it rests on.
    pub readings: u32,
}

/// Why nothing is learned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WallError {
    /// Too few readings that say something.
    #[error(
        "the meter showed {found} readings that say something new, and {LEAST_READINGS} are needed; measure for longer"
    )]
    TooFew {
        /// How many there were.
        found: usize,
    },
    /// The load was too even.
    #[error("the parts drew {least:.1} W to {most:.1} W, which is too even to learn from; change the load meanwhile")]
    TooEven {
        /// The least that the parts drew.
        least: f64,
        /// The most.
        most: f64,
    },
    /// The meter does not follow the load.
    #[error(
        "the meter does not follow the load: it shows {constant:.1} W and {slope:.2} W for each of the parts'; look whether it \
         measures this machine"
    )]
    Unrelated {
        /// What it shows whatever the parts draw.
        constant: f64,
        /// Watts for each of the parts'.
        slope: f64,
    },
}

/// A part's place in a row.
const PACKAGE: usize = 0;
const PARTS: usize = 3;

/// One row of what a model is learned from: the parts' means in the time that a reading is of, and the reading.
#[derive(Clone, Copy, Debug)]
struct Row {
    parts: [f64; PARTS],
    watts: f64,
}

/// Which terms a model has: each column is a sum of parts.
type Terms = Vec<[bool; PARTS]>;

impl WallModel {
    /// Learns from readings and from what the parts drew meanwhile, both in the order of time.
    ///
    /// # Errors
    /// When what was seen is too little or too even, or the meter shows something else.
    pub fn fit(readings: &[WallReading], parts: &[PartsSample]) -> Result<Self, WallError> {
        let sums = Sums::of(parts);
        let (begin, end) = sums.span();
        // A longer delay than this leaves too little to learn from.
        let longest = (end - begin) / 4.0;
        let has = [true, parts.iter().any(|part| part.dram.is_some()), parts.iter().any(|part| part.gpus.is_some())];
        let mut best: Option<(Fitted, f64, f64)> = None;
        let (mut most_rows, mut spread) = (0, (0.0, 0.0));
        for delay in DELAYS {
            for mean_of in MEANS.into_iter().filter(|mean_of| delay + mean_of <= longest.max(1.0)) {
                let rows = rows(readings, &sums, begin + longest, delay, mean_of);
                most_rows = most_rows.max(rows.len());
                let (least, most) = range(&rows);
                if rows.len() < LEAST_READINGS {
                    continue;
                }
                if most - least > spread.1 - spread.0 {
                    spread = (least, most);
                }
                if most - least < (LEAST_SPREAD.0 * most).max(LEAST_SPREAD.1) {
                    continue;
                }
                let Some(fitted) = Fitted::best(&rows, has) else { continue };
                // Means that overlap say the same several times.
                let independent = (rows.len() as f64).min((end - begin - longest) / mean_of);
                if !fitted.is_sure(&rows, independent) {
                    continue;
                }
                // Of equal ones the earlier: the shorter delay.
                if best.as_ref().is_none_or(|(known, ..)| fitted.error < known.error * 0.995) {
                    best = Some((fitted, delay, mean_of));
                }
            }
        }
        let Some((fitted, delay, mean_of)) = best else {
            return Err(match most_rows < LEAST_READINGS {
                true => WallError::TooFew { found: most_rows },
                false => WallError::TooEven { least: spread.0, most: spread.1 },
            });
        };
        let Some([package, dram, gpus]) = fitted.by_part() else {
            let slope = fitted.weights.get(1).copied().unwrap_or(0.0);
            return Err(WallError::Unrelated { constant: fitted.weights.first().copied().unwrap_or(0.0), slope });
        };
        Ok(WallModel {
            source: String::new(),
            constant: fitted.weights.first().copied().unwrap_or(0.0),
            package,
            dram: has[1].then_some(dram),
            gpus: has[2].then_some(gpus),
            error_watts: fitted.error,
            seen: fitted.seen,
            delay,
            mean_of,
            readings: u32::try_from(fitted.rows).unwrap_or(u32::MAX),
        })
    }

    /// What the machine draws while its parts draw this, W; `None` where a part that the model needs is not known.
    #[must_use]
    pub fn watts(&self, package: f64, dram: Option<f64>, gpus: Option<f64>) -> Option<f64> {
        let part = |weight: Option<f64>, watts: Option<f64>| weight.map_or(Some(0.0), |weight| Some(weight * watts?));
        Some(self.constant + self.package * package + part(self.dram, dram)? + part(self.gpus, gpus)?)
    }

    /// Expected relative error of such an estimate, 1 sigma, while the parts together draw `parts`: larger beyond what was seen.
    #[must_use]
    pub fn error_ratio(&self, watts: f64, parts: f64) -> f64 {
        let (least, most) = self.seen;
        let beyond = (parts - most).max(least - parts).max(0.0);
        // Losses and fans rise faster than the load.
        ((self.error_watts + 0.2 * beyond) / watts.max(1.0)).clamp(0.0, 1.0)
    }

    /// Whether all figures are such as a machine can have.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let weights = [Some(self.package), self.dram, self.gpus];
        let is_weight = |weight: f64| (0.0..=10.0).contains(&weight);
        weights.into_iter().flatten().all(is_weight)
            && (-1000.0..=100_000.0).contains(&self.constant)
            && (0.0..=100_000.0).contains(&self.error_watts)
            && self.seen.0.is_finite()
            && self.seen.1.is_finite()
            && self.seen.0 <= self.seen.1
    }
}

/// Energy of the parts since the first moment, to read means off.
struct Sums(Vec<(f64, [f64; PARTS])>);

impl Sums {
    fn of(parts: &[PartsSample]) -> Self {
        let mut sums: Vec<(f64, [f64; PARTS])> = Vec::with_capacity(parts.len() + 1);
        let mut sum = [0.0; PARTS];
        if let Some(first) = parts.first() {
            sums.push((first.at - first.seconds, sum));
        }
        for part in parts {
            let watts = [part.package, part.dram.unwrap_or(0.0), part.gpus.unwrap_or(0.0)];
            // A tick that was missed is as the one after it.
            let seconds = sums.last().map_or(part.seconds, |(before, _)| part.at - before).max(0.0);
            sum.iter_mut().zip(watts).for_each(|(sum, watts)| *sum += watts * seconds);
            sums.push((part.at, sum));
        }
        Sums(sums)
    }

    fn span(&self) -> (f64, f64) {
        let at = |entry: Option<&(f64, [f64; PARTS])>| entry.map_or(0.0, |(at, _)| *at);
        (at(self.0.first()), at(self.0.last()))
    }

    fn at(&self, moment: f64) -> Option<[f64; PARTS]> {
        let after = self.0.partition_point(|(at, _)| *at < moment);
        let &(later, of_later) = self.0.get(after)?;
        if later == moment {
            return Some(of_later);
        }
        let &(earlier, of_earlier) = self.0.get(after.checked_sub(1)?)?;
        let share = (moment - earlier) / (later - earlier);
        let mut sum = of_earlier;
        sum.iter_mut().zip(of_later).for_each(|(sum, later)| *sum += (later - *sum) * share);
        Some(sum)
    }

    fn mean(&self, from: f64, to: f64) -> Option<[f64; PARTS]> {
        let (before, mut mean) = (self.at(from)?, self.at(to)?);
        mean.iter_mut().zip(before).for_each(|(mean, before)| *mean = (*mean - before) / (to - from));
        Some(mean)
    }
}

/// The readings that say something, each with what the parts drew in the time that it would be of. Of the same figure shown again
/// and again those count in which the parts drew the same as well: else it is an old one, or the meter stands still. Of a meter that
/// is renewed rarely only the first of each figure is new.
fn rows(readings: &[WallReading], sums: &Sums, from: f64, delay: f64, mean_of: f64) -> Vec<Row> {
    let row = |reading: &WallReading| {
        let to = reading.at - delay;
        Some(Row { parts: sums.mean(to - mean_of, to)?, watts: reading.watts })
    };
    let all: Vec<Row> = readings.iter().filter(|reading| reading.at >= from).filter_map(row).collect();
    let (least, most) = range(&all);
    let changes = all.windows(2).filter(|pair| matches!(pair, [before, now] if before.watts != now.watts)).count();
    let is_renewed_rarely = changes * RARELY < all.len();
    let steady = (most - least) * STEADY;
    let again = shown_again(&all);
    let (times, alike) = again.iter().flatten().fold((0.0, 0.0), |(times, alike), difference| {
        (times + 1.0, alike + f64::from(u8::from(*difference <= steady)))
    });
    // The first of each figure falls where a held load changed, so that those alone would say little.
    let is_old = is_renewed_rarely && alike < HELD * times;
    let is_new = |difference: &Option<f64>| difference.is_none_or(|difference| !is_old && difference <= steady);
    all.into_iter().zip(&again).filter(|(_, again)| is_new(again)).map(|(row, _)| row).collect()
}

/// For each row that shows the figure of the one before again, how far the parts are from what they drew at its second showing: at the
/// first the load may have been about to change.
fn shown_again(rows: &[Row]) -> Vec<Option<f64>> {
    let mut known: Option<(Row, u32)> = None;
    let again = |row: &Row| match known.filter(|(known, _)| known.watts == row.watts) {
        Some((before, times)) => {
            let from = if times > 1 { before } else { *row };
            known = Some((from, times + 1));
            Some((row.sum() - from.sum()).abs())
        }
        None => {
            known = Some((*row, 1));
            None
        }
    };
    rows.iter().map(again).collect()
}

impl Row {
    fn sum(&self) -> f64 {
        self.parts.iter().sum()
    }

    /// The values of a model's columns.
    fn columns<'a>(&'a self, terms: &'a Terms) -> impl Iterator<Item = f64> + 'a {
        let of = |term: &[bool; PARTS]| {
            self.parts.iter().zip(term).filter(|(_, is_in)| **is_in).map(|(watts, _)| watts).sum()
        };
        std::iter::once(1.0).chain(terms.iter().map(of))
    }
}

fn range(rows: &[Row]) -> (f64, f64) {
    rows.iter().fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), row| (least.min(row.sum()), most.max(row.sum())))
}

/// A model with these terms, and how wrong it was.
struct Fitted {
    terms: Terms,
    weights: Vec<f64>,
    error: f64,
    seen: (f64, f64),
    rows: usize,
}

impl Fitted {
    /// The simplest of the models that explain the rows: all parts alike, or each by itself.
    fn best(rows: &[Row], has: [bool; PARTS]) -> Option<Self> {
        let alike = vec![has];
        let mut best = Fitted::of(rows, alike)?;
        if has.iter().filter(|has| **has).count() > 1 {
            let single = |place: usize| std::array::from_fn(|other| other == place);
            let each: Terms = (0..PARTS).filter(|place| has.get(*place) == Some(&true)).map(single).collect();
            if let Some(each) = Fitted::of(rows, each).filter(|each| each.error < best.error * WORTH_A_TERM) {
                best = each;
            }
        }
        Some(best)
    }

    fn of(rows: &[Row], terms: Terms) -> Option<Self> {
        let all = solve(rows.iter(), &terms)?;
        let mut errors: Vec<f64> = rows.iter().map(|row| (row.watts - predict(row, &terms, &all)).abs()).collect();
        errors.sort_by(f64::total_cmp);
        // A figure is rounded to whole watts, so that an error of a watt is none.
        let most = (OUTLIER * errors.get(errors.len() / 2)?).max(1.0);
        let is_kept = |row: &&Row| (row.watts - predict(row, &terms, &all)).abs() <= most;
        let kept: Vec<Row> = rows.iter().filter(is_kept).copied().collect();
        let weights = solve(kept.iter(), &terms)?;
        let (mut squares, mut count) = (0.0, 0usize);
        for fold in 0..FOLDS {
            let bounds = (kept.len() * fold / FOLDS)..(kept.len() * (fold + 1) / FOLDS);
            let others = kept.iter().enumerate().filter(|(index, _)| !bounds.contains(index)).map(|(_, row)| row);
            let of_others = solve(others, &terms)?;
            for row in kept.get(bounds.clone())? {
                squares += (row.watts - predict(row, &terms, &of_others)).powi(2);
                count += 1;
            }
        }
        let error = (squares / count.max(1) as f64).sqrt();
        let is_sound = error.is_finite() && weights.iter().all(|weight| weight.is_finite());
        let (seen, rows) = (range(&kept), kept.len());
        is_sound.then_some(Fitted { terms, weights, error, seen, rows })
    }

    /// Whether so many readings that have nothing to do with each other tell by how much the whole rises with its parts. One that does
    /// not follow them at all is known not to.
    fn is_sure(&self, rows: &[Row], independent: f64) -> bool {
        let mean = rows.iter().map(Row::sum).sum::<f64>() / rows.len() as f64;
        let squares: f64 = rows.iter().map(|row| (row.sum() - mean).powi(2)).sum();
        let deviation = (squares / rows.len() as f64).sqrt();
        let standard_error = self.error / (deviation * independent.max(1.0).sqrt());
        let slope = self.weights.get(1).copied().unwrap_or(0.0);
        standard_error <= SURE_OF_SLOPE * slope.abs().max(1.0)
    }

    /// The weight of each part; `None` where one falls with the load, or the whole changes far less than its parts.
    fn by_part(&self) -> Option<[f64; PARTS]> {
        let mut parts = [0.0; PARTS];
        for (term, weight) in self.terms.iter().zip(self.weights.iter().skip(1)) {
            parts.iter_mut().zip(term).filter(|(_, is_in)| **is_in).for_each(|(part, _)| *part += weight);
        }
        let is_sound =
            parts.iter().all(|weight| *weight >= 0.0) && parts.get(PACKAGE).is_some_and(|weight| *weight >= 0.5);
        is_sound.then_some(parts)
    }
}

fn predict(row: &Row, terms: &Terms, weights: &[f64]) -> f64 {
    row.columns(terms).zip(weights).map(|(value, weight)| value * weight).sum()
}

/// Least squares, by elimination of the normal equations; `None` where a column says nothing beside the others.
fn solve<'a>(rows: impl Iterator<Item = &'a Row>, terms: &Terms) -> Option<Vec<f64>> {
    let width = terms.len() + 1;
    let mut matrix = vec![vec![0.0; width + 1]; width];
    for row in rows {
        let columns: Vec<f64> = row.columns(terms).chain([row.watts]).collect();
        for (line, left) in matrix.iter_mut().zip(&columns) {
            line.iter_mut().zip(&columns).for_each(|(cell, right)| *cell += left * right);
        }
    }
    let scale: Vec<f64> = matrix.iter().enumerate().filter_map(|(place, line)| line.get(place).copied()).collect();
    for place in 0..width {
        let own = matrix.get(place)?.clone();
        let pivot = *own.get(place)?;
        if pivot <= 1e-9 * scale.get(place)? {
            return None;
        }
        for (_, line) in matrix.iter_mut().enumerate().filter(|(other, _)| *other != place) {
            let factor = line.get(place)? / pivot;
            line.iter_mut().zip(&own).for_each(|(cell, own)| *cell -= factor * own);
        }
    }
    matrix.iter().enumerate().map(|(place, line)| Some(line.get(width)? / line.get(place)?)).collect()
}

#[cfg(test)]
mod tests;
