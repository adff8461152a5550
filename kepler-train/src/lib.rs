//! Training and evaluating power models: from rows of activity and power, to a model that
//! [`kepler_core::model`] predicts with.
//!
//! ```
//! use kepler_core::model::{Model, Semantics};
//! use kepler_core::units::ZoneKind;
//! use kepler_train::{Algorithm, Dataset};
//!
//! // CPU time in ms/s, and a machine that draws 20 W and 40 mW for each of them.
//! let busy: Vec<f64> = (0..100).map(|row| f64::from(row) * 10.0).collect();
//! let watts = busy.iter().map(|busy| 20.0 + busy / 25.0).collect();
//! let features = vec!["bpf_cpu_time_ms".to_owned()];
//! let data = Dataset::new(features, busy, vec![(ZoneKind::Package, watts)], Semantics::AsNamed)?;
//!
//! let document = Algorithm::Ols.recipe().fit(&data)?;
//! let model = Model::from_document(&document)?;
//! let power = model.predict(&[500.0])?.power(ZoneKind::Package).expect("it was trained for the package");
//! assert!((power.watts() - 40.0).abs() < 1e-6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The feature `parquet` reads and writes rows in Parquet beside CSV.
#![forbid(unsafe_code)]

mod additive;
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
mod support;
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
