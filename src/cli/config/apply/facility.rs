//! Settings of the facility.

use super::super::Config;
use super::super::raw_setting::{Problem, RawSetting};
use super::super::yaml::{Content, Entry};
use super::Outcome;
use kepler_compliance::intensity::HIGHEST_INTENSITY;
use kepler_compliance::standards::Basis;
use kepler_compliance::tariff::EnergyPrice;
use kepler_compliance::tools::{Price, StatedPue};
use kepler_core::units::{CarbonIntensity, Pue};

pub(in super::super) fn region(config: &mut Config, raw: &RawSetting) -> Outcome {
    let text = &raw.text()?.text;
    config.facility.region = (!text.is_empty()).then(|| text.clone());
    Ok(())
}

pub(in super::super) fn pue(config: &mut Config, raw: &RawSetting) -> Outcome {
    let value = Pue::new(raw.number()?).map_err(|error| Problem(format!("{}: {error}", raw.origin())))?;
    let basis = config.facility.pue.map_or(config.pue_basis, |stated| stated.basis);
    config.facility.pue = Some(StatedPue::new(value, basis));
    Ok(())
}

pub(in super::super) fn pue_basis(config: &mut Config, raw: &RawSetting) -> Outcome {
    let choices = [
        ("measured", Basis::Measured),
        ("published", Basis::Published),
        ("estimated", Basis::Estimated),
        ("assumed", Basis::Assumed),
    ];
    config.pue_basis = raw.text()?.choice(&choices)?;
    if let Some(stated) = &mut config.facility.pue {
        stated.basis = config.pue_basis;
    }
    Ok(())
}

/// Facts as `NAME=VALUE`, or as a section of the file. Those stated later are added to those stated first.
pub(in super::super) fn facts(config: &mut Config, raw: &RawSetting) -> Outcome {
    if let RawSetting::Structure(origin, node) = raw {
        let Content::Section(entries) = &node.content else {
            return Err(Problem(format!("{origin}: must be a section of names and values")));
        };
        return entries.iter().try_for_each(|entry| fact(config, origin, entry));
    }
    for value in raw.list()? {
        let stated = value.text.split_once('=');
        let (name, text) = stated.ok_or_else(|| value.problem(format_args!("`{}` is not NAME=VALUE", value.text)))?;
        config.facility.facts.state(name, text).map_err(|error| value.problem(error))?;
    }
    Ok(())
}

fn fact(config: &mut Config, origin: &str, entry: &Entry) -> Outcome {
    let problem = |what: &dyn std::fmt::Display| Problem(format!("{origin} (line {}): {what}", entry.line));
    let not_a_value = || problem(&format_args!("{} must be a value or a list of values", entry.key));
    let values = match &entry.value.content {
        Content::List(items) => items.iter().map(|item| &item.content).collect(),
        content => vec![content],
    };
    for content in values {
        match content {
            Content::Null => {}
            Content::Text(text) => {
                config.facility.facts.state(&entry.key, text).map_err(|error| problem(&error))?;
            }
            Content::List(_) | Content::Section(_) => return Err(not_a_value()),
        }
    }
    Ok(())
}

/// Beyond what a kilowatt-hour costs in any currency.
const HIGHEST_PRICE: f64 = 1e9;

/// A number that can be: one beyond is a slip of the hand or of units, and would make sums that are none.
fn at_most(raw: &RawSetting, highest: f64) -> Result<f64, Problem> {
    match raw.number()? {
        number if number <= highest => Ok(number),
        number => Err(Problem(format!("{}: {number:e} is more than can be; give at most {highest}", raw.origin()))),
    }
}

pub(in super::super) fn grid_intensity(config: &mut Config, raw: &RawSetting) -> Outcome {
    let grams = at_most(raw, HIGHEST_INTENSITY)?;
    config.facility.grid_intensity = Some(CarbonIntensity::from_grams_per_kilowatt_hour(grams));
    Ok(())
}

pub(in super::super) fn price(config: &mut Config, raw: &RawSetting) -> Outcome {
    let per_kwh = EnergyPrice::per_kilowatt_hour(at_most(raw, HIGHEST_PRICE)?);
    config.facility.price = Some(Price::new(per_kwh, config.currency.clone()));
    Ok(())
}

pub(in super::super) fn currency(config: &mut Config, raw: &RawSetting) -> Outcome {
    let value = raw.text()?;
    if value.text.len() != 3 || !value.text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(value.problem(format_args!("`{}` is not a currency such as KRW or EUR", value.text)));
    }
    config.currency = value.text.to_uppercase();
    if let Some(price) = &mut config.facility.price {
        price.currency.clone_from(&config.currency);
    }
    Ok(())
}
