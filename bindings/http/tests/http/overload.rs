//! Clients that hold what they can hold: bodies never finished, streams never read, answers never taken, names of
//! other servers. A probe and a scrape are answered all the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use crate::support::{exporter, inhabited, options, populated};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use http_body::Frame;
use kepler_core::snapshot::Snapshot;
use kepler_http::{ServerOptions, router, serve_router};
use std::convert::Infallible;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A stream of events on which nothing ever comes.
struct Silence;

impl http_body::Body for Silence {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// Serves the exporter's routes, `POST /length` and `GET /stream` until the test's process ends.
fn start(snapshot: Snapshot, change: impl FnOnce(&mut ServerOptions)) -> SocketAddr {
    start_at("127.0.0.1:0", snapshot, change)
}

fn start_at(address: &str, snapshot: Snapshot, change: impl FnOnce(&mut ServerOptions)) -> SocketAddr {
    let mut limits = ServerOptions::default();
    limits.body_limit = 1 << 20;
    change(&mut limits);
    let routes = Router::new()
        .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/stream", get(|| async { ([(CONTENT_TYPE, "text/event-stream")], Body::new(Silence)) }));
    let exporter = Arc::new(exporter(Some(snapshot), options()));
    let routes = router(exporter, &limits).merge(routes);
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve_router(vec![listener], routes, limits, std::future::pending())).unwrap();
    });
    address
}

fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = stream.write_all(request.as_bytes());
    stream
}

/// All that comes back, or what came before the connection broke.
fn read(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn ask(address: SocketAddr, target: &str) -> String {
    read(send(address, &format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")))
}

fn post_length(address: SocketAddr, body: &str) -> String {
    let length = body.len();
    let head =
        format!("POST /length HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    read(send(address, &(head + body)))
}

const UNFINISHED: &str = "POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nbegun";
const STREAM: &str = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn assert_answers(address: SocketAddr) {
    for target in ["/livez", "/-/healthy", "/readyz", "/metrics"] {
        let answer = ask(address, target);
        assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 503"), "{target}: {answer}");
        assert!(answer.contains("status\":") || answer.contains("kepler_build_info"), "{target}: {answer}");
    }
}

#[test]
fn unfinished_bodies_and_silent_streams_hold_up_no_probe_or_scrape() {
    let address = start(inhabited(), |limits| {
        limits.max_connections = 16;
        limits.body_timeout = Duration::from_secs(600);
    });
    let attack: Vec<_> =
        (0..100).map(|number| send(address, if number % 2 == 0 { UNFINISHED } else { STREAM })).collect();
    for _ in 0..3 {
        assert_answers(address);
    }
    drop(attack);
}

#[test]
fn a_body_that_does_not_come_in_time_is_answered_408_and_one_byte_now_and_then_is_no_progress() {
    let address = start(inhabited(), |limits| limits.body_timeout = Duration::from_millis(400));
    let silent = send(address, UNFINISHED);
    let mut trickling = send(address, UNFINISHED);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) && trickling.write_all(b"x").is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
    for stream in [silent, trickling] {
        let answer = read(stream);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    let answer = read(send(address, UNFINISHED));
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("longer than 0.4 s"), "{answer}");
    assert!(post_length(address, "whole").ends_with('5'));
}

#[test]
fn a_request_that_stalls_gives_way_to_one_that_does_not() {
    let address = start(inhabited(), |limits| {
        limits.max_connections = 8;
        limits.body_timeout = Duration::from_secs(600);
    });
    let attack: Vec<_> = (0..20).map(|_| send(address, UNFINISHED)).collect();
    let answered = (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        post_length(address, "whole").starts_with("HTTP/1.1 200")
    });
    assert!(answered, "those that stalled for two seconds make room");
    drop(attack);
}

#[test]
fn streams_have_a_share_and_one_more_is_refused() {
    let address = start(inhabited(), |limits| limits.max_connections = 32);
    let mut open: Vec<_> = (0..20).map(|_| send(address, STREAM)).collect();
    let mut refused = 0;
    for stream in &mut open {
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        refused += usize::from(head.ends_with(b"503"));
    }
    // Of 32, 2 are kept for probes and 8 for scrapes; half of the rest may be streams.
    assert_eq!(refused, 20 - 11);
    assert!(post_length(address, "whole").starts_with("HTTP/1.1 200"), "streams take half of the rest at most");
    open.truncate(1);
    let reopened = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        let mut head = [0; 12];
        send(address, STREAM).read_exact(&mut head).unwrap();
        head.ends_with(b"200")
    });
    assert!(reopened, "a stream that its client left gives its share back");
}

#[test]
fn the_bodies_of_all_requests_have_a_limit_in_sum_which_comes_back() {
    let address = start(inhabited(), |limits| {
        limits.max_connections = 64;
        limits.body_budget = 256 * 1024;
        limits.body_timeout = Duration::from_secs(600);
    });
    let part = "x".repeat(60 * 1024);
    let begun = format!("POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{part}");
    let attack: Vec<_> = (0..8).map(|_| send(address, &begun)).collect();
    let refused = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        post_length(address, &part).starts_with("HTTP/1.1 503")
    });
    assert!(refused);
    assert_answers(address);
    drop(attack);
    let accepted = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        post_length(address, &part).ends_with("61440")
    });
    assert!(accepted, "what was counted is given back");
}

#[test]
fn scrapes_that_are_never_read_hold_up_no_probe_and_give_way_to_scrapes_that_are() {
    let address = start(populated(8000), |limits| limits.max_connections = 8);
    let scrape = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let attack: Vec<_> = (0..20).map(|_| send(address, scrape)).collect();
    for _ in 0..3 {
        assert!(ask(address, "/livez").starts_with("HTTP/1.1 200"));
    }
    let scraped = (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        ask(address, "/metrics").starts_with("HTTP/1.1 200")
    });
    assert!(scraped);
    drop(attack);
}

#[test]
fn an_answer_must_be_taken_as_a_whole_in_time() {
    let address = start(populated(8000), |limits| {
        limits.answer_timeout = Duration::from_millis(600);
        limits.write_timeout = Duration::from_secs(600);
    });
    let mut slow = send(address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let start = Instant::now();
    let mut taken = 0;
    loop {
        match slow.read(&mut [0; 8192]) {
            Ok(0) => break,
            Err(error) if error.kind() != ErrorKind::Interrupted => break,
            Ok(count) => taken += count,
            Err(_) => {}
        }
        std::thread::sleep(Duration::from_millis(20));
        assert!(start.elapsed() < Duration::from_secs(60), "{taken} bytes");
    }
    assert!(taken < 16_000_000, "it was cut off");
}

#[test]
fn requests_on_one_connection_are_answered_in_turn_and_a_client_that_half_closes_frees_its_slot() {
    let address = start(inhabited(), |limits| limits.max_connections = 2);
    let request = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answers = read(send(address, &(request.repeat(50) + last)));
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 51);
    let half_closed: Vec<_> = (0..2).map(|_| send(address, STREAM)).collect();
    half_closed.iter().for_each(|stream| stream.shutdown(Shutdown::Write).unwrap());
    assert!(ask(address, "/livez").starts_with("HTTP/1.1 200"));
}

#[test]
fn on_the_loopback_interface_every_route_asks_for_a_name_of_this_server() {
    let address = start(inhabited(), |limits| limits.allowed_hosts = vec!["node-1".to_owned()]);
    let with = |target: &str, hosts: &str| {
        let answer = read(send(address, &format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n")));
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    for target in ["/metrics", "/livez", "/", "/stream?x", "/nothing"] {
        assert_eq!(with(target, "Host: evil.example\r\n"), "403", "{target}");
        assert_eq!(with(target, "Host: evil@localhost\r\n"), "400", "{target}");
        assert_eq!(with(target, "Host: localhost\r\nHost: localhost\r\n"), "400", "{target}");
        assert_eq!(with(target, ""), "400", "{target}");
    }
    for host in ["localhost", "127.0.0.1:28282", "[::1]", "node-1:1"] {
        assert_eq!(with("/metrics", &format!("Host: {host}\r\n")), "200", "{host}");
    }
    assert_eq!(with("http://localhost/metrics", "Host: localhost\r\n"), "400", "absolute form");
    let whole = read(send(address, "GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"));
    assert!(
        whole.contains("application/problem+json") && whole.contains("urn:problem-type:kepler:forbidden"),
        "{whole}"
    );
    assert_eq!(with("http://evil.example/metrics", "Host: localhost\r\n"), "400", "absolute form");
}

#[test]
fn health_checks_of_load_balancers_are_answered_in_http_1_0_without_a_host() {
    let address = start(inhabited(), |_| {});
    for (request, status) in [
        ("GET /livez", "200"),
        ("HEAD /livez", "200"),
        // As HAProxy's `option httpchk` asks.
        ("OPTIONS /", "204"),
        ("OPTIONS /livez", "204"),
        ("OPTIONS /nothing", "404"),
        ("GET /metrics", "200"),
        ("POST /length", "400"),
    ] {
        let answer = read(send(address, &format!("{request} HTTP/1.0\r\n\r\n")));
        assert_eq!(answer.split(' ').nth(1), Some(status), "{request}: {answer}");
    }
}

#[test]
fn elsewhere_any_name_reaches_the_server_and_a_malformed_one_does_not() {
    let mut address = start_at("0.0.0.0:0", inhabited(), |_| {});
    address.set_ip([127, 0, 0, 1].into());
    let with = |hosts: &str| read(send(address, &format!("GET /metrics HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n")));
    assert!(with("Host: node-7.cluster.example:28282\r\n").starts_with("HTTP/1.1 200"));
    assert!(with("Host: a@b\r\n").starts_with("HTTP/1.1 400"));
    assert!(with("Host: a\r\nHost: b\r\n").starts_with("HTTP/1.1 400"));
}

#[test]
fn the_exposition_may_be_elsewhere_and_keeps_its_share_there() {
    let address = start(inhabited(), |limits| {
        limits.max_connections = 8;
        limits.telemetry_path = "/kepler/metrics".parse().unwrap();
    });
    let attack: Vec<_> = (0..40).map(|_| send(address, UNFINISHED)).collect();
    assert!(ask(address, "/kepler/metrics").contains("kepler_build_info"));
    drop(attack);
    assert!(ask(address, "/metrics").contains("the metrics are at /kepler/metrics"));
    assert!(ask(address, "/").contains("href=\"/kepler/metrics\""));
    let at_root = start(inhabited(), |limits| limits.telemetry_path = "/".parse().unwrap());
    assert!(ask(at_root, "/").contains("kepler_build_info"));
}
