//! Formats, REST and the server, over real connections.

mod exposition;
mod overload;
#[cfg(feature = "docs")]
mod rest;
mod server;
mod support;
#[cfg(feature = "tls")]
mod web_config;
