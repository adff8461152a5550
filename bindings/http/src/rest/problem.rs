//! Errors as `application/problem+json` (RFC 9457).

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use kepler_compliance::tools::CallError;
use kepler_compliance::tools::ToolError;
use kepler_compliance::view::ViewError;
use kepler_core::printable;
use kepler_guard::{Rejection, WorkError};
use schemars::JsonSchema;
use serde::Serialize;

/// Why there is no answer, and what would be valid (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Problem {
    /// What kind of problem it is: `urn:problem-type:kepler:` and a name that stays the same.
    #[serde(rename = "type")]
    uri: String,
    /// The kind of problem for people.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened here, and what would be valid.
    detail: String,
    /// The argument or parameter that is wrong, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    #[serde(skip)]
    kind: Kind,
}

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    NotFound,
    MethodNotAllowed,
    Forbidden,
    Unauthorized,
    UnknownTool,
    UnknownWorkload,
    UnknownRegion,
    UnknownStandard,
    NoData,
    BadRequest,
    BadJson,
    BadParameter,
    BadBody,
    BadArguments,
    TooLarge,
    TooSlow,
    UnsupportedMedia,
    Unavailable,
    Busy,
    Internal,
}

impl Kind {
    const fn parts(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Kind::NotFound => ("not-found", "There is nothing here", StatusCode::NOT_FOUND),
            Kind::MethodNotAllowed => ("method-not-allowed", "Not with this method", StatusCode::METHOD_NOT_ALLOWED),
            Kind::Forbidden => ("forbidden", "Not from there", StatusCode::FORBIDDEN),
            Kind::Unauthorized => ("unauthorized", "A bearer token is needed", StatusCode::UNAUTHORIZED),
            Kind::UnknownTool => ("unknown-tool", "There is no such tool", StatusCode::NOT_FOUND),
            Kind::UnknownWorkload => ("unknown-workload", "There is no such workload", StatusCode::NOT_FOUND),
            Kind::UnknownRegion => ("unknown-region", "There is no such region", StatusCode::NOT_FOUND),
            Kind::UnknownStandard => ("unknown-standard", "There is no such standard", StatusCode::NOT_FOUND),
            Kind::NoData => ("no-data", "There are no figures of that", StatusCode::NOT_FOUND),
            Kind::BadRequest => ("bad-request", "The request is malformed", StatusCode::BAD_REQUEST),
            Kind::BadJson => ("bad-json", "The body is not JSON", StatusCode::BAD_REQUEST),
            Kind::BadParameter => ("bad-parameter", "A parameter is wrong", StatusCode::BAD_REQUEST),
            Kind::BadBody => ("bad-body", "The body did not come whole", StatusCode::BAD_REQUEST),
            Kind::BadArguments => ("bad-arguments", "The arguments do not fit", StatusCode::UNPROCESSABLE_ENTITY),
            Kind::TooLarge => ("too-large", "The body is too large", StatusCode::PAYLOAD_TOO_LARGE),
            Kind::TooSlow => ("too-slow", "The body did not come in time", StatusCode::REQUEST_TIMEOUT),
            Kind::UnsupportedMedia => {
                ("unsupported-media-type", "The body must be JSON", StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            Kind::Unavailable => {
                ("unavailable", "The source of figures cannot answer", StatusCode::SERVICE_UNAVAILABLE)
            }
            Kind::Busy => ("busy", "Too many ask at once", StatusCode::SERVICE_UNAVAILABLE),
            Kind::Internal => ("internal", "A fault of this program", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (name, title, status) = kind.parts();
        let uri = format!("urn:problem-type:kepler:{name}");
        let detail = printable::bounded(detail.into());
        Problem { uri, title, status: status.as_u16(), detail, parameter: None, kind }
    }

    /// The same, said in other words.
    pub(super) fn in_words(self, detail: String) -> Self {
        Problem { detail: printable::bounded(detail), ..self }
    }

    pub(super) fn parameter(mut self, name: impl Into<String>) -> Self {
        self.parameter = Some(name.into());
        self
    }
}

/// The answer to a request that may not pass.
pub(crate) fn rejected(rejection: &Rejection) -> Response {
    let kind = match rejection {
        Rejection::Token => Kind::Unauthorized,
        Rejection::Malformed(_) => Kind::BadRequest,
        _ => Kind::Forbidden,
    };
    let mut response = Problem::new(kind, rejection.to_string()).into_response();
    if *rejection == Rejection::Token {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"kepler\""));
    }
    response
}

impl From<WorkError> for Problem {
    fn from(error: WorkError) -> Self {
        let kind = match error {
            WorkError::Busy { .. } => Kind::Busy,
            _ => Kind::Internal,
        };
        Problem::new(kind, error.to_string())
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        let detail = error.to_string();
        match error {
            CallError::UnknownTool { .. } => Problem::new(Kind::UnknownTool, detail),
            CallError::Arguments { reason, takes, .. } => {
                // The reason begins with the argument where it is about one: `optimizations[0]: …`.
                let name = reason.split([':', '[', '.']).next().unwrap_or_default();
                let parameter = takes.into_iter().find(|taken| taken == name);
                Problem { parameter, ..Problem::new(Kind::BadArguments, detail) }
            }
            CallError::Tool(error) => error.into(),
            _ => Problem::new(Kind::Internal, detail),
        }
    }
}

impl From<ToolError> for Problem {
    fn from(error: ToolError) -> Self {
        let detail = error.to_string();
        match error {
            ToolError::UnknownWorkload { .. } => Problem::new(Kind::UnknownWorkload, detail),
            ToolError::UnknownStandard(_) => Problem::new(Kind::UnknownStandard, detail).parameter("standard"),
            ToolError::UnknownRegion(_) => Problem::new(Kind::UnknownRegion, detail),
            ToolError::InvalidArgument { argument, .. } => Problem::new(Kind::BadArguments, detail).parameter(argument),
            ToolError::View(error) => error.into(),
            ToolError::Intensity(_) => Problem::new(Kind::Unavailable, detail),
            // A job that cannot be planned, or no time for it.
            _ => Problem::new(Kind::BadArguments, detail),
        }
    }
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        let kind = match error {
            ViewError::NoData { .. } => Kind::NoData,
            ViewError::Invalid { .. } => Kind::BadParameter,
            _ => Kind::Unavailable,
        };
        Problem::new(kind, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (_, _, status) = self.kind.parts();
        // A struct of texts and numbers always is JSON.
        let body = serde_json::to_string(&self).unwrap_or_default();
        // It may repeat names and what was asked.
        let body = printable::json(&body).into_owned();
        let headers = [(CONTENT_TYPE, "application/problem+json"), (CACHE_CONTROL, "no-store")];
        let mut response = (status, headers, body).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
