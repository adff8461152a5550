//! A workload's figures over a window, whatever rows it is made of.

use crate::carbon::HOURS_PER_MONTH;
use crate::units::{Energy, Power};
use crate::view::{EnergySplit, Inventory, PowerSplit, TimeRange, WorkloadEnergy};
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
    /// Measured, or estimated with the largest error among the rows.
    pub(crate) method: Method,
}

/// How long each node was observed.
pub(crate) struct Windows<'a>(HashMap<&'a str, Duration>);

impl<'a> Windows<'a> {
    pub(crate) fn of(inventory: &'a Inventory) -> Self {
        Windows(inventory.nodes.iter().map(|node| (&*node.name, node.covered.length())).collect())
    }

    fn get(&self, node: &str, covered: TimeRange) -> Duration {
        self.0.get(node).copied().unwrap_or_else(|| covered.length())
    }
}

impl Figures {
    /// The sum of some rows of one inventory.
    pub(crate) fn sum<'a>(
        inventory: &Inventory,
        windows: &Windows<'_>,
        rows: impl IntoIterator<Item = &'a WorkloadEnergy>,
    ) -> Self {
        let mut sum = Figures {
            energy: EnergySplit::default(),
            power: None,
            mean: None,
            cpu_time: None,
            window: inventory.covered.length(),
            running: 0,
            terminated: 0,
            method: Method::Measured,
        };
        for row in rows {
            sum.energy = sum.energy.plus(&row.energy);
            sum.cpu_time = match (sum.cpu_time, row.cpu_time) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            };
            sum.method = worse(sum.method, row.method);
            let window = windows.get(&row.id.node, inventory.covered);
            // An empty window has energy, perhaps, but no power.
            let power = (!window.is_zero()).then(|| row.energy.map(|energy: Energy| energy.over(window)));
            if let Some(total) = power.and_then(|power| power.total()) {
                sum.mean = Some(sum.mean.unwrap_or_default() + total);
            }
            if !row.running {
                sum.terminated += 1;
                continue;
            }
            sum.running += 1;
            if let Some(power) = power {
                sum.power = Some(sum.power.unwrap_or_default().plus(&power));
            }
        }
        sum
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

/// The one that says less.
pub(crate) fn worse(a: Method, b: Method) -> Method {
    match (a, b) {
        (Method::Estimated { error_ratio: one }, Method::Estimated { error_ratio: other }) => {
            Method::Estimated { error_ratio: one.max(other) }
        }
        (Method::Measured, method) | (method, Method::Measured) => method,
    }
}

/// A month, as a length of time.
pub(crate) const MONTH: Duration = Duration::from_secs(HOURS_PER_MONTH * 3600);
