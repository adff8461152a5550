//! The fields of a JSON-RPC message that the bridge needs; the text itself passes unchanged.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;

/// A request's id, as its JSON text: `7`, `"a"`.
pub(super) type Id = String;

/// A message from the client, or a batch of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The text, one line.
    pub(super) text: String,
    /// The requests in it, which await an answer.
    pub(super) requests: Vec<Id>,
    /// The method, where it is a single request or notification.
    pub(super) method: Option<String>,
    /// What the method is about: the name of a tool or prompt, the URI of a resource.
    pub(super) about: Option<String>,
    /// The protocol revision that the message itself names (2026-07-28 and later).
    pub(super) version: Option<String>,
    /// The parameters of `initialize`, to begin a session again.
    pub(super) initialize: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Params {
    name: Option<Value>,
    uri: Option<Value>,
    #[serde(rename = "_meta", default)]
    meta: Option<Value>,
}

impl Message {
    /// Reads a line.
    ///
    /// # Errors
    /// It is not JSON, or not an object or a list of objects.
    pub(super) fn parse(line: &str) -> Result<Self, serde_json::Error> {
        let mut message = Message {
            text: line.to_owned(),
            requests: Vec::new(),
            method: None,
            about: None,
            version: None,
            initialize: None,
        };
        if line.starts_with('[') {
            let all: Vec<Envelope<'_>> = serde_json::from_str(line)?;
            message.requests = all.iter().filter_map(Envelope::request).collect();
            return Ok(message);
        }
        let envelope: Envelope<'_> = serde_json::from_str(line)?;
        message.requests.extend(envelope.request());
        message.method = envelope.method.as_deref().map(str::to_owned);
        if let Some(raw) = envelope.params {
            let params: Params = serde_json::from_str(raw.get()).unwrap_or_default();
            let text = |value: &Value| value.as_str().map(str::to_owned);
            message.about = match envelope.method.as_deref() {
                Some("tools/call" | "prompts/get") => params.name.as_ref().and_then(text),
                Some("resources/read") => params.uri.as_ref().and_then(text),
                _ => None,
            };
            let version = params.meta.as_ref().and_then(|meta| meta.get("io.modelcontextprotocol/protocolVersion"));
            message.version = version.and_then(text);
            if envelope.method.as_deref() == Some("initialize") {
                message.initialize = Some(raw.get().to_owned());
            }
        }
        Ok(message)
    }

    /// The request that begins a session again, and its id.
    pub(super) fn initialize_again(params: &str, number: u64) -> (Self, Id) {
        let id = format!("\"kepler-bridge-{number}\"");
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"initialize","params":{params}}}"#);
        let message = Message {
            text,
            requests: vec![id.clone()],
            method: Some("initialize".to_owned()),
            about: None,
            version: None,
            initialize: None,
        };
        (message, id)
    }

    /// The notification that follows it.
    pub(super) fn initialized() -> Self {
        Message {
            text: r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
            requests: Vec::new(),
            method: Some("notifications/initialized".to_owned()),
            about: None,
            version: None,
            initialize: None,
        }
    }
}

impl Envelope<'_> {
    fn request(&self) -> Option<Id> {
        let id = self.id.filter(|id| id.get() != "null")?;
        self.method.as_ref().map(|_| id.get().to_owned())
    }
}

/// The ids that a message from the server answers, and the protocol revision that it settles, if any.
/// None where it is no JSON-RPC message.
pub(super) fn answers(text: &str) -> Option<(Vec<Id>, Option<String>)> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        jsonrpc: Cow<'a, str>,
        #[serde(borrow)]
        id: Option<&'a RawValue>,
        #[serde(borrow)]
        method: Option<Cow<'a, str>>,
        #[serde(borrow)]
        result: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Settles {
        #[serde(rename = "protocolVersion")]
        version: String,
    }
    let text = text.trim_start();
    let all: Vec<Answer<'_>> =
        if text.starts_with('[') { serde_json::from_str(text).ok()? } else { vec![serde_json::from_str(text).ok()?] };
    if all.iter().any(|answer| answer.jsonrpc != "2.0") {
        return None;
    }
    let settled = |answer: &Answer<'_>| serde_json::from_str::<Settles>(answer.result?.get()).ok();
    let version = all.iter().find_map(settled).map(|settled| settled.version);
    let ids = all.iter().filter(|answer| answer.method.is_none()).filter_map(|answer| answer.id);
    Some((ids.map(|id| id.get().to_owned()).collect(), version))
}

/// An error as a JSON-RPC answer; `id` is `null` where the request could not be read.
pub(super) fn error(id: &str, code: i64, message: &str) -> String {
    let error = json!({ "code": code, "message": message });
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_await_answers_and_nothing_else_does() {
        let ids = |line: &str| Message::parse(line).unwrap().requests;
        assert_eq!(ids(r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#), ["7"]);
        assert_eq!(ids(r#"{"id":"a","method":"x"}"#), ["\"a\""]);
        assert_eq!(ids(r#"{"method":"notifications/initialized"}"#), [""; 0]);
        assert_eq!(ids(r#"{"id":7,"result":{}}"#), [""; 0], "an answer to the server");
        assert_eq!(ids(r#"[{"id":1,"method":"a"},{"method":"b"},{"id":2,"method":"c"}]"#), ["1", "2"]);
        assert!(Message::parse("nonsense").is_err() && Message::parse("7").is_err());
    }

    #[test]
    fn what_headers_need_is_found() {
        let line = r#"{"id":1,"method":"tools/call","params":{"name":"t","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        let message = Message::parse(line).unwrap();
        assert_eq!((message.about.as_deref(), message.version.as_deref()), (Some("t"), Some("2026-07-28")));
        let again = Message::parse(r#"{"id":0,"method":"initialize","params":{"a":1}}"#).unwrap();
        assert_eq!(again.initialize.as_deref(), Some(r#"{"a":1}"#));
    }

    #[test]
    fn an_answer_names_what_it_answers() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#;
        assert_eq!(answers(text), Some((vec!["1".to_owned()], Some("2025-06-18".to_owned()))));
        assert_eq!(answers(r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#), Some((vec![], None)));
        assert_eq!(answers("<html>"), None);
        assert_eq!(answers(&error("3", -32000, "no \"way\"")), Some((vec!["3".to_owned()], None)));
    }
}
