//! What must withstand any bytes: bodies of requests. `fuzz/` and `hostile_requests.rs` run the same.
#![allow(dead_code, reason = "each fuzz target runs one")]

use axum::body::Body;
use axum::http::Request;
use kepler_model_server::{Store, router, train_router};
use std::fs;
use std::sync::Arc;
use tower::ServiceExt;

const WEIGHTS: &str = r#"{"package": {"All_Weights": {"Bias_Weight": 10.0, "Categorical_Variables": {}, "Numerical_Variables":
    {"bpf_cpu_time_ms": {"scale": 1000.0, "weight": 2.0}, "bpf_page_cache_hit": {"scale": 1.0, "weight": 0.0}}}}}"#;

thread_local! {
    /// Made once: making directories takes longer than answering.
    static FOLDER: tempfile::TempDir = {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let group = folder.path().join("rack-0.7.11/rapl-sysfs/AbsPower/BPFOnly");
        fs::create_dir_all(&group).expect("a directory in it");
        fs::write(group.join("SGDRegressorTrainer_0.json"), WEIGHTS).expect("a file in it");
        folder
    };
}

/// `POST /model`, `/predict` and `/train`: answered with a status that says whose fault it is, never that of the server.
pub(crate) fn requests(bytes: &[u8]) {
    let store = FOLDER.with(|folder| Arc::new(Store::open_to_train(folder.path()).expect("a store of it")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        for (path, routes) in [
            ("/model", router(Arc::clone(&store))),
            ("/predict", router(Arc::clone(&store))),
            ("/train", train_router(Arc::clone(&store))),
        ] {
            let request = Request::post(path).body(Body::from(bytes.to_vec())).expect("a request");
            let response = routes.oneshot(request).await.expect("an answer");
            assert!(matches!(response.status().as_u16(), 200 | 400), "{path}: {}", response.status());
        }
    });
}
