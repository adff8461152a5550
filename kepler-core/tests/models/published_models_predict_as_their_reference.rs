//! Published models give what the libraries gave that made them (`golden_predictions.json`), and all of them load.
//!
//! Reads `models/kepler-model-db` under `KEPLER_SHARED_DATA`; where that is not, each test says so and is skipped.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking and say what they skip"
)]

use kepler_core::model::{
    Catalogue, Conversion, EnergySource, Machine, Model, ModelRequest, NoModel, OutputType, Quantity, Semantics,
    Trainer,
};
use kepler_core::units::ZoneKind;
use serde_json::Value;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

fn database() -> Option<PathBuf> {
    let folder = std::env::var_os("KEPLER_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from)
        .join("models/kepler-model-db");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: no {}; set KEPLER_SHARED_DATA", folder.display());
    None
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn zone(component: &str) -> ZoneKind {
    if component == "platform" { ZoneKind::Psys } else { component.parse().unwrap() }
}

#[test]
fn golden_predictions_are_repeated() {
    let Some(database) = database() else { return };
    let golden: Value = serde_json::from_slice(&fs::read(database.join("golden_predictions.json")).unwrap()).unwrap();
    let (mut weights, mut trees) = (0, 0);
    for case in golden.as_array().unwrap() {
        let kind = case["kind"].as_str().unwrap();
        // Pickles of scikit-learn are programs, and not read.
        if kind == "scikit" {
            continue;
        }
        let name = case["model"].as_str().unwrap();
        // Archives lie here unpacked.
        let model = Model::load(database.join(name.trim_end_matches(".zip"))).unwrap();
        let features: Vec<&str> =
            case["features"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(model.features(), features);
        let rows: Vec<Vec<f64>> = case["X"].as_array().unwrap().iter().map(numbers).collect();
        let mut batch = Vec::new();
        model.predict_batch(&rows.concat(), NonZeroUsize::MIN, &mut batch).unwrap();
        let tolerance = |expected: f64| if kind == "xgboost" { 2e-4 } else { 1e-9 * expected.abs() };
        for (component, expected) in case["raw"].as_object().unwrap() {
            let described = model.components().iter().find(|described| described.zone() == zone(component)).unwrap();
            for (row, expected) in rows.iter().zip(numbers(expected)) {
                let raw = described.raw(row);
                assert!(
                    (raw - expected).abs() <= tolerance(expected),
                    "{name} {component} {row:?}: {raw} not {expected}"
                );
            }
        }
        for (component, expected) in case["clipped_at_0"].as_object().unwrap() {
            for ((row, expected), in_batch) in rows.iter().zip(numbers(expected)).zip(&batch) {
                // The golden file stops before core is derived from package and uncore.
                if component == "core" && expected == 0.0 {
                    continue;
                }
                let power = model.predict(row).unwrap().power(zone(component)).unwrap();
                assert!((power.watts() - expected).abs() <= tolerance(expected), "{name} {component} {row:?}");
                assert_eq!(in_batch.power(zone(component)), Some(power), "{name}");
            }
        }
        if kind == "xgboost" { trees += 1 } else { weights += 1 }
    }
    assert_eq!((weights, trees), (6, 2), "golden cases that were compared");
}

#[test]
fn every_published_file_loads_and_predicts_watts() {
    let Some(database) = database() else { return };
    let catalogue = Catalogue::open(&database).unwrap();
    assert!(catalogue.entries().len() >= 60, "{}", catalogue.entries().len());
    assert_eq!(catalogue.skipped(), []);
    for entry in catalogue.entries() {
        assert!(entry.machine.is_some(), "{}", entry.path.display());
        let model = entry.load().unwrap();
        assert_eq!((model.trainer(), model.node_type()), (entry.trainer, Some(entry.node_type)));
        assert_ne!(model.semantics(), Semantics::Undeclared);
        // Idle, and as in training at most.
        let idle = model.predict(&vec![0.0; model.features().len()]).unwrap();
        for component in model.components() {
            assert!(idle.power(component.zone()).is_some(), "{} {:?}", entry.path.display(), component.zone());
        }
    }
}

#[test]
fn weights_embedded_in_kepler_0_9_load_by_their_model_name() {
    let Some(database) = database() else { return };
    let file = |name: &str| database.join("kepler-0.9-embedded").join(name);
    let model = Model::load(file("intel_rapl_AbsPowerModel.json")).unwrap();
    assert_eq!((model.trainer(), model.node_type()), (Trainer::Sgd, Some(0)));
    // Its features are not declared, so none are fed to it.
    assert_eq!(model.semantics(), Semantics::Undeclared);
    assert!(model.bind(&[Quantity::CpuTime, Quantity::PageCacheHits], Conversion::Allow { threads: 96 }).is_err());
    // The old default: 143.8 W for an idle machine of any size.
    let power = model.predict(&[0.0, 0.0]).unwrap().power(ZoneKind::Package).unwrap();
    assert!((power.watts() - 143.812_063_245_066_58).abs() < 1e-9);
    for name in ["intel_rapl_DynPowerModel.json", "acpi_AbsPowerModel.json", "acpi_DynPowerModel.json"] {
        assert!(Model::load(file(name)).is_ok(), "{name}");
    }
}

#[test]
fn machines_find_their_models_and_strangers_none() {
    let Some(database) = database() else { return };
    let catalogue = Catalogue::open(&database).unwrap();
    let mut machine = Machine::with_processor("Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz");
    (machine.cores, machine.threads, machine.chips) = (Some(36), Some(72), Some(2));
    (machine.memory_gib, machine.frequency_mhz) = (Some(503.7), Some(3000.0));
    let given = [Quantity::CpuTime, Quantity::CpuCycles, Quantity::CpuInstructions, Quantity::CacheMisses];
    let mut request = ModelRequest::new(EnergySource::RaplSysfs, OutputType::AbsPower, &machine, &given);
    // True counters do not fit what was recorded.
    let refused = catalogue.best_for(&request).unwrap_err();
    assert!(refused.to_string().contains("exporter 0.7.11"), "{refused}");
    request.conversion = Conversion::Allow { threads: 72 };
    let selection = catalogue.best_for(&request).unwrap();
    assert_eq!((selection.entry.node_type, selection.distance), (1, 0.0), "{}", selection.reason);
    assert_eq!(selection.model.trainer(), Trainer::Sgd);

    let mut stranger = Machine::with_processor("AMD Ryzen 7 5800X");
    (stranger.threads, stranger.chips) = (Some(8), Some(1));
    request.machine = &stranger;
    let none = catalogue.best_for(&request);
    assert!(matches!(none, Err(NoModel { nearest: Some(_), .. })), "{none:?}");
}
