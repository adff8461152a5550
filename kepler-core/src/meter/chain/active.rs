//! The meters in use, and which of those that can be opened these are.

use super::given_up::GivenUp;
use super::silent::{self, Doubts};
use super::source::{ChainOptions, Source};
use super::watch::ZoneWatch;
use crate::availability::Unavailable;
use crate::host::{Host, Timestamp};
use crate::meter::{EnergyMeter, SkippedZone, Zone};
use crate::units::ZoneKind;

/// A meter in use, with the state of each of its zones.
pub(super) struct Active {
    pub(super) meter: Box<dyn EnergyMeter>,
    /// Index in the options' list; 0 is the best.
    pub(super) rank: usize,
    /// Whether readings are checked, and missing parts estimated.
    pub(super) is_sensor: bool,
    /// Tells counters apart that start when the meter is opened; zero for those that do not.
    pub(super) epoch: u64,
    /// For each of its zones.
    pub(super) zones: Vec<ZoneState>,
    /// Those of its zones that were not seen to count.
    pub(super) silent: Vec<SkippedZone>,
}

/// What is known of one zone of a meter in use.
pub(super) struct ZoneState {
    /// Not filtered out, and not had from a better meter.
    pub(super) is_used: bool,
    /// Lost, so that an estimate stands in for it.
    pub(super) is_replaced: bool,
    pub(super) watch: ZoneWatch,
}

impl Active {
    /// What its meter found and is not read.
    pub(super) fn skipped(&self) -> impl Iterator<Item = &SkippedZone> {
        self.meter.inventory().skipped.iter().chain(&self.silent)
    }

    pub(super) fn kinds_and_states(&self) -> impl Iterator<Item = (ZoneKind, &ZoneState)> {
        self.meter.inventory().zones.iter().map(|zone| zone.kind).zip(&self.zones)
    }

    /// Its zones beside the package whose readings are not believed, and for which no estimate stands in.
    pub(super) fn doubtful(&self) -> impl Iterator<Item = (&Zone, &ZoneWatch)> {
        let zones = self.meter.inventory().zones.iter().zip(&self.zones);
        let doubtful = zones.filter(|(zone, state)| {
            let is_alone = self.is_sensor && state.is_used && !self.is_replaceable(zone.kind, state);
            is_alone && zone.kind != ZoneKind::Package && state.watch.distrust().is_some()
        });
        doubtful.map(|(zone, state)| (zone, &state.watch))
    }

    /// Whether some zone gives no numbers that could be used.
    pub(super) fn has_lost(&self) -> bool {
        self.is_sensor && self.zones.iter().any(|state| state.is_used && state.watch.is_lost())
    }

    /// Whether an estimate can stand in for a zone: it is lost, and another one of its kind is not.
    pub(super) fn is_replaceable(&self, kind: ZoneKind, state: &ZoneState) -> bool {
        let is_good = |(other, state): (ZoneKind, &ZoneState)| other == kind && state.is_used && !state.watch.is_lost();
        self.is_sensor && state.is_used && state.watch.is_lost() && self.kinds_and_states().any(is_good)
    }
}

impl ZoneState {
    pub(super) fn new(zone: &Zone, is_used: bool) -> Self {
        ZoneState { is_used, is_replaced: false, watch: ZoneWatch::new(zone) }
    }
}

/// The best meters of this host: the first that can be opened, and others for the kinds of zones that it lacks: the package, and
/// those that it has and that do not count. Meters outside come beside it, each in the place of one of its zones; one that stands for
/// the package makes an estimate of it needless.
pub(super) fn open_best(
    host: &Host,
    options: &ChainOptions,
    given_up: &[GivenUp],
    doubts: &Doubts,
    epoch: u64,
    at: Timestamp,
) -> (Vec<Active>, Vec<Unavailable>) {
    let (mut active, mut unavailable) = (Vec::<Active>::new(), Vec::new());
    let (mut provided, mut lacking) = (Vec::new(), Vec::<ZoneKind>::new());
    // Whether one that is not outside has been found.
    let mut has_own = false;
    for (rank, source) in options.sources.iter().enumerate() {
        let is_outside = matches!(source, Source::External(_));
        let has_package = provided.contains(&ZoneKind::Package) || !options.wants(ZoneKind::Package);
        let has_package = has_package && !active.is_empty();
        let is_settled = has_package && has_own && !is_outside;
        if is_settled {
            lacking.retain(|kind| !provided.contains(kind));
            if lacking.is_empty() {
                break;
            }
            // The others read the same counters in another way, or none.
            if !matches!(source, Source::Hwmon) {
                continue;
            }
        }
        // Its processors are measured: what is left to look for are memory and the platform.
        let is_package_outside = !has_own && provided.contains(&ZoneKind::Package);
        if is_package_outside && !source.is_sensor() {
            continue;
        }
        if let Some(one) = given_up.iter().find(|one| one.rank == rank) {
            unavailable.push(one.unavailable.clone());
            continue;
        }
        let mut meter = match source.open(host, options, at) {
            Ok(meter) => meter,
            Err(reason) => {
                unavailable.extend(Some(reason).filter(|_| !has_package));
                continue;
            }
        };
        let silence = if source.is_sensor() { silent::find(&mut *meter, doubts) } else { Vec::new() };
        let silent = silent::skipped(&*meter, &silence);
        let inventory = meter.inventory();
        let is_of_package = |kind: ZoneKind| matches!(kind, ZoneKind::Core | ZoneKind::Uncore);
        let is_wanted = |kind: ZoneKind| {
            let is_part = is_package_outside && is_of_package(kind);
            options.wants(kind) && !is_part && (!is_settled || lacking.contains(&kind))
        };
        let is_used = |zone: &Zone| is_wanted(zone.kind) && !provided.contains(&zone.kind);
        let mut zones: Vec<ZoneState> =
            inventory.zones.iter().map(|zone| ZoneState::new(zone, is_used(zone))).collect();
        for ((state, silence), zone) in zones.iter_mut().zip(silence).zip(inventory.zones) {
            lacking.extend(silence.filter(|_| state.is_used).map(|_| zone.kind));
            state.is_used &= silence.is_none();
        }
        if !zones.iter().any(|state| state.is_used) {
            let silent = silent.into_iter().next().filter(|_| !has_package);
            unavailable.extend(silent.map(|one| one.unavailable));
            continue;
        }
        let used = inventory.zones.iter().zip(&zones).filter(|(_, state)| state.is_used);
        provided.extend(used.map(|(zone, _)| zone.kind));
        has_own |= !is_outside;
        let epoch = if source.outlives_opening() { 0 } else { epoch };
        active.push(Active { meter, rank, is_sensor: source.is_sensor(), epoch, zones, silent });
    }
    (active, unavailable)
}

/// Whether opening again found what is in use: then what is in use stays.
pub(super) fn is_same(a: &[Active], b: &[Active]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| {
            let (left, right) = (a.meter.inventory(), b.meter.inventory());
            a.rank == b.rank
                && left.zones == right.zones
                && a.skipped().eq(b.skipped())
                && a.zones.iter().map(|state| state.is_used).eq(b.zones.iter().map(|state| state.is_used))
        })
}

/// Writes of zones in use that opening their meters again did not find.
pub(super) fn miss(in_use: &mut [Active], opened: &[Active], at: &Timestamp) {
    for Active { meter, zones, .. } in in_use {
        let source = meter.source();
        let missing = || {
            let opened = opened.iter().filter(|one| one.meter.source() == source);
            opened.flat_map(Active::skipped).filter(|one| one.is_missing)
        };
        for (zone, state) in meter.inventory().zones.iter().zip(zones).filter(|(_, state)| state.is_used) {
            let is_it = |one: &&SkippedZone| one.kind == Some(zone.kind) && one.package == zone.package;
            if let Some(one) = missing().find(is_it) {
                state.watch.miss(source, zone, &one.unavailable.reason, at);
            }
        }
    }
}

/// Whether zones that could not be read by the meters in use can be, by the same meters opened again.
pub(super) fn are_back(opened: &mut [Active], in_use: &[Active], at: &Timestamp) -> bool {
    let mut readings = Vec::new();
    opened.iter_mut().zip(in_use).filter(|(_, in_use)| in_use.has_lost()).any(|(opened, in_use)| {
        opened.meter.read(*at, &mut readings);
        let lost = |state: &ZoneState| state.is_used && state.watch.is_lost() && state.watch.distrust().is_none();
        in_use.zones.iter().zip(&readings).any(|(state, reading)| lost(state) && reading.is_ok())
    })
}
