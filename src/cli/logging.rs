//! Logs on standard error, as text or JSON, so that standard output stays for figures.

use super::config::{Config, LogFormat};
use std::io::IsTerminal;

/// Begins to log as configured. Called once.
pub(super) fn start(config: &Config) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(config.log_level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && config.log_format == LogFormat::Text)
        .with_target(config.log_level >= tracing::Level::DEBUG);
    match config.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
