//! Whatever a model file holds, reading it ends, and what was read predicts: nothing panics or runs for ever.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot lay out its fixture fails, and says what it skips"
)]

use kepler_core::model::{Catalogue, Model, PredictError};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

const WEIGHTS: [&str; 3] =
    ["SGDRegressorTrainer_0", "LogarithmicRegressionTrainer_0", "ExponentialRegressionTrainer_0"];

fn group(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/rack-0.7.11/rapl-sysfs/AbsPower").join(name)
}

/// What was read must be usable, and only complain of what it says.
fn exercise(model: &Model) {
    for value in [0.0, -1.0, 1e300, 5e-324] {
        match model.predict(&vec![value; model.features().len()]) {
            Ok(prediction) => {
                for component in model.components() {
                    let power = prediction.power(component.zone());
                    assert!(power.is_none_or(|power| (0.0..=1e6).contains(&power.watts())), "{power:?}");
                }
            }
            Err(error) => assert!(matches!(error, PredictError::Category(_)), "{error}"),
        }
    }
}

/// One change that a damaged or forged file may show.
#[derive(Clone, Debug)]
enum Mutation {
    /// Another byte.
    Byte(prop::sample::Index, u8),
    /// The end is missing.
    Cut(prop::sample::Index),
    /// A piece is there twice.
    Repeat(prop::sample::Index, prop::sample::Index),
    /// Another number.
    Number(prop::sample::Index, i64),
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            _ if bytes.is_empty() => {}
            Mutation::Byte(place, byte) => *place.get_mut(bytes) = *byte,
            Mutation::Cut(place) => bytes.truncate(place.index(bytes.len())),
            Mutation::Repeat(from, length) => {
                let from = from.index(bytes.len());
                let piece = bytes[from..from + length.index(bytes.len() - from)].to_vec();
                bytes.splice(from..from, piece);
            }
            Mutation::Number(place, number) => {
                let digits: Vec<usize> = (0..bytes.len()).filter(|&place| bytes[place].is_ascii_digit()).collect();
                if !digits.is_empty() {
                    let place = *place.get(&digits);
                    bytes.splice(place..=place, number.to_string().into_bytes());
                }
            }
        }
    }
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let place = any::<prop::sample::Index>;
    let mutation = prop_oneof![
        (place(), any::<u8>()).prop_map(|(place, byte)| Mutation::Byte(place, byte)),
        place().prop_map(Mutation::Cut),
        (place(), place()).prop_map(|(from, length)| Mutation::Repeat(from, length)),
        (place(), prop_oneof![-3..10i64, any::<i64>()]).prop_map(|(place, number)| Mutation::Number(place, number)),
    ];
    proptest::collection::vec(mutation, 1..4)
}

/// Copies the directory of the small tree model, one file of it changed, and reads it.
fn load_changed(file: &str, change: impl FnOnce(&mut Vec<u8>)) -> Option<Model> {
    load_changed_from(&group("BPFOnly/XgboostFitTrainer_0"), file, change)
}

/// Copies the directory of a tree model, one file of it changed, and reads it.
fn load_changed_from(directory: &Path, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> Option<Model> {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join(directory.file_name().unwrap());
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    let mut bytes = fs::read(copy.join(file)).unwrap();
    change(&mut bytes);
    fs::write(copy.join(file), bytes).unwrap();
    Model::load(copy).ok()
}

/// A published tree model, if it is there.
fn published() -> Option<PathBuf> {
    let folder = std::env::var_os("KEPLER_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let model = "models/kepler-model-db/specpower-0.7.11/acpi/AbsPower/BPFOnly/XgboostFitTrainer_109";
    if folder.join(model).is_dir() {
        return Some(folder.join(model));
    }
    println!("SKIPPED: no {model} in {}; set KEPLER_SHARED_DATA", folder.display());
    None
}

#[test]
fn damaged_published_trees_are_refused_or_predict() {
    let Some(directory) = published() else { return };
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(mutations in mutations())| {
        let change = |bytes: &mut Vec<u8>| mutations.iter().for_each(|mutation| mutation.apply(bytes));
        if let Some(model) = load_changed_from(&directory, "platform.json", change) {
            exercise(&model);
        }
    });
}

/// A zip of the small tree model's directory.
#[cfg(feature = "archives")]
fn zipped() -> Vec<u8> {
    use std::io::{Cursor, Write};
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut paths: Vec<PathBuf> =
        fs::read_dir(group("BPFOnly/XgboostFitTrainer_0")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(&fs::read(&path).unwrap()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[cfg(feature = "archives")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_archives_are_refused_or_predict(mutations in mutations()) {
        let mut bytes = zipped();
        mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
        if let Ok(model) = Model::from_zip("XgboostFitTrainer_0", &bytes) {
            exercise(&model);
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_archive(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let mut magic = b"PK\x03\x04".to_vec();
        magic.extend(&bytes);
        prop_assert!(Model::from_zip("XgboostFitTrainer_0", &bytes).is_err());
        prop_assert!(Model::from_zip("XgboostFitTrainer_0", &magic).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_no_weights(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        for name in WEIGHTS {
            prop_assert!(Model::from_json(name, &bytes).is_err());
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_trees(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        for file in ["package.json", "XgboostFitTrainer_0.json", "scaler.decoded.json"] {
            prop_assert!(load_changed(file, |content| content.clone_from(&bytes)).is_none());
        }
    }

    #[test]
    fn damaged_weights_are_refused_or_predict(
        name in prop::sample::select(&["BPFOnly/SGDRegressorTrainer_0", "BPFOnly/LogarithmicRegressionTrainer_0", "Basic/ExponentialRegressionTrainer_0"][..]),
        mutations in mutations(),
    ) {
        let mut bytes = fs::read(group(&format!("{name}.json"))).unwrap();
        mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
        if let Ok(model) = Model::from_json(name.rsplit('/').next().unwrap(), &bytes) {
            exercise(&model);
        }
    }

    #[test]
    fn damaged_trees_are_refused_or_predict(
        file in prop::sample::select(&["package.json", "XgboostFitTrainer_0.json", "scaler.decoded.json"][..]),
        mutations in mutations(),
    ) {
        let change = |bytes: &mut Vec<u8>| mutations.iter().for_each(|mutation| mutation.apply(bytes));
        if let Some(model) = load_changed(file, change) {
            exercise(&model);
        }
    }

    #[test]
    fn random_children_form_no_endless_tree(
        children in proptest::collection::vec((-1..12i32, -1..12i32), 5..=5),
    ) {
        let list = |pick: fn(&(i32, i32)) -> i32| {
            children.iter().map(|pair| pick(pair).to_string()).collect::<Vec<_>>().join(", ")
        };
        let (left, right) = (list(|pair| pair.0), list(|pair| pair.1));
        let model = load_changed("package.json", |bytes| {
            let text = String::from_utf8(std::mem::take(bytes)).unwrap();
            let changed = text
                .replacen("[1, 3, -1, -1, -1]", &format!("[{left}]"), 1)
                .replacen("[2, 4, -1, -1, -1]", &format!("[{right}]"), 1);
            *bytes = changed.into_bytes();
        });
        if let Some(model) = model {
            exercise(&model);
        }
    }

    #[test]
    fn a_damaged_index_is_an_error_or_a_catalogue(mutations in mutations()) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("acpi/AbsPower/BPFOnly/SGDRegressorTrainer_0.json")).unwrap();
        let mut bytes = fs::read(group("../../node_type_index.json")).unwrap();
        mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
        fs::write(folder.path().join("node_type_index.json"), bytes).unwrap();
        if let Ok(catalogue) = Catalogue::open(folder.path()) {
            for entry in catalogue.entries() {
                prop_assert!(entry.load().is_err(), "it is an empty directory");
            }
        }
    }
}
