//! Attribution: how an interval's energy is split into idle and active, and the active part
//! divided among the workloads that used the processors. Pure functions over numbers.
//!
//! ```
//! use kepler_core::attribution::idle::Baseline;
//! use kepler_core::attribution::share::Divider;
//! use kepler_core::units::{Energy, Power};
//! use std::time::Duration;
//!
//! // 30 J in a second, of which an idle machine would have drawn 10 J.
//! let baseline = Baseline::new(Some(Power::from_watts(10.0)));
//! let split = baseline.split(Energy::from_joules(30.0), 0.5, Duration::from_secs(1));
//! assert_eq!(split.active, Energy::from_joules(20.0));
//! // Of two processors' time, one workload used a quarter.
//! let mut divider = Divider::new(split.active, 2_000_000_000);
//! assert_eq!(divider.share(500_000_000), Energy::from_joules(5.0));
//! assert_eq!(divider.rest(), Energy::from_joules(15.0));
//! ```

pub mod idle;
pub mod learned;
pub mod ledger;
pub mod pool;
pub mod share;
mod weight;

pub use weight::{UnknownWeight, Weight, Weights};

/// How the energy that an idle machine would have drawn anyway is separated from the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum IdlePolicy {
    /// Learn the idle power from how power follows utilisation, see [`idle::Baseline`].
    #[default]
    Baseline,
    /// `active = energy · utilisation`, as Kepler v0.11 does: idle energy falls to zero at full load.
    Ratio,
}

impl IdlePolicy {
    /// `baseline` or `ratio`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            IdlePolicy::Baseline => "baseline",
            IdlePolicy::Ratio => "ratio",
        }
    }
}
