//! The node's zones: from readings to this interval's active and idle energy, and the node's books.

mod known;
mod pending;

use super::faults::Faults;
use crate::attribution::IdlePolicy;
use crate::attribution::idle::{Baseline, IdleSplit};
use crate::attribution::ledger::NodeAccount;
use crate::calibration::{Calibration, IdlePower};
use crate::counter::CounterEvents;
use crate::host::Timestamp;
use crate::meter::chain::{ActiveZone, Chain};
use crate::meter::{Drawn, ErrorBounds, Method, ReadError};
use crate::snapshot::{NodeZone, PowerInterval, SocketZone, ZonePower};
use crate::units::{Energy, PerZone, Power, ZoneKind};
use pending::Pending;
use std::sync::Arc;
use std::time::Duration;

/// Intervals outside this range teach nothing about idle power: shorter ones are dominated by the
/// 10 ms ticks of `/proc/stat`, longer ones average too much away.
const TEACHING: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(3600);

/// Why a zone has no figures that was there before and that no source has now.
const GONE: &str = "not_found";

/// All zones of the node.
pub(super) struct Zones {
    policy: IdlePolicy,
    /// What was learned of this machine before.
    calibration: Option<Arc<Calibration>>,
    generation: Option<u64>,
    tracked: Vec<Tracked>,
    kinds: PerZone<Option<Kind>>,
    drawn: Vec<Result<Drawn, ReadError>>,
}

/// One physical zone.
struct Tracked {
    kind: ZoneKind,
    package: Option<u32>,
    source: &'static str,
    path: Arc<str>,
    /// Whether it stands in for a zone that cannot be read.
    is_filled: bool,
    pending: Pending,
}

/// One kind of zone, summed over sockets.
struct Kind {
    path: Arc<str>,
    source: &'static str,
    method: Method,
    /// Where the truth lies about an estimate, if the meter knows more than its method says.
    error_bounds: Option<ErrorBounds>,
    /// How many zones of this kind there are now. None, when the source that had them has given way.
    count: u32,
    baseline: Baseline,
    account: NodeAccount,
    events: CounterEvents,
    /// Drawn since the last tick by zones that are no longer there.
    left_over: Energy,
    interval: Interval,
    /// What each package has of it; empty if that is not known, or there is only one.
    parts: Vec<Part>,
    /// Whether this interval's energy was split package by package.
    is_by_package: bool,
    /// Why a part of it could not be read the last time.
    fault: Option<&'static str>,
    /// Whether nothing gives figures of it any more.
    is_lost: bool,
}

/// One package's part of a kind of zone.
struct Part {
    package: u32,
    count: u32,
    baseline: Baseline,
    interval: Interval,
    /// All it drew.
    energy: Energy,
}

/// What one kind drew in the current interval.
#[derive(Clone, Copy, Default)]
struct Interval {
    energy: Energy,
    /// The time in which it was drawn, summed over zones.
    elapsed: Duration,
    /// Sum of the zones' mean powers; `None` unless it is known of every zone.
    power: Option<Power>,
    /// Whether every zone was read now and at the tick before, and its counter simply went on.
    clean: bool,
    split: Option<IdleSplit>,
}

/// How processors were used in the current interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Utilisation {
    /// Busy share of all processors, 0 … 1.
    pub(super) share: f64,
    /// Whether it was measured over this very interval.
    pub(super) is_exact: bool,
    /// Mean frequency of busy processors, GHz, where cycles are counted.
    pub(super) ghz: Option<f64>,
}

impl Zones {
    pub(super) fn new(policy: IdlePolicy, calibration: Option<Arc<Calibration>>) -> Self {
        let kinds = PerZone::from_fn(|_| None);
        Zones { policy, calibration, generation: None, tracked: Vec::new(), kinds, drawn: Vec::new() }
    }

    /// What is known of idle power by now: of each zone of all sockets together, and of each socket where that is known.
    pub(super) fn idle_powers(&self) -> Vec<IdlePower> {
        let mut known = Vec::new();
        for (zone, kind) in self.kinds.iter() {
            let Some(kind) = kind.as_ref().filter(|kind| kind.count > 0) else { continue };
            let mut add = |package, baseline: &Baseline| {
                let watts = baseline.idle_power().map(|power| power.watts());
                known.extend(watts.map(|watts| IdlePower { zone, package, watts }));
            };
            add(None, &kind.baseline);
            for part in &kind.parts {
                add(Some(part.package), &part.baseline);
            }
        }
        known
    }

    /// Reads the meters, and keeps what was drawn until the next tick.
    pub(super) fn keep_up(&mut self, chain: &mut Chain, at: Timestamp, faults: &mut Faults) {
        let mut drawn = std::mem::take(&mut self.drawn);
        chain.read(at, &mut drawn);
        if self.generation != Some(chain.generation()) {
            self.follow(chain);
        }
        self.kinds.iter_mut().filter_map(|(_, kind)| kind.as_mut()).for_each(|kind| kind.fault = None);
        for (tracked, drawn) in self.tracked.iter_mut().zip(drawn.drain(..)) {
            let Some(kind) = &mut self.kinds[tracked.kind] else { continue };
            match drawn {
                Ok(drawn) => {
                    faults.succeeded(tracked.source, at);
                    kind.events.count(drawn.delta);
                    tracked.pending.add(&drawn);
                }
                Err(error) => {
                    tracing::debug!(source = tracked.source, %error, "a zone could not be read");
                    faults.failed(tracked.source, error.reason());
                    kind.fault = Some(error.reason());
                    tracked.pending.is_read = false;
                }
            }
        }
        self.drawn = drawn;
        self.look_at_estimates(chain, faults);
    }

    /// How certain an estimate is depends on what the machine does.
    fn look_at_estimates(&mut self, chain: &Chain, faults: &mut Faults) {
        // The books of a kind that no source has any more stay.
        self.kinds.iter_mut().filter_map(|(_, kind)| kind.as_mut()).for_each(|kind| kind.is_lost = true);
        for active in chain.zones() {
            if let Some(kind) = &mut self.kinds[active.zone.kind] {
                kind.is_lost &= active.is_lost;
            }
            if let (Some(_), Some(kind)) = (active.method.error_ratio(), &mut self.kinds[active.zone.kind]) {
                (kind.method, kind.error_bounds) = (active.method, active.error_bounds);
            }
        }
        for fault in chain.faults() {
            faults.failed(fault.source, fault.reason);
            if let Some(kind) = &mut self.kinds[fault.kind] {
                kind.fault = Some(fault.reason);
            }
        }
        for (kind, reason) in chain.missing() {
            if let Some(kind) = &mut self.kinds[kind] {
                kind.fault.get_or_insert(reason);
            }
        }
        for (source, warnings) in chain.warnings() {
            faults.warned(source, warnings);
        }
        let gone = self.kinds.iter_mut().filter_map(|(_, kind)| kind.as_mut()).filter(|kind| kind.count == 0);
        gone.for_each(|kind| _ = kind.fault.get_or_insert(GONE));
    }

    /// Reads the meters and works out what was drawn since the last tick.
    pub(super) fn read(&mut self, chain: &mut Chain, at: Timestamp, interval: Duration, faults: &mut Faults) {
        self.keep_up(chain, at, faults);
        for (_, kind) in self.kinds.iter_mut() {
            let Some(kind) = kind else { continue };
            kind.interval = Interval::begin(kind.count, std::mem::take(&mut kind.left_over));
            for part in &mut kind.parts {
                part.interval = Interval::begin(part.count, Energy::ZERO);
            }
        }
        for tracked in &mut self.tracked {
            let Some(kind) = &mut self.kinds[tracked.kind] else { continue };
            let mut pending = std::mem::take(&mut tracked.pending);
            // An estimate teaches nothing about idle power.
            pending.is_lower_bound |= tracked.is_filled;
            kind.interval.add(pending, interval);
            for part in kind.parts.iter_mut().filter(|part| tracked.package == Some(part.package)) {
                part.interval.add(pending, interval);
            }
        }
    }

    /// Splits the interval's energy into active and idle, and books it: package by package, where the utilisation
    /// of each is known and `by_package` asks for it, else all of a kind at once. Both learn all the same.
    pub(super) fn split(
        &mut self,
        utilisation: Utilisation,
        interval: Duration,
        by_package: bool,
        of_package: impl Fn(u32) -> Option<Utilisation>,
    ) {
        let policy = self.policy;
        for (_, kind) in self.kinds.iter_mut() {
            let Some(kind) = kind else { continue };
            let whole = kind.interval.split(policy, &mut kind.baseline, kind.count, utilisation, interval);
            // What is left of zones that have gone has no package.
            let mut sum = (by_package && !kind.parts.is_empty()).then_some(NOTHING);
            let mut of_parts = Energy::ZERO;
            for part in &mut kind.parts {
                let utilisation = of_package(part.package);
                let split = utilisation.map(|utilisation| {
                    part.interval.split(policy, &mut part.baseline, part.count, utilisation, interval)
                });
                part.interval.split = split;
                of_parts += part.interval.energy;
                part.energy += part.interval.energy;
                sum = sum
                    .zip(split)
                    .map(|(sum, split)| IdleSplit { active: sum.active + split.active, idle: sum.idle + split.idle });
            }
            sum = sum.filter(|_| of_parts == kind.interval.energy);
            kind.is_by_package = sum.is_some();
            let split = sum.unwrap_or(whole);
            kind.interval.split = Some(split);
            kind.account.measured += kind.interval.energy;
            kind.account.active += split.active;
            kind.account.idle += split.idle;
        }
    }

    /// The active energy of this interval: of each package where it was split so, else of the node.
    pub(super) fn active(&self) -> impl Iterator<Item = (ZoneKind, Option<u32>, Energy)> {
        self.kinds.iter().flat_map(|(zone, kind)| {
            let kind = kind.as_ref();
            let parts = kind.filter(|kind| kind.is_by_package).map(|kind| kind.parts.as_slice()).unwrap_or_default();
            let whole = kind.filter(|kind| !kind.is_by_package).map(|kind| (None, &kind.interval));
            let parts = parts.iter().map(|part| (Some(part.package), &part.interval));
            whole
                .into_iter()
                .chain(parts)
                .filter_map(move |(package, interval)| interval.split.map(|split| (zone, package, split.active)))
        })
    }

    /// Changes the account of a zone that is present.
    pub(super) fn charge(&mut self, zone: ZoneKind, entry: impl FnOnce(&mut NodeAccount)) {
        if let Some(kind) = &mut self.kinds[zone] {
            entry(&mut kind.account);
            debug_assert!(kind.account.unlisted <= kind.account.processes);
        }
    }

    /// Shows the zones as they are now.
    pub(super) fn publish(&self, nodes: &mut PerZone<Option<NodeZone>>) {
        for (zone, shown) in nodes.iter_mut() {
            // Its room is used again.
            let mut sockets = shown.take().map(|zone| zone.sockets).unwrap_or_default();
            *shown = self.kinds[zone].as_ref().map(|kind| {
                debug_assert!(kind.account.balances(), "{zone}: {:?}", kind.account);
                let power = kind.interval.power.map(|total| {
                    let split = kind.interval.split.unwrap_or(NOTHING);
                    let energy = kind.interval.energy.joules();
                    let share = if energy > 0.0 { split.active.joules() / energy } else { 0.0 };
                    let active = total * share;
                    ZonePower { total, active, idle: total - active }
                });
                sockets.clear();
                sockets.extend(kind.parts.iter().map(Part::shown));
                NodeZone {
                    path: Arc::clone(&kind.path),
                    source: kind.source,
                    method: kind.method,
                    energy: kind.account.measured,
                    active_energy: kind.account.active,
                    idle_energy: kind.account.idle,
                    unattributed_energy: kind.account.unattributed,
                    unsplit_energy: Energy::ZERO,
                    unsplit_power: Power::ZERO,
                    short_lived_energy: kind.account.short_lived,
                    unlisted_energy: kind.account.unlisted,
                    idle_policy: if kind.knows_idle_power() { self.policy } else { IdlePolicy::Ratio },
                    idle_knowledge: kind.idle_knowledge(),
                    idle_estimate: kind.idle_estimate().filter(|_| kind.method == Method::Measured),
                    power,
                    interval: power.and_then(|power| interval(kind.method, kind.error_bounds, power.total)),
                    events: kind.events,
                    fault: kind.fault,
                    is_lost: kind.is_lost,
                    sockets,
                }
            });
        }
    }

    /// Takes over the chain's zones after they changed. Books go on.
    fn follow(&mut self, chain: &Chain) {
        self.generation = Some(chain.generation());
        let mut before = std::mem::take(&mut self.tracked);
        for active in chain.zones() {
            let known = before.iter().position(|tracked| tracked.is(&active)).map(|index| before.swap_remove(index));
            self.tracked.push(known.unwrap_or_else(|| Tracked::new(&active)));
        }
        for tracked in before {
            if let Some(kind) = &mut self.kinds[tracked.kind] {
                kind.left_over += tracked.pending.energy;
            }
        }
        // Accelerators have meters of their own.
        for kind in ZoneKind::METERED {
            let mut zones = chain.zones().filter(|active| active.zone.kind == kind);
            let Some(first) = zones.next() else {
                if let Some(gone) = &mut self.kinds[kind] {
                    gone.count = 0;
                }
                continue;
            };
            let (mut count, mut idle) = (1, first.zone.idle_power);
            for active in zones {
                count += 1;
                idle = idle.zip(active.zone.idle_power).map(|(sum, power)| sum + power);
            }
            let path: Arc<str> =
                if count == 1 { Arc::clone(&first.zone.path) } else { format!("aggregated-{kind}").into() };
            let (source, method, error_bounds) = (first.source, first.method, first.error_bounds);
            // An estimate is not what was calibrated; it knows its own idle power.
            let calibration = self.calibration.as_deref().filter(|_| method == Method::Measured);
            let learned = |package| calibration.and_then(|calibration| calibration.idle_power(kind, package));
            let mut baseline = Baseline::new(idle).with_learned(learned(None)).of_processors(are_processors(kind));
            let mut parts = parts(chain, kind, learned);
            let (mut account, mut events, mut left_over) = Default::default();
            if let Some(before) = self.kinds[kind].take() {
                carry(&before.parts, &mut parts);
                // What one source showed says nothing about another.
                if before.source == source && before.path == path && before.count == count && idle.is_none() {
                    baseline = before.baseline;
                    let packages =
                        |parts: &[Part]| parts.iter().map(|part| (part.package, part.count)).collect::<Vec<_>>();
                    if packages(&before.parts) == packages(&parts) {
                        parts = before.parts;
                    }
                }

                (account, events, left_over) = (before.account, before.events, before.left_over);
            }
            let (interval, is_by_package) = (Interval::default(), false);
            self.kinds[kind] = Some(Kind {
                path,
                source,
                method,
                error_bounds,
                count,
                baseline,
                account,
                events,
                left_over,
                interval,
                parts,
                is_by_package,
                fault: None,
                is_lost: false,
            });
        }
    }
}

impl Tracked {
    fn new(active: &ActiveZone<'_>) -> Self {
        let zone = active.zone;
        Tracked {
            kind: zone.kind,
            package: zone.package,
            source: active.source,
            path: zone.path.clone(),
            is_filled: active.is_filled,
            pending: Pending::default(),
        }
    }

    /// Whether this is the same zone.
    fn is(&self, active: &ActiveZone<'_>) -> bool {
        self.kind == active.zone.kind
            && self.package == active.zone.package
            && self.source == active.source
            && self.path == active.zone.path
    }
}

/// An interval in which nothing was drawn.
const NOTHING: IdleSplit = IdleSplit { active: Energy::ZERO, idle: Energy::ZERO };

/// Where power that is not wholly measured lies with 90 % probability.
fn interval(method: Method, error_bounds: Option<ErrorBounds>, power: Power) -> Option<PowerInterval> {
    let error_ratio = method.error_ratio()?;
    let error_bounds = error_bounds.unwrap_or_else(|| ErrorBounds::of_error(error_ratio));
    Some(PowerInterval { lower: power * (1.0 - error_bounds.below), upper: power * (1.0 + error_bounds.above) })
}

/// The packages that share a kind of zone, if it is known of each zone whose it is. A platform belongs to no package.
fn parts(chain: &Chain, kind: ZoneKind, learned: impl Fn(Option<u32>) -> Option<Power>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for active in chain.zones().filter(|active| active.zone.kind == kind && kind != ZoneKind::Psys) {
        let Some(package) = active.zone.package else { return Vec::new() };
        match parts.iter_mut().find(|part| part.package == package) {
            Some(part) => part.count += 1,
            None => {
                let baseline = Baseline::new(active.zone.idle_power).with_learned(learned(Some(package)));
                let baseline = baseline.of_processors(are_processors(kind));
                parts.push(Part { package, count: 1, baseline, interval: Interval::default(), energy: Energy::ZERO });
            }
        }
    }
    if parts.len() < 2 { Vec::new() } else { parts }
}

/// Whether a kind of zone is what its processors draw, and little else.
fn are_processors(kind: ZoneKind) -> bool {
    matches!(kind, ZoneKind::Package | ZoneKind::Core)
}

/// What each package drew stays drawn, whichever meter reads it now.
fn carry(before: &[Part], parts: &mut [Part]) {
    for part in parts {
        part.energy = before.iter().find(|old| old.package == part.package).map_or(Energy::ZERO, |old| old.energy);
    }
}

impl Part {
    fn shown(&self) -> SocketZone {
        SocketZone { socket: self.package, energy: self.energy, power: self.interval.power }
    }
}

impl Interval {
    /// An interval of this number of zones.
    fn begin(count: u32, left_over: Energy) -> Self {
        Interval {
            energy: left_over,
            power: (count > 0).then_some(Power::ZERO),
            clean: count > 0 && left_over == Energy::ZERO,
            ..Interval::default()
        }
    }

    /// Adds what one of the zones drew.
    fn add(&mut self, pending: Pending, interval: Duration) {
        self.energy += pending.energy;
        self.elapsed += pending.elapsed;
        // A sum with a part missing is not the node's power, and an unknown power is not zero.
        self.power = self.power.zip(pending.power()).map(|(sum, power)| sum + power);
        self.clean &= pending.is_read && !pending.is_lower_bound && pending.window == interval;
        self.clean &= pending.energy == pending.counted;
    }

    /// Splits the energy into active and idle, by a baseline that learns from it.
    fn split(
        &self,
        policy: IdlePolicy,
        baseline: &mut Baseline,
        count: u32,
        utilisation: Utilisation,
        interval: Duration,
    ) -> IdleSplit {
        let can_teach = self.clean && utilisation.is_exact && TEACHING.contains(&interval);
        if let Some(power) = self.power.filter(|_| can_teach) {
            baseline.observe_at(utilisation.share, utilisation.ghz, power, interval);
        }
        // A zone that was missed for a while delivers the energy of more than one interval, and one
        // that is missing none: idle energy goes by the time in which the energy was drawn.
        let elapsed = self.elapsed.checked_div(count).unwrap_or(interval);
        match policy {
            IdlePolicy::Ratio => IdleSplit::by_ratio(self.energy, utilisation.share),
            IdlePolicy::Baseline => baseline.split(self.energy, utilisation.share, elapsed),
        }
    }
}
