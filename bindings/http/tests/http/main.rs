//! Formats, REST and the server, over real connections.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what tests share fails as tests do"
)]

mod accelerators;
mod exposition;
mod kubernetes;
mod overload;
#[cfg(feature = "rest")]
mod page;
mod platform;
mod protobuf;
#[cfg(feature = "docs")]
mod rest;
mod server;
mod support;
#[cfg(feature = "tls")]
mod web_config;
