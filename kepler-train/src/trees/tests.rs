use super::*;
use kepler_core::model::Model;
use kepler_core::model::format::{Component, Document, Feature, Term};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn predict(trees: format::Trees, rows: &[f64], width: usize) -> Vec<f64> {
    let feature = |number| Feature { name: format!("f{number}"), lower: 0.0, upper: 1.0 };
    let document = Document {
        features: (0..width).map(feature).collect(),
        components: BTreeMap::from([(
            "package".to_owned(),
            Component { terms: vec![Term::trees(1.0, trees)], ..Component::default() },
        )]),
        ..Document::default()
    };
    let model = Model::from_document(&document).unwrap();
    rows.chunks_exact(width).map(|row| model.components()[0].raw(row)).collect()
}

/// Rows of two inputs and a target that depends on both.
fn rows(count: usize) -> (Vec<f64>, Vec<f64>) {
    let mut random = Random::new(1);
    let rows: Vec<f64> = (0..2 * count).map(|_| random.below(1000) as f64 / 1000.0).collect();
    let target = rows.chunks_exact(2).map(|row| 50.0 + 100.0 * row[0].sqrt() + 30.0 * row[0] * row[1]).collect();
    (rows, target)
}

#[test]
fn boosted_trees_learn_a_curve_with_interactions() {
    let (rows, target) = rows(2000);
    for loss in [Loss::Squared, Loss::Absolute] {
        let settings = TreeSettings { loss, ..TreeSettings::default() };
        let trees = fit(&rows, 2, &target, &[], &settings, 0).unwrap();
        assert_eq!(trees.trees.len(), 100);
        let predicted = predict(trees, &rows, 2);
        let error = predicted.iter().zip(&target).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2000.0;
        assert!(error < 1.0, "{loss:?}: {error}");
    }
}

#[test]
fn quantile_loss_leaves_its_share_of_rows_below() {
    let (rows, mut target) = rows(2000);
    let mut random = Random::new(2);
    for watts in &mut target {
        *watts += random.below(1000) as f64 / 50.0;
    }
    for share in [0.1, 0.5, 0.9] {
        let settings = TreeSettings { loss: Loss::Quantile(share), leaf: 50, depth: 4, ..TreeSettings::default() };
        let predicted = predict(fit(&rows, 2, &target, &[], &settings, 0).unwrap(), &rows, 2);
        let below = predicted.iter().zip(&target).filter(|(predicted, target)| target < predicted).count();
        let below = below as f64 / 2000.0;
        assert!((below - share).abs() < 0.05, "{share}: {below}");
    }
}

#[test]
fn the_same_rows_and_seed_give_the_same_bits_and_another_seed_others() {
    let (rows, target) = rows(500);
    let settings = TreeSettings { rows: 0.7, inputs: 0.5, ..TreeSettings::default() };
    let fit = |seed| fit(&rows, 2, &target, &[], &settings, seed).unwrap();
    assert_eq!(fit(7), fit(7));
    assert_ne!(fit(7), fit(8));
}

#[test]
fn randomised_trees_change_gradually_where_boosted_trees_jump() {
    // Ten rows at 0 … 9, ten at 90 … 99, and a step of 10 W between them.
    let rows: Vec<f64> = (0..10).chain(90..100).map(f64::from).collect();
    let target: Vec<f64> = rows.iter().map(|value| if *value < 50.0 { 0.0 } else { 10.0 }).collect();
    let model = |growth| {
        let settings = TreeSettings { trees: 400, rate: 1.0, growth, ..TreeSettings::default() };
        predict(fit(&rows, 1, &target, &[], &settings, 0).unwrap(), &rows, 1)
    };
    assert_eq!(model(Growth::Boosted), target);
    let randomised = model(Growth::Randomised);
    assert!(randomised.is_sorted(), "{randomised:?}");
    assert!(randomised[0] < 1.0 && randomised[19] > 9.0, "{randomised:?}");
    assert!(randomised[9] > randomised[0] && randomised[10] < randomised[19], "{randomised:?}");
}

#[test]
fn absurd_settings_are_named() {
    let (rows, target) = rows(20);
    for (settings, what) in [
        (TreeSettings { trees: 0, ..TreeSettings::default() }, "number of trees is 0"),
        (TreeSettings { depth: 17, ..TreeSettings::default() }, "depth is 17"),
        (TreeSettings { rate: f64::NAN, ..TreeSettings::default() }, "learning rate is NaN"),
        (TreeSettings { rows: 0.0, ..TreeSettings::default() }, "share of rows"),
        (TreeSettings { loss: Loss::Quantile(1.0), ..TreeSettings::default() }, "quantile is 1"),
    ] {
        let error = fit(&rows, 2, &target, &[], &settings, 0).unwrap_err().to_string();
        assert!(error.starts_with(what), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Noise that falls where power should rise must not make a monotone model fall anywhere.
    #[test]
    fn power_never_falls_when_a_monotone_input_rises(
        seed in 0u64..1000, absolute in any::<bool>(), randomised in any::<bool>(), slope in -50.0f64..50.0,
    ) {
        let mut random = Random::new(seed);
        let rows: Vec<f64> = (0..600).map(|_| random.below(40) as f64).collect();
        let target: Vec<f64> = rows
            .chunks_exact(2)
            .map(|row| slope * row[0] + 10.0 * (row[1] * 0.7).sin() + random.below(100) as f64)
            .collect();
        let loss = if absolute { Loss::Absolute } else { Loss::Squared };
        let growth = if randomised { Growth::Randomised } else { Growth::Boosted };
        let settings = TreeSettings { loss, growth, trees: 20, leaf: 2, rows: 0.8, ..TreeSettings::default() };
        let trees = fit(&rows, 2, &target, &[Direction::Rising, Direction::Any], &settings, seed).unwrap();
        let grid: Vec<f64> = (0..41).flat_map(|a| (0..41).flat_map(move |b| [f64::from(a), f64::from(b)])).collect();
        let predicted = predict(trees, &grid, 2);
        let at = |a: usize, b: usize| predicted[a * 41 + b];
        for a in 0..41 {
            for b in 0..40 {
                prop_assert!(at(b + 1, a) >= at(b, a) - 1e-3, "{} to {} at {}", b, b + 1, a);
            }
        }
    }
}
