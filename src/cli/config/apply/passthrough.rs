//! Applies settings of the host's figures inside its guests.

use super::super::raw_setting::{Problem, RawSetting};
use super::super::{Config, Value};
use super::Outcome;
use kepler_core::guests::GuestIdle;
use kepler_core::meter::host::HostRoute;

pub(in super::super) fn directory(config: &mut Config, raw: &RawSetting) -> Outcome {
    let text = &raw.text()?.text;
    config.passthrough.directory = (!text.is_empty()).then(|| text.into());
    Ok(())
}

pub(in super::super) fn channels(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.passthrough.channels = paths(raw)?;
    Ok(())
}

pub(in super::super) fn listen(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.passthrough.listen = paths(raw)?;
    Ok(())
}

/// A path that differs from machine to machine.
fn paths(raw: &RawSetting) -> Result<Option<Value>, Problem> {
    let value = raw.text()?;
    let is_told_apart = value.text.contains("{id}") || value.text.contains("{name}");
    if !value.text.is_empty() && !is_told_apart {
        return Err(value.problem("the path is the same for all machines; write {id} or {name} where theirs differ"));
    }
    Ok(Some(value.clone()).filter(|value| !value.text.is_empty()))
}

pub(in super::super) fn vsock(config: &mut Config, raw: &RawSetting) -> Outcome {
    // The last number stands for any port (vsock(7)).
    let port = u32::try_from(raw.integer()?).ok().filter(|port| *port < u32::MAX);
    let Some(port) = port else {
        return Err(raw.text()?.problem("must be a port of vsock, 1 to 4294967294; 0 for none"));
    };
    config.passthrough.vsock = (port > 0).then_some(port);
    Ok(())
}

pub(in super::super) fn idle(config: &mut Config, raw: &RawSetting) -> Outcome {
    let choices = [("none", GuestIdle::None), ("proportional", GuestIdle::Proportional)];
    config.passthrough.idle = raw.text()?.choice(&choices)?;
    Ok(())
}

pub(in super::super) fn metadata(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.passthrough.metadata = raw.switch()?;
    Ok(())
}

pub(in super::super) fn source(config: &mut Config, raw: &RawSetting) -> Outcome {
    let value = raw.text()?;
    let Ok(route) = value.text.parse::<HostRoute>();
    if matches!(route, HostRoute::Path(_)) && value.text.starts_with("vsock:") {
        return Err(value.problem("it is neither vsock:PORT nor vsock:CID:PORT"));
    }
    config.passthrough.source = (!value.text.is_empty()).then_some(route);
    Ok(())
}
