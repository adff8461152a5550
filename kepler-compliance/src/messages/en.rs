//! English.

use super::{
    AssessmentMessage, EnergyMessage, FacilityMessage, HotspotMessage, Message, MigrationMessage, PueMessage,
    RegionMessage, ScheduleMessage, ShiftMessage, SizingMessage, SummaryMessage, TargetPue, TrendMessage,
};
use crate::intensity::{AccountingMethod, SeriesBasis, lasting};
use crate::numbers::{apart, figure, percent};
use crate::standards::{
    Basis, Condition, FigureSource, Limit, Metric, OPERATION_START, Requirement, ScopeMessage, Subject, Threshold,
    VerdictMessage, name_of, stated_by,
};
use crate::text::Lang;

const LANG: Lang = Lang::En;

pub(super) fn render(message: &Message) -> String {
    match message {
        Message::Text(text) => text.lang(LANG).to_owned(),
        Message::Verbatim(text) => text.clone(),
        Message::Energy(message) => energy(message),
        Message::Facility(message) => facility(message),
        Message::Verdict(message) => verdict(message),
        Message::Source(source) => figure_source(source),
        Message::Pue(message) => pue(message),
        Message::Sizing(message) => sizing(message),
        Message::Migration(message) => migration(message),
        Message::Shift(message) => shift(message),
        Message::Assessment(message) => assessment(message),
        Message::Hotspot(message) => hotspot(message),
        Message::Region(message) => region(message),
        Message::Schedule(message) => schedule(message),
        Message::Trend(message) => trend(message),
        Message::Summary(message) => summary(message),
    }
}

fn energy(message: &EnergyMessage) -> String {
    use EnergyMessage as M;
    match message {
        M::Estimated { error_ratio } => {
            let error = percent(error_ratio * 100.0);
            format!("Energy is estimated by a model, not measured; expected error ±{error} % (one sigma).")
        }
        M::Partial { error_ratio } => {
            let error = percent(error_ratio * 100.0);
            format!(
                "Energy is measured in part only: what cannot be read is estimated from the rest; expected error ±{error} % (one sigma)."
            )
        }
        M::Coverage { ratio, covered } => format!(
            "The figures cover {} % of the window and the nodes ({} s of readings).",
            percent(ratio * 100.0),
            figure(covered.as_secs_f64())
        ),
        M::Stale { age } => format!(
            "The newest reading is {} s old: nothing was read since, so this is how it was, not how it is.",
            figure(age.as_secs_f64())
        ),
        M::LeftOut { what, reason } => format!("{what} is left out: {reason}"),
        M::OthersLeftOut { count: 1 } => "Another one is left out.".to_owned(),
        M::OthersLeftOut { count } => format!("{count} others are left out."),
        M::NoData { origin, range, reason } => format!("{origin} has no energy figures from {range}: {reason}"),
        M::NotRunning => "It does not run any more: energy is known, power is not.".to_owned(),
        M::Unassigned { percent: share } => {
            format!("{} % of the nodes' energy is idle or unattributed and charged to no workload.", percent(*share))
        }
        M::CostByHours { tariff, mean, currency, percent: priced } => format!(
            "Monthly cost: {} {currency}/kWh, the mean of tariff {tariff} over the next 730 h, as if work ran evenly through \
             them; {} % of these hours have a price in it and stand for all.",
            figure(*mean),
            percent(*priced)
        ),
        M::CostUnknown { tariff, percent: priced } => {
            format!("No monthly cost: tariff {tariff} has a price for {} % of the next 730 h only.", percent(*priced))
        }
        M::InferredPods { controller } => {
            format!("Which pods belong to {controller} is inferred from their names; Kubernetes was not asked.")
        }
    }
}

fn facility(message: &FacilityMessage) -> String {
    use FacilityMessage as M;
    match message {
        M::RegionAssumed { region } => {
            format!("No region is configured; {region} is assumed: state the region in the settings (facility.region).")
        }
        M::YearlyAverageUsed { error } => {
            format!("The yearly average of the zone table is used, because {}", render(error))
        }
        M::IntensityUnknown { zone, error } => format!(
            "The grid intensity of {zone} is not known: {} State your own in the settings (carbon.grid_intensity).",
            render(error)
        ),
        M::NoIntensityZone { origin, zone, known } => {
            format!("{origin} has no data for zone `{zone}`; it has: {}.", known.join(", "))
        }
        M::NoIntensityThen { origin, zone, from, to } => {
            format!("{origin} has no intensity for zone `{zone}` from {from} to {to}.")
        }
        M::StaleIntensity { origin, zone, ended, age, validity } => format!(
            "{origin} is stale for zone `{zone}`: its newest value ended at {ended}, {} ago, and may be used for {}.",
            lasting(*age),
            lasting(*validity)
        ),
        M::IntensityBeginsLater { origin, zone, start } => {
            format!("{origin} has no intensity for zone `{zone}` before {start}.")
        }
        M::NoPublishedPue { region } => {
            format!("No PUE is published for {region}; state your own in the settings (facility.pue).")
        }
    }
}

fn figure_source(source: &FigureSource) -> String {
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
            format!("{code} applies only if {}; that is not stated of the site.", missing.join(" and "))
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

fn verdict(message: &VerdictMessage) -> String {
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
            format!("Stated of the site, not measured: {}.", stated.join("; "))
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
            format!("The {} is stated of the site, not measured.", metric(*of))
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

const fn subject(subject: Subject) -> &'static str {
    match subject {
        Subject::Workload => "workload",
        Subject::Namespace => "namespace",
        Subject::Node => "node",
        Subject::Facility => "facility",
        Subject::Operator => "operator",
        Subject::Country => "country",
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

fn target(target: &TargetPue) -> &str {
    match target {
        TargetPue::Request => "asked for",
        TargetPue::Standard { code } => code,
    }
}

fn pue(message: &PueMessage) -> String {
    use PueMessage as M;
    match message {
        M::Unknown => "The PUE is not known.".to_owned(),
        M::NoTarget => "No PUE is aimed at.".to_owned(),
        M::Reached { current, target: aim, whose } => {
            format!("PUE {} is at or below {} ({}) already.", figure(*current), figure(*aim), target(whose))
        }
        M::Lower { current, target } => {
            let (current, target) = (figure(*current), figure(*target));
            format!("Lower the facility's PUE from {current} to {target} (cooling, air flow, power supply).")
        }
        M::LowerBasis { current, target: aim, whose } => format!(
            "PUE {} now against {} ({}); emissions are proportional to PUE.",
            figure(*current),
            figure(*aim),
            target(whose)
        ),
    }
}

fn sizing(message: &SizingMessage) -> String {
    use SizingMessage as M;
    match message {
        M::RequestsUnknown => "What it requests is not known (no Kubernetes requests at this source).".to_owned(),
        M::CpuTimeUnknown => "Its CPU time over the window is not known.".to_owned(),
        M::RequestsFit { needed, requested } => {
            format!("It uses what it requests: {needed:.2} of {requested:.2} cores (99th percentile).")
        }
        M::PowerUnknown => "The idle power of its nodes, or its own power, is not known.".to_owned(),
        M::LowerRequests { needed, requested } => {
            let freed = requested - needed;
            format!(
                "Request {needed:.2} instead of {requested:.2} cores, so that {freed:.2} cores need not be kept idle."
            )
        }
        M::LowerRequestsBasis { steps, idle_watts, cores, saved_watts, own_watts } => format!(
            "99th percentile of {steps} steps of measured CPU time; idle power {} W for {} cores of its nodes, of which \
             {} W are counted, at most the workload's own {} W. Saved only if a machine is freed.",
            figure(*idle_watts),
            figure(*cores),
            figure(*saved_watts),
            figure(*own_watts)
        ),
    }
}

fn migration(message: &MigrationMessage) -> String {
    use MigrationMessage as M;
    match message {
        M::CurrentUnknown => "The current intensity or PUE is not known.".to_owned(),
        M::NoRegion => "There is no region to compare with.".to_owned(),
        M::NotComparable { region, reason } => format!("{region}: {}", render(reason)),
        M::NoneLower { margin_percent, region, there, here } => format!(
            "No region is lower by more than {} %: {region} has {} g/kWh against {}.",
            figure(*margin_percent),
            figure(*there),
            figure(*here)
        ),
        M::Move { region, zone, there, here } => format!(
            "Move it to {region} ({zone}): {} instead of {} g per kWh of IT energy.",
            figure(*there),
            figure(*here)
        ),
        M::MoveBasis { grid, source, pue, caveats } => {
            let (grid, source, pue) = (figure(*grid), figure_source(source), figure(*pue));
            let basis = format!("Intensity {grid} g/kWh ({source}) and PUE {pue}.");
            std::iter::once(basis).chain(caveats.iter().map(render)).collect::<Vec<_>>().join(" ")
        }
    }
}

fn shift(message: &ShiftMessage) -> String {
    use ShiftMessage as M;
    match message {
        M::NoForecast { error } => format!("No intensity is forecast: {}", render(error)),
        M::YearlyOnly => {
            "Only a yearly average of the intensity is known, which says nothing about when to run.".to_owned()
        }
        M::NoPlan { error } => render(error),
        M::NowUnknown => "The intensity of now is not known.".to_owned(),
        M::NowIsCleanest => "Now is the cleanest time of the next 24 hours.".to_owned(),
        M::RunLater { start, then, now } => {
            format!("If it can wait, run it from {start}: {} instead of {} g/kWh.", figure(*then), figure(*now))
        }
        M::RunLaterBasis { zone, basis, source } => {
            let basis = match basis {
                SeriesBasis::Profile => "a typical day",
                SeriesBasis::Forecast => "a forecast",
                SeriesBasis::Observed => "observed values",
                SeriesBasis::YearlyAverage => "a yearly average",
            };
            format!("{zone} for the next 24 h is {basis} of {source}; the whole work is taken as movable.")
        }
    }
}

fn assessment(message: &AssessmentMessage) -> String {
    use AssessmentMessage as M;
    match message {
        M::IntensityOnly => "The carbon standard judges the grid and the facility per kWh; it does not depend on how \
             much the workload uses."
            .to_owned(),
        M::NoFigures => {
            "There are no energy figures of that window yet; measure longer or ask for another window.".to_owned()
        }
        M::NoAction => "No action is needed to keep the standard.".to_owned(),
        M::LargestSaving { percent: share, advice } => {
            format!("The largest saving, up to {} %: {}", percent(*share), render(advice))
        }
        M::Projection => "After is a projection: reductions are estimates, each with its range and basis.".to_owned(),
    }
}

fn hotspot(message: &HotspotMessage) -> String {
    use HotspotMessage as M;
    match message {
        M::MostlyGpu { percent: share } => {
            format!("{} % of its energy is the graphics processors'.", percent(*share))
        }
        M::LookAtGpu => "Look at the utilisation of its graphics processors: batch more, lower their power limit, or \
             release them."
            .to_owned(),
        M::MostlyMemory { percent: share } => format!("{} % of its energy is the memory's.", percent(*share)),
        M::LookAtMemory => "Look at its memory traffic: data layout, caching, huge pages.".to_owned(),
        M::Instances { count, cores, percent: share } => format!(
            "{count} instances together use {} cores, {} % of the workloads' power.",
            figure(*cores),
            percent(*share)
        ),
        M::LookAtInstances => {
            "Compare with its load: fewer, fuller instances need less; profile the hottest one.".to_owned()
        }
        M::Cores { cores, percent: share } => {
            format!("It uses {} cores, {} % of the workloads' power.", figure(*cores), percent(*share))
        }
        M::LookAtCores => "Profile its processor time; if the work can wait, schedule it for cleaner hours.".to_owned(),
        M::Power { watts, percent: share } => {
            format!("It draws {} W, {} % of the workloads' power.", figure(*watts), percent(*share))
        }
        M::LookAtNode => "Its processor time is not known here; profile it on its node.".to_owned(),
        M::Remainder { others, others_watts, unlisted_watts, unattributed_watts } => {
            let mut parts = Vec::new();
            if *others > 0 {
                parts.push(format!("{others} other workloads {} W", figure(*others_watts)));
            }
            if let Some(watts) = unlisted_watts {
                parts.push(format!("work that this source assigns to no listed workload {} W", figure(*watts)));
            }
            if let Some(watts) = unattributed_watts {
                parts.push(format!("active power that nothing explains {} W", figure(*watts)));
            }
            format!("Not listed: {}.", parts.join("; "))
        }
    }
}

fn region(message: &RegionMessage) -> String {
    use RegionMessage as M;
    match message {
        M::ComparedBy { method } => format!(
            "All regions are compared by {} figures, of which more are published than of the current region's method.",
            method.name().en
        ),
        M::OtherMethod { method } => {
            let method = match method {
                AccountingMethod::Direct => "direct emissions (at the stack)",
                AccountingMethod::Lifecycle => "lifecycle emissions",
            };
            format!("no intensity by {method}, as the current region's is, is published")
        }
        M::NoFigure => "no intensity is published".to_owned(),
        M::PueAssumed { region, pue } => {
            format!("No PUE is published for {region}; the current facility's {} is assumed.", figure(*pue))
        }
        M::CurrentUnknown => {
            "The current region's grid intensity is not known, so nothing can be compared with it.".to_owned()
        }
        M::WithoutPue => "The current facility's PUE is not known: regions are ranked by grid intensity alone, the \
             overhead of facilities is not in it."
            .to_owned(),
        M::YearlyAverages => "Yearly averages of the grids; latency, data residence and the effort of moving are not \
             considered."
            .to_owned(),
        M::NotCompared { count, reason } => format!("Not compared: {count} regions ({}).", render(reason)),
        M::Migrate { region, zone, current, percent: share, grid_only } => {
            let by = if *grid_only { "kWh of electricity" } else { "kWh of IT energy" };
            format!("{region} ({zone}) would emit {} % less per {by} than {current}.", figure(*share))
        }
        M::Stay { current, margin_percent } => {
            format!("Stay: no compared region is lower than {current} by more than {} %.", figure(*margin_percent))
        }
        M::NoAdvice => "Not enough is known to advise.".to_owned(),
    }
}

fn schedule(message: &ScheduleMessage) -> String {
    use ScheduleMessage as M;
    match message {
        M::NoForecast { error } => format!("No forecast: {}", render(error)),
        M::YearlyOnly => {
            "Only a yearly average is known: it says nothing about when to run. Configure a forecast or an \
             hourly profile."
                .to_owned()
        }
        M::OnePrice => "One price holds for all hours; windows differ in carbon only.".to_owned(),
        M::AnyTime => "Any time is as good as another by what is known.".to_owned(),
        M::Start { local, intensity, saving_percent: Some(saving) } => {
            format!("Start at {local}: {} g/kWh, {} % less than starting now.", figure(*intensity), figure(*saving))
        }
        M::Start { local, intensity, saving_percent: None } => {
            format!("Start at {local}: {} g/kWh.", figure(*intensity))
        }
        M::StartOrNow { local } => format!("Start at {local}; starting now would not emit more."),
        M::Job(error) => error.to_string(),
        M::Plan(error) => error.to_string(),
    }
}

fn trend(message: &TrendMessage) -> String {
    use TrendMessage as M;
    match message {
        M::NoFigures => "There are no energy figures of that range.".to_owned(),
        M::Coverage { ratio } => format!("The steps cover {} % of the range.", percent(ratio * 100.0)),
        M::IntensityGaps => "For part of the time no intensity is known; the current one stands in.".to_owned(),
        M::Course { mean_watts, peak_watts, rise, anomalies } => {
            let course = match rise {
                Some(rise) if *rise > 0.0 => format!("rising by {} W an hour", figure(*rise)),
                Some(rise) => format!("falling by {} W an hour", figure(-rise)),
                None => "without a clear trend".to_owned(),
            };
            let steps = if *anomalies == 1 { "step" } else { "steps" };
            let (mean, peak) = (figure(*mean_watts), figure(*peak_watts));
            format!("{mean} W on average, at most {peak} W, {course}; {anomalies} {steps} far from the median.")
        }
    }
}

fn summary(message: &SummaryMessage) -> String {
    use SummaryMessage as M;
    match message {
        M::MuchIdle { percent: share } => format!(
            "{} % of the energy is idle: pack workloads on fewer nodes and switch the others off, at most that share \
             can be saved.",
            percent(*share)
        ),
        M::MuchUnattributed { percent: share } => format!(
            "{} % of the energy has no known workload: look for short-lived processes and kernel work.",
            percent(*share)
        ),
    }
}
