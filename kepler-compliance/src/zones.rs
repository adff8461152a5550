//! Grid zones: what a region name means, how clean its grid is, what PUE its providers publish.
//!
//! One table answers for AWS, GCP and Azure regions, ISO 3166 codes, grid zones and cities. The data
//! are embedded (`data/zones.json`, `data/intensities.csv`, `data/pue.csv`); each figure names its
//! year, method and source. A figure that nobody published is absent.

mod load;

pub use load::DataError;

use crate::intensity::{IntensityFigure, Kind, Method};
use crate::text::Text;
use crate::units::{CarbonIntensity, Pue};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Who names a region in a given way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// ISO 3166-1 alpha-3.
    Iso,
    /// Grid operators and balancing areas.
    Grid,
    /// Amazon Web Services regions.
    Aws,
    /// Google Cloud regions.
    Gcp,
    /// Microsoft Azure regions.
    Azure,
    /// Cities and everyday names.
    City,
}

/// A zone of the electricity grid: a country or a part of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Its id: ISO 3166-1 alpha-2, or that with a grid zone (`US-MIDA-PJM`).
    pub id: String,
    /// Its English name.
    pub name: String,
    /// Its name in the language of the place, where we have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_local: Option<String>,
    /// ISO 3166-1 alpha-2 code of the country.
    pub country: String,
    /// The zone it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// IANA time zone; none where a country has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What others call it.
    #[serde(default)]
    pub aliases: BTreeMap<Scheme, Vec<String>>,
}

/// An intensity of the table, with the series it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableFigure {
    /// The figure with its provenance.
    #[serde(flatten)]
    pub figure: IntensityFigure,
    /// The series: figures of one series are made alike (`kr-official`, `google`, `owid`, …).
    pub series: String,
    /// What a reader should know.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// An intensity found for a zone.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundIntensity {
    /// The figure.
    pub figure: IntensityFigure,
    /// Why it is not quite the one asked for, if it is not.
    pub caveats: Vec<Text>,
}

/// A PUE that a provider publishes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublishedPue {
    /// `aws`, `gcp` or `azure`.
    pub provider: Scheme,
    /// The region, or `global` for the mean of a provider's fleet.
    pub region: String,
    /// The year it is for.
    pub year: i16,
    /// The PUE.
    pub pue: Pue,
    /// Water per kilowatt-hour of IT energy, litres, where published.
    pub wue_l_per_kwh: Option<f64>,
    /// Who published it.
    pub source: String,
}

/// A region name that no zone has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown region `{name}`; nearest: {}. Valid: AWS, GCP and Azure regions, ISO 3166 codes, grid zones, cities",
    nearest.join(", ")
)]
pub struct UnknownZone {
    /// The name asked for.
    pub name: String,
    /// The valid names that look most like it, best first.
    pub nearest: Vec<String>,
}

/// The table of zones.
#[derive(Clone, Debug)]
pub struct Zones {
    zones: Vec<Zone>,
    /// Normalised name -> index into `zones`.
    names: HashMap<String, usize>,
    /// Zone id -> its figures, newest first within a series.
    intensities: HashMap<String, Vec<TableFigure>>,
    pues: Vec<PublishedPue>,
}

/// Which series speaks for a zone when it has several: the official one, then the direct regional
/// one, then the international one.
const SERIES_BY_PREFERENCE: [&str; 3] = ["kr-official", "google", "owid"];

/// How many names an error suggests.
const SUGGESTIONS: usize = 5;

impl Zones {
    /// All zones, countries first.
    pub fn iter(&self) -> impl Iterator<Item = &Zone> {
        self.zones.iter()
    }

    /// The zone that a name means: an id or an alias, upper or lower case, with `-`, `_` or spaces.
    ///
    /// # Errors
    /// No zone has the name; the error suggests the nearest.
    pub fn find(&self, name: &str) -> Result<&Zone, UnknownZone> {
        let found = self.names.get(&normalise(name)).and_then(|&index| self.zones.get(index));
        found.ok_or_else(|| UnknownZone { name: name.into(), nearest: self.nearest(name) })
    }

    /// The valid names most like `name`, best first.
    fn nearest(&self, name: &str) -> Vec<String> {
        let wanted = normalise(name);
        let mut scored: Vec<(f64, &String)> =
            self.names.keys().map(|known| (strsim::jaro_winkler(&wanted, known), known)).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        scored.into_iter().take(SUGGESTIONS).map(|(_, known)| known.clone()).collect()
    }

    /// All published figures of a zone itself, newest first within a series; not its parent's.
    #[must_use]
    pub fn figures(&self, zone: &Zone) -> &[TableFigure] {
        self.intensities.get(&zone.id).map_or(&[], Vec::as_slice)
    }

    /// The figure that speaks for a zone: the newest of its preferred series, or its country's with
    /// a caveat. None where nobody published one.
    #[must_use]
    pub fn intensity(&self, zone: &Zone) -> Option<FoundIntensity> {
        let preferred = SERIES_BY_PREFERENCE.iter().find_map(|series| self.newest(zone, |f| f.series == **series));
        self.or_parent(zone, preferred.cloned(), |zones, parent| zones.intensity(parent))
    }

    /// The newest figure made by `method` and of `kind`: what a comparison across zones needs.
    #[must_use]
    pub fn intensity_by(&self, zone: &Zone, method: Method, kind: Kind) -> Option<FoundIntensity> {
        let found = self.own_by(zone, method, kind).cloned();
        self.or_parent(zone, found, |zones, parent| zones.intensity_by(parent, method, kind))
    }

    /// What [`intensity_by`](Self::intensity_by) finds, without saying how: to compare many zones.
    pub(crate) fn value_by(&self, zone: &Zone, method: Method, kind: Kind) -> Option<CarbonIntensity> {
        match self.own_by(zone, method, kind) {
            Some(figure) => Some(figure.value),
            None => self.value_by(self.find(zone.parent.as_deref()?).ok()?, method, kind),
        }
    }

    fn own_by(&self, zone: &Zone, method: Method, kind: Kind) -> Option<&IntensityFigure> {
        let alike = |f: &TableFigure| f.figure.provenance.method == method && f.figure.provenance.kind == kind;
        self.newest(zone, |f| alike(f) && SERIES_BY_PREFERENCE.contains(&f.series.as_str()))
    }

    fn newest(&self, zone: &Zone, wanted: impl Fn(&TableFigure) -> bool) -> Option<&IntensityFigure> {
        self.figures(zone).iter().find(|figure| wanted(figure)).map(|found| &found.figure)
    }

    fn or_parent(
        &self,
        zone: &Zone,
        own: Option<IntensityFigure>,
        ask: impl Fn(&Zones, &Zone) -> Option<FoundIntensity>,
    ) -> Option<FoundIntensity> {
        if let Some(figure) = own {
            return Some(FoundIntensity { figure, caveats: Vec::new() });
        }
        let parent = self.find(zone.parent.as_deref()?).ok()?;
        let mut found = ask(self, parent)?;
        found.caveats.push(Text::new(
            format!("No figure is published for {}; this is the mean of {}.", zone.name, parent.name),
            format!("{}의 공표 수치가 없어 {} 평균을 사용했습니다.", zone.name, parent.name),
        ));
        Some(found)
    }

    /// The newest PUE published for a cloud region, at or before `year`.
    ///
    /// A region without one of its own gets the mean of its provider's fleet, with a caveat; a name
    /// that is no cloud region gets none.
    #[must_use]
    pub fn published_pue(&self, region: &str, year: i16) -> Option<(PublishedPue, Vec<Text>)> {
        let published = self.newest_pue(region, year)?;
        if is_same_name(&published.region, region) {
            return Some((published.clone(), Vec::new()));
        }
        let year = published.year;
        let caveat = Text::new(
            format!("No PUE is published for {region}; this is the mean of the provider's fleet in {year}."),
            format!("{region}의 공표 PUE가 없어 {year}년 사업자 전체 평균을 사용했습니다."),
        );
        Some((published.clone(), vec![caveat]))
    }

    /// What [`published_pue`](Self::published_pue) finds: the region's own, or the mean of its provider's fleet.
    pub(crate) fn newest_pue(&self, region: &str, year: i16) -> Option<&PublishedPue> {
        let newest = |matches: &dyn Fn(&PublishedPue) -> bool| {
            self.pues.iter().filter(|pue| pue.year <= year && matches(pue)).max_by_key(|pue| pue.year)
        };
        newest(&|pue| is_same_name(&pue.region, region)).or_else(|| {
            let zone = self.find(region).ok()?;
            let provider = [Scheme::Aws, Scheme::Gcp, Scheme::Azure].into_iter().find(|scheme| {
                zone.aliases.get(scheme).is_some_and(|names| names.iter().any(|name| is_same_name(name, region)))
            })?;
            newest(&|pue| pue.provider == provider && pue.region == "global")
        })
    }
}

/// Lower case, with `-` for `_` and space, so that `US East 1` and `us_east_1` are one name.
fn normalise(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', ' '], "-")
}

/// Whether both are one name to [`normalise`].
fn is_same_name(a: &str, b: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = char> {
        name.trim()
            .chars()
            .flat_map(char::to_lowercase)
            .map(|letter| if matches!(letter, '_' | ' ') { '-' } else { letter })
    }
    letters(a).eq(letters(b))
}

#[cfg(test)]
mod tests;
