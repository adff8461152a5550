//! English: where and when to run.

use super::super::{RegionMessage, ScheduleMessage};
use super::render;
use crate::intensity::AccountingMethod;
use crate::numbers::figure;

pub(super) fn region(message: &RegionMessage) -> String {
    use RegionMessage as M;
    match message {
        M::ComparedBy { method } => format!(
            "All regions are compared by {} figures, of which more are published than of the current region's method.",
            method.name().en
        ),
        M::MethodAssumed { method } => format!(
            "The current region's figure does not say whether it is direct or lifecycle: it is taken for a {0} one, and \
             compared with {0} ones. A stated method settles that.",
            method.name().en
        ),
        M::OtherMethod { method } => {
            let method = match method {
                AccountingMethod::Direct => "direct emissions (at the stack)",
                AccountingMethod::Lifecycle => "lifecycle emissions",
            };
            format!("no intensity of {method} is published, as the current region's is")
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
        M::NotCompared { count, reason } => {
            let regions = if *count == 1 { "region" } else { "regions" };
            format!("Not compared: {count} {regions} ({}).", render(reason))
        }
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

pub(super) fn schedule(message: &ScheduleMessage) -> String {
    use ScheduleMessage as M;
    match message {
        M::NoForecast { error } => format!("No forecast: {}", render(error)),
        M::YearlyOnly => {
            "Only a yearly average is known: it says nothing about when to run. Configure a forecast or an \
             hourly profile."
                .to_owned()
        }
        M::OnePrice => "One price holds for all hours; windows differ in carbon only.".to_owned(),
        M::AnyTime => "By what is known, no time is better than another.".to_owned(),
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
