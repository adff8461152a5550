//! Clients of other systems.
#![forbid(unsafe_code)]

#[cfg(any(feature = "kepler", feature = "prometheus"))]
mod energy;
#[cfg(feature = "kepler")]
pub mod exposition;
#[cfg(feature = "_client")]
pub mod http;
#[cfg(any(feature = "electricity-maps", feature = "watttime", feature = "uk-carbon-intensity"))]
pub mod intensity;
#[cfg(feature = "kepler")]
pub mod kepler;
#[cfg(feature = "prometheus")]
pub mod prometheus;
