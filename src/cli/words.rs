//! The words of text output, as types here and in one file a language.

mod en;
mod ko;

use kepler_compliance::text::Lang;
use kepler_compliance::tools::StatusCounts;

/// A word of a page: the head of a column, the name of a fact, a heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Workload,
    Status,
    Carbon,
    Pue,
    Assumed,
    Region,
    Power,
    Emissions,
    Co2e,
    MonthProjected,
    SavingsInAMonth,
    Note,
    LeftOut,
    Kind,
    Rank,
    EffectiveIntensity,
    GridIntensity,
    Year,
    Saves,
    SavedInAMonth,
    Zone,
    Start,
    Now,
    Intensity,
    Cost,
    Pieces,
    Code,
    Where,
    Force,
    Subject,
    InForce,
    Name,
    Asks,
    Source,
    Draft,
    Passed,
    Verified,
    Applies,
    Unknown,
    Yes,
    No,
}

/// Something with figures in it.
#[derive(Clone, Debug)]
pub(super) enum Phrase<'a> {
    /// How many instances of a workload there are.
    Instances { kind: &'a str, running: usize, ended: usize },
    /// A limit, and how far the figure is from it.
    Limit { limit: &'a str, gap_percent: f64 },
    /// A part of the power.
    Part { part: Part, watts: &'a str },
    /// How many workloads were listed, and what they are.
    Listed { shown: usize, total: usize, counts: &'a StatusCounts },
    /// From one day to another.
    Period { from: &'a str, to: &'a str },
    /// A rule that no one has adopted.
    NotAdopted,
    /// Adopted, and not in force yet.
    NotInForceYet,
    /// The rule has not been compared with its source again.
    NotVerifiedSince,
}

/// A part of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Cpu,
    Memory,
    Gpu,
}

/// The word in a language.
pub(super) const fn word(word: Word, lang: Lang) -> &'static str {
    match lang {
        Lang::Ko => ko::word(word),
        _ => en::word(word),
    }
}

/// The phrase in a language.
pub(super) fn phrase(phrase: &Phrase<'_>, lang: Lang) -> String {
    match lang {
        Lang::Ko => ko::phrase(phrase),
        _ => en::phrase(phrase),
    }
}

/// The head of a column: words stand in capitals where the language has them.
pub(super) fn heads<const N: usize>(words: [Word; N], lang: Lang) -> [String; N] {
    words.map(|head| word(head, lang).to_uppercase())
}
