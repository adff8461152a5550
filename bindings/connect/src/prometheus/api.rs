//! The HTTP API of Prometheus: instant and range queries.

use crate::http::{Auth, Http, HttpError, below, shown};
use jiff::Timestamp;
use reqwest::Url;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Queries that run at the same time; the server's own default limit is 20.
const AT_ONCE: usize = 6;

/// A query that brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An answer that says no.
    #[error("{url} refuses a query ({kind}): {message}")]
    Refused { url: String, kind: String, message: String },
    /// Not the API of Prometheus.
    #[error("the answer of {url} is not of the Prometheus HTTP API: {reason}; give the server's base address")]
    Foreign { url: String, reason: String },
}

#[cfg(feature = "external")]
impl ApiError {
    /// The kind of fault, a fixed word.
    pub(crate) fn fault(&self) -> &'static str {
        match self {
            ApiError::Http(error) => error.fault(),
            ApiError::Refused { .. } => "refused",
            ApiError::Foreign { .. } => "malformed",
        }
    }
}

/// One series of an answer, with its values at one or more times (seconds since 1970).
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    metric: HashMap<String, String>,
    #[serde(default)]
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

impl Row {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.metric.get(name).map(String::as_str)
    }

    /// All its labels, in no order.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metric.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Times and values; what is not a finite number is left out.
    pub(crate) fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        let points = self.value.iter().chain(&self.values);
        points.filter_map(|(time, value)| Some((*time, value.parse().ok().filter(|value: &f64| value.is_finite())?)))
    }

    /// The value of an instant query.
    pub(crate) fn value(&self) -> Option<f64> {
        self.points().next().map(|(_, value)| value)
    }
}

/// What a query brought.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    /// Of the server: what may be missing.
    pub(crate) warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    data: Option<Data>,
    #[serde(rename = "errorType", default)]
    kind: String,
    #[serde(rename = "error", default)]
    message: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Row>),
    Matrix(Vec<Row>),
}

/// When a query is evaluated.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// By the server's own clock.
    #[cfg(feature = "external")]
    Now,
    At(Timestamp),
    /// From the first to the last time, both included.
    Every {
        first: Timestamp,
        last: Timestamp,
        step: Duration,
    },
}

#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) http: Http,
    pub(crate) base: Url,
    pub(crate) auth: Auth,
    /// For the server: to stop when we no longer wait.
    pub(crate) timeout: Duration,
}

impl Api {
    /// Runs one query.
    pub(crate) fn query(&self, promql: &str, when: When) -> Result<Answer, ApiError> {
        let timeout = format!("{}ms", self.timeout.as_millis());
        let mut form = vec![("query", promql), ("timeout", timeout.as_str())];
        let (url, times) = match when {
            #[cfg(feature = "external")]
            When::Now => (below(&self.base, &["api", "v1", "query"]), Vec::new()),
            When::At(time) => (below(&self.base, &["api", "v1", "query"]), vec![("time", seconds(time))]),
            When::Every { first, last, step } => (
                below(&self.base, &["api", "v1", "query_range"]),
                vec![("start", seconds(first)), ("end", seconds(last)), ("step", format!("{:.3}", step.as_secs_f64()))],
            ),
        };
        form.extend(times.iter().map(|(name, time)| (*name, time.as_str())));
        let (body, refused) = match self.http.post_form(url.clone(), &self.auth, &form) {
            Ok(body) => (body, None),
            // Prometheus explains itself in the body.
            Err(HttpError::Status { url, status, redirect, retry_after, body }) if !body.is_empty() => {
                let text = body.clone();
                (text, Some(HttpError::Status { url, status, redirect, retry_after, body }))
            }
            Err(error) => return Err(error.into()),
        };
        let envelope: Envelope = match (serde_json::from_slice(&body), refused) {
            (Ok(envelope), _) => envelope,
            (Err(_), Some(error)) => return Err(error.into()),
            (Err(error), None) => return Err(ApiError::Foreign { url: shown(&url), reason: error.to_string() }),
        };
        match envelope {
            Envelope { status, data: Some(Data::Vector(rows) | Data::Matrix(rows)), warnings, .. }
                if status == "success" =>
            {
                Ok(Answer { rows, warnings })
            }
            Envelope { kind, message, .. } => Err(ApiError::Refused { url: shown(&url), kind, message }),
        }
    }

    /// Runs queries side by side; answers come in their order. The first error ends it.
    pub(crate) fn all(&self, queries: &[(String, When)]) -> Result<Vec<Answer>, ApiError> {
        let next = AtomicUsize::new(0);
        let answers: Mutex<Vec<Option<Answer>>> = Mutex::new(queries.iter().map(|_| None).collect());
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((promql, when)) = queries.get(index) else { return Ok(()) };
                let answer = self.query(promql, *when).inspect_err(|_| next.store(queries.len(), Ordering::Relaxed))?;
                let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(slot) = answers.get_mut(index) {
                    *slot = Some(answer);
                }
            }
        };
        let results: Vec<Result<(), ApiError>> = thread::scope(|scope| {
            let spawn = |_| thread::Builder::new().name("prometheus-query".into()).spawn_scoped(scope, work).ok();
            let threads: Vec<_> = (1..queries.len().min(AT_ONCE)).filter_map(spawn).collect();
            let own = work();
            // A thread that panicked has left its query without an answer, which is noticed below.
            threads.into_iter().filter_map(|thread| thread.join().ok()).chain([own]).collect()
        });
        results.into_iter().collect::<Result<(), _>>()?;
        let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(answers.into_iter().map(Option::unwrap_or_default).collect())
    }
}

/// Seconds since 1970, as the API takes them.
fn seconds(time: Timestamp) -> String {
    format!("{:.3}", time.as_duration().as_secs_f64())
}
