//! Any bytes as a weight file, a component map or a file in our own format, under each name that promises something else.
#![no_main]

use kepler_core::model::Model;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 5] = [
    "model",
    "SGDRegressorTrainer_0",
    "LogarithmicRegressionTrainer_1",
    "LogisticRegressionTrainer_2",
    "ExponentialRegressionTrainer_3",
];

fuzz_target!(|bytes: &[u8]| {
    for name in NAMES {
        let Ok(model) = Model::from_json(name, bytes) else { continue };
        for value in [0.0, -1.0, 1e300, 5e-324] {
            let row = vec![value; model.features().len()];
            if let Ok(prediction) = model.predict(&row) {
                for component in model.components() {
                    let power = prediction.power(component.zone());
                    assert!(power.is_none_or(|power| (0.0..=1e6).contains(&power.watts())));
                }
            }
        }
    }
});
