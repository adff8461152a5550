//! A database of small models whose answers are computed by hand.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses part of it; what cannot be laid out fails the test")]

use kepler_model_server::Store;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;

pub(crate) const BPF: [&str; 2] = ["bpf_cpu_time_ms", "bpf_page_cache_hit"];

/// Linear weights: `bias` watts, and `slope` more at 1,000 ms/s.
pub(crate) fn linear(bias: f64, slope: f64) -> Value {
    let component = |bias: f64, slope: f64| {
        json!({"All_Weights": {"Bias_Weight": bias, "Categorical_Variables": {}, "Numerical_Variables": {
            "bpf_cpu_time_ms": {"scale": 1000.0, "weight": slope},
            "bpf_page_cache_hit": {"scale": 1.0, "weight": 0.0},
        }}})
    };
    json!({"package": component(bias, slope), "core": component(0.0, 0.0), "dram": component(5.0, 0.5)})
}

/// A curve that is negative where nothing happens: `40·ln(x + 1) + offset`.
pub(crate) fn logarithm(offset: f64) -> Value {
    json!({"package": {"All_Weights": {"Categorical_Variables": {}, "Numerical_Variables": {
        "bpf_cpu_time_ms": {"scale": 1000.0}, "bpf_page_cache_hit": {"scale": 1.0},
    }, "CurveFit_Weights": [40.0, 1.0, offset]}}})
}

/// The pipeline `rack-0.7.11` with machines 1 (96 CPUs), 10 (8 CPUs) and 2 (no index entry).
pub(crate) fn lay_out(directory: &Path) {
    let pipeline = directory.join("rack-0.7.11");
    let group = pipeline.join("rapl-sysfs/AbsPower/BPFOnly");
    fs::create_dir_all(&group).unwrap();
    let index = json!({
        "1": {"attrs": {"processor": "intel_xeon_platinum_8259cl", "cores": 96, "chips": 2, "memory": 377, "frequency": 3500}},
        "10": {"attrs": {"processor": "intel_xeon_platinum_8259cl", "cores": 8, "chips": 1, "memory": 32, "frequency": 3500}},
    });
    fs::write(pipeline.join("node_type_index.json"), index.to_string()).unwrap();
    let write = |name: &str, model: Value| fs::write(group.join(name), model.to_string()).unwrap();
    write("SGDRegressorTrainer_1.json", linear(100.0, 2.0));
    write("SGDRegressorTrainer_10.json", linear(10.0, 3.0));
    write("LogarithmicRegressionTrainer_10.json", logarithm(20.0));
    write("LogarithmicRegressionTrainer_2.json", logarithm(-300.0));
    let table = ",model_name,features,mae,mape,feature_group\n\
        0,SGDRegressorTrainer_1,\"['bpf_cpu_time_ms', 'bpf_page_cache_hit']\",12.5,9.0,BPFOnly\n\
        1,SGDRegressorTrainer_10,\"['bpf_cpu_time_ms', 'bpf_page_cache_hit']\",3.5,8.0,BPFOnly\n";
    fs::write(pipeline.join("rapl-sysfs_AbsPower_model_metadata.csv"), table).unwrap();
}

pub(crate) fn store(directory: &Path) -> Arc<Store> {
    lay_out(directory);
    Arc::new(Store::open(directory).unwrap())
}

/// A request of an exporter, changed.
pub(crate) fn request(changes: Value) -> Value {
    let mut request = json!({
        "metrics": BPF, "output_type": "AbsPower", "source": "intel_rapl", "trainer_name": "", "filter": "",
    });
    for (key, value) in changes.as_object().unwrap() {
        request[key] = value.clone();
    }
    request
}
