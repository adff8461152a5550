//! The Model Server's HTTP API, as exporters use it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy exempts test functions, but not what they share"
)]

mod support;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use kepler_core::model::Model;
use kepler_core::units::ZoneKind;
use kepler_model_server::{MAX_REQUEST_BYTES, router};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use support::{linear, logarithm, request, store};
use tower::ServiceExt;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn rejection(&self) -> String {
        assert_eq!(self.status, StatusCode::BAD_REQUEST, "{}", self.text());
        self.text()
    }
}

struct Server {
    router: Router,
    folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Server { router: router(store(folder.path())), folder }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 30).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(Request::post(path).body(body.into()).unwrap()).await
    }

    async fn model(&self, changes: Value) -> Answer {
        self.post("/model", request(changes).to_string()).await
    }

    async fn predict(&self, changes: Value) -> Answer {
        self.post("/predict", request(changes).to_string()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }
}

fn big_machine() -> Value {
    json!({"vendor": "intel", "processor": "intel_xeon_platinum_8259cl", "cores": 96, "chips": 2, "memory": 377,
        "frequency": 3500, "threads_per_core": 2})
}

fn small_machine() -> Value {
    json!({"processor": "intel_xeon_platinum_8259cl", "cores": 8, "chips": 1, "memory": 32, "frequency": 3500})
}

#[tokio::test]
async fn an_older_exporter_gets_the_published_weights_byte_for_byte() {
    let server = Server::start();
    let answer = server.model(json!({"weight": true, "node_type": 1})).await;
    let published =
        fs::read(server.folder.path().join("rack-0.7.11/rapl-sysfs/AbsPower/BPFOnly/SGDRegressorTrainer_1.json"))
            .unwrap();
    answer.json();
    assert_eq!(answer.body, published, "every key must be a component: that exporter reads no others");
    assert_eq!(answer.headers["x-kepler-model"], "SGDRegressorTrainer_1");
}

#[tokio::test]
async fn a_newer_exporter_gets_name_machine_and_error_as_well() {
    let server = Server::start();
    let answer = server.model(json!({"weight": true, "node_type": 1, "machine_spec": small_machine()})).await;
    let weights = answer.json();
    assert_eq!(weights["model_name"], "SGDRegressorTrainer_10", "who describes its machine is not of type 1");
    assert_eq!(weights["mae"], 3.5);
    assert_eq!(weights["machine_spec"]["cores"], 8);
    assert_eq!(weights["package"], linear(10.0, 3.0)["package"]);
    assert_eq!(answer.headers["x-kepler-machine-distance"], "0.000");
    // What is served can be read by who reads published files, with the same result.
    let model = Model::from_json("weights", &answer.body).unwrap();
    let watts = model.predict(&[2000.0, 0.0]).unwrap().power(ZoneKind::Package).unwrap().watts();
    assert_eq!(watts, 16.0);
}

#[tokio::test]
async fn node_type_1_is_not_10() {
    let server = Server::start();
    for (node_type, name) in [(1, "SGDRegressorTrainer_1"), (10, "SGDRegressorTrainer_10")] {
        let answer = server.model(json!({"weight": true, "node_type": node_type})).await;
        assert_eq!(answer.headers["x-kepler-model"], name);
    }
    let answer = server.model(json!({"weight": true, "node_type": 100, "loose_node_type": false})).await;
    assert!(answer.rejection().contains("its node type is"), "{}", answer.text());
}

#[tokio::test]
async fn a_filter_rejects_what_fails_it_and_nothing_else() {
    let server = Server::start();
    let named = |answer: Answer| answer.headers["x-kepler-model"].to_str().unwrap().to_owned();
    let good = server.model(json!({"weight": true, "node_type": 1, "filter": "mae:20"})).await;
    assert_eq!(named(good), "SGDRegressorTrainer_1");
    let better = server.model(json!({"weight": true, "node_type": 1, "filter": "mae:5"})).await;
    assert_eq!(named(better), "SGDRegressorTrainer_10");
    let none = server.model(json!({"weight": true, "filter": "mae:1"})).await.rejection();
    assert!(none.contains("its mae is 3.5, the filter's limit 1"), "{none}");
    assert!(server.model(json!({"weight": true, "filter": "mae<5"})).await.rejection().contains("filter:"));
}

#[tokio::test]
async fn weights_that_are_negative_at_rest_are_not_given_to_who_casts_them_to_unsigned() {
    let server = Server::start();
    let asked = json!({"weight": true, "trainer_name": "LogarithmicRegressionTrainer"});
    let answer = server.model(asked).await;
    assert_eq!(answer.headers["x-kepler-model"], "LogarithmicRegressionTrainer_10");
    assert_eq!(answer.json(), logarithm(20.0));
    let only = json!({"weight": true, "trainer_name": "LogarithmicRegressionTrainer", "node_type": 2, "loose_node_type": false});
    assert!(server.model(only).await.rejection().contains("-300.0 W without activity"));
}

#[tokio::test]
async fn an_exporter_that_would_take_a_curve_for_linear_weights_gets_linear_ones() {
    let server = Server::start();
    let answer = server.model(json!({"weight": true, "node_type": 2})).await;
    assert!(answer.headers["x-kepler-model"].to_str().unwrap().starts_with("SGDRegressorTrainer"));
}

#[tokio::test]
async fn a_model_comes_as_a_zip_that_predicts_the_same() {
    let server = Server::start();
    let answer = server.model(json!({"node_type": 10, "trainer_name": "SGDRegressorTrainer"})).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "application/zip");
    let model = Model::from_zip("model", &answer.body).unwrap();
    assert_eq!(model.predict(&[1000.0, 0.0]).unwrap().power(ZoneKind::Package).unwrap().watts(), 13.0);
}

#[tokio::test]
async fn a_request_that_no_model_suits_is_answered_with_400_and_the_reason() {
    let server = Server::start();
    let cases = [
        (json!({"metrics": ["cpu_cycles"]}), "`bpf_cpu_time_ms` is not among the metrics"),
        (json!({"output_type": "DynPower"}), "there is none of this source, output type"),
        (json!({"output_type": "Watts"}), "output_type: `Watts`"),
        (json!({"source": "moon"}), "source: `moon`"),
        (json!({"trainer_name": "SVRRegressorTrainer"}), "no models of `SVRRegressorTrainer` in JSON"),
        (json!({"trainer_name": "SGD"}), "no models of `SGD`"),
        (json!({"semantics": "as-named"}), "one idle CPU counted as busy"),
        (json!({"semantics": "whatever"}), "as-named"),
        (json!({"metrics": 5}), "line 1"),
        (json!({"loose_node_type": false, "machine_spec": {"processor": "amd_epyc_7763", "cores": 2}}), "away"),
    ];
    for (changes, expected) in cases {
        let text = server.model(changes.clone()).await.rejection();
        assert!(text.contains(expected), "{changes}: {text}");
    }
    assert!(server.post("/model", "{").await.rejection().contains("not understood"));
    assert_eq!(server.get("/models").await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.get("/model").await.status, StatusCode::METHOD_NOT_ALLOWED);
    let long = server.post("/predict", vec![b' '; MAX_REQUEST_BYTES + 1]).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn what_is_within_the_limit_is_read_however_long() {
    let server = Server::start();
    let values = vec![json!([1000.0, 0.0]); 250_000];
    let reply = server.predict(json!({"values": values, "node_type": 10})).await.json();
    assert_eq!(reply["powers"]["package"].as_array().unwrap().len(), 250_000);
}

#[tokio::test]
async fn the_best_models_are_listed_by_output_and_group() {
    let server = Server::start();
    let names = server.get("/best-models").await.json();
    assert!(names["AbsPower"]["BPFOnly"].as_str().unwrap().starts_with("SGDRegressorTrainer_"), "{names}");
    assert_eq!(names["AbsPower"].as_object().unwrap().len(), 1, "only groups that have models");
    assert_eq!(names["DynPower"], json!({}));
    for query in [
        "energy-source=rapl-sysfs&output-type=AbsPower&feature-group=BPFOnly&filter=mae:5",
        "source=rapl&ot=AbsPower&fg=BPFOnly&filter=mae:5",
    ] {
        let names = server.get(&format!("/best-models?{query}")).await.json();
        assert_eq!(names, json!({"AbsPower": {"BPFOnly": "SGDRegressorTrainer_10"}}), "{query}");
    }
    let of_type = server.get("/best-models?node-type=1").await.json();
    assert_eq!(of_type["AbsPower"]["BPFOnly"], "SGDRegressorTrainer_1");
    for query in ["output-type=Watts", "feature-group=None", "node-type=one", "filter=mae"] {
        let text = server.get(&format!("/best-models?{query}")).await.rejection();
        assert!(text.contains("failed to get best model list"), "{query}: {text}");
    }
}

#[tokio::test]
async fn predictions_follow_the_callers_columns_and_tell_the_model_and_its_distance() {
    let server = Server::start();
    let values = json!([[0.0, 1000.0], [7.0, 4000.0]]);
    let metrics = json!(["bpf_page_cache_hit", "bpf_cpu_time_ms"]);
    let reply =
        server.predict(json!({"metrics": metrics, "values": values, "machine_spec": small_machine()})).await.json();
    assert_eq!(reply["powers"], json!({"package": [13.0, 22.0], "core": [13.0, 22.0], "dram": [5.5, 7.0]}));
    assert_eq!((&reply["model"], &reply["distance"]), (&json!("SGDRegressorTrainer_10"), &json!(0.0)));
    assert_eq!(reply["core_ratio"], 1.0);
    assert_eq!(reply["msg"], "");
    let mut half = big_machine();
    half["cores"] = json!(48);
    let reply = server.predict(json!({"values": [[0.0, 0.0]], "machine_spec": half})).await.json();
    assert_eq!(reply["model"], "SGDRegressorTrainer_1");
    assert_eq!(reply["core_ratio"], 0.5, "half the machine, half its idle power");
    assert!(reply["reason"].as_str().unwrap().contains("96 threads for 48"), "{reply}");
}

#[tokio::test]
async fn watts_are_never_negative_and_never_absurd() {
    let server = Server::start();
    let asked =
        json!({"trainer_name": "LogarithmicRegressionTrainer", "node_type": 2, "values": [[0.0, 0.0], [1e300, 0.0]]});
    let reply = server.predict(asked).await.json();
    let watts: Vec<f64> = serde_json::from_value(reply["powers"]["package"].clone()).unwrap();
    assert_eq!(watts[0], 0.0);
    assert!(watts[1] <= 12_000.0, "{watts:?}");
}

#[tokio::test]
async fn rows_that_cannot_be_predicted_are_named() {
    let server = Server::start();
    for (values, expected) in [
        (json!([[1.0, 2.0], [1.0]]), "values[1] has 1 numbers for 2 metrics"),
        (json!([[1.0, null], [null, 2.0]]), "row 0: feature 1 is missing"),
        (json!([["a", 1.0]]), "line 1"),
    ] {
        let text = server.predict(json!({"values": values})).await.rejection();
        assert!(text.contains(expected), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_request_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let server = Server::start();
        let mut damaged = request(json!({"values": [[1.5, 2.5]], "weight": true, "machine_spec": big_machine()})).to_string().into_bytes();
        let place = cut.index(damaged.len());
        damaged[place] = byte;
        runtime.block_on(async {
            for path in ["/model", "/predict"] {
                for body in [bytes.clone(), damaged.clone()] {
                    let status = server.post(path, body).await.status;
                    assert!(status == StatusCode::OK || status == StatusCode::BAD_REQUEST, "{status}");
                }
            }
        });
    }
}
