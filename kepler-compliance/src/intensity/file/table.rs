//! CSV: our own columns, or those that Electricity Maps exports.

use super::row::{End, Fault, Part, Row, Stated, grams_per_kilowatt_hour};
use crate::intensity::{AccountingMethod, Boundary, IntensityKind, SeriesBasis};
use csv::StringRecord;

/// Why a table is none of intensities.
pub(super) enum TableFault {
    Form(String),
    Row(usize, Fault),
}

/// Where the columns are.
struct Columns {
    zone: Option<usize>,
    start: usize,
    end: Option<usize>,
    unit: Option<usize>,
    value: usize,
    /// g/kWh of the value's column.
    grams: f64,
}

/// Reads rows; of the two columns of Electricity Maps the one of `method`.
pub(super) fn read(text: &str, method: AccountingMethod) -> Result<Part, TableFault> {
    let form = |error: csv::Error| {
        let line = error.position().map_or_else(String::new, |position| format!(" in line {}", position.line()));
        TableFault::Form(format!("it is no regular CSV{line}"))
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(form)?.clone();
    let (columns, stated) = electricity_maps(&header, method)
        .or_else(|| own(&header).map(|columns| (columns, Stated::default())))
        .ok_or_else(|| TableFault::Form("its header names no known columns".to_owned()))?;
    let mut part = Part { stated, ..Part::default() };
    for (index, record) in reader.records().enumerate() {
        let number = index + 1;
        let row = row(number, &record.map_err(form)?, &columns);
        part.rows.push(row.map_err(|fault| TableFault::Row(number, fault))?);
    }
    Ok(part)
}

fn row(number: usize, record: &StringRecord, columns: &Columns) -> Result<Row, Fault> {
    let field = |index: Option<usize>| index.and_then(|index| record.get(index)).filter(|text| !text.is_empty());
    let amount = field(Some(columns.value))
        .map(|text| text.parse::<f64>().map_err(|_| ("g_per_kwh", "it is no number: write 417.3".to_owned())));
    let unit = field(columns.unit);
    let grams = match unit {
        Some(unit) => grams_per_kilowatt_hour(unit)
            .ok_or_else(|| ("unit", "it is none of g/kWh, kg/kWh, kg/MWh, t/MWh, g/MWh, lb/MWh".to_owned()))?,
        None => columns.grams,
    };
    let end = field(columns.end).map_or(End::Open, End::At);
    let start = field(Some(columns.start)).unwrap_or_default();
    let row = Row::new(number, field(columns.zone), start, end, amount.transpose()?, grams)?;
    Ok(Row { unit: unit.is_some(), ..row })
}

/// `zone,start,end,g_per_kwh`; zone and end may be missing, the last may be another unit.
fn own(header: &StringRecord) -> Option<Columns> {
    let find = |name: &str| header.iter().position(|own| own.eq_ignore_ascii_case(name));
    let (value, grams) =
        header.iter().enumerate().find_map(|(index, name)| Some((index, grams_per_kilowatt_hour(name)?)))?;
    Some(Columns { zone: find("zone"), start: find("start")?, end: find("end"), unit: find("unit"), value, grams })
}

/// What the provider's data portal exports, in both of its generations:
/// `Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),… (Life cycle),…`, before 2024
/// with capitals and `(LCA)`.
fn electricity_maps(header: &StringRecord, method: AccountingMethod) -> Option<(Columns, Stated)> {
    let header: Vec<String> = header.iter().map(str::to_lowercase).collect();
    let find = |name: &str| header.iter().position(|own| own == name);
    let intensity = |kinds: &[&str]| {
        header.iter().position(|own| {
            own.starts_with("carbon intensity") && kinds.iter().any(|kind| own.ends_with(&format!("({kind})")))
        })
    };
    let column = |method| match method {
        AccountingMethod::Direct => intensity(&["direct"]),
        AccountingMethod::Lifecycle => intensity(&["life cycle", "lifecycle", "lca"]),
    };
    let (method, value) = [method, method.other()].into_iter().find_map(|method| Some((method, column(method)?)))?;
    let columns = Columns {
        zone: Some(find("zone id").or_else(|| find("zone name"))?),
        start: find("datetime (utc)")?,
        end: None,
        unit: None,
        value,
        grams: 1.0,
    };
    let stated = Stated {
        method: Some(method),
        boundary: Some(Boundary::Consumption),
        kind: Some(IntensityKind::Average),
        basis: Some(SeriesBasis::Observed),
        source: Some("Electricity Maps".to_owned()),
        unit: true,
    };
    Some((columns, stated))
}
