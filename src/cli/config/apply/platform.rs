//! Applies the settings of platform power.

use super::super::Config;
use super::super::raw_setting::RawSetting;
use super::Outcome;
use kepler_core::platform::{Ipmi, PlatformAttribution};
use std::time::Duration;

pub(in super::super) fn redfish(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.platform.redfish.enabled = raw.switch()?;
    Ok(())
}

pub(in super::super) fn node_name(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.platform.redfish.node_name = Some(raw.text()?.text.clone()).filter(|name| !name.is_empty());
    Ok(())
}

pub(in super::super) fn bmc_file(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.platform.redfish.file = Some(raw.text()?.clone()).filter(|file| !file.text.is_empty());
    Ok(())
}

/// The longest that any BMC has been seen to need is a minute.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(300);

pub(in super::super) fn timeout(config: &mut Config, raw: &RawSetting) -> Outcome {
    let timeout = raw.duration()?;
    if timeout > LONGEST_TIMEOUT {
        return Err(raw.text()?.problem("a request may take 5 minutes at most; give less"));
    }
    config.platform.redfish.timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
    Ok(())
}

pub(in super::super) fn ipmi(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.platform.ipmi.enabled = raw.switch()?;
    Ok(())
}

pub(in super::super) fn ipmi_device(config: &mut Config, raw: &RawSetting) -> Outcome {
    let text = raw.text()?;
    if !text.text.is_empty() && !text.text.starts_with('/') {
        return Err(text.problem("is no path of a device; give one as /dev/ipmi0"));
    }
    let is_other = !text.text.is_empty() && text.text != Ipmi::DEVICE;
    config.platform.ipmi_device = is_other.then(|| text.text.as_str().into());
    Ok(())
}

pub(in super::super) fn ipmi_gpus(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.platform.ipmi.without_gpus = !raw.switch()?;
    Ok(())
}

pub(in super::super) fn hwmon(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.platform.hwmon.enabled = raw.switch()?;
    Ok(())
}

pub(in super::super) fn hwmon_gpus(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.platform.hwmon.without_gpus = !raw.switch()?;
    Ok(())
}

pub(in super::super) fn attribute(config: &mut Config, raw: &RawSetting) -> Outcome {
    let known = [PlatformAttribution::None, PlatformAttribution::Proportional];
    config.platform.attribute = raw.text()?.choice(&known.map(|attribution| (attribution.name(), attribution)))?;
    Ok(())
}

pub(in super::super) fn meters(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.platform.meters = Some(raw.text()?.clone()).filter(|file| !file.text.is_empty());
    Ok(())
}
