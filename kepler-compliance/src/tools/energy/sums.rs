//! Sums of energy by what shares a key.

use super::super::figures::either;
use super::super::groups::Group;
use crate::units::Energy;
use crate::view::{NodeEnergy, WorkloadEnergy, WorkloadKind, joules};
use kepler_core::meter::Method;
use std::collections::BTreeMap;
use std::time::Duration;

/// A group's name, kind and namespace, and what it used.
pub(super) type Sum = ((Option<String>, Option<WorkloadKind>, Option<String>), Used);

/// What something used, and how that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    pub(super) energy: Option<Energy>,
    pub(super) method: Method,
    /// Of workloads.
    pub(super) cpu_time: Option<Duration>,
}

impl Used {
    const NOTHING: Used = Used { energy: None, method: Method::Measured, cpu_time: None };

    pub(super) fn of_row(row: &WorkloadEnergy) -> Self {
        Used { energy: row.energy.total(), method: row.method, cpu_time: row.cpu_time }
    }

    pub(super) fn of_group(group: &Group<'_>) -> Self {
        let figures = &group.figures;
        Used { energy: figures.energy.total(), method: figures.method, cpu_time: figures.cpu_time }
    }

    pub(super) fn of_node(node: &NodeEnergy) -> Self {
        Used { energy: node.energy().total(), method: node.method(), cpu_time: None }
    }

    pub(super) fn of_groups(groups: &[Group<'_>]) -> Self {
        Used::total(groups.iter().map(Used::of_group))
    }

    pub(super) fn total(parts: impl Iterator<Item = Used>) -> Self {
        parts.fold(Used::NOTHING, Used::add)
    }

    fn add(self, other: Used) -> Self {
        let method = Method::of_sum([self, other].map(|part| (joules(part.energy), part.method)));
        Used {
            energy: either(self.energy, other.energy, |a, b| a + b),
            method: method.unwrap_or(Method::Measured),
            cpu_time: either(self.cpu_time, other.cpu_time, |a, b| a + b),
        }
    }
}

/// Adds up what shares a key.
pub(super) fn sums(parts: impl Iterator<Item = Sum>) -> Vec<Sum> {
    let mut sums = BTreeMap::new();
    for (key, part) in parts {
        let sum = sums.entry(key).or_insert(Used::NOTHING);
        *sum = sum.add(part);
    }
    sums.into_iter().collect()
}
