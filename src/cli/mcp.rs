//! `kepler mcp`: answers an AI assistant over standard input and output.

mod snippets;

use super::config::Config;
use super::exit::Failure;
use super::source::Source;
use super::{live, sampling};
use kepler_compliance::tools::Toolbox;
use kepler_compliance::view::EnergyView;
use kepler_connect::kepler::{KeplerOptions, KeplerView};
use kepler_connect::prometheus::{PrometheusOptions, PrometheusView};
use kepler_core::monitor::Monitor;
use kepler_mcp::McpServer;
use std::io;
use std::io::Write;
use std::sync::Arc;

/// Answers until the assistant closes standard input. Nothing but the protocol goes to standard output.
///
/// # Errors
/// When the meter asked for cannot be used, the host cannot be read, an address cannot be used, or the
/// client does not speak MCP.
pub(super) fn run(config: &Config, source: &Source) -> Result<(), Failure> {
    match source {
        Source::Local => {
            let sampler = sampling::open(config)?;
            let monitor = Monitor::start(sampler, config.interval).map_err(Failure::to("start measuring"))?;
            serve(config, || live::view(config, &monitor), McpServer::new)
        }
        Source::Kepler(urls) => {
            let view = KeplerView::new(urls, KeplerOptions::default());
            let view = Arc::new(view.map_err(|error| Failure::Source(error.to_string()))?);
            // Held until the end: dropping it stops the polls.
            let _watch = view.watch(config.interval).map_err(Failure::to("start polling"))?;
            serve(config, || Arc::clone(&view), McpServer::asking_network)
        }
        Source::Prometheus(url) => {
            let view = PrometheusView::new(url, PrometheusOptions::default());
            let view = Arc::new(view.map_err(|error| Failure::Source(error.to_string()))?);
            serve(config, || Arc::clone(&view), McpServer::asking_network)
        }
    }
}

/// Serves what `view` gives, which is called within the runtime. The HTTP clients of views must not be
/// dropped there, so whoever calls this keeps the view.
fn serve<V: EnergyView + 'static>(
    config: &Config,
    view: impl FnOnce() -> Arc<V>,
    server: impl FnOnce(Toolbox) -> McpServer,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::to("start the MCP server"))?;
    let outcome = runtime.block_on(async {
        let toolbox = live::toolbox(config, view())?;
        let served = kepler_mcp::serve_stdio(server(toolbox)).await;
        served.map_err(|error| Failure::to("serve MCP")(io::Error::other(error)))
    });
    // A client that failed the handshake may keep standard input open, which a thread waits on.
    runtime.shutdown_background();
    outcome
}

/// Writes what to put into the configuration of clients, so that they start this program with these flags.
///
/// # Errors
/// When the path of this program is not known, or standard output is closed.
pub(super) fn print_config() -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(Failure::to("find the path of this program"))?;
    let flags = std::env::args_os().skip(1).map(|flag| flag.to_string_lossy().into_owned());
    let flags: Vec<String> = flags.filter(|flag| flag != "--print-config").collect();
    let text = snippets::all(&program.to_string_lossy(), &flags);
    io::stdout().lock().write_all(text.as_bytes()).map_err(Failure::to("write the configuration"))
}
