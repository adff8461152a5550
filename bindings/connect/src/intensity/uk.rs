//! The Carbon Intensity API of Great Britain (National Energy System Operator).

use super::points;
use super::provider::{Fetched, Provider, Question};
use super::{ProviderOptions, answers::Failure};
use crate::http::Auth;
use jiff::Timestamp;
use kepler_compliance::intensity::{
    AccountingMethod, Boundary, CurrentIntensity, IntensityError, IntensityKind, IntensitySeries, IntensitySource,
    Provenance, SeriesBasis,
};
use kepler_compliance::units::CarbonIntensity;
use reqwest::Url;
use serde::Deserialize;
use std::time::Duration;

/// The longest range of one request.
const LONGEST_RANGE: Duration = Duration::from_secs(14 * 86_400);
const ZONE: &str = "GB";

/// Average intensity of Great Britain in half hours. See [`intensity`](super) for its figures and limits.
#[derive(Debug)]
pub struct UkCarbonIntensity {
    provider: Provider,
}

/// Which of the two figures of a half hour is meant.
#[derive(Clone, Copy)]
enum Figure {
    /// From metered generation; not known for the newest half hours.
    Actual,
    Forecast,
    /// The actual one where known.
    Best,
}

impl UkCarbonIntensity {
    /// No account is needed.
    ///
    /// # Errors
    /// The base URL or the CA bundle cannot be used.
    pub fn new(options: ProviderOptions) -> Result<Self, IntensityError> {
        Ok(UkCarbonIntensity {
            provider: Provider::new("Carbon Intensity GB", "https://api.carbonintensity.org.uk", options)?,
        })
    }

    fn check(&self, zone: &str) -> Result<(), IntensityError> {
        if zone == ZONE {
            return Ok(());
        }
        let (origin, zone, known) = (self.provider.name().into(), zone.into(), vec![ZONE.into()]);
        Err(IntensityError::UnknownZone { origin, zone, known })
    }

    fn ask(&self, url: &Url, figure: Figure) -> Result<Fetched, Failure> {
        let wrong = |how: String| self.provider.not_as_documented(url, &how);
        let answer: Answer = self.provider.get(url, &Auth::None)?;
        let mut forecast = matches!(figure, Figure::Forecast);
        let mut intervals = Vec::with_capacity(answer.data.len());
        for row in &answer.data {
            let value = match figure {
                Figure::Actual => row.intensity.actual,
                Figure::Forecast => row.intensity.forecast,
                Figure::Best => row.intensity.actual.or_else(|| {
                    forecast = true;
                    row.intensity.forecast
                }),
            };
            intervals.push((row.from, row.to, value.map(CarbonIntensity::from_grams_per_kilowatt_hour)));
        }
        let series = points::intervals(intervals).map_err(|error| wrong(error.to_string()))?;
        let source = if forecast { "Carbon Intensity API (GB), forecast" } else { "Carbon Intensity API (GB)" };
        let (method, boundary) = (AccountingMethod::Direct, Boundary::Consumption);
        let provenance = Provenance::new(ZONE, method, boundary, IntensityKind::Average, source);
        Ok(Fetched { provenance, series })
    }
}

impl IntensitySource for UkCarbonIntensity {
    fn name(&self) -> &str {
        self.provider.name()
    }

    /// The half hour of now: its estimate from metered generation, or before that is known its forecast,
    /// which the figure's source then says.
    fn current(&self, zone: &str, now: Timestamp) -> Result<CurrentIntensity, IntensityError> {
        self.check(zone)?;
        let question = Question { slot: "current".into(), url: self.provider.url(&["intensity"], &[]) };
        self.provider.current(question, now, |url| self.ask(url, Figure::Best))
    }

    fn history(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        self.check(zone)?;
        let stretches = self.provider.stretches(zone, (from, to), LONGEST_RANGE)?;
        let questions = stretches
            .into_iter()
            .map(|(start, end)| Question::once(self.provider.url(&["intensity", &minute(start), &minute(end)], &[])));
        self.provider.series(questions, SeriesBasis::Observed, zone, (from, to), |url| self.ask(url, Figure::Actual))
    }

    /// Up to 48 h from `from`.
    fn forecast(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        self.check(zone)?;
        let half_hour = Timestamp::from_second(from.as_second().div_euclid(1800) * 1800).unwrap_or(from);
        let url = self.provider.url(&["intensity", &minute(half_hour), "fw48h"], &[]);
        let question = Question { slot: "forecast".into(), url };
        let series = SeriesBasis::Forecast;
        self.provider.series([question], series, zone, (from, to), |url| self.ask(url, Figure::Forecast))
    }
}

/// A time as the API writes it.
fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%MZ").to_string()
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    from: Timestamp,
    to: Timestamp,
    intensity: Figures,
}

#[derive(Deserialize)]
struct Figures {
    forecast: Option<f64>,
    actual: Option<f64>,
}
