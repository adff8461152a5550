//! English.

use super::{Part, Phrase, Word};
use kepler_compliance::numbers::change;

pub(super) const fn word(word: Word) -> &'static str {
    match word {
        Word::Workload => "workload",
        Word::Status => "status",
        Word::Carbon => "carbon",
        Word::Pue => "PUE",
        Word::Assumed => "assumed",
        Word::Region => "region",
        Word::Power => "power",
        Word::Emissions => "emissions",
        Word::Co2e => "CO2e",
        Word::MonthProjected => "month, projected",
        Word::SavingsInAMonth => "Could be saved in a month:",
        Word::Note => "Note:",
        Word::LeftOut => "Left out:",
        Word::Kind => "kind",
        Word::Rank => "rank",
        Word::EffectiveIntensity => "g/kWh*PUE",
        Word::GridIntensity => "grid",
        Word::Year => "year",
        Word::Saves => "saves",
        Word::SavedInAMonth => "a month",
        Word::Zone => "zone",
        Word::Start => "start",
        Word::Now => "now",
        Word::Intensity => "intensity",
        Word::Cost => "cost",
        Word::Pieces => "pieces",
        Word::Code => "code",
        Word::Where => "where",
        Word::Force => "force",
        Word::Subject => "subject",
        Word::InForce => "in force",
        Word::Name => "name",
        Word::Asks => "asks",
        Word::Source => "source",
        Word::Draft => "draft",
        Word::Passed => "passed",
        Word::Verified => "verified",
        Word::Applies => "applies",
        Word::Unknown => "unknown",
        Word::Yes => "yes",
        Word::No => "no",
    }
}

pub(super) fn phrase(phrase: &Phrase<'_>) -> String {
    match phrase {
        Phrase::Instances { kind, running, ended } => format!("{kind}, {running} running, {ended} ended"),
        Phrase::Limit { limit, gap_percent } => format!("limit {limit}, gap {} %", change(*gap_percent)),
        Phrase::Part { part, watts } => match part {
            Part::Cpu => format!("cpu {watts}"),
            Part::Memory => format!("memory {watts}"),
            Part::Gpu => format!("gpu {watts}"),
        },
        Phrase::Listed { shown, total, counts } => format!(
            "{shown} of {total}; {} compliant, {} non-compliant, {} not applicable, {} insufficient data",
            counts.compliant, counts.non_compliant, counts.not_applicable, counts.insufficient_data
        ),
        Phrase::Period { from, to } => format!("{from} to {to}"),
        Phrase::NotAdopted => "not adopted, never in force".to_owned(),
        Phrase::NotVerifiedSince => "not since it was written".to_owned(),
        Phrase::NotInForceYet => "adopted, not in force yet".to_owned(),
    }
}
