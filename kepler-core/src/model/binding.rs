//! Connecting what a caller measures to the features of a model, by meaning and not by name.

use super::Quantity;

/// Milliseconds per second that the 0.7.11 exporter counted too much: one CPU's idle time.
///
/// Its idle machines show 1,081 to 1,114 ms/s in the published rows; at full load the excess vanishes, since
/// no machine shows more than its CPUs.
const PHANTOM_CPU: f64 = 1000.0;

/// What to do with a quantity that is not the model's, but can be made into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
        let column = |index: usize| row.get(index).copied().unwrap_or(f64::NAN);
        features.extend(self.0.iter().map(|source| match *source {
            Source::Column(index) => column(index),
            // A NaN must stay one, which `min` would not let it.
            Source::Phantom(index, most) => {
                let value = column(index) + PHANTOM_CPU;
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
    if let Some(index) = given.iter().position(|&quantity| quantity == wanted) {
        return Ok(Source::Column(index));
    }
    if let Conversion::Allow { threads } = conversion {
        let time = given.iter().position(|&quantity| quantity == Quantity::CpuTime);
        match (wanted, time) {
            (Quantity::CpuTimeWithPhantom, Some(index)) => {
                return Ok(Source::Phantom(index, f64::from(threads) * 1000.0));
            }
            (Quantity::CpuTimeOfLoadLevel, Some(index)) => return Ok(Source::Column(index)),
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
    #[error("the meaning of `{feature}` of this model is not declared; declare it with Model::with_semantics")]
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
    use crate::model::Semantics;

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
    fn what_is_neither_declared_nor_measured_is_refused() {
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
}
