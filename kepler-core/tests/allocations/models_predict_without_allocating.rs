//! Predicting one vector allocates nothing, whatever the model's form.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its fixture fails")]

use crate::counting::allocations;
use kepler_core::model::Model;
use std::path::Path;

#[test]
fn one_vector_is_predicted_without_allocating() {
    let group =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/rack-0.7.11/rapl-sysfs/AbsPower/BPFOnly");
    for name in ["SGDRegressorTrainer_0.json", "LogarithmicRegressionTrainer_0.json", "XgboostFitTrainer_0"] {
        let model = Model::load(group.join(name)).unwrap();
        let before = allocations();
        for step in 0..100 {
            let prediction = model.predict(&[f64::from(step) * 80.0, 50.0]).unwrap();
            assert_eq!(prediction.clipped(), 0);
        }
        assert_eq!(allocations() - before, 0, "{name}");
    }
}
