//! A tool's arguments from a request's body.

use super::RestOptions;
use super::problem::{Kind, Problem};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::{Map, Value};

/// What may hold JSON: `curl -d` calls it a form by default, some clients plain text or bytes.
const MAY_BE_JSON: [&str; 5] =
    ["application/json", "application/x-www-form-urlencoded", "text/json", "text/plain", "application/octet-stream"];

/// The JSON of a request; an empty body is an empty object.
pub(super) async fn read(request: Request, options: &RestOptions) -> Result<Value, Problem> {
    let (head, body) = request.into_parts();
    check_type(&head.headers)?;
    let limit = options.body_limit;
    let too_large = || Problem::new(Kind::TooLarge, format!("the body may have {limit} bytes at most"));
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
        return Err(too_large());
    }
    let seconds = options.body_timeout.as_secs_f64();
    let bytes = tokio::time::timeout(options.body_timeout, collect(body, limit))
        .await
        .map_err(|_| Problem::new(Kind::TooSlow, format!("the body took longer than {seconds} s")))?
        .map_err(|failed| match failed {
            Failed::TooLarge => too_large(),
            Failed::Broken(reason) => Problem::new(Kind::BadBody, reason),
        })?;
    if bytes.trim_ascii().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let hint = if bytes.starts_with(b"{") { "" } else { "; send a JSON object such as {\"workload\": \"web\"}" };
        Problem::new(Kind::BadJson, format!("{error}{hint}"))
    })
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(axum::http::HeaderValue::as_bytes(value)));
    if let Some(coding) = text(CONTENT_ENCODING).filter(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(Problem::new(Kind::UnsupportedMedia, format!("the body is coded as {coding}; send it as it is")));
    }
    let Some(media) = text(CONTENT_TYPE) else { return Ok(()) };
    let name = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if name.is_empty() || name.ends_with("+json") || MAY_BE_JSON.contains(&&*name) {
        return Ok(());
    }
    Err(Problem::new(Kind::UnsupportedMedia, format!("the body is {name}; send application/json")))
}

enum Failed {
    TooLarge,
    Broken(String),
}

async fn collect(body: Body, limit: usize) -> Result<bytes::Bytes, Failed> {
    // `to_bytes` tells a long body and a broken one apart only by the error's text.
    to_bytes(body, limit).await.map_err(|error| {
        let reason = error.to_string();
        if reason.contains("length limit") { Failed::TooLarge } else { Failed::Broken(reason) }
    })
}
