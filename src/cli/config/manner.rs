//! The program's mode: its own, or Go Kepler's.

use super::address::ListenAddress;
use super::raw_setting::{Problem, RawSetting};
use super::{Config, defaults};
use kepler_core::attribution::IdlePolicy;

/// Whose defaults, log format and exit status hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Those of this program.
    #[default]
    Own,
    /// Those of Go Kepler, for replacing it without a visible change.
    Kepler,
}

impl Manner {
    /// The key of the setting.
    pub(super) const KEY: &str = "compat";

    pub(super) fn read(raw: &RawSetting) -> Result<Self, Problem> {
        raw.text()?.choice(&[("", Manner::Own), ("kepler", Manner::Kepler)])
    }

    /// What holds where nothing else is configured.
    pub(crate) fn defaults(self) -> Config {
        match self {
            Manner::Own => Config::default(),
            Manner::Kepler => Config {
                manner: self,
                listen: vec![ListenAddress::everywhere(defaults::PORT)],
                interval: defaults::kepler::INTERVAL,
                policy: IdlePolicy::Ratio,
                min_terminated_energy: defaults::kepler::MIN_TERMINATED_ENERGY,
                gpus: false,
                gpus_summed: true,
                ..Config::default()
            },
        }
    }
}
