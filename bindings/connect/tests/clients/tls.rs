//! Certificates are verified, against the CA bundle where one is given.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::support::{Reply, Server};
use kepler_compliance::intensity::IntensitySource;
use kepler_connect::intensity::{ProviderOptions, UkCarbonIntensity};
use std::path::{Path, PathBuf};

const ANSWER: &str =
    r#"{"data":[{"from":"2026-05-01T10:00Z","to":"2026-05-01T10:30Z","intensity":{"forecast":170,"actual":160}}]}"#;

/// A server of `localhost` and the file that holds its certificate.
fn server(folder: &Path) -> (Server, PathBuf) {
    let (config, certificate) = crate::support::self_signed();
    let bundle = folder.join("ca.pem");
    std::fs::write(&bundle, certificate).unwrap();
    (Server::start_tls(config, |_| Reply::ok(ANSWER)), bundle)
}

fn ask(server: &Server, host: &str, bundle: Option<PathBuf>) -> Result<f64, String> {
    let mut options = ProviderOptions::default();
    options.base_url = Some(format!("https://{host}:{}", server.address.port()));
    options.http.ca_bundle = bundle;
    let source = UkCarbonIntensity::new(options).map_err(|error| error.to_string())?;
    let now = source.current("GB", "2026-05-01T10:10:00Z".parse().unwrap()).map_err(|error| error.to_string())?;
    Ok(now.figure.value.grams_per_kilowatt_hour())
}

#[test]
fn a_server_of_the_bundle_is_trusted_and_any_other_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (server, bundle) = server(folder.path());
    assert_eq!(ask(&server, "localhost", Some(bundle.clone())), Ok(160.0));
    let other_name = ask(&server, "127.0.0.1", Some(bundle)).unwrap_err();
    assert!(other_name.contains("not valid for name") || other_name.contains("NotValidForName"), "{other_name}");
    // The system's store does not hold it; a machine without a store says so.
    let unknown = ask(&server, "localhost", None).unwrap_err();
    assert!(unknown.contains("UnknownIssuer") || unknown.contains("no certificate authorities"), "{unknown}");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_bundle_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = server(folder.path());
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate here").unwrap();
    for path in [empty, folder.path().join("missing.pem")] {
        let error = ask(&server, "localhost", Some(path.clone())).unwrap_err();
        assert!(error.contains(path.to_str().unwrap()) && error.contains("PEM"), "{error}");
    }
}
