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

    let mut silent = TcpStream::connect(address).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(silent.read(&mut [0; 64]).unwrap(), 0, "a handshake that never starts is ended");
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

/// Asks once over a connection of its own, from an address of this machine.
async fn ask_from(source: [u8; 4], address: SocketAddr, credentials: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let authorization = base64::engine::Engine::encode(&base64::engine::general_purpose::STANDARD, credentials);
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Basic {authorization}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn who_guesses_over_ever_new_connections_delays_no_other_client() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let folder = tempfile::tempdir().unwrap();
    // Dear enough that guesses come faster than they are checked, whatever the build.
    let took = |cost: &u32| {
        let begun = Instant::now();
        bcrypt::hash("secret", *cost).unwrap();
        begun.elapsed()
    };
    let cost = (4..=12).find(|cost| took(cost) > Duration::from_millis(40)).unwrap();
    let address =
        start(&format!("basic_auth_users:\n  ann: {}\n", bcrypt::hash("secret", cost).unwrap()), folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (wrong, busy) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    runtime.block_on(async {
        for guesser in 0..16 {
            let (wrong, busy) = (Arc::clone(&wrong), Arc::clone(&busy));
            tokio::spawn(async move {
                for number in 0.. {
                    let answer = ask_from([127, 0, 0, 2], address, &format!("ann:{guesser}-{number}")).await;
                    wrong.fetch_add(usize::from(answer.starts_with("HTTP/1.1 401")), Ordering::Relaxed);
                    busy.fetch_add(usize::from(answer.starts_with("HTTP/1.1 429")), Ordering::Relaxed);
                }
            });
        }
        while wrong.load(Ordering::Relaxed) < 4 || busy.load(Ordering::Relaxed) < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let answer = ask_from([127, 0, 0, 1], address, "ann:secret").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "the first time: {answer}");
    });
}
