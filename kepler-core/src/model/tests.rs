//! Every format, on small models whose results are computed by hand.

use super::*;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/rack-0.7.11").join(path)
}

fn load(path: &str) -> Model {
    Model::load(fixture(path)).unwrap()
}

fn raw(model: &Model, zone: ZoneKind, features: &[f64]) -> f64 {
    model.components().iter().find(|component| component.zone() == zone).unwrap().raw(features)
}

fn watts(model: &Model, zone: ZoneKind, features: &[f64]) -> f64 {
    model.predict(features).unwrap().power(zone).unwrap().watts()
}

/// A package of linear weights with one thing replaced.
fn linear_with(from: &str, to: &str) -> Result<Model, ModelError> {
    let json = r#"{"package": {"All_Weights": {"Bias_Weight": 20.0, "Categorical_Variables": {},
        "Numerical_Variables": {"bpf_cpu_time_ms": {"scale": 8000.0, "weight": 100.0}}}}}"#;
    assert!(json.contains(from), "{from}");
    Model::from_json("SGDRegressorTrainer_0", json.replace(from, to).as_bytes())
}

fn curve(trainer: &str, parameters: &str) -> Result<Model, ModelError> {
    let json = format!(
        r#"{{"package": {{"All_Weights": {{"Numerical_Variables": {{"cpu_instructions": {{"scale": 2.0}}}}, "CurveFit_Weights": {parameters}}}}}}}"#
    );
    Model::from_json(trainer, json.as_bytes())
}

fn fault(result: Result<Model, ModelError>) -> ModelFault {
    result.unwrap_err().fault
}

#[test]
fn linear_weights_are_bias_and_scaled_sum() {
    let model = load("rapl-sysfs/AbsPower/BPFOnly/SGDRegressorTrainer_0.json");
    assert_eq!(model.features(), ["bpf_cpu_time_ms", "bpf_page_cache_hit"]);
    assert_eq!((model.trainer(), model.node_type()), (Trainer::Sgd, Some(0)));
    let row = [4000.0, 25.0];
    assert_eq!(watts(&model, ZoneKind::Package, &row), 20.0 + 50.0 + 2.0);
    assert_eq!(watts(&model, ZoneKind::Dram, &row), 2.0 + 2.0 + 0.5);
    assert_eq!(raw(&model, ZoneKind::Core, &row), 0.0);
    assert_eq!(watts(&model, ZoneKind::Core, &row), 72.0);
    assert_eq!(model.predict(&row).unwrap().power(ZoneKind::Uncore), None);
}

#[test]
fn curves_are_functions_of_their_main_feature() {
    let logarithmic = load("rapl-sysfs/AbsPower/BPFOnly/LogarithmicRegressionTrainer_0.json");
    assert_eq!(raw(&logarithmic, ZoneKind::Package, &[4000.0, 1e9]), 10.0 * 2f64.ln() + 5.0);
    assert_eq!(raw(&logarithmic, ZoneKind::Dram, &[1e9, 50.0]), 1.5f64.ln() + 3.0);
    let logistic = load("acpi/AbsPower/BPFOnly/LogisticRegressionTrainer_0.json");
    assert_eq!(raw(&logistic, ZoneKind::Psys, &[4000.0, 0.0]), 150.0);
    // With counters there, these are the main features.
    let exponential = load("rapl-sysfs/AbsPower/Basic/ExponentialRegressionTrainer_0.json");
    let row = [8000.0, 100.0, 5e5, 2e9, 4e9];
    let expected = 1e6 * 1e-4f64.exp() - 999_900.0;
    assert_eq!(raw(&exponential, ZoneKind::Package, &row), expected);
    assert!((expected - 200.005).abs() < 1e-6);
    assert_eq!(raw(&exponential, ZoneKind::Dram, &row), 2.0 * 0.5f64.exp());
}

#[test]
fn trees_go_left_below_the_threshold_and_by_default_where_a_feature_is_missing() {
    let model = load("rapl-sysfs/AbsPower/BPFOnly/XgboostFitTrainer_0");
    let cases = [
        ([0.0, 0.0], 100.0 + 10.0 - 1.0),
        ([0.0, 25.0], 100.0 + 20.0 - 1.0),
        ([4000.0, 0.0], 100.0 + 30.0 - 1.0),
        ([8000.0, 0.0], 100.0 + 30.0 + 2.0),
        // Missing CPU time goes right in the first tree and left in the second; missing hits go left.
        ([f64::NAN, 0.0], 100.0 + 30.0 - 1.0),
        ([0.0, f64::NAN], 100.0 + 10.0 - 1.0),
        // Infinite in 32 bits, finite in 64.
        ([1e300, 0.0], 100.0 + 30.0 + 2.0),
        ([-1e300, -1e300], 100.0 + 10.0 - 1.0),
    ];
    let mut batch = Vec::new();
    for (row, expected) in cases {
        assert_eq!(watts(&model, ZoneKind::Package, &row), expected, "{row:?}");
        assert_eq!(watts(&model, ZoneKind::Dram, &row), 5.0);
        model.predict_batch(&row, NonZeroUsize::MIN, &mut batch).unwrap();
        assert_eq!(batch[0].power(ZoneKind::Package).unwrap().watts(), expected, "{row:?}");
    }
}

#[test]
fn xgboost_3_and_scales_of_a_sibling_are_read() {
    let model = load("rapl-sysfs/AbsPower/BPFOnly/XgboostFitTrainer_1/XgboostFitTrainer_1.json");
    assert_eq!(watts(&model, ZoneKind::Package, &[8000.0, 0.0]), 100.0 + 30.0 + 2.0 + 5.0);
    assert_eq!(model.semantics(), Semantics::Exporter0711);
}

#[test]
fn a_categorical_variable_must_be_chosen() {
    let mut model = linear_with(
        r#""Categorical_Variables": {}"#,
        r#""Categorical_Variables": {"cpu_architecture": {"Sky Lake": {"weight": 7.0}, "Broadwell": {"weight": 1.0}}}"#,
    )
    .unwrap();
    assert_eq!(model.predict(&[0.0]).unwrap_err(), PredictError::Category("cpu_architecture".to_owned()));
    assert!(model.choose_category("cpu_architecture", "Z80").is_err());
    model.choose_category("cpu_architecture", "Sky Lake").unwrap();
    assert_eq!(watts(&model, ZoneKind::Package, &[0.0]), 27.0);
    assert!(model.choose_category("cpu_architecture", "Sky Lake").is_err(), "chosen twice");
    assert_eq!(model.open_categories().count(), 0);
}

#[test]
fn unusable_weights_are_named() {
    for scale in ["0.0", "-8000.0", "1e-320"] {
        assert!(matches!(fault(linear_with("8000.0", scale)), ModelFault::Number { .. }), "{scale}");
    }
    assert!(
        matches!(fault(linear_with("\"Bias_Weight\": 20.0,", "")), ModelFault::Missing { what, .. } if what == "Bias_Weight")
    );
    assert!(matches!(fault(linear_with(", \"weight\": 100.0", "")), ModelFault::Missing { .. }));
    assert!(matches!(fault(linear_with("20.0", "NaN")), ModelFault::Json(_)));
    assert!(matches!(fault(linear_with("20.0", "1e999")), ModelFault::Json(_)));
    assert!(matches!(fault(linear_with("package", "gpu")), ModelFault::NoComponents));
    assert!(matches!(
        fault(linear_with("\"bpf_cpu_time_ms\": {\"scale\": 8000.0, \"weight\": 100.0}", "")),
        ModelFault::Missing { .. }
    ));
}

#[test]
fn the_trainer_of_a_curve_must_be_known_and_fit() {
    assert!(
        matches!(fault(curve("MysteryTrainer_0", "[1, 2, 3]")), ModelFault::UnknownTrainer(name) if name == "MysteryTrainer_0")
    );
    assert!(matches!(
        fault(curve("LogisticRegressionTrainer_0", "[1, 2, 3]")),
        ModelFault::CurveWeights { expected: 4, found: 3, .. }
    ));
    assert!(matches!(fault(curve("SGDRegressorTrainer_0", "[1, 2, 3]")), ModelFault::TrainerMismatch { .. }));
    let json = fs::read(fixture("rapl-sysfs/AbsPower/BPFOnly/SGDRegressorTrainer_0.json")).unwrap();
    assert!(matches!(
        fault(Model::from_json("LogisticRegressionTrainer_0", &json)),
        ModelFault::TrainerMismatch { .. }
    ));
    // Linear weights need no name, and the name in the file is as good as the file's.
    assert_eq!(Model::from_json("anything", &json).unwrap().trainer(), Trainer::Linear);
    let json = fs::read(fixture("acpi/DynPower/BPFOnly/SGDRegressorTrainer_0.json")).unwrap();
    assert_eq!(Model::from_json("anything", &json).unwrap().trainer(), Trainer::Sgd);
}

#[test]
fn absurd_curves_are_clipped_or_absent_and_counted() {
    let explosion = curve("ExponentialRegressionTrainer_0", "[1, 1, 0]").unwrap();
    let prediction = explosion.predict(&[1e6]).unwrap();
    assert_eq!(prediction.power(ZoneKind::Package), Some(explosion.ceiling(ZoneKind::Package)));
    assert_eq!(prediction.clipped(), 1);
    let explosion = explosion.with_chips(1);
    assert_eq!(watts(&explosion, ZoneKind::Package, &[1e6]), 1500.0);
    let outside = curve("LogarithmicRegressionTrainer_0", "[1, -1, 0]").unwrap();
    let prediction = outside.predict(&[1e6]).unwrap();
    assert_eq!((prediction.power(ZoneKind::Package), prediction.clipped()), (None, 1));
    assert_eq!(outside.predict(&[0.0]).unwrap().clipped(), 0);
}

#[test]
fn vectors_of_wrong_length_or_with_holes_are_refused() {
    let model = load("rapl-sysfs/AbsPower/BPFOnly/SGDRegressorTrainer_0.json");
    assert_eq!(model.predict(&[1.0]).unwrap_err(), PredictError::Length { expected: 2, found: 1 });
    assert_eq!(model.predict(&[1.0, f64::NAN]).unwrap_err(), PredictError::NotFinite { row: 0, feature: 1 });
    let mut batch = Vec::new();
    let refused = model.predict_batch(&[0.0, 0.0, f64::INFINITY, 0.0], NonZeroUsize::MIN, &mut batch).unwrap_err();
    assert_eq!(refused, PredictError::NotFinite { row: 1, feature: 0 });
    assert!(batch.is_empty());
    assert!(model.predict_batch(&[0.0; 3], NonZeroUsize::MIN, &mut batch).is_err());
    let trees = load("rapl-sysfs/AbsPower/BPFOnly/XgboostFitTrainer_0");
    assert!(trees.predict(&[f64::INFINITY, 0.0]).is_err());
}

/// The directory of the tree model, copied, with one thing in one file replaced.
fn trees_with(file: &str, from: &str, to: &str) -> ModelFault {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("XgboostFitTrainer_0");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(fixture("rapl-sysfs/AbsPower/BPFOnly/XgboostFitTrainer_0")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap();
        let changed = if name == file { text.replace(from, to) } else { text.clone() };
        assert!(name != file || changed != text, "{from}");
        fs::write(copy.join(name), changed).unwrap();
    }
    fault(Model::load(copy))
}

#[test]
fn trees_that_are_no_trees_are_refused() {
    let tree = |from, to| match trees_with("package.json", from, to) {
        ModelFault::Tree { zone: ZoneKind::Package, tree, fault } => (tree, fault),
        other => panic!("{other}"),
    };
    let left = r#""left_children": [1, 3, -1, -1, -1]"#;
    assert_eq!(tree(left, r#""left_children": [0, 3, -1, -1, -1]"#), (0, TreeFault::Cyclic(0)));
    assert_eq!(tree(left, r#""left_children": [1, 1, -1, -1, -1]"#), (0, TreeFault::Cyclic(1)));
    assert_eq!(tree(left, r#""left_children": [2, 3, -1, -1, -1]"#), (0, TreeFault::Cyclic(2)));
    assert_eq!(tree(left, r#""left_children": [1, 99, -1, -1, -1]"#), (0, TreeFault::Child(1)));
    assert_eq!(tree(left, r#""left_children": [1, -2, -1, -1, -1]"#), (0, TreeFault::Child(1)));
    assert_eq!(tree(left, r#""left_children": [1, 3, -1, -1]"#), (0, TreeFault::Truncated));
    assert_eq!(tree(r#""right_children": [2, -1, -1]"#, r#""right_children": [-1, -1, -1]"#), (1, TreeFault::Child(0)));
    assert_eq!(tree(r#""num_nodes": "5""#, r#""num_nodes": "7""#), (0, TreeFault::Truncated));
    assert_eq!(
        tree(r#""split_indices": [0, 1, 0, 0, 0]"#, r#""split_indices": [0, 2, 0, 0, 0]"#),
        (0, TreeFault::Feature(1))
    );
    assert_eq!(tree(r#""split_type": [0, 0, 0]"#, r#""split_type": [1, 0, 0]"#), (1, TreeFault::Categorical));
    // Not a number, not one in 32 bits.
    for number in ["NaN", "1e39", "-1e39"] {
        assert!(matches!(trees_with("package.json", "0.75", number), ModelFault::Json(_)), "{number}");
    }
}

#[test]
fn variants_of_xgboost_that_would_predict_otherwise_are_refused() {
    let changes = [
        ("\"gbtree\"", "\"dart\""),
        ("reg:squarederror", "reg:logistic"),
        (r#""num_target": "1""#, r#""num_target": "2""#),
        (r#""num_feature": "2", "num_target""#, r#""num_feature": "3", "num_target""#),
        (r#""feature_names": []"#, r#""feature_names": ["bpf_page_cache_hit", "bpf_cpu_time_ms"]"#),
        (r#""base_score": "1E2""#, r#""base_score": "[1E2,2E2]""#),
        (r#""base_score": "1E2""#, r#""base_score": "NaN""#),
        (r#""tree_info": [0, 0]"#, r#""tree_info": [0, 1]"#),
    ];
    for (from, to) in changes {
        assert!(matches!(trees_with("package.json", from, to), ModelFault::Unsupported { .. }), "{to}");
    }
}

#[test]
fn a_component_map_reaches_nothing_outside_its_directory() {
    let map = "XgboostFitTrainer_0.json";
    for name in ["../package.json", "/etc/passwd", "..", "", "a/../package.json", "./package.json", "package.json/"] {
        assert!(matches!(trees_with(map, "package.json", name), ModelFault::FileName { .. }), "{name}");
    }
    assert!(matches!(trees_with(map, "package.json", "nothing.json"), ModelFault::Read(_)));
    assert!(matches!(trees_with("scaler.decoded.json", "8000.0", "0.0"), ModelFault::Number { .. }));
    assert!(matches!(trees_with("scaler.decoded.json", "bpf_page_cache_hit", "other"), ModelFault::Missing { .. }));
    assert!(matches!(
        trees_with("scaler.decoded.json", "MaxAbsScaler", "StandardScaler"),
        ModelFault::Unsupported { .. }
    ));
    let bare = Model::load(fixture("rapl-sysfs/AbsPower/BPFOnly/XgboostFitTrainer_0/package.json"));
    assert!(matches!(fault(bare), ModelFault::BareTrees));
}

#[test]
fn more_than_any_model_has_is_not_read() {
    let many: Vec<String> =
        (0..=MAX_FEATURES).map(|number| format!(r#""f{number}": {{"scale": 1.0, "weight": 0.0}}"#)).collect();
    let refused = linear_with("\"bpf_cpu_time_ms\": {\"scale\": 8000.0, \"weight\": 100.0}", &many.join(","));
    assert!(matches!(fault(refused), ModelFault::Limit { what: "features", .. }));
    // The same name again and again is one feature of the model, but not of the trees.
    let names = vec!["\"bpf_cpu_time_ms\""; MAX_FEATURES + 1].join(",");
    let refused =
        trees_with("XgboostFitTrainer_0.json", r#"["bpf_cpu_time_ms", "bpf_page_cache_hit"]"#, &format!("[{names}]"));
    assert!(matches!(refused, ModelFault::Limit { what: "features of trees", .. }), "{refused}");
    let bytes = vec![b' '; MAX_FILE_BYTES as usize + 1];
    assert!(matches!(fault(Model::from_json("x", &bytes)), ModelFault::Limit { what: "bytes", .. }));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("SGDRegressorTrainer_0.json");
    fs::write(&file, bytes).unwrap();
    assert!(matches!(fault(Model::load(&file)), ModelFault::Limit { what: "bytes", .. }));
    assert!(matches!(fault(Model::load("/dev/zero")), ModelFault::NotAFile));
    assert!(matches!(fault(Model::load(folder.path().join("nothing.json"))), ModelFault::Read(_)));
    assert!(matches!(fault(Model::from_json("x", "[".repeat(100_000).as_bytes())), ModelFault::Json(_)));
}

proptest! {
    #[test]
    fn a_batch_says_what_single_predictions_say(
        rows in proptest::collection::vec((-1e4..2e4f64, prop_oneof![0.0..200.0, Just(f64::NAN)]), 0..300),
        threads in 1..4usize,
    ) {
        let flat: Vec<f64> = rows.iter().flat_map(|&(time, hits)| [time, hits]).collect();
        let model = load("rapl-sysfs/AbsPower/BPFOnly/XgboostFitTrainer_0");
        let mut batch = Vec::new();
        model.predict_batch(&flat, NonZeroUsize::new(threads).unwrap(), &mut batch).unwrap();
        prop_assert_eq!(batch.len(), rows.len());
        for (row, prediction) in flat.chunks_exact(2).zip(&batch) {
            let single = model.predict(row).unwrap();
            for zone in ZoneKind::ALL {
                prop_assert_eq!(prediction.power(zone), single.power(zone));
            }
        }
    }

    #[test]
    fn predictions_lie_between_zero_and_the_ceiling(features in proptest::array::uniform2(proptest::num::f64::NORMAL)) {
        for name in ["SGDRegressorTrainer_0.json", "LogarithmicRegressionTrainer_0.json", "XgboostFitTrainer_0"] {
            let model = load(&format!("rapl-sysfs/AbsPower/BPFOnly/{name}"));
            let prediction = model.predict(&features).unwrap();
            for component in model.components() {
                if let Some(power) = prediction.power(component.zone()) {
                    prop_assert!(power.watts() >= 0.0 && power <= model.ceiling(component.zone()), "{name}: {power:?}");
                }
            }
        }
    }
}

#[test]
fn many_rows_are_shared_among_threads_in_order() {
    let model = load("rapl-sysfs/AbsPower/BPFOnly/SGDRegressorTrainer_0.json");
    let rows: Vec<f64> = (0..10_000).flat_map(|row| [f64::from(row), 0.0]).collect();
    let mut batch = Vec::new();
    for threads in [1, 2, 3, 64] {
        model.predict_batch(&rows, NonZeroUsize::new(threads).unwrap(), &mut batch).unwrap();
        assert_eq!(batch.len(), 10_000);
        for (row, prediction) in rows.chunks_exact(2).zip(&batch) {
            assert_eq!(prediction.power(ZoneKind::Package), model.predict(row).unwrap().power(ZoneKind::Package));
        }
    }
}
