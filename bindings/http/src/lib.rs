//! Prometheus exporter, REST interface and HTTP server over the snapshots of [`kepler_core`].
//!
//! An [`Exporter`] renders the newest snapshot of a [`Feed`](kepler_core::snapshot::Feed) as
//! Prometheus text or OpenMetrics; [`serve`] answers requests with it. Neither ever collects:
//! a scrape shows what the sampler saw last, however many scrapers there are.
//!
//! # What an answer costs
//! The exposition is written and compressed in pieces of 64 KiB while the client takes them, so the
//! memory of a scrape does not grow with the number of processes. See `benches/encode.rs`.
//!
//! # Features
//! - `tls`: TLS and basic authentication, by a file as Prometheus' exporter-toolkit reads it
//!   (`WebConfig`).
//! - `rest`: the live page, the tools of `kepler_compliance`, figures as JSON, their history, a stream of snapshots, and
//!   OpenAPI of it all (`Rest`).
//! - `docs`: Swagger UI, which shows that, at `/docs`.
//! - `zstd`: `/metrics` compressed by zstd for those who ask for it, beside gzip.
//!
//! ```
//! use kepler_core::snapshot::Feed;
//! use kepler_http::{ExportOptions, Exporter, Format};
//!
//! // A monitor publishes into its feed; this one is still empty.
//! let exporter = Exporter::new(Feed::default(), ExportOptions::default().with(|options| options.node_name = "node-1".into()));
//! let mut text = Vec::new();
//! exporter.encode(Format::Text, &mut text);
//! assert!(text.starts_with(b"# HELP") || text.is_empty());
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "tls")]
mod access_review;
mod body;
mod connection;
mod duplicate_series;
mod encode;
mod exporter;
mod facility;
mod families;
mod health;
mod hub;
mod negotiate;
mod options;
mod own;
mod page;
#[cfg(feature = "rest")]
mod rest;
mod routes;
mod server;
mod server_options;

#[cfg(feature = "tls")]
mod web_config;

#[cfg(feature = "tls")]
pub use access_review::{AccessReview, Decision};
pub use encode::Format;
pub use exporter::Exporter;
pub use facility::{FacilityFigure, FacilityFigures, FacilitySource};
pub use hub::{Hub, HubNode, HubStatus, Polling};
#[cfg(feature = "rest")]
pub use kepler_guard::{SettingNames, Token, WorkLimit};
pub use options::{BuildInfo, Compat, ExportOptions, Levels, UnknownCompat, UnknownLevel};
#[cfg(feature = "rest")]
pub use rest::{Rest, RestOptions, UnusedSource};
pub use routes::router;
pub use server::{Listener, serve, serve_router};
pub use server_options::{BadTelemetryPath, ServerOptions, TelemetryPath};
#[cfg(feature = "tls")]
pub use web_config::{WebConfig, WebConfigError};
