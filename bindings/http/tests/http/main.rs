//! Formats, REST and the server, over real connections.

mod exposition;
#[cfg(feature = "docs")]
mod rest;
mod server;
mod support;
#[cfg(feature = "tls")]
mod web_config;
