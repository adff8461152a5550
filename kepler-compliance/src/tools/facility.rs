//! The facility of an answer: its zone, its electricity's intensity, its PUE, each with its origin.

use super::{Context, DEFAULT_REGION, ToolError};
use crate::carbon::effective_intensity;
use crate::intensity::{Boundary, IntensityFigure, IntensityKind, AccountingMethod, Period, Provenance};
use crate::standards::{Basis, Fact, Input, Inputs, Metric, Subject};
use crate::text::{Lang, Text};
use crate::units::{CarbonIntensity, Pue};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::time::Duration;

/// Where work runs and what its electricity emits there.
#[derive(Clone, Debug)]
pub(crate) struct Facility {
    /// The region as it was named.
    pub(crate) region: String,
    /// Id of its grid zone.
    pub(crate) zone: String,
    pub(crate) zone_name: String,
    pub(crate) country: String,
    pub(crate) time_zone: Option<String>,
    pub(crate) grid: Option<Grid>,
    pub(crate) pue: Option<FacilityPue>,
    pub(crate) caveats: Vec<Text>,
}

#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub(crate) figure: IntensityFigure,
    pub(crate) basis: Basis,
    pub(crate) age: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct FacilityPue {
    pub(crate) value: Pue,
    pub(crate) basis: Basis,
    pub(crate) source: String,
    pub(crate) year: Option<i16>,
}

impl Facility {
    /// The facility that a request means: its region, else the settings', else the default.
    ///
    /// What the settings state of intensity and PUE is theirs: it holds unless the request names a
    /// region in another zone than the settings do.
    pub(crate) fn of(context: &Context<'_>, asked: Option<&str>) -> Result<Self, ToolError> {
        let settings = context.settings;
        let region = asked.or(settings.region.as_deref()).unwrap_or(DEFAULT_REGION);
        let own = match (asked, settings.region.as_deref()) {
            (Some(asked), Some(own)) => context.zones.find(asked)?.id == context.zones.find(own)?.id,
            _ => true,
        };
        let mut facility = Facility::located(context, region)?;
        if asked.is_none() && settings.region.is_none() {
            facility.caveats.push(Text::new(
                format!("No region is configured; {DEFAULT_REGION} is assumed (set facility.region or --region)."),
                format!(
                    "리전이 설정되지 않아 {DEFAULT_REGION}로 가정했습니다 (facility.region 또는 --region으로 지정)."
                ),
            ));
        }
        match settings.grid_intensity.filter(|_| own) {
            Some(value) => facility.state_grid(context, value),
            None => facility.look_up_grid(context),
        }
        match settings.pue.filter(|_| own) {
            Some(stated) => {
                facility.pue = Some(FacilityPue {
                    value: stated.value,
                    basis: stated.basis,
                    source: "stated in the settings".to_owned(),
                    year: None,
                });
            }
            None => facility.look_up_pue(context),
        }
        Ok(facility)
    }

    /// A region by published figures alone, its intensity made as `like` is: to compare with.
    pub(crate) fn published(context: &Context<'_>, region: &str, like: &Provenance) -> Result<Self, ToolError> {
        let mut facility = Facility::located(context, region)?;
        let zone = context.zones.find(region)?;
        if let Some(found) = context.zones.intensity_by(zone, like.method, like.kind) {
            facility.grid = Some(Grid { figure: found.figure, basis: Basis::Published, age: None });
            facility.caveats.extend(found.caveats);
        }
        facility.look_up_pue(context);
        Ok(facility)
    }

    fn located(context: &Context<'_>, region: &str) -> Result<Self, ToolError> {
        let zone = context.zones.find(region)?;
        Ok(Facility {
            region: region.to_owned(),
            zone: zone.id.clone(),
            zone_name: zone.name.clone(),
            country: zone.country.clone(),
            time_zone: zone.time_zone.clone(),
            grid: None,
            pue: None,
            caveats: Vec::new(),
        })
    }

    fn state_grid(&mut self, context: &Context<'_>, value: CarbonIntensity) {
        let zone = self.zone.clone();
        let provenance = Provenance {
            zone,
            method: AccountingMethod::Direct,
            boundary: Boundary::Unstated,
            kind: IntensityKind::Average,
            source: "stated in the settings".to_owned(),
        };
        let period = Period::Interval { start: context.now, end: context.now };
        let figure = IntensityFigure { value, period, provenance };
        self.grid = Some(Grid { figure, basis: Basis::Assumed, age: None });
    }

    /// From the configured source; where that has nothing, from the zone table, its parent included.
    fn look_up_grid(&mut self, context: &Context<'_>) {
        let error = match context.intensity.current(&self.zone, context.now) {
            Ok(current) => {
                let age = (!current.age.is_zero()).then_some(current.age);
                self.grid = Some(Grid { figure: current.figure, basis: Basis::Published, age });
                return;
            }
            Err(error) => error,
        };
        let found = context.zones.find(&self.zone).ok().and_then(|zone| context.zones.intensity(zone));
        match found {
            Some(found) => {
                if found.caveats.is_empty() {
                    self.caveats.push(Text::new(
                        format!("The yearly average of the zone table is used, because {error}"),
                        format!("다음 이유로 내장 연평균 값을 사용했습니다: {error}"),
                    ));
                }
                self.caveats.extend(found.caveats);
                self.grid = Some(Grid { figure: found.figure, basis: Basis::Published, age: None });
            }
            None => self.caveats.push(Text::new(
                format!("The grid intensity of {} is not known: {error} Set carbon.grid_intensity.", self.zone_name),
                format!(
                    "{}의 전력 탄소집약도를 알 수 없습니다: {error} carbon.grid_intensity를 지정하세요.",
                    self.zone_name
                ),
            )),
        }
    }

    fn look_up_pue(&mut self, context: &Context<'_>) {
        let year = date(context).year();
        let Some((published, caveats)) = context.zones.published_pue(&self.region, year) else {
            self.caveats.push(Text::new(
                format!("No PUE is published for {}; state your own with facility.pue or --pue.", self.region),
                format!("{}의 공표 PUE가 없습니다. facility.pue 또는 --pue로 지정하세요.", self.region),
            ));
            return;
        };
        self.caveats.extend(caveats);
        self.pue = Some(FacilityPue {
            value: published.pue,
            basis: Basis::Published,
            source: published.source,
            year: Some(published.year),
        });
    }

    /// Intensity of the grid, where known.
    pub(crate) fn intensity(&self) -> Option<CarbonIntensity> {
        self.grid.as_ref().map(|grid| grid.figure.value)
    }

    /// PUE, where known.
    pub(crate) fn ratio(&self) -> Option<Pue> {
        self.pue.as_ref().map(|pue| pue.value)
    }

    /// Emissions per kilowatt-hour of IT energy, where both are known.
    pub(crate) fn effective(&self) -> Option<CarbonIntensity> {
        Some(effective_intensity(self.intensity()?, self.ratio()?))
    }

    /// How the effective intensity came about: as its weaker part did.
    pub(crate) fn basis(&self) -> Option<Basis> {
        Some(weaker(self.grid.as_ref()?.basis, self.pue.as_ref()?.basis))
    }

    /// What a rule needs to know of the facility.
    pub(crate) fn facts(&self, context: &Context<'_>, subject: Subject) -> Inputs {
        let mut inputs = Inputs::new(subject, date(context));
        inputs.country = Some(self.country.clone());
        if let (Some(value), Some(basis)) = (self.effective(), self.basis()) {
            let mut fact = Fact::new(value.grams_per_kilowatt_hour(), basis, self.describe());
            fact.year = self.grid.as_ref().and_then(|grid| year(grid.figure.period));
            fact.age = self.grid.as_ref().and_then(|grid| grid.age);
            inputs.give(Metric::CarbonIntensity, fact);
        }
        if let Some(pue) = &self.pue {
            let mut fact = Fact::new(pue.value.ratio(), pue.basis, pue.source.as_str());
            fact.year = pue.year;
            inputs.give(Metric::Pue, fact);
        }
        inputs
    }

    /// The figures that the effective intensity was made of, in a phrase.
    fn describe(&self) -> String {
        match (&self.grid, &self.pue) {
            (Some(grid), Some(pue)) => format!(
                "grid {} g/kWh ({}), PUE {} ({})",
                grid.figure.value.grams_per_kilowatt_hour(),
                grid.figure.provenance.source,
                pue.value,
                pue.source
            ),
            _ => String::new(),
        }
    }

    /// The facility's figures as an answer shows them.
    pub(crate) fn inputs(&self) -> Vec<Input> {
        let grid = self.grid.as_ref().map(|grid| Input {
            name: "grid_intensity".to_owned(),
            value: grid.figure.value.grams_per_kilowatt_hour(),
            unit: "gCO2e/kWh".to_owned(),
            basis: grid.basis,
            source: grid.figure.provenance.source.clone(),
            year: year(grid.figure.period),
            age_seconds: grid.age.map(|age| age.as_secs()),
        });
        let pue = self.pue.as_ref().map(|pue| Input {
            name: "pue".to_owned(),
            value: pue.value.ratio(),
            unit: String::new(),
            basis: pue.basis,
            source: pue.source.clone(),
            year: pue.year,
            age_seconds: None,
        });
        grid.into_iter().chain(pue).collect()
    }

    /// What weakens the facility's figures, in a language.
    pub(crate) fn caveats(&self, lang: Lang) -> impl Iterator<Item = String> {
        self.caveats.iter().map(move |caveat| caveat.lang(lang).to_owned())
    }
}

/// The day of a judgement, in UTC.
pub(crate) fn date(context: &Context<'_>) -> Date {
    context.now.to_zoned(TimeZone::UTC).date()
}

/// The less trustworthy of two.
pub(crate) const fn weaker(a: Basis, b: Basis) -> Basis {
    const fn doubt(basis: Basis) -> u8 {
        match basis {
            Basis::Measured => 0,
            Basis::Published => 1,
            Basis::Estimated => 2,
            Basis::Assumed => 3,
        }
    }
    if doubt(a) >= doubt(b) { a } else { b }
}

const fn year(period: Period) -> Option<i16> {
    match period {
        Period::Year(year) | Period::Years { to: year, .. } => Some(year),
        Period::Interval { .. } => None,
    }
}
