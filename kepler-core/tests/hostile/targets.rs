//! What must withstand any bytes, one function for each way in which foreign files are read. `fuzz/` and
//! `hostile_models.rs` run the same.
#![allow(dead_code, reason = "each fuzz target runs one")]

use kepler_core::model::{Catalogue, FeatureGroup, Model, OutputType};
use std::fs;

/// A function that must come back, whatever it is given.
pub(crate) type Target = fn(&[u8]);

/// Names that each promise another kind of model.
const NAMES: [&str; 6] = [
    "model",
    "SGDRegressorTrainer_0",
    "LogarithmicRegressionTrainer_1",
    "LogisticRegressionTrainer_2",
    "ExponentialRegressionTrainer_3",
    "XgboostFitTrainer_4",
];
const MAP: &str =
    r#"{"package": {"model_file": "package.json", "features": ["bpf_cpu_time_ms", "bpf_page_cache_hit"]}}"#;
const SCALER: &str =
    r#"{"type": "MaxAbsScaler", "features": ["bpf_cpu_time_ms", "bpf_page_cache_hit"], "scale": [8000.0, 1.0]}"#;
const LEAF: &str = r#"{"learner": {"gradient_booster": {"name": "gbtree", "model": {"trees": [{"left_children": [-1],
    "right_children": [-1], "split_indices": [0], "split_conditions": [5.0], "default_left": [0], "tree_param": {"num_nodes": "1"}}],
    "tree_info": [0]}}, "learner_model_param": {"base_score": "5E1", "num_feature": "2"}, "objective": {"name": "reg:squarederror"}}}"#;

/// A weight file, a component map or a file in our own format.
pub(crate) fn weights(bytes: &[u8]) {
    for name in NAMES {
        if let Ok(model) = Model::from_json(name, bytes) {
            exercise(&model);
        }
    }
}

/// XGBoost's trees beside a sound component map.
pub(crate) fn trees(bytes: &[u8]) {
    directory(&[
        ("XgboostFitTrainer_0.json", MAP.as_bytes()),
        ("scaler.decoded.json", SCALER.as_bytes()),
        ("package.json", bytes),
    ]);
}

/// A component map beside sound trees.
pub(crate) fn map(bytes: &[u8]) {
    directory(&[
        ("XgboostFitTrainer_0.json", bytes),
        ("scaler.decoded.json", SCALER.as_bytes()),
        ("package.json", LEAF.as_bytes()),
    ]);
}

/// The decoded scaler beside both.
pub(crate) fn scaler(bytes: &[u8]) {
    directory(&[
        ("XgboostFitTrainer_0.json", MAP.as_bytes()),
        ("scaler.decoded.json", bytes),
        ("package.json", LEAF.as_bytes()),
    ]);
}

/// The zip of a model.
pub(crate) fn archive(bytes: &[u8]) {
    if let Ok(model) = Model::from_zip("XgboostFitTrainer_0", bytes) {
        exercise(&model);
    }
}

/// What a pipeline says of itself and of its machines.
pub(crate) fn index(bytes: &[u8]) {
    let model = format!(
        "rapl-sysfs/{}/{}/SGDRegressorTrainer_0.json",
        OutputType::AbsPower.name(),
        FeatureGroup::BpfOnly.name()
    );
    FOLDER.with(|folder| {
        let pipeline = folder.path().join("pipeline");
        fs::create_dir_all(pipeline.join(model)).expect("a directory that is no model");
        for name in ["node_type_index.json", "metadata.json"] {
            let path = pipeline.join(name);
            fs::write(&path, bytes).expect("a file in it");
            if let Ok(catalogue) = Catalogue::open(&pipeline) {
                let all = catalogue.entries().iter();
                assert!(all.filter_map(|entry| entry.load().ok()).next().is_none(), "a directory was read as a model");
            }
            fs::remove_file(path).expect("it is there");
        }
    });
}

thread_local! {
    /// Made once: making directories takes longer than reading them.
    static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a temporary directory");
}

fn directory(files: &[(&str, &[u8])]) {
    FOLDER.with(|folder| {
        let directory = folder.path().join("XgboostFitTrainer_0");
        fs::create_dir_all(&directory).expect("a directory in it");
        for (name, content) in files {
            fs::write(directory.join(name), content).expect("a file in it");
        }
        if let Ok(model) = Model::load(directory) {
            exercise(&model);
        }
    });
}

/// What was read must be usable: a number within what is plausible, none, or a named error.
fn exercise(model: &Model) {
    let width = model.features().len();
    let mut rows = Vec::new();
    for value in [0.0, -1.0, 1e300, -1e300, 5e-324, 1e5, f64::NAN] {
        let row = vec![value; width];
        if let Ok(prediction) = model.predict(&row) {
            for component in model.components() {
                let power = prediction.power(component.zone());
                assert!(power.is_none_or(|power| (0.0..=1e6).contains(&power.watts())), "{power:?} for {value}");
                if let Some(interval) = model.interval(&row, &prediction, component.zone()) {
                    assert!(interval.lower.watts() >= 0.0, "{interval:?} for {value}");
                }
            }
            rows.extend(row);
        }
        let _ = model.outside(&vec![value; width]);
    }
    let _ = model.predict_batch(&rows, std::num::NonZeroUsize::MIN, &mut Vec::new());
}
