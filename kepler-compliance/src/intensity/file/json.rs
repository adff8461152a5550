//! JSON: our own rows, or saved answers of providers.

use super::row::{End, Fault, Part, Row, Stated, grams_per_kilowatt_hour};
use crate::intensity::{AccountingMethod, Boundary, IntensityKind, SeriesBasis};
use serde_json::{Map, Value};

/// Why a text holds no intensities.
pub(super) enum JsonFault {
    Form(String),
    Row(usize, Fault),
}

type Object = Map<String, Value>;

/// A field under any of its names, in any letter case: the Carbon Aware SDK writes both `Rating` and `rating`.
fn field<'a>(object: &'a Object, names: &[&str]) -> Option<&'a Value> {
    names
        .iter()
        .find_map(|name| object.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)))
        .map(|(_, value)| value)
        .filter(|value| !value.is_null())
}

fn text<'a>(object: &'a Object, names: &[&str]) -> Option<&'a str> {
    field(object, names)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

fn list<'a>(object: &'a Object, names: &[&str]) -> Option<&'a [Value]> {
    field(object, names)?.as_array().map(Vec::as_slice)
}

/// A number, or a text that holds one: the SDK's own sample quotes its ratings.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Reads the parts of a text.
pub(super) fn read(text: &str) -> Result<Vec<Part>, JsonFault> {
    let form = |reason: String| JsonFault::Form(reason);
    let value: Value = serde_json::from_str(text)
        .map_err(|error| form(format!("it is no JSON in line {} column {}", error.line(), error.column())))?;
    let mut count = 0;
    match &value {
        Value::Array(values) if values.iter().any(|value| value.as_object().is_some_and(is_sdk_forecast)) => {
            values.iter().map(|value| object(value, &mut count)).collect()
        }
        Value::Array(values) => Ok(vec![rows(values, Part::default(), &mut count)?]),
        value => Ok(vec![object(value, &mut count)?]),
    }
}

fn is_sdk_forecast(object: &Object) -> bool {
    field(object, &["forecastData"]).is_some()
}

/// One answer of a provider; `count` numbers its rows after those of the answers before.
fn object(value: &Value, count: &mut usize) -> Result<Part, JsonFault> {
    let unknown = || JsonFault::Form("it is JSON of no known form".to_owned());
    let object = value.as_object().ok_or_else(unknown)?;
    if let Some(values) = list(object, &["Emissions"]) {
        return rows(values, sdk(None, None), count);
    }
    if let Some(values) = list(object, &["forecastData"]) {
        return rows(values, sdk(text(object, &["location"]), Some(SeriesBasis::Forecast)), count);
    }
    let data = list(object, &["data"]);
    if let (Some(values), Some(meta)) = (data, field(object, &["meta"]).and_then(Value::as_object)) {
        return watttime(values, meta, count);
    }
    if let Some(values) = data.filter(|values| values.iter().all(|row| row.get("intensity").is_some())) {
        return rows(values, great_britain(), count);
    }
    for (name, basis) in
        [("history", SeriesBasis::Observed), ("data", SeriesBasis::Observed), ("forecast", SeriesBasis::Forecast)]
    {
        if let Some(values) = list(object, &[name]) {
            return rows(values, electricity_maps(object, values, basis), count);
        }
    }
    if field(object, &["carbonIntensity"]).is_some() {
        let values = std::slice::from_ref(value);
        return rows(values, electricity_maps(object, values, SeriesBasis::Observed), count);
    }
    Err(unknown())
}

/// The Carbon Aware SDK says neither method nor kind: that depends on the provider behind it.
fn sdk(zone: Option<&str>, basis: Option<SeriesBasis>) -> Part {
    let stated = Stated { basis, source: Some("Carbon Aware SDK".to_owned()), ..Stated::default() };
    Part { zone: zone.map(str::to_owned), stated, ..Part::default() }
}

fn electricity_maps(object: &Object, values: &[Value], basis: SeriesBasis) -> Part {
    let of_first = || values.first()?.as_object()?.get("emissionFactorType")?.as_str();
    // Lifecycle is the provider's default.
    let method = match text(object, &["emissionFactorType"]).or_else(of_first) {
        Some("direct") => AccountingMethod::Direct,
        _ => AccountingMethod::Lifecycle,
    };
    let estimated = |value: &Value| value.get("isEstimated").and_then(Value::as_bool) == Some(true);
    let note = if values.iter().any(estimated) { " (estimated in part)" } else { "" };
    let stated = Stated {
        method: Some(method),
        boundary: Some(Boundary::Consumption),
        kind: Some(IntensityKind::Average),
        basis: Some(basis),
        source: Some(format!("Electricity Maps{note}")),
        unit: true,
    };
    Part { zone: text(object, &["zone"]).map(str::to_owned), stated, ..Part::default() }
}

fn great_britain() -> Part {
    let stated = Stated {
        method: Some(AccountingMethod::Direct),
        boundary: Some(Boundary::Consumption),
        kind: Some(IntensityKind::Average),
        basis: Some(SeriesBasis::Forecast),
        source: Some("Carbon Intensity API (GB)".to_owned()),
        unit: true,
    };
    Part { zone: Some("GB".to_owned()), stated, ..Part::default() }
}

/// `{"data": [{"point_time", "value"}], "meta": {"region", "signal_type", "units", …}}`
fn watttime(values: &[Value], meta: &Object, count: &mut usize) -> Result<Part, JsonFault> {
    let unit = text(meta, &["units"]).unwrap_or_default();
    let Some(grams) = grams_per_kilowatt_hour(unit) else {
        return Err(JsonFault::Form(format!("its unit is {}, which is no intensity", known_unit(unit))));
    };
    let (region, signal) = (text(meta, &["region"]), text(meta, &["signal_type"]).unwrap_or("co2_moer"));
    // Average operating emissions, `co2_aoer`, are the only signal that is not marginal.
    let kind = if signal == "co2_aoer" { IntensityKind::Average } else { IntensityKind::Marginal };
    // Answers of /forecast say when they were made; those of /historical do not.
    let forecast = field(meta, &["generated_at"]).is_some();
    let stated = Stated {
        method: Some(AccountingMethod::Direct),
        boundary: Some(Boundary::Unstated),
        kind: Some(kind),
        basis: Some(if forecast { SeriesBasis::Forecast } else { SeriesBasis::Observed }),
        source: Some(format!("WattTime {signal} {}", region.unwrap_or_default()).trim_end().to_owned()),
        unit: true,
    };
    let mut part = Part { zone: region.map(str::to_owned), foreign_zone: true, stated, ..Part::default() };
    let step = field(meta, &["data_point_period_seconds"]).and_then(number).map(|seconds| seconds / 60.0);
    for value in values {
        *count += 1;
        let wrong = |fault| JsonFault::Row(*count, fault);
        let object = value.as_object().ok_or_else(|| wrong(("data", "it is no object".to_owned())))?;
        let start = text(object, &["point_time"]).unwrap_or_default();
        let amount = field(object, &["value"]).and_then(number);
        let row = Row::new(*count, None, start, step.map_or(End::Open, End::Minutes), amount, grams);
        part.rows.push(row.map_err(wrong)?);
    }
    Ok(part)
}

/// A unit as an error may repeat it: the file may be any file.
fn known_unit(unit: &str) -> &str {
    if unit.is_empty() { "missing" } else { "another" }
}

/// Rows that name their fields as any of the forms does.
fn rows(values: &[Value], mut part: Part, count: &mut usize) -> Result<Part, JsonFault> {
    for value in values {
        *count += 1;
        let row =
            value.as_object().ok_or_else(|| ("row", "it is no object".to_owned())).and_then(|row| one(*count, row));
        part.rows.push(row.map_err(|fault| JsonFault::Row(*count, fault))?);
    }
    Ok(part)
}

fn one(count: usize, object: &Object) -> Result<Row, Fault> {
    let start = text(object, &["start", "time", "timestamp", "datetime", "point_time", "from"])
        .ok_or_else(|| ("start", "it is missing".to_owned()))?;
    let end = match (text(object, &["end", "to"]), field(object, &["duration"])) {
        (Some(end), _) => End::At(end),
        (None, Some(Value::String(lasts))) if !lasts.trim().is_empty() => End::Lasts(lasts),
        (None, Some(minutes)) => minutes.as_f64().map_or(End::Open, End::Minutes),
        (None, None) => End::Open,
    };
    let (amount, grams, stated) = amount(object)?;
    let row = Row::new(count, text(object, &["zone", "location"]), start, end, amount, grams)?;
    Ok(Row { unit: stated, ..row })
}

/// The figure of a row, the g/kWh of its unit, and whether it says the unit.
fn amount(object: &Object) -> Result<(Option<f64>, f64, bool), Fault> {
    const NAMES: [&str; 4] = ["g_per_kwh", "rating", "value", "carbonIntensity"];
    let stated = text(object, &["unit", "units"]);
    let grams = match stated {
        Some(unit) => grams_per_kilowatt_hour(unit)
            .ok_or_else(|| ("unit", "it is none of g/kWh, kg/kWh, kg/MWh, t/MWh, g/MWh, lb/MWh".to_owned()))?,
        None => 1.0,
    };
    // `null` is a gap; no such field at all is a row of another form.
    let has = |names: &[&str]| object.keys().any(|own| names.iter().any(|name| own.eq_ignore_ascii_case(name)));
    if has(&NAMES) {
        let value = field(object, &NAMES);
        let amount = value.map(|value| number(value).ok_or_else(|| ("g_per_kwh", "it is no number".to_owned())));
        return Ok((amount.transpose()?, grams, stated.is_some()));
    }
    if let Some(intensity) = object.get("intensity").and_then(Value::as_object) {
        let value = field(intensity, &["actual"]).or_else(|| field(intensity, &["forecast"]));
        return Ok((value.and_then(number), 1.0, true));
    }
    let by_unit = object.iter().find_map(|(name, value)| Some((value, grams_per_kilowatt_hour(name)?)));
    let (value, grams) = by_unit.ok_or_else(|| ("g_per_kwh", "it is missing".to_owned()))?;
    Ok((number(value), grams, true))
}
