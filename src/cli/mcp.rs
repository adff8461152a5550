//! `kepler mcp`: answers an AI assistant over standard input and output.

mod snippets;

pub(super) use snippets::Client;

use super::choices;
use super::config::{Config, ViewSource};
use super::exit::Failure;
use super::live;
use super::sampling::{self, Known};
use kepler_core::monitor::Monitor;
use kepler_mcp::McpServer;
use snippets::Server;
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
        let mut toolbox = live::toolbox(config, Arc::clone(&followed.view))?;
        toolbox.choices = choices::of_hub(config, Arc::clone(&followed.choices));
        return serve(config, McpServer::asking_network(toolbox));
    }
    let known = Known::start(config);
    let sampler = sampling::open_named(config, &known)?;
    let monitor = Monitor::start(sampler, config.interval).map_err(Failure::to("start measuring"))?;
    let history = live::HistoryThread::start(config, &monitor)?;
    let mut toolbox = live::toolbox(config, history.view())?;
    toolbox.choices = choices::of_node(config, monitor.feed(), known.pods());
    serve(config, McpServer::new(toolbox))
}

fn serve(config: &Config, server: McpServer) -> Result<(), Failure> {
    let server = server.with_selection(config.mcp.selection());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::to("start the MCP server"))?;
    let served = runtime.block_on(kepler_mcp::serve_stdio(server));
    // A client that failed the handshake may keep standard input open, which a thread waits on.
    runtime.shutdown_background();
    served.map_err(|error| Failure::to("serve MCP")(io::Error::other(error)))
}

/// Writes what to put into the configuration of clients, so that they start this program with these flags, or ask the
/// server at `url`.
///
/// # Errors
/// When the path of this program is not known, or standard output is closed.
pub(super) fn print_config(client: Client, url: Option<&str>) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(Failure::to("find the path of this program"))?;
    let flags = std::env::args_os().skip(1).map(|flag| flag.to_string_lossy().into_owned());
    let arguments: Vec<String> = flags.filter(|flag| !flag.starts_with("--print-config")).collect();
    let program = program.to_string_lossy();
    let server = match url {
        Some(url) => Server::Remote { program: &program, url },
        None => Server::Program { program: &program, arguments: &arguments },
    };
    let text = snippets::of(client, &server);
    io::stdout().lock().write_all(text.as_bytes()).map_err(Failure::to("write the configuration"))
}
