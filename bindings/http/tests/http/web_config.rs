//! TLS and passwords over real TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use crate::support::{exporter, inhabited, options};
use kepler_http::{ServerOptions, WebConfig, serve};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// bcrypt of `secret` at cost 4, the cheapest, to keep the test quick.
fn hash() -> String {
    bcrypt::hash("secret", 4).unwrap()
}

/// Serves until the test's process ends.
fn start(web: &str, folder: &Path) -> SocketAddr {
    let path = folder.join("web.yml");
    fs::write(&path, web).unwrap();
    let mut limits = ServerOptions::default();
    limits.web = Some(WebConfig::from_file(&path).unwrap());
    limits.header_timeout = Duration::from_millis(500);
    let exporter = Arc::new(exporter(Some(inhabited()), options()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve(vec![listener], exporter, limits, std::future::pending())).unwrap();
    });
    address
}

fn ask(mut stream: impl Read + Write, headers: &str) -> String {
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    // A TLS peer may close without the closing alert; what came before is the answer.
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn without_the_right_password_there_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let address = start(&format!("basic_auth_users:\n  ann: {}\n", hash()), folder.path());
    let ask = |headers: &str| ask(TcpStream::connect(address).unwrap(), headers);
    let refused = ask("");
    assert!(refused.starts_with("HTTP/1.1 401") && refused.to_lowercase().contains("www-authenticate: basic"));
    // ann:wrong, bob:secret
    assert!(ask("Authorization: Basic YW5uOndyb25n\r\n").starts_with("HTTP/1.1 401"));
    assert!(ask("Authorization: Basic Ym9iOnNlY3JldA==\r\n").starts_with("HTTP/1.1 401"));
    for _ in 0..2 {
        // ann:secret, checked first and remembered then
        let answer = ask("Authorization: Basic YW5uOnNlY3JldA==\r\n");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("kepler_build_info"), "{answer}");
    }
}

/// Writes a certificate for `localhost`, signed by itself, and its key; returns the certificate.
fn certificate(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("server.crt"), made.cert.pem()).unwrap();
    fs::write(folder.join("server.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.pem()
}

#[test]
fn with_a_certificate_the_answer_is_encrypted_and_plain_text_is_refused() {
    use rustls::pki_types::pem::PemObject;
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate(folder.path());
    let web = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  min_version: TLS13\n";
    let address = start(web, folder.path());

    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let answer = ask(rustls::StreamOwned::new(client, TcpStream::connect(address).unwrap()), "");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("kepler_build_info"), "{answer}");

    assert!(!ask(TcpStream::connect(address).unwrap(), "").contains("HTTP/1.1 200"));

    let start = Instant::now();
    let mut silent = TcpStream::connect(address).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(silent.read(&mut [0; 64]).unwrap(), 0, "a handshake that never starts is ended");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_key_that_does_not_belong_to_the_certificate_is_refused_at_the_start() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificate(folder.path());
    certificate(other.path());
    let path = folder.path().join("web.yml");
    fs::write(&path, "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n").unwrap();
    assert!(WebConfig::from_file(&path).is_ok());
    fs::copy(other.path().join("server.key"), folder.path().join("server.key")).unwrap();
    let error = WebConfig::from_file(&path).unwrap_err().to_string();
    assert!(error.contains("web.yml") && error.contains("does not go with key_file"), "{error}");
    fs::write(folder.path().join("server.key"), "no key here\n").unwrap();
    let error = WebConfig::from_file(&path).unwrap_err().to_string();
    assert!(error.contains("server.key") && error.contains("key_file"), "{error}");
}
