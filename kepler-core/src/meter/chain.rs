//! Choosing among meters: an ordered chain that always ends in an estimate.
//!
//! The chain takes the first meter that can be used, and goes on until the package (the processors) has a source; so a platform
//! sensor that knows nothing of processors does not hide the estimate of them. Each that cannot be used is kept with its reason. While
//! running, better sources and missing parts are looked for, and a source whose package cannot be read any more gives way to the next.
//!
//! **Parts that are missing.** A socket whose zone cannot be read is estimated from the others, and the kind's
//! method is then [`Method::Partial`]. **Readings that are not believed**: a counter that stands still for 3 s while
//! processors work, or that is reset at every reading, is an error; if that concerns every package, the next source takes over.
//!
//! ```
//! use kepler_core::host::{Host, Timestamp};
//! use kepler_core::meter::chain::{Chain, ChainOptions};
//!
//! let mut chain = Chain::open(&Host::default(), ChainOptions::default())?;
//! let mut drawn = Vec::new();
//! chain.read(Timestamp::now(), &mut drawn);
//! for (active, drawn) in chain.zones().zip(&drawn) {
//!     println!("{} by {} ({}): {drawn:?}", active.zone.kind, active.source, active.method.name());
//! }
//! # Ok::<(), kepler_core::availability::Unavailable>(())
//! ```

mod active;
mod fill;
mod floor;
mod given_up;
mod online;
mod parked;
mod silent;
mod source;
mod watch;

pub use source::{ChainOptions, Source};

use super::{Drawn, EnergyMeter, ErrorBounds, EstimateWarnings, Method, ReadError, Reading, SkippedZone, Zone};
use crate::availability::{Remedy, Unavailable};
use crate::calibration::Scale;
use crate::host::{Host, Timestamp, Topology};
use crate::units::ZoneKind;
use active::{Active, ZoneState, are_back, is_same, open_best};
use fill::{Fill, Present};
use floor::Floor;
use given_up::GivenUp;
use online::Online;
use parked::Parked;
use silent::Doubts;
use std::collections::BTreeSet;
use std::time::Duration;
use watch::BusyClock;

/// How often a chain that is not at its best looks for a better source.
const PROBE_INTERVAL: Duration = Duration::from_secs(30);
/// Failed reads in a row after which the package's source is given up.
const FAILURES_TO_GIVE_UP: u32 = 3;
/// How long a source whose counters reset all the time is left alone.
const BAN: Duration = Duration::from_secs(600);

/// The meters in use.
pub struct Chain {
    host: Host,
    options: ChainOptions,
    active: Vec<Active>,
    unavailable: Vec<Unavailable>,
    given_up: Vec<GivenUp>,
    doubts: Doubts,
    fill: Option<Fill>,
    busy: BusyClock,
    present: Vec<Present>,
    /// Zones that were lost with their source, or that it no longer has.
    parked: Parked,
    faults: Vec<ZoneFault>,
    /// Whether the meters were opened since the last reading.
    is_opened: bool,
    generation: u64,
    /// Whether a zone was lost or is back, so that the zones in use change with the next reading.
    is_changed: bool,
    failures: u32,
    next_probe: Option<Duration>,
    online: Online,
    /// The packages that have ever been online.
    packages: BTreeSet<u32>,
    scratch: Vec<Result<Reading, ReadError>>,
}

/// A reading that failed although no zone in use shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ZoneFault {
    pub(crate) source: &'static str,
    pub(crate) kind: ZoneKind,
    /// The `reason` label.
    pub(crate) reason: &'static str,
}

/// One zone in use, with the meter it comes from.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ActiveZone<'a> {
    /// The meter's name.
    pub source: &'static str,
    /// How the figures of this kind of zone come to be, as of the last reading.
    pub method: Method,
    /// Where the truth lay at the last reading, if the meter knows more than its method says.
    pub error_bounds: Option<ErrorBounds>,
    /// The zone.
    pub zone: &'a Zone,
    /// Whether it stands in for a zone that cannot be read.
    pub is_filled: bool,
    /// Whether it has given no figures for longer than a moment, and nothing stands in for it.
    pub is_lost: bool,
}

/// What opening one source came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Probe {
    /// The source's name.
    pub source: &'static str,
    /// Why it cannot be used, or what it found.
    pub outcome: Result<Found, Unavailable>,
}

/// What a usable source found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Found {
    /// How its figures come to be.
    pub method: Method,
    /// What it reads.
    pub zones: Vec<Zone>,
    /// What it does not read, each with the reason.
    pub skipped: Vec<SkippedZone>,
}

/// Tries every source by itself, for diagnosis.
#[must_use]
pub fn probe(host: &Host, options: &ChainOptions) -> Vec<Probe> {
    let found = |source: &Source| {
        let mut meter = source.open(host, options, Timestamp::now())?;
        let silent = if source.is_sensor() { silent::find(&mut *meter, &Doubts::default()) } else { Vec::new() };
        let (inventory, quality) = (meter.inventory(), meter.quality());
        let is_silent = |index: usize| silent.get(index).is_some_and(Option::is_some);
        let zones = inventory.zones.iter().enumerate().filter(|(index, _)| !is_silent(*index));
        let zones: Vec<Zone> = zones.map(|(_, zone)| zone.clone()).collect();
        let mut skipped = inventory.skipped.to_vec();
        skipped.extend(silent::skipped(&*meter, &silent));
        if let Some(first) = skipped.first().filter(|_| zones.is_empty()) {
            return Err(first.unavailable.clone());
        }
        // A part that is missing makes the sum partial; how far off it is, is known only while measuring.
        let is_partial =
            quality.method == Method::Measured && skipped.iter().any(|one| one.is_estimated_beside(&zones));
        let method = if is_partial { Method::Partial { error_ratio: fill::ERROR_ALIKE } } else { quality.method };
        Ok(Found { method, zones, skipped })
    };
    options.sources.iter().map(|source| Probe { source: source.name(), outcome: found(source) }).collect()
}

impl Chain {
    /// Opens the best meters of this host.
    ///
    /// # Errors
    /// When no source of the list can be used; with [`Source::Model`] in it, as by default, that
    /// does not happen. The reason is that of the first source.
    pub fn open(host: &Host, options: ChainOptions) -> Result<Self, Unavailable> {
        let (active, unavailable) = open_best(host, &options, &[], &Doubts::default(), 0, Timestamp::now());
        if active.is_empty() {
            let none = || {
                let reason = "no source was named, or none has a zone that was asked for";
                Unavailable::new("none", reason, Remedy::select([]))
            };
            return Err(unavailable.into_iter().next().unwrap_or_else(none));
        }
        let mut chain = Chain { options, unavailable, busy: BusyClock::new(host), ..Self::new(host.clone(), active) };
        for active in &chain.active {
            let zones = active.meter.inventory().zones;
            for one in active.skipped().filter(|one| one.is_missing) {
                match one.is_estimated_beside(zones) {
                    true => tracing::warn!("a part of the energy is not measured but estimated: {}", one.unavailable),
                    false => tracing::warn!("a zone cannot be read: {}", one.unavailable),
                }
            }
        }
        chain.fill_missing();
        Ok(chain)
    }

    /// A chain of one meter that is at hand already.
    #[must_use]
    pub fn of(meter: Box<dyn EnergyMeter>) -> Self {
        let zones = meter.inventory().zones.iter().map(|zone| ZoneState::new(zone, true)).collect();
        let active = Active { meter, rank: 0, is_sensor: false, epoch: 0, zones, silent: Vec::new() };
        let options = ChainOptions { sources: Vec::new(), ..ChainOptions::default() };
        Chain { options, ..Self::new(Host::default(), vec![active]) }
    }

    fn new(host: Host, active: Vec<Active>) -> Self {
        Chain {
            online: Online::new(&host),
            host,
            options: ChainOptions::default(),
            active,
            unavailable: Vec::new(),
            given_up: Vec::new(),
            doubts: Doubts::default(),
            fill: None,
            busy: BusyClock::default(),
            present: Vec::new(),
            parked: Parked::default(),
            faults: Vec::new(),
            is_opened: true,
            generation: 0,
            is_changed: false,
            failures: 0,
            next_probe: None,
            packages: BTreeSet::new(),
            scratch: Vec::new(),
        }
    }

    /// The zones in use, in the order in which [`Chain::read`] reports them.
    pub fn zones(&self) -> impl Iterator<Item = ActiveZone<'_>> {
        let measured = self.active.iter().flat_map(move |active| {
            let zones = active.meter.inventory().zones.iter().zip(&active.zones);
            let (source, quality) = (active.meter.source(), active.meter.quality());
            let in_use = zones.filter(|(_, state)| state.is_used && !state.is_replaced);
            in_use.map(move |(zone, state)| {
                let error = self.fill.as_ref().and_then(|fill| fill.error(zone.kind));
                let method = error.map_or(quality.method, |error_ratio| Method::Partial { error_ratio });
                let (error_bounds, is_lost) = (quality.error_bounds, state.watch.is_lost());
                ActiveZone { source, method, error_bounds, zone, is_filled: false, is_lost }
            })
        });
        let filled = self.fill.iter().flat_map(move |fill| {
            fill.zones().map(move |(source, zone)| {
                let method = Method::Partial { error_ratio: fill.error(zone.kind).unwrap_or(1.0) };
                ActiveZone { source, method, error_bounds: None, zone, is_filled: true, is_lost: false }
            })
        });
        measured.chain(filled)
    }

    /// What estimates warn of, of each meter in use since it was opened.
    pub fn warnings(&self) -> impl Iterator<Item = (&'static str, EstimateWarnings)> {
        self.active.iter().map(|active| (active.meter.source(), active.meter.quality().warnings))
    }

    /// What the meters in use found and do not read.
    pub fn skipped(&self) -> impl Iterator<Item = &SkippedZone> {
        self.active.iter().flat_map(Active::skipped)
    }

    /// What went wrong in the last reading with zones that an estimate stands in for, and with those that could not be
    /// opened before it.
    pub(crate) fn faults(&self) -> &[ZoneFault] {
        &self.faults
    }

    /// The parts of kinds of zones that the meters in use lack, each with the kind of fault.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (ZoneKind, &'static str)> {
        self.skipped().filter(|one| one.is_missing).filter_map(|one| Some((one.kind?, one.fault)))
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

    /// Corrects estimates from now on. Whether there is any that is corrected so.
    pub fn rescale(&mut self, scale: Option<Scale>) -> bool {
        self.active.iter_mut().fold(false, |is_any, active| active.meter.rescale(scale) | is_any)
    }

    /// Reads all zones in use: clears `drawn` and fills it with what each drew since the reading before. May change the
    /// zones in use *before* it reads: compare [`Chain::generation`] after it.
    pub fn read(&mut self, at: Timestamp, drawn: &mut Vec<Result<Drawn, ReadError>>) {
        if self.is_probe_due(&at) {
            self.look_again(&at);
        }
        if std::mem::take(&mut self.is_changed) {
            self.replace_lost();
        }
        drawn.clear();
        self.present.clear();
        self.faults.clear();
        if std::mem::take(&mut self.is_opened) {
            self.count_missing();
        }
        let (mut tried, mut failed) = (false, true);
        let mut floor = Floor::default();
        for active in &mut self.active {
            active.meter.read(at, &mut self.scratch);
            let (zones, source) = (active.meter.inventory().zones, active.meter.source());
            for ((reading, state), zone) in self.scratch.drain(..).zip(&mut active.zones).zip(zones) {
                if !state.is_used {
                    continue;
                }
                if state.is_replaced {
                    let fault = state.watch.observe_replaced(source, zone, reading, at, &self.busy).err();
                    let (kind, reason) = (zone.kind, |error: ReadError| error.reason());
                    self.faults.extend(fault.map(reason).map(|reason| ZoneFault { source, kind, reason }));
                    continue;
                }
                let busy = active.is_sensor.then_some(&self.busy);
                let result = state.watch.observe(source, zone, reading, at, busy);
                if zone.kind == ZoneKind::Package {
                    tried = true;
                    failed &= result.is_err();
                }
                let power = result.as_ref().ok().and_then(Drawn::power);
                floor.add(zone.kind, active.is_sensor, power, drawn.len());
                self.present.push((zone.kind, zone.package, power));
                if let Ok(drawn) = &result {
                    self.parked.stand_in(source, zone.kind, drawn);
                }
                drawn.push(result);
            }
        }
        floor.hold(drawn);
        self.parked.advance();
        self.estimate_missing(at, drawn);
        self.failures = if tried && failed { self.failures.saturating_add(1) } else { 0 };
        self.is_changed = self.active.iter().any(|active| {
            active.kinds_and_states().any(|(kind, state)| state.is_replaced != active.is_replaceable(kind, state))
        });
    }

    /// What could not be opened is a fault as well as what cannot be read.
    fn count_missing(&mut self) {
        for active in &self.active {
            let source = active.meter.source();
            let missing = active.skipped().filter(|one| one.is_missing);
            let fault = |one: &SkippedZone| Some(ZoneFault { source, kind: one.kind?, reason: one.fault });
            self.faults.extend(missing.filter_map(fault));
        }
    }

    /// Estimates the missing parts, and remembers of each zone that is lost what was estimated in its stead.
    fn estimate_missing(&mut self, at: Timestamp, drawn: &mut Vec<Result<Drawn, ReadError>>) {
        let Some(fill) = &mut self.fill else { return };
        fill.advance(at, &self.present, &self.busy, drawn);
        for (source, kind, package, part) in fill.estimated() {
            let lost = self.active.iter_mut().filter(|active| active.meter.source() == source).flat_map(|active| {
                let zones = active.meter.inventory().zones.iter().zip(&mut active.zones);
                zones.filter(|(zone, state)| state.is_replaced && zone.kind == kind && zone.package == package)
            });
            // Of several that are alike (the dies of a package) the first has it all: their sum is the same.
            match lost.map(|(_, state)| state).next() {
                Some(state) => state.watch.estimate(part.energy, part.elapsed),
                None => self.parked.estimate(source, kind, package, &part),
            }
        }
    }

    /// Lets estimates stand in for the zones that are lost, and measured zones for those that are back.
    fn replace_lost(&mut self) {
        for active in &mut self.active {
            let wanted: Vec<bool> =
                active.kinds_and_states().map(|(kind, state)| active.is_replaceable(kind, state)).collect();
            for (state, wanted) in active.zones.iter_mut().zip(wanted) {
                if wanted && !state.is_replaced {
                    state.watch.lose();
                }
                state.is_replaced = wanted;
            }
        }
        self.fill_missing();
        self.generation += 1;
    }

    /// Estimates the parts that the meters in use lack. A socket that is switched off is not one of them.
    fn fill_missing(&mut self) {
        let online: Vec<u32> = Topology::read(&self.host).packages().iter().map(|(package, _)| *package).collect();
        self.packages.extend(&online);
        // A package that was never listed is not known to be switched off: the procfs may be another machine's.
        let is_online = |package: Option<u32>| {
            package.is_none_or(|package| online.contains(&package) || !self.packages.contains(&package))
        };
        let mut parts = Vec::new();
        for active in self.active.iter().filter(|active| active.is_sensor) {
            let inventory = active.meter.inventory();
            let present = |kind| {
                let zones = inventory.zones.iter().zip(&active.zones);
                zones.filter(move |(zone, state)| zone.kind == kind && state.is_used && !state.is_replaced)
            };
            let skipped = active.skipped().filter(|one| one.is_missing);
            let skipped = skipped.filter_map(|one| Some((one.kind?, one.package)));
            let zones = inventory.zones.iter().zip(&active.zones);
            let lost = zones.filter(|(_, state)| state.is_replaced).map(|(zone, _)| (zone.kind, zone.package));
            for (kind, package) in skipped.chain(lost) {
                if kind == ZoneKind::Psys || !is_online(package) || present(kind).next().is_none() {
                    continue;
                }
                let is_whole = !present(kind).any(|(zone, _)| zone.package == package);
                parts.push((active.meter.source(), kind, package, is_whole));
            }
        }
        self.fill = (!parts.is_empty()).then(|| Fill::new(&self.host, parts.into_iter()));
    }

    fn is_at_its_best(&self) -> bool {
        let is_silent = self.active.iter().any(|active| !active.silent.is_empty());
        let is_silent = is_silent || self.active.iter().any(Active::has_lost);
        let is_whole = self.fill.is_none() && !is_silent && !self.skipped().any(|one| one.is_missing);
        let are_first = self.active.iter().map(|active| active.rank).eq(0..self.active.len());
        (self.options.sources.len() <= 1 || are_first) && is_whole
    }

    fn is_probe_due(&mut self, at: &Timestamp) -> bool {
        let failing = self.failures >= FAILURES_TO_GIVE_UP && self.options.sources.len() > 1;
        if failing && self.failures.is_multiple_of(FAILURES_TO_GIVE_UP) {
            return true;
        }
        if self.options.sources.is_empty() {
            return false;
        }
        let is_new = |active: &Active| active.doubtful().any(|(zone, _)| !self.doubts.has(active.meter.source(), zone));
        if self.active.iter().any(is_new) {
            return true;
        }
        let due = self.next_probe.is_some_and(|next| at.monotonic >= next);
        if due || self.next_probe.is_none() {
            self.next_probe = Some(at.monotonic + PROBE_INTERVAL);
        }
        // Sockets that come online bring zones with them.
        due && (self.online.has_changed() || !self.is_at_its_best())
    }

    /// Opens the best meters again, and changes over if they are not the ones in use.
    fn look_again(&mut self, at: &Timestamp) {
        if self.failures > 0 {
            self.give_up_distrusted(at);
        }
        self.given_up.retain(|one| !one.is_over(&self.host, &self.options, at));
        self.leave_out_doubtful(at);
        let (mut active, unavailable) =
            open_best(&self.host, &self.options, &self.given_up, &self.doubts, self.generation + 1, *at);
        self.is_opened = true;
        if active.is_empty()
            || (self.failures == 0 && is_same(&active, &self.active) && !are_back(&mut active, &self.active, at))
        {
            return;
        }
        let names = |active: &[Active]| active.iter().map(|a| a.meter.source()).collect::<Vec<_>>().join("+");
        let (from, to) = (names(&self.active), names(&active));
        if from == to {
            let missing = active.iter().flat_map(Active::skipped).filter(|one| one.is_missing).count();
            let zones = active.iter().flat_map(|one| &one.zones).filter(|state| state.is_used).count();
            tracing::info!(source = to, zones, missing, "the energy source has other zones now");
        } else {
            tracing::info!(from, to, "the energy source changes");
        }
        active::miss(&mut self.active, &active, at);
        self.parked.change_over(std::mem::take(&mut self.active), &mut active);
        self.active = active;
        self.unavailable = unavailable;
        self.failures = 0;
        self.is_changed = false;
        self.fill_missing();
        self.generation += 1;
    }

    /// Zones beside the package that are not believed are not used until they say something else, and another source takes
    /// their place if one can.
    fn leave_out_doubtful(&mut self, at: &Timestamp) {
        self.doubts.expire(at);
        for active in &self.active {
            for (zone, watch) in active.doubtful() {
                let Some(distrust) = watch.distrust() else { continue };
                self.doubts.add(active.meter.source(), zone, distrust, watch.last(), at.monotonic + BAN);
            }
        }
    }

    /// Bans the source of the package if its readings succeed and are not to be believed: opening it again would not help.
    fn give_up_distrusted(&mut self, at: &Timestamp) {
        for active in self.active.iter().filter(|active| active.is_sensor) {
            let packages =
                active.kinds_and_states().filter(|(kind, state)| *kind == ZoneKind::Package && state.is_used);
            let Some(distrust) = packages.filter_map(|(_, state)| state.watch.distrust()).next() else { continue };
            let (source, rank) = (active.meter.source(), active.rank);
            let unavailable = Unavailable::new(
                source,
                format!("its package counter is not believed: {distrust}"),
                Remedy::CheckKernelLog,
            );
            tracing::warn!("the energy source is given up: {unavailable}");
            let readings = active.zones.iter().map(|state| state.watch.last()).collect();
            self.given_up.retain(|one| one.rank != rank);
            self.given_up.push(GivenUp { rank, distrust, unavailable, readings, until: at.monotonic + BAN });
        }
    }
}
