//! The REST interface beside the metrics.

use super::super::config::{Config, ListenAddress};
use super::super::exit::Failure;
use super::super::remedies;
use super::super::token;
use kepler_core::availability::Unavailable;
use kepler_core::sampler::Sampler;
use kepler_http::{RestOptions, SettingNames, UnusedSource, WorkLimit};
use std::path::Path;
use std::time::Duration;

/// What the index page says of the REST interface.
pub(super) const LINKS: [(&str, &str); 4] = [
    ("/docs", "the REST interface, to read and to try"),
    ("/openapi.json", "the same for programs"),
    ("/tools", "questions about energy, carbon and compliance"),
    (
        "/api/v1/node",
        "figures of this node as JSON; beside it processes, containers, pods, vms, units, history, events",
    ),
];

/// Answers that are worked out at a time where another server is asked: they wait more than they compute.
const AT_ONCE_REMOTELY: usize = 16;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who may ask.
///
/// # Errors
/// When the token file cannot be used: answering without a token would be worse than not starting.
pub(super) fn options(config: &Config, asks_network: bool) -> Result<RestOptions, Failure> {
    let token = token_file(config).map(token::read).transpose().map_err(|problem| Failure::Config(vec![problem]))?;
    let mut options = RestOptions::default();
    options.allowed_hosts = config.listen.iter().filter_map(ListenAddress::host).collect();
    options.allowed_origins.clone_from(&config.web.origins);
    options.setting_names = SettingNames::new("--web.allowed-host", "--web.allowed-origin");
    options.bearer_token = token;
    options.allowed_hosts.push(config.node_name());
    options.allowed_hosts.extend(config.web.hosts.iter().cloned());
    if asks_network {
        options.work = WorkLimit::new(AT_ONCE_REMOTELY, PATIENCE);
    }
    Ok(options)
}

/// What could be used and is not, for the page and `/api/v1/sources`.
pub(super) fn unused_sources(sampler: &Sampler) -> Vec<UnusedSource> {
    let unused = |unavailable: &Unavailable| {
        UnusedSource::new(unavailable.source_name, unavailable.reason.clone(), remedies::text(&unavailable.remedy))
    };
    let processes = sampler.usage_unavailable().into_iter().chain(sampler.counters_unavailable());
    sampler.unavailable().iter().chain(processes).map(unused).collect()
}

/// Who keeps a token for the tools over MCP wants it for the same tools over REST.
fn token_file(config: &Config) -> Option<&Path> {
    let file = config.web.token_file.as_deref();
    #[cfg(feature = "mcp")]
    let file = file.or(config.mcp.token_file.as_deref());
    file
}
