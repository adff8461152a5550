//! A stand-in for a server: answers as it is reported, on a port of loopback, and remembers what it was asked.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a fixture that fails fails its test")]

pub(crate) mod cluster;
pub(crate) mod prometheus;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, more headers, a body.
    Full(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A body of which only the first half comes.
    Truncated(String),
    /// A byte at a time, each after a wait.
    Slow(String, Duration),
    /// Pieces, each after a wait, until the connection is closed.
    Stream(Vec<(Duration, String)>),
    /// Nothing, for so long.
    Silent(Duration),
    /// Bytes that are no HTTP.
    Raw(&'static [u8]),
    /// A body without a length, and a connection that ends without TLS's `close_notify`.
    Abrupt(String),
}

impl Reply {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Reply::Full(200, Vec::new(), body.into().into_bytes())
    }

    pub(crate) fn status(status: u16) -> Self {
        Reply::Full(status, Vec::new(), Vec::new())
    }

    fn write(self, to: &mut impl Write) -> std::io::Result<()> {
        match self {
            Reply::Full(status, headers, body) => {
                write!(to, "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len())?;
                for (name, value) in headers {
                    write!(to, "{name}: {value}\r\n")?;
                }
                to.write_all(b"\r\n")?;
                to.write_all(&body)
            }
            Reply::Truncated(body) => {
                write!(to, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len())?;
                to.write_all(&body.as_bytes()[..body.len() / 2])
            }
            Reply::Slow(body, wait) => {
                write!(to, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len())?;
                for byte in body.bytes() {
                    thread::sleep(wait);
                    to.write_all(&[byte])?;
                    to.flush()?;
                }
                Ok(())
            }
            Reply::Stream(pieces) => {
                write!(to, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n")?;
                to.flush()?;
                for (wait, piece) in pieces {
                    thread::sleep(wait);
                    to.write_all(piece.as_bytes())?;
                    to.flush()?;
                }
                Ok(())
            }
            Reply::Silent(wait) => {
                thread::sleep(wait);
                Ok(())
            }
            Reply::Raw(bytes) => to.write_all(bytes),
            Reply::Abrupt(body) => write!(to, "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{body}"),
        }
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(respond: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Server::accept(move |mut stream, asked| {
            serve(&mut stream, asked, &respond);
        })
    }

    /// The same behind TLS.
    pub(crate) fn start_tls(
        config: Arc<rustls::ServerConfig>,
        respond: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Server::start_tls_with(move || config.clone(), respond)
    }

    /// The same with a configuration that may be another one for each connection.
    pub(crate) fn start_tls_with(
        config: impl Fn() -> Arc<rustls::ServerConfig> + Send + Sync + 'static,
        respond: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Server::accept(move |stream, asked| serve_tls(stream, config(), asked, &respond))
    }

    /// The same at an address where one has been before.
    pub(crate) fn start_tls_at(
        address: SocketAddr,
        config: Arc<rustls::ServerConfig>,
        respond: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let begun = std::time::Instant::now();
        let listener = loop {
            match TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(30), "{address}: {error}"),
            }
            thread::sleep(Duration::from_millis(50));
        };
        Server::accept_at(listener, move |stream, asked| serve_tls(stream, config.clone(), asked, &respond))
    }

    fn accept(answer: impl Fn(TcpStream, &Mutex<Vec<Request>>) + Send + Sync + 'static) -> Self {
        Server::accept_at(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    fn accept_at(
        listener: TcpListener,
        answer: impl Fn(TcpStream, &Mutex<Vec<Request>>) + Send + Sync + 'static,
    ) -> Self {
        let server = Server { address: listener.local_addr().unwrap(), asked: Arc::default(), stop: Arc::default() };
        let (asked, stop, answer) = (server.asked.clone(), server.stop.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (asked, answer) = (asked.clone(), answer.clone());
                thread::spawn(move || answer(stream, &asked));
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

/// TLS of `localhost` with a self-signed certificate, and that certificate as PEM.
pub(crate) fn self_signed() -> (Arc<rustls::ServerConfig>, String) {
    self_signed_of(rcgen::CertificateParams::new(vec!["localhost".to_string()]).unwrap())
}

/// The same with a certificate of one's own.
pub(crate) fn self_signed_of(params: rcgen::CertificateParams) -> (Arc<rustls::ServerConfig>, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], key)
        .unwrap();
    (Arc::new(config), made.pem())
}

fn serve_tls(
    stream: TcpStream,
    config: Arc<rustls::ServerConfig>,
    asked: &Mutex<Vec<Request>>,
    respond: &impl Fn(&Request) -> Reply,
) {
    let connection = rustls::ServerConnection::new(config).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, stream);
    if serve(&mut stream, asked, respond) != Some(Ending::Abrupt) {
        stream.conn.send_close_notify();
    }
    let _ = stream.flush();
}

/// How a connection ends.
#[derive(PartialEq)]
enum Ending {
    Said,
    Abrupt,
}

/// Answers one request; `None` if there was none.
fn serve(
    stream: &mut (impl Read + Write),
    asked: &Mutex<Vec<Request>>,
    respond: &impl Fn(&Request) -> Reply,
) -> Option<Ending> {
    let request = read(&mut *stream)?;
    asked.lock().unwrap().push(request.clone());
    let reply = respond(&request);
    let ending = if matches!(reply, Reply::Abrupt(_)) { Ending::Abrupt } else { Ending::Said };
    // A client that hangs up early is what some tests are about.
    let _ = reply.write(stream);
    Some(ending)
}

pub(crate) fn read(stream: impl Read) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&length| length > 0)?;
        Some(line.trim_end().to_string())
    };
    let first = line()?;
    let mut words = first.split(' ').map(str::to_string);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    while let Some(header) = line().filter(|line| !line.is_empty()) {
        let (name, value) = header.split_once(':')?;
        headers.push((name.to_string(), value.trim().to_string()));
    }
    let mut request = Request { method, target, headers, body: String::new() };
    let length: u64 = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    reader.take(length).read_to_string(&mut request.body).ok()?;
    Some(request)
}
