//! MCP beside the metrics.

use super::super::config::{Config, ListenAddress, Problem, Value};
use super::super::exit::Failure;
use super::super::token;
use kepler_compliance::tools::Toolbox;
use kepler_mcp::http::{HttpOptions, OAuth, OAuthOptions, Router};
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
    options.oauth = oauth(config)?;
    options.legacy_sse = config.mcp.legacy_sse;
    options.allowed_hosts.extend(config.listen.iter().filter_map(ListenAddress::host));
    options.allowed_hosts.push(config.node_name());
    options.allowed_hosts.extend(config.web.hosts.iter().chain(&config.mcp.hosts).cloned());
    Ok(options)
}

/// Whose tokens are taken, where an authorization server is stated.
fn oauth(config: &Config) -> Result<Option<OAuth>, Failure> {
    let mcp = &config.mcp;
    let refuse = |problem: Problem| Failure::Config(vec![problem]);
    let Some(issuer) = &mcp.oauth_issuer else {
        let alone = [&mcp.oauth_resource, &mcp.oauth_audience, &mcp.oauth_jwks].into_iter().flatten().next();
        let says_nothing = |value: &Value| refuse(value.problem("says nothing without --mcp.oauth-issuer"));
        return alone.map_or(Ok(None), |value| Err(says_nothing(value)));
    };
    if config.web.kubernetes_audience.is_some() {
        return Err(refuse(issuer.problem("a request has one token: leave --web.kubernetes-audience out")));
    }
    let Some(resource) = &mcp.oauth_resource else {
        return Err(refuse(issuer.problem("state the address of /mcp as clients have it: --mcp.oauth-resource")));
    };
    let mut options = OAuthOptions::new(issuer.text.clone(), resource.text.clone());
    options.audience = mcp.oauth_audience.as_ref().map(|audience| audience.text.clone());
    options.jwks = mcp.oauth_jwks.as_ref().map(|jwks| jwks.text.clone());
    if mcp.token_file.is_none() && config.web.token_file.is_none() {
        tracing::warn!(
            "/tools and /api ask for no token, as /mcp does: keep one for them (--web.token-file), or keep them from being reached"
        );
    }
    OAuth::new(options).map(Some).map_err(|error| refuse(Problem(format!("mcp.oauth: {error}"))))
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
