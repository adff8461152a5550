//! The server over real TCP: formats, health, limits, hostile clients, shutdown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use crate::support::{inhabited, options, parse, populated, values};
use flate2::read::GzDecoder;
use kepler_core::host::Timestamp;
use kepler_core::snapshot::{Feed, Snapshot};
use kepler_http::{Exporter, Format, ServerOptions, serve};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// As many processes as make an answer that no socket buffer holds: 16 MB.
const PROCESSES: u32 = 8000;

/// Whether an answer about the crowd came whole.
fn complete(body: &[u8]) -> bool {
    let last = format!("kepler_process_cpu_seconds_total{{node_name=\"node-1\",pid=\"{PROCESSES}\"");
    body.ends_with(b"\n") && String::from_utf8_lossy(&body[body.len() - 1000..]).contains(&last)
}

struct Server {
    address: SocketAddr,
    feed: Feed,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(snapshot: Option<Snapshot>, limits: ServerOptions) -> Self {
        let feed = Feed::default();
        if let Some(snapshot) = snapshot {
            feed.publish(Arc::new(snapshot));
        }
        let exporter = Arc::new(Exporter::new(feed.clone(), options()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let shutdown = async {
                let _ = stopped.await;
            };
            runtime.block_on(serve(vec![listener], exporter, limits, shutdown)).unwrap();
        });
        Server { address, feed, stop: Some(stop), thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends one request on a connection of its own and returns status line and headers, and the body.
    fn ask(&self, request: &str, headers: &str) -> (String, Vec<u8>) {
        let mut stream = self.connect();
        write!(stream, "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").unwrap();
        answer(stream)
    }

    fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if !std::thread::panicking() {
            self.wait();
        }
    }
}

fn answer(mut stream: TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("headers") + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
    let mut body = bytes.split_off(end);
    if head.contains("transfer-encoding: chunked") && !body.is_empty() {
        body = unchunk(&body);
    }
    (head, body)
}

/// Joins the chunks, and fails if the last, empty one is missing: the answer was cut off.
fn unchunk(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = chunked.windows(2).position(|window| window == b"\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(std::str::from_utf8(&chunked[..line]).unwrap(), 16).unwrap();
        chunked = &chunked[line + 2..];
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&chunked[..size]);
        chunked = &chunked[size + 2..];
    }
}

fn limits(change: impl FnOnce(&mut ServerOptions)) -> ServerOptions {
    let mut limits = ServerOptions::default();
    change(&mut limits);
    limits
}

fn closed_within(mut stream: &TcpStream, time: Duration) -> bool {
    stream.set_read_timeout(Some(time)).unwrap();
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}

/// Waits until the answer has begun to come, and leaves it there.
fn is_answered(stream: &TcpStream) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert!(stream.peek(&mut [0; 1]).unwrap() > 0);
}

#[test]
fn the_format_follows_accept_and_the_coding_accept_encoding() {
    let server = Server::start(Some(populated(500)), ServerOptions::default());
    let (head, plain) = server.ask("GET /metrics", "");
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(!head.contains("content-encoding"));
    let samples = parse(&String::from_utf8(plain.clone()).unwrap(), Format::Text);
    assert_eq!(values(&samples, "kepler_process_cpu_joules_total", &[("zone", "package")]).len(), 500);

    let (head, open) = server.ask("GET /metrics", "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
    parse(&String::from_utf8(open).unwrap(), Format::OpenMetrics);

    let (head, packed) = server.ask("GET /metrics", "Accept-Encoding: br, gzip;q=0.9\r\n");
    assert!(head.contains("content-encoding: gzip") && head.contains("vary: accept-encoding"), "{head}");
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    assert!(packed.len() * 5 < text.len());
    let process = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("kepler_process")).map(str::to_owned).collect()
    };
    assert_eq!(process(&text), process(&String::from_utf8(plain).unwrap()));
}

#[test]
fn paths_and_methods_that_do_not_exist_are_refused_properly() {
    let server = Server::start(Some(inhabited()), ServerOptions::default());
    assert!(server.ask("GET /nothing", "").0.starts_with("http/1.1 404"));
    let (head, _) = server.ask("POST /metrics", "Content-Length: 0\r\n");
    assert!(head.starts_with("http/1.1 405") && head.contains("allow: get,head"), "{head}");
    let (head, body) = server.ask("HEAD /metrics", "");
    assert!(head.starts_with("http/1.1 200") && head.contains("version=0.0.4") && body.is_empty(), "{head}");
    for path in ["/debug/pprof", "/debug/pprof/", "/debug/pprof/profile?seconds=1", "/debug/pprof/heap"] {
        let (head, body) = server.ask(&format!("GET {path}"), "");
        assert!(head.starts_with("http/1.1 404"), "{path}: {head}");
        assert!(String::from_utf8(body).unwrap().contains("perf record"), "{path}");
    }
    let (head, body) = server.ask("GET /", "");
    assert!(head.contains("text/html") && String::from_utf8(body).unwrap().contains("/metrics"));
}

#[test]
fn a_request_body_over_the_limit_is_refused() {
    let server = Server::start(Some(inhabited()), limits(|limits| limits.body_limit = 10));
    assert!(server.ask("GET /metrics", "Content-Length: 11\r\n").0.starts_with("http/1.1 413"));
}

#[test]
fn readiness_follows_the_age_of_the_snapshot_and_life_does_not() {
    let server = Server::start(None, ServerOptions::default());
    for probe in ["GET /readyz", "GET /healthz", "GET /-/ready"] {
        let (head, body) = server.ask(probe, "");
        assert!(head.starts_with("http/1.1 503"), "{head}");
        assert!(String::from_utf8(body).unwrap().contains("no snapshot has been taken yet"));
    }
    for path in ["GET /livez", "GET /-/healthy", "GET /metrics"] {
        assert!(server.ask(path, "").0.starts_with("http/1.1 200"), "{path}");
    }

    server.feed.publish(Arc::new(inhabited()));
    assert!(server.ask("GET /readyz", "").0.starts_with("http/1.1 200"));

    let mut old = inhabited();
    let mut at = Timestamp::now();
    at.monotonic -= Duration::from_secs(16);
    old.at = at;
    server.feed.publish(Arc::new(old));
    let (head, body) = server.ask("GET /readyz", "");
    assert!(head.starts_with("http/1.1 503"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("older than 15.000 s"));
    assert!(server.ask("GET /livez", "").0.starts_with("http/1.1 200"));
}

#[test]
fn scrapers_all_see_the_same_and_none_of_them_changes_it() {
    let server = Server::start(Some(inhabited()), ServerOptions::default());
    let before = server.feed.latest().unwrap();
    let scrape = || {
        let samples = parse(&String::from_utf8(server.ask("GET /metrics", "").1).unwrap(), Format::Text);
        // Its own CPU time and memory are those of this moment.
        let of_the_snapshot = samples
            .into_iter()
            .filter(|sample| !sample.name.starts_with("kepler_exporter_") && !sample.name.starts_with("process_"));
        of_the_snapshot
            .map(|sample| format!("{} {:?} {}", sample.name, sample.labels, sample.value))
            .collect::<Vec<_>>()
    };
    let first = scrape();
    assert!(first.iter().any(|sample| sample.contains("terminated")));
    for _ in 0..3 {
        assert_eq!(scrape(), first);
    }
    assert!(Arc::ptr_eq(&before, &server.feed.latest().unwrap()), "no new snapshot was taken");
}

#[test]
fn headers_that_do_not_come_in_time_end_the_connection() {
    let server = Server::start(Some(inhabited()), limits(|limits| limits.header_timeout = Duration::from_millis(300)));
    let mut slow = server.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap();
    let is_ended = (0..1500).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        slow.write_all(b"x").is_err()
    });
    assert!(is_ended, "a byte now and then must not keep the connection");
}

#[test]
fn a_scraper_is_served_though_slow_clients_hold_every_place() {
    let server = Server::start(
        Some(inhabited()),
        limits(|limits| {
            limits.max_connections = 4;
            limits.header_timeout = Duration::from_secs(600);
        }),
    );
    let mut slow: Vec<_> = (0..12).map(|_| server.connect()).collect();
    for stream in &mut slow {
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHo");
    }
    for _ in 0..3 {
        assert!(server.ask("GET /metrics", "").0.starts_with("http/1.1 200"));
    }
    assert!(closed_within(&slow[0], Duration::from_secs(30)), "the longest waiting went first");
}

#[test]
fn an_idle_connection_gives_its_place_to_a_newcomer_and_is_kept_otherwise() {
    let server = Server::start(Some(inhabited()), limits(|limits| limits.max_connections = 2));
    let mut kept = server.connect();
    for _ in 0..3 {
        kept.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = [0; 4096];
        let length = kept.read(&mut answer).unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
    }
    let _second = server.connect();
    assert!(!closed_within(&kept, Duration::from_millis(300)));
    let third = server.connect();
    assert!(closed_within(&kept, Duration::from_secs(20)));
    drop(third);
}

#[test]
fn a_client_that_does_not_take_its_answer_is_cut_off() {
    let server = Server::start(
        Some(populated(PROCESSES)),
        limits(|limits| {
            limits.max_connections = 1;
            limits.write_timeout = Duration::from_millis(300);
        }),
    );
    let mut lazy = server.connect();
    lazy.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    is_answered(&lazy);
    assert!(server.ask("GET /livez", "").0.starts_with("http/1.1 200"));
    let mut taken = Vec::new();
    let ended = lazy.read_to_end(&mut taken);
    assert!(ended.is_err() || !taken.ends_with(b"0\r\n\r\n"));
}

#[test]
fn a_busy_connection_is_never_sacrificed() {
    let server = Server::start(Some(populated(PROCESSES)), limits(|limits| limits.max_connections = 2));
    let mut busy = server.connect();
    busy.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    is_answered(&busy);
    let waiting: Vec<_> = (0..6).map(|_| server.connect()).collect();
    std::thread::sleep(Duration::from_millis(500));
    let (head, body) = answer(busy);
    assert!(head.starts_with("http/1.1 200"));
    assert!(complete(&body));
    drop(waiting);
}

#[test]
fn shutdown_lets_answers_finish_and_closes_idle_connections() {
    let mut server = Server::start(Some(populated(PROCESSES)), ServerOptions::default());
    let idle = server.connect();
    let mut busy = server.connect();
    busy.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    is_answered(&busy);
    server.stop();
    assert!(closed_within(&idle, Duration::from_secs(20)));
    let (head, body) = answer(busy);
    assert!(head.starts_with("http/1.1 200"));
    assert!(complete(&body));
    server.wait();
    assert!(TcpStream::connect(server.address).is_err(), "the listener is closed");
}

#[test]
fn shutdown_does_not_wait_for_a_client_that_never_finishes() {
    let mut server =
        Server::start(Some(populated(PROCESSES)), limits(|limits| limits.shutdown_grace = Duration::from_millis(300)));
    let mut lazy = server.connect();
    lazy.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    is_answered(&lazy);
    server.stop();
    // Where nothing else is said, it waits for five seconds.
    let start = Instant::now();
    server.wait();
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}
