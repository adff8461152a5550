//! Weights by which active energy is divided among workloads.

use crate::units::{PerZone, ZoneKind};
use std::fmt;
use std::str::FromStr;

/// What a workload's part of a zone's active energy is proportional to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Weight {
    /// CPU time; on hybrid processors times the capacity of the core, where the core is known.
    #[default]
    Time,
    /// CPU cycles, which do not pass while a core is halted and pass more slowly at a low frequency.
    Cycles,
    /// Instructions retired.
    Instructions,
    /// Misses of the last-level cache: accesses to memory.
    CacheMisses,
    /// All of these, each with what it [costs](super::learned) on this machine. It cannot be asked for: it is used where nothing else is asked for, while
    /// it predicts power better than the [best](Weight::best) of the others.
    Learned,
}

impl Weight {
    /// All that can be asked for.
    pub const ALL: [Weight; 4] = [Weight::Time, Weight::Cycles, Weight::Instructions, Weight::CacheMisses];

    /// `time`, `cycles`, `instructions`, `cache_misses` or `learned`, the `weight` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Weight::Time => "time",
            Weight::Cycles => "cycles",
            Weight::Instructions => "instructions",
            Weight::CacheMisses => "cache_misses",
            Weight::Learned => "learned",
        }
    }

    /// The best weight for a kind of zone, if it is counted: memory draws by being accessed, the rest by
    /// cores running. A platform holds more than both: for it and for uncore, time is as good as any. Accelerators tell
    /// themselves who used them, and for how much of their time.
    #[must_use]
    pub const fn best(zone: ZoneKind) -> Self {
        match zone {
            ZoneKind::Package | ZoneKind::Core => Weight::Cycles,
            ZoneKind::Dram => Weight::CacheMisses,
            ZoneKind::Uncore | ZoneKind::Psys | ZoneKind::Gpu | ZoneKind::Platform => Weight::Time,
        }
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Nothing is divided by what goes by this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one of `time`, `cycles`, `instructions`, `cache_misses`")]
#[non_exhaustive]
pub struct UnknownWeight(pub String);

impl FromStr for Weight {
    type Err = UnknownWeight;

    fn from_str(name: &str) -> Result<Self, UnknownWeight> {
        Weight::ALL.into_iter().find(|weight| weight.name() == name).ok_or_else(|| UnknownWeight(name.to_owned()))
    }
}

/// Which weight is asked for in each zone. `None`, the default: [`Weight::Learned`] where that predicts better, else [`Weight::best`] if it is
/// counted, else time.
///
/// One that is asked for and not counted is not used either: time takes its place, which
/// [`Node::weights`](crate::snapshot::Node::weights) shows and the log warns of.
pub type Weights = PerZone<Option<Weight>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_are_refused_by_name() {
        for weight in Weight::ALL {
            assert_eq!(weight.name().parse(), Ok(weight));
        }
        let refused = "dtlb".parse::<Weight>().unwrap_err();
        assert!(refused.to_string().contains("`dtlb`") && refused.to_string().contains("`cycles`"), "{refused}");
    }
}
