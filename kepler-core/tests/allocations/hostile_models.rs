//! Thousands of damaged model files for every loader, the same ones every time. Whatever they hold: reading them ends, takes
//! memory and allocations within a small multiple of the file's size, and what was read predicts something plausible.
//!
//! `KEPLER_HOSTILE_CASES` says how many for each loader; `KEPLER_HOSTILE_SEED` begins with others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot lay out its files fails, and says what it skips"
)]

use crate::attack::{attack, bounded};
use crate::targets::{self, Target};
use kepler_core::model::format::{
    Component, Curve, Document, Feature, Function, IntervalKnots, Linear, Neighbours, Shape, Support, Term, Tree, Trees,
};
use kepler_core::model::{Card, MAX_FILE_BYTES};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

/// Damaged files for each loader.
const CASES: u64 = 1500;

fn fixture(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/rack-0.7.11").join(path)).unwrap()
}

fn group(path: &str) -> Vec<u8> {
    fixture(&format!("rapl-sysfs/AbsPower/{path}"))
}

/// A file in our own format that has everything.
fn own() -> Vec<u8> {
    let feature = |name: &str| Feature { name: name.to_owned(), lower: 0.0, upper: 20.0 };
    let tree = Tree { left: vec![1, 0, 0], input: vec![0, 0, 0], condition: vec![10.0, 1.0, 2.0] };
    let neighbours = Neighbours {
        count: 2,
        scales: vec![1.0; 3],
        rows: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        targets: vec![5.0, 7.0],
    };
    let curve = Curve { shape: Shape::Logarithmic, input: 0, scale: 10.0, weights: vec![40.0, 1.0, 20.0] };
    let component = Component {
        per: Some(1),
        terms: vec![
            Term { weight: 0.5, function: Function::Trees(Trees { base: 100.0, trees: vec![tree.clone(), tree] }) },
            Term { weight: 1.0, function: Function::Linear(Linear { bias: 1.0, coefficients: vec![0.5, 0.0, 2.0] }) },
            Term { weight: 1.0, function: Function::Neighbours(neighbours) },
            Term { weight: 1.0, function: Function::Curve(curve) },
        ],
        interval: Some(IntervalKnots { confidence: 0.9, knots: vec![[0.0, 4.0, 6.0], [50.0, 5.0, 7.0]], far: 0.0 }),
    };
    let document = Document {
        features: vec![feature("bpf_cpu_time_ms"), feature("threads")],
        inputs: vec![vec![(0, 1)], vec![(1, 1)], vec![(0, 1), (1, -1)]],
        components: BTreeMap::from([("package".to_owned(), component.clone()), ("dram".to_owned(), component)]),
        support: Some(Support {
            scales: vec![1.0; 3],
            floors: Vec::new(),
            rows: vec![10.0, 0.0, 1.0],
            reach: 5.0,
            growth: 1.0,
        }),
        card: Some(Card { trainer: "ensemble".to_owned(), ..Card::default() }),
        ..Document::default()
    };
    serde_json::to_vec(&document).unwrap()
}

fn zipped(directory: &str) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for file in ["XgboostFitTrainer_0.json", "package.json", "scaler.decoded.json"] {
        writer.start_file(file, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(&group(&format!("{directory}/{file}"))).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A published tree model, if it is there.
fn published() -> Option<Vec<u8>> {
    let folder = std::env::var_os("KEPLER_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let model = "models/kepler-model-db/specpower-0.7.11/acpi/AbsPower/BPFOnly/XgboostFitTrainer_109/platform.json";
    let bytes = fs::read(folder.join(model)).ok();
    if bytes.is_none() {
        println!("SKIPPED: no {model} in {}; set KEPLER_SHARED_DATA", folder.display());
    }
    bytes
}

#[test]
fn weights_and_our_own_format() {
    let files = vec![
        own(),
        group("BPFOnly/SGDRegressorTrainer_0.json"),
        group("BPFOnly/LogarithmicRegressionTrainer_0.json"),
        group("Basic/ExponentialRegressionTrainer_0.json"),
        group("BPFOnly/XgboostFitTrainer_0/XgboostFitTrainer_0.json"),
        fixture("acpi/AbsPower/BPFOnly/LogisticRegressionTrainer_0.json"),
    ];
    // Read under six names.
    attack("weights", targets::weights, files, CASES, 6);
}

#[test]
fn trees() {
    attack("trees", targets::trees, vec![group("BPFOnly/XgboostFitTrainer_0/package.json")], CASES, 1);
    // Hundreds of kilobytes, read unoptimised.
    if let Some(published) = published() {
        attack("published trees", targets::trees, vec![published], 20, 1);
    }
}

#[test]
fn component_maps_and_scalers() {
    attack("map", targets::map, vec![group("BPFOnly/XgboostFitTrainer_0/XgboostFitTrainer_0.json")], CASES, 1);
    attack("scaler", targets::scaler, vec![group("BPFOnly/XgboostFitTrainer_0/scaler.decoded.json")], CASES, 1);
}

#[test]
fn archives() {
    // Deflate makes a thousand bytes of one; together they are at most four of the largest files.
    attack("archive", targets::archive, vec![zipped("BPFOnly/XgboostFitTrainer_0")], CASES, 1032);
}

#[test]
fn indexes_of_pipelines() {
    attack("index", targets::index, vec![fixture("node_type_index.json"), fixture("metadata.json")], CASES, 2);
}

#[test]
fn files_made_to_exhaust() {
    let many = |piece: &str, count: usize| piece.repeat(count);
    let file = |text: String| text.into_bytes();
    let trees = |count: usize| {
        many(
            r#"{"left_children": [-1], "right_children": [-1], "split_indices": [0], "split_conditions": [1], "default_left": [0]},"#,
            count,
        )
    };
    let files: Vec<Vec<u8>> = vec![
        // Nested without end; numbers without end; names without end.
        file(many("[", 1_000_000)),
        file(many(r#"{"package":"#, 100_000)),
        file(format!(r#"{{"package": {{"All_Weights": {{"Bias_Weight": {}}}}}}}"#, many("9", 1_000_000))),
        file(format!(r#"{{"{}": 1}}"#, many("x", 1_000_000))),
        file(format!(
            r#"{{"package": {{"All_Weights": {{"Bias_Weight": 1, "Categorical_Variables": {{}}, "CurveFit_Weights": [{}1]}}}}}}"#,
            many("1,", 300_000)
        )),
        file(format!(
            r#"{{"package": {{"model_file": "package.json", "features": [{}"a"]}}}}"#,
            many(r#""a","#, 200_000)
        )),
        // Trees beyond number, and one whose header lies about its size.
        file(format!(
            r#"{{"learner": {{"gradient_booster": {{"name": "gbtree", "model": {{"trees": [{}{{}}]}}}}}}}}"#,
            trees(10_000)
        )),
        file(
            String::from_utf8(group("BPFOnly/XgboostFitTrainer_0/package.json"))
                .unwrap()
                .replace("\"num_nodes\"", "\"num_nodes\": \"4294967295\", \"other\""),
        ),
        file(format!(
            r#"{{"format": "kepler-power-model", "version": 1, "semantics": "as-named", "features": [{}{{"name": "b", "lower": 0, "upper": 1}}], "components": {{}}}}"#,
            many(r#"{"name": "a", "lower": 0, "upper": 1},"#, 20_000)
        )),
        file(format!(
            r#"{{"format": "kepler-power-model", "version": 1, "semantics": "as-named", "features": [{{"name": "a", "lower": 0, "upper": 1}}], "inputs": [{}[[0, 2147483647]]], "components": {{}}}}"#,
            many("[[0, 1]],", 50_000)
        )),
        vec![0; 1_000_000],
        vec![b' '; usize::try_from(MAX_FILE_BYTES).unwrap() + 1],
        Vec::new(),
    ];
    let all: [(&str, Target, usize); 6] = [
        ("weights", targets::weights, 6),
        ("trees", targets::trees, 1),
        ("map", targets::map, 1),
        ("scaler", targets::scaler, 1),
        ("archive", targets::archive, 1),
        ("index", targets::index, 2),
    ];
    for bytes in &files {
        for (name, target, factor) in all {
            bounded(name, bytes, factor, target);
        }
    }
}
