//! Choosing among meters: an ordered chain that always ends in an estimate.
//!
//! The chain takes the first meter that can be used, and goes on until the package (the processors)
//! has a source; so a platform sensor that knows nothing of processors does not hide the estimate
//! of them. Each that cannot be used is kept with its reason. While running, better sources are looked for from
//! time to time, and a source whose package cannot be read any more gives way to the next.

#[cfg(feature = "models")]
use super::configured::{Configured, ConfiguredModel};
use super::estimate::Estimate;
use super::fake::Fake;
use super::hwmon::{Hwmon, HwmonRules};
use super::msr::Msr;
use super::powercap::Powercap;
use super::replay::Replay;
use super::{EnergyMeter, ErrorBounds, EstimateWarnings, Method, ReadError, Reading, Zone};
use crate::availability::{Remedy, Setting, Unavailable};
use crate::calibration::Calibration;
use crate::host::{Host, Timestamp};
use crate::units::ZoneKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often a chain that is not at its best looks for a better source.
const PROBE_INTERVAL: Duration = Duration::from_secs(30);
/// After so many failed reads in a row the package's source is given up.
const FAILURES_TO_GIVE_UP: u32 = 3;

/// A kind of meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
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
    /// A power model that somebody configured.
    #[cfg(feature = "models")]
    ModelFile(Arc<ConfiguredModel>),
    /// An artificial meter for development, with these zones.
    Fake(Vec<ZoneKind>),
    /// A recorded trace.
    Replay(PathBuf),
}

impl Source {
    /// The sources of `auto`, best first.
    #[must_use]
    pub fn auto() -> Vec<Source> {
        vec![Source::Powercap, Source::Msr, Source::Perf, Source::Hwmon, Source::Model]
    }

    /// The name it goes by on the command line and in the `source` label.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
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

    fn open(&self, host: &Host, options: &ChainOptions) -> Result<Box<dyn EnergyMeter>, Unavailable> {
        Ok(match self {
            Source::Powercap => Box::new(Powercap::open(host)?),
            Source::Msr => Box::new(Msr::open(host)?),
            #[cfg(feature = "perf")]
            Source::Perf => Box::new(super::perf::Perf::open(host)?),
            #[cfg(not(feature = "perf"))]
            Source::Perf => {
                return Err(Unavailable::new(
                    "perf",
                    "it was left out of this build",
                    Remedy::RebuildWithFeature { feature: "perf" },
                ));
            }
            Source::Hwmon => Box::new(Hwmon::open(host, &options.hwmon)?),
            Source::Model => match &options.calibration {
                Some(calibration) => Box::new(Estimate::open(host).calibrated(calibration)),
                None => Box::new(Estimate::open(host)),
            },
            #[cfg(feature = "models")]
            Source::ModelFile(configured) => Box::new(Configured::open(host, configured)?),
            Source::Fake(zones) => Box::new(Fake::new(zones)),
            Source::Replay(path) => Box::new(Replay::open(path).map_err(|error| {
                Unavailable::new("replay", error.to_string(), Remedy::CorrectSetting { setting: Setting::Trace })
            })?),
        })
    }
}

/// Which meters to use, and for what.
#[derive(Clone, Debug)]
pub struct ChainOptions {
    /// The sources to try, best first. One alone forces it: there is no falling back then.
    pub sources: Vec<Source>,
    /// Only these zones; empty for all.
    pub zones: Vec<ZoneKind>,
    /// What the hwmon meter makes of chips it does not know.
    pub hwmon: HwmonRules,
    /// What was learned of this very machine while it could be measured; [checked](Calibration::check) by who gives it.
    pub calibration: Option<Arc<Calibration>>,
}

impl Default for ChainOptions {
    fn default() -> Self {
        ChainOptions { sources: Source::auto(), zones: Vec::new(), hwmon: HwmonRules::default(), calibration: None }
    }
}

impl ChainOptions {
    /// These sources instead of the automatic ones.
    #[must_use]
    pub fn with_sources(mut self, sources: Vec<Source>) -> Self {
        self.sources = sources;
        self
    }

    fn wants(&self, kind: ZoneKind) -> bool {
        self.zones.is_empty() || self.zones.contains(&kind)
    }
}

/// The meters in use.
pub struct Chain {
    host: Host,
    options: ChainOptions,
    active: Vec<Active>,
    unavailable: Vec<Unavailable>,
    generation: u64,
    failures: u32,
    next_probe: Option<Duration>,
    scratch: Vec<Result<Reading, ReadError>>,
}

struct Active {
    meter: Box<dyn EnergyMeter>,
    /// Place in the options' list; 0 is the best.
    rank: usize,
    /// For each of its zones, whether it is used: not filtered out, and not had from a better meter.
    used: Vec<bool>,
}

/// One zone in use, with the meter it comes from.
#[derive(Clone, Copy, Debug)]
pub struct ActiveZone<'a> {
    /// The meter's name.
    pub source: &'static str,
    /// Measured or estimated, as of the last reading.
    pub method: Method,
    /// Where the truth lay at the last reading, if the meter knows more than its method says.
    pub error_bounds: Option<ErrorBounds>,
    /// The zone.
    pub zone: &'a Zone,
}

/// What opening one source came to.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The source's name.
    pub source: &'static str,
    /// Its method and zones, or why it cannot be used.
    pub outcome: Result<(Method, Vec<Zone>), Unavailable>,
}

/// Tries every source by itself, for diagnosis.
#[must_use]
pub fn probe(host: &Host, options: &ChainOptions) -> Vec<Probe> {
    options
        .sources
        .iter()
        .map(|source| Probe {
            source: source.name(),
            outcome: source.open(host, options).map(|meter| (meter.method(), meter.zones().to_vec())),
        })
        .collect()
}

impl Chain {
    /// Opens the best meters of this host.
    ///
    /// # Errors
    /// When no source of the list can be used; with [`Source::Model`] in it, as by default, that
    /// does not happen. The reason is that of the first source.
    pub fn open(host: &Host, options: ChainOptions) -> Result<Self, Unavailable> {
        let (active, unavailable) = open_best(host, &options);
        if active.is_empty() {
            let none = || {
                Unavailable::new(
                    "none",
                    "no source was named, or none has a zone that was asked for",
                    Remedy::select([]),
                )
            };
            return Err(unavailable.into_iter().next().unwrap_or_else(none));
        }
        Ok(Chain {
            host: host.clone(),
            options,
            active,
            unavailable,
            generation: 0,
            failures: 0,
            next_probe: None,
            scratch: Vec::new(),
        })
    }

    /// A chain of one meter that is at hand already.
    #[must_use]
    pub fn of(meter: Box<dyn EnergyMeter>) -> Self {
        let used = vec![true; meter.zones().len()];
        Chain {
            host: Host::default(),
            options: ChainOptions { sources: Vec::new(), ..ChainOptions::default() },
            active: vec![Active { meter, rank: 0, used }],
            unavailable: Vec::new(),
            generation: 0,
            failures: 0,
            next_probe: None,
            scratch: Vec::new(),
        }
    }

    /// The zones in use, in the order in which [`Chain::read`] reports them.
    pub fn zones(&self) -> impl Iterator<Item = ActiveZone<'_>> {
        self.active.iter().flat_map(|active| {
            let zones = active.meter.zones().iter().zip(&active.used).filter(|(_, used)| **used);
            let (source, method, error_bounds) =
                (active.meter.source(), active.meter.method(), active.meter.error_bounds());
            zones.map(move |(zone, _)| ActiveZone { source, method, error_bounds, zone })
        })
    }

    /// What the meters in use doubt, each since it was opened.
    pub fn warnings(&self) -> impl Iterator<Item = (&'static str, EstimateWarnings)> {
        self.active.iter().map(|active| (active.meter.source(), active.meter.warnings()))
    }

    /// Why better sources are not in use.
    #[must_use]
    pub fn unavailable(&self) -> &[Unavailable] {
        &self.unavailable
    }

    /// Changes when the zones in use do.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Reads all zones in use, clearing `readings` first. May change the zones in use *before* it
    /// reads: compare [`Chain::generation`] after it.
    pub fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        if self.is_probe_due(&at) {
            self.look_again();
        }
        readings.clear();
        for active in &mut self.active {
            active.meter.read(at, &mut self.scratch);
            let kept = self.scratch.drain(..).zip(&active.used).filter(|(_, used)| **used);
            readings.extend(kept.map(|(reading, _)| reading));
        }
        let (mut tried, mut failed) = (false, true);
        for (zone, reading) in self.zones().zip(&*readings) {
            if zone.zone.kind == ZoneKind::Package {
                tried = true;
                failed &= reading.is_err();
            }
        }
        self.failures = if tried && failed { self.failures.saturating_add(1) } else { 0 };
    }

    fn is_at_its_best(&self) -> bool {
        self.options.sources.len() <= 1 || self.active.iter().all(|active| active.rank == 0)
    }

    fn is_probe_due(&mut self, at: &Timestamp) -> bool {
        let failing = self.failures >= FAILURES_TO_GIVE_UP && self.options.sources.len() > 1;
        if failing && self.failures.is_multiple_of(FAILURES_TO_GIVE_UP) {
            return true;
        }
        if self.is_at_its_best() {
            return false;
        }
        let due = self.next_probe.is_some_and(|next| at.monotonic >= next);
        if due || self.next_probe.is_none() {
            self.next_probe = Some(at.monotonic + PROBE_INTERVAL);
        }
        due
    }

    /// Opens the best meters anew, and changes over if they are not the ones in use.
    fn look_again(&mut self) {
        let (active, unavailable) = open_best(&self.host, &self.options);
        if active.is_empty() || (self.failures == 0 && is_same(&active, &self.active)) {
            return;
        }
        let names = |active: &[Active]| active.iter().map(|a| a.meter.source()).collect::<Vec<_>>().join("+");
        tracing::info!(from = names(&self.active), to = names(&active), "the energy source changes");
        self.active = active;
        self.unavailable = unavailable;
        self.generation += 1;
    }
}

fn open_best(host: &Host, options: &ChainOptions) -> (Vec<Active>, Vec<Unavailable>) {
    let (mut active, mut unavailable) = (Vec::<Active>::new(), Vec::new());
    let mut provided = Vec::new();
    for (rank, source) in options.sources.iter().enumerate() {
        let meter = match source.open(host, options) {
            Ok(meter) => meter,
            Err(reason) => {
                unavailable.push(reason);
                continue;
            }
        };
        let used: Vec<bool> =
            meter.zones().iter().map(|zone| options.wants(zone.kind) && !provided.contains(&zone.kind)).collect();
        if !used.contains(&true) {
            continue;
        }
        provided.extend(meter.zones().iter().zip(&used).filter(|(_, used)| **used).map(|(zone, _)| zone.kind));
        active.push(Active { meter, rank, used });
        if provided.contains(&ZoneKind::Package) || !options.wants(ZoneKind::Package) {
            break;
        }
    }
    (active, unavailable)
}

fn is_same(a: &[Active], b: &[Active]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| a.rank == b.rank && a.used == b.used && a.meter.zones() == b.meter.zones())
}
