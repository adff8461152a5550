//! Energy between two moments of a program's life: the [`Stopwatch`].
//!
//! Where the [`sampler`](crate::sampler) follows every process of the machine on a schedule, a stopwatch
//! answers one question at once: what did the machine draw between here and there, and how much of it was
//! this program's? A [`Mark`] is a reading of the energy counters and of this process's own CPU clocks; it takes
//! microseconds, as no process is listed. Two marks make a [`Spent`].
//!
//! **This program's share.** Where the idle power of a zone is not known, `energy · cpu / (processors · elapsed)`:
//! the ratio policy of [`attribution::idle`](crate::attribution::idle), in which the node's busy time cancels. Where a model knows it,
//! `(energy − idle) · cpu / busy`.
//!
//! **Long intervals.** A counter that may go round twice between two marks has to be read in between: call
//! [`Stopwatch::keep_up`] at least every [`Stopwatch::longest_gap`].
//!
//! ```
//! use kepler_core::{host::Host, meter::chain::ChainOptions, stopwatch::Stopwatch};
//!
//! let mut stopwatch = Stopwatch::open(&Host::default(), ChainOptions::default())?;
//! let start = stopwatch.mark();
//! let sum: u64 = std::hint::black_box((0..1_000_000u64).map(|n| n ^ 0x55).sum());
//! let spent = start.until(&stopwatch.mark());
//! let machine = spent.machine().ok_or("no zone")?;
//! println!("{sum}: {} of the machine, {} of this process", machine.energy, spent.part_of_machine(spent.own_cpu).ok_or("no share")?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod devices;
mod rest;
mod spent;
mod tree;

pub use devices::{Descent, DeviceMark, DeviceSpent, DeviceStopwatch, Whose};
pub use spent::{MachineEnergy, Spent, ZoneSpent};
pub use tree::tree_cpu_time;

use crate::availability::Unavailable;
use crate::counter::{CounterEvents, longest_gap};
use crate::host::{BusyTime, Host, Timestamp};
use crate::meter::chain::{Chain, ChainOptions};
use crate::meter::{Drawn, Method, ReadError};
use crate::units::{Energy, PerZone, Power, ZoneKind};
use std::time::Duration;
use tree::CpuUse;

/// How long the number of processors, which changes when one is taken off line, is believed. Reading it costs
/// 20 µs and more, as much as all counters together.
const PROCESSORS_BELIEVED: Duration = Duration::from_secs(1);

/// Reads meters and CPU clocks when asked to.
pub struct Stopwatch {
    chain: Chain,
    generation: Option<u64>,
    /// The kind of each zone in use.
    tracked: Vec<ZoneKind>,
    kinds: PerZone<Option<Kind>>,
    drawn: Vec<Result<Drawn, ReadError>>,
    host: Host,
    processors: u32,
    processors_read: Option<Timestamp>,
    busy_time: BusyTime,
    busy: Duration,
    counts_busy: bool,
}

/// One kind of zone, summed over sockets, as it stands at a mark.
#[derive(Clone, Copy, Debug)]
struct Kind {
    source: &'static str,
    method: Method,
    idle_power: Option<Power>,
    /// Drawn since the stopwatch was opened.
    energy: Energy,
    events: CounterEvents,
    /// How often one of its zones could not be read.
    failures: u64,
    /// Whether one of them could not be read the last time.
    is_stale: bool,
}

impl std::fmt::Debug for Stopwatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stopwatch").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

/// A moment, with the state of the meters and of this process's CPU clocks.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    at: Timestamp,
    generation: Option<u64>,
    kinds: PerZone<Option<Kind>>,
    processors: u32,
    /// The node's busy CPU time since the stopwatch was opened, where it is counted.
    busy: Option<Duration>,
    process: u32,
    cpu: CpuUse,
}

impl Stopwatch {
    /// Opens the meters of this host.
    ///
    /// # Errors
    /// When a forced meter cannot be used. With the default options that does not happen.
    pub fn open(host: &Host, options: ChainOptions) -> Result<Self, Unavailable> {
        let mut stopwatch = Stopwatch {
            chain: Chain::open(host, options)?,
            generation: None,
            tracked: Vec::new(),
            kinds: PerZone::from_fn(|_| None),
            drawn: Vec::new(),
            host: host.clone(),
            processors: 1,
            processors_read: None,
            busy_time: BusyTime::default(),
            busy: Duration::ZERO,
            counts_busy: false,
        };
        // The first reading only lays the ground: a mark afterwards has energy to show.
        stopwatch.mark();
        Ok(stopwatch)
    }

    /// Counts the node's busy CPU time from now on, also where no zone's idle power is known:
    /// [`Spent::above_rest`] needs it. Costs 20 µs a mark.
    pub fn count_busy_time(&mut self) {
        self.counts_busy = true;
        self.mark();
    }

    /// Reads everything now.
    pub fn mark(&mut self) -> Mark {
        self.mark_at(Timestamp::now())
    }

    /// The same at a moment of your own, for simulated clocks. Moments must not go back.
    pub fn mark_at(&mut self, at: Timestamp) -> Mark {
        self.keep_up_at(at);
        self.read_processors(at);
        Mark {
            at,
            generation: self.generation,
            kinds: self.kinds,
            processors: self.processors,
            busy: self.needs_busy().then_some(self.busy),
            process: std::process::id(),
            cpu: tree::cpu_use(),
        }
    }

    /// Reads the counters, so that none goes round unseen in a long interval.
    pub fn keep_up(&mut self) {
        self.keep_up_at(Timestamp::now());
    }

    /// The same at a moment of your own.
    pub fn keep_up_at(&mut self, at: Timestamp) {
        self.chain.read(at, &mut self.drawn);
        if self.generation != Some(self.chain.generation()) {
            self.follow();
        }
        for (_, kind) in self.kinds.iter_mut() {
            kind.iter_mut().for_each(|kind| kind.is_stale = false);
        }
        for active in self.chain.zones() {
            if let Some(kind) = &mut self.kinds[active.zone.kind] {
                kind.method = active.method;
            }
        }
        for (&zone, drawn) in self.tracked.iter().zip(self.drawn.drain(..)) {
            let Some(kind) = &mut self.kinds[zone] else { continue };
            match drawn {
                Ok(drawn) => {
                    kind.energy += drawn.energy;
                    kind.events.count(drawn.delta);
                }
                Err(error) => {
                    tracing::debug!(%error, "a zone could not be read");
                    kind.failures += 1;
                    kind.is_stale = true;
                }
            }
        }
    }

    /// How long the counters may go unread; `None` if none of them goes round.
    #[must_use]
    pub fn longest_gap(&self) -> Option<Duration> {
        self.chain.zones().filter_map(|active| longest_gap(active.zone.modulus?, active.zone.max_power)).min()
    }

    /// Why better meters are not in use.
    #[must_use]
    pub fn unavailable(&self) -> &[Unavailable] {
        self.chain.unavailable()
    }

    /// Whether the node's busy time counts: it is asked for, or some zone's idle power is known.
    fn needs_busy(&self) -> bool {
        self.counts_busy
            || self.kinds.iter().any(|(_, kind)| kind.as_ref().is_some_and(|kind| kind.idle_power.is_some()))
    }

    fn read_processors(&mut self, at: Timestamp) {
        let is_fresh = self.processors_read.is_some_and(|read| at.since(&read) < PROCESSORS_BELIEVED);
        if is_fresh && !self.needs_busy() {
            return;
        }
        let Ok(times) = self.host.cpu_times(at).map(|reading| reading.times) else { return };
        self.processors = times.processors;
        self.processors_read = Some(at);
        self.busy += self.busy_time.advance(times, at).map_or(Duration::ZERO, |window| window.busy);
    }

    /// Takes over the chain's zones after they changed. Totals go on.
    fn follow(&mut self) {
        self.generation = Some(self.chain.generation());
        self.tracked.clear();
        let mut found: PerZone<Option<Kind>> = PerZone::from_fn(|_| None);
        for active in self.chain.zones() {
            let zone = active.zone;
            self.tracked.push(zone.kind);
            let before = self.kinds[zone.kind];
            let kind = found[zone.kind].get_or_insert(Kind {
                source: active.source,
                method: active.method,
                idle_power: Some(Power::ZERO),
                energy: before.map_or(Energy::ZERO, |kind| kind.energy),
                events: before.map_or(CounterEvents::default(), |kind| kind.events),
                failures: before.map_or(0, |kind| kind.failures),
                is_stale: false,
            });
            kind.idle_power = kind.idle_power.zip(zone.idle_power).map(|(sum, power)| sum + power);
        }
        self.kinds = found;
    }
}

impl Mark {
    /// When it was taken.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// What was spent from this mark to a `later` one of the same stopwatch.
    ///
    /// The later one may have been taken in a process forked in between: the machine's energy is as true there,
    /// and CPU time counts from the fork.
    #[must_use]
    pub fn until(&self, later: &Mark) -> Spent {
        spent::between(self, later)
    }
}
