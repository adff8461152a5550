//! English: what would help.

use super::super::{AssessmentMessage, MigrationMessage, PueMessage, ShiftMessage, SizingMessage, TargetPue};
use super::render;
use super::verdict::figure_source;
use crate::intensity::SeriesBasis;
use crate::numbers::{figure, percent};

fn target(target: &TargetPue) -> &str {
    match target {
        TargetPue::Request => "asked for",
        TargetPue::Standard { code } => code,
    }
}

pub(super) fn pue(message: &PueMessage) -> String {
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

pub(super) fn sizing(message: &SizingMessage) -> String {
    use SizingMessage as M;
    match message {
        M::RequestsUnknown => "Its requests are not known (no Kubernetes requests at this source).".to_owned(),
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

pub(super) fn migration(message: &MigrationMessage) -> String {
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
            "Move it to {region} ({}): {} instead of {} g per kWh of IT energy.",
            zone.en,
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

pub(super) fn shift(message: &ShiftMessage) -> String {
    use ShiftMessage as M;
    match message {
        M::NoForecast { error } => format!("No intensity is forecast: {}", render(error)),
        M::YearlyOnly => {
            "Only a yearly average of the intensity is known, which says nothing about when to run.".to_owned()
        }
        M::NoPlan { error } => render(error),
        M::NowUnknown => "The current intensity is not known.".to_owned(),
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
            format!("{zone} for the next 24 h is {basis} of {source}; all of the work is assumed to be movable.")
        }
    }
}

pub(super) fn assessment(message: &AssessmentMessage) -> String {
    use AssessmentMessage as M;
    match message {
        M::IntensityOnly => "The carbon standard judges the grid and the facility per kWh; it does not depend on how \
             much the workload uses."
            .to_owned(),
        M::NoFigures => {
            "There are no energy figures of that window yet; measure longer or ask for another window.".to_owned()
        }
        M::NoAction => "No action is needed to meet the standard.".to_owned(),
        M::LargestSaving { percent: share, advice } => {
            format!("The largest saving, up to {} %: {}", percent(*share), render(advice))
        }
        M::Projection => "After is a projection: reductions are estimates, each with its range and basis.".to_owned(),
    }
}
