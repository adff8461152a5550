//! Turns energy into carbon and verdicts: emissions, PUE, SCI, grid zones, standards, schedules.
//!
//! Pure: no network, no threads, and no clock is read inside a formula, so a time is always an
//! argument and every answer can be computed again. Quantities are the types of [`units`]; a
//! figure that came from somewhere carries where ([`intensity::IntensityFigure`]). What is not
//! known stays absent: no data gives [`standards::Status::InsufficientData`], never a zero.
//!
//! | module | answers |
//! |---|---|
//! | [`carbon`] | how much was emitted: location- and market-based, embodied, SCI, site ratios |
//! | [`intensity`] | how clean the grid is, was or will be, and who says so |
//! | [`zones`] | which grid a region name means, with its yearly figures, published PUEs and time zone |
//! | [`standards`] | which rules exist, which is in force, and whether it is met |
//! | [`choices`] | what pods, namespaces and nodes choose for themselves, by annotations and labels |
//! | [`tariff`] | what a kilowatt-hour costs at a time of use |
//! | [`schedule`] | when a job should run |
//! | [`tools`] | the eight questions that frontends ask, typed |
//! | [`advice`] | what could be done to emit less, and how much that is |
//! | [`view`] | how much energy nodes and workloads used: the trait that sources implement |
//! | `history` (a feature) | the same from an SQLite file that remembers it, restarts included |
//! | [`series`] | values over time, piecewise constant, gaps kept |
//! | [`messages`] | what is said in sentences, rendered by one module a language |
//! | [`numbers`] | figures as people read them, and as programs get them |
//! | [`text`] | languages, and texts that data have in each |
//!
//! ```
//! use kepler_compliance::carbon;
//! use kepler_compliance::units::{CarbonIntensity, Power, Pue};
//!
//! let grid = CarbonIntensity::from_grams_per_kilowatt_hour(424.0);
//! let pue = Pue::new(1.203)?;
//! let rate = carbon::rate(Power::from_watts(57.5), Pue::ONE, grid);
//! assert!((rate.grams_per_hour() - 24.38).abs() < 1e-9);
//! assert!((carbon::effective_intensity(grid, pue).grams_per_kilowatt_hour() - 510.072).abs() < 1e-9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod advice;
pub mod carbon;
pub mod choices;
mod context;
mod differ;
mod facility;
mod file;
#[cfg(feature = "history")]
pub mod history;
pub mod intensity;
mod lasting;
pub mod messages;
pub mod numbers;
pub mod schedule;
pub mod series;
mod settings;
pub mod standards;
pub mod tariff;
pub mod text;
pub mod tools;
pub mod view;
pub mod zones;

pub use kepler_core::units;

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
