//! Clients of other systems against stand-ins that speak their protocols.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what tests share fails as tests do"
)]

#[cfg(feature = "kepler")]
mod accelerators;
#[cfg(all(feature = "kepler", feature = "kubernetes"))]
mod cluster_hub;
#[cfg(feature = "devices")]
mod devices;
#[cfg(feature = "external")]
mod external;
#[cfg(feature = "instance")]
mod instance;
#[cfg(all(feature = "electricity-maps", feature = "watttime", feature = "uk-carbon-intensity"))]
mod intensity;
#[cfg(feature = "kepler")]
mod kepler;
#[cfg(feature = "kubernetes")]
mod kubernetes;
#[cfg(feature = "kubernetes")]
mod kubernetes_faults;
#[cfg(feature = "kubernetes")]
mod kubernetes_trust;
#[cfg(all(feature = "kepler", feature = "prometheus"))]
mod late_names;
#[cfg(feature = "models")]
mod models;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "redfish")]
mod redfish;
#[cfg(feature = "redfish")]
mod redfish_tls;
mod support;
#[cfg(feature = "uk-carbon-intensity")]
mod tls;
