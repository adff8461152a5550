//! Streamable HTTP: each message is a `POST`, answered by JSON or by a stream of events; a `GET` listens
//! for what the server sends by itself.

use super::answer;
use super::events::{Event, Parser};
use super::failure::Failure;
use super::link::Link;
use super::message::{Message, answers};
use super::remote::{SESSION, longer};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often a broken stream is taken up again before its request is given up.
const RESUMPTIONS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Sends a message and hands on all that comes back for it.
pub(super) async fn exchange(link: &Arc<Link>, message: &Message, arrived: oneshot::Sender<()>) -> Result<(), Failure> {
    let response = link.remote.post(&link.remote.url, message, &link.settled()).await?;
    let initialize = message.method.as_deref() == Some("initialize");
    if initialize {
        link.set_session(response.headers().get(SESSION).cloned());
    }
    // The receiver may be gone already.
    let _ = arrived.send(());
    let status = response.status();
    if !status.is_success() {
        return refused(link, message, response).await;
    }
    if is(&response, "text/event-stream") {
        follow(link, message, response).await?;
    } else if is(&response, "application/json") {
        let text = answer::text(response, &link.remote.room).await?;
        link.emit(&text).await;
    }
    if link.awaits(&message.requests) {
        return Err(Failure::Lost("it ended the connection without an answer".to_owned()));
    }
    if message.method.as_deref() == Some("notifications/initialized") && link.settled().session.is_some() {
        let listener = Arc::downgrade(link);
        link.listen(async move {
            if let Some(link) = listener.upgrade() {
                listen(&link).await;
            }
        });
    }
    Ok(())
}

fn is(response: &Response, kind: &str) -> bool {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.split(';').next().is_some_and(|value| value.trim().eq_ignore_ascii_case(kind)))
}

/// An HTTP error: its JSON-RPC error where it has one, which is the client's to read.
async fn refused(link: &Arc<Link>, message: &Message, response: Response) -> Result<(), Failure> {
    let status = response.status();
    let body = answer::error_text(response).await;
    if let Some((ids, _)) = answers(&body)
        && !ids.is_empty()
        && message.requests.iter().any(|id| ids.contains(id))
    {
        link.emit(&body).await;
        return Ok(());
    }
    Err(Failure::Status { status, body })
}

/// Hands on the events of an answer; a stream that breaks is taken up where it broke.
async fn follow(link: &Arc<Link>, message: &Message, response: Response) -> Result<(), Failure> {
    let mut position = StreamPosition::default();
    let mut outcome = pump(link, response, &mut position, Some(answer::TIME)).await;
    let mut pause = FIRST_PAUSE;
    for _ in 0..RESUMPTIONS {
        if !link.awaits(&message.requests) {
            return Ok(());
        }
        let Some(last) = position.last.clone() else { break };
        tokio::time::sleep(position.retry.take().unwrap_or(pause)).await;
        pause = longer(pause);
        outcome = match link.remote.listen(&link.settled(), Some(&last)).await {
            Ok(response) if response.status().is_success() => {
                pump(link, response, &mut position, Some(answer::TIME)).await
            }
            Ok(response) => Err(Failure::Status { status: response.status(), body: String::new() }),
            Err(error) => Err(error.into()),
        };
    }
    outcome
}

/// Where a stream was left.
#[derive(Default)]
struct StreamPosition {
    last: Option<String>,
    retry: Option<Duration>,
}

impl StreamPosition {
    fn note(&mut self, event: &Event) {
        if let Some(id) = &event.id {
            self.last = (!id.is_empty()).then(|| id.clone());
        }
        self.retry = event.retry.map(Duration::from_millis).or(self.retry);
    }
}

/// Hands on the events of a stream until it ends, or nothing has come for `silence`.
async fn pump(
    link: &Link,
    mut response: Response,
    position: &mut StreamPosition,
    silence: Option<Duration>,
) -> Result<(), Failure> {
    let (mut parser, mut held) = (Parser::default(), link.remote.room.hold());
    while let Some(chunk) = answer::next(&mut response, silence).await? {
        held.resize(parser.held() + chunk.len())?;
        for event in parser.feed(&chunk).map_err(|error| Failure::Lost(error.to_string()))? {
            position.note(&event);
            if !event.data.is_empty() && matches!(event.event.as_str(), "" | "message") {
                link.emit(&event.data).await;
            }
        }
    }
    Ok(())
}

/// Listens for what the server sends by itself, for as long as it lets us.
async fn listen(link: &Arc<Link>) {
    let mut position = StreamPosition::default();
    let mut pause = FIRST_PAUSE;
    let session = link.settled().session;
    // Another session has a listener of its own.
    while link.settled().session == session {
        match link.remote.listen(&link.settled(), position.last.as_deref()).await {
            Ok(response) if response.status().is_success() => {
                pause = FIRST_PAUSE;
                if let Err(failure) = pump(link, response, &mut position, None).await {
                    tracing::debug!(%failure, "the stream of the server broke");
                }
            }
            // Most servers that send nothing by themselves say 405; whatever it is, it will not change.
            Ok(response) if response.status().is_client_error() => return,
            Ok(_) | Err(_) => pause = longer(pause),
        }
        tokio::time::sleep(position.retry.take().unwrap_or(pause)).await;
    }
}
