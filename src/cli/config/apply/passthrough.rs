//! Applies settings of the host's figures inside its guests.

use super::super::Config;
use super::super::raw_setting::RawSetting;
use super::Outcome;
use kepler_core::guests::GuestIdle;
use std::path::PathBuf;

pub(in super::super) fn directory(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.passthrough.directory = path(raw)?;
    Ok(())
}

pub(in super::super) fn channels(config: &mut Config, raw: &RawSetting) -> Outcome {
    let value = raw.text()?;
    let is_told_apart = value.text.contains("{id}") || value.text.contains("{name}");
    if !value.text.is_empty() && !is_told_apart {
        return Err(value.problem("the path is the same for all machines; write {id} or {name} where theirs differ"));
    }
    config.passthrough.channels = Some(value.clone()).filter(|value| !value.text.is_empty());
    Ok(())
}

pub(in super::super) fn idle(config: &mut Config, raw: &RawSetting) -> Outcome {
    let choices = [("none", GuestIdle::None), ("proportional", GuestIdle::Proportional)];
    config.passthrough.idle = raw.text()?.choice(&choices)?;
    Ok(())
}

pub(in super::super) fn source(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.passthrough.source = path(raw)?;
    Ok(())
}

fn path(raw: &RawSetting) -> Result<Option<PathBuf>, super::super::raw_setting::Problem> {
    let text = &raw.text()?.text;
    Ok((!text.is_empty()).then(|| text.into()))
}
