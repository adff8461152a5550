//! Settings of listeners and access.

use super::super::Config;
use super::super::address::ListenAddress;
use super::super::raw_setting::{Problem, RawSetting, Value};
use super::{Outcome, file};
use kepler_http::BadTelemetryPath;

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

#[cfg(feature = "mcp")]
pub(in super::super) fn mcp_legacy_sse(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.mcp.legacy_sse = raw.switch()?;
    Ok(())
}
