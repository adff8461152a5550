//! `kepler serve`: measures, and serves the figures until a signal comes.

pub(super) mod listen;
#[cfg(feature = "mcp")]
mod mcp;
mod rest;
mod table;

use super::config::{Config, Manner, Value, ViewSource};
use super::exit::Failure;
use super::kubernetes::Pods;
use super::live;
use super::permissions;
use super::remedies;
use super::sampling;
use super::signals::Signals;
use super::version;
use kepler_core::directory::Directory;
use kepler_core::host::Topology;
use kepler_core::meter::Method;
use kepler_core::monitor::Monitor;
use kepler_core::sampler::Sampler;
use kepler_http::{ExportOptions, Exporter, Rest, ServerOptions, WebConfig};
use std::net::TcpListener;
use std::sync::Arc;

/// What Go's Prometheus library says of names in every answer, whether asked or not (its `expfmt`, 2026).
const GO_ESCAPING: &str = "underscores";

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
/// When an address is taken, the meter asked for cannot be used, or the host cannot be read.
pub(super) fn run(config: &Config) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::to("start the HTTP server"))?;
    // Before the log says that anything has started: a supervisor that waits for that may send a signal then.
    let mut signals = {
        let _entered = runtime.enter();
        Signals::wait()?
    };
    let web = config.web_config.as_ref().map(web_config).transpose()?;
    let listeners = if config.prometheus { listen::bind_all(&config.listen, &config.host())? } else { Vec::new() };
    #[cfg(feature = "mcp")]
    let mcp = config.mcp.enabled.then(|| mcp::options(config)).transpose()?;
    // This and what is made of it end after the runtime: see `ViewSource::follow`.
    let followed = ViewSource::follow(config)?;
    let mut rest = rest::options(config, followed.is_some())?;
    // Held until the end: dropping it stops the refreshing.
    let pods = Pods::start(config);
    let directory = pods.as_ref().map(|pods| pods.directory.clone());
    let sampler = sampling::open_named(config, directory.clone())?;
    rest.unused_sources = rest::unused_sources(&sampler);
    announce(&sampler, &listeners, config);
    warn_of_losses(config, &sampler);
    let monitor = Monitor::start(sampler, config.interval).map_err(Failure::to("start measuring"))?;
    // Held until the end: dropping it stops the table.
    let _table = config
        .stdout
        .then(|| table::start(monitor.feed(), config.interval))
        .transpose()
        .map_err(Failure::to("start the table"))?;
    let history = live::HistoryThread::start(config, &monitor)?;
    let view = followed.as_ref().map_or_else(|| history.view(), |followed| Arc::clone(&followed.view));
    let toolbox = Arc::new(live::toolbox(config, view)?);
    let exporter = Arc::new(Exporter::new(monitor.feed(), export_options(config, directory)));
    // The first snapshots come faster than the interval: it is the interval that says when one is late.
    let stale_after = ServerOptions::default().stale_after.max(config.interval.saturating_mul(3));
    let mut options = ServerOptions::default();
    (options.web, options.stale_after, options.links) = (web, stale_after, rest::LINKS.to_vec());
    options.live_page = true;
    options.telemetry_path.clone_from(&config.web.telemetry_path);
    if config.manner == Manner::Kepler {
        options.escaping = Some(GO_ESCAPING);
    }
    options.allowed_hosts.clone_from(&rest.allowed_hosts);
    // A stream of events holds a connection for as long as somebody listens.
    options.max_connections += rest.streams;
    #[cfg(feature = "mcp")]
    let work = rest.work.clone();
    let rest = Rest::new(Arc::clone(&exporter), Arc::clone(&toolbox), rest);
    #[cfg(feature = "mcp")]
    if mcp.is_some() {
        options.max_connections += mcp::CONNECTIONS;
    }
    let reloaded = options.web.clone();
    let served = runtime.block_on(async {
        #[cfg(feature = "mcp")]
        let streams = mcp.as_ref().map(|mcp| mcp.stop.clone());
        let events = rest.clone();
        let stop = async move {
            signals.end(reloaded.as_ref()).await;
            // Streams of events never end by themselves.
            events.end_streams();
            #[cfg(feature = "mcp")]
            if let Some(streams) = streams {
                streams.cancel();
            }
        };
        if listeners.is_empty() {
            stop.await;
            return Ok(());
        }
        let router = kepler_http::router(exporter, &options).merge(rest.router());
        #[cfg(feature = "mcp")]
        let router = match mcp {
            Some(mcp) => router.merge(mcp::router(toolbox, followed.is_some(), work, mcp)),
            None => router,
        };
        kepler_http::serve_router(listeners, router, options, stop).await.map_err(Failure::to("serve HTTP"))
    });
    drop(runtime);
    served
}

/// Serving without the encryption or the passwords that somebody configured would be worse than not
/// serving: any fault in the file ends the program.
fn web_config(file: &Value) -> Result<WebConfig, Failure> {
    WebConfig::from_file(&file.text).map_err(|error| Failure::Config(vec![file.problem(error)]))
}

fn export_options(config: &Config, directory: Option<Directory>) -> ExportOptions {
    let mut options = ExportOptions::default();
    options.node_name = config.node_name();
    options.levels = config.levels;
    options.build.version = env!("CARGO_PKG_VERSION").to_owned();
    options.build.revision = env!("BUILT_REVISION").to_owned();
    options.build.branch = env!("BUILT_BRANCH").to_owned();
    options.build.arch = match config.manner {
        Manner::Own => std::env::consts::ARCH.to_owned(),
        Manner::Kepler => version::go_arch().to_owned(),
    };
    options.build.rustversion = env!("BUILT_RUSTVERSION").to_owned();
    options.topology = Topology::read(&config.host());
    options.compat = config.compat;
    options.directory = directory;
    options
}

/// Says which better source is not used, and what a missing permission costs.
fn warn_of_losses(config: &Config, sampler: &Sampler) {
    for unavailable in sampler.unavailable() {
        // A missing right is one step away; the others want drivers or hardware.
        if unavailable.remedy.is_permission() || unavailable.source_name == "model-file" {
            tracing::warn!("not measuring with {}", remedies::line(unavailable));
        } else {
            tracing::debug!("not measuring with {}: {}", unavailable.source_name, unavailable.reason);
        }
    }
    for permission in permissions::read(&config.host()) {
        if permission.capability == permissions::SEES_PROCESSES && permission.held == Some(false) {
            tracing::warn!("without {} these are lost: {}", permission.capability, permission.lost);
        }
    }
}

/// Says where the figures come from, and where they are found.
fn announce(sampler: &Sampler, listeners: &[TcpListener], config: &Config) {
    let path = config.web.telemetry_path.as_str();
    let mut sources: Vec<(&str, Method, Vec<&str>)> = Vec::new();
    for zone in sampler.zones() {
        let name = zone.zone.kind.name();
        match sources.iter_mut().find(|(source, ..)| *source == zone.source) {
            Some((_, _, zones)) if !zones.contains(&name) => zones.push(name),
            Some(_) => {}
            None => sources.push((zone.source, zone.method, vec![name])),
        }
    }
    for (source, method, zones) in &sources {
        let zones = zones.join(", ");
        match method {
            _ if *source == "fake" => tracing::warn!("{zones}: made up by fake, for development only"),
            Method::Measured => tracing::info!("{zones}: measured by {source}"),
            Method::Partial { error_ratio } => tracing::warn!(
                "{zones}: measured by {source} in part, the rest estimated, ±{:.0} %; `kepler doctor` says what is missing",
                error_ratio * 100.0
            ),
            _ => {
                let error_ratio = method.error_ratio().unwrap_or(1.0);
                tracing::warn!(
                    "{zones}: estimated by {source}, ±{:.0} %; `kepler doctor` says what measuring needs",
                    error_ratio * 100.0
                );
            }
        }
    }
    tracing::info!("processor time of processes: {}", sampler.usage_source());
    for listener in listeners {
        if let Ok(address) = listener.local_addr() {
            match &config.web_config {
                // Whether by http or https is what that file says.
                Some(file) => tracing::info!("serving {path} at {address}, as {} says", file.text),
                None => tracing::info!("serving {}", listen::url(address, path)),
            }
        }
    }
}
