//! WattTime, API v3, signal `co2_moer`.

use super::points;
use super::provider::{Fetched, Provider, Question, failure, unavailable};
use super::{ProviderOptions, answers::Failure};
use crate::http::{Auth, HttpError, Secret};
use jiff::{SignedDuration, Timestamp};
use kepler_compliance::intensity::{
    AccountingMethod, Boundary, CurrentIntensity, IntensityError, IntensityKind, IntensitySeries, IntensitySource,
    Provenance, SeriesBasis,
};
use kepler_compliance::units::CarbonIntensity;
use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Of one request for history; the provider allows 32 days.
const LONGEST_RANGE: Duration = Duration::from_secs(30 * 86_400);
/// Tokens last 30 min.
const TOKEN_LASTS: Duration = Duration::from_secs(25 * 60);
const SIGNAL: &str = "co2_moer";
const UNITS: &str = "lbs_co2_per_mwh";

/// Marginal operating emissions, in 5-minute steps. See [`intensity`](super) for its figures and limits.
///
/// The regions are WattTime's own, so each zone needs [`region`](Self::region).
#[derive(Debug)]
pub struct WattTime {
    provider: Provider,
    login: Auth,
    regions: BTreeMap<String, String>,
    token: Mutex<Option<(Instant, Secret)>>,
}

impl WattTime {
    /// The variables that [`from_env`](Self::from_env) reads user and password from.
    pub const LOGIN_VARIABLES: [&str; 2] = ["WATTTIME_USER", "WATTTIME_PASSWORD"];

    /// With user and password. One region is known from the start: `US-CAL-CISO` is `CAISO_NORTH`.
    ///
    /// # Errors
    /// The base URL or the CA bundle cannot be used.
    pub fn new(user: &str, password: Secret, options: ProviderOptions) -> Result<Self, IntensityError> {
        Ok(WattTime {
            provider: Provider::new("WattTime", "https://api.watttime.org", options)?,
            login: Auth::Basic { user: user.into(), password },
            regions: BTreeMap::from([("US-CAL-CISO".into(), "CAISO_NORTH".into())]),
            token: Mutex::default(),
        })
    }

    /// With user and password in `WATTTIME_USER` and `WATTTIME_PASSWORD`.
    ///
    /// # Errors
    /// A variable is not set, or as [`new`](Self::new).
    pub fn from_env(options: ProviderOptions) -> Result<Self, IntensityError> {
        match Self::LOGIN_VARIABLES.map(Secret::from_env) {
            [Some(user), Some(password)] => Self::new(user.expose(), password, options),
            _ => Err(IntensityError::Unavailable {
                origin: "WattTime".into(),
                reason: format!("there is no login: set {}", Self::LOGIN_VARIABLES.join(" and ")),
                retry_after: None,
            }),
        }
    }

    /// Answers for `zone` (an id of the zone table) with the figures of a WattTime region.
    #[must_use]
    pub fn region(mut self, zone: impl Into<String>, region: impl Into<String>) -> Self {
        self.regions.insert(zone.into(), region.into());
        self
    }

    /// The WattTime region of a place, by latitude and longitude in degrees; one request, not kept.
    ///
    /// # Errors
    /// The place is in no region, or the provider cannot answer now.
    pub fn region_from_location(&self, latitude: f64, longitude: f64) -> Result<String, IntensityError> {
        let (latitude, longitude) = (latitude.to_string(), longitude.to_string());
        let query = [("latitude", latitude.as_str()), ("longitude", &longitude), ("signal_type", SIGNAL)];
        let url = self.provider.url(&["v3", "region-from-loc"], &query);
        let found: Result<Region, Failure> = self.get(&url);
        found.map(|found| found.region).map_err(|failure| unavailable(self.provider.name(), failure))
    }

    /// Asks with a token; where the provider no longer accepts it, once more with a new one.
    fn get<T: DeserializeOwned>(&self, url: &Url) -> Result<T, Failure> {
        let (answer, since) = self.attempt(url)?;
        match answer {
            Err(HttpError::Status { status: 401, .. }) => {
                self.forget(since);
                self.attempt(url)?.0.map_err(|error| failure(&error))
            }
            answer => answer.map_err(|error| failure(&error)),
        }
        .and_then(|body| {
            serde_json::from_slice(&body).map_err(|error| self.provider.not_as_documented(url, &error.to_string()))
        })
    }

    fn attempt(&self, url: &Url) -> Result<(Result<Vec<u8>, HttpError>, Instant), Failure> {
        let (since, token) = self.token()?;
        Ok((self.provider.body(url, &Auth::Bearer(token)), since))
    }

    fn token(&self) -> Result<(Instant, Secret), Failure> {
        // Held while logging in: one login serves all.
        let mut held = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, token)) = held.as_ref().filter(|(since, _)| since.elapsed() < TOKEN_LASTS) {
            return Ok((*since, token.clone()));
        }
        let url = self.provider.url(&["login"], &[]);
        let login: Login = self.provider.get(&url, &self.login)?;
        let fresh = (Instant::now(), Secret::new(&login.token));
        *held = Some(fresh.clone());
        Ok(fresh)
    }

    /// Drops the token of `since`; a newer one, which another caller got meanwhile, stays.
    fn forget(&self, since: Instant) {
        let mut held = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        held.take_if(|(of, _)| *of == since);
    }

    fn of(&self, zone: &str) -> Result<&str, IntensityError> {
        self.regions.get(zone).map(String::as_str).ok_or_else(|| IntensityError::UnknownZone {
            origin: "WattTime (zones that have a region)".into(),
            zone: zone.into(),
            known: self.regions.keys().cloned().collect(),
        })
    }

    fn historical(&self, region: &str, start: Timestamp, end: Timestamp) -> Url {
        let (start, end) = (start.to_string(), end.to_string());
        let query = [("region", region), ("signal_type", SIGNAL), ("start", &start), ("end", &end)];
        self.provider.url(&["v3", "historical"], &query)
    }

    fn forecasts(&self, region: &str) -> Url {
        let query = [("region", region), ("signal_type", SIGNAL), ("horizon_hours", "72")];
        self.provider.url(&["v3", "forecast"], &query)
    }

    /// The newest figures: observed, or forecast for an account that may not ask for what was observed.
    fn newest(&self, observed: &Url, region: &str, zone: &str) -> Result<Fetched, Failure> {
        match self.ask(observed, zone) {
            Err(refused) if !refused.general => match self.ask(&self.forecasts(region), zone) {
                Ok(mut forecast) => {
                    forecast.provenance.source.push_str(" (forecast)");
                    Ok(forecast)
                }
                Err(_) => Err(refused),
            },
            answer => answer,
        }
    }

    fn ask(&self, url: &Url, zone: &str) -> Result<Fetched, Failure> {
        let answer: Answer = self.get(url)?;
        if answer.meta.units != UNITS {
            let how = format!("its unit is `{}` where `{UNITS}` is expected", answer.meta.units);
            return Err(self.provider.not_as_documented(url, &how));
        }
        let read = |point: &Point| (point.time, point.value.map(CarbonIntensity::from_pounds_per_megawatt_hour));
        let step = answer.meta.step_seconds.map(Duration::from_secs);
        let series = points::series(answer.data.iter().map(read), step)
            .map_err(|error| self.provider.not_as_documented(url, &error.to_string()))?;
        let (method, boundary) = (AccountingMethod::Direct, Boundary::Unstated);
        let provenance =
            Provenance::new(zone, method, boundary, IntensityKind::Marginal, format!("WattTime v3 {SIGNAL}"));
        Ok(Fetched { provenance, series })
    }
}

impl IntensitySource for WattTime {
    fn name(&self) -> &str {
        self.provider.name()
    }

    /// The newest point of the last two hours; the present one of the forecast where the account's plan has no other.
    fn current(&self, zone: &str, now: Timestamp) -> Result<CurrentIntensity, IntensityError> {
        let region = self.of(zone)?;
        // On the 5-minute grid of the data, so that the question is the same until there is a new point.
        let end = Timestamp::from_second((now.as_second().div_euclid(300) + 1) * 300).unwrap_or(now);
        let start = end.checked_sub(SignedDuration::from_hours(2)).unwrap_or(end);
        let question = Question { slot: format!("current {zone}"), url: self.historical(region, start, end) };
        self.provider.current(question, now, |url| self.newest(url, region, zone))
    }

    fn history(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        let region = self.of(zone)?;
        let stretches = self.provider.stretches(zone, (from, to), LONGEST_RANGE)?;
        let questions = stretches.into_iter().map(|(start, end)| Question::once(self.historical(region, start, end)));
        self.provider.series(questions, SeriesBasis::Observed, zone, (from, to), |url| self.ask(url, zone))
    }

    /// Up to 72 h ahead.
    fn forecast(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        let question = Question { slot: format!("forecast {zone}"), url: self.forecasts(self.of(zone)?) };
        self.provider.series([question], SeriesBasis::Forecast, zone, (from, to), |url| self.ask(url, zone))
    }
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

#[derive(Deserialize)]
struct Region {
    region: String,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Point>,
    meta: Meta,
}

#[derive(Deserialize)]
struct Point {
    #[serde(rename = "point_time")]
    time: Timestamp,
    value: Option<f64>,
}

#[derive(Deserialize)]
struct Meta {
    units: String,
    #[serde(rename = "data_point_period_seconds")]
    step_seconds: Option<u64>,
}
