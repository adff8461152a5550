//! `kepler serve`: measures, and serves the figures until a signal comes.

mod code_pages;
mod hub;
pub(super) mod listen;
#[cfg(feature = "mcp")]
mod mcp;
mod node;
mod rest;
mod review;
mod table;

use super::config::{Config, Manner, Value, ViewSource};
use super::exit::Failure;
use super::signals::Signals;
use super::version;
use kepler_compliance::tools::Toolbox;
use kepler_http::{ExportOptions, Exporter, Listener, Rest, ServerOptions, UnusedSource, WebConfig};
use std::any::Any;
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
    let bound = Bound::of(config)?;
    #[cfg(feature = "mcp")]
    let mcp = config.mcp.enabled.then(|| mcp::options(config)).transpose()?;
    let asks_network = config.source != ViewSource::Local;
    let mut rest = rest::options(config, asks_network)?;
    // This and what is made of it end after the runtime: see `ViewSource::follow`.
    let role = if asks_network { hub::start(config)? } else { node::start(config)? };
    let Role { exporter, toolbox, .. } = &role;
    rest.unused_sources.clone_from(&role.unused_sources);
    let listeners = bound.announced(config);
    let (exporter, toolbox) = (Arc::clone(exporter), Arc::clone(toolbox));
    // The first snapshots come faster than the interval: it is the interval that says when one is late.
    let stale_after = ServerOptions::default().stale_after.max(config.interval.saturating_mul(3));
    let mut options = ServerOptions::default();
    options.review = review::options(config)?;
    (options.web, options.stale_after, options.links) = (web, stale_after, rest::LINKS.to_vec());
    options.live_page = true;
    options.telemetry_path.clone_from(&config.web.telemetry_path);
    if config.manner == Manner::Kepler {
        options.escaping = Some(GO_ESCAPING);
    }
    options.allowed_hosts.clone_from(&rest.allowed_hosts);
    options.setting_names = rest.setting_names;
    // A stream of events holds a connection for as long as its client listens.
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
        tokio::spawn(code_pages::give_back());
        if listeners.is_empty() {
            stop.await;
            return Ok(());
        }
        let router = kepler_http::router(exporter, &options).merge(rest.router());
        #[cfg(feature = "mcp")]
        let router = match mcp {
            Some(mcp) => router.merge(mcp::router(toolbox, asks_network, work, (mcp, config.mcp.selection()))),
            None => router,
        };
        kepler_http::serve_router(listeners, router, options, stop).await.map_err(Failure::to("serve HTTP"))
    });
    drop(runtime);
    served
}

/// The addresses that are listened at.
#[derive(Default)]
struct Bound {
    listeners: Vec<TcpListener>,
    /// Those without TLS whatever the others have.
    plain: Vec<TcpListener>,
}

impl Bound {
    /// Listens where it is configured.
    fn of(config: &Config) -> Result<Self, Failure> {
        if !config.prometheus {
            return Ok(Bound::default());
        }
        let host = config.host();
        let (listeners, plain) =
            (listen::bind_all(&config.listen, &host)?, listen::bind_all(&config.listen_plain, &host)?);
        Ok(Bound { listeners, plain })
    }

    /// Says where the figures are found, once they can be.
    fn announced(self, config: &Config) -> Vec<Listener> {
        announce(&self.listeners, &self.plain, config);
        self.listeners.into_iter().map(Listener::from).chain(self.plain.into_iter().map(Listener::plain)).collect()
    }
}

/// What is served: a node that is measured here, or a hub of others.
struct Role {
    exporter: Arc<Exporter>,
    toolbox: Arc<Toolbox>,
    /// What could be measured with and is not.
    unused_sources: Vec<UnusedSource>,
    /// Held until the end: dropping it stops what keeps the figures up to date.
    _held: Box<dyn Any>,
}

/// Serving without the encryption or the passwords that were configured would be worse than not
/// serving: any fault in the file ends the program.
fn web_config(file: &Value) -> Result<WebConfig, Failure> {
    WebConfig::from_file(&file.text).map_err(|error| Failure::Config(vec![file.problem(error)]))
}

/// Who exports, and from what it was built.
fn export_options(config: &Config) -> ExportOptions {
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
    options.compat = config.compat;
    options.gpus_summed = config.gpus_summed;
    options
}

/// Says where the figures are found.
fn announce(listeners: &[TcpListener], plain: &[TcpListener], config: &Config) {
    let path = config.web.telemetry_path.as_str();
    for listener in listeners {
        if let Ok(address) = listener.local_addr() {
            match &config.web_config {
                // Whether by http or https is what that file says.
                Some(file) => tracing::info!("serving {path} at {address}, as {} says", file.text),
                None => tracing::info!("serving {}", listen::url(address, path)),
            }
        }
    }
    for address in plain.iter().filter_map(|listener| listener.local_addr().ok()) {
        tracing::info!("serving {} without TLS", listen::url(address, path));
    }
}
