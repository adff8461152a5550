//! The view of tools that need no energy.

use super::{EnergySeries, EnergyView, Inventory, NewestReading, NoDataReason, Subject, TimeRange, ViewError};
use std::sync::Arc;
use std::time::Duration;

/// Knows of no energy: for a [`Toolbox`](crate::tools::Toolbox) whose tools look at regions, standards and times only.
/// Asked about a node or a workload, it answers [`ViewError::NoData`].
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it holds nothing")]
pub struct NoView;

impl EnergyView for NoView {
    fn name(&self) -> &str {
        "none"
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        Err(unknown(range))
    }

    fn series(&self, _: &Subject, range: TimeRange, _: Duration) -> Result<EnergySeries, ViewError> {
        Err(unknown(range))
    }

    fn newest(&self) -> Option<NewestReading> {
        None
    }
}

fn unknown(range: TimeRange) -> ViewError {
    ViewError::NoData { origin: "none".into(), range, reason: NoDataReason::NoSource }
}
