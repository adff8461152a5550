//! A workload's figures over a window, summed over its rows.

use crate::carbon::HOURS_PER_MONTH;
use crate::units::{Energy, Power};
use crate::view::{EnergySplit, Inventory, PowerSplit, TimeRange, WorkloadEnergy, joules};
use kepler_core::meter::Method;
use std::collections::HashMap;
use std::time::Duration;

/// What some rows used together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Of all that ran in the window.
    pub(crate) energy: EnergySplit,
    /// Mean over the window of what still runs; none when nothing does.
    pub(crate) power: Option<PowerSplit>,
    /// Mean over the window of all that ran in it, the terminated included.
    pub(crate) mean: Option<Power>,
    pub(crate) cpu_time: Option<Duration>,
    /// The window that energy and power rest on.
    pub(crate) window: Duration,
    pub(crate) running: usize,
    pub(crate) terminated: usize,
    /// Measured, or estimated with the error of the sum of the rows.
    pub(crate) method: Method,
}

/// How long each node was observed.
pub(crate) struct Windows<'a>(HashMap<&'a str, Duration>);

impl<'a> Windows<'a> {
    pub(crate) fn of(inventory: &'a Inventory) -> Self {
        Windows(inventory.nodes.iter().map(|node| (&*node.name, node.covered.length())).collect())
    }

    pub(crate) fn get(&self, node: &str, covered: TimeRange) -> Duration {
        self.0.get(node).copied().unwrap_or_else(|| covered.length())
    }
}

/// How the sum of two energies came to be.
fn sum_of_methods(a: (&EnergySplit, Method), b: (&EnergySplit, Method)) -> Method {
    let parts = [a, b].map(|(energy, method)| (joules(energy.total()), method));
    Method::of_sum(parts).unwrap_or(Method::Measured)
}

impl Figures {
    /// The sum of some rows of one inventory.
    pub(crate) fn sum<'a>(
        inventory: &Inventory,
        windows: &Windows<'_>,
        rows: impl IntoIterator<Item = &'a WorkloadEnergy>,
    ) -> Self {
        let mut sum = Figures::nothing(inventory);
        for row in rows {
            sum.add(row, windows.get(&row.id.node, inventory.covered));
        }
        sum
    }

    /// The sum of no row.
    pub(crate) fn nothing(inventory: &Inventory) -> Self {
        Figures {
            energy: EnergySplit::default(),
            power: None,
            mean: None,
            cpu_time: None,
            window: inventory.covered.length(),
            running: 0,
            terminated: 0,
            method: Method::Measured,
        }
    }

    /// Adds a row whose node was observed for `window`.
    pub(crate) fn add(&mut self, row: &WorkloadEnergy, window: Duration) {
        self.method = sum_of_methods((&self.energy, self.method), (&row.energy, row.method));
        self.energy = self.energy.plus(&row.energy);
        self.cpu_time = either(self.cpu_time, row.cpu_time, |a, b| a + b);
        // An empty window has energy, perhaps, but no power.
        let power = (!window.is_zero()).then(|| row.energy.map(|energy: Energy| energy.over(window)));
        self.mean = either(self.mean, power.and_then(|power| power.total()), |a, b| a + b);
        if row.running {
            self.running += 1;
            self.power = either(self.power, power, |a, b| a.plus(&b));
        } else {
            self.terminated += 1;
        }
    }

    /// Adds the sum of other rows.
    pub(crate) fn absorb(&mut self, other: &Figures) {
        self.method = sum_of_methods((&self.energy, self.method), (&other.energy, other.method));
        self.energy = self.energy.plus(&other.energy);
        self.power = either(self.power, other.power, |a, b| a.plus(&b));
        self.mean = either(self.mean, other.mean, |a, b| a + b);
        self.cpu_time = either(self.cpu_time, other.cpu_time, |a, b| a + b);
        self.running += other.running;
        self.terminated += other.terminated;
    }

    /// IT energy of a month like this window; none when nothing runs any more or nothing is known.
    pub(crate) fn monthly(&self) -> Option<Energy> {
        self.power?.total()?;
        Some(self.mean? * MONTH)
    }

    /// Cores in use, as a mean over the window.
    pub(crate) fn cores(&self) -> Option<f64> {
        let window = self.window.as_secs_f64();
        self.cpu_time.filter(|_| window > 0.0).map(|time| time.as_secs_f64() / window)
    }
}

/// The sum of what is known.
pub(super) fn either<T>(a: Option<T>, b: Option<T>, sum: impl FnOnce(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(sum(a, b)),
        (a, b) => a.or(b),
    }
}

/// A month, as a length of time.
pub(crate) const MONTH: Duration = Duration::from_secs(HOURS_PER_MONTH * 3600);
