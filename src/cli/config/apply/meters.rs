//! Settings of meters and attribution.

use super::super::raw_setting::{Problem, RawSetting, Value};
use super::super::{Config, Meter, chip_rules};
use super::Outcome;
use kepler_core::attribution::{IdlePolicy, Weight, Weights};
use kepler_core::meter::chain::Source;
use kepler_core::units::ZoneKind;
use kepler_core::usage::UsageChoice;
use std::path::PathBuf;

pub(in super::super) fn meter(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.meter = Some(one_meter(raw.text()?)?);
    Ok(())
}

pub(in super::super) fn usage(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.usage = raw.text()?.choice(&[
        ("auto", UsageChoice::Auto),
        ("ebpf", UsageChoice::Ebpf),
        ("clock", UsageChoice::Clock),
        ("procfs", UsageChoice::Procfs),
    ])?;
    Ok(())
}

pub(in super::super) fn preferred_meters(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.preferred_meters = raw.list()?.iter().map(one_meter).collect::<Result<_, _>>()?;
    Ok(())
}

pub(in super::super) fn force_hwmon(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.force_hwmon = raw.switch()?;
    Ok(())
}

pub(in super::super) fn fake_meter(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.fake_meter = raw.switch()?;
    Ok(())
}

pub(in super::super) fn fake_zones(config: &mut Config, raw: &RawSetting) -> Outcome {
    let values = raw.list()?;
    if !values.is_empty() {
        config.fake_zones.clear();
    }
    for kind in kinds_of(values)? {
        if !config.fake_zones.contains(&kind) {
            config.fake_zones.push(kind);
        }
    }
    Ok(())
}

/// Zones by their kinds. The kernel's name of one may have an index, `package-0`, and so do files in use: all of that kind are
/// meant here.
fn kinds_of(values: &[Value]) -> Result<Vec<ZoneKind>, Problem> {
    let kinds = ZoneKind::METERED.map(|kind| (kind.name(), kind));
    let kind = |value: &Value| {
        let text = value.text.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
        let plain = kinds.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        plain.map_or_else(|| value.choice(&kinds), |(_, kind)| Ok(*kind))
    };
    values.iter().map(kind).collect()
}

pub(in super::super) fn policy(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.policy = raw.text()?.choice(&[("baseline", IdlePolicy::Baseline), ("ratio", IdlePolicy::Ratio)])?;
    Ok(())
}

pub(in super::super) fn calibration_path(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.calibration = Some(PathBuf::from(&raw.text()?.text)).filter(|path| !path.as_os_str().is_empty());
    Ok(())
}

#[cfg(feature = "model-server")]
pub(in super::super) fn model_path(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.model.path = Some(PathBuf::from(&raw.text()?.text)).filter(|path| !path.as_os_str().is_empty());
    Ok(())
}

#[cfg(feature = "model-server")]
pub(in super::super) fn model_url(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.model.url = Some(raw.text()?.text.clone()).filter(|url| !url.is_empty());
    Ok(())
}

#[cfg(feature = "model-server")]
pub(in super::super) fn model_sha256(config: &mut Config, raw: &RawSetting) -> Outcome {
    let value = raw.text()?;
    if value.text.len() != 64 || !value.text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(value.problem(format_args!("`{}` is no SHA-256: give 64 hexadecimal digits", value.text)));
    }
    config.model.sha256 = Some(value.text.clone());
    Ok(())
}

#[cfg(feature = "model-server")]
pub(in super::super) fn model_cache(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.model.cache = Some(PathBuf::from(&raw.text()?.text)).filter(|path| !path.as_os_str().is_empty());
    Ok(())
}

#[cfg(feature = "model-server")]
pub(in super::super) fn model_semantics(config: &mut Config, raw: &RawSetting) -> Outcome {
    use kepler_core::model::Semantics;
    let choices = Semantics::ALL.map(|semantics| (semantics.name(), semantics));
    config.model.semantics = Some(raw.text()?.choice(&choices)?);
    Ok(())
}

#[cfg(feature = "model-server")]
pub(in super::super) fn model_host_threads(config: &mut Config, raw: &RawSetting) -> Outcome {
    let number = raw.integer()?;
    let count = u32::try_from(number).ok().filter(|&count| count > 0);
    let problem = || Problem(format!("{}: {number} is no number of CPUs", raw.origin()));
    config.model.host_threads = Some(count.ok_or_else(problem)?);
    Ok(())
}

pub(in super::super) fn weights(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.weights = Weights::default();
    for value in raw.list()? {
        let Some((zone, weight)) = value.text.split_once('=') else {
            return Err(value.problem(format_args!("`{}` is not ZONE=WEIGHT, such as `package=cycles`", value.text)));
        };
        let zones = ZoneKind::METERED.map(|kind| (kind.name(), kind));
        let weights = Weight::ALL.map(|weight| (weight.name(), weight));
        let part = |text| Value::new(text, value.origin.as_str());
        config.weights[part(zone).choice(&zones)?] = Some(part(weight).choice(&weights)?);
    }
    Ok(())
}

pub(in super::super) fn zones(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.zones = zone_kinds(raw)?;
    Ok(())
}

pub(in super::super) fn hwmon_zones(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.hwmon_zones = raw.list()?.iter().map(|value| value.text.clone()).collect();
    Ok(())
}

pub(in super::super) fn hwmon_chip_rules(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.hwmon_chip_rules = chip_rules::read(raw)?;
    Ok(())
}

fn zone_kinds(raw: &RawSetting) -> Result<Vec<ZoneKind>, Problem> {
    let mut kinds = kinds_of(raw.list()?)?;
    let mut known = Vec::new();
    kinds.retain(|kind| {
        !known.contains(kind) && {
            known.push(*kind);
            true
        }
    });
    Ok(kinds)
}

/// One of our meters, or Kepler's `rapl`.
fn one_meter(value: &Value) -> Result<Meter, Problem> {
    if let Some(file) = value.text.strip_prefix("replay=").filter(|file| !file.is_empty()) {
        return Ok(Meter::Of(Source::Replay(PathBuf::from(file))));
    }
    match value.text.to_ascii_lowercase().as_str() {
        "auto" => Ok(Meter::Auto),
        "rapl" => Ok(Meter::Rapl),
        "fake" => Ok(Meter::Fake),
        name => Source::named(name).map(Meter::Of).ok_or_else(|| {
            let plain = Source::PLAIN.map(|source| format!("`{}`", source.name())).join(", ");
            value.problem(format_args!("`{}` is not one of `auto`, {plain}, `fake`, `replay=FILE`", value.text))
        }),
    }
}
