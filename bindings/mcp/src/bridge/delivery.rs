//! Delivery of a message to the server: the transport, and recovery of a lost session or stream.

use super::failure::Failure;
use super::legacy;
use super::link::{Link, Transport};
use super::message::Message;
use super::streamable;
use reqwest::{StatusCode, Url};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long the handshake of another session may take.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// Carries a message to the server and its answers back. `arrived` is dropped or used once the server has the
/// message.
pub(super) async fn deliver(link: &Arc<Link>, message: Message, arrived: oneshot::Sender<()>) {
    link.note(&message);
    let outcome = match link.transport() {
        Transport::Unknown => deliver_first(link, &message, arrived).await,
        known => deliver_by(link, known, &message, arrived).await,
    };
    if let Err(failure) = outcome {
        link.fail(&message.requests, &failure.to_string()).await;
    }
}

/// By the transport that this message finds out, unless another has found it out meanwhile.
async fn deliver_first(link: &Arc<Link>, message: &Message, arrived: oneshot::Sender<()>) -> Result<(), Failure> {
    let beginning = link.beginning.lock().await;
    match link.transport() {
        Transport::Unknown => find_out(link, message, arrived).await,
        known => {
            // It is needed again where another session begins.
            drop(beginning);
            deliver_by(link, known, message, arrived).await
        }
    }
}

async fn deliver_by(
    link: &Arc<Link>,
    transport: Transport,
    message: &Message,
    arrived: oneshot::Sender<()>,
) -> Result<(), Failure> {
    match transport {
        Transport::Legacy(url) => by_legacy(link, url, message).await,
        _ => by_streamable(link, message, arrived).await,
    }
}

/// Tries streamable HTTP, then the older transport, as the protocol advises clients to do.
async fn find_out(link: &Arc<Link>, message: &Message, arrived: oneshot::Sender<()>) -> Result<(), Failure> {
    match streamable::exchange(link, message, arrived).await {
        Err(Failure::Status { status, body })
            if matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) =>
        {
            let Ok(url) = legacy::connect(link).await else { return Err(Failure::Status { status, body }) };
            tracing::info!(url = %link.remote.url, "the server speaks HTTP with SSE of 2024-11-05");
            legacy::post(link, &url, message).await
        }
        outcome => {
            if outcome.is_ok() {
                link.set_transport(Transport::Streamable);
            }
            outcome
        }
    }
}

/// Where the server has forgotten the session, in another one.
async fn by_streamable(link: &Arc<Link>, message: &Message, arrived: oneshot::Sender<()>) -> Result<(), Failure> {
    let session = link.settled().session;
    match streamable::exchange(link, message, arrived).await {
        Err(Failure::Status { status: StatusCode::NOT_FOUND, .. }) if session.is_some() => {
            let beginning = link.beginning.lock().await;
            if link.settled().session == session {
                tracing::info!("the server has forgotten the session; beginning another");
                begin_again(link).await?;
            }
            drop(beginning);
            let (arrived, _) = oneshot::channel();
            streamable::exchange(link, message, arrived).await
        }
        outcome => outcome,
    }
}

/// The answer comes by the stream, which is begun again where it broke.
async fn by_legacy(link: &Arc<Link>, url: Option<Url>, message: &Message) -> Result<(), Failure> {
    let url = match url {
        Some(url) => url,
        None => begin_stream(link, message).await?,
    };
    legacy::post(link, &url, message).await
}

/// Another stream, unless another task has just begun one.
async fn begin_stream(link: &Arc<Link>, message: &Message) -> Result<Url, Failure> {
    let _beginning = link.beginning.lock().await;
    if let Transport::Legacy(Some(url)) = link.transport() {
        return Ok(url);
    }
    let url = legacy::reconnect(link).await?;
    if message.method.as_deref() != Some("initialize") {
        begin_again(link).await?;
    }
    Ok(url)
}

/// Begins another session by the client's own handshake, whose answer the client has already.
async fn begin_again(link: &Arc<Link>) -> Result<(), Failure> {
    let Some((message, id)) = link.handshake_again() else { return Ok(()) };
    link.set_session(None);
    for message in [message, Message::initialized()] {
        let (arrived, _) = oneshot::channel();
        match link.transport() {
            Transport::Legacy(Some(url)) => legacy::post(link, &url, &message).await?,
            _ => streamable::exchange(link, &message, arrived).await?,
        }
        if !link.answered(&id, HANDSHAKE).await {
            return Err(Failure::Lost("it did not answer the handshake".to_owned()));
        }
    }
    Ok(())
}
