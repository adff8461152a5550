//! Settings of grid intensities, rules and prices.

use super::super::raw_setting::{Problem, RawSetting};
use super::super::{Config, IntensityChoice};
use super::Outcome;
use kepler_compliance::intensity::AccountingMethod;
use kepler_compliance::tariff::Tariff;
use std::path::{Path, PathBuf};

/// A provider by name, or a file; a file of a provider's name is written `./uk`.
pub(in super::super) fn source(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.intensity.source = match raw.text()?.text.as_str() {
        "" => None,
        "electricity-maps" => Some(IntensityChoice::ElectricityMaps),
        "watttime" => Some(IntensityChoice::WattTime),
        "uk" => Some(IntensityChoice::Uk),
        path => Some(IntensityChoice::File(PathBuf::from(path))),
    };
    Ok(())
}

pub(in super::super) fn method(config: &mut Config, raw: &RawSetting) -> Outcome {
    let methods = [("direct", AccountingMethod::Direct), ("lifecycle", AccountingMethod::Lifecycle)];
    config.facility.intensity_method = Some(raw.text()?.choice(&methods)?);
    Ok(())
}

pub(in super::super) fn validity(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.intensity.validity = Some(raw.duration()?);
    Ok(())
}

pub(in super::super) fn token_file(config: &mut Config, raw: &RawSetting) -> Outcome {
    let value = raw.text()?;
    config.intensity.token_file = (!value.text.is_empty()).then(|| value.clone());
    Ok(())
}

pub(in super::super) fn url(config: &mut Config, raw: &RawSetting) -> Outcome {
    let text = &raw.text()?.text;
    config.intensity.url = (!text.is_empty()).then(|| text.clone());
    Ok(())
}

pub(in super::super) fn regions(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.intensity.regions.clear();
    for value in raw.list()? {
        let (zone, region) = value
            .text
            .split_once('=')
            .ok_or_else(|| value.problem(format_args!("`{}` is not ZONE=REGION", value.text)))?;
        config.intensity.regions.push((zone.trim().to_owned(), region.trim().to_owned()));
    }
    Ok(())
}

pub(in super::super) fn standards(config: &mut Config, raw: &RawSetting) -> Outcome {
    let text = &raw.text()?.text;
    if !text.is_empty() {
        raw.directory()?;
    }
    config.standards_dir = (!text.is_empty()).then(|| PathBuf::from(text));
    Ok(())
}

/// A built-in tariff by its code, or a file.
pub(in super::super) fn tariff(config: &mut Config, raw: &RawSetting) -> Outcome {
    let value = raw.text()?;
    if value.text.is_empty() {
        config.facility.tariff = None;
        return Ok(());
    }
    let found = Tariff::named(&value.text, Path::new(&value.text));
    config.facility.tariff = Some(found.map_err(|error| Problem(format!("{}: {error}", raw.origin())))?);
    Ok(())
}
