//! Reads the zone table's data.

use super::names::{fold, squeeze};
use super::{GridZone, Name, Names, PublishedPue, Scheme, TableFigure, Zones};
use crate::intensity::{AccountingMethod, Boundary, IntensityFigure, IntensityKind, Period, Provenance};
use crate::units::{CarbonIntensity, Pue};
use serde::Deserialize;
use std::collections::HashMap;

const ZONES: &str = include_str!("../../data/zones.json");
const INTENSITIES: &str = include_str!("../../data/intensities.csv");
const PUES: &str = include_str!("../../data/pue.csv");

/// Data files that do not fit their schema or each other.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The JSON is not a list of zones.
    #[error("zones.json: {0}")]
    Zones(#[from] serde_json::Error),
    /// A CSV row does not fit.
    #[error("{file}: {source}")]
    Row {
        /// Which file.
        file: &'static str,
        /// The line and the field.
        source: csv::Error,
    },
    /// One name for two zones.
    #[error("zones.json: `{name}` names both {first} and {second}")]
    Ambiguous {
        /// The name.
        name: String,
        /// A zone that has it.
        first: String,
        /// Another that has it.
        second: String,
    },
    /// A reference to a zone that is not in the table.
    #[error("{file}: no zone `{zone}` in zones.json")]
    NoSuchZone {
        /// Which file.
        file: &'static str,
        /// The zone.
        zone: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IntensityRow {
    zone: String,
    year_from: i16,
    year_to: i16,
    g_per_kwh: f64,
    method: AccountingMethod,
    boundary: Boundary,
    kind: IntensityKind,
    series: String,
    source: String,
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PueRow {
    provider: Scheme,
    region: String,
    year: i16,
    pue: Pue,
    wue_l_per_kwh: Option<f64>,
    source: String,
}

impl Zones {
    /// The table that ships with the library.
    ///
    /// # Errors
    /// The embedded data do not fit their schema; a test sees to it that they do.
    pub fn embedded() -> Result<Zones, DataError> {
        let zones: Vec<GridZone> = serde_json::from_str(ZONES)?;
        let names = index(&zones)?;
        let known = |file: &'static str, zone: &str| match names.exact.contains_key(&fold(zone)) {
            true => Ok(()),
            false => Err(DataError::NoSuchZone { file, zone: zone.into() }),
        };
        for parent in zones.iter().filter_map(|zone| zone.parent.as_deref()) {
            known("zones.json", parent)?;
        }
        let mut intensities: HashMap<String, Vec<TableFigure>> = HashMap::new();
        for row in rows::<IntensityRow>("intensities.csv", INTENSITIES)? {
            known("intensities.csv", &row.zone)?;
            intensities.entry(row.zone.clone()).or_default().push(row.into());
        }
        for figures in intensities.values_mut() {
            figures.sort_by_key(|figure| std::cmp::Reverse(last_year(figure.figure.period)));
        }
        let pues = rows::<PueRow>("pue.csv", PUES)?.into_iter().map(PublishedPue::from);
        let pues = pues.map(|pue| (fold(&pue.region), pue)).collect();
        Ok(Zones { zones, names, intensities, pues })
    }
}

fn rows<T: for<'de> Deserialize<'de>>(file: &'static str, text: &str) -> Result<Vec<T>, DataError> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().map_err(|source| DataError::Row { file, source })
}

/// Every name of every zone; one name means one zone.
fn index(zones: &[GridZone]) -> Result<Names, DataError> {
    let mut names = Names::default();
    for (index, zone) in zones.iter().enumerate() {
        let own = [&zone.id, &zone.name].into_iter().chain(&zone.name_local).map(|name| (name, None));
        let others = zone.aliases.iter().flat_map(|(scheme, names)| names.iter().map(|name| (name, Some(*scheme))));
        for (written, scheme) in own.chain(others) {
            let folded = fold(written);
            if let Some(first) = names.exact.get(&folded).and_then(|known| zones.get(known.zone)) {
                if first.id != zone.id {
                    let (name, first, second) = (written.clone(), first.id.clone(), zone.id.clone());
                    return Err(DataError::Ambiguous { name, first, second });
                }
                continue;
            }
            names.exact.insert(folded, Name { zone: index, written: written.clone(), scheme });
        }
    }
    for (folded, name) in &names.exact {
        let squeezed = names.squeezed.entry(squeeze(folded)).or_insert_with(|| Some(folded.clone()));
        let other = squeezed.as_ref().and_then(|other| names.exact.get(other));
        if other.is_some_and(|other| other.zone != name.zone) {
            *squeezed = None;
        }
    }
    Ok(names)
}

/// The last year a figure speaks for; the table holds years only.
fn last_year(period: Period) -> i16 {
    match period {
        Period::Year(year) | Period::Years { to: year, .. } => year,
        Period::Interval { .. } => i16::MIN,
    }
}

impl From<IntensityRow> for TableFigure {
    fn from(row: IntensityRow) -> Self {
        let one_year = row.year_from == row.year_to;
        let period =
            if one_year { Period::Year(row.year_to) } else { Period::Years { from: row.year_from, to: row.year_to } };
        let IntensityRow { zone, method, boundary, kind, source, .. } = row;
        TableFigure {
            figure: IntensityFigure {
                value: CarbonIntensity::from_grams_per_kilowatt_hour(row.g_per_kwh),
                period,
                provenance: Provenance::new(zone, method, boundary, kind, source),
            },
            series: row.series,
            note: row.note,
        }
    }
}

impl From<PueRow> for PublishedPue {
    fn from(row: PueRow) -> Self {
        let PueRow { provider, region, year, pue, wue_l_per_kwh, source } = row;
        PublishedPue { provider, region, year, pue, wue_l_per_kwh, source }
    }
}
