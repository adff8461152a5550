//! English.

mod advice;
mod choices;
mod planning;
mod verdict;

use super::{EnergyMessage, FacilityMessage, HotspotMessage, Message, SummaryMessage, TrendMessage};
use crate::lasting::{exactly, lasting};
use crate::numbers::{figure, percent};
use crate::text::Lang;

const LANG: Lang = Lang::En;

pub(super) fn render(message: &Message) -> String {
    match message {
        Message::Text(text) => text.lang(LANG).to_owned(),
        Message::Verbatim(text) => text.clone(),
        Message::Energy(message) => energy(message),
        Message::Facility(message) => facility(message),
        Message::Verdict(message) => verdict::verdict(message),
        Message::Source(source) => verdict::figure_source(source),
        Message::Pue(message) => advice::pue(message),
        Message::Sizing(message) => advice::sizing(message),
        Message::Migration(message) => advice::migration(message),
        Message::Shift(message) => advice::shift(message),
        Message::Assessment(message) => advice::assessment(message),
        Message::Hotspot(message) => hotspot(message),
        Message::Region(message) => planning::region(message),
        Message::Schedule(message) => planning::schedule(message),
        Message::Trend(message) => trend(message),
        Message::Summary(message) => summary(message),
        Message::Choice(message) => choices::choice(message),
    }
}

fn energy(message: &EnergyMessage) -> String {
    use EnergyMessage as M;
    match message {
        M::Estimated { error_ratio } => {
            let error = percent(error_ratio * 100.0);
            format!("Energy is estimated by a model, not measured; expected error ±{error} % (one sigma).")
        }
        M::Corrected { source, factor, age } => format!(
            "The estimate is multiplied by {}, as the meter of the whole machine ({source}) has shown; its newest reading is {} old.",
            figure(*factor),
            exactly(*age, Lang::En)
        ),
        M::Partial { error_ratio } => {
            let error = percent(error_ratio * 100.0);
            format!(
                "Energy is measured in part only: what cannot be read is estimated from the rest; expected error ±{error} % (one sigma)."
            )
        }
        M::Coverage { ratio, covered } => format!(
            "The figures cover {} % of the window and the nodes ({} from the first reading to the last).",
            percent(ratio * 100.0),
            exactly(*covered, Lang::En)
        ),
        M::Stale { age } => format!(
            "The newest reading is {} old: nothing was read since, so these figures describe that time, not now.",
            exactly(*age, Lang::En)
        ),
        M::LeftOut { what, reason } => format!("{what} is left out: {reason}"),
        M::OthersLeftOut { count: 1 } => "Another one is left out.".to_owned(),
        M::OthersLeftOut { count } => format!("{count} others are left out."),
        M::NoLabels => {
            "No labels of pods are known here: have those that matter shown (`kube.podLabels` of the exporters)."
                .to_owned()
        }
        M::NoData { origin, range, reason } => format!("{origin} has no energy figures from {range}: {reason}"),
        M::NotRunning => "It no longer runs: energy is known, power is not.".to_owned(),
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
        M::DevicesNotTold { known_joules, all_joules } if *known_joules > 0.0 => format!(
            "Of the {} J of all accelerators {} J are known by device: for the time before, the source does not tell them apart.",
            figure(*all_joules),
            figure(*known_joules)
        ),
        M::DevicesNotTold { all_joules, .. } => format!(
            "The source does not tell which accelerator drew how much of the {} J of all of them.",
            figure(*all_joules)
        ),
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
            "The grid intensity of {} is not known: {} State your own in the settings (carbon.grid_intensity).",
            zone.en,
            render(error)
        ),
        M::NoIntensityZone { origin, zone, known } => {
            format!("{origin} has no data for zone `{zone}`; it has: {}.", known.join(", "))
        }
        M::NoIntensityThen { origin, zone, from, to } => {
            format!("{origin} has no intensity for zone `{zone}` from {from:.0} to {to:.0}.")
        }
        M::StaleIntensity { origin, zone, ended, age, validity } => format!(
            "{origin} is stale for zone `{zone}`: its newest value ended at {ended:.0}, {} ago, and may be used for {}.",
            lasting(*age, Lang::En),
            lasting(*validity, Lang::En)
        ),
        M::IntensityEnded { origin, zone, ended, age } => format!(
            "{origin} has no forecast for zone `{zone}`: its newest value ended at {ended:.0}, {} ago.",
            lasting(*age, Lang::En)
        ),
        M::IntensityBeginsLater { origin, zone, start } => {
            format!("{origin} has no intensity for zone `{zone}` before {start:.0}.")
        }
        M::NoPublishedPue { region } => {
            format!("No PUE is published for {region}; state your own in the settings (facility.pue).")
        }
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

fn trend(message: &TrendMessage) -> String {
    use TrendMessage as M;
    match message {
        M::NoFigures => "There are no energy figures of that range.".to_owned(),
        M::Coverage { ratio } => format!("The steps cover {} % of the range.", percent(ratio * 100.0)),
        M::IntensityGaps => "For part of the time no intensity is known; the current one is used.".to_owned(),
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
