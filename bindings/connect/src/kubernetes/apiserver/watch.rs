//! What changes, as the API server tells it: one JSON object an event.

use super::super::pods::{LabelFilter, Pod, entry};
use super::super::refusal::Refusal;
use super::super::source::Bounded;
use super::{ApiServer, Connection, MAX_BODY, RIGHT};
use kepler_core::availability::Remedy;
use kepler_core::directory::PodEntry;
use kepler_core::printable;
use serde::Deserialize;
use serde_json::StreamDeserializer;
use serde_json::de::IoRead;
use std::io::{BufReader, Read};
use std::time::Duration;

/// The server ends a watch after so long; a new one goes on from there.
const LENGTH: Duration = Duration::from_secs(290);

/// What happened to a pod.
#[derive(Debug)]
pub(in crate::kubernetes) enum Event {
    /// It is there, or as it is now.
    Present(Box<PodEntry>),
    /// It is gone.
    Gone(String),
    /// Nothing, up to here.
    Bookmark,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    object: Pod,
}

/// What the server sends.
type Body = BufReader<Bounded<Box<dyn Read + Send>>>;

/// A watch under way.
pub(in crate::kubernetes) struct Watch<'a> {
    events: StreamDeserializer<'static, IoRead<Body>, Raw>,
    labels: &'a LabelFilter,
    /// Where the next watch goes on.
    pub(in crate::kubernetes) resource_version: String,
}

impl ApiServer {
    /// Watches from `resource_version` on.
    pub(in crate::kubernetes) fn watch(
        &self,
        connection: &Connection,
        resource_version: &str,
    ) -> Result<Watch<'_>, Refusal> {
        let selector = format!("spec.nodeName={}", self.node);
        let length = LENGTH.as_secs().to_string();
        let query = [
            ("fieldSelector", selector.as_str()),
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", length.as_str()),
            ("resourceVersion", resource_version),
        ];
        let timeout = LENGTH + Duration::from_secs(30);
        let (_, body) = connection.get(&self.access, &["api", "v1", "pods"], &query, timeout, &RIGHT)?;
        let body = BufReader::with_capacity(16 << 10, Bounded::new(body, MAX_BODY));
        let events = serde_json::Deserializer::from_reader(body).into_iter();
        Ok(Watch { events, labels: &self.labels, resource_version: resource_version.to_owned() })
    }
}

impl Watch<'_> {
    /// The next event; `None` when the watch is over and another one may go on from there. Waits for it.
    pub(in crate::kubernetes) fn next(&mut self) -> Result<Option<Event>, Refusal> {
        let raw = match self.events.next() {
            None => return Ok(None),
            Some(Ok(raw)) => raw,
            // The end of a connection, in the middle of nothing.
            Some(Err(error)) if error.is_eof() || error.is_io() => return Ok(None),
            Some(Err(error)) => return Err(Refusal::malformed("the API server's watch", &error)),
        };
        if raw.kind == "ERROR" {
            let message = raw.object.message.unwrap_or_default();
            let reason = format!("the API server ends the watch: {}", printable::line(&message));
            let fault = if raw.object.code == Some(410) { "expired" } else { "watch" };
            return Err(Refusal::new(fault, reason, Remedy::Wait));
        }
        let pod = raw.object;
        if let Some(version) = pod.metadata.as_ref().and_then(|metadata| metadata.resource_version.clone()) {
            self.resource_version = version;
        }
        let uid = || pod.metadata.as_ref().and_then(|metadata| metadata.uid.clone()).unwrap_or_default();
        Ok(Some(match raw.kind.as_str() {
            "ADDED" | "MODIFIED" => Event::Present(Box::new(entry(pod, self.labels))),
            "DELETED" => Event::Gone(uid()),
            _ => Event::Bookmark,
        }))
    }
}
