//! Clients of other systems.
#![forbid(unsafe_code)]

#[cfg(feature = "kepler")]
pub mod exposition;
#[cfg(feature = "_client")]
pub mod http;
#[cfg(any(feature = "electricity-maps", feature = "watttime", feature = "uk-carbon-intensity"))]
pub mod intensity;
