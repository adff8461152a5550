//! MCP beside the metrics.

use super::super::config::{Config, ListenAddress};
use super::super::exit::Failure;
use super::super::token;
use kepler_compliance::tools::Toolbox;
use kepler_mcp::http::{HttpOptions, Router};
use kepler_mcp::{McpServer, SettingNames, ToolSelection, WorkLimit};
use std::sync::Arc;

/// Connections for MCP beside those for metrics: a client holds one for as long as it listens.
pub(super) const CONNECTIONS: usize = 1024;

/// Who may ask.
///
/// # Errors
/// When the token file cannot be used: answering without a token would be worse than not starting.
pub(super) fn options(config: &Config) -> Result<HttpOptions, Failure> {
    let file = config.mcp.token_file.as_deref().or(config.web.token_file.as_deref());
    let token = file.map(token::read).transpose();
    let mut options = HttpOptions::default();
    options.allowed_origins = [config.web.origins.clone(), config.mcp.origins.clone()].concat();
    options.setting_names = SettingNames::new("--mcp.allowed-host", "--mcp.allowed-origin");
    options.bearer_token = token.map_err(|problem| Failure::Config(vec![problem]))?;
    options.legacy_sse = config.mcp.legacy_sse;
    options.allowed_hosts.extend(config.listen.iter().filter_map(ListenAddress::host));
    options.allowed_hosts.push(config.node_name());
    options.allowed_hosts.extend(config.web.hosts.iter().chain(&config.mcp.hosts).cloned());
    Ok(options)
}

/// The routes; tools work within `work`, as over REST. Call this within the runtime.
pub(super) fn router(
    toolbox: Arc<Toolbox>,
    asks_network: bool,
    work: WorkLimit,
    (options, selection): (HttpOptions, ToolSelection),
) -> Router {
    let sse = if options.legacy_sse { ", and /sse" } else { "" };
    tracing::info!("serving AI assistants at /mcp{sse}");
    let server = if asks_network { McpServer::asking_network(toolbox) } else { McpServer::new(toolbox) };
    kepler_mcp::http::router(server.with_work_limit(work).with_selection(selection), options)
}
