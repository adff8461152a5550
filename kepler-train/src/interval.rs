//! Conformal prediction intervals, wider the farther a row is from those trained with.
//!
//! Rows are held out twice. In blocks of the recording: their errors, each divided by how far the row was from the rest, are
//! sorted by what was predicted, and in each of up to `BINS` classes of it the quantiles are taken that cover the
//! confidence asked for, half of the misses on either side. And in whole groups, kinds of work that the model has not seen then:
//! what is added to the margins far from the rows, and where that is not enough to them everywhere, is what it takes to cover
//! the groups, each counting the same.
//! How much of what fades is believed ([`Recipe::faded`]) is found on the same groups. `docs/accuracy-models.md` says how that does.
//!
//! ```
//! # use kepler_core::model::Semantics;
//! # use kepler_core::units::ZoneKind;
//! # use kepler_train::Dataset;
//! # let busy: Vec<f64> = (0..200).map(|row| f64::from(row * 37 % 100) * 10.0).collect();
//! # let watts = busy.iter().map(|busy| 20.0 + busy / 25.0).collect();
//! # let data = Dataset::new(vec!["bpf_cpu_time_ms".to_owned()], busy, vec![(ZoneKind::Package, watts)], Semantics::AsNamed)?;
//! use kepler_core::model::Model;
//! use kepler_train::Algorithm;
//! use kepler_train::interval::fit;
//!
//! // `data`: 200 rows of a package.
//! let (document, _) = fit(&Algorithm::Ols.recipe(), &data, 0.9)?;
//! let model = Model::from_document(&document)?;
//! let prediction = model.predict(&[500.0])?;
//! let interval = model.interval(&[500.0], &prediction, ZoneKind::Package).expect("it was calibrated");
//! assert!(interval.lower <= interval.upper);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::recipe::Combine;
use crate::validate::folds::{Fold, behaviour, blocks, by_group};
use crate::{Dataset, Recipe, TrainError, support};
use kepler_core::model::format::{Document, IntervalKnots};
use kepler_core::model::{Model, component_name};
use kepler_core::units::ZoneKind;

/// The confidence that is asked for where nothing else is.
pub const CONFIDENCE: f64 = 0.9;
/// Blocks that are held out.
const FOLDS: usize = 10;
/// The fewest rows.
pub(crate) const ROWS: usize = 5 * crate::MIN_ROWS;
/// The most classes of predicted power, and the fewest rows of one.
const BINS: usize = 8;
const ROWS_OF_BIN: usize = 60;
/// How steeply a model forgets beyond reach, as `kepler_core::model` has it.
const FADING: f64 = 3.0;
/// The least share of what is added far away that a row must have to say how much that is.
const LEAST_SHARE: f64 = 0.2;
/// How much of what fades is believed, compared.
const FADED: [f64; 5] = [1.0, 0.75, 0.5, 0.25, 0.0];

/// A held-out row.
#[derive(Clone, Copy, Debug)]
struct Miss {
    fold: usize,
    measured: f64,
    /// What the terms that do not fade said, and what those that fade add.
    firm: f64,
    faded: f64,
    /// How many reaches it was beyond reach.
    beyond: f64,
}

impl Miss {
    fn predicted(&self, faded: f64) -> f64 {
        self.firm + faded * self.faded
    }

    fn error(&self, faded: f64) -> f64 {
        self.measured - self.predicted(faded)
    }
}

/// Makes a model of all rows, with intervals from rows held out by blocks and by [`behaviour`].
///
/// # Errors
/// As for [`Recipe::fit`]; a confidence outside 0 … 1; fewer than 50 rows.
pub fn fit(recipe: &Recipe, data: &Dataset, confidence: f64) -> Result<(Document, usize), TrainError> {
    fit_with(recipe, data, confidence, &behaviour(data))
}

/// The same with the groups, one a row, that are to stand for what the model will meet: workloads, say. With fewer than two,
/// blocks alone are held out.
///
/// # Errors
/// As for [`fit`].
pub fn fit_with(
    recipe: &Recipe,
    data: &Dataset,
    confidence: f64,
    groups: &[usize],
) -> Result<(Document, usize), TrainError> {
    if !(confidence > 0.0 && confidence < 1.0) {
        let remedy = "give more than 0, less than 1";
        return Err(TrainError::Setting { what: "confidence", value: confidence.to_string(), remedy });
    }
    if data.len() < ROWS {
        return Err(TrainError::TooFew { found: data.len(), needed: ROWS });
    }
    let folds = blocks(data.len(), FOLDS.min(data.len() / crate::MIN_ROWS));
    let inside = hold_out(recipe, data, &folds)?;
    let kinds: Vec<Fold> =
        by_group(groups).into_iter().filter(|kind| data.len() - kind.len() >= crate::MIN_ROWS).collect();
    let outside = if kinds.len() < 2 { vec![Vec::new(); inside.len()] } else { hold_out(recipe, data, &kinds)? };
    let faded = if recipe.combine == Combine::Faded { believed(&inside, &outside) } else { recipe.faded };
    let mut document = recipe.clone().with(|recipe| recipe.faded = faded).fit(data)?;
    let inputs = document.inputs.clone();
    let support = document.support.get_or_insert_with(|| support::of(&inputs, recipe.per.is_some(), data));
    let growth = support.growth;
    let held = inside.first().map_or(0, Vec::len);
    for (((zone, _), inside), outside) in data.targets().iter().zip(&inside).zip(&outside) {
        if let Some(component) = document.components.get_mut(component_name(*zone)) {
            let margins = Margins { knots: knots(inside, faded, growth, confidence), far: 0.0, growth };
            let margins = margins.covering(outside, faded, confidence);
            component.interval = Some(IntervalKnots { confidence, knots: margins.knots, far: margins.far });
        }
    }
    Model::from_document(&document)?;
    Ok((document, held))
}

/// The share of what fades by which rows that were held out are predicted best, as blocks and in groups, each component and group counting the same.
fn believed(inside: &[Vec<Miss>], outside: &[Vec<Miss>]) -> f64 {
    let left = |faded: f64| -> f64 {
        let of = |misses: &Vec<Miss>| {
            let size = misses.iter().map(|miss| miss.measured.abs()).sum::<f64>() / misses.len().max(1) as f64;
            by_fold(misses, |miss| miss.error(faded).abs()) / size.max(f64::MIN_POSITIVE)
        };
        inside.iter().chain(outside).map(of).sum()
    };
    FADED.into_iter().min_by(|a, b| left(*a).total_cmp(&left(*b))).unwrap_or(1.0)
}

/// The mean over folds of the mean of a figure.
fn by_fold(misses: &[Miss], of: impl Fn(&Miss) -> f64) -> f64 {
    let means = fold_means(misses, of);
    means.iter().sum::<f64>() / means.len().max(1) as f64
}

/// The mean of a figure in each fold.
fn fold_means(misses: &[Miss], of: impl Fn(&Miss) -> f64) -> Vec<f64> {
    let folds = misses.iter().map(|miss| miss.fold + 1).max().unwrap_or_default();
    let mut sums = vec![(0.0, 0.0); folds];
    for miss in misses {
        if let Some((sum, count)) = sums.get_mut(miss.fold) {
            *sum += of(miss);
            *count += 1.0;
        }
    }
    sums.iter().filter(|(_, count)| *count > 0.0).map(|(sum, count)| sum / count).collect()
}

/// How far off a model may be, by what it predicts and by how far a row is from those trained with.
struct Margins {
    knots: Vec<[f64; 3]>,
    far: f64,
    growth: f64,
}

impl Margins {
    /// By how much a miss is off more than near the rows, and which share of `far` it has.
    fn beyond(&self, miss: &Miss, faded: f64) -> (f64, f64) {
        let error = miss.error(faded);
        let (below, above) = self.near(miss.predicted(faded));
        let margin = if error < 0.0 { below } else { above };
        (error.abs() - margin * (1.0 + self.growth * miss.beyond), 1.0 - (-FADING * miss.beyond).exp())
    }

    /// Such that groups that were held out are covered, each counting the same: by what is added far from the rows, and where that
    /// does not do it by wider margins everywhere.
    fn covering(mut self, outside: &[Miss], faded: f64, confidence: f64) -> Self {
        if outside.is_empty() {
            return self;
        }
        // A row that is hardly far says nothing of what holds there.
        let far = |miss: &Miss| Some(self.beyond(miss, faded)).filter(|(_, share)| *share > LEAST_SHARE);
        let mut needed: Vec<f64> =
            outside.iter().filter_map(far).map(|(excess, share)| (excess / share).max(0.0)).collect();
        let most = outside.iter().map(|miss| miss.error(faded).abs()).fold(0.0, f64::max);
        needed.retain(|watts| *watts <= most);
        needed.push(0.0);
        needed.sort_by(f64::total_cmp);
        let covers = |&watts: &f64| {
            let covered = |miss: &Miss| {
                let (excess, share) = self.beyond(miss, faded);
                f64::from(excess <= watts * share)
            };
            fold_means(outside, covered).into_iter().all(|share| share >= confidence)
        };
        let found = needed.partition_point(|watts| !covers(watts));
        self.far = needed.get(found).or(needed.last()).copied().unwrap_or_default();
        let times = |miss: &Miss| {
            let (excess, share) = self.beyond(miss, faded);
            let size = miss.error(faded).abs();
            let margin = size - excess + self.far * share;
            size / margin.max(1e-9)
        };
        let mut needed: Vec<f64> = outside.iter().map(times).collect();
        needed.sort_by(f64::total_cmp);
        let covers = |&factor: &f64| by_fold(outside, |miss| f64::from(times(miss) <= factor)) >= confidence;
        let found = needed.partition_point(|factor| !covers(factor));
        let wider = needed.get(found).copied().unwrap_or(1.0).max(1.0);
        self.far *= wider;
        for [_, below, above] in &mut self.knots {
            *below *= wider;
            *above *= wider;
        }
        self
    }

    /// Near the rows, as a model of these knots has it.
    fn near(&self, predicted: f64) -> (f64, f64) {
        let knots = &self.knots;
        let after = knots.partition_point(|[at, ..]| *at <= predicted);
        let right = knots.get(after).or(knots.last());
        let left = after.checked_sub(1).and_then(|before| knots.get(before)).or(right);
        let (Some(&[a, below_a, above_a]), Some(&[b, below_b, above_b])) = (left, right) else { return (0.0, 0.0) };
        let share = if b > a { ((predicted - a) / (b - a)).clamp(0.0, 1.0) } else { 0.0 };
        (below_a + share * (below_b - below_a), above_a + share * (above_b - above_a))
    }
}

/// By component, all rows of all folds as models of the other rows predict them.
fn hold_out(recipe: &Recipe, data: &Dataset, folds: &[Fold]) -> Result<Vec<Vec<Miss>>, TrainError> {
    let mut misses: Vec<Vec<Miss>> = vec![Vec::new(); data.targets().len()];
    for (number, fold) in folds.iter().enumerate() {
        hold_one_out(recipe, data, number, fold, &mut misses)?;
    }
    Ok(misses)
}

fn hold_one_out(
    recipe: &Recipe,
    data: &Dataset,
    number: usize,
    fold: &Fold,
    misses: &mut [Vec<Miss>],
) -> Result<(), TrainError> {
    let rest: Vec<usize> = (0..data.len()).filter(|row| fold.binary_search(row).is_err()).collect();
    let training = data.subset(&rest);
    let mut document = recipe.fit(&training)?;
    let mut support = support::of(&document.inputs, recipe.per.is_some(), &training);
    // Only to be asked for the distance.
    support.growth = 1.0;
    document.support = Some(support);
    for component in document.components.values_mut() {
        component.interval = Some(IntervalKnots { confidence: CONFIDENCE, knots: vec![[0.0, 0.0, 0.0]], far: 0.0 });
    }
    let whole = Model::from_document(&document)?;
    if recipe.combine == Combine::Faded {
        for component in document.components.values_mut() {
            component.terms.truncate(1);
        }
    }
    let firm = Model::from_document(&document)?;
    for &row in fold {
        let Some(features) = data.rows().get(row * data.width()..(row + 1) * data.width()) else { continue };
        let per = recipe.per.as_ref().and_then(|per| data.features().iter().position(|feature| feature == per));
        let units = per.and_then(|index| features.get(index)).copied().unwrap_or(1.0);
        let (all, firm) = (whole.predict(features)?, firm.predict(features)?);
        let watts = |prediction: &kepler_core::model::Prediction, zone: ZoneKind| {
            prediction.power(zone).map(|power| power.watts() / units)
        };
        for ((zone, target), misses) in data.targets().iter().zip(&mut *misses) {
            let widening = whole.interval(features, &all, *zone).map_or(1.0, |interval| interval.widening);
            let (Some(all), Some(firm), Some(measured)) = (watts(&all, *zone), watts(&firm, *zone), target.get(row))
            else {
                continue;
            };
            let measured = measured / units;
            misses.push(Miss { fold: number, measured, firm, faded: all - firm, beyond: widening - 1.0 });
        }
    }
    Ok(())
}

/// The margins by predicted power.
fn knots(misses: &[Miss], faded: f64, growth: f64, confidence: f64) -> Vec<[f64; 3]> {
    let widened = |miss: &Miss| (miss.predicted(faded), miss.error(faded) / (1.0 + growth * miss.beyond));
    let mut misses: Vec<(f64, f64)> = misses.iter().map(widened).collect();
    misses.sort_by(|a, b| a.0.total_cmp(&b.0));
    let bins = (misses.len() / ROWS_OF_BIN).clamp(1, BINS);
    let mut classes: Vec<(f64, Vec<f64>)> = Vec::new();
    for rows in blocks(misses.len(), bins) {
        let of: Vec<(f64, f64)> = rows.iter().filter_map(|&row| misses.get(row)).copied().collect();
        let Some(middle) = of.get(of.len() / 2).map(|(predicted, _)| *predicted) else { continue };
        let errors = of.iter().map(|(_, error)| *error);
        match classes.last_mut() {
            // Many rows predicted alike are one class.
            Some((last, known)) if *last >= middle => known.extend(errors),
            _ => classes.push((middle, errors.collect())),
        }
    }
    let knot = |(middle, errors): (f64, Vec<f64>)| {
        let below = conformal(errors.iter().map(|error| -error).collect(), confidence);
        [middle, below, conformal(errors, confidence)]
    };
    let knots: Vec<[f64; 3]> = classes.into_iter().map(knot).collect();
    if knots.is_empty() { vec![[0.0, 0.0, 0.0]] } else { knots }
}

/// The margin that errors on one side stay below, but for half of the misses: with n errors the ⌈(n+1)·(1 − α/2)⌉-th.
fn conformal(mut errors: Vec<f64>, confidence: f64) -> f64 {
    errors.sort_by(f64::total_cmp);
    let rank = ((errors.len() + 1) as f64 * f64::midpoint(1.0, confidence)).ceil() as usize;
    let index = rank.saturating_sub(1).min(errors.len().saturating_sub(1));
    errors.get(index).copied().unwrap_or_default().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_cover_their_share_of_the_errors_they_were_made_of() {
        let errors: Vec<f64> = (0..999).map(|n| f64::from(n) - 499.0).collect();
        assert_eq!(conformal(errors.clone(), 0.9), 450.0);
        // All are predicted alike, so all are one class.
        let miss = |&error: &f64| Miss { fold: 0, measured: 1.0 + error, firm: 1.0, faded: 0.0, beyond: 0.0 };
        let misses: Vec<Miss> = errors.iter().map(miss).collect();
        assert_eq!(knots(&misses, 1.0, 0.5, 0.9), [[1.0, 450.0, 450.0]]);
    }

    #[test]
    fn few_errors_give_the_largest_of_them() {
        assert_eq!(conformal(vec![3.0, 1.0, 2.0], 0.9), 3.0);
        assert_eq!(conformal(vec![-3.0], 0.9), 0.0);
        assert_eq!(conformal(vec![], 0.9), 0.0);
    }

    #[test]
    fn groups_that_were_held_out_are_covered_far_from_the_rows_first_and_else_everywhere() {
        let miss = |fold, error: f64, beyond| Miss { fold, measured: 100.0 + error, firm: 100.0, faded: 0.0, beyond };
        let errors = || (0..100_u32).map(|n| (n as usize % 4, f64::from(n % 21) - 10.0));
        let inside: Vec<Miss> = errors().map(|(_, error)| miss(0, error, 0.0)).collect();
        let margins = || Margins { knots: knots(&inside, 1.0, 0.5, 0.9), far: 0.0, growth: 0.5 };
        let far: Vec<Miss> = errors().map(|(fold, error)| miss(fold, 5.0 * error, 2.0)).collect();
        let covering = margins().covering(&far, 1.0, 0.9);
        assert!((20.0..=35.0).contains(&covering.far), "{}", covering.far);
        assert_eq!(covering.knots, margins().knots, "near the rows nothing is known to be worse");
        let near: Vec<Miss> = far.iter().map(|&miss| Miss { beyond: 0.0, ..miss }).collect();
        let covering = margins().covering(&near, 1.0, 0.9);
        assert_eq!(covering.far, 0.0);
        let wider = covering.knots[0][1] / margins().knots[0][1];
        assert!((3.5..=5.5).contains(&wider), "{wider}");
    }

    #[test]
    fn what_fades_is_believed_as_far_as_it_helps_on_groups() {
        let miss = |measured, faded| Miss { fold: 0, measured, firm: 100.0, faded, beyond: 0.0 };
        assert_eq!(believed(&[], &[vec![miss(110.0, 10.0)]]), 1.0);
        assert_eq!(believed(&[], &[vec![miss(100.0, 10.0)]]), 0.0);
        assert_eq!(believed(&[], &[vec![miss(105.0, 10.0)]]), 0.5);
        assert_eq!(believed(&[], &[vec![]]), 1.0, "nothing was held out");
    }
}
