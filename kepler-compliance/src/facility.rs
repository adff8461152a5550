//! The facility of an answer: its zone, its electricity's intensity, its PUE, each with its origin.

mod site;

pub use crate::settings::{Price, Settings, StatedPue};
pub use site::{Site, site};

use crate::carbon::effective_intensity;
use crate::choices::WorkloadChoice;
use crate::context::Context;
use crate::intensity::{
    AccountingMethod, Boundary, IntensityError, IntensityFigure, IntensityKind, Period, Provenance,
};
use crate::messages::{ChoiceMessage, FacilityMessage, Message, RegionMessage};
use crate::standards::{Basis, FigureSource, Metric, MetricValue, RuleSubject, SiteFacts, VerdictInputs};
use crate::text::{Lang, Text};
use crate::units::{CarbonIntensity, Pue};
use crate::zones::UnknownZone;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The region assumed where neither request nor settings name one.
pub const DEFAULT_REGION: &str = "ap-northeast-2";

/// A figure that an answer rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Input {
    /// What it is: a metric's name, or `power`, `energy`, `grid_intensity`, `pue`, `price`.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit; empty for a pure ratio.
    pub unit: String,
    /// How it was determined.
    pub basis: Basis,
    /// Its source.
    pub source: String,
    /// By what method an intensity was made: figures of different methods do not compare; `null` where it is not stated.
    pub method: Option<AccountingMethod>,
    /// The year it is for, where it is a year's.
    pub year: Option<i16>,
    /// How old it is, in seconds; `null` while it holds or where it is a year's.
    pub age_seconds: Option<u64>,
}

/// Where work runs and what its electricity emits there.
#[derive(Clone, Debug)]
pub(crate) struct Facility {
    /// The region as it was named.
    pub(crate) region: String,
    /// Id of its grid zone.
    pub(crate) zone: String,
    pub(crate) zone_name: Text,
    pub(crate) country: String,
    pub(crate) time_zone: Option<String>,
    pub(crate) grid: Option<Grid>,
    pub(crate) pue: Option<FacilityPue>,
    /// What is stated of it.
    pub(crate) facts: SiteFacts,
    pub(crate) caveats: Vec<Message>,
}

#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub(crate) figure: IntensityFigure,
    pub(crate) basis: Basis,
    pub(crate) age: Option<Duration>,
    /// It is the operator's own statement, not a publisher's.
    pub(crate) is_stated: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct FacilityPue {
    pub(crate) value: Pue,
    pub(crate) basis: Basis,
    pub(crate) source: FigureSource,
    pub(crate) year: Option<i16>,
}

impl Grid {
    /// A published figure.
    pub(crate) fn published(figure: IntensityFigure, age: Option<Duration>) -> Self {
        Grid { figure, basis: Basis::Published, age, is_stated: false }
    }

    pub(crate) fn source(&self) -> FigureSource {
        match self.is_stated {
            true => FigureSource::Stated,
            false => FigureSource::Named(self.figure.provenance.source.clone()),
        }
    }
}

impl Facility {
    /// The facility that a request means: its region, else the settings', else the default.
    ///
    /// What the settings state of intensity and PUE is theirs: it holds unless the request names a
    /// region in another zone than the settings do.
    pub(crate) fn of(context: &Context<'_>, asked: Option<&str>) -> Result<Self, UnknownZone> {
        let settings = context.settings;
        let known = asked.or(settings.region.as_deref());
        let of_nodes = if known.is_none() { region_of_nodes(context) } else { None };
        let region = known.or(of_nodes.as_deref()).unwrap_or(DEFAULT_REGION);
        let own = match (asked, settings.region.as_deref()) {
            (Some(asked), Some(own)) => context.zones.find(asked)?.id == context.zones.find(own)?.id,
            _ => true,
        };
        let mut facility = Facility::located(context, region)?;
        if known.is_none() {
            facility.caveats.push(match &of_nodes {
                Some(region) => ChoiceMessage::RegionOfNodes { region: region.clone() }.into(),
                None => FacilityMessage::RegionAssumed { region: DEFAULT_REGION.to_owned() }.into(),
            });
        }
        if own {
            facility.facts = settings.facts.clone();
        }
        match settings.grid_intensity.filter(|_| own) {
            Some(value) => facility.state_grid(context, value),
            None => facility.look_up_grid(context, own),
        }
        match settings.pue.filter(|_| own) {
            Some(stated) => {
                let StatedPue { value, basis } = stated;
                facility.pue = Some(FacilityPue { value, basis, source: FigureSource::Stated, year: None });
            }
            None => facility.look_up_pue(context),
        }
        Ok(facility)
    }

    /// The same with what a request states of the site, in place of or beside what the settings state.
    pub(crate) fn stating(mut self, facts: &SiteFacts) -> Self {
        self.facts = self.facts.with(facts);
        self
    }

    /// The same with the PUE that a workload chooses.
    pub(crate) fn choosing(mut self, pue: Option<&(Pue, WorkloadChoice)>) -> Self {
        if let Some((value, choice)) = pue {
            let source = FigureSource::Chosen { origin: choice.origin, place: choice.place.clone() };
            self.pue = Some(FacilityPue { value: *value, basis: Basis::Assumed, source, year: None });
        }
        self
    }

    /// A region by published figures alone, its intensity made as `like` is: to compare with.
    pub(crate) fn published(context: &Context<'_>, region: &str, like: &Provenance) -> Result<Self, UnknownZone> {
        let mut facility = Facility::located(context, region)?;
        let zone = context.zones.find(region)?;
        if let Some(found) = context.zones.intensity_by(zone, like.method, like.kind) {
            facility.grid = Some(Grid::published(found.figure, None));
            facility.caveats.extend(found.caveats.into_iter().map(Message::from));
        }
        facility.look_up_pue(context);
        Ok(facility)
    }

    fn located(context: &Context<'_>, region: &str) -> Result<Self, UnknownZone> {
        let zone = context.zones.find(region)?;
        Ok(Facility {
            region: region.to_owned(),
            zone: zone.id.clone(),
            zone_name: context.zones.name(zone),
            country: zone.country.clone(),
            time_zone: zone.time_zone.clone(),
            grid: None,
            pue: None,
            facts: SiteFacts::default(),
            caveats: Vec::new(),
        })
    }

    fn state_grid(&mut self, context: &Context<'_>, value: CarbonIntensity) {
        let source = Message::from(FigureSource::Stated).render(Lang::En);
        let method = context.settings.intensity_method;
        let provenance = Provenance {
            zone: self.zone.clone(),
            method: method.unwrap_or(AccountingMethod::Direct),
            is_method_assumed: method.is_none(),
            boundary: Boundary::Unstated,
            kind: IntensityKind::Average,
            source,
        };
        let period = Period::Interval { start: context.now, end: context.now };
        let figure = IntensityFigure { value, period, provenance };
        self.grid = Some(Grid { figure, basis: Basis::Assumed, age: None, is_stated: true });
    }

    /// From the source that was chosen, else from the zone table.
    ///
    /// What a chosen source does not know of the operator's own region is not known: a published average in its
    /// place could turn a verdict. Of another region it need not know anything.
    fn look_up_grid(&mut self, context: &Context<'_>, own: bool) {
        if context.intensity.is_builtin() {
            return self.look_up_published(context, None);
        }
        let error = match context.intensity.current(&self.zone, context.now) {
            Ok(current) => {
                let age = (!current.age.is_zero()).then_some(current.age);
                self.grid = Some(Grid::published(current.figure, age));
                return;
            }
            Err(error) => error,
        };
        let elsewhere = !own && matches!(error, IntensityError::UnknownZone { .. });
        let error = Box::new(Message::from(&error));
        if elsewhere {
            return self.look_up_published(context, Some(error));
        }
        let zone = self.zone_name.clone();
        self.caveats.push(FacilityMessage::IntensityUnknown { zone, error }.into());
    }

    /// The figure of the zone table, its parent's included; `instead` says why not the chosen source's.
    fn look_up_published(&mut self, context: &Context<'_>, instead: Option<Box<Message>>) {
        let named = context.zones.resolve(&self.region);
        let found = named.ok().and_then(|named| context.zones.intensity_of(&named, context.settings.intensity_method));
        match found {
            Some(found) => {
                self.caveats.extend(instead.map(|error| FacilityMessage::YearlyAverageUsed { error }.into()));
                self.caveats.extend(found.caveats.into_iter().map(Message::from));
                self.grid = Some(Grid::published(found.figure, None));
            }
            None => {
                let zone = self.zone_name.clone();
                let (origin, known) = (context.intensity.name().to_owned(), Vec::new());
                let unpublished = || IntensityError::UnknownZone { origin, zone: self.zone.clone(), known };
                let error = instead.unwrap_or_else(|| Box::new(Message::from(&unpublished())));
                self.caveats.push(FacilityMessage::IntensityUnknown { zone, error }.into());
            }
        }
    }

    /// The facility with the published figure of another method, where there is one and its own is published too.
    pub(crate) fn by_method(&self, context: &Context<'_>, method: AccountingMethod) -> Option<Self> {
        let is_published = context.intensity.is_builtin() && !self.grid.as_ref()?.is_stated;
        let zone = context.zones.find(&self.zone).ok().filter(|_| is_published)?;
        let found = context.zones.intensity_by(zone, method, IntensityKind::Average)?;
        let mut other = self.clone();
        other.grid = Some(Grid::published(found.figure, None));
        Some(other)
    }

    fn look_up_pue(&mut self, context: &Context<'_>) {
        let year = date(context).year();
        let Some((published, caveats)) = context.zones.published_pue(&self.region, year) else {
            self.caveats.push(FacilityMessage::NoPublishedPue { region: self.region.clone() }.into());
            return;
        };
        self.caveats.extend(caveats.into_iter().map(Message::from));
        self.pue = Some(FacilityPue {
            value: published.pue,
            basis: Basis::Published,
            source: published.source.into(),
            year: Some(published.year),
        });
    }

    /// Intensity of the grid, where known.
    pub(crate) fn intensity(&self) -> Option<CarbonIntensity> {
        self.grid.as_ref().map(|grid| grid.figure.value)
    }

    /// That a comparison takes the current figure's method as assumed, where it does.
    pub(crate) fn method_caveat(&self) -> Option<Message> {
        let provenance = &self.grid.as_ref()?.figure.provenance;
        let method = provenance.method;
        provenance.is_method_assumed.then(|| RegionMessage::MethodAssumed { method }.into())
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
    pub(crate) fn known(&self, context: &Context<'_>, subject: RuleSubject) -> VerdictInputs {
        let mut inputs = VerdictInputs::new(subject, date(context));
        inputs.country = Some(self.country.clone());
        inputs.state(&self.facts);
        if let (Some(grid), Some(pue), Some(effective), Some(basis)) =
            (&self.grid, &self.pue, self.effective(), self.basis())
        {
            let source = FigureSource::GridAndPue {
                grid: grid.figure.value.grams_per_kilowatt_hour(),
                grid_source: Box::new(grid.source()),
                grid_basis: grid.basis,
                pue: pue.value.ratio(),
                pue_source: Box::new(pue.source.clone()),
                pue_basis: pue.basis,
            };
            let mut value = MetricValue::new(effective.grams_per_kilowatt_hour(), basis, source);
            (value.year, value.age) = (year(grid.figure.period), grid.age);
            inputs.set(Metric::CarbonIntensity, value);
        }
        if let Some(pue) = &self.pue {
            let mut value = MetricValue::new(pue.value.ratio(), pue.basis, pue.source.clone());
            value.year = pue.year;
            inputs.set(Metric::Pue, value);
        }
        inputs
    }

    /// The facility's figures as an answer shows them, in a language.
    pub(crate) fn inputs(&self, lang: Lang) -> Vec<Input> {
        let grid = self.grid.as_ref().map(|grid| Input {
            name: "grid_intensity".to_owned(),
            value: grid.figure.value.grams_per_kilowatt_hour(),
            unit: "gCO2e/kWh".to_owned(),
            basis: grid.basis,
            source: Message::from(grid.source()).render(lang),
            method: grid.figure.provenance.stated_method(),
            year: year(grid.figure.period),
            age_seconds: grid.age.map(|age| age.as_secs()),
        });
        let pue = self.pue.as_ref().map(|pue| Input {
            name: "pue".to_owned(),
            value: pue.value.ratio(),
            unit: String::new(),
            basis: pue.basis,
            source: Message::from(pue.source.clone()).render(lang),
            method: None,
            year: pue.year,
            age_seconds: None,
        });
        grid.into_iter().chain(pue).collect()
    }
}

/// The region that the labels of all nodes name, where that is one region that is known.
fn region_of_nodes(context: &Context<'_>) -> Option<String> {
    let choices = context.choices.choices();
    choices.region().filter(|region| context.zones.find(region).is_ok()).map(str::to_owned)
}

/// The day of a judgement, in UTC.
pub(crate) fn date(context: &Context<'_>) -> Date {
    context.now.to_zoned(TimeZone::UTC).date()
}

/// The less trustworthy of two.
pub(crate) const fn weaker(a: Basis, b: Basis) -> Basis {
    const fn rank(basis: Basis) -> u8 {
        match basis {
            Basis::Measured => 0,
            Basis::Published => 1,
            Basis::Partial => 2,
            Basis::Estimated => 3,
            Basis::Assumed => 4,
        }
    }
    if rank(a) >= rank(b) { a } else { b }
}

pub(crate) const fn year(period: Period) -> Option<i16> {
    match period {
        Period::Year(year) | Period::Years { to: year, .. } => Some(year),
        Period::Interval { .. } => None,
    }
}
