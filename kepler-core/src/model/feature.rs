//! What the numbers mean that a model was trained with: the same name does not always mean the same.
//!
//! A true cache-miss count given to a model that was trained with dTLB accesses under that name gives
//! plausible, wrong watts. So each feature of a model has a [`Quantity`], callers say what they measure, and
//! [`Model::bind`](super::Model::bind) refuses what does not fit, with the reason.

use std::fmt;

/// Milliseconds per second that the 0.7.11 exporter counted too much: one CPU's idle time.
///
/// Its idle machines show 1,081 to 1,114 ms/s in the published rows; at full load the excess vanishes, since
/// no machine shows more than its CPUs.
const PHANTOM_CPU: f64 = 1000.0;

/// What a number given to a model is. All are sums over the node, per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quantity {
    /// CPU time of all tasks, without idle, in milliseconds per second.
    CpuTime,
    /// CPU time in which one idle CPU counts as busy, as exporter 0.7.11 recorded it (ms/s).
    CpuTimeWithPhantom,
    /// CPU time that the publisher derived from the load levels of SPECpower results (ms/s). Nobody
    /// measured it, and it stands in no fixed relation to the machine's CPUs.
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
    /// Nobody says what it is.
    Undeclared,
}

impl Quantity {
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Semantics {
    /// Nobody says. Nothing can be bound to such a model; say it with [`Model::with_semantics`](super::Model::with_semantics).
    #[default]
    Undeclared,
    /// What the names say.
    AsNamed,
    /// Recorded by exporter 0.7.11: dTLB reads as `cache_miss`, a phantom CPU in `bpf_cpu_time_ms`,
    /// `bpf_page_cache_hit` always 0. Pipelines of 0.7.11 on real machines, and the RAPL weights that Kepler 0.9 embeds.
    Exporter0711,
    /// Derived from SPECpower results: the `specpower` pipelines, and the ACPI weights that Kepler 0.9 embeds.
    SpecPower,
}

impl Semantics {
    /// Those of a published pipeline, by its name (`ec2-0.7.11`). Names that are not known tell nothing.
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

    /// What a feature means. A name nobody knows is [`Quantity::Undeclared`].
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
            ("bpf_block_irq", _) => Quantity::BlockInterrupts,
            ("bpf_net_rx_irq", _) => Quantity::NetworkReceiveInterrupts,
            ("bpf_net_tx_irq", _) => Quantity::NetworkTransmitInterrupts,
            _ => Quantity::Undeclared,
        }
    }
}

/// What to do with a quantity that is not the model's, but can be made into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// Refuse it.
    Refuse,
    /// Convert it: [`Quantity::CpuTime`] gets the phantom CPU, up to all CPUs, or is taken for that of a load level;
    /// page cache hits become the zero that was recorded. Cache misses are never converted: there is
    /// no relation to dTLB reads.
    Allow {
        /// Logical CPUs of the node.
        threads: u32,
    },
}

/// How a model's features are taken from a caller's row. Made by [`Model::bind`](super::Model::bind).
#[derive(Clone, Debug, PartialEq)]
pub struct Binding(Vec<Source>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Column(usize),
    /// Plus the phantom, at most this.
    Phantom(usize, f64),
    Zero,
}

impl Binding {
    pub(super) fn new<'a>(
        wanted: impl Iterator<Item = (&'a str, Quantity)>,
        given: &[Quantity],
        conversion: Conversion,
    ) -> Result<Self, BindError> {
        wanted
            .map(|(feature, quantity)| source(feature, quantity, given, conversion))
            .collect::<Result<_, _>>()
            .map(Binding)
    }

    /// Puts the model's features into `features`, taken from one row of what was bound. A column that the row
    /// does not have becomes NaN, which predicting refuses or treats as missing.
    pub fn apply(&self, row: &[f64], features: &mut Vec<f64>) {
        features.clear();
        let column = |place: usize| row.get(place).copied().unwrap_or(f64::NAN);
        features.extend(self.0.iter().map(|source| match *source {
            Source::Column(place) => column(place),
            // A NaN must stay one, which `min` would not let it.
            Source::Phantom(place, most) => {
                let value = column(place) + PHANTOM_CPU;
                if value > most { most } else { value }
            }
            Source::Zero => 0.0,
        }));
    }
}

fn source(feature: &str, wanted: Quantity, given: &[Quantity], conversion: Conversion) -> Result<Source, BindError> {
    if wanted == Quantity::Undeclared {
        return Err(BindError::Undeclared { feature: feature.to_owned() });
    }
    if let Some(place) = given.iter().position(|&quantity| quantity == wanted) {
        return Ok(Source::Column(place));
    }
    if let Conversion::Allow { threads } = conversion {
        let time = given.iter().position(|&quantity| quantity == Quantity::CpuTime);
        match (wanted, time) {
            (Quantity::CpuTimeWithPhantom, Some(place)) => {
                return Ok(Source::Phantom(place, f64::from(threads) * 1000.0));
            }
            (Quantity::CpuTimeOfLoadLevel, Some(place)) => return Ok(Source::Column(place)),
            (Quantity::PageCacheHitsNotCounted, _) => return Ok(Source::Zero),
            _ => {}
        }
    }
    match given.iter().find(|quantity| quantity.feature() == wanted.feature()) {
        Some(&given) => Err(BindError::Semantics { feature: feature.to_owned(), wanted, given }),
        None => Err(BindError::Missing { feature: feature.to_owned(), wanted }),
    }
}

/// Why a caller's quantities cannot feed a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The model does not say what the feature is.
    #[error("nobody says what `{feature}` of this model is; declare it with Model::with_semantics")]
    Undeclared {
        /// The feature.
        feature: String,
    },
    /// Another quantity of the same name.
    #[error("`{feature}` of this model is {wanted}; given is {given}")]
    Semantics {
        /// The feature.
        feature: String,
        /// What the model was trained with.
        wanted: Quantity,
        /// What the caller has.
        given: Quantity,
    },
    /// Nothing of that name.
    #[error("`{feature}` ({wanted}) is not among what is measured")]
    Missing {
        /// The feature.
        feature: String,
        /// What the model was trained with.
        wanted: Quantity,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(semantics: Semantics, features: &[&str], given: &[Quantity], allow: bool) -> Result<Binding, BindError> {
        let wanted = features.iter().map(|&feature| (feature, semantics.quantity(feature)));
        Binding::new(wanted, given, if allow { Conversion::Allow { threads: 4 } } else { Conversion::Refuse })
    }

    #[test]
    fn true_cache_misses_are_refused_where_dtlb_reads_were_meant() {
        for allow in [false, true] {
            let refused = bind(Semantics::Exporter0711, &["cache_miss"], &[Quantity::CacheMisses], allow).unwrap_err();
            assert!(refused.to_string().contains("dTLB read accesses"), "{refused}");
        }
        assert!(bind(Semantics::AsNamed, &["cache_miss"], &[Quantity::CacheMisses], false).is_ok());
    }

    #[test]
    fn true_cpu_time_gets_the_phantom_only_if_allowed_and_never_more_than_all_cpus() {
        let features = ["bpf_cpu_time_ms", "bpf_page_cache_hit"];
        let given = [Quantity::PageCacheHits, Quantity::CpuTime];
        assert!(matches!(
            bind(Semantics::Exporter0711, &features, &given, false),
            Err(BindError::Semantics { wanted: Quantity::CpuTimeWithPhantom, given: Quantity::CpuTime, .. })
        ));
        let binding = bind(Semantics::Exporter0711, &features, &given, true).unwrap();
        let mut row = Vec::new();
        binding.apply(&[77.0, 500.0], &mut row);
        assert_eq!(row, [1500.0, 0.0]);
        binding.apply(&[77.0, 3900.0], &mut row);
        assert_eq!(row, [4000.0, 0.0]);
        binding.apply(&[77.0], &mut row);
        assert!(row[0].is_nan());
    }

    #[test]
    fn columns_are_found_by_meaning_not_by_place() {
        let given = [Quantity::CpuInstructions, Quantity::CpuCycles];
        let binding = bind(Semantics::AsNamed, &["cpu_cycles", "cpu_instructions"], &given, false).unwrap();
        let mut row = Vec::new();
        binding.apply(&[1.0, 2.0], &mut row);
        assert_eq!(row, [2.0, 1.0]);
    }

    #[test]
    fn what_nobody_declared_or_measured_is_refused() {
        let given = [Quantity::CpuCycles];
        assert!(matches!(
            bind(Semantics::Undeclared, &["cpu_cycles"], &given, true),
            Err(BindError::Undeclared { .. })
        ));
        assert!(matches!(
            bind(Semantics::AsNamed, &["cpu_instructions"], &given, true),
            Err(BindError::Missing { .. })
        ));
        assert!(matches!(bind(Semantics::AsNamed, &["gpu"], &given, true), Err(BindError::Undeclared { .. })));
    }

    #[test]
    fn pipelines_tell_their_semantics_and_unknown_ones_none() {
        assert_eq!(Semantics::of_pipeline("ec2-0.7.11"), Semantics::Exporter0711);
        assert_eq!(Semantics::of_pipeline("specpower-0.7.11"), Semantics::SpecPower);
        assert_eq!(Semantics::of_pipeline("ours"), Semantics::Undeclared);
    }
}
