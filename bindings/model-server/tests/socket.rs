//! The estimator's socket, as the reference's exporter and as patient clients use it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy exempts test functions, but not what they share"
)]

mod support;

use kepler_core::model::Machine;
use kepler_model_server::{SocketError, SocketOptions, serve_socket};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use support::{request, store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Estimator {
    path: PathBuf,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), SocketError>>,
    _folder: tempfile::TempDir,
}

impl Estimator {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("estimator.sock");
        let store = store(&folder.path().join("models"));
        let mut machine = Machine::with_processor("Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz");
        (machine.threads, machine.chips, machine.memory_gib) = (Some(2), Some(1), Some(8.0));
        let options = SocketOptions::default().with(|options| options.read_timeout = Duration::from_millis(500));
        let (stop, stopped) = oneshot::channel();
        let at = path.clone();
        let task =
            tokio::spawn(
                async move { serve_socket(&at, store, machine, options, async { drop(stopped.await) }).await },
            );
        let estimator = Estimator { path, stop, task, _folder: folder };
        while UnixStream::connect(&estimator.path).await.is_err() {
            assert!(!estimator.task.is_finished());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        estimator
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.path).await.unwrap()
    }

    /// What comes until the other side closes.
    async fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }

    async fn ask(&self, changes: Value) -> Value {
        serde_json::from_slice(&self.exchange(request(changes).to_string().as_bytes()).await).unwrap()
    }
}

#[tokio::test]
async fn one_write_and_one_read_are_a_request_and_its_answer() {
    let estimator = Estimator::start().await;
    let mut stream = estimator.connect().await;
    // As Go writes it: no line break, the other direction left open.
    stream.write_all(request(json!({"values": [[1000.0, 0.0]], "system_features": ["cpu_architecture"], "system_values": ["Sky Lake"]})).to_string().as_bytes()).await.unwrap();
    let mut buffer = [0; 4096];
    let length = stream.read(&mut buffer).await.unwrap();
    let reply: Value = serde_json::from_slice(&buffer[..length]).unwrap();
    assert_eq!(reply["powers"]["package"], json!([13.0]));
    assert_eq!(reply["msg"], "");
    assert_eq!(reply["core_ratio"], 0.25, "2 of the model's 8 CPUs");
}

#[tokio::test]
async fn an_answer_is_whole_however_long() {
    let estimator = Estimator::start().await;
    let rows: Vec<[f64; 2]> = (0..50_000).map(|row| [f64::from(row) / 7.0, 0.0]).collect();
    let reply = estimator.ask(json!({"values": rows})).await;
    let watts: Vec<f64> = serde_json::from_value(reply["powers"]["package"].clone()).unwrap();
    assert_eq!(watts.len(), rows.len());
    let exact = 10.0 + 3.0 * rows[12_345][0] / 1000.0;
    assert!((watts[12_345] - exact).abs() <= 0.0005, "to the milliwatt, in which exporters count");
}

#[tokio::test]
async fn a_request_may_come_in_pieces() {
    let estimator = Estimator::start().await;
    let mut stream = estimator.connect().await;
    let text = request(json!({"values": [[1000.0, 0.0]], "filter": "mae:}5"})).to_string().replace("mae:}5", "mae:5");
    for piece in text.as_bytes().chunks(7) {
        stream.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let reply: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(reply["powers"]["package"], json!([13.0]));
}

#[tokio::test]
async fn a_client_that_says_so_may_ask_again_line_by_line() {
    let estimator = Estimator::start().await;
    let line = |watts: f64| request(json!({"values": [[watts, 0.0]], "framing": "lines"})).to_string();
    let both = format!("{}\n{}\n", line(1000.0), line(1234.5678));
    let mut stream = estimator.connect().await;
    stream.write_all(both.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let replies: Vec<Value> = answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(replies[0]["powers"]["package"], json!([13.0]));
    let exact = replies[1]["powers"]["package"][0].as_f64().unwrap();
    assert!((exact - (10.0 + 3.0 * 1.2345678)).abs() < 1e-12, "not rounded");
}

#[tokio::test]
async fn bad_requests_are_answered_with_a_message_and_do_no_harm() {
    let estimator = Estimator::start().await;
    let cases: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\n\r\n", "not a JSON object"),
        (b"{\"metrics\": }", "not understood"),
        (b"{}", "output_type"),
        (b"{\"metrics\": [", "within 0.5 s"),
        (b"{\"output_type\": \"AbsPower\", \"framing\": \"chunks\"}", "framing"),
    ];
    for (bytes, expected) in cases {
        let reply: Value = serde_json::from_slice(&estimator.exchange(bytes).await).unwrap();
        assert_eq!(reply["powers"], json!({}));
        assert!(reply["msg"].as_str().unwrap().contains(expected), "{reply}");
    }
    let mismatch = estimator.ask(json!({"system_features": ["a"], "system_values": []})).await;
    assert!(mismatch["msg"].as_str().unwrap().contains("system_values"), "{mismatch}");
    // A client that connects and leaves.
    drop(estimator.connect().await);
    assert_eq!(estimator.ask(json!({"values": [[0.0, 0.0]]})).await["powers"]["package"], json!([10.0]));
}

#[tokio::test]
async fn the_socket_goes_with_the_server_and_nothing_else_is_replaced() {
    let estimator = Estimator::start().await;
    let again = |path: PathBuf| {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        async move { serve_socket(&path, store, Machine::default(), SocketOptions::default(), async {}).await }
    };
    assert!(matches!(again(estimator.path.clone()).await, Err(SocketError::Taken { .. })));
    estimator.stop.send(()).unwrap();
    estimator.task.await.unwrap().unwrap();
    assert!(!estimator.path.exists());
    fs::write(&estimator.path, "precious").unwrap();
    assert!(matches!(again(estimator.path.clone()).await, Err(SocketError::NotASocket { .. })));
    assert_eq!(fs::read(&estimator.path).unwrap(), b"precious");
    fs::remove_file(&estimator.path).unwrap();
    // A dead process leaves a socket without a listener.
    drop(std::os::unix::net::UnixListener::bind(&estimator.path).unwrap());
    again(estimator.path).await.unwrap();
}
