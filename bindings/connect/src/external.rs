//! What a meter outside of the machine shows: a metered socket, a rack's power distribution unit, whatever Prometheus knows.
//!
//! | requires | the address of a Prometheus-compatible server and a query of one series, or of an answer in JSON and the place of a number in it |
//! |---|---|
//! | units | watts, milliwatts or kilowatts, as configured; joules by the readings' own times |
//! | limits | 1 MiB an answer; each request ends in time, and nothing waits for it; redirects are not followed |
//! | cost | one request a round (two of Prometheus) on a thread of its own |
//!
//! A value of Prometheus is as old as its sample: `timestamp(query)` is asked for as well. Where the query is a calculation, its
//! result has the time of the question, and its age is not known. A number in JSON is as old as the field says that is
//! configured for its time, else as its request.
//!
//! ```no_run
//! use kepler_connect::external::{ExternalMeter, ExternalPlace, ExternalSource};
//! use kepler_core::platform::PlatformSource;
//!
//! // A Shelly plug of the second generation or later.
//! let place = ExternalPlace::json("http://192.0.2.7/rpc/Switch.GetStatus?id=0", "/apower");
//! let mut source = ExternalSource::new(ExternalMeter::new("plug", place))?;
//! let (_, reading) = source.read()?.remove(0);
//! println!("{:.1} W", reading.power.watts());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::http::{Auth, ClientOptions, DigestSession, Http, HttpError, base_url, shown};
use crate::prometheus::{Api, When};
use crate::reading_times::ReadingTimes;
use jiff::Timestamp as Moment;
use kepler_core::availability::Remedy;
use kepler_core::host::Timestamp;
use kepler_core::meter::Method;
use kepler_core::platform::{PlatformError, PlatformMeter, PlatformReading, PlatformScope, PlatformSource};
use kepler_core::units::Power;
use reqwest::Url;
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// No meter's answer is longer.
const MAX_BODY: u64 = 1 << 20;

/// A meter outside of the machine, and how far it is believed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExternalMeter {
    /// Its name in the configuration, the `bmc_id` label.
    pub id: String,
    /// Where its figure is.
    pub place: ExternalPlace,
    /// Watts of one unit of the figure: 1 for watts, 1000 for kilowatts.
    pub unit_watts: f64,
    /// How long a request may take.
    pub timeout: Duration,
    /// A reading that is older says nothing about now.
    pub max_age: Duration,
    /// The most that it can plausibly show.
    pub max_power: Power,
    /// What it measures.
    pub scope: PlatformScope,
    /// Whether it contains what accelerators draw.
    pub contains_gpus: bool,
    /// Its expected relative error, where the figure is an estimate: a rack's power by the number of its servers.
    pub error_ratio: Option<f64>,
    /// Who asks.
    pub auth: Auth,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Where a figure is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExternalPlace {
    /// The one series that a query brings.
    Prometheus {
        /// The server's base address.
        url: String,
        /// The query.
        query: String,
    },
    /// A number in a JSON answer.
    Json {
        /// The address.
        url: String,
        /// Where the number is: a JSON pointer (RFC 6901), as `/apower`.
        field: String,
        /// Where the time of the reading is, if anywhere: seconds since 1970, or a text by RFC 3339.
        time_field: Option<String>,
    },
}

impl ExternalPlace {
    /// The one series that a query brings.
    pub fn prometheus(url: impl Into<String>, query: impl Into<String>) -> Self {
        ExternalPlace::Prometheus { url: url.into(), query: query.into() }
    }

    /// A number in a JSON answer, by its JSON pointer.
    pub fn json(url: impl Into<String>, field: impl Into<String>) -> Self {
        ExternalPlace::Json { url: url.into(), field: field.into(), time_field: None }
    }
}

impl ExternalMeter {
    /// A meter in watts of this machine and nothing else, with the limits that suit most.
    pub fn new(id: impl Into<String>, place: ExternalPlace) -> Self {
        ExternalMeter {
            id: id.into(),
            place,
            unit_watts: 1.0,
            timeout: Duration::from_secs(5),
            max_age: PlatformMeter::MAX_AGE,
            max_power: PlatformMeter::PLAUSIBLE_MAXIMUM,
            scope: PlatformScope::Node,
            contains_gpus: true,
            error_ratio: None,
            auth: Auth::None,
            ca_file: None,
        }
    }
}

/// Asks a meter outside of the machine.
#[derive(Debug)]
pub struct ExternalSource {
    meter: PlatformMeter,
    unit_watts: f64,
    asking: Asking,
}

#[derive(Debug)]
enum Asking {
    Prometheus { api: Api, query: String },
    Json { http: Http, url: Url, auth: Json, field: String, time_field: Option<String>, times: ReadingTimes },
}

/// Who asks for JSON.
#[derive(Debug)]
enum Json {
    Stated(Auth),
    Digest(DigestSession),
}

/// A figure in its own unit, and how old it was when the answer came.
type Figure = (f64, Duration);

impl ExternalSource {
    /// Prepares to ask.
    ///
    /// # Errors
    /// The address is none, or the certificates cannot be used.
    pub fn new(meter: ExternalMeter) -> Result<Self, HttpError> {
        let (ExternalPlace::Prometheus { url, .. } | ExternalPlace::Json { url, .. }) = &meter.place;
        let url = base_url(url)?;
        let options = ClientOptions {
            timeout: meter.timeout,
            connect_timeout: meter.timeout,
            max_body_bytes: MAX_BODY,
            ca_bundle: meter.ca_file,
        };
        let http = Http::new(options, url.scheme() == "https")?;
        let (source, source_type) = match &meter.place {
            ExternalPlace::Prometheus { .. } => ("prometheus", "Query"),
            ExternalPlace::Json { .. } => ("http", "JSON"),
        };
        let platform = PlatformMeter::new(source, meter.id.as_str(), "").with(|platform| {
            platform.source_type = source_type.into();
            let (id, path) = match &meter.place {
                ExternalPlace::Prometheus { query, .. } => (query.as_str(), shown(&url)),
                ExternalPlace::Json { field, .. } => (field.as_str(), shown(&url)),
            };
            (platform.source_id, platform.path) = (id.into(), path.into());
            platform.source_name = meter.id.as_str().into();
            (platform.scope, platform.contains_gpus) = (meter.scope, meter.contains_gpus);
            (platform.max_power, platform.max_age) = (meter.max_power, meter.max_age);
            if let Some(error_ratio) = meter.error_ratio {
                platform.method = Method::Estimated { error_ratio };
            }
        });
        let asking = match meter.place {
            ExternalPlace::Prometheus { query, .. } => {
                Asking::Prometheus { api: Api { http, base: url, auth: meter.auth, timeout: meter.timeout }, query }
            }
            ExternalPlace::Json { field, time_field, .. } => {
                let auth = match meter.auth {
                    Auth::Digest { user, password } => Json::Digest(DigestSession::new(user, password)),
                    other => Json::Stated(other),
                };
                Asking::Json { http, url, auth, field, time_field, times: ReadingTimes::default() }
            }
        };
        Ok(ExternalSource { meter: platform, unit_watts: meter.unit_watts, asking })
    }

    /// Which meter it reads, as it reports to a [board](kepler_core::platform::PlatformBoard).
    #[must_use]
    pub const fn meter(&self) -> &PlatformMeter {
        &self.meter
    }

    fn figure(&mut self) -> Result<Figure, Failure> {
        match &mut self.asking {
            Asking::Prometheus { api, query } => of_prometheus(api, query),
            Asking::Json { http, url, auth, field, time_field, times } => {
                let begun = Instant::now();
                let body = match auth {
                    Json::Stated(auth) => http.get(url.clone(), auth, "application/json")?,
                    Json::Digest(session) => http.get_by_digest(url, session, "application/json")?,
                };
                let answer: Value = serde_json::from_slice(&body).map_err(|error| {
                    Failure::new("malformed", format!("the answer of {} is no JSON: {error}", shown(url)))
                })?;
                let figure = number(&answer, field, url)?;
                let received = Timestamp::now();
                let time = time_field.as_deref().map(|field| time(&answer, field, url)).transpose()?;
                let age = times.age(time.as_deref(), None, &received);
                Ok((figure, age.max(begun.elapsed() / 2)))
            }
        }
    }
}

/// Why there is no figure.
struct Failure {
    fault: &'static str,
    reason: String,
}

impl Failure {
    fn new(fault: &'static str, reason: impl Into<String>) -> Self {
        Failure { fault, reason: reason.into() }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Failure::new(error.fault(), error.to_string())
    }
}

fn of_prometheus(api: &Api, query: &str) -> Result<Figure, Failure> {
    let begun = Instant::now();
    let at = shown(&api.base);
    let ask = |query: &str| {
        let answer = api.query(query, When::Now).map_err(|error| Failure::new(error.fault(), error.to_string()))?;
        match answer.rows.as_slice() {
            [] => Err(Failure::new("no_data", format!("`{query}` brings no series at {at}"))),
            [row] => row.points().next().ok_or_else(|| {
                Failure::new("malformed", format!("`{query}` brings a value that is not finite at {at}"))
            }),
            rows => {
                let what = format!("`{query}` brings {} series at {at}; ask for one, or for their sum", rows.len());
                Err(Failure::new("ambiguous", what))
            }
        }
    };
    let (_, value) = ask(query)?;
    let (now, sampled) = ask(&format!("timestamp({query})"))?;
    // Both by the server's own clock.
    let age = Duration::try_from_secs_f64(now - sampled).unwrap_or(Duration::ZERO);
    Ok((value, age + begun.elapsed() / 2))
}

fn at<'a>(answer: &'a Value, field: &str, url: &Url) -> Result<&'a Value, Failure> {
    let found = answer.pointer(field);
    found.ok_or_else(|| Failure::new("no_data", format!("the answer of {} has no `{field}`", shown(url))))
}

/// A number, or a text that is one: Tasmota and others write either.
fn number(answer: &Value, field: &str, url: &Url) -> Result<f64, Failure> {
    let value = at(answer, field, url)?;
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    number
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| Failure::new("malformed", format!("`{field}` in the answer of {} is no number", shown(url))))
}

/// A time as text.
fn time(answer: &Value, field: &str, url: &Url) -> Result<String, Failure> {
    let value = at(answer, field, url)?;
    let moment = match value {
        Value::String(text) => text.parse::<Moment>().ok(),
        other => other.as_f64().and_then(|seconds| Moment::from_millisecond((seconds * 1000.0) as i64).ok()),
    };
    moment.map(|moment| moment.to_string()).ok_or_else(|| {
        let what = "is neither seconds since 1970 nor a time by RFC 3339";
        Failure::new("malformed", format!("`{field}` in the answer of {} {what}", shown(url)))
    })
}

impl PlatformSource for ExternalSource {
    fn source(&self) -> &'static str {
        self.meter.source
    }

    fn id(&self) -> &str {
        &self.meter.bmc_id
    }

    fn read(&mut self) -> Result<Vec<(PlatformMeter, PlatformReading)>, PlatformError> {
        let source = self.meter.source;
        let (figure, age) = self
            .figure()
            .map_err(|Failure { fault, reason }| PlatformError::new(source, fault, reason, Remedy::None))?;
        let power = Power::from_watts(figure * self.unit_watts);
        Ok(vec![(self.meter.clone(), PlatformReading::new(power, Timestamp::now()).aged(age))])
    }
}
