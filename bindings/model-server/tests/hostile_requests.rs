//! Thousands of damaged requests, the same ones every time: each is answered, and takes no more than a small multiple of its size.
#![cfg(feature = "train")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot lay out its files fails"
)]

#[path = "../../../kepler-core/tests/hostile/attack.rs"]
mod attack;
#[path = "../../../kepler-core/tests/counting/mod.rs"]
mod counting;
#[path = "../../../kepler-core/tests/hostile/mutate.rs"]
mod mutate;
#[path = "hostile/targets.rs"]
mod targets;

use attack::attack;
use serde_json::json;

#[test]
fn requests() {
    let metrics = json!(["bpf_cpu_time_ms", "bpf_page_cache_hit"]);
    let asked = json!({"metrics": metrics, "output_type": "AbsPower", "source": "rapl-sysfs", "weight": true, "node_type": 1,
        "trainer_name": "SGDRegressorTrainer", "filter": "mae:10;features:bpf_cpu_time_ms", "values": [[1000.0, 0.0], [null, 2.0]],
        "system_features": ["cpu_architecture"], "system_values": ["Sky Lake"], "loose_node_type": true,
        "machine_spec": {"processor": "intel_xeon_platinum_8259cl", "cores": 96, "chips": 2, "memory": 377, "frequency": 3500}});
    let counter = |rate: f64| {
        let sample = |n: u32| json!([1_700_000_000 + 15 * n, (rate * f64::from(n)).to_string()]);
        json!([{"metric": {"instance": "a", "source": "rapl-sysfs"}, "values": (0..24).map(sample).collect::<Vec<_>>()}])
    };
    let trained = json!({"name": "rack-1", "energy_source": "rapl-sysfs", "node_type": 1,
        "trainer": {"abs_trainers": ["SGDRegressorTrainer", "LogarithmicRegressionTrainer"], "dyn_trainers": ["LinearRegressionTrainer"], "isolator": "MinIdleIsolator"},
        "prom_response": {"kepler_node_package_joules_total": counter(600.0), "kepler_container_bpf_cpu_time_ms_total": counter(9000.0),
            "kepler_container_bpf_page_cache_hit_total": {"status": "success", "data": {"resultType": "matrix", "result": counter(1.0)}}}});
    let files = vec![asked.to_string().into_bytes(), trained.to_string().into_bytes()];
    // Read three times, each time copied. Training works in a thread of its own, which is not counted.
    attack("requests", targets::requests, files, 1500, 24);
}
