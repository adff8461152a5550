//! Training and judging power models: from rows of what a machine did and drew, to a model that
//! [`kepler_core::model`] predicts with.
#![forbid(unsafe_code)]

mod algorithm;
pub mod compare;
mod curve;
mod dataset;
pub mod default_model;
mod error;
mod export;
pub mod idle;
mod inputs;
pub mod interval;
mod linear;
mod plot;
mod random;
mod recipe;
pub mod report;
mod table;
mod trees;
pub mod validate;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use dataset::{Dataset, MIN_ROWS};
pub use error::TrainError;
pub use export::published_weights;
pub use inputs::Inputs;
pub use linear::LinearMethod;
pub use recipe::{Combine, Learner, Recipe};
pub use table::{MAX_COLUMNS, MAX_ROWS, Table};
pub use trees::{Growth, Loss, TreeSettings};
