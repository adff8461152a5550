//! MCP beside the metrics.

use super::super::config::{Config, ListenAddress};
use super::super::exit::Failure;
use super::super::{bridge, live};
use kepler_core::monitor::Monitor;
use kepler_mcp::McpServer;
use kepler_mcp::http::{HttpOptions, Router};

/// Connections for MCP beside those for metrics: a client holds one for as long as it listens.
pub(super) const CONNECTIONS: usize = 1024;

/// Who may ask.
///
/// # Errors
/// When the token file cannot be used: answering without a token would be worse than not starting.
pub(super) fn options(config: &Config) -> Result<HttpOptions, Failure> {
    let token = config.mcp.token_file.as_deref().map(bridge::token).transpose();
    let mut options = HttpOptions {
        allowed_origins: config.mcp.origins.clone(),
        bearer_token: token.map_err(|problem| Failure::Config(vec![problem]))?,
        legacy_sse: config.mcp.legacy_sse,
        ..HttpOptions::default()
    };
    options.allowed_hosts.extend(config.listen.iter().filter_map(ListenAddress::host));
    options.allowed_hosts.push(config.node_name());
    options.allowed_hosts.extend(config.mcp.hosts.iter().cloned());
    Ok(options)
}

/// The routes. Call this within the runtime.
///
/// # Errors
/// When the embedded data cannot be read.
pub(super) fn router(config: &Config, monitor: &Monitor, options: HttpOptions) -> Result<Router, Failure> {
    let toolbox = live::toolbox(config, live::view(config, monitor))?;
    let sse = if options.legacy_sse { ", and /sse" } else { "" };
    tracing::info!("serving AI assistants at /mcp{sse}");
    Ok(kepler_mcp::http::router(McpServer::new(toolbox), options))
}
