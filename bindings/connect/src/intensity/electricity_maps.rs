//! Electricity Maps, API v3.

use super::points;
use super::provider::{Fetched, Provider, Question, failure};
use super::{ProviderOptions, answers::Failure};
use crate::http::{Auth, HttpError, Secret};
use jiff::Timestamp;
use kepler_compliance::intensity::{
    AccountingMethod, Boundary, CurrentIntensity, IntensityError, IntensityKind, IntensitySeries, IntensitySource,
    Provenance, SeriesBasis,
};
use kepler_compliance::units::CarbonIntensity;
use reqwest::Url;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest range that one request may ask of hourly data.
const LONGEST_RANGE: Duration = Duration::from_secs(10 * 86_400);

/// Flow-traced average intensity of consumption, worldwide. See [`intensity`](super) for its figures and limits.
#[derive(Debug)]
pub struct ElectricityMaps {
    provider: Provider,
    auth: Auth,
    method: AccountingMethod,
    keys: BTreeMap<String, String>,
}

/// Zones that Electricity Maps has as a part of a larger one, or under another name.
const KEYS: [(&str, &str); 4] = [("ID-JW", "ID"), ("MX-QRO", "MX"), ("AU-ACT", "AU-NSW"), ("CL", "CL-SEN")];
/// The states of the US that are zones; others are divided among balancing areas.
const STATES: [&str; 2] = ["US-AK", "US-HI"];

impl ElectricityMaps {
    /// The variable that [`from_env`](Self::from_env) reads the token from.
    pub const TOKEN_VARIABLE: &str = "ELECTRICITY_MAPS_TOKEN";

    /// With the account's token; lifecycle figures, the provider's default.
    ///
    /// # Errors
    /// The base URL or the CA bundle cannot be used.
    pub fn new(token: Secret, options: ProviderOptions) -> Result<Self, IntensityError> {
        Ok(ElectricityMaps {
            provider: Provider::new("Electricity Maps", "https://api.electricitymaps.com", options)?,
            auth: Auth::Header { name: "auth-token", token },
            method: AccountingMethod::Lifecycle,
            keys: KEYS.into_iter().map(|(zone, key)| (zone.to_owned(), key.to_owned())).collect(),
        })
    }

    /// With the token in `ELECTRICITY_MAPS_TOKEN`.
    ///
    /// # Errors
    /// The variable is not set, or as [`new`](Self::new).
    pub fn from_env(options: ProviderOptions) -> Result<Self, IntensityError> {
        let token = Secret::from_env(Self::TOKEN_VARIABLE).ok_or_else(|| IntensityError::Unavailable {
            origin: "Electricity Maps".into(),
            reason: format!("there is no token: set {}", Self::TOKEN_VARIABLE),
            retry_after: None,
        })?;
        Self::new(token, options)
    }

    /// Asks for emissions of operation only, or with those of building and fuel supply.
    #[must_use]
    pub fn with_method(mut self, method: AccountingMethod) -> Self {
        self.method = method;
        self
    }

    /// Answers for `zone` (an id of the zone table) with the figures of another zone of Electricity Maps.
    #[must_use]
    pub fn zone(mut self, zone: impl Into<String>, key: impl Into<String>) -> Self {
        self.keys.insert(zone.into(), key.into());
        self
    }

    /// The key that Electricity Maps has for a zone.
    fn key<'a>(&'a self, zone: &'a str) -> Result<&'a str, IntensityError> {
        if let Some(key) = self.keys.get(zone) {
            return Ok(key);
        }
        let of = |country: &str| zone.strip_prefix(country).filter(|part| part.len() == 2).is_some();
        if of("US-") && !STATES.contains(&zone) {
            return Err(IntensityError::UnknownZone {
                origin: "Electricity Maps (balancing areas of the US, not states)".into(),
                zone: zone.into(),
                known: ["US", "US-CAL-CISO", "US-MIDA-PJM", "US-TEX-ERCO", "…"].map(str::to_owned).to_vec(),
            });
        }
        Ok(if of("CN-") { "CN" } else { zone })
    }

    fn url(&self, what: &str, zone: &str, more: &[(&str, &str)]) -> Url {
        let method = factor_type(self.method);
        let query: Vec<_> = [("zone", zone), ("emissionFactorType", method)].iter().chain(more).copied().collect();
        self.provider.url(&["v3", "carbon-intensity", what], &query)
    }

    fn ask(&self, url: &Url, zone: &str, key: &str) -> Result<Fetched, Failure> {
        let wrong = |how: String| self.provider.not_as_documented(url, &how);
        let body = self.provider.body(url, &self.auth).map_err(|error| match &error {
            // Only looked at: it may repeat what was sent.
            HttpError::Status { status: 400 | 404 | 422, body, .. }
                if String::from_utf8_lossy(body).to_lowercase().contains("zone") =>
            {
                let reason = format!("{error}: it has no zone `{key}`; ask for another region, or state its zone");
                Failure { reason, retry_after: None, general: false }
            }
            _ => failure(&error),
        })?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| wrong(error.to_string()))?;
        if let Some(other) = answer.zone.as_deref().filter(|&other| other != key) {
            return Err(wrong(format!("it is for zone `{other}`")));
        }
        let points = match (answer.series, answer.latest) {
            (Some(series), _) => series,
            (None, latest @ Point { datetime: Some(_), .. }) => vec![latest],
            (None, _) => return Err(wrong("it holds neither a figure nor a series".into())),
        };
        let asked = factor_type(self.method);
        if let Some(other) =
            points.iter().filter_map(|point| point.factor_type.as_deref()).find(|&other| other != asked)
        {
            return Err(wrong(format!("its figures are `{other}` where `{asked}` was asked for")));
        }
        let estimated = points.iter().any(|point| point.estimated == Some(true));
        let read =
            |point: &Point| Some((point.datetime?, point.intensity.map(CarbonIntensity::from_grams_per_kilowatt_hour)));
        let series = points::series(points.iter().filter_map(read), None).map_err(|error| wrong(error.to_string()))?;
        let source = if estimated { "Electricity Maps v3 (estimated in part)" } else { "Electricity Maps v3" };
        let source = if key == zone { source.to_owned() } else { format!("{source}, zone {key}") };
        Ok(Fetched { provenance: self.provenance(zone, &source), series })
    }

    fn provenance(&self, zone: &str, source: &str) -> Provenance {
        Provenance::new(zone, self.method, Boundary::Consumption, IntensityKind::Average, source)
    }
}

impl IntensitySource for ElectricityMaps {
    fn name(&self) -> &str {
        self.provider.name()
    }

    fn current(&self, zone: &str, now: Timestamp) -> Result<CurrentIntensity, IntensityError> {
        let key = self.key(zone)?;
        let question = Question { slot: format!("current {zone}"), url: self.url("latest", key, &[]) };
        self.provider.current(question, now, |url| self.ask(url, zone, key))
    }

    fn history(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        let key = self.key(zone)?;
        let stretches = self.provider.stretches(zone, (from, to), LONGEST_RANGE)?;
        let questions = stretches.into_iter().map(|(start, end)| {
            let (start, end) = (start.to_string(), end.to_string());
            Question::once(self.url("past-range", key, &[("start", &start), ("end", &end)]))
        });
        self.provider.series(questions, SeriesBasis::Observed, zone, (from, to), |url| self.ask(url, zone, key))
    }

    /// As far as the account's plan reaches.
    fn forecast(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        let key = self.key(zone)?;
        let question = Question { slot: format!("forecast {zone}"), url: self.url("forecast", key, &[]) };
        self.provider.series([question], SeriesBasis::Forecast, zone, (from, to), |url| self.ask(url, zone, key))
    }
}

fn factor_type(method: AccountingMethod) -> &'static str {
    match method {
        AccountingMethod::Direct => "direct",
        AccountingMethod::Lifecycle => "lifecycle",
    }
}

/// `latest` holds one point itself; the others hold an array under a name of their own.
#[derive(Deserialize)]
struct Answer {
    zone: Option<String>,
    #[serde(alias = "history", alias = "forecast", alias = "data")]
    series: Option<Vec<Point>>,
    #[serde(flatten)]
    latest: Point,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    #[serde(rename = "carbonIntensity")]
    intensity: Option<f64>,
    datetime: Option<Timestamp>,
    #[serde(rename = "emissionFactorType")]
    factor_type: Option<String>,
    #[serde(rename = "isEstimated")]
    estimated: Option<bool>,
}
