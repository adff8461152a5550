//! Errors of intensity files.

use jiff::Timestamp;
use std::path::PathBuf;

/// A file that cannot be used as a series of intensities.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntensityFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It has none of the known forms.
    #[error(
        "{}: {reason}; expected CSV with `zone,start,end,g_per_kwh` or as Electricity Maps exports it, or JSON as \
         Electricity Maps, WattTime, the Carbon Aware SDK or the Carbon Intensity API of Great Britain give it",
        path.display()
    )]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It has a known form and no row.
    #[error("{}: it has no values: a series needs at least one row", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A row holds an impossible value.
    #[error("{}: row {row}: `{field}`: {reason}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Which row, from 1, without the header.
        row: usize,
        /// Which field.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Two rows of a zone speak for one time.
    #[error(
        "{}: rows {} and {} both give an intensity of `{zone}` at {at}: keep one of them",
        path.display(), rows[0], rows[1]
    )]
    Overlap {
        /// The file.
        path: PathBuf,
        /// The zone, as the file names it.
        zone: String,
        /// The two rows, from 1, without the header.
        rows: [usize; 2],
        /// A time that both speak for.
        at: Timestamp,
    },
    /// All values of a zone are so low that they are hardly in g/kWh.
    #[error(
        "{}: zone `{zone}`: no value is above {highest} g/kWh, which looks like kg/kWh: name the column `kg_per_kwh`, or \
         state the unit in a column `unit`",
        path.display()
    )]
    Unit {
        /// The file.
        path: PathBuf,
        /// The zone, as the file names it.
        zone: String,
        /// The highest value.
        highest: f64,
    },
    /// No name of a zone in it is known.
    #[error("{}: it is for no known zone: {}", path.display(), reasons.join("; "))]
    NoKnownZone {
        /// The file.
        path: PathBuf,
        /// Why each name means no zone.
        reasons: Vec<String>,
    },
}
