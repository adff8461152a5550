//! A bridge from a client on standard input and output to a remote server.
//!
//! Messages pass unchanged. Which transport the server has, streamable HTTP or the older HTTP with
//! server-sent events, is found out with the first message. Errors on the way are reported to the
//! client as JSON-RPC errors, so that no request stays without an answer. What the server sends is read within
//! limits of size and time, and what the client does not take is held within a limit of bytes.
//!
//! ```no_run
//! use kepler_mcp::bridge::{BridgeOptions, bridge};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let options = BridgeOptions::new("http://localhost:28282/mcp");
//! bridge(options, tokio::io::stdin(), tokio::io::stdout()).await?;
//! # Ok(())
//! # }
//! ```

mod answer;
mod delivery;
mod events;
mod failure;
mod input;
mod legacy;
mod link;
mod message;
mod output;
mod remote;
mod streamable;

use input::Line;
use link::Link;
use message::{Message, error};
use remote::Remote;
use reqwest::Url;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// A message goes once the one before is known to have arrived, or after this long: order is kept, and
/// a slow answer does not hold up what follows it, such as its cancellation.
const ORDER_WAIT: Duration = Duration::from_secs(1);
/// Messages on their way to the server; then one that awaits an answer is refused.
const MOST_DELIVERIES: usize = 256;
/// How long the end of the session, and what the client has still to take, are waited for.
const FAREWELL: Duration = Duration::from_millis(300);

/// Where to, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BridgeOptions {
    /// The server's address: `http://node-1:28282/mcp`, `https://…/sse`.
    pub url: String,
    /// What to send as `Authorization: Bearer …`. Never shown.
    pub bearer_token: Option<crate::Token>,
    /// How long answers under way are waited for once the client has closed its end; default 1 s. What is left is
    /// answered by errors, and the bridge ends within another second.
    pub drain: Duration,
}

impl BridgeOptions {
    /// To `url`, without a token.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        BridgeOptions { url: url.into(), bearer_token: None, drain: Duration::from_secs(1) }
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
/// was asked is answered or has had its time.
///
/// # Errors
/// When the address cannot be used, or `input` or `output` fails. A server that fails is no error here:
/// the client is answered by errors, request by request.
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
    let (lines, writer) = output::lines();
    let mut writer = tokio::spawn(writer.write(output));
    let link = Arc::new(Link::new(remote, lines));
    // Bounded by the room for lines.
    let (read, lines) = mpsc::unbounded_channel();
    let mut forwarding = tokio::spawn(forward_all(Arc::clone(&link), lines));
    tokio::select! {
        // What was read is forwarded while the answers are waited for.
        ended = input::read(input, read) => ended?,
        // The client takes nothing any more.
        _ = &mut writer => {
            forwarding.abort();
            return Ok(());
        }
    }
    let answered = async {
        let _ = (&mut forwarding).await;
        link.answered_all().await;
    };
    if tokio::time::timeout(options.drain, answered).await.is_err() {
        forwarding.abort();
        let farewell = link.fail_all("the bridge ends before the server has answered");
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
    let _ = tokio::time::timeout(FAREWELL, link.end()).await;
    drop((link, forwarding));
    match tokio::time::timeout(FAREWELL, &mut writer).await {
        Ok(written) => written.map_err(io::Error::other)??,
        // A client that does not read cannot receive an error.
        Err(_) => writer.abort(),
    }
    Ok(())
}

/// Forwards lines in their order until there are no more, and waits for what is on its way.
async fn forward_all(link: Arc<Link>, mut lines: mpsc::UnboundedReceiver<Line>) {
    let mut deliveries = JoinSet::new();
    while let Some(line) = lines.recv().await {
        match line {
            Line::Text(text, _room) => forward(&link, &mut deliveries, &text).await,
            Line::Refused(reason) => link.emit(&error("null", -32600, reason)).await,
        }
    }
    while deliveries.join_next().await.is_some() {}
}

async fn forward(link: &Arc<Link>, deliveries: &mut JoinSet<()>, text: &str) {
    while deliveries.try_join_next().is_some() {}
    let message = match Message::parse(text) {
        Ok(message) => message,
        Err(reason) => return link.emit(&error("null", -32700, &format!("not a JSON-RPC message: {reason}"))).await,
    };
    if deliveries.len() >= MOST_DELIVERIES && !message.requests.is_empty() {
        link.note(&message);
        return link.fail(&message.requests, "the server has not answered those before").await;
    }
    let patient = message.method.as_deref() == Some("initialize");
    let (arrived, arrival) = oneshot::channel();
    let link = Arc::clone(link);
    if patient {
        // What follows needs what its answer settles: the session and the protocol revision.
        delivery::deliver(&link, message, arrived).await;
    } else {
        deliveries.spawn(async move { delivery::deliver(&link, message, arrived).await });
        let _ = tokio::time::timeout(ORDER_WAIT, arrival).await;
    }
}

#[cfg(test)]
mod tests;
