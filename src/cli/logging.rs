//! Logs on standard error, as text or JSON, so that standard output stays for figures.

use super::config::{Config, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Begins to log as configured. Called once.
pub(super) fn start(config: &Config) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(config.log_level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && config.log_format == LogFormat::Text)
        .with_target(config.log_level >= tracing::Level::DEBUG);
    // The MCP library tells of every message at the level at which we tell of starts and stops, and warns
    // of every mistake that a client makes and is told of.
    let library = if config.log_level >= tracing::Level::DEBUG { config.log_level } else { tracing::Level::ERROR };
    let quiet = Targets::new().with_default(config.log_level).with_target("rmcp", library);
    match config.log_format {
        LogFormat::Text => builder.finish().with(quiet).init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(quiet).init(),
    }
}
