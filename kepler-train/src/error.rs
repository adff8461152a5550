//! Errors of rows and settings.

use std::path::PathBuf;

/// Why rows cannot be read or trained with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; check that it exists and is readable", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not Parquet, or a kind of it that is not read.
    #[error("{}: {reason}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Not CSV, or lines of different lengths.
    #[error("{name}: {source}; every line needs as many fields as the first, which names the columns")]
    Csv {
        /// The file.
        name: String,
        /// What and where.
        source: csv::Error,
    },
    /// A declaration in a `#` line that is not understood.
    #[error("{name}: {what}")]
    Declaration {
        /// The file.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// No such column.
    #[error("no column `{column}`; there are {there}")]
    NoColumn {
        /// The column asked for.
        column: String,
        /// What there is.
        there: String,
    },
    /// A field that must be a number and is none.
    #[error("row {row}: {column} is `{text}`, which is no finite number; mend or remove the row")]
    NotANumber {
        /// The row, from 1; the line of names is not counted.
        row: usize,
        /// The column.
        column: String,
        /// What stands there.
        text: String,
    },
    /// Two columns of one name, or a feature asked for twice.
    #[error("column `{0}` is named twice")]
    Twice(String),
    /// Not enough to learn from.
    #[error("{found} rows where at least {needed} are needed; record more")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// More than is handled.
    #[error("{found} {what} where at most {limit} are handled")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Flat rows whose length is no multiple of the number of features, or targets of another length.
    #[error("{found} numbers where {expected} are expected")]
    Shape {
        /// What the other arguments demand.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// A setting that makes no sense.
    #[error("{what} is {value}; {remedy}")]
    Setting {
        /// Which.
        what: &'static str,
        /// Its value.
        value: String,
        /// What would make sense.
        remedy: &'static str,
    },
    /// The algorithm found no solution.
    #[error("{algorithm}: {why}")]
    NoFit {
        /// Which.
        algorithm: &'static str,
        /// Why, and what may help.
        why: String,
    },
    /// A model that does not fit the published weight format.
    #[error("cannot be written in the published weight format: {0}")]
    Export(String),
    /// The model made is refused by its own reader, which says why.
    #[error("the model made is not sound: {0}")]
    Unsound(#[from] kepler_core::model::ModelFault),
    /// The model made cannot predict the rows.
    #[error("the model made cannot predict: {0}")]
    Predict(#[from] kepler_core::model::PredictError),
}
