//! English: verdicts and the sources of their figures.

use super::LANG;
use crate::numbers::{apart, figure};
use crate::standards::{
    Basis, Condition, FigureSource, Limit, Metric, OPERATION_START, Requirement, RuleSubject, ScopeMessage, Threshold,
    VerdictMessage, name_of, stated_by,
};

pub(super) fn figure_source(source: &FigureSource) -> String {
    match source {
        FigureSource::Named(name) => name.clone(),
        FigureSource::Stated => "stated in the settings".to_owned(),
        FigureSource::SiteFacts => "stated of the site".to_owned(),
        FigureSource::Region(region) => format!("of {region}"),
        FigureSource::Target => "a target".to_owned(),
        FigureSource::GridAndPue { grid, grid_source, pue, pue_source, .. } => format!(
            "grid {} g/kWh ({}), PUE {} ({})",
            figure(*grid),
            figure_source(grid_source),
            figure(*pue),
            figure_source(pue_source)
        ),
        FigureSource::MeanPower => "mean power over the window".to_owned(),
        FigureSource::Chosen { origin, place } => format!("{} of {place}", origin.name()),
        FigureSource::ProjectedEnergy => "energy over the window, projected".to_owned(),
    }
}

fn scope(message: &ScopeMessage) -> String {
    use ScopeMessage as M;
    match message {
        M::CountryTarget { code } => format!("{code} is a target of a country; no site or workload can meet it."),
        M::Draft { code } => format!("{code} is a draft."),
        M::NotYetInForce { code } => format!("{code} was adopted and is not in force yet."),
        M::AppliesIf { requirements } => {
            let all: Vec<String> = requirements.iter().map(|own| requirement(own, None)).collect();
            format!("It applies only if {}.", all.join(" and "))
        }
        M::FactsMissing { code, missing } => {
            let missing: Vec<String> = missing.iter().map(|fact| requirement(fact, Some(code))).collect();
            format!("{code} applies only if {}; this is not stated for the site.", missing.join(" and "))
        }
        M::ConditionFails { code, condition: what, holds } => {
            format!("{code} does not apply, as it is stated that {}.", condition(*what, *holds))
        }
        M::DeclaredNotApplicable { code } => format!("{code} is stated not to apply."),
        M::NotInForce { code, date, from, to } => {
            let day = |day: &Option<jiff::civil::Date>| day.map_or_else(|| "…".to_owned(), |day| day.to_string());
            format!("{code} is not in force on {date}; it is in force from {} to {}.", day(from), day(to))
        }
        M::OtherCountry { code, jurisdiction, country } => {
            format!("{code} holds in {jurisdiction}, not in {country}.")
        }
        M::OtherSubject { code, speaks_of, asked } => format!(
            "{code} is the budget of a {}; the emissions given are a {}'s.",
            subject(*speaks_of),
            subject(*asked)
        ),
        M::StartOutside { code, start } => {
            format!("{code} does not apply to sites that began operation on {start}.")
        }
        M::NotDue { code, due } => format!("{code} need not be met by this site before {due}."),
        M::TooSmall { code, metric: size, value } => {
            format!("{code} does not apply at {} of {}.", metric(*size), quantity(&figure(*value), *size))
        }
    }
}

/// What a site must be for a rule to apply, with the name to state it by.
fn requirement(required: &Requirement, code: Option<&str>) -> String {
    match required {
        Requirement::Start(start) => {
            let from = start.from.map(|day| format!("on or after {day}"));
            let bounds: Vec<String> = from.into_iter().chain(start.before.map(|day| format!("before {day}"))).collect();
            format!("the site began operation {} ({OPERATION_START})", bounds.join(" and "))
        }
        Requirement::Size(Threshold { metric: of, at_least, more_than }) => {
            let least = at_least.map(|figure| ("at least", figure));
            let bounds = least.into_iter().chain(more_than.map(|figure| ("more than", figure)));
            let bounds: Vec<String> =
                bounds.map(|(sign, bound)| format!("{sign} {}", quantity(&figure(bound), *of))).collect();
            format!("the {} is {} ({})", metric(*of), bounds.join(" and "), name_of(*of))
        }
        Requirement::Condition(what, holds) => format!("{} ({})", condition(*what, *holds), what.name()),
        Requirement::Words(words) => {
            let by = code.map_or_else(String::new, |code| format!(" (applicable or not_applicable: {code})"));
            format!("this holds{by}: {}", words.en.trim_end_matches('.'))
        }
    }
}

const fn condition(condition: Condition, holds: bool) -> &'static str {
    match (condition, holds) {
        (Condition::CoolClimate, true) => "the climate is cool",
        (Condition::CoolClimate, false) => "the climate is not cool",
        (Condition::WaterStress, true) => "the area is under water stress",
        (Condition::WaterStress, false) => "the area is not under water stress",
        (Condition::PotableWater, true) => "the site is cooled with potable water",
        (Condition::PotableWater, false) => "the site is not cooled with potable water",
        (Condition::LargeDataCentre, true) => "the data centre is large or super-large",
        (Condition::LargeDataCentre, false) => "the data centre is neither large nor super-large",
        (Condition::AiDataCentre, true) => "the site is a data centre for artificial intelligence",
        (Condition::AiDataCentre, false) => "the site is no data centre for artificial intelligence",
    }
}

pub(super) fn verdict(message: &VerdictMessage) -> String {
    use VerdictMessage as M;
    match message {
        M::Scope(message) => scope(message),
        M::Bound { metric: of, value, limit, is_met } => {
            let sign = match limit {
                Limit::AtMost(_) => "at most",
                Limit::Below(_) => "below",
                Limit::AtLeast(_) => "at least",
            };
            let is = if *is_met { "meets" } else { "does not meet" };
            let (value, bound) = apart(*value, limit.value());
            let (value, bound) = (quantity(&value, *of), quantity(&bound, *of));
            format!("The {} of {value} {is} the limit of {sign} {bound}.", metric(*of))
        }
        M::Declared => "That the duty is fulfilled is declared, not measured.".to_owned(),
        M::StatedFacts { start, conditions } => {
            let start = start.map(|day| format!("the site began operation on {day}"));
            let conditions = conditions.iter().map(|(what, holds)| condition(*what, *holds).to_owned());
            let stated: Vec<String> = start.into_iter().chain(conditions).collect();
            format!("Stated for the site, not measured: {}.", stated.join("; "))
        }
        M::DutyFulfilled { duty } => {
            format!("The duty applies and is declared fulfilled: {}", duty.lang(LANG))
        }
        M::DutyOpen { duty } => {
            format!("The duty applies; whether it is fulfilled is not stated (fulfilled): {}", duty.lang(LANG))
        }
        M::BelowDuty { metric: of, at_least } => {
            format!("Below the threshold of {}: no duty.", quantity(&figure(*at_least), *of))
        }
        M::Unknown { metric: of } => format!("The {} is not known{}.", metric(*of), stated_by(*of)),
        M::AllReported { metrics } => {
            let names: Vec<&str> = metrics.iter().map(|of| metric(*of)).collect();
            format!("All figures are there and within their bounds: {}.", names.join(", "))
        }
        M::NotMeasured { metric: of, source: FigureSource::SiteFacts, .. } => {
            format!("The {} is stated for the site, not measured.", metric(*of))
        }
        M::NotMeasured { metric: of, basis, source } => {
            let part = match source {
                FigureSource::GridAndPue { grid_basis, pue_basis, .. } if grid_basis.is_sound() => {
                    Some(("PUE", *pue_basis))
                }
                FigureSource::GridAndPue { grid_basis, pue_basis, .. } if pue_basis.is_sound() => {
                    Some(("grid intensity", *grid_basis))
                }
                _ => None,
            };
            let (of, source) = (metric(*of), figure_source(source));
            match part {
                Some((part, part_basis)) => {
                    format!("The {of} rests on a {part} that is {} ({source}).", is(part_basis))
                }
                None => format!("The {of} is {} ({source}).", is(*basis)),
            }
        }
        M::Impossible { metric: of, value } => {
            format!("The {} of {} is not possible and was not used.", metric(*of), figure(*value))
        }
        M::NoEnergy => "There are no energy figures of the workload in the window.".to_owned(),
        M::Note(text) => text.lang(LANG).to_owned(),
    }
}

const fn is(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "measured",
        Basis::Published => "published, not measured",
        Basis::Partial => "measured in part and estimated in part",
        Basis::Estimated => "estimated, not measured",
        Basis::Assumed => "assumed, not measured",
    }
}

/// A value with its unit.
fn quantity(value: &str, metric: Metric) -> String {
    format!("{value} {}", metric.unit()).trim_end().to_owned()
}

const fn subject(subject: RuleSubject) -> &'static str {
    match subject {
        RuleSubject::Workload => "workload",
        RuleSubject::Namespace => "namespace",
        RuleSubject::Node => "node",
        RuleSubject::Facility => "facility",
        RuleSubject::Operator => "operator",
        RuleSubject::Country => "country",
    }
}

const fn metric(metric: Metric) -> &'static str {
    match metric {
        Metric::CarbonIntensity => "effective carbon intensity",
        Metric::Pue => "annual PUE",
        Metric::DesignPue25PercentLoad => "design PUE at 25 % IT load",
        Metric::EmissionsPerHour => "emissions per hour",
        Metric::EmissionsPerMonth => "emissions per month",
        Metric::AnnualEnergyToe => "annual energy use",
        Metric::AnnualFuelToe => "annual fuel use",
        Metric::AnnualEnergyMwh => "annual electricity use",
        Metric::AnnualCrudeOilKl => "annual energy use as crude oil",
        Metric::AnnualTco2e => "annual emissions",
        Metric::ContractPowerMw => "contract power",
        Metric::ConnectionKw => "connection power",
        Metric::InstalledItKw => "installed IT power",
        Metric::WueLitresPerKwh => "WUE",
        Metric::ErfPercent => "energy reuse factor",
        Metric::RefPercent => "renewable energy factor",
        Metric::RenewablePercent => "share of renewable electricity",
        Metric::CarbonFreePercent => "share of carbon-free energy",
        Metric::GhgReductionVs2018Percent => "reduction against 2018",
    }
}
