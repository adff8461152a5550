//! The node's zones: from readings to this interval's active and idle energy, and the node's books.

use super::faults::Faults;
use crate::attribution::IdlePolicy;
use crate::attribution::idle::{Baseline, Split};
use crate::attribution::ledger::NodeAccount;
use crate::counter::{CounterEvents, CounterTracker, EnergyDelta};
use crate::host::Timestamp;
use crate::meter::chain::Chain;
use crate::meter::{Method, ReadError, Reading};
use crate::snapshot::{NodeZone, ZonePower};
use crate::units::{Energy, PerZone, Power, ZoneKind};
use std::sync::Arc;
use std::time::Duration;

/// Intervals outside this range teach nothing about idle power: shorter ones are dominated by the
/// 10 ms ticks of `/proc/stat`, longer ones average too much away.
const TEACHING: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(3600);

/// All zones of the node.
pub(super) struct Zones {
    policy: IdlePolicy,
    generation: Option<u64>,
    tracked: Vec<Tracked>,
    kinds: PerZone<Option<Kind>>,
    readings: Vec<Result<Reading, ReadError>>,
}

/// One physical zone.
struct Tracked {
    kind: ZoneKind,
    source: &'static str,
    tracker: CounterTracker,
    last_success: Option<Timestamp>,
    pending: Pending,
}

/// What a zone drew since the last tick.
#[derive(Clone, Copy, Default)]
struct Pending {
    energy: Energy,
    /// The time in which it was drawn.
    elapsed: Duration,
    /// Whether the latest reading succeeded.
    is_read: bool,
    /// Whether its counter did something other than go on: then `energy` is only a lower bound.
    is_lower_bound: bool,
    /// Whether that was a reset, so that nothing at all may be known.
    was_reset: bool,
}

/// One kind of zone, summed over sockets.
struct Kind {
    path: Arc<str>,
    source: &'static str,
    method: Method,
    /// How many zones of this kind there are now. None, when the source that had them has given way.
    count: u32,
    baseline: Baseline,
    account: NodeAccount,
    events: CounterEvents,
    /// Drawn since the last tick by zones that are no longer there.
    left_over: Energy,
    interval: Interval,
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
    split: Option<Split>,
}

/// How the processors were used in the current interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Utilisation {
    /// Busy share of all processors, 0 … 1.
    pub(super) share: f64,
    /// Whether it was measured over this very interval.
    pub(super) is_exact: bool,
}

impl Zones {
    pub(super) fn new(policy: IdlePolicy) -> Self {
        Zones { policy, generation: None, tracked: Vec::new(), kinds: PerZone::from_fn(|_| None), readings: Vec::new() }
    }

    /// Reads the meters, and keeps what was drawn until the next tick.
    pub(super) fn keep_up(&mut self, chain: &mut Chain, at: Timestamp, faults: &mut Faults) {
        let mut readings = std::mem::take(&mut self.readings);
        chain.read(at, &mut readings);
        if self.generation != Some(chain.generation()) {
            self.follow(chain);
        }
        for (tracked, reading) in self.tracked.iter_mut().zip(readings.drain(..)) {
            let Some(kind) = &mut self.kinds[tracked.kind] else { continue };
            match reading {
                Ok(reading) => {
                    faults.succeeded(tracked.source, at);
                    let delta = tracked.tracker.update(reading, at);
                    kind.events.count(delta);
                    let last = tracked.last_success.replace(at);
                    let elapsed = last.map_or(Duration::ZERO, |last| covered(reading, &last, &at));
                    tracked.pending.add(delta, elapsed);
                }
                Err(error) => {
                    tracing::debug!(source = tracked.source, %error, "a zone could not be read");
                    faults.failed(tracked.source, error.reason());
                    tracked.pending.is_read = false;
                }
            }
        }
        self.readings = readings;
    }

    /// Reads the meters and works out what was drawn since the last tick.
    pub(super) fn read(&mut self, chain: &mut Chain, at: Timestamp, interval: Duration, faults: &mut Faults) {
        self.keep_up(chain, at, faults);
        for (_, kind) in self.kinds.iter_mut() {
            let Some(kind) = kind else { continue };
            let energy = std::mem::take(&mut kind.left_over);
            let clean = kind.count > 0 && energy == Energy::ZERO;
            let power = (kind.count > 0).then_some(Power::ZERO);
            kind.interval = Interval { energy, power, clean, ..Interval::default() };
        }
        for tracked in &mut self.tracked {
            let Some(kind) = &mut self.kinds[tracked.kind] else { continue };
            let pending = std::mem::take(&mut tracked.pending);
            kind.interval.energy += pending.energy;
            kind.interval.elapsed += pending.elapsed;
            // A sum with a part missing is not the node's power, and an unknown power is not zero.
            kind.interval.power = kind.interval.power.zip(pending.power()).map(|(sum, power)| sum + power);
            kind.interval.clean &= pending.is_read && !pending.is_lower_bound && pending.elapsed == interval;
        }
    }

    /// Splits the interval's energy into active and idle, and books it.
    pub(super) fn split(&mut self, utilisation: Utilisation, interval: Duration) {
        for (_, kind) in self.kinds.iter_mut() {
            let Some(kind) = kind else { continue };
            let Interval { energy, elapsed, power, clean, .. } = kind.interval;
            if let Some(power) = power.filter(|_| clean && utilisation.is_exact && TEACHING.contains(&interval)) {
                kind.baseline.observe(utilisation.share, power, interval);
            }
            // A zone that was missed for a while delivers the energy of more than one interval, and one
            // that is missing none: idle energy goes by the time in which the energy was drawn.
            let elapsed = elapsed.checked_div(kind.count).unwrap_or(interval);
            let split = match self.policy {
                IdlePolicy::Ratio => Split::by_ratio(energy, utilisation.share),
                IdlePolicy::Baseline => kind.baseline.split(energy, utilisation.share, elapsed),
            };
            kind.interval.split = Some(split);
            kind.account.measured += energy;
            kind.account.active += split.active;
            kind.account.idle += split.idle;
        }
    }

    /// The active energy of this interval.
    pub(super) fn active(&self) -> PerZone<Energy> {
        PerZone::from_fn(|zone| {
            self.kinds[zone].as_ref().and_then(|kind| kind.interval.split).map_or(Energy::ZERO, |split| split.active)
        })
    }

    /// Changes the books of a zone that is present.
    pub(super) fn book(&mut self, zone: ZoneKind, entry: impl FnOnce(&mut NodeAccount)) {
        if let Some(kind) = &mut self.kinds[zone] {
            entry(&mut kind.account);
            debug_assert!(kind.account.forgotten <= kind.account.processes);
        }
    }

    /// Shows the zones as they are now.
    pub(super) fn show(&self, nodes: &mut PerZone<Option<NodeZone>>) {
        for (zone, shown) in nodes.iter_mut() {
            *shown = self.kinds[zone].as_ref().map(|kind| {
                debug_assert!(kind.account.balances(), "{zone}: {:?}", kind.account);
                let power = kind.interval.power.map(|total| {
                    let split = kind.interval.split.unwrap_or(Split { active: Energy::ZERO, idle: Energy::ZERO });
                    let energy = kind.interval.energy.joules();
                    let share = if energy > 0.0 { split.active.joules() / energy } else { 0.0 };
                    let active = total * share;
                    ZonePower { total, active, idle: total - active }
                });
                NodeZone {
                    path: Arc::clone(&kind.path),
                    source: kind.source,
                    method: kind.method,
                    energy: kind.account.measured,
                    active_energy: kind.account.active,
                    idle_energy: kind.account.idle,
                    unattributed_energy: kind.account.unattributed,
                    short_lived_energy: kind.account.short_lived,
                    forgotten_energy: kind.account.forgotten,
                    idle_policy: match kind.baseline.idle_power() {
                        Some(_) => self.policy,
                        None => IdlePolicy::Ratio,
                    },
                    power,
                    events: kind.events,
                }
            });
        }
    }

    /// Takes over the chain's zones after they changed. Books go on, trackers start anew.
    fn follow(&mut self, chain: &Chain) {
        self.generation = Some(chain.generation());
        for tracked in self.tracked.drain(..) {
            if let Some(kind) = &mut self.kinds[tracked.kind] {
                kind.left_over += tracked.pending.energy;
            }
        }
        for active in chain.zones() {
            let zone = active.zone;
            self.tracked.push(Tracked {
                kind: zone.kind,
                source: active.source,
                tracker: CounterTracker::new(zone.modulus, zone.max_power),
                last_success: None,
                pending: Pending::default(),
            });
        }
        for kind in ZoneKind::ALL {
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
                if count == 1 { first.zone.path.as_str().into() } else { format!("aggregated-{kind}").into() };
            let (source, method) = (first.source, first.method);
            let mut baseline = Baseline::new(idle);
            let (mut account, mut events, mut left_over) = Default::default();
            if let Some(before) = self.kinds[kind].take() {
                // What one source showed says nothing about another.
                if before.source == source && before.path == path && before.count == count && idle.is_none() {
                    baseline = before.baseline;
                }
                (account, events, left_over) = (before.account, before.events, before.left_over);
            }
            let interval = Interval::default();
            self.kinds[kind] =
                Some(Kind { path, source, method, count, baseline, account, events, left_over, interval });
        }
    }
}

impl Pending {
    fn add(&mut self, delta: EnergyDelta, elapsed: Duration) {
        self.energy += delta.energy();
        self.elapsed += elapsed;
        self.is_read = true;
        self.is_lower_bound |= !matches!(delta, EnergyDelta::Exact(_) | EnergyDelta::Wrapped(_));
        self.was_reset |= matches!(delta, EnergyDelta::Reset { .. });
    }

    /// Mean power; `None` when it is not known.
    fn power(&self) -> Option<Power> {
        let is_known = self.is_read && !self.was_reset && !self.elapsed.is_zero();
        is_known.then(|| self.energy.over(self.elapsed))
    }
}

/// The time in which what a reading adds was drawn. A counter goes on while the machine sleeps, if it
/// keeps its state; a sensor of power is asked only while it is awake.
fn covered(reading: Reading, last: &Timestamp, at: &Timestamp) -> Duration {
    match reading {
        Reading::Counter(_) if at.suspended_since(last) => at.boottime_since(last),
        _ => at.since(last),
    }
}
