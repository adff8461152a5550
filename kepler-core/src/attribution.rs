//! Who gets the energy: how an interval's energy is split into idle and active, and the active part
//! divided among those who used the processors. Pure functions over numbers.

pub mod idle;
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
