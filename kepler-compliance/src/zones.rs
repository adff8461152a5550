//! Grid zones: names of regions, intensities of their grids, published PUE of providers.
//!
//! One table answers for cloud regions and their availability zones, ISO 3166 codes, grid and bidding
//! zones, states, cities, in English, Korean and local names; case, accents and separators do not matter.
//! The data are embedded (`data/zones.json`, `data/intensities.csv`, `data/pue.csv`); each figure names
//! its year, method and source. An unpublished figure is absent.
//!
//! From a region's name to its intensity:
//!
//! ```
//! use kepler_compliance::zones::Zones;
//!
//! let zones = Zones::embedded()?;
//! let found = zones.intensity_of(&zones.resolve("ap-northeast-2")?, None).ok_or("not published")?;
//!
//! assert_eq!(found.figure.value.grams_per_kilowatt_hour(), 417.3);
//! assert_eq!(zones.find("부산")?.id, "KR");
//! assert_eq!(zones.find("us-east-1a")?.id, "US-MIDA-PJM");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod load;
mod names;

pub use load::DataError;

use crate::intensity::{AccountingMethod, IntensityFigure, IntensityKind};
use crate::text::Text;
use crate::units::{CarbonIntensity, Pue};
use names::{LONGEST, fold, squeeze};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Who names a region in a given way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scheme {
    /// ISO 3166-1 alpha-3, and ISO 3166-2 of subdivisions.
    Iso,
    /// Countries' everyday, official and Korean names.
    Name,
    /// Grid operators, balancing areas and bidding zones.
    Grid,
    /// States and provinces.
    State,
    /// Cities.
    City,
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Gcp,
    /// Microsoft Azure.
    Azure,
    /// Oracle Cloud Infrastructure.
    Oci,
    /// IBM Cloud.
    Ibm,
    /// Alibaba Cloud, where no other provider's region has the same name.
    Alibaba,
    /// Naver Cloud.
    Naver,
    /// NHN Cloud.
    Nhn,
    /// Kakao Cloud.
    Kakao,
    /// OVHcloud.
    Ovh,
    /// Scaleway.
    Scaleway,
    /// Hetzner.
    Hetzner,
    /// DigitalOcean.
    DigitalOcean,
}

impl Scheme {
    /// Whether it names regions of a cloud provider.
    #[must_use]
    pub const fn is_cloud(self) -> bool {
        !matches!(self, Scheme::Iso | Scheme::Name | Scheme::Grid | Scheme::State | Scheme::City)
    }
}

/// A zone of the electricity grid: a country or a part of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GridZone {
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

impl GridZone {
    /// Its own Korean name, where the table has one.
    fn korean_name(&self) -> Option<&str> {
        let is_korean = |name: &&String| name.chars().any(|letter| ('가'..='힣').contains(&letter));
        let names = self.aliases.get(&Scheme::Name).into_iter().flatten();
        self.name_local.iter().chain(names).find(is_korean).map(String::as_str)
    }
}

/// An intensity of the table, with the series it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
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
#[non_exhaustive]
pub struct FoundIntensity {
    /// The figure.
    pub figure: IntensityFigure,
    /// Why it is not quite the one asked for, if it is not.
    pub caveats: Vec<Text>,
}

/// A zone, and by which of its names it was found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct NamedZone<'a> {
    /// The zone.
    pub zone: &'a GridZone,
    /// The name as the table writes it; of an availability zone that of its region.
    pub name: &'a str,
    /// Who names it so; none for the zone's own id and name.
    pub scheme: Option<Scheme>,
}

impl NamedZone<'_> {
    /// The cloud provider whose region was named.
    #[must_use]
    pub fn provider(&self) -> Option<Scheme> {
        self.scheme.filter(|scheme| scheme.is_cloud())
    }

    /// The method that a figure for it is preferred by, so that figures of like places compare: for countries
    /// that which covers all of them, lifecycle; for cloud regions and grid zones direct, of which there are
    /// figures by region; for a country with an official factor that factor's.
    fn method(&self, official: bool) -> AccountingMethod {
        match official || self.provider().is_some() || self.zone.parent.is_some() {
            true => AccountingMethod::Direct,
            false => AccountingMethod::Lifecycle,
        }
    }
}

/// A PUE that a provider publishes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
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
    "unknown region `{name}`{}; valid are regions of cloud providers, ISO 3166 codes, countries, grid zones and cities",
    if nearest.is_empty() { String::new() } else { format!("; nearest: {}", nearest.join(", ")) }
)]
#[non_exhaustive]
pub struct UnknownZone {
    /// The name asked for, cut where it is too long for one.
    pub name: String,
    /// The valid names that look most like it, best first.
    pub nearest: Vec<String>,
}

/// The table of zones.
#[derive(Clone, Debug)]
pub struct Zones {
    zones: Vec<GridZone>,
    names: Names,
    /// Zone id -> its figures, newest first within a series.
    intensities: HashMap<String, Vec<TableFigure>>,
    /// Each with its region's name folded: they are compared for every region that is suggested.
    pues: Vec<(String, PublishedPue)>,
}

/// What each name means.
#[derive(Clone, Debug, Default)]
struct Names {
    /// Folded name -> what it names.
    exact: HashMap<String, Name>,
    /// Name without separators -> the folded name; none where that would be two zones.
    squeezed: HashMap<String, Option<String>>,
}

#[derive(Clone, Debug)]
struct Name {
    /// Index into [`Zones::zones`].
    zone: usize,
    written: String,
    scheme: Option<Scheme>,
}

/// Direct figures, best series first: a country's official factor, then the provider's own for its regions,
/// then those of official statistics for provinces and states.
const DIRECT: [&str; 4] = ["kr-official", "google", "cn-mee", "egrid"];

/// Lifecycle figures, best series first.
const LIFECYCLE: [&str; 2] = ["owid", "nordic"];

/// A country's official factor stands before other methods.
const OFFICIAL: &str = "kr-official";

/// How many names an error suggests.
const SUGGESTIONS: usize = 5;

impl Zones {
    /// All zones, countries first.
    pub fn iter(&self) -> impl Iterator<Item = &GridZone> {
        self.zones.iter()
    }

    /// The zone that a name means; see [`resolve`](Self::resolve).
    ///
    /// # Errors
    /// No zone has the name; the error suggests the nearest.
    pub fn find(&self, name: &str) -> Result<&GridZone, UnknownZone> {
        self.resolve(name).map(|named| named.zone)
    }

    /// What a zone is called in English and Korean; where no Korean name of a part is known, that of its country stands
    /// before the part's own.
    #[must_use]
    pub fn name(&self, zone: &GridZone) -> Text {
        let parent = || self.find(zone.parent.as_deref()?).ok().filter(|parent| parent.id != zone.id);
        let of_part = || {
            let parent = parent()?;
            Some(format!("{}{}", parent.korean_name()?, zone.name.strip_prefix(&parent.name)?))
        };
        let korean = zone.korean_name().map(str::to_owned).or_else(of_part).unwrap_or_else(|| zone.name.clone());
        Text::new(zone.name.clone(), korean)
    }

    /// The zone that a name means, and who names it so: an id or an alias in upper or lower case, with or
    /// without accents, with `-`, `_`, spaces or nothing between its parts; also an availability zone of a
    /// cloud region.
    ///
    /// # Errors
    /// No zone has the name; the error suggests the nearest.
    pub fn resolve(&self, name: &str) -> Result<NamedZone<'_>, UnknownZone> {
        let unknown = |nearest| UnknownZone { name: shown(name), nearest };
        // By bytes first: counting the letters of a name of megabytes is work as well.
        if name.len() > 4 * LONGEST || name.chars().count() > LONGEST {
            return Err(unknown(Vec::new()));
        }
        let folded = fold(name);
        let found = self.names.exact.get(&folded).or_else(|| self.names.availability_zone(&folded)).or_else(|| {
            let folded = self.names.squeezed.get(&squeeze(&folded))?.as_ref()?;
            self.names.exact.get(folded)
        });
        let named = found.and_then(|found| {
            let zone = self.zones.get(found.zone)?;
            Some(NamedZone { zone, name: &found.written, scheme: found.scheme })
        });
        named.ok_or_else(|| unknown(self.nearest(&folded)))
    }

    /// The valid names most like a folded one, best first.
    fn nearest(&self, wanted: &str) -> Vec<String> {
        let mut scored: Vec<(f64, &str)> = self
            .names
            .exact
            .iter()
            .map(|(known, name)| (strsim::jaro_winkler(wanted, known), &*name.written))
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        scored.into_iter().take(SUGGESTIONS).map(|(_, known)| known.to_owned()).collect()
    }

    /// All published figures of a zone itself, newest first within a series; not its parent's.
    #[must_use]
    pub fn figures(&self, zone: &GridZone) -> &[TableFigure] {
        self.intensities.get(&zone.id).map_or(&[], Vec::as_slice)
    }

    /// The figure that speaks for a zone, as for its own name; see [`intensity_of`](Self::intensity_of).
    #[must_use]
    pub fn intensity(&self, zone: &GridZone) -> Option<FoundIntensity> {
        // The name is not looked at without a scheme.
        self.intensity_of(&NamedZone { zone, name: "", scheme: None }, None)
    }

    /// The figure that speaks for a named zone: the newest of the best series of a method, the zone's own or its
    /// country's with a caveat.
    ///
    /// Without `method` the preferred one of such places is taken (lifecycle for countries, direct for cloud
    /// regions, grid zones and countries with an official factor), and where it is missing the other with a
    /// caveat. With `method` only figures of that method are.
    #[must_use]
    pub fn intensity_of(&self, named: &NamedZone<'_>, method: Option<AccountingMethod>) -> Option<FoundIntensity> {
        if let Some(method) = method {
            return self.intensity_by(named.zone, method, IntensityKind::Average);
        }
        let official = self.figures(named.zone).iter().any(|figure| figure.series == OFFICIAL);
        let preferred = named.method(official);
        let by = |method| self.intensity_by(named.zone, method, IntensityKind::Average);
        by(preferred).or_else(|| {
            let mut found = by(preferred.other())?;
            let (method, other, name) = (preferred.name(), preferred.other().name(), &named.zone.name);
            found.caveats.push(Text::new(
                format!("No {} intensity is published for {name}; this one is {}.", method.en, other.en),
                format!("{name}의 {} 탄소집약도가 공표되지 않아 {} 수치를 사용했습니다.", method.ko, other.ko),
            ));
            Some(found)
        })
    }

    /// The figure made by `method` and of `kind`, the zone's own or its country's with a caveat: what a
    /// comparison across zones needs.
    #[must_use]
    pub fn intensity_by(
        &self,
        zone: &GridZone,
        method: AccountingMethod,
        kind: IntensityKind,
    ) -> Option<FoundIntensity> {
        if let Some(figure) = self.own_by(zone, method, kind) {
            return Some(FoundIntensity { figure: figure.clone(), caveats: Vec::new() });
        }
        let parent = self.find(zone.parent.as_deref()?).ok()?;
        let mut found = self.intensity_by(parent, method, kind)?;
        found.caveats.push(Text::new(
            format!("No figure is published for {}; this is the mean of {}.", zone.name, parent.name),
            format!("{}의 공표 수치가 없어 {} 평균을 사용했습니다.", zone.name, parent.name),
        ));
        Some(found)
    }

    /// What [`intensity_by`](Self::intensity_by) finds, without saying how: to compare many zones.
    pub(crate) fn value_by(
        &self,
        zone: &GridZone,
        method: AccountingMethod,
        kind: IntensityKind,
    ) -> Option<CarbonIntensity> {
        match self.own_by(zone, method, kind) {
            Some(figure) => Some(figure.value),
            None => self.value_by(self.find(zone.parent.as_deref()?).ok()?, method, kind),
        }
    }

    fn own_by(&self, zone: &GridZone, method: AccountingMethod, kind: IntensityKind) -> Option<&IntensityFigure> {
        let best: &[&str] = match method {
            AccountingMethod::Direct => &DIRECT,
            AccountingMethod::Lifecycle => &LIFECYCLE,
        };
        let alike = |figure: &IntensityFigure| figure.provenance.method == method && figure.provenance.kind == kind;
        best.iter().find_map(|series| {
            let newest = self.figures(zone).iter().find(|found| found.series == **series && alike(&found.figure));
            newest.map(|found| &found.figure)
        })
    }

    /// The newest PUE published for a cloud region, at or before `year`.
    ///
    /// A region without one of its own gets the mean of its provider's fleet, with a caveat; a name
    /// that is no cloud region gets none.
    #[must_use]
    pub fn published_pue(&self, region: &str, year: i16) -> Option<(PublishedPue, Vec<Text>)> {
        let region = self.resolve(region).ok()?;
        let published = self.newest_pue(&region, year)?;
        if is_same_name(&published.region, region.name) {
            return Some((published.clone(), Vec::new()));
        }
        let (region, year) = (region.name, published.year);
        let caveat = Text::new(
            format!("No PUE is published for {region}; this is the mean of the provider's fleet in {year}."),
            format!("{region}의 공표 PUE가 없어 {year}년 사업자 전체 평균을 사용했습니다."),
        );
        Some((published.clone(), vec![caveat]))
    }

    /// What [`published_pue`](Self::published_pue) finds: the region's own, or the mean of its provider's fleet.
    pub(crate) fn newest_pue(&self, region: &NamedZone<'_>, year: i16) -> Option<&PublishedPue> {
        let provider = region.provider()?;
        let newest = |name: &str| {
            let published =
                self.pues.iter().filter(|(folded, pue)| pue.provider == provider && pue.year <= year && folded == name);
            published.map(|(_, pue)| pue).max_by_key(|pue| pue.year)
        };
        newest(&fold(region.name)).or_else(|| newest("global"))
    }
}

impl Names {
    fn availability_zone(&self, folded: &str) -> Option<&Name> {
        names::regions_of_availability_zone(folded).into_iter().find_map(|(region, schemes)| {
            let known = self.exact.get(&region)?;
            known.scheme.filter(|scheme| schemes.contains(scheme)).map(|_| known)
        })
    }
}

/// Whether both fold to one name.
fn is_same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || fold(a) == fold(b)
}

/// A name as an error may repeat it.
fn shown(name: &str) -> String {
    if name.chars().nth(LONGEST).is_none() {
        return name.to_owned();
    }
    name.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
