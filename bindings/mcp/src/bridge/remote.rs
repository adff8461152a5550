//! HTTP to the server: requests as the transports want them, tried again while it cannot be reached.

use super::BridgeError;
use super::answer;
use super::failure::Failure;
use super::message::Message;
use crate::Token;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, Url, redirect};
use rustls_platform_verifier::BuilderVerifierExt as _;
use std::sync::Arc;
use std::time::Duration;

/// Pauses before a server that cannot be reached is tried again.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// Longest pause between two attempts to listen.
const MAX_PAUSE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);

pub(super) const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";

pub(super) struct Remote {
    client: Client,
    pub(super) url: Url,
    token: Option<Token>,
    /// For what is being read of answers.
    pub(super) room: answer::Room,
}

/// What the server has settled.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    pub(super) session: Option<HeaderValue>,
    pub(super) version: Option<String>,
}

impl Remote {
    pub(super) fn new(url: Url, token: Option<Token>) -> Result<Self, BridgeError> {
        let refuse = |reason: String| BridgeError::Client { reason };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse(error.to_string()))?;
        let tls = if url.scheme() == "https" {
            tls.with_platform_verifier().map_err(|error| refuse(error.to_string()))?
        } else {
            // No certificate is needed: the address is plain HTTP.
            tls.with_root_certificates(rustls::RootCertStore::empty())
        };
        let client = Client::builder()
            .tls_backend_preconfigured(tls.with_no_client_auth())
            // A redirect could carry the token to another host.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("kepler-bridge/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| refuse(error.to_string()))?;
        Ok(Remote { client, url, token, room: answer::Room::new() })
    }

    /// Sends a message; while the server cannot be reached, again after a pause, a few times. Its answer must begin
    /// within five minutes.
    pub(super) async fn post(&self, url: &Url, message: &Message, settled: &Settled) -> Result<Response, Failure> {
        let mut pauses = PAUSES.iter();
        loop {
            let request = self.authorized(self.client.post(url.clone()));
            let request = request
                .header(ACCEPT, "application/json, text/event-stream")
                .header(CONTENT_TYPE, "application/json")
                .headers(describe(message, settled))
                .body(message.text.clone());
            let sent = tokio::time::timeout(answer::TIME, request.send()).await;
            match sent.map_err(|_| Failure::Lost(format!("it has not answered for {} s", answer::TIME.as_secs())))? {
                // Nothing has been sent yet, so sending it again does nothing twice.
                Err(error) if error.is_connect() => match pauses.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Err(error.into()),
                },
                outcome => return outcome.map_err(Failure::from),
            }
        }
    }

    /// Asks for events, from the one after `last` where given.
    pub(super) async fn listen(&self, settled: &Settled, last: Option<&str>) -> reqwest::Result<Response> {
        let mut request = self.authorized(self.client.get(self.url.clone())).header(ACCEPT, "text/event-stream");
        if let Some(session) = &settled.session {
            request = request.header(SESSION, session);
        }
        if let Some(version) = &settled.version {
            request = request.header(VERSION, version);
        }
        if let Some(last) = last.and_then(|last| HeaderValue::from_str(last).ok()) {
            request = request.header("last-event-id", last);
        }
        request.send().await
    }

    /// Tells the server that the session is over.
    pub(super) async fn end(&self, session: HeaderValue) {
        let request = self.authorized(self.client.delete(self.url.clone())).header(SESSION, session);
        // It may refuse, and would find out by itself.
        let _ = request.timeout(Duration::from_secs(1)).send().await;
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token.text()),
            None => request,
        }
    }
}

/// The headers that say what the body is about, from 2026-07-28 on, and what the session is.
fn describe(message: &Message, settled: &Settled) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let initialize = message.method.as_deref() == Some("initialize");
    if let Some(session) = settled.session.clone().filter(|_| !initialize) {
        headers.insert(SESSION, session);
    }
    let version = message.version.as_ref().or(settled.version.as_ref().filter(|_| !initialize));
    let text = |value: &String| HeaderValue::from_str(value).ok();
    if let Some(version) = version.and_then(text) {
        headers.insert(VERSION, version);
    }
    if let Some(method) = message.method.as_ref().and_then(text) {
        headers.insert("mcp-method", method);
    }
    if let Some(about) = &message.about {
        headers.extend(named(about).map(|about| (reqwest::header::HeaderName::from_static("mcp-name"), about)));
    }
    headers
}

/// A name as a header's value: in Base64 where it has other characters than headers may have.
fn named(name: &str) -> Option<HeaderValue> {
    let plain = name.bytes().all(|byte| matches!(byte, b' '..=b'~')) && name.trim() == name;
    if plain && !name.starts_with("=?base64?") {
        return HeaderValue::from_str(name).ok();
    }
    HeaderValue::from_str(&format!("=?base64?{}?=", BASE64_STANDARD.encode(name))).ok()
}

/// The pauses between attempts to listen: from `first`, doubling, up to half a minute.
pub(super) fn longer(pause: Duration) -> Duration {
    (pause * 2).min(MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_header_may_have_is_encoded() {
        assert_eq!(named("carbon-intensity://KR").unwrap(), "carbon-intensity://KR");
        assert_eq!(named("서울").unwrap(), "=?base64?7ISc7Jq4?=");
        assert_eq!(named("a\nb").unwrap(), "=?base64?YQpi?=");
    }
}
