//! Clients of other systems: energy from Kepler exporters and from Prometheus, carbon intensity from
//! providers. Each stands behind its own feature; with none of them the crate is empty.
//!
//! | feature | gives | serves |
//! |---|---|---|
//! | `kepler` | [`kepler::KeplerView`]: the `/metrics` of one or many nodes | [`EnergyView`] |
//! | `kepler` | [`rest::RestClient`]: the REST interface of one node | |
//! | `prometheus` | [`prometheus::PrometheusView`]: the HTTP API of a Prometheus server | [`EnergyView`] |
//! | `electricity-maps` | [`intensity::ElectricityMaps`] | [`IntensitySource`] |
//! | `watttime` | [`intensity::WattTime`] | [`IntensitySource`] |
//! | `uk-carbon-intensity` | [`intensity::UkCarbonIntensity`] | [`IntensitySource`] |
//! | `kubernetes` | [`kubernetes::Refresher`]: names, owners and resources of this node's pods | [`Directory`] |
//! | `external` | [`external::ExternalSource`]: what a machine draws, from a meter outside of it | [`PlatformBoard`] |
//! | `redfish` | [`redfish::RedfishPoller`]: what a server draws, from its service processor | [`PlatformBoard`] |
//! | `devices` | [`devices::DevicesFollower`]: activity of GPU instances, and who has which device | [`DeviceDirectory`] |
//! | `instance` | [`instance::instance_type`]: the instance type of this machine, from its cloud | |
//! | `models` | [`models::fetch`]: a power model from a URL | |
//!
//! Each module says what it requires, in which units it answers, where its limits are and what a call costs.
//!
//! What they share is in [`http`]: a request ends in bounded time and reads a bounded answer, certificates are
//! verified unless that is switched off for a kubelet or a BMC (rustls with ring; a CA bundle can stand in for the system's store), redirects are not followed,
//! the proxy variables of the environment (`HTTPS_PROXY`, `NO_PROXY`, …) are, but for what is inside a cluster, and no message holds a
//! token, a password or a query. Errors name the address and what to do.
//!
//! The traits are blocking, and so are these clients. From async code call them on a thread for
//! blocking work (`tokio::task::spawn_blocking`): on a thread that runs async tasks they would hold up the
//! others, and a debug build panics there.
//!
//! [`DeviceDirectory`]: kepler_core::device::DeviceDirectory
//! [`Directory`]: kepler_core::directory::Directory
//! [`EnergyView`]: kepler_compliance::view::EnergyView
//! [`IntensitySource`]: kepler_compliance::intensity::IntensitySource
//! [`PlatformBoard`]: kepler_core::platform::PlatformBoard
//!
//! ```
//! # #[cfg(feature = "kepler")]
//! # fn main() -> Result<(), kepler_connect::http::HttpError> {
//! use jiff::Timestamp;
//! use kepler_connect::kepler::{KeplerOptions, KeplerView};
//!
//! let view = KeplerView::new(&["http://127.0.0.1:28282/metrics".to_owned()], KeplerOptions::default())?;
//! view.poll(Timestamp::now());
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "kepler"))]
//! # fn main() {}
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "devices")]
pub mod devices;
#[cfg(any(feature = "kepler", feature = "prometheus"))]
mod energy;
#[cfg(feature = "kepler")]
pub mod exposition;
#[cfg(feature = "external")]
pub mod external;
#[cfg(feature = "_client")]
pub mod http;
#[cfg(feature = "instance")]
pub mod instance;
#[cfg(any(feature = "electricity-maps", feature = "watttime", feature = "uk-carbon-intensity"))]
pub mod intensity;
#[cfg(feature = "kepler")]
pub mod kepler;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
#[cfg(feature = "models")]
pub mod models;
#[cfg(feature = "prometheus")]
pub mod prometheus;
#[cfg(any(feature = "external", feature = "redfish"))]
mod reading_times;
#[cfg(feature = "redfish")]
pub mod redfish;
#[cfg(feature = "kepler")]
pub mod rest;
