//! What the numbers mean that a model was trained with: the same name does not always mean the same.
//!
//! A true cache-miss count given to a model that was trained with dTLB accesses under that name gives
//! plausible, wrong watts. So each feature of a model has a [`Quantity`], callers say what they measure, and
//! [`Model::bind`](super::Model::bind) refuses what does not fit, with the reason.

use crate::activity::Activity;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a number given to a model is. All but the last two are sums over the node, per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quantity {
    /// CPU time of all tasks, without idle, in milliseconds per second.
    CpuTime,
    /// CPU time in which one idle CPU counts as busy, as exporter 0.7.11 recorded it (ms/s).
    CpuTimeWithPhantom,
    /// CPU time that the publisher derived from the load levels of SPECpower results (ms/s). It
    /// was not measured, and has no fixed relation to the machine's CPUs.
    CpuTimeOfLoadLevel,
    /// Page cache hits.
    PageCacheHits,
    /// Zero: page cache hits as exporter 0.7.11 recorded them.
    PageCacheHitsNotCounted,
    /// Unhalted CPU cycles.
    CpuCycles,
    /// Retired instructions.
    CpuInstructions,
    /// Misses of the last-level cache.
    CacheMisses,
    /// Read accesses to the data TLB, which exporter 0.7.11 recorded as cache misses: a hundred times as many.
    DtlbReads,
    /// Block device interrupts.
    BlockInterrupts,
    /// Network receive interrupts.
    NetworkReceiveInterrupts,
    /// Network transmit interrupts.
    NetworkTransmitInterrupts,
    /// Logical CPUs of the node: no rate, the same all the time.
    Threads,
    /// Not declared.
    Undeclared,
}

impl Quantity {
    /// All that an [`Activity`] can hold.
    pub const OF_ACTIVITY: [Quantity; 8] = [
        Quantity::CpuTime,
        Quantity::PageCacheHits,
        Quantity::CpuCycles,
        Quantity::CpuInstructions,
        Quantity::CacheMisses,
        Quantity::BlockInterrupts,
        Quantity::NetworkReceiveInterrupts,
        Quantity::NetworkTransmitInterrupts,
    ];

    /// This quantity in what the node did; `None` if it is not counted.
    ///
    /// ```
    /// use kepler_core::model::Quantity;
    /// use kepler_core::usage::Activity;
    ///
    /// let mut activity = Activity::default();
    /// activity.cpu_time = Some(750.0);
    /// let given: Vec<Quantity> = Quantity::OF_ACTIVITY.into_iter().filter(|q| q.rate(&activity).is_some()).collect();
    /// assert_eq!(given, [Quantity::CpuTime]); // what to bind a model to
    /// let row: Vec<f64> = given.iter().map(|q| q.rate(&activity).unwrap_or(f64::NAN)).collect();
    /// assert_eq!(row, [750.0]);
    /// ```
    #[must_use]
    pub const fn rate(self, activity: &Activity) -> Option<f64> {
        match self {
            Quantity::CpuTime => activity.cpu_time,
            Quantity::PageCacheHits => activity.page_cache_hits,
            Quantity::CpuCycles => activity.cycles,
            Quantity::CpuInstructions => activity.instructions,
            Quantity::CacheMisses => activity.cache_misses,
            Quantity::BlockInterrupts => activity.block_interrupts,
            Quantity::NetworkReceiveInterrupts => activity.network_receive_interrupts,
            Quantity::NetworkTransmitInterrupts => activity.network_transmit_interrupts,
            // Nothing here has these meanings.
            Quantity::CpuTimeWithPhantom
            | Quantity::CpuTimeOfLoadLevel
            | Quantity::PageCacheHitsNotCounted
            | Quantity::DtlbReads
            | Quantity::Threads
            | Quantity::Undeclared => None,
        }
    }

    /// What it is, in words, with its unit.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Quantity::CpuTime => "CPU time without idle, ms/s",
            Quantity::CpuTimeWithPhantom => "CPU time with one idle CPU counted as busy (exporter 0.7.11), ms/s",
            Quantity::CpuTimeOfLoadLevel => "CPU time derived from SPECpower load levels, ms/s",
            Quantity::PageCacheHits => "page cache hits, 1/s",
            Quantity::PageCacheHitsNotCounted => "constant 0 (exporter 0.7.11 counted no page cache hits)",
            Quantity::CpuCycles => "CPU cycles, 1/s",
            Quantity::CpuInstructions => "CPU instructions, 1/s",
            Quantity::CacheMisses => "last-level cache misses, 1/s",
            Quantity::DtlbReads => "dTLB read accesses (exporter 0.7.11 called them cache_miss), 1/s",
            Quantity::BlockInterrupts => "block device interrupts, 1/s",
            Quantity::NetworkReceiveInterrupts => "network receive interrupts, 1/s",
            Quantity::NetworkTransmitInterrupts => "network transmit interrupts, 1/s",
            Quantity::Threads => "logical CPUs of the node",
            Quantity::Undeclared => "undeclared",
        }
    }

    /// The feature's name in model files.
    #[must_use]
    pub const fn feature(self) -> &'static str {
        match self {
            Quantity::CpuTime | Quantity::CpuTimeWithPhantom | Quantity::CpuTimeOfLoadLevel => "bpf_cpu_time_ms",
            Quantity::PageCacheHits | Quantity::PageCacheHitsNotCounted => "bpf_page_cache_hit",
            Quantity::CpuCycles => "cpu_cycles",
            Quantity::CpuInstructions => "cpu_instructions",
            Quantity::CacheMisses | Quantity::DtlbReads => "cache_miss",
            Quantity::BlockInterrupts => "bpf_block_irq",
            Quantity::NetworkReceiveInterrupts => "bpf_net_rx_irq",
            Quantity::NetworkTransmitInterrupts => "bpf_net_tx_irq",
            Quantity::Threads => "threads",
            Quantity::Undeclared => "",
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

/// What the features of a model mean, by who recorded the rows it was trained with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Semantics {
    /// Not declared. Nothing can be bound to such a model; declare it with [`Model::with_semantics`](super::Model::with_semantics).
    #[default]
    #[serde(rename = "undeclared")]
    Undeclared,
    /// What the names say.
    #[serde(rename = "as-named")]
    AsNamed,
    /// Recorded by exporter 0.7.11: dTLB reads as `cache_miss`, a phantom CPU in `bpf_cpu_time_ms`,
    /// `bpf_page_cache_hit` always 0. Pipelines of 0.7.11 on real machines, and the RAPL weights that Kepler 0.9 embeds.
    #[serde(rename = "exporter-0.7.11")]
    Exporter0711,
    /// Derived from SPECpower results: the `specpower` pipelines, and the ACPI weights that Kepler 0.9 embeds.
    #[serde(rename = "specpower")]
    SpecPower,
}

impl Semantics {
    /// All, `undeclared` first.
    pub const ALL: [Semantics; 4] =
        [Semantics::Undeclared, Semantics::AsNamed, Semantics::Exporter0711, Semantics::SpecPower];

    /// The name in files and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Semantics::Undeclared => "undeclared",
            Semantics::AsNamed => "as-named",
            Semantics::Exporter0711 => "exporter-0.7.11",
            Semantics::SpecPower => "specpower",
        }
    }

    /// Those of a published pipeline, by its name (`ec2-0.7.11`). Unknown names are [`Semantics::Undeclared`].
    #[must_use]
    pub fn of_pipeline(name: &str) -> Self {
        if name.starts_with("specpower") {
            Semantics::SpecPower
        } else if name.ends_with("0.7.11") {
            Semantics::Exporter0711
        } else {
            Semantics::Undeclared
        }
    }

    /// What a feature means. An unknown name is [`Quantity::Undeclared`].
    #[must_use]
    pub fn quantity(self, feature: &str) -> Quantity {
        match (feature, self) {
            (_, Semantics::Undeclared) => Quantity::Undeclared,
            ("bpf_cpu_time_ms", Semantics::AsNamed) => Quantity::CpuTime,
            ("bpf_cpu_time_ms", Semantics::Exporter0711) => Quantity::CpuTimeWithPhantom,
            ("bpf_cpu_time_ms", Semantics::SpecPower) => Quantity::CpuTimeOfLoadLevel,
            ("bpf_page_cache_hit", Semantics::AsNamed) => Quantity::PageCacheHits,
            ("bpf_page_cache_hit", _) => Quantity::PageCacheHitsNotCounted,
            ("cache_miss", Semantics::Exporter0711) => Quantity::DtlbReads,
            ("cache_miss", _) => Quantity::CacheMisses,
            ("cpu_cycles", _) => Quantity::CpuCycles,
            ("cpu_instructions", _) => Quantity::CpuInstructions,
            ("threads", _) => Quantity::Threads,
            ("bpf_block_irq", _) => Quantity::BlockInterrupts,
            ("bpf_net_rx_irq", _) => Quantity::NetworkReceiveInterrupts,
            ("bpf_net_tx_irq", _) => Quantity::NetworkTransmitInterrupts,
            _ => Quantity::Undeclared,
        }
    }
}

impl fmt::Display for Semantics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Semantics {
    type Err = ParseSemanticsError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Semantics::ALL.into_iter().find(|semantics| semantics.name() == name);
        known.ok_or_else(|| ParseSemanticsError(name.chars().take(80).collect()))
    }
}

/// A name that no semantics has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown semantics `{0}`; known are as-named, exporter-0.7.11, specpower, undeclared")]
pub struct ParseSemanticsError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for semantics in Semantics::ALL {
            assert_eq!(semantics.name().parse(), Ok(semantics));
            assert_eq!(serde_json::to_value(semantics).unwrap(), semantics.name());
        }
        assert!("named".parse::<Semantics>().is_err());
    }

    #[test]
    fn pipelines_tell_their_semantics_and_unknown_ones_none() {
        assert_eq!(Semantics::of_pipeline("ec2-0.7.11"), Semantics::Exporter0711);
        assert_eq!(Semantics::of_pipeline("specpower-0.7.11"), Semantics::SpecPower);
        assert_eq!(Semantics::of_pipeline("ours"), Semantics::Undeclared);
    }
}
