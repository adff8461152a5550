//! Models from a URL: cached, checked, and there while the server is not.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions, but not what they share")]

use crate::support::{Reply, Server};
use kepler_connect::http::HttpError;
use kepler_connect::models::{FetchError, ModelOptions, Origin, fetch};
use kepler_core::units::ZoneKind;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const PATH: &str = "/models/SGDRegressorTrainer_0.json";

fn weights(bias: u32) -> String {
    format!(
        r#"{{"package": {{"All_Weights": {{"Bias_Weight": {bias}.0, "Categorical_Variables": {{}},
        "Numerical_Variables": {{"bpf_cpu_time_ms": {{"scale": 8000.0, "weight": 100.0}}}}}}}}}}"#
    )
}

fn watts(model: &kepler_core::model::Model) -> f64 {
    model.predict(&[0.0]).unwrap().power(ZoneKind::Package).unwrap().watts()
}

/// What the server does: 0 serves weights with an entity tag, 1 fails, 2 serves what is no model, 3 serves other weights.
fn server() -> (Server, Arc<AtomicU32>) {
    let mode = Arc::new(AtomicU32::new(0));
    let now = Arc::clone(&mode);
    let server = Server::start(move |request| {
        let tagged = |tag: &str, body: String| match request.header("if-none-match") {
            Some(known) if known == tag => Reply::Full(304, Vec::new(), Vec::new()),
            _ => Reply::Full(200, vec![("etag", tag.to_owned())], body.into_bytes()),
        };
        match now.load(Ordering::Relaxed) {
            0 => tagged("\"one\"", weights(20)),
            1 => Reply::Full(503, Vec::new(), Vec::new()),
            2 => tagged("\"junk\"", "<html>".to_owned()),
            _ => tagged("\"two\"", weights(30)),
        }
    });
    (server, mode)
}

#[test]
fn a_model_is_fetched_once_asked_for_changes_and_used_while_the_server_is_away() {
    let (server, mode) = server();
    let cache = tempfile::tempdir().unwrap();
    let options = ModelOptions::new(cache.path().join("new"));
    let url = server.url() + PATH;
    let first = fetch(&url, &options).unwrap();
    assert!(matches!(first.origin, Origin::Server));
    assert_eq!((watts(&first.model), first.sha256.len()), (20.0, 64));
    assert!(matches!(fetch(&url, &options).unwrap().origin, Origin::Unchanged));
    assert_eq!(server.asked().last().unwrap().header("if-none-match"), Some("\"one\""));
    for bad in [1, 2] {
        mode.store(bad, Ordering::Relaxed);
        let kept = fetch(&url, &options).unwrap();
        assert_eq!(watts(&kept.model), 20.0);
        assert!(matches!(kept.origin, Origin::Stale { age, .. } if age < Duration::from_secs(60)));
    }
    mode.store(3, Ordering::Relaxed);
    assert_eq!(watts(&fetch(&url, &options).unwrap().model), 30.0);
    drop(server);
    let offline = fetch(&url, &options).unwrap();
    assert_eq!(watts(&offline.model), 30.0);
    assert!(matches!(offline.origin, Origin::Stale { reason: FetchError::Http(HttpError::Unreachable { .. }), .. }));
}

#[test]
fn a_checksum_that_is_given_must_match() {
    let (server, mode) = server();
    let cache = tempfile::tempdir().unwrap();
    let url = server.url() + PATH;
    let sha256 = fetch(&url, &ModelOptions::new(cache.path())).unwrap().sha256;
    let options = ModelOptions::new(cache.path()).with(|options| options.sha256 = Some(sha256.to_uppercase()));
    assert!(matches!(fetch(&url, &options).unwrap().origin, Origin::Unchanged));
    mode.store(3, Ordering::Relaxed);
    let kept = fetch(&url, &options).unwrap();
    assert_eq!(watts(&kept.model), 20.0, "the copy with the right checksum");
    assert!(matches!(kept.origin, Origin::Stale { reason: FetchError::Checksum { .. }, .. }));
    let elsewhere = options.with(|options| options.cache = cache.path().join("empty"));
    assert!(matches!(fetch(&url, &elsewhere), Err(FetchError::Checksum { .. })));
    let nonsense = elsewhere.with(|options| options.sha256 = Some("abc".to_owned()));
    assert!(matches!(fetch(&url, &nonsense), Err(FetchError::NoChecksum(_))));
}

#[test]
fn a_damaged_copy_is_not_used() {
    let (server, mode) = server();
    let cache = tempfile::tempdir().unwrap();
    let options = ModelOptions::new(cache.path());
    let url = server.url() + PATH;
    fetch(&url, &options).unwrap();
    mode.store(1, Ordering::Relaxed);
    let copy = fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap().path();
    let content = fs::read_to_string(&copy).unwrap();
    for damaged in [content.replace("20.0", "99.0"), String::new(), "{}\n{}".to_owned()] {
        fs::write(&copy, damaged).unwrap();
        assert!(matches!(fetch(&url, &options), Err(FetchError::Http(HttpError::Status { status: 503, .. }))));
    }
}

#[test]
fn a_file_larger_than_any_model_is_refused() {
    let server = Server::start(|_| Reply::Full(200, Vec::new(), vec![b' '; 17 << 20]));
    let cache = tempfile::tempdir().unwrap();
    let error = fetch(&(server.url() + PATH), &ModelOptions::new(cache.path())).unwrap_err();
    assert!(matches!(error, FetchError::Http(HttpError::TooLarge { .. })), "{error}");
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
}
