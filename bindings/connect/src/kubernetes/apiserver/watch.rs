//! What changes, as the API server tells it: one JSON object an event.

use super::super::failure::{Right, SourceFailure};
use super::super::pods::Metadata;
use super::super::source::Bounded;
use super::{Connection, MAX_BODY};
use kepler_core::availability::Remedy;
use kepler_core::printable;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::StreamDeserializer;
use serde_json::de::IoRead;
use std::io::{BufReader, Read};
use std::marker::PhantomData;
use std::time::Duration;

/// The server ends a watch after so long; a new one goes on from there.
const LENGTH: Duration = Duration::from_secs(290);

/// What is listed and watched.
#[derive(Clone, Debug)]
pub(in crate::kubernetes) struct Collection {
    /// The path, in segments.
    pub(in crate::kubernetes) path: Vec<String>,
    /// `fieldSelector` or `labelSelector`, and its value.
    pub(in crate::kubernetes) selector: Option<(&'static str, String)>,
    /// In what form.
    pub(in crate::kubernetes) accept: &'static str,
    pub(in crate::kubernetes) right: Right,
}

/// JSON.
pub(in crate::kubernetes) const WHOLE: &str = "application/json";

impl Collection {
    pub(super) fn segments(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// The selector as a part of a query.
    pub(super) fn query(&self) -> Vec<(&str, &str)> {
        self.selector.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// An object of a watch. In the place of one may stand the status of an error.
pub(in crate::kubernetes) trait Watched: DeserializeOwned + Default {
    fn metadata(&self) -> Option<&Metadata>;
    /// Message and code of a status.
    fn error(&self) -> (Option<&str>, Option<u16>);
}

/// What happened to an object.
#[derive(Debug)]
pub(in crate::kubernetes) enum Event<T> {
    /// It is there, or as it is now.
    Present(Box<T>),
    /// It is gone.
    Gone(String),
    /// Nothing, up to here; `true` at the end of what there was at the beginning.
    Bookmark(bool),
}

#[derive(Deserialize)]
#[serde(bound = "T: Watched")]
struct Raw<T> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    object: T,
}

/// What the server sends.
type Body = BufReader<Bounded<Box<dyn Read + Send>>>;

/// A watch under way.
pub(in crate::kubernetes) struct Watch<T> {
    events: StreamDeserializer<'static, IoRead<Body>, Raw<T>>,
    /// Where the next watch goes on.
    pub(in crate::kubernetes) resource_version: String,
    objects: PhantomData<T>,
}

impl<T: Watched> Watch<T> {
    /// Watches from `resource_version` on; where that is `None`, from what there is.
    pub(super) fn begin(
        connection: &Connection,
        collection: &Collection,
        resource_version: Option<&str>,
    ) -> Result<Self, SourceFailure> {
        let length = LENGTH.as_secs().to_string();
        let mut query = collection.query();
        query.extend([("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", length.as_str())]);
        match resource_version {
            Some(version) => query.push(("resourceVersion", version)),
            None => query.extend([("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan")]),
        }
        let body = connection.watch(&collection.segments(), &query, collection.accept, &collection.right)?;
        let body = BufReader::with_capacity(16 << 10, Bounded::new(body, MAX_BODY));
        let events = serde_json::Deserializer::from_reader(body).into_iter();
        let resource_version = resource_version.unwrap_or_default().to_owned();
        Ok(Watch { events, resource_version, objects: PhantomData })
    }

    /// The next event; `None` when the watch is over and another one may go on from there. Waits for it.
    pub(super) fn next(&mut self) -> Result<Option<Event<T>>, SourceFailure> {
        let raw = match self.events.next() {
            None => return Ok(None),
            Some(Ok(raw)) => raw,
            // The end of a connection, in the middle of nothing.
            Some(Err(error)) if error.is_eof() || error.is_io() => return Ok(None),
            Some(Err(error)) => return Err(SourceFailure::malformed("the API server's watch", error)),
        };
        let (kind, object) = (raw.kind, raw.object);
        if kind == "ERROR" {
            let (message, code) = object.error();
            let reason = format!("the API server ends the watch: {}", printable::line(message.unwrap_or_default()));
            let fault = if code == Some(410) { "expired" } else { "watch" };
            return Err(SourceFailure::new(fault, reason, Remedy::Wait));
        }
        if let Some(version) = object.metadata().and_then(|metadata| metadata.resource_version.clone()) {
            self.resource_version = version;
        }
        let uid = || object.metadata().and_then(|metadata| metadata.uid.clone()).unwrap_or_default();
        Ok(Some(match kind.as_str() {
            "ADDED" | "MODIFIED" => Event::Present(Box::new(object)),
            "DELETED" => Event::Gone(uid()),
            _ => {
                let annotations = object.metadata().and_then(|metadata| metadata.annotations.as_ref());
                Event::Bookmark(annotations.is_some_and(|annotations| annotations.is_end_of_initial_events))
            }
        }))
    }
}
