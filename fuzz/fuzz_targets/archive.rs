//! Any bytes as a zip archive of a model.
#![no_main]

use kepler_core::model::Model;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = Model::from_zip("SGDRegressorTrainer_0", bytes) {
        let _ = model.predict(&vec![0.0; model.features().len()]);
    }
});
