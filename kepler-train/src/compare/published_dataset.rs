//! One 32-thread server under a matrix of loads, 3 s a row, in ten blocks.

use super::{ComparisonRow, Folder};
use crate::validate::{Fold, Validation, behaviour, by_group, cross_validate, score};
use crate::{Algorithm, Dataset, Table, TrainError};
use kepler_core::model::component_name;
use kepler_core::units::ZoneKind;

const BASIC: [&str; 4] = ["bpf_cpu_time_us", "cache_miss", "cpu_cycles", "cpu_instructions"];

/// Bands of instructions per cycle that are held out one by one.
const BANDS: usize = 5;

pub(super) fn run(folder: &Folder, how: Validation<'_>, push: &mut dyn FnMut(ComparisonRow)) -> Result<(), TrainError> {
    let table = Table::open(folder.path("nx12/preprocess_abs_default_rapl_Basic.csv"))?;
    let folds = folds(folder)?;
    let (all, bpf) = (BASIC.as_slice(), BASIC.get(..1).unwrap_or_default());
    let counters = BASIC.get(1..).unwrap_or_default();
    for (zone, group, features, bar) in [
        (ZoneKind::Package, "Basic", all, 4.4),
        (ZoneKind::Package, "CounterOnly", counters, 5.6),
        (ZoneKind::Package, "BPFOnly", bpf, 13.7),
        (ZoneKind::Dram, "Basic", all, 1.25),
    ] {
        let component = component_name(zone);
        let data = dataset(&table, features, zone)?;
        let recipe = Algorithm::Ensemble.recipe();
        let held = cross_validate(&recipe, &data, zone, &folds, Validation { intervals: true, ..how })?;
        push(ComparisonRow {
            task: format!("nx12 {component}, {group}, blocked 10-fold"),
            recipe: recipe.name.clone(),
            reference: reference(folder, group, component)?,
            bar: Some(bar),
            score: score(component, "blocked 10-fold", &held),
        });
    }
    // Kinds of work that the model has never seen: a fifth of the rows at a time, by instructions per cycle.
    let data = dataset(&table, all, ZoneKind::Package)?;
    let recipe = Algorithm::Ensemble.recipe();
    let folds = by_group(&bands(table.numbers("cpu_instructions")?, table.numbers("cpu_cycles")?));
    let held = cross_validate(&recipe, &data, ZoneKind::Package, &folds, Validation { intervals: true, ..how })?;
    push(ComparisonRow {
        task: "nx12 package, Basic, leave out a fifth by instructions per cycle".to_owned(),
        recipe: recipe.name.clone(),
        reference: None,
        bar: Some(15.0),
        score: score("package", "leave one workload band out", &held),
    });
    // The same by all that is counted.
    for recipe in [Algorithm::Ensemble, Algorithm::Lines, Algorithm::Nnls, Algorithm::Trees].map(Algorithm::recipe) {
        let folds = by_group(&behaviour(&data));
        let held = cross_validate(&recipe, &data, ZoneKind::Package, &folds, Validation { intervals: true, ..how })?;
        push(ComparisonRow {
            task: format!("nx12 package, Basic, leave one kind of work out ({})", folds.len()),
            recipe: recipe.name.clone(),
            reference: None,
            bar: (recipe.name == "ensemble").then_some(15.0),
            score: score("package", "leave one kind of work out", &held),
        });
    }
    Ok(())
}

fn dataset(table: &Table, features: &[&str], zone: ZoneKind) -> Result<Dataset, TrainError> {
    let features: Vec<String> = features.iter().map(|&feature| feature.to_owned()).collect();
    Dataset::of(table, &features, &[(zone, format!("{}_power", component_name(zone)))])
}

/// The blocks that come with the rows.
fn folds(folder: &Folder) -> Result<Vec<Fold>, TrainError> {
    const FILE: &str = "nx12/nx12_blocked10.json";
    let json = folder.json(FILE)?;
    let fold = |range: &serde_json::Value| {
        let end = |index: usize| usize::try_from(range.get(index)?.as_u64()?).ok();
        Some((end(0)?..=end(1)?).collect())
    };
    let ranges = json.get("test_ranges").and_then(serde_json::Value::as_array);
    let folds: Option<Vec<Fold>> = ranges.and_then(|ranges| ranges.iter().map(fold).collect());
    let what = "no test_ranges".to_owned();
    folds.ok_or_else(|| TrainError::Declaration { name: FILE.to_owned(), what })
}

/// The reference's best on the same blocks.
fn reference(folder: &Folder, group: &str, component: &str) -> Result<Option<(f64, String)>, TrainError> {
    let text = folder.text("nx12/reference_trainer_results.csv")?;
    let wanted = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let is = |index: usize, value: &str| fields.get(index) == Some(&value);
        if !(is(0, "rapl") && is(1, "abs") && is(2, group) && is(3, "blocked") && is(5, component)) {
            return None;
        }
        Some((fields.get(7)?.parse::<f64>().ok()?, (*fields.get(4)?).to_owned()))
    };
    Ok(text.lines().filter_map(wanted).min_by(|a, b| a.0.total_cmp(&b.0)))
}

/// Which fifth of all rows each row is in, by instructions per cycle.
fn bands(instructions: &[f64], cycles: &[f64]) -> Vec<usize> {
    let rates: Vec<f64> = instructions.iter().zip(cycles).map(|(i, c)| i / c.max(1.0)).collect();
    let mut sorted = rates.clone();
    sorted.sort_by(f64::total_cmp);
    let edges: Vec<f64> = (1..BANDS).filter_map(|band| sorted.get(band * sorted.len() / BANDS)).copied().collect();
    rates.iter().map(|rate| edges.partition_point(|edge| edge <= rate)).collect()
}
