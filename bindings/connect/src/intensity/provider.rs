//! Code that all providers share: requests, cached answers, series.

use super::ProviderOptions;
use super::answers::{Answers, Failure};
use super::points;
use crate::http::{Auth, Http, HttpError, base_url, shown};
use jiff::{SignedDuration, Timestamp};
use kepler_compliance::intensity::{
    CurrentIntensity, IntensityError, IntensityFigure, IntensitySeries, Period, Provenance, SeriesBasis,
};
use kepler_compliance::series::{Series, span};
use kepler_compliance::units::CarbonIntensity;
use reqwest::Url;
#[cfg(any(feature = "watttime", feature = "uk-carbon-intensity"))]
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Requests for one interval of history, at most.
const MOST_REQUESTS: usize = 40;
/// Two clocks that differ by less agree.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What was read from an answer.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) provenance: Provenance,
    pub(super) series: Series<CarbonIntensity>,
}

/// A question: the slot that its answer is kept in, and the address that gives it.
pub(super) struct Question {
    pub(super) slot: String,
    pub(super) url: Url,
}

impl Question {
    /// Kept by its own address.
    pub(super) fn once(url: Url) -> Self {
        Question { slot: url.to_string(), url }
    }
}

#[derive(Debug)]
pub(super) struct Provider {
    name: &'static str,
    http: Http,
    base: Url,
    valid_for: Duration,
    answers: Answers<Fetched>,
}

impl Provider {
    pub(super) fn new(
        name: &'static str,
        public_address: &str,
        options: ProviderOptions,
    ) -> Result<Self, IntensityError> {
        // An address is often given with the version, as documentation shows it.
        let given = options.base_url.as_deref().map(str::trim).map(|url| url.trim_end_matches('/'));
        let base = base_url(given.map_or(public_address, |url| url.strip_suffix("/v3").unwrap_or(url)));
        let made = base.and_then(|base| Ok((Http::new(options.http, base.scheme() == "https")?, base)));
        let (http, base) = made.map_err(|error| unavailable(name, failure(&error)))?;
        let answers = Answers::new(options.fresh_for, options.keep_last);
        Ok(Provider { name, http, base, valid_for: options.valid_for, answers })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = crate::http::below(&self.base, segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Asks the network: an answer as JSON of the documented shape.
    #[cfg(any(feature = "watttime", feature = "uk-carbon-intensity"))]
    pub(super) fn get<T: DeserializeOwned>(&self, url: &Url, auth: &Auth) -> Result<T, Failure> {
        let body = self.body(url, auth).map_err(|error| failure(&error))?;
        serde_json::from_slice(&body).map_err(|error| self.not_as_documented(url, &error.to_string()))
    }

    pub(super) fn body(&self, url: &Url, auth: &Auth) -> Result<Vec<u8>, HttpError> {
        self.http.get(url.clone(), auth, "application/json")
    }

    /// An answer that cannot be understood. Other questions may fare better.
    pub(super) fn not_as_documented(&self, url: &Url, how: &str) -> Failure {
        let reason =
            format!("the answer of {} is not what {} documents: {how}; check the base URL", shown(url), self.name);
        Failure { reason, retry_after: None, general: false }
    }

    /// The newest figure at `now`.
    pub(super) fn current(
        &self,
        question: Question,
        now: Timestamp,
        ask: impl FnOnce(&Url) -> Result<Fetched, Failure>,
    ) -> Result<CurrentIntensity, IntensityError> {
        let (fetched, fault) = self.answer(&question, ask)?;
        let zone = &fetched.provenance.zone;
        let latest = now.checked_add(SKEW).unwrap_or(now);
        let steps = fetched.series.steps();
        let step = fetched.series.step_at(now).or_else(|| steps.iter().rfind(|step| step.start <= latest));
        let Some(step) = step else {
            let Some(first) = steps.first() else {
                return Err(match fault {
                    Some(failure) => unavailable(self.name, failure),
                    None => IntensityError::NoData { origin: self.name.into(), zone: zone.clone(), from: now, to: now },
                });
            };
            let reason = format!(
                "its newest figure for {zone} is of {}, but it is asked for {now}: set this host's clock, or ask for history",
                first.start
            );
            return Err(unavailable(self.name, Failure { reason, retry_after: None, general: false }));
        };
        let age = span(step.end, now);
        if age > self.valid_for {
            return Err(IntensityError::Stale {
                origin: match fault {
                    Some(failure) => format!("{} (last good answer: {})", self.name, failure.reason),
                    None => self.name.into(),
                },
                zone: zone.clone(),
                ended: step.end,
                age,
                validity: self.valid_for,
            });
        }
        let period = Period::Interval { start: step.start, end: step.end };
        let figure = IntensityFigure::new(step.value, period, fetched.provenance.clone());
        Ok(CurrentIntensity::new(figure, age))
    }

    /// The series of several questions, from `from` to `to`.
    pub(super) fn series(
        &self,
        questions: impl IntoIterator<Item = Question>,
        basis: SeriesBasis,
        zone: &str,
        (from, to): (Timestamp, Timestamp),
        mut ask: impl FnMut(&Url) -> Result<Fetched, Failure>,
    ) -> Result<IntensitySeries, IntensityError> {
        let nothing = || IntensityError::NoData { origin: self.name.into(), zone: zone.into(), from, to };
        let mut parts: Vec<Arc<Fetched>> = Vec::new();
        let mut fault = None;
        for question in questions {
            let (part, failure) = self.answer(&question, &mut ask)?;
            parts.push(part);
            fault = fault.or(failure);
        }
        let joined = points::join(parts.iter().map(|part| &part.series)).map_err(|_| nothing())?;
        let values = joined.clip(from, to);
        match parts.first() {
            Some(part) if !values.steps().is_empty() => {
                Ok(IntensitySeries::new(part.provenance.clone(), basis, values))
            }
            _ => Err(fault.map_or_else(nothing, |failure| unavailable(self.name, failure))),
        }
    }

    /// Consecutive intervals from `from` to `to`, whole hours, none longer than `longest`.
    pub(super) fn stretches(
        &self,
        zone: &str,
        (from, to): (Timestamp, Timestamp),
        longest: Duration,
    ) -> Result<Vec<(Timestamp, Timestamp)>, IntensityError> {
        let nothing = || IntensityError::NoData { origin: self.name.into(), zone: zone.into(), from, to };
        let hour = |second: i64| Timestamp::from_second(second.saturating_mul(3600)).map_err(|_| nothing());
        // Whole hours, so that the same question is asked, and answered from memory, all hour.
        let mut start = hour(from.as_second().div_euclid(3600))?;
        let end = hour((to.as_second() + 3599).div_euclid(3600))?;
        let mut stretches = Vec::new();
        while start < end {
            if stretches.len() == MOST_REQUESTS {
                let days = longest.as_secs() / 86_400 * MOST_REQUESTS as u64;
                let reason = format!(
                    "from {from} to {to} takes more than {MOST_REQUESTS} requests: ask for {days} days at most"
                );
                return Err(unavailable(self.name, Failure { reason, retry_after: None, general: false }));
            }
            let next = start.checked_add(longest).map_or(end, |next| next.min(end));
            stretches.push((start, next));
            start = next;
        }
        Ok(stretches)
    }

    fn answer(
        &self,
        question: &Question,
        ask: impl FnOnce(&Url) -> Result<Fetched, Failure>,
    ) -> Result<(Arc<Fetched>, Option<Failure>), IntensityError> {
        let answer = self.answers.get(&question.slot, question.url.as_str(), || ask(&question.url));
        let (fetched, fault) = answer.map_err(|failure| unavailable(self.name, failure))?;
        if let Some(fault) = &fault {
            tracing::warn!(provider = self.name, reason = fault.reason, "last good answer used");
        }
        Ok((fetched, fault))
    }
}

pub(super) fn unavailable(name: &str, failure: Failure) -> IntensityError {
    IntensityError::Unavailable { origin: name.into(), reason: failure.reason, retry_after: failure.retry_after }
}

/// Only a refusal of this very question says nothing about the next one: an unknown zone, or one (or a
/// forecast) that the account's plan does not hold.
pub(super) fn failure(error: &HttpError) -> Failure {
    let general =
        !matches!(error, HttpError::Status { status: 400 | 403 | 404 | 422, .. } | HttpError::TooLarge { .. });
    Failure { reason: error.to_string(), retry_after: error.retry_after(), general }
}
