//! Sums of energy by what shares a key.

use super::super::figures::either;
use super::super::groups::Group;
use crate::units::Energy;
use crate::view::{WorkloadKind, joules};
use kepler_core::meter::Method;
use std::collections::BTreeMap;

/// A group's name, kind and namespace, and its sum.
pub(super) type Sum = ((Option<String>, Option<WorkloadKind>, Option<String>), (Option<Energy>, Method));

pub(super) fn sum_of(groups: &[Group<'_>]) -> (Option<Energy>, Method) {
    total(groups.iter().map(|group| (group.figures.energy.total(), group.figures.method)))
}

pub(super) fn total(parts: impl Iterator<Item = (Option<Energy>, Method)>) -> (Option<Energy>, Method) {
    parts.fold((None, Method::Measured), add)
}

fn add(a: (Option<Energy>, Method), b: (Option<Energy>, Method)) -> (Option<Energy>, Method) {
    let method = Method::of_sum([a, b].map(|(energy, method)| (joules(energy), method)));
    (either(a.0, b.0, |a, b| a + b), method.unwrap_or(Method::Measured))
}

/// Adds up what shares a key.
pub(super) fn sums(parts: impl Iterator<Item = Sum>) -> Vec<Sum> {
    let mut sums = BTreeMap::new();
    for (key, part) in parts {
        let sum = sums.entry(key).or_insert((None, Method::Measured));
        *sum = add(*sum, part);
    }
    sums.into_iter().collect()
}
