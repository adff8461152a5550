//! The model that is used where nothing is measured and nothing is configured: watts of one logical CPU by its busy share,
//! learned on seven measured machines, for processors of which only the published full-load power is known.
//!
//! `W = class · (f² · a · ln(b · busy + 1) + c)`, with `class` the published power of a logical CPU of that generation at
//! full load, and `f` the processor's nominal frequency by that of the middle of servers: what switching costs goes by the square of the
//! frequency ([`CpuClass::scale_watts`]), what is drawn at rest does not ([`CpuClass::rest_watts`]). Power rises steeply from idle and flattens, which a
//! straight line between idle and full load misses by half. Relative errors are minimised, each machine counting
//! the same: their absolute values, so that a machine unlike the others does not bend the curve for all. `cargo run -p kepler-train --example default_model` makes the file that `kepler-core` embeds.
//!
//! ```
//! use kepler_train::compare::Folder;
//! use kepler_train::default_model;
//!
//! if let Some(folder) = Folder::below("/srv/kepler-data".as_ref()) {
//!     let made = default_model::train(&folder)?;
//!     println!("{}", default_model::text(&made.document)?);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod rows;

use crate::compare::Folder;
use crate::curve;
use crate::validate::{HeldOut, score};
use crate::{Dataset, TrainError};
use kepler_core::calibration::Correction;
use kepler_core::meter::estimate::CpuClass;
use kepler_core::model::format::{
    Component, Curve, Document, Feature, Function, IntervalKnots, Linear, Shape, Support, Term,
};
use kepler_core::model::{Card, Model, Score, Semantics};
use kepler_core::units::ZoneKind;
use rows::Machine;

/// Inputs of the model: the busy share of the logical CPUs, 0 … 1, the published full-load power of one of them by its frequency, W, and
/// the same at the middle frequency.
pub const FEATURES: [&str; 3] = ["busy_share", "class_full_watts", "class_rest_watts"];
/// Share of cases that the interval is to cover.
const CONFIDENCE: f64 = 0.9;
/// One standard deviation of a normal error, as the share of cases within it.
const ONE_SIGMA: f64 = 0.6827;
/// Least squares are reweighted this many times, by the errors that the last curve left: that minimises their sum.
const ROUNDS: usize = 10;
/// A relative error below this weighs no more.
const LEAST_ERROR: f64 = 0.01;

/// The interval's margins are a share of the prediction up to this many times the published power.
const MOST: f64 = 8.0;
/// What a reach of distance adds to an interval, as for every model that is trained here.
const GROWTH: f64 = 0.5;

/// The model, and what was found on the way.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DefaultModel {
    /// The model with its card.
    pub document: Document,
    /// What 68 % of the errors on machines that were left out stay below, relative to the estimate.
    pub error_ratio: f64,
    /// The same if nothing is known of the processor.
    pub generic_error_ratio: f64,
    /// The same if the machine's power at idle and at full load is known ([`kepler_core::calibration`]).
    pub calibrated_error_ratio: f64,
    /// How far below and above 90 % of those errors reach.
    pub calibrated_margins: (f64, f64),
}

/// Trains on the measured machines in `folder`, and judges on each in turn, left out. Nothing in it is random.
///
/// # Errors
/// A file is missing or is not what it should be.
pub fn train(folder: &Folder) -> Result<DefaultModel, TrainError> {
    let machines = rows::read(folder)?;
    let all: Vec<&Machine> = machines.iter().collect();
    let curve = fit(&all)?;
    let fits = machines
        .iter()
        .enumerate()
        .map(|(left, _)| {
            let others = machines.iter().enumerate().filter(|(index, _)| *index != left).map(|(_, machine)| machine);
            fit(&others.collect::<Vec<_>>())
        })
        .collect::<Result<Vec<_>, _>>()?;
    let scaled = |machine: &Machine, watts: (f64, f64), curve: &Curve| {
        machine.rows.iter().map(|(busy, _)| at(curve, *busy, watts)).collect()
    };
    let left_out = leave_out(&machines, &fits, |machine, curve| scaled(machine, machine.watts(), curve));
    let generic = CpuClass::generic().full.watts();
    let generic = leave_out(&machines, &fits, |machine, curve| scaled(machine, (generic, generic), curve));
    let calibrated = leave_out(&machines, &fits, |machine, curve| {
        let estimate = |busy| at(curve, busy, machine.watts());
        let correction = Correction::of(&machine.idle_and_full(), estimate);
        let right = |watts| correction.map_or(f64::NAN, |correction| correction.apply(watts));
        machine.rows.iter().map(|(busy, _)| right(estimate(*busy))).collect()
    });
    let margins = margins(left_out.iter());

    let data = dataset(&machines)?;
    // Per the power at full load: what is drawn at rest is a share of it.
    let (rest, curve) = apart(curve);
    let rest = Linear { bias: 0.0, coefficients: vec![0.0, rest, 0.0] };
    let component = Component {
        per: Some(1),
        terms: vec![Term { weight: 1.0, function: Function::Curve(curve) }, Term::linear(1.0, rest)],
        interval: Some(interval(margins)),
    };
    let document = Document {
        semantics: Semantics::AsNamed,
        features: ranges(&data),
        inputs: vec![vec![(0, 1)], vec![(2, 1), (1, -1)], vec![(1, 1)]],
        components: [("package".to_owned(), component)].into(),
        support: Some(support(&machines)),
        card: Some(card(&data, &machines, &left_out)),
        ..Document::default()
    };
    Model::from_document(&document)?;
    Ok(DefaultModel {
        document,
        error_ratio: quantile(left_out.iter().flat_map(LeftOut::sizes), ONE_SIGMA),
        generic_error_ratio: quantile(generic.iter().flat_map(LeftOut::sizes), ONE_SIGMA),
        calibrated_error_ratio: quantile(calibrated.iter().flat_map(LeftOut::sizes), ONE_SIGMA),
        calibrated_margins: self::margins(calibrated.iter()),
    })
}

/// The file: JSON for people to read, the same bytes every time.
///
/// # Errors
/// None of a document that [`train`] made.
pub fn text(document: &Document) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(document).map(|text| text + "\n")
}

/// The curve that leaves the least sum of relative errors, each machine counting the same.
fn fit(machines: &[&Machine]) -> Result<Curve, TrainError> {
    let (mut share, mut scales, mut watts, mut counts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for machine in machines {
        for (busy, measured) in &machine.rows {
            share.push(*busy);
            scales.push(machine.watts());
            watts.push(*measured);
            counts.push(1.0 / machine.rows.len() as f64);
        }
    }
    let mut errors = vec![1.0_f64; share.len()];
    let mut rest = 0.0;
    let mut best: Option<(f64, Curve)> = None;
    for _ in 0..ROUNDS {
        let weights = scales.iter().zip(&watts).zip(&counts).zip(&errors);
        let weights: Vec<f64> = weights
            .map(|((((full, _), watts), count), error)| full / watts * (count / error.abs().max(LEAST_ERROR)).sqrt())
            .collect();
        // What rest was found to be the last time is taken as what it is on each machine.
        let rates: Vec<f64> = scales
            .iter()
            .zip(&watts)
            .map(|((full, at_rest), watts)| (watts + rest * (full - at_rest)) / full)
            .collect();
        let (curve, _) = curve::fit_weighted(&share, 0, &rates, Some(&weights), Shape::Logarithmic)?;
        rest = apart(curve.clone()).0;
        let predicted = share.iter().zip(&scales).map(|(busy, scale)| at(&curve, *busy, *scale));
        errors = predicted.zip(&watts).map(|(predicted, watts)| predicted / watts - 1.0).collect();
        let left = errors.iter().zip(&counts).map(|(error, count)| error.abs() * count).sum::<f64>();
        if best.as_ref().is_none_or(|(least, _)| left < *least) {
            best = Some((left, curve));
        }
    }
    best.map(|(_, curve)| curve).ok_or(TrainError::TooFew { found: 0, needed: 1 })
}

/// What a curve says of rest, and the curve without that.
fn apart(mut curve: Curve) -> (f64, Curve) {
    let rest = curve.weights.last_mut().map(std::mem::take).unwrap_or_default();
    (rest, curve)
}

/// One machine, predicted by a model of the others.
struct LeftOut {
    name: &'static str,
    threads: f64,
    /// Measured and predicted watts of a logical CPU.
    rows: Vec<(f64, f64)>,
}

impl LeftOut {
    /// Errors relative to the prediction, each with its weight.
    fn errors(&self) -> impl Iterator<Item = (f64, f64)> {
        let weight = 1.0 / self.rows.len().max(1) as f64;
        self.rows.iter().map(move |(measured, predicted)| (measured / predicted - 1.0, weight))
    }

    fn sizes(&self) -> impl Iterator<Item = (f64, f64)> {
        self.errors().map(|(error, weight)| (error.abs(), weight))
    }

    fn score(&self, below: f64, above: f64) -> Score {
        let held: Vec<HeldOut> = self
            .rows
            .iter()
            .enumerate()
            .map(|(row, (measured, predicted))| HeldOut {
                row,
                fold: 0,
                measured: measured * self.threads,
                predicted: predicted * self.threads,
                interval: Some((
                    predicted * self.threads * (1.0 - below).max(0.0),
                    predicted * self.threads * (1.0 + above),
                )),
            })
            .collect();
        score("package", &format!("leave one machine out: {}", self.name), &held)
    }
}

/// Predicts each machine by the fit of the others. `predict` makes watts of a logical CPU, one a row, of the curve of the others.
fn leave_out(machines: &[Machine], fits: &[Curve], predict: impl Fn(&Machine, &Curve) -> Vec<f64>) -> Vec<LeftOut> {
    let one = |(machine, curve): (&Machine, &Curve)| {
        let predicted = predict(machine, curve);
        let rows = machine.rows.iter().zip(predicted).map(|((_, watts), predicted)| (*watts, predicted)).collect();
        LeftOut { name: machine.name, threads: f64::from(machine.threads), rows }
    };
    machines.iter().zip(fits).map(one).collect()
}

/// The fitted curve, of a logical CPU that draws `full` watts at full load, and at rest is as one that draws `at_rest`.
fn at(curve: &Curve, busy: f64, (full, at_rest): (f64, f64)) -> f64 {
    match curve.weights.as_slice() {
        [a, b, c] => full * a * (b * busy / curve.scale + 1.0).ln() + at_rest * c,
        _ => f64::NAN,
    }
}

/// How far below and above a prediction all but 5 % of the errors on either side lie, relative to it.
fn margins<'a>(left_out: impl Iterator<Item = &'a LeftOut>) -> (f64, f64) {
    let each: Vec<(f64, f64)> = left_out.flat_map(LeftOut::errors).collect();
    let outside = (1.0 - CONFIDENCE) / 2.0;
    let below = quantile(each.iter().map(|(error, weight)| (-error, *weight)), 1.0 - outside);
    (below.max(0.0), quantile(each.into_iter(), 1.0 - outside).max(0.0))
}

/// The least value that this share of the weight does not exceed.
fn quantile(values: impl Iterator<Item = (f64, f64)>, share: f64) -> f64 {
    let mut values: Vec<(f64, f64)> = values.collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = values.iter().map(|(_, weight)| weight).sum();
    let mut sum = 0.0;
    let reached = values.iter().find(|(_, weight)| {
        sum += weight;
        sum >= share * total
    });
    reached.or(values.last()).map_or(0.0, |(value, _)| *value)
}

fn interval((below, above): (f64, f64)) -> IntervalKnots {
    // Between two knots margins are interpolated: a share of the prediction everywhere.
    IntervalKnots { confidence: CONFIDENCE, knots: vec![[0.0, 0.0, 0.0], [MOST, MOST * below, MOST * above]], far: 0.0 }
}

fn dataset(machines: &[Machine]) -> Result<Dataset, TrainError> {
    let (mut rows, mut target) = (Vec::new(), Vec::new());
    for machine in machines {
        for (busy, watts) in &machine.rows {
            let (full, rest) = machine.watts();
            rows.extend([*busy, full, rest]);
            target.push(*watts);
        }
    }
    let features = FEATURES.map(str::to_owned).to_vec();
    Dataset::new(features, rows, vec![(ZoneKind::Package, target)], Semantics::AsNamed)
}

fn ranges(data: &Dataset) -> Vec<Feature> {
    // What is seen of a class is seen of it at rest, too.
    let column = |index: usize| data.rows().iter().skip(index.min(1)).step_by(data.width()).copied();
    let of = |(index, name): (usize, &String)| Feature {
        name: name.clone(),
        // A busy share is what it is: all of 0 … 1 is had.
        lower: if index == 0 { 0.0 } else { column(index).fold(f64::INFINITY, f64::min) },
        upper: if index == 0 { 1.0 } else { column(index).fold(f64::NEG_INFINITY, f64::max) },
    };
    data.features().iter().enumerate().map(of).collect()
}

/// Which published figures were seen. Within half of the widest gap between two of them, one is as good as seen.
fn support(machines: &[Machine]) -> Support {
    let mut seen: Vec<f64> = machines.iter().map(|machine| machine.watts().0).collect();
    seen.sort_by(f64::total_cmp);
    seen.dedup();
    let gaps = seen.windows(2).map(|pair| match pair {
        [a, b] => b - a,
        _ => 0.0,
    });
    let reach = gaps.fold(0.0, f64::max) / 2.0;
    let rows = seen.iter().flat_map(|watts| [0.0, 0.0, *watts as f32]).collect();
    Support { scales: vec![0.0, 0.0, 1.0], floors: Vec::new(), rows, reach: reach.max(1e-3), growth: GROWTH }
}

fn card(data: &Dataset, machines: &[Machine], left_out: &[LeftOut]) -> Card {
    // Each machine by margins of the others alone.
    let scores: Vec<Score> = left_out
        .iter()
        .enumerate()
        .map(|(index, machine)| {
            let others = left_out.iter().enumerate().filter(move |(other, _)| *other != index);
            let (below, above) = margins(others.map(|(_, machine)| machine));
            machine.score(below, above)
        })
        .collect();
    let count = scores.len().max(1) as f64;
    let mean = |of: fn(&Score) -> f64| scores.iter().map(of).sum::<f64>() / count;
    let all = Score {
        component: "package".to_owned(),
        validation: format!("leave one machine out, mean of {}", scores.len()),
        rows: scores.iter().map(|score| score.rows).sum(),
        mae: mean(|score| score.mae),
        mape: mean(|score| score.mape),
        r2: mean(|score| score.r2),
        bias: mean(|score| score.bias),
        coverage: Some(mean(|score| score.coverage.unwrap_or_default())),
        width: Some(mean(|score| score.width.unwrap_or_default())),
    };
    let names: Vec<String> = machines.iter().map(Machine::describe).collect();
    Card {
        trainer: "logarithmic curve of the busy share, least sum of relative errors, each machine counting the same"
            .to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: 0,
        rows: data.len() as u64,
        rows_sha256: data.sha256(),
        source:
            "kepler-model-db (Apache-2.0): nx12 and six bare-metal machines of EC2, power by RAPL; full-load power by \
            generation from ccf-coefficients (Apache-2.0)"
                .to_owned(),
        machine: names.join("; "),
        kernel: String::new(),
        notes: vec![
            "predicts watts of one logical CPU: multiply by their number".to_owned(),
            "busy_share: CPU time without idle, iowait and steal, over all logical CPUs, 0 … 1".to_owned(),
            "class_full_watts: published full-load power of a logical CPU of that generation, by the square of the \
             nominal frequency over 2.5 GHz where the processor's name states it; one figure, their mean, for the \
             generations of Intel's servers from Haswell to Sapphire Rapids"
                .to_owned(),
            "class_rest_watts: the same without the frequency, which does not raise what is drawn at rest".to_owned(),
            "all measured machines are Intel's: for newer ones, AMD and Arm the published figures alone scale the curve, and the \
             interval is widened by how far they lie outside of those"
                .to_owned(),
            "scores are in watts of whole machines; their intervals are made of the other machines alone".to_owned(),
            "trained on machines that share nothing; a virtual machine's neighbours are taken to be as busy as it is"
                .to_owned(),
        ],
        scores: std::iter::once(all).chain(scores).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_goes_by_weight() {
        let values = [(3.0, 1.0), (1.0, 1.0), (2.0, 8.0)];
        assert_eq!(quantile(values.into_iter(), 0.05), 1.0);
        assert_eq!(quantile(values.into_iter(), 0.5), 2.0);
        assert_eq!(quantile(values.into_iter(), 0.95), 3.0);
        assert_eq!(quantile(std::iter::empty(), 0.5), 0.0);
    }
}
