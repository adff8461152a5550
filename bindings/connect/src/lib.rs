//! Clients of other systems.
#![forbid(unsafe_code)]

#[cfg(feature = "_client")]
pub mod http;
#[cfg(feature = "kepler")]
pub mod exposition;
