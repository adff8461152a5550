//! Grid carbon intensity: figures that say where they come from, and sources that give them.
//!
//! A [`IntensityFigure`] is a number with its provenance. Two figures compare only when they were
//! made the same way ([`IntensityFigure::compare`]); to compare others is an explicit decision that
//! leaves a caveat in the answer. An [`IntensitySource`] gives figures for a zone: [`Table`] from
//! yearly averages, [`FileSource`] from a CSV or JSON file, [`HourlyProfile`] from a typical day.
//! Sources that ask the network live elsewhere and implement the same trait.

mod figure;
mod file;
mod profile;
mod table;

pub use figure::{Boundary, Comparison, IntensityFigure, Kind, Method, NotComparable, Period, Provenance};
pub use file::{FileError, FileSource};
pub use profile::{HourlyProfile, ProfileError};
pub use table::Table;

use crate::series::Series;
use crate::units::CarbonIntensity;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a series of intensities rests on; in the order of how much it can be trusted for planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeriesBasis {
    /// What was metered or computed from what was generated.
    Observed,
    /// A forecast for these very hours.
    Forecast,
    /// A typical day, repeated.
    Profile,
    /// One yearly average for all hours: says nothing about when to run.
    YearlyAverage,
}

/// Intensities over time, all of one provenance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntensitySeries {
    /// Zone, method, boundary, kind and source of every value.
    pub provenance: Provenance,
    /// What the values rest on.
    pub basis: SeriesBasis,
    /// The values; gaps are hours without data.
    pub values: Series<CarbonIntensity>,
}

/// The intensity of now, with its age.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurrentIntensity {
    /// The figure.
    pub figure: IntensityFigure,
    /// How long before now its period ended; zero while it still holds.
    pub age: Duration,
}

/// Gives the intensity of zones. Blocking and object-safe; times are arguments, so an
/// implementation reads no clock.
///
/// Zones are named by the ids of [`crate::zones::Zones`]; resolve aliases there first.
pub trait IntensitySource: Send + Sync {
    /// The source's name, as shown in `inputs[].source`.
    fn name(&self) -> &str;

    /// The figure that holds at `now`, or the newest before it.
    ///
    /// # Errors
    /// No data for the zone, or the source cannot answer now.
    fn current(&self, zone: &str, now: Timestamp) -> Result<CurrentIntensity, IntensityError>;

    /// What was, from `from` to `to`. May cover less than asked; gaps stay gaps.
    ///
    /// # Errors
    /// No data for the zone and time, or the source cannot answer now.
    fn history(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError>;

    /// What is expected, from `from` to `to`. May cover less than asked; gaps stay gaps.
    ///
    /// # Errors
    /// No data for the zone and time, or the source cannot answer now.
    fn forecast(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError>;
}

/// Why a source gives no intensity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntensityError {
    /// The source does not know the zone.
    #[error("{origin} has no data for zone `{zone}`; it has: {}", known.join(", "))]
    UnknownZone {
        /// The source.
        origin: String,
        /// The zone asked for.
        zone: String,
        /// The zones it has.
        known: Vec<String>,
    },
    /// The zone is known, the time is not.
    #[error("{origin} has no intensity for zone `{zone}` from {from} to {to}")]
    NoData {
        /// The source.
        origin: String,
        /// The zone asked for.
        zone: String,
        /// Start of the time asked for.
        from: Timestamp,
        /// Its end.
        to: Timestamp,
    },
    /// The source cannot answer now; asking again later may help.
    #[error("{origin} cannot answer: {reason}")]
    Unavailable {
        /// The source.
        origin: String,
        /// What happened and what to do.
        reason: String,
        /// When it makes sense to ask again, where the source said so.
        retry_after: Option<Duration>,
    },
}

/// A stretch of a series, or the error that says there is nothing in it.
fn stretch(
    origin: &str,
    zone: &str,
    all: &Series<CarbonIntensity>,
    (from, to): (Timestamp, Timestamp),
) -> Result<Series<CarbonIntensity>, IntensityError> {
    let values = all.clip(from, to);
    if values.steps().is_empty() {
        return Err(IntensityError::NoData { origin: origin.into(), zone: zone.into(), from, to });
    }
    Ok(values)
}
