//! Any bytes as XGBoost's trees, beside a sound component map.
#![no_main]

use kepler_core::model::Model;
use libfuzzer_sys::fuzz_target;
use std::fs;

const MAP: &str = r#"{"package": {"model_file": "package.json", "features": ["bpf_cpu_time_ms", "bpf_page_cache_hit"]}}"#;
const SCALER: &str =
    r#"{"type": "MaxAbsScaler", "features": ["bpf_cpu_time_ms", "bpf_page_cache_hit"], "scale": [8000.0, 1.0]}"#;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let directory = folder.path().join("XgboostFitTrainer_0");
    fs::create_dir(&directory).expect("its directory");
    for (name, content) in
        [("XgboostFitTrainer_0.json", MAP.as_bytes()), ("scaler.decoded.json", SCALER.as_bytes()), ("package.json", bytes)]
    {
        fs::write(directory.join(name), content).expect("a file in it");
    }
    if let Ok(model) = Model::load(&directory) {
        for row in [[0.0, 0.0], [f64::NAN, 1e300], [-1e300, 5e-324]] {
            let _ = model.predict(&row);
        }
    }
});
