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
/// 10 ms ticks of `/proc/stat`, longer ones mix too much.
const TEACHING: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(120);

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
}

/// One kind of zone, summed over sockets.
struct Kind {
    path: Arc<str>,
    source: &'static str,
    method: Method,
    baseline: Baseline,
    account: NodeAccount,
    events: CounterEvents,
    interval: Interval,
}

/// What one kind drew in the current interval.
#[derive(Clone, Copy, Default)]
struct Interval {
    energy: Energy,
    /// Sum of the zones' mean powers; `None` if no zone could be compared with an earlier reading.
    power: Option<Power>,
    /// Whether every zone was read now and at the tick before, and its counter simply went on.
    clean: bool,
    split: Option<Split>,
}

impl Zones {
    pub(super) fn new(policy: IdlePolicy) -> Self {
        Zones { policy, generation: None, tracked: Vec::new(), kinds: PerZone::from_fn(|_| None), readings: Vec::new() }
    }

    /// Reads the meters and works out what was drawn since the last tick.
    pub(super) fn read(&mut self, chain: &mut Chain, at: Timestamp, interval: Duration, faults: &mut Faults) {
        let mut readings = std::mem::take(&mut self.readings);
        chain.read(at, &mut readings);
        if self.generation != Some(chain.generation()) {
            self.follow(chain);
        }
        for (_, kind) in self.kinds.iter_mut() {
            if let Some(kind) = kind {
                kind.interval = Interval { clean: true, ..Interval::default() };
            }
        }
        for (tracked, reading) in self.tracked.iter_mut().zip(readings.drain(..)) {
            let Some(kind) = &mut self.kinds[tracked.kind] else { continue };
            match reading {
                Ok(reading) => {
                    faults.succeeded(tracked.source, at);
                    let elapsed = tracked.last_success.map(|last| at.since(&last));
                    tracked.last_success = Some(at);
                    let delta = tracked.tracker.update(reading, at);
                    kind.events.count(delta);
                    kind.interval.energy += delta.energy();
                    if let Some(elapsed) = elapsed {
                        let power = kind.interval.power.unwrap_or_default() + delta.energy().over(elapsed);
                        kind.interval.power = Some(power);
                    }
                    let went_on = matches!(delta, EnergyDelta::Exact(_) | EnergyDelta::Wrapped(_));
                    kind.interval.clean &= went_on && elapsed == Some(interval);
                }
                Err(error) => {
                    tracing::debug!(source = tracked.source, %error, "a zone could not be read");
                    faults.failed(tracked.source, error.reason());
                    kind.interval.clean = false;
                }
            }
        }
        self.readings = readings;
    }

    /// Splits the interval's energy into active and idle, and books it.
    pub(super) fn split(&mut self, utilisation: f64, interval: Duration) {
        for (_, kind) in self.kinds.iter_mut() {
            let Some(kind) = kind else { continue };
            let Interval { energy, power, clean, .. } = kind.interval;
            if let Some(power) = power.filter(|_| clean && TEACHING.contains(&interval)) {
                kind.baseline.observe(utilisation, power);
            }
            // A zone that was missed for a while delivers the energy of more than one interval.
            let watts = power.unwrap_or_default().watts();
            let elapsed = if watts > 0.0 { Duration::from_secs_f64(energy.joules() / watts) } else { interval };
            let split = match self.policy {
                IdlePolicy::Ratio => Split::by_ratio(energy, utilisation),
                IdlePolicy::Baseline => kind.baseline.split(energy, utilisation, elapsed),
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
                    power,
                    events: kind.events,
                }
            });
        }
    }

    /// Takes over the chain's zones after they changed. Books go on, trackers start anew.
    fn follow(&mut self, chain: &Chain) {
        self.generation = Some(chain.generation());
        self.tracked.clear();
        for active in chain.zones() {
            let zone = active.zone;
            self.tracked.push(Tracked {
                kind: zone.kind,
                source: active.source,
                tracker: CounterTracker::new(zone.modulus, zone.max_power),
                last_success: None,
            });
        }
        for kind in ZoneKind::ALL {
            let mut zones = chain.zones().filter(|active| active.zone.kind == kind);
            let Some(first) = zones.next() else { continue };
            let (mut count, mut idle) = (1, first.zone.idle_power);
            for active in zones {
                count += 1;
                idle = idle.zip(active.zone.idle_power).map(|(sum, power)| sum + power);
            }
            let path: Arc<str> =
                if count == 1 { first.zone.path.as_str().into() } else { format!("aggregated-{kind}").into() };
            let before = self.kinds[kind].take();
            self.kinds[kind] = Some(Kind {
                path,
                source: first.source,
                method: first.method,
                // What one source showed says nothing about another.
                baseline: Baseline::new(idle),
                account: before.as_ref().map(|kind| kind.account).unwrap_or_default(),
                events: before.as_ref().map(|kind| kind.events).unwrap_or_default(),
                interval: Interval::default(),
            });
        }
    }
}
