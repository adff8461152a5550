//! Some settings of the MCP server: tokens of an authorization server, and how tools are listed.

use super::super::apply::web as apply;
use super::super::raw_setting::Form;
use super::Effect::Set;
use super::{Setting, key};

pub(super) const OAUTH_ISSUER: Setting = key("mcp.oauthIssuer", Form::Text, Set(apply::mcp_oauth_issuer)).flag(
    "mcp.oauth-issuer",
    "URL",
    "Take tokens of this OAuth authorization server for /mcp (JSON Web Tokens, RS256 or ES256; scopes read and tune), beside the one of --mcp.token-file",
);

pub(super) const OAUTH_RESOURCE: Setting = key("mcp.oauthResource", Form::Text, Set(apply::mcp_oauth_resource)).flag(
    "mcp.oauth-resource",
    "URL",
    "The address of /mcp as clients have it, such as https://energy.example/mcp: the audience of those tokens",
);

pub(super) const OAUTH_AUDIENCE: Setting = key("mcp.oauthAudience", Form::Text, Set(apply::mcp_oauth_audience)).flag(
    "mcp.oauth-audience",
    "TEXT",
    "The audience of those tokens, where the authorization server names it otherwise [default: that address]",
);

pub(super) const OAUTH_JWKS: Setting = key("mcp.oauthJwks", Form::Text, Set(apply::mcp_oauth_jwks)).flag(
    "mcp.oauth-jwks",
    "URL",
    "Where that server's keys are [default: where its metadata says]",
);

pub(super) const OUTPUT_SCHEMAS: Setting = key("mcp.outputSchemas", Form::Text, Set(apply::mcp_output_schemas)).flag(
    "mcp.output-schemas",
    "WHEN",
    "List tools with schemas of their answers: on, off, or auto, which omits them for clients that do not use them [default: auto]",
);
