//! `kepler bridge`: connects a client on standard input and output with a remote MCP server.

use super::config::{Config, Problem};
use super::exit::Failure;
use super::logging;
use super::token;
use clap::Args;
use kepler_mcp::bridge::{BridgeError, BridgeOptions, bridge};
use std::io;
use std::path::PathBuf;

/// Where to.
#[derive(Debug, Args)]
pub(super) struct Bridge {
    /// The server's address, such as http://node-1:28282/mcp; streamable HTTP or HTTP with SSE
    url: String,
    /// Send the bearer token in this file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Runs until the client closes standard input and what it asked is answered.
///
/// # Errors
/// When the address or the token file cannot be used, or the client's end fails.
pub(super) fn run(asked: Bridge) -> Result<(), Failure> {
    // The client is informed of errors of the server; of the rest, only what needs attention.
    logging::start(&Config { log_level: tracing::Level::WARN, ..Config::default() });
    let bearer_token =
        asked.token_file.as_deref().map(token::read).transpose().map_err(|problem| Failure::Config(vec![problem]))?;
    let mut options = BridgeOptions::new(asked.url);
    options.bearer_token = bearer_token;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::to("start the bridge"))?;
    let outcome = runtime.block_on(bridge(options, tokio::io::stdin(), tokio::io::stdout()));
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    outcome.map_err(|error| match error {
        BridgeError::Url { .. } => Failure::Config(vec![Problem(error.to_string())]),
        other => Failure::to("bridge")(io::Error::other(other)),
    })
}
