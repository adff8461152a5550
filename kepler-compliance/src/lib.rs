//! Carbon and compliance.

pub use kepler_core::units;
