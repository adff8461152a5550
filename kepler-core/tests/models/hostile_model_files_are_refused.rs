//! Arbitrary bytes are no model, and no tree is endless. What damage makes of real files is in `hostile_models.rs`.
#![allow(clippy::unwrap_used, reason = "a test that cannot lay out its fixture fails")]

use kepler_core::model::Model;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

const WEIGHTS: [&str; 3] =
    ["SGDRegressorTrainer_0", "LogarithmicRegressionTrainer_0", "ExponentialRegressionTrainer_0"];

fn group(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/rack-0.7.11/rapl-sysfs/AbsPower").join(name)
}

/// Copies the directory of the small tree model, one file of it changed, and reads it.
fn load_changed(file: &str, change: impl FnOnce(&mut Vec<u8>)) -> Option<Model> {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("XgboostFitTrainer_0");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(group("BPFOnly/XgboostFitTrainer_0")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    let mut bytes = fs::read(copy.join(file)).unwrap();
    change(&mut bytes);
    fs::write(copy.join(file), bytes).unwrap();
    Model::load(copy).ok()
}

#[cfg(feature = "archives")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

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
            for value in [0.0, -1.0, 1e300, f64::NAN] {
                prop_assert!(model.predict(&[value, value]).is_ok());
            }
        }
    }
}
