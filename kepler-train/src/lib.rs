//! Training and judging power models: from rows of what a machine did and drew, to a model that
//! [`kepler_core::model`] predicts with.
#![forbid(unsafe_code)]

mod dataset;
mod error;
mod table;

pub use dataset::{Dataset, MIN_ROWS};
pub use error::TrainError;
pub use table::{MAX_COLUMNS, MAX_ROWS, Table};
