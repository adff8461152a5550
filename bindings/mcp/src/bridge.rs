//! A bridge between a client that speaks standard input and output only and a remote server.
//!
//! Messages pass unchanged. Which transport the server has, streamable HTTP or the older HTTP with
//! server-sent events, is found out with the first message. What goes wrong on the way is told to the
//! client as JSON-RPC errors, so that no request stays without an answer.

mod events;
mod legacy;
mod link;
mod message;
mod remote;
mod streamable;

use link::Link;
use message::{Message, error};
use remote::Remote;
use reqwest::Url;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Lines that wait to be taken by the client; then reading from the server waits.
const QUEUE: usize = 64;
/// A message goes once the one before is known to have arrived, or after this long: order is kept, and
/// a slow answer does not hold up what follows it, such as its cancellation.
const ORDER_WAIT: Duration = Duration::from_secs(1);

/// Where to, and how.
#[derive(Clone, Debug)]
pub struct BridgeOptions {
    /// The server's address: `http://node-1:28282/mcp`, `https://…/sse`.
    pub url: String,
    /// What to send as `Authorization: Bearer …`. Never shown.
    pub bearer_token: Option<crate::Token>,
    /// How long answers under way are waited for once the client has closed its end; default 60 s.
    pub drain: Duration,
}

impl BridgeOptions {
    /// To `url`, without a token.
    pub fn new(url: impl Into<String>) -> Self {
        BridgeOptions { url: url.into(), bearer_token: None, drain: Duration::from_secs(60) }
    }
}

/// Why there is no bridge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The address cannot be used.
    #[error("`{url}` is no address of an MCP server: {reason}; give one like http://localhost:28282/mcp")]
    Url {
        /// The address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no HTTP client, mostly because the system has no certificates to trust.
    #[error("cannot make an HTTP client: {reason}")]
    Client {
        /// What is missing.
        reason: String,
    },
    /// The client's end failed.
    #[error("the MCP client cannot be read from or written to: {0}")]
    Io(#[from] io::Error),
}

/// Carries messages between a client, line by line, and a remote server, until `input` ends and what
/// was asked is answered.
///
/// # Errors
/// When the address cannot be used, or `input` or `output` fails. A server that fails is no error here:
/// the client is told, request by request.
pub async fn bridge(
    options: BridgeOptions,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
) -> Result<(), BridgeError> {
    let wrong = |reason: String| BridgeError::Url { url: options.url.clone(), reason };
    let url = Url::parse(&options.url).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!("its scheme is {}", url.scheme())));
    }
    let remote = Remote::new(url, options.bearer_token)?;
    let (lines, taken) = mpsc::channel(QUEUE);
    let writer = tokio::spawn(write(taken, output));
    let link = Arc::new(Link::new(remote, lines));
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    let mut deliveries = JoinSet::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).await? == 0 || writer.is_finished() {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        // A mark of byte order comes from Windows, as does CR LF.
        let text = text.trim_start_matches('\u{feff}').trim();
        if !text.is_empty() {
            forward(&link, &mut deliveries, text).await;
        }
    }
    link.drain(options.drain).await;
    deliveries.shutdown().await;
    link.end().await;
    drop(link);
    writer.await.map_err(io::Error::other)??;
    Ok(())
}

async fn forward(link: &Arc<Link>, deliveries: &mut JoinSet<()>, text: &str) {
    while deliveries.try_join_next().is_some() {}
    let message = match Message::parse(text) {
        Ok(message) => message,
        Err(reason) => return link.emit(&error("null", -32700, &format!("not a JSON-RPC message: {reason}"))).await,
    };
    let patient = message.method.as_deref() == Some("initialize");
    let (arrived, arrival) = oneshot::channel();
    let link = Arc::clone(link);
    if patient {
        // What follows needs what its answer settles: the session and the protocol revision.
        link.deliver(message, arrived).await;
    } else {
        deliveries.spawn(async move { link.deliver(message, arrived).await });
        let _ = tokio::time::timeout(ORDER_WAIT, arrival).await;
    }
}

/// Writes each message on a line of its own, until nobody sends any.
async fn write(mut lines: mpsc::Receiver<String>, mut output: impl AsyncWrite + Unpin) -> io::Result<()> {
    while let Some(mut line) = lines.recv().await {
        line.push('\n');
        output.write_all(line.as_bytes()).await?;
        output.flush().await?;
    }
    Ok(())
}
