//! Zones that are read on a thread of their own, each with a deadline.

use super::{PATIENCE, STACK, Ticket, may_risk_another};
use crate::host::Timestamp;
use crate::meter::{EnergyMeter, MeterInventory, Method, Quality, ReadError, ReadFault, Reading, SkippedZone, Zone};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

/// A read that takes this long gets company: another thread reads the remaining zones.
const COMPANY: Duration = Duration::from_millis(250);

/// A zone that was once too slow is waited for again when it answers within this time.
const PROMPT: Duration = Duration::from_millis(50);

/// What one zone is read from.
pub(in crate::meter) trait Probe: Send + 'static {
    /// Reads it once.
    fn read(&mut self) -> Result<Reading, ReadError>;

    /// The file that it reads.
    fn path(&self) -> &Path;
}

/// A meter whose zones are read on another thread, so that one that hangs holds nothing up.
///
/// A zone that does not answer in time is an error with the kind [`TimedOut`](std::io::ErrorKind::TimedOut). It is not waited for again
/// until it has answered promptly; what it answers late is part of the next reading.
#[derive(Debug)]
pub(in crate::meter) struct Guarded<P> {
    source: &'static str,
    zones: Vec<Zone>,
    skipped: Vec<SkippedZone>,
    shared: Arc<Shared<P>>,
    /// Threads do not outlive a fork.
    process: u32,
    /// Whether this is a forked child whose parent held the lock.
    is_orphaned: bool,
}

#[derive(Debug)]
struct Shared<P> {
    state: Mutex<State<P>>,
    /// For the readers: there is something to read.
    asked: Condvar,
    /// For who asked: all that is waited for has been read.
    done: Condvar,
}

#[derive(Debug)]
struct State<P> {
    slots: Vec<Slot<P>>,
    /// Reader threads, and how many of them have nothing to do.
    readers: usize,
    idle: usize,
    is_closed: bool,
}

#[derive(Debug)]
struct Slot<P> {
    path: PathBuf,
    /// Absent while it is being read.
    probe: Option<P>,
    /// Since when it is being read.
    since: Option<Instant>,
    is_asked: bool,
    outcome: Option<Result<Reading, ReadError>>,
    /// Did not answer in time, and is not waited for.
    is_slow: bool,
    /// While it hangs.
    ticket: Option<Ticket>,
}

impl<P: Probe> Guarded<P> {
    /// A meter of these zones, each with its probe in the same order.
    pub(in crate::meter) fn new(
        source: &'static str,
        zones: Vec<Zone>,
        skipped: Vec<SkippedZone>,
        probes: Vec<P>,
    ) -> Self {
        let slot = |probe: P| Slot {
            path: probe.path().to_owned(),
            probe: Some(probe),
            since: None,
            is_asked: false,
            outcome: None,
            is_slow: false,
            ticket: None,
        };
        let slots = probes.into_iter().map(slot).collect();
        let state = Mutex::new(State { slots, readers: 0, idle: 0, is_closed: false });
        let shared = Arc::new(Shared { state, asked: Condvar::new(), done: Condvar::new() });
        Guarded { source, zones, skipped, shared, process: std::process::id(), is_orphaned: false }
    }

    /// Forgets the threads that a fork left behind in the parent.
    fn notice_fork(&mut self) {
        let process = std::process::id();
        if std::mem::replace(&mut self.process, process) == process {
            return;
        }
        match self.shared.state.try_lock() {
            Ok(mut state) => (state.readers, state.idle) = (0, 0),
            Err(TryLockError::Poisoned(_)) => {}
            Err(TryLockError::WouldBlock) => self.is_orphaned = true,
        }
    }
}

impl<P: Probe> EnergyMeter for Guarded<P> {
    fn source(&self) -> &'static str {
        self.source
    }

    fn quality(&self) -> Quality {
        Quality::of(Method::Measured)
    }

    fn inventory(&self) -> MeterInventory<'_> {
        MeterInventory::of(&self.zones).with_skipped(&self.skipped)
    }

    fn read(&mut self, _at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        readings.clear();
        self.notice_fork();
        let no_answer_of = |zone: &Zone| ReadError::new(Arc::clone(&zone.path), ReadFault::NoAnswer);
        if self.is_orphaned {
            readings.extend(self.zones.iter().map(|zone| Err(no_answer_of(zone))));
            return;
        }
        let mut state = self.shared.ask();
        for (slot, zone) in state.slots.iter_mut().zip(&self.zones) {
            readings.push(slot.take_outcome().unwrap_or_else(|| Err(no_answer_of(zone))));
        }
    }
}

impl<P> Drop for Guarded<P> {
    fn drop(&mut self) {
        // A forked child has none of the threads, and may find the lock held by one.
        if !self.is_orphaned && self.process == std::process::id() {
            self.shared.lock().is_closed = true;
            self.shared.asked.notify_all();
        }
    }
}

impl<P> Shared<P> {
    fn lock(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Probe> Shared<P> {
    /// Has every zone read, and waits for those that are worth it.
    fn ask(self: &Arc<Self>) -> MutexGuard<'_, State<P>> {
        let begun = Instant::now();
        let mut state = self.lock();
        state.slots.iter_mut().for_each(Slot::ask);
        if state.next().is_none() {
            return state;
        }
        if state.idle == 0 {
            state = self.add_reader(state);
        } else {
            self.asked.notify_one();
        }
        while state.is_waited_for() {
            let Some(left) = PATIENCE.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else { break };
            let (back, timeout) =
                self.done.wait_timeout(state, left.min(COMPANY)).unwrap_or_else(PoisonError::into_inner);
            state = back;
            if timeout.timed_out() && state.needs_company() {
                if !may_risk_another() {
                    break;
                }
                state = self.add_reader(state);
            }
        }
        state
    }

    /// Starts another reader. Where the system refuses the first, the zones are read here.
    fn add_reader<'a>(self: &'a Arc<Self>, mut state: MutexGuard<'a, State<P>>) -> MutexGuard<'a, State<P>> {
        if !may_risk_another() {
            return state;
        }
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().name("kepler-sensors".into()).stack_size(STACK);
        match thread.spawn(move || shared.work()) {
            Ok(_) => state.readers += 1,
            Err(error) => {
                tracing::debug!(%error, "no thread could be started to read sensors");
                while let Some(index) = state.next().filter(|_| state.readers == 0) {
                    state = self.read_one(state, index);
                }
            }
        }
        state
    }

    /// What a reader does until the meter is closed or another reader is idle.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            let next = state.next();
            if !state.is_waited_for() {
                self.done.notify_one();
            }
            if state.is_closed || (next.is_none() && state.idle > 0) {
                state.readers = state.readers.saturating_sub(1);
                return;
            }
            match next {
                Some(index) => state = self.read_one(state, index),
                None => {
                    state.idle += 1;
                    state = self.asked.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.idle = state.idle.saturating_sub(1);
                }
            }
        }
    }

    /// Reads one zone, and lets go of the lock meanwhile.
    fn read_one<'a>(&'a self, mut state: MutexGuard<'a, State<P>>, index: usize) -> MutexGuard<'a, State<P>> {
        let begun = Instant::now();
        let Some((slot, mut probe)) = state.slots.get_mut(index).and_then(|slot| {
            let probe = slot.probe.take()?;
            Some((slot, probe))
        }) else {
            return state;
        };
        (slot.is_asked, slot.since) = (false, Some(begun));
        drop(state);
        let outcome = probe.read();
        let mut state = self.lock();
        if let Some(slot) = state.slots.get_mut(index) {
            slot.is_slow &= begun.elapsed() > PROMPT;
            (slot.probe, slot.since, slot.outcome, slot.ticket) = (Some(probe), None, Some(outcome), None);
        }
        state
    }
}

impl<P> State<P> {
    /// The zone to read next: those that answer go before those that may not.
    fn next(&self) -> Option<usize> {
        let asked = |is_slow: bool| self.slots.iter().position(|slot| slot.is_asked && slot.is_slow == is_slow);
        asked(false).or_else(|| asked(true))
    }

    fn is_waited_for(&self) -> bool {
        self.slots.iter().any(Slot::is_waited_for)
    }

    /// Whether zones wait although every reader is busy with one that takes long.
    fn needs_company(&self) -> bool {
        let is_left = self.slots.iter().any(|slot| slot.is_asked && !slot.is_slow);
        let is_moving = self.slots.iter().filter_map(|slot| slot.since).any(|since| since.elapsed() < COMPANY);
        is_left && self.idle == 0 && !is_moving
    }
}

impl<P> Slot<P> {
    fn ask(&mut self) {
        // What a slow zone answered after the last reading is worth having; it may be all there is.
        if !self.is_slow {
            self.outcome = None;
        }
        self.is_asked = self.probe.is_some();
    }

    fn is_waited_for(&self) -> bool {
        !self.is_slow && (self.is_asked || self.since.is_some())
    }

    /// What was read. A zone that is being read still is slow from now on.
    fn take_outcome(&mut self) -> Option<Result<Reading, ReadError>> {
        if !self.is_slow {
            self.is_asked = false;
        }
        if let Some(since) = self.since.filter(|_| !self.is_slow) {
            self.is_slow = true;
            self.ticket = Some(Ticket::new(&self.path, since));
        }
        self.outcome.take()
    }
}

#[cfg(test)]
mod tests;
