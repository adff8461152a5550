//! HTTP with server-sent events, as of 2024-11-05: one stream brings the address to post to, then all
//! answers.

use super::answer;
use super::events::Parser;
use super::failure::Failure;
use super::link::{Link, Transport};
use super::message::Message;
use super::remote::Settled;
use reqwest::{Response, Url};
use std::sync::Arc;
use std::time::Duration;

/// How long the first event may take.
const GREETING: Duration = Duration::from_secs(10);
/// How often a stream that broke is begun again for a message.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Sends a message; its answer comes by the stream.
pub(super) async fn post(link: &Arc<Link>, url: &Url, message: &Message) -> Result<(), Failure> {
    let response = link.remote.post(url, message, &Settled::default()).await?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    Err(Failure::Status { status, body: answer::error_text(response).await })
}

/// Opens the stream again, after a pause where that fails.
pub(super) async fn reconnect(link: &Arc<Link>) -> Result<Url, Failure> {
    let mut pause = FIRST_PAUSE;
    let mut outcome = connect(link).await;
    for _ in 1..ATTEMPTS {
        if outcome.is_ok() {
            break;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        outcome = connect(link).await;
    }
    outcome
}

/// Opens the stream and waits for the address.
pub(super) async fn connect(link: &Arc<Link>) -> Result<Url, Failure> {
    let mut response = link.remote.listen(&Settled::default(), None).await?;
    if !response.status().is_success() {
        return Err(Failure::Status { status: response.status(), body: String::new() });
    }
    let mut parser = Parser::default();
    let endpoint = tokio::time::timeout(GREETING, greeting(&mut response, &mut parser)).await;
    let endpoint = endpoint.map_err(|_| Failure::Lost("its stream names no address to post to".to_owned()))??;
    let url = link.remote.url.join(&endpoint).map_err(|error| Failure::Lost(format!("`{endpoint}`: {error}")))?;
    if url.origin() != link.remote.url.origin() {
        // It could be sent the token, or what the client says to another server.
        return Err(Failure::Lost(format!("it wants messages to go to another server, {url}")));
    }
    link.set_transport(Transport::Legacy(Some(url.clone())));
    let listener = Arc::downgrade(link);
    link.listen(async move {
        if let Some(link) = listener.upgrade() {
            listen(&link, response, parser).await;
        }
    });
    Ok(url)
}

/// The data of the first event, which is the address. Later events may share its chunk; servers wait for
/// the first message before they send any.
async fn greeting(response: &mut Response, parser: &mut Parser) -> Result<String, Failure> {
    while let Some(chunk) = response.chunk().await? {
        let events = parser.feed(&chunk).map_err(|error| Failure::Lost(error.to_string()))?;
        if let Some(event) = events.into_iter().find(|event| event.event == "endpoint") {
            return Ok(event.data);
        }
    }
    Err(Failure::Lost("its stream ended before it named an address to post to".to_owned()))
}

/// Hands on what the stream brings. When it ends, what is under way is lost with the session.
async fn listen(link: &Arc<Link>, mut response: Response, mut parser: Parser) {
    let mut held = link.remote.room.hold();
    let why = loop {
        match response.chunk().await {
            Ok(Some(chunk)) if held.resize(parser.held() + chunk.len()).is_err() => {
                break "its answers fill the memory that is kept for them".to_owned();
            }
            Ok(Some(chunk)) => match parser.feed(&chunk) {
                Ok(events) => {
                    for event in events.iter().filter(|event| matches!(event.event.as_str(), "" | "message")) {
                        link.emit(&event.data).await;
                    }
                }
                Err(error) => break error.to_string(),
            },
            Ok(None) => break "it ended the stream".to_owned(),
            Err(error) => break Failure::from(error).to_string(),
        }
    };
    link.set_transport(Transport::Legacy(None));
    link.fail_all(&format!("the connection was lost before the answer came ({why}); ask again")).await;
}
