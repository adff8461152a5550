//! Reports on held-out rows: text and plots.
//!
//! ```
//! # use kepler_core::model::Semantics;
//! # use kepler_core::units::ZoneKind;
//! # use kepler_train::Dataset;
//! # let busy: Vec<f64> = (0..200).map(|row| f64::from(row * 37 % 100) * 10.0).collect();
//! # let watts = busy.iter().map(|busy| 20.0 + busy / 25.0).collect();
//! # let data = Dataset::new(vec!["bpf_cpu_time_ms".to_owned()], busy, vec![(ZoneKind::Package, watts)], Semantics::AsNamed)?;
//! use kepler_train::Algorithm;
//! use kepler_train::report::predicted_plot;
//! use kepler_train::validate::{Validation, blocks, cross_validate};
//!
//! // `data`: 200 rows of a package.
//! let folds = blocks(data.len(), 5);
//! let held_out = cross_validate(&Algorithm::Ols.recipe(), &data, ZoneKind::Package, &folds, Validation::default())?;
//! assert!(predicted_plot("package", &held_out).contains("<svg"));
//! # Ok::<(), kepler_train::TrainError>(())
//! ```

use crate::plot::{Series, svg};
use crate::validate::{HeldOut, Validation, blocks, cross_validate, evaluate, score};
use crate::{Dataset, Recipe, TrainError};
use kepler_core::model::Model;
use kepler_core::units::ZoneKind;

/// Predicted against measured power, as SVG. On the thin line both are the same.
#[must_use]
pub fn predicted_plot(component: &str, held: &[HeldOut]) -> String {
    let points: Vec<(f64, f64)> = held.iter().map(|held| (held.measured, held.predicted)).collect();
    let low = points.iter().map(|point| point.0.min(point.1)).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|point| point.0.max(point.1)).fold(f64::NEG_INFINITY, f64::max);
    let series = [Series::Points(points), Series::Rule(vec![(low, low), (high, high)])];
    svg(&format!("{component}: predicted against measured"), "measured, W", "predicted, W", &series)
}

/// Predicted minus measured power against predicted power, as SVG.
#[must_use]
pub fn residual_plot(component: &str, held: &[HeldOut]) -> String {
    let points: Vec<(f64, f64)> = held.iter().map(|held| (held.predicted, held.predicted - held.measured)).collect();
    let low = points.iter().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|point| point.0).fold(f64::NEG_INFINITY, f64::max);
    let series = [Series::Points(points), Series::Rule(vec![(low, 0.0), (high, 0.0)])];
    svg(&format!("{component}: residuals"), "predicted, W", "predicted − measured, W", &series)
}

/// One point of a learning curve.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct LearningPoint {
    /// Rows trained with.
    pub rows: usize,
    /// Mean absolute error on them, W.
    pub training: f64,
    /// Mean absolute error on held-out blocks, W.
    pub held_out: f64,
}

/// How the error falls with the number of rows: trained with a fifth, two fifths, … of all rows, spread evenly over the recording, and judged by
/// blocks of those.
///
/// # Errors
/// As for [`Recipe::fit`].
pub fn learning_curve(
    recipe: &Recipe,
    data: &Dataset,
    zone: ZoneKind,
    how: Validation<'_>,
) -> Result<Vec<LearningPoint>, TrainError> {
    let mut curve = Vec::new();
    let how = Validation { intervals: false, ..how };
    for fifths in 1..=5 {
        let indices: Vec<usize> = (0..data.len()).filter(|row| row % 5 < fifths).collect();
        let part = data.subset(&indices);
        if part.len() < 5 * crate::MIN_ROWS {
            continue;
        }
        let held = cross_validate(recipe, &part, zone, &blocks(part.len(), 5), how)?;
        let model = Model::from_document(&recipe.fit(&part.clone().only(zone))?)?;
        let seen = evaluate(&model, &part, zone)?;
        curve.push(LearningPoint {
            rows: part.len(),
            training: score("", "", &seen).mae,
            held_out: score("", "", &held).mae,
        });
    }
    Ok(curve)
}

/// The learning curve as SVG.
#[must_use]
pub fn learning_plot(component: &str, curve: &[LearningPoint]) -> String {
    let line = |of: fn(&LearningPoint) -> f64| curve.iter().map(|point| (point.rows as f64, of(point))).collect();
    let series = [
        Series::Line(line(|point| point.held_out), "held-out blocks"),
        Series::Line(line(|point| point.training), "rows trained with"),
    ];
    svg(&format!("{component}: learning curve"), "rows", "mean absolute error, W", &series)
}
