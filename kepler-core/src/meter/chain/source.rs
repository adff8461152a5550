//! Which meters there are, and which of them are to be used.

use crate::availability::{Remedy, Setting, Unavailable};
use crate::calibration::Calibration;
use crate::host::{Host, Timestamp};
use crate::meter::EnergyMeter;
#[cfg(feature = "models")]
use crate::meter::configured::{Configured, ConfiguredModel};
use crate::meter::estimate::{Estimate, InstanceType};
use crate::meter::external::{External, ExternalZone};
use crate::meter::fake::Fake;
use crate::meter::host::{HostFigures, HostRoute};
use crate::meter::hwmon::{Hwmon, HwmonRules};
use crate::meter::msr::Msr;
use crate::meter::powercap::Powercap;
use crate::meter::replay::Replay;
use crate::units::ZoneKind;
use std::path::PathBuf;
use std::sync::Arc;

/// A kind of meter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Meters outside of the machine that stand for one zone. Other zones are looked for as if it was not there.
    External(ExternalZone),
    /// What the host of this virtual machine passes on.
    Host(HostRoute),
    /// Linux powercap, `/sys/class/powercap`.
    Powercap,
    /// Model-specific registers, `/dev/cpu/N/msr`.
    Msr,
    /// The perf `power` PMU.
    Perf,
    /// Hardware monitoring sensors, `/sys/class/hwmon`.
    Hwmon,
    /// An estimate from utilisation.
    Model,
    /// A configured power model.
    #[cfg(feature = "models")]
    ModelFile(Arc<ConfiguredModel>),
    /// An artificial meter for development, with these zones.
    Fake(Vec<ZoneKind>),
    /// A recorded trace.
    Replay(PathBuf),
}

impl Source {
    /// The sources that need nothing but their name, best first.
    pub const PLAIN: [Source; 5] = [Source::Powercap, Source::Msr, Source::Perf, Source::Hwmon, Source::Model];

    /// The sources of `auto`, best first.
    #[must_use]
    pub fn auto() -> Vec<Source> {
        Source::PLAIN.to_vec()
    }

    /// The [plain](Source::PLAIN) source of a name.
    ///
    /// ```
    /// use kepler_core::meter::chain::Source;
    ///
    /// assert_eq!(Source::named("hwmon"), Some(Source::Hwmon));
    /// assert_eq!(Source::named("replay"), None, "it needs a file");
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<Source> {
        Source::PLAIN.into_iter().find(|source| source.name() == name)
    }

    /// The name it goes by in settings and in the `source` label.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Source::External(_) => "external",
            Source::Host(_) => "host",
            Source::Powercap => "powercap",
            Source::Msr => "msr",
            Source::Perf => "perf",
            Source::Hwmon => "hwmon",
            Source::Model => "model",
            #[cfg(feature = "models")]
            Source::ModelFile(_) => "model-file",
            Source::Fake(_) => "fake",
            Source::Replay(_) => "replay",
        }
    }

    /// Whether it reads sensors: their readings are checked, and missing parts are estimated.
    pub(super) const fn is_sensor(&self) -> bool {
        matches!(self, Source::External(_) | Source::Powercap | Source::Msr | Source::Perf | Source::Hwmon)
    }

    /// Whether its counters go on when it is opened again.
    pub(super) const fn outlives_opening(&self) -> bool {
        matches!(self, Source::External(_) | Source::Powercap | Source::Msr | Source::Hwmon)
    }

    pub(super) fn open(
        &self,
        host: &Host,
        options: &ChainOptions,
        at: Timestamp,
    ) -> Result<Box<dyn EnergyMeter>, Unavailable> {
        Ok(match self {
            Source::External(zone) => Box::new(External::open(zone, at)?),
            Source::Host(route) => Box::new(HostFigures::open(route)?),
            Source::Powercap => Powercap::open(host)?.guarded(),
            Source::Msr => Msr::open(host)?.guarded(),
            #[cfg(feature = "perf")]
            Source::Perf => Box::new(crate::meter::perf::Perf::open(host)?),
            #[cfg(not(feature = "perf"))]
            Source::Perf => {
                return Err(Unavailable::new(
                    "perf",
                    "it was left out of this build",
                    Remedy::RebuildWithFeature { feature: "perf" },
                ));
            }
            Source::Hwmon => Hwmon::open(host, &options.hwmon)?.guarded(),
            Source::Model => {
                let estimate = match &options.instance {
                    Some(instance) => Estimate::open_as(host, Some(instance)),
                    None => Estimate::open(host),
                };
                match &options.calibration {
                    Some(calibration) => Box::new(estimate.calibrated(calibration)),
                    None => Box::new(estimate),
                }
            }
            #[cfg(feature = "models")]
            Source::ModelFile(configured) => {
                let meter = Configured::open(host, configured)?;
                match &options.calibration {
                    Some(calibration) => Box::new(meter.calibrated(calibration)),
                    None => Box::new(meter),
                }
            }
            Source::Fake(zones) => Box::new(Fake::new(zones)),
            Source::Replay(path) => Box::new(Replay::open(path).map_err(|error| {
                Unavailable::new("replay", error.to_string(), Remedy::CorrectSetting { setting: Setting::Trace })
            })?),
        })
    }
}

/// Which meters to use, and for what.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChainOptions {
    /// The sources to try, best first. One alone forces it: there is no falling back then.
    pub sources: Vec<Source>,
    /// Only these zones; empty for all.
    pub zones: Vec<ZoneKind>,
    /// What the hwmon meter makes of chips it does not know.
    pub hwmon: HwmonRules,
    /// What was learned of this very machine while it could be measured; [checked](Calibration::check) by who gives it.
    pub calibration: Option<Arc<Calibration>>,
    /// The instance type of this machine, where its cloud was asked; else what its firmware says counts.
    pub instance: Option<InstanceType>,
}

impl Default for ChainOptions {
    fn default() -> Self {
        let (zones, hwmon, calibration, instance) = Default::default();
        ChainOptions { sources: Source::auto(), zones, hwmon, calibration, instance }
    }
}

impl ChainOptions {
    /// These options with a change, as in `ChainOptions::default().with(|options| options.zones = zones)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// These sources instead of the automatic ones.
    #[must_use]
    pub fn with_sources(mut self, sources: Vec<Source>) -> Self {
        self.sources = sources;
        self
    }

    pub(super) fn wants(&self, kind: ZoneKind) -> bool {
        self.zones.is_empty() || self.zones.contains(&kind)
    }
}
