//! Grid carbon intensity: figures that say where they come from, and sources that give them.
//!
//! A [`IntensityFigure`] is a number with its provenance. Two figures compare only when they were
//! made the same way ([`IntensityFigure::compare`]); to compare others is an explicit decision that
//! leaves a caveat in the answer. An [`IntensitySource`] gives figures for a zone: [`IntensityTable`] from
//! yearly averages, [`FileSource`] from a CSV or JSON file, [`HourlyProfile`] from a typical day.
//! Sources that ask the network live elsewhere and implement the same trait.
//!
//! ```
//! use kepler_compliance::intensity::{AccountingMethod, IntensitySource, IntensityTable};
//! use kepler_compliance::zones::Zones;
//!
//! let zones = Zones::embedded()?;
//! let table = IntensityTable::from_zones(&zones);
//! let seoul = zones.find("ap-northeast-2")?;
//! let current = table.current(&seoul.id, "2026-11-21T00:00:00Z".parse()?)?;
//! println!("{} in {} by {}", current.figure.value, current.figure.period, current.figure.provenance.source);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod figure;
mod file;
mod profile;
mod table;
mod validity;

pub use figure::{
    AccountingMethod, Boundary, Comparison, IntensityFigure, IntensityKind, NotComparable, Period, Provenance,
};
pub use file::{FileOptions, FileSource, IntensityFileError};
pub use profile::{HourlyProfile, ProfileError};
pub use table::IntensityTable;

use crate::lasting::lasting;
use crate::series::Series;
use crate::text::Lang;
use crate::units::CarbonIntensity;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a series of intensities rests on; in the order of how much it can be trusted for planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
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
#[non_exhaustive]
pub struct IntensitySeries {
    /// Zone, method, boundary, kind and source of every value.
    pub provenance: Provenance,
    /// What the values rest on.
    pub basis: SeriesBasis,
    /// The values; gaps are hours without data.
    pub values: Series<CarbonIntensity>,
}

impl IntensitySeries {
    /// A series of one provenance.
    #[must_use]
    pub const fn new(provenance: Provenance, basis: SeriesBasis, values: Series<CarbonIntensity>) -> Self {
        IntensitySeries { provenance, basis, values }
    }
}

/// More grams than any grid emits per kilowatt-hour: oil shale is at about 1,300.
pub const HIGHEST_INTENSITY: f64 = 3000.0;

/// The intensity of now, with its age.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CurrentIntensity {
    /// The figure.
    pub figure: IntensityFigure,
    /// How long before now its period ended; zero while it still holds.
    pub age: Duration,
}

impl CurrentIntensity {
    /// A figure whose period ended `age` ago; zero while it holds.
    #[must_use]
    pub const fn new(figure: IntensityFigure, age: Duration) -> Self {
        CurrentIntensity { figure, age }
    }
}

/// Gives the intensity of zones. Blocking and object-safe; times are arguments, so an
/// implementation reads no clock.
///
/// Zones are named by the ids of [`crate::zones::Zones`]; resolve aliases there first.
pub trait IntensitySource: Send + Sync {
    /// The source's name, as shown in `inputs[].source`.
    fn name(&self) -> &str;

    /// Whether it is the built-in table of published averages, for which another published figure may stand in.
    /// A source that was chosen is not: what it does not know is not known.
    fn is_builtin(&self) -> bool {
        false
    }

    /// The figure that holds at `now`, or the newest before it while that is valid.
    ///
    /// # Errors
    /// No data for the zone, only stale ones, or the source cannot answer now.
    fn current(&self, zone: &str, now: Timestamp) -> Result<CurrentIntensity, IntensityError>;

    /// What was, from `from` to `to`. May cover less than asked; gaps stay gaps.
    ///
    /// # Errors
    /// No data for the zone and time, or the source cannot answer now.
    fn history(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError>;

    /// What is expected, from `from` to `to`. May cover less than asked; gaps stay gaps.
    ///
    /// # Errors
    /// No data for the zone and time, only data that ended before it, or the source cannot answer now.
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
    #[error("{origin} has no intensity for zone `{zone}` from {from:.0} to {to:.0}")]
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
    /// The newest value is too old to speak for the time asked for.
    #[error(
        "{origin} is stale for zone `{zone}`: its newest value ended at {ended:.0}, {} ago, and may be used for {}",
        lasting(*age, Lang::En), lasting(*validity, Lang::En)
    )]
    Stale {
        /// The source.
        origin: String,
        /// The zone asked for.
        zone: String,
        /// When the newest value ceased to hold.
        ended: Timestamp,
        /// How long that was before the time asked for.
        age: Duration,
        /// How long after its end the value may be used.
        validity: Duration,
    },
    /// A forecast is asked for, and all values are of earlier times.
    #[error("{origin} has no forecast for zone `{zone}`: its newest value ended at {ended:.0}, {} ago", lasting(*age, Lang::En))]
    Ended {
        /// The source.
        origin: String,
        /// The zone asked for.
        zone: String,
        /// When the newest value ceased to hold.
        ended: Timestamp,
        /// How long that was before the time asked for.
        age: Duration,
    },
    /// The values begin later than the time asked for.
    #[error("{origin} has no intensity for zone `{zone}` before {start:.0}")]
    NotYet {
        /// The source.
        origin: String,
        /// The zone asked for.
        zone: String,
        /// When its values begin.
        start: Timestamp,
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

/// A part of a series, or the error that says there is nothing in it.
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
