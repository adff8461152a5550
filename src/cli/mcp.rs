//! `kepler mcp`: answers an AI assistant over standard input and output.

mod snippets;

use super::config::{Config, ViewSource};
use super::exit::Failure;
use super::kubernetes::Pods;
use super::{live, sampling};
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
pub(super) fn run(config: &Config) -> Result<(), Failure> {
    if let Some(followed) = ViewSource::follow(config)? {
        return serve(McpServer::asking_network(live::toolbox(config, Arc::clone(&followed.view))?));
    }
    let pods = Pods::start(config);
    let sampler = sampling::open_named(config, pods.as_ref().map(|pods| pods.directory.clone()))?;
    let monitor = Monitor::start(sampler, config.interval).map_err(Failure::to("start measuring"))?;
    let history = live::HistoryThread::start(config, &monitor)?;
    serve(McpServer::new(live::toolbox(config, history.view())?))
}

fn serve(server: McpServer) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::to("start the MCP server"))?;
    let served = runtime.block_on(kepler_mcp::serve_stdio(server));
    // A client that failed the handshake may keep standard input open, which a thread waits on.
    runtime.shutdown_background();
    served.map_err(|error| Failure::to("serve MCP")(io::Error::other(error)))
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
