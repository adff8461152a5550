//! Model Context Protocol server: the compliance tools of [`kepler_compliance`] for AI assistants.
//!
//! [`McpServer`] is the server without a transport: the tools of
//! [`registry`](kepler_compliance::tools::registry) with their schemas, resources, prompts and
//! completion. It speaks every protocol revision that the official SDK ([`rmcp`]) knows, 2024-11-05 to
//! 2026-07-28. Nothing is described here twice: names, descriptions and schemas come from the tools.
//!
//! Tools, resources and completions are answered on Tokio's blocking threads, since energy views and
//! intensity sources block. A request that its client cancels stops at the next figure it asks for.
//!
//! # Features
//! - `http`: the streamable HTTP transport, and the older one over SSE ([`http`](../kepler_mcp/http/index.html)).
//! - `oauth`: tokens of an OAuth authorization server, over `http`.
//! - `charts`: answers as pictures (PNG) for callers that ask for `format=chart`, with a font of 265 kB.
//! - `bridge`: a server over standard input and output that stands for a remote one ([`bridge`](../kepler_mcp/bridge/index.html)).
//!
//! ```
//! # use kepler_compliance::intensity::IntensityTable;
//! # use kepler_compliance::standards::Standards;
//! # use kepler_compliance::tools::Toolbox;
//! # use kepler_compliance::view::NoView;
//! # use kepler_compliance::zones::Zones;
//! # use std::sync::Arc;
//! # let zones = Zones::embedded()?;
//! # let intensity = Arc::new(IntensityTable::from_zones(&zones));
//! # let toolbox = Toolbox::new(Arc::new(NoView), Standards::embedded()?, zones, intensity);
//! use kepler_mcp::{McpServer, serve_stdio};
//!
//! // `toolbox`: what the tools answer from, of `kepler_compliance`.
//! let server = McpServer::new(toolbox);
//! # let run = async move {
//! serve_stdio(server).await
//! # };
//! # drop(run);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "bridge")]
pub mod bridge;
mod brief;
#[cfg(feature = "charts")]
mod chart;
mod completion;
#[cfg(feature = "http")]
pub mod http;
mod prompts;
mod resources;
mod schema;
mod selection;
mod server;
mod size;
mod stdio;
mod uri;
mod watch;

#[cfg(feature = "http")]
pub use kepler_guard::SettingNames;
pub use kepler_guard::{Token, WorkLimit};
pub use selection::{OutputSchemas, SelectionError, ToolSelection};
pub use server::McpServer;
pub use stdio::{StdioError, serve_stdio};
