//! Default values. A test compares the help texts with them.

use kepler_core::units::Energy;
use std::time::Duration;

/// The port that exporters of Kepler listen at.
pub(crate) const PORT: u16 = 28282;
/// Time between two measurements.
pub(crate) const INTERVAL: Duration = Duration::from_secs(3);
/// Terminated workloads of a kind that are remembered.
pub(crate) const MAX_TERMINATED: usize = 500;
/// Terminated workloads that used less are forgotten at once.
pub(crate) const MIN_TERMINATED_ENERGY: Energy = Energy::from_microjoules(1_000_000);
/// How long a terminated workload is remembered.
pub(crate) const KEEP_TERMINATED: Duration = Duration::from_secs(600);
/// Time between two lists of pods, as Go Kepler's.
pub(crate) const POD_INTERVAL: Duration = Duration::from_secs(15);
/// How long energy is remembered in a history file.
pub(crate) const HISTORY_RETENTION: Duration = Duration::from_secs(400 * 86_400);
/// How large a history file may become.
pub(crate) const HISTORY_BYTES: u64 = 1 << 30;
/// Currency of a price that is stated without one.
pub(crate) const CURRENCY: &str = "KRW";

/// Go Kepler's own defaults, where they differ (its `config/config.go`, main of 2026-08).
pub(crate) mod kepler {
    use super::{Duration, Energy};

    /// Time between two measurements.
    pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
    /// Terminated workloads that used less are not listed.
    pub(crate) const MIN_TERMINATED_ENERGY: Energy = Energy::from_microjoules(10_000_000);
}
