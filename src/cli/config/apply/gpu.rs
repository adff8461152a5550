//! Applies the settings of accelerators.

use super::super::Config;
use super::super::raw_setting::{Problem, RawSetting};
use super::Outcome;
use kepler_connect::devices::DcgmExporter;
use kepler_core::device::DeviceUser;
use kepler_core::units::Power;
use std::path::{Path, PathBuf};

pub(in super::super) fn enabled(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.gpus = raw.switch()?;
    Ok(())
}

/// As in Kepler, 0 is not known.
pub(in super::super) fn idle_power(config: &mut Config, raw: &RawSetting) -> Outcome {
    let watts = raw.number()?;
    if !watts.is_finite() || watts < 0.0 {
        return Err(Problem(format!("{}: {watts} W is no idle power; give 0 or more", raw.origin())));
    }
    config.gpu_idle_power = (watts > 0.0).then_some(Power::from_watts(watts));
    Ok(())
}

pub(in super::super) fn nvml_library(config: &mut Config, raw: &RawSetting) -> Outcome {
    let default = Path::new("libnvidia-ml.so.1");
    let path = PathBuf::from(&raw.text()?.text);
    config.nvml_library = Some(path).filter(|path| !path.as_os_str().is_empty() && path != default);
    Ok(())
}

/// As in Kepler, nothing is not asked.
pub(in super::super) fn dcgm_endpoint(config: &mut Config, raw: &RawSetting) -> Outcome {
    let value = raw.text()?;
    let address = value.text.trim();
    config.dcgm_endpoint = Some(address.to_owned()).filter(|address| !address.is_empty());
    match config.dcgm_endpoint.as_deref().map(DcgmExporter::new) {
        Some(Err(error)) => Err(value.problem(error)),
        _ => Ok(()),
    }
}

pub(in super::super) fn pod_resources(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.pod_resources = Some(PathBuf::from(&raw.text()?.text)).filter(|path| !path.as_os_str().is_empty());
    Ok(())
}

pub(in super::super) fn summed(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.gpus_summed = raw.switch()?;
    Ok(())
}

pub(in super::super) fn fake(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.fake_gpus = raw.switch()?;
    Ok(())
}

pub(in super::super) fn fake_users(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.fake_gpu_users.clear();
    for value in raw.list()? {
        let parts = value.text.split_once('=').and_then(|(pid, busy)| Some((pid.parse().ok()?, busy.parse().ok()?)));
        let Some((pid, busy)) = parts else {
            return Err(value.problem(format_args!("`{}` is not PID=SHARE, such as `4711=0.6`", value.text)));
        };
        config.fake_gpu_users.push(DeviceUser::new(pid, busy));
    }
    Ok(())
}
