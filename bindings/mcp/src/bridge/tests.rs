//! The bridge against misbehaving servers.

use super::*;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;

/// What a server sends: parts, one after the other, and whether it closes then or stays silent.
#[derive(Clone)]
struct Script {
    head: &'static str,
    part: Vec<u8>,
    times: usize,
    closes: bool,
}

async fn serve(script: Script) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let script = script.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(script.head.as_bytes()).await;
                for _ in 0..script.times {
                    if stream.write_all(&script.part).await.is_err() {
                        return;
                    }
                }
                if !script.closes {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    format!("http://{address}/mcp")
}

struct Client {
    input: Option<DuplexStream>,
    output: DuplexStream,
    bridge: tokio::task::JoinHandle<Result<(), BridgeError>>,
}

impl Client {
    fn of(url: String) -> Self {
        let (input, theirs) = tokio::io::duplex(64 * 1024);
        let (their_output, output) = tokio::io::duplex(64 * 1024);
        Client {
            input: Some(input),
            output,
            bridge: tokio::spawn(bridge(BridgeOptions::new(url), theirs, their_output)),
        }
    }

    async fn say(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_bytes()).await.unwrap();
        input.write_all(b"\n").await.unwrap();
    }

    /// Closes the input; what the bridge still wrote, and how long it took to end.
    async fn end(mut self) -> (String, Duration) {
        drop(self.input.take());
        let start = Instant::now();
        let mut text = String::new();
        let read = self.output.read_to_string(&mut text);
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("the bridge ends").unwrap();
        self.bridge.await.unwrap().unwrap();
        (text, start.elapsed())
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        let read = async {
            loop {
                let byte = self.output.read_u8().await.unwrap();
                if byte == b'\n' {
                    return;
                }
                line.push(byte);
            }
        };
        tokio::time::timeout(Duration::from_secs(30), read).await.expect("an answer");
        String::from_utf8(line).unwrap()
    }
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
const ERROR: &str = "HTTP/1.1 500 Oh\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_an_error_to_the_client_and_not_its_memory() {
    for (head, part) in [(JSON, b"[".to_vec()), (EVENTS, b"x".to_vec()), (EVENTS, b"data: x\n".to_vec())] {
        let url = serve(Script { head, part: part.repeat(64 * 1024), times: 1000, closes: false }).await;
        let mut client = Client::of(url);
        client.say(CALL).await;
        let line = client.line().await;
        assert!(line.contains("\"id\":7") && line.contains("16 MiB"), "{}", &line[..line.len().min(300)]);
        drop(client);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_without_end_is_shown_by_its_beginning() {
    let url = serve(Script { head: ERROR, part: b"why ".repeat(16 * 1024), times: 1000, closes: false }).await;
    let mut client = Client::of(url);
    client.say(CALL).await;
    let line = client.line().await;
    assert!(line.contains("500") && line.contains("why why") && line.len() < 500, "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bridge_ends_soon_after_its_input_whatever_the_server_does() {
    let silent = serve(Script { head: "", part: Vec::new(), times: 0, closes: false }).await;
    let never_done = serve(Script { head: EVENTS, part: b": alive\n\n".to_vec(), times: 1, closes: false }).await;
    for url in [silent, never_done, "http://127.0.0.1:9/mcp".to_owned()] {
        for request in [CALL, r#"{"jsonrpc":"2.0","id":7,"method":"initialize","params":{}}"#] {
            let mut client = Client::of(url.clone());
            client.say(request).await;
            for _ in 0..300 {
                client.say(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#).await;
            }
            let (text, took) = client.end().await;
            assert!(text.contains("\"id\":7") && text.contains("error"), "{text}");
            // The limit is two seconds; a busy machine may take longer to notice.
            assert!(took < Duration::from_secs(10), "{took:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_does_not_keep_the_bridge() {
    let mut answer = br#"{"jsonrpc":"2.0","id":7,"result":{"text":""#.to_vec();
    answer.extend(b"x".repeat(1 << 20));
    answer.extend(br#""}}"#);
    let url = serve(Script { head: JSON, part: answer, times: 1, closes: true }).await;
    let mut client = Client::of(url);
    client.say(CALL).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(client.input.take());
    tokio::time::timeout(Duration::from_secs(10), client.bridge).await.expect("the bridge ends").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_end_is_refused_and_the_next_one_is_read() {
    let url =
        serve(Script { head: JSON, part: br#"{"jsonrpc":"2.0","id":7,"result":{}}"#.to_vec(), times: 1, closes: true });
    let mut client = Client::of(url.await);
    let input = client.input.as_mut().unwrap();
    for _ in 0..(17 << 20) / (64 << 10) {
        input.write_all(&[b'x'; 64 << 10]).await.unwrap();
    }
    client.say("").await;
    assert!(client.line().await.contains("longer than 16 MiB"));
    client.say(CALL).await;
    assert!(client.line().await.contains("\"result\":{}"));
}
