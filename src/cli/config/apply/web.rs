//! Settings of listeners and access.

use super::super::Config;
use super::super::address::ListenAddress;
use super::super::raw_setting::{Problem, RawSetting, Value};
use super::{Outcome, file};
use kepler_http::BadTelemetryPath;
#[cfg(feature = "mcp")]
use kepler_mcp::{OutputSchemas, ToolSelection};

pub(in super::super) fn telemetry_path(config: &mut Config, raw: &RawSetting) -> Outcome {
    let value = raw.text()?;
    config.web.telemetry_path = value.text.parse().map_err(|error: BadTelemetryPath| value.problem(error))?;
    Ok(())
}

pub(in super::super) fn listen(config: &mut Config, raw: &RawSetting) -> Outcome {
    let addresses = raw.list()?;
    if addresses.is_empty() {
        return Err(Problem(format!("{}: at least one address is needed, such as `:28282`", raw.origin())));
    }
    config.listen = addresses.iter().map(ListenAddress::parse).collect::<Result<_, _>>()?;
    Ok(())
}

pub(in super::super) fn listen_plain(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.listen_plain = raw.list()?.iter().map(ListenAddress::parse).collect::<Result<_, _>>()?;
    Ok(())
}

pub(in super::super) fn kubernetes_audience(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.web.kubernetes_audience = Some(raw.text()?.text.clone()).filter(|audience| !audience.is_empty());
    Ok(())
}

pub(in super::super) fn web_config(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.web_config = Some(raw.text()?.clone()).filter(|file| !file.text.is_empty());
    Ok(())
}

pub(in super::super) fn web_hosts(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.web.hosts = raw.list()?.iter().map(|value| value.text.clone()).collect();
    Ok(())
}

pub(in super::super) fn web_origins(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.web.origins = raw.list()?.iter().map(origin).collect::<Result<_, _>>()?;
    Ok(())
}

pub(in super::super) fn web_token_file(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.web.token_file = file(raw)?;
    Ok(())
}

fn origin(value: &Value) -> Result<String, Problem> {
    match value.text.split_once("://") {
        Some((_, host)) if !host.is_empty() && !host.contains('/') => Ok(value.text.clone()),
        _ => Err(value.problem(format_args!("`{}` is no origin; write it as https://ops.example", value.text))),
    }
}

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.mcp.enabled = raw.switch()?;
    Ok(())
}

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp_hosts(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.mcp.hosts = raw.list()?.iter().map(|value| value.text.clone()).collect();
    Ok(())
}

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp_origins(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.mcp.origins = raw.list()?.iter().map(origin).collect::<Result<_, _>>()?;
    Ok(())
}

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp_token_file(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.mcp.token_file = file(raw)?;
    Ok(())
}

/// A text with its place; none where it is empty.
#[cfg(feature = "mcp")]
fn stated(raw: &RawSetting) -> Result<Option<Value>, Problem> {
    let value = raw.text()?;
    Ok((!value.text.is_empty()).then(|| value.clone()))
}

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp_oauth_issuer(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.mcp.oauth_issuer = stated(raw)?;
    Ok(())
}

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp_oauth_resource(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.mcp.oauth_resource = stated(raw)?;
    Ok(())
}

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp_oauth_audience(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.mcp.oauth_audience = stated(raw)?;
    Ok(())
}

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp_oauth_jwks(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.mcp.oauth_jwks = stated(raw)?;
    Ok(())
}

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp_legacy_sse(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.mcp.legacy_sse = raw.switch()?;
    Ok(())
}

/// The texts of a list, each of which may be several separated by commas.
#[cfg(feature = "mcp")]
fn names(raw: &RawSetting) -> Result<Vec<(&Value, String)>, Problem> {
    let split = |value: &'_ Value| -> Vec<String> {
        value.text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    };
    Ok(raw.list()?.iter().flat_map(|value| split(value).into_iter().map(move |name| (value, name))).collect())
}

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp_tools(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.mcp.tools.clear();
    for (value, name) in names(raw)? {
        ToolSelection::new::<_, &str>(&[&name], &[]).map_err(|error| value.problem(error))?;
        config.mcp.tools.push(name);
    }
    Ok(())
}

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp_toolsets(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.mcp.toolsets.clear();
    for (value, name) in names(raw)? {
        ToolSelection::new::<&str, _>(&[], &[&name]).map_err(|error| value.problem(error))?;
        config.mcp.toolsets.push(name);
    }
    Ok(())
}

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp_output_schemas(config: &mut Config, raw: &RawSetting) -> Outcome {
    let value = raw.text()?;
    config.mcp.output_schemas =
        OutputSchemas::named(&value.text.to_lowercase()).map_err(|error| value.problem(error))?;
    Ok(())
}
