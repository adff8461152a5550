//! Meters of devices whose calls may take long or never return, read on a thread of their own: [`Background`].
//!
//! A call into a driver takes 50 to 100 ms now and then, and waits without end for a device that hangs. So the tick
//! never makes one: a thread reads the devices every second and sums up who used them; the tick takes what it has, which
//! carries its own time. A call that takes longer than the deadline is a fault with the reason `timeout`: its thread is
//! given up, counted ([`Background::hanging`]) and replaced by another, which leaves that device alone until the call has
//! returned. What was opened is opened again by the new thread.
//!
//! ```
//! use kepler_core::device::background::{Background, Pace, SlowMeter};
//! use kepler_core::device::{Device, DeviceMeter, DeviceReading};
//! use kepler_core::host::Timestamp;
//! use kepler_core::meter::{ReadError, Reading};
//! use kepler_core::units::Energy;
//!
//! struct OneDevice([Device; 1]);
//!
//! impl SlowMeter for OneDevice {
//!     fn devices(&self) -> &[Device] {
//!         &self.0
//!     }
//!
//!     fn read(&mut self, _index: usize, at: Timestamp) -> Result<DeviceReading, ReadError> {
//!         Ok(DeviceReading::new(at, Reading::Counter(Energy::from_joules(7.0))))
//!     }
//! }
//!
//! let mut meter = Background::start("one", Pace::default(), || Ok(OneDevice([Device::new("GPU-1", "nvidia", "H200")])))?;
//! let mut readings = Vec::new();
//! meter.read(Timestamp::now(), &mut readings);
//! assert_eq!(meter.devices().len(), 1);
//! assert!(readings[0].is_ok());
//! # Ok::<(), kepler_core::Unavailable>(())
//! ```

mod slot;
mod slow;

pub use slow::{Pace, SlowMeter};

use super::{Device, DeviceMeter, DeviceReading};
use crate::availability::{Remedy, Unavailable};
use crate::host::Timestamp;
use crate::meter::{ReadError, ReadFault};
use slot::Slot;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The most threads of a meter that may hang at a time. What hangs is then waited for.
const MOST_HANGING: usize = 4;

/// How long opening may take before it goes on without being waited for. A driver that no other program uses initialises each
/// device first.
const PATIENCE_TO_START: Duration = Duration::from_secs(3);

/// Periods after which opening is tried again where it failed.
const RETRY: u32 = 10;

/// Reading stops when no reading has been asked for this long.
const UNASKED: Duration = Duration::from_secs(120);

type Open = dyn Fn() -> Result<Box<dyn SlowMeter>, Unavailable> + Send + Sync;

/// A [`SlowMeter`] on a thread of its own. See the [module](self).
pub struct Background {
    source: &'static str,
    devices: Vec<Device>,
    generation: u64,
    shared: Arc<Shared>,
    /// Threads do not outlive a fork.
    process: u32,
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background")
            .field("source", &self.source)
            .field("devices", &self.devices)
            .finish_non_exhaustive()
    }
}

struct Shared {
    source: &'static str,
    pace: Pace,
    open: Arc<Open>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    devices: Vec<Device>,
    /// In the order of `devices`.
    slots: Vec<Slot>,
    generation: u64,
    /// What came of opening it first.
    opened: Option<Result<(), Unavailable>>,
    unavailable: Vec<Unavailable>,
    /// Which thread reads; others end when their call returns.
    epoch: u64,
    is_running: bool,
    /// The call under way: of which device, if of one, and since when.
    call: Option<(Option<Arc<str>>, Instant)>,
    /// The threads that were given up, each with the device that it hangs on.
    hanging: Vec<(u64, Option<Arc<str>>)>,
    is_closed: bool,
    asked: Option<Instant>,
}

impl Background {
    /// Opens a meter on a thread of its own and reads it once. Where that takes longer than 3 s, its devices come when it is done.
    ///
    /// # Errors
    /// What `open` says, or that no thread can be started.
    pub fn start<M: SlowMeter + 'static>(
        source: &'static str,
        pace: Pace,
        open: impl Fn() -> Result<M, Unavailable> + Send + Sync + 'static,
    ) -> Result<Self, Unavailable> {
        let open: Arc<Open> = Arc::new(move || open().map(|meter| Box::new(meter) as Box<dyn SlowMeter>));
        let shared = Arc::new(Shared::new(source, pace, open));
        let mut meter = Background { source, devices: Vec::new(), generation: 0, shared, process: std::process::id() };
        let begun = Instant::now();
        let shared = Arc::clone(&meter.shared);
        let mut state = shared.lock();
        state.asked = Some(begun);
        shared.spawn(&mut state);
        if !state.is_running {
            return Err(Unavailable::new(source, "no thread can be started", Remedy::Wait));
        }
        while state.opened.is_none() {
            let Some(left) = PATIENCE_TO_START.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else {
                break;
            };
            state = shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if let Some(Err(unavailable)) = &state.opened {
            return Err(unavailable.clone());
        }
        meter.take_devices(&state);
        Ok(meter)
    }

    /// A meter without devices that becomes one with them when it can be opened, which is tried after every ten periods.
    pub fn when_possible<M: SlowMeter + 'static>(
        source: &'static str,
        pace: Pace,
        open: impl Fn() -> Result<M, Unavailable> + Send + Sync + 'static,
    ) -> Self {
        let open: Arc<Open> = Arc::new(move || open().map(|meter| Box::new(meter) as Box<dyn SlowMeter>));
        let mut shared = Shared::new(source, pace, open);
        // As one that was open before.
        shared.state.get_mut().unwrap_or_else(PoisonError::into_inner).opened = Some(Ok(()));
        Background { source, devices: Vec::new(), generation: 0, shared: Arc::new(shared), process: std::process::id() }
    }

    /// What was found and is not read, each with the reason.
    #[must_use]
    pub fn unavailable(&self) -> Vec<Unavailable> {
        self.shared.lock().unavailable.clone()
    }

    /// How many threads were given up, because a call did not return, and hang still.
    #[must_use]
    pub fn hanging(&self) -> usize {
        self.shared.lock().hanging.len()
    }

    fn take_devices(&mut self, state: &State) {
        if self.generation != state.generation {
            self.devices.clone_from(&state.devices);
            self.generation = state.generation;
        }
    }

    /// Starts again in a forked child, which has none of the threads and may find the lock held by one.
    fn notice_fork(&mut self) {
        let process = std::process::id();
        if std::mem::replace(&mut self.process, process) != process {
            let mut shared = Shared::new(self.source, self.shared.pace, Arc::clone(&self.shared.open));
            let state = shared.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            (state.opened, state.generation) = (Some(Ok(())), self.generation);
            state.slots.resize_with(self.devices.len(), Slot::default);
            state.devices.clone_from(&self.devices);
            self.shared = Arc::new(shared);
        }
    }
}

impl DeviceMeter for Background {
    fn source(&self) -> &'static str {
        self.source
    }

    fn devices(&self) -> &[Device] {
        &self.devices
    }

    fn generation(&self) -> u64 {
        self.generation
    }

    fn read(&mut self, _at: Timestamp, readings: &mut Vec<Result<DeviceReading, ReadError>>) {
        self.notice_fork();
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        shared.give_up_what_hangs(&mut state);
        if !state.is_running && state.hanging.len() < MOST_HANGING {
            shared.spawn(&mut state);
        }
        if state.asked.replace(Instant::now()).is_none_or(|asked| asked.elapsed() > UNASKED) {
            shared.changed.notify_all();
        }
        self.take_devices(&state);
        readings.truncate(self.devices.len());
        for (index, (slot, device)) in state.slots.iter_mut().zip(&self.devices).enumerate() {
            // The list of users is that of the reading before, emptied: a steady tick takes no memory.
            match readings.get_mut(index) {
                Some(entry) => {
                    let spare = entry.as_mut().map(|reading| std::mem::take(&mut reading.users)).unwrap_or_default();
                    *entry = slot.take(device, spare);
                }
                None => readings.push(slot.take(device, Vec::new())),
            }
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            self.shared.lock().is_closed = true;
            self.shared.changed.notify_all();
        }
    }
}

impl Shared {
    fn new(source: &'static str, pace: Pace, open: Arc<Open>) -> Self {
        Shared { source, pace, open, state: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread that reads.
    fn spawn(self: &Arc<Self>, state: &mut State) {
        let (shared, epoch) = (Arc::clone(self), state.epoch);
        state.call = Some((None, Instant::now()));
        match thread::Builder::new().name("kepler-devices".into()).spawn(move || shared.work(epoch)) {
            Ok(_) => state.is_running = true,
            Err(error) => tracing::debug!(source = self.source, %error, "no thread could be started to read devices"),
        }
    }

    /// Gives up the thread whose call takes too long.
    fn give_up_what_hangs(&self, state: &mut State) {
        // Opening is given the time that initialising many devices takes.
        let patience = if state.opened.is_none() { self.pace.patience * 10 } else { self.pace.patience };
        let Some((device, _)) = state.call.take_if(|(_, since)| since.elapsed() > patience) else { return };
        tracing::warn!(
            source = self.source,
            device = device.as_deref(),
            "a call does not return; its thread is given up"
        );
        let names = |other: &Device| device.as_ref().is_none_or(|device| *device == other.uuid);
        for (slot, other) in state.slots.iter_mut().zip(&state.devices) {
            if names(other) {
                slot.fail(ReadError::new(Arc::clone(&other.path), ReadFault::NoAnswer));
            }
        }
        state.hanging.push((state.epoch, device));
        state.epoch += 1;
        state.is_running = false;
        state.opened.get_or_insert(Ok(()));
    }

    /// What a thread does until it is given up, the meter is closed, or there is nothing to open.
    fn work(&self, epoch: u64) {
        loop {
            let opened = (self.open)();
            let mut state = self.lock();
            if self.is_over(&mut state, epoch) {
                return;
            }
            let unavailable = match opened {
                Ok(meter) => {
                    if state.opened.is_none() {
                        state.unavailable.extend_from_slice(meter.unavailable());
                    }
                    drop(state);
                    self.read_on(meter, epoch);
                    return;
                }
                Err(unavailable) => unavailable,
            };
            state.call = None;
            if state.opened.is_none() {
                state.opened = Some(Err(unavailable));
                state.is_running = false;
                self.changed.notify_all();
                return;
            }
            tracing::debug!(source = self.source, %unavailable, "it cannot be opened again");
            let state = &mut *self
                .changed
                .wait_timeout(state, self.pace.period * RETRY)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            if self.is_over(state, epoch) {
                return;
            }
            state.call = Some((None, Instant::now()));
        }
    }

    /// Reads the devices, again and again.
    fn read_on(&self, mut meter: Box<dyn SlowMeter>, epoch: u64) {
        let mut outcomes = Vec::new();
        let mut is_first = true;
        loop {
            let begun = Instant::now();
            let at = Timestamp::now();
            let is_changed = meter.begin(at) || std::mem::take(&mut is_first);
            outcomes.clear();
            for index in 0..meter.devices().len() {
                let Some(device) = meter.devices().get(index) else { break };
                let mut state = self.lock();
                if self.is_over(&mut state, epoch) {
                    return;
                }
                let hangs = state.hanging.iter().any(|(_, other)| other.as_ref() == Some(&device.uuid));
                if hangs {
                    outcomes.push((at, Err(ReadError::new(Arc::clone(&device.path), ReadFault::NoAnswer))));
                    continue;
                }
                state.call = Some((Some(Arc::clone(&device.uuid)), Instant::now()));
                drop(state);
                let at = Timestamp::now();
                outcomes.push((at, meter.read(index, at)));
            }
            let mut state = self.lock();
            if self.is_over(&mut state, epoch) {
                return;
            }
            state.publish(if is_changed { Some(meter.devices()) } else { None }, &mut outcomes);
            self.changed.notify_all();
            let pause = self.pace.period.max(begun.elapsed() * 4).saturating_sub(begun.elapsed());
            if !self.rest(state, epoch, pause) {
                return;
            }
        }
    }

    /// Waits for the next reading. Whether there will be one.
    fn rest(&self, mut state: MutexGuard<'_, State>, epoch: u64, pause: Duration) -> bool {
        state.call = None;
        let begun = Instant::now();
        loop {
            if self.is_over(&mut state, epoch) {
                return false;
            }
            let is_wanted = state.asked.is_some_and(|asked| asked.elapsed() < UNASKED);
            let left = if is_wanted { pause.saturating_sub(begun.elapsed()) } else { UNASKED };
            if left.is_zero() {
                state.call = Some((None, Instant::now()));
                return true;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether this thread is no longer the one that reads. What it hung on may then be read again.
    fn is_over(&self, state: &mut State, epoch: u64) -> bool {
        let is_given_up = state.epoch != epoch;
        if is_given_up {
            state.hanging.retain(|(other, _)| *other != epoch);
        }
        is_given_up || state.is_closed
    }
}

impl State {
    /// Takes what was read of each device, and which there are where that has changed.
    fn publish(
        &mut self,
        devices: Option<&[Device]>,
        outcomes: &mut Vec<(Timestamp, Result<DeviceReading, ReadError>)>,
    ) {
        if let Some(devices) = devices.filter(|devices| self.generation == 0 || *devices != self.devices) {
            let mut before: Vec<(Device, Slot)> = self.devices.drain(..).zip(self.slots.drain(..)).collect();
            for device in devices {
                let same = before.iter().position(|(other, _)| other.uuid == device.uuid);
                self.slots.push(same.map(|index| before.swap_remove(index).1).unwrap_or_default());
            }
            self.devices.extend_from_slice(devices);
            self.generation += 1;
        }
        for (slot, (at, outcome)) in self.slots.iter_mut().zip(outcomes.drain(..)) {
            slot.add(at, outcome);
        }
        self.opened.get_or_insert(Ok(()));
    }
}

#[cfg(test)]
mod tests;
