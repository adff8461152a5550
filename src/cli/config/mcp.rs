//! The settings of the MCP server.

use super::Value;
use std::path::PathBuf;

/// The MCP server over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mcp {
    /// Whether it is offered.
    pub(crate) enabled: bool,
    /// Names by which clients may reach it, beside those of the addresses that are listened at.
    pub(crate) hosts: Vec<String>,
    /// Web pages that may ask.
    pub(crate) origins: Vec<String>,
    /// The file of the token that clients must send.
    pub(crate) token_file: Option<PathBuf>,
    /// The authorization server whose tokens are taken.
    pub(crate) oauth_issuer: Option<Value>,
    /// The address of `/mcp` as clients have it.
    pub(crate) oauth_resource: Option<Value>,
    /// What tokens must be meant for; without it that address.
    pub(crate) oauth_audience: Option<Value>,
    /// Where the issuer's keys are; without it where its metadata says.
    pub(crate) oauth_jwks: Option<Value>,
    /// Whether HTTP with SSE of 2024-11-05 is offered too.
    pub(crate) legacy_sse: bool,
    /// Names of the tools that are offered; all of them where neither they nor sets are given.
    pub(crate) tools: Vec<String>,
    /// Names of the sets of tools that are offered.
    pub(crate) toolsets: Vec<String>,
    /// Whether tools are listed with schemas of their answers.
    pub(crate) output_schemas: kepler_mcp::OutputSchemas,
}

impl Mcp {
    /// The tools that are offered. Names are checked where they are read.
    pub(crate) fn selection(&self) -> kepler_mcp::ToolSelection {
        let selection = kepler_mcp::ToolSelection::new(&self.tools, &self.toolsets).unwrap_or_default();
        selection.with_output_schemas(self.output_schemas)
    }
}

impl Default for Mcp {
    fn default() -> Self {
        Mcp {
            enabled: true,
            hosts: Vec::new(),
            origins: Vec::new(),
            token_file: None,
            oauth_issuer: None,
            oauth_resource: None,
            oauth_audience: None,
            oauth_jwks: None,
            legacy_sse: false,
            tools: Vec::new(),
            toolsets: Vec::new(),
            output_schemas: kepler_mcp::OutputSchemas::Auto,
        }
    }
}
