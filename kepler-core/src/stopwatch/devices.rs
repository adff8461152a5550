//! Energy of accelerators between two marks, and whose it was: [`DeviceStopwatch`].
//!
//! A device is read once a second, on a thread of its own, so what is known of it at a mark is its newest reading. Energy
//! between two marks is that between two readings, times the time between the marks over that between the readings:
//! [`DeviceSpent::covered`] says how long that was. Between marks less than a second apart there may be no new reading, and
//! then nothing is known.
//!
//! ```
//! use kepler_core::device::{DeviceMeters, DeviceOptions};
//! use kepler_core::host::Host;
//! use kepler_core::stopwatch::{DeviceStopwatch, Descent};
//!
//! let host = Host::default();
//! let opened = DeviceMeters::open(&host, &DeviceOptions::default());
//! let mut devices = DeviceStopwatch::new(opened.meters, Descent::of_this_process(&host));
//! let start = devices.mark();
//! for spent in start.until(&devices.mark()) {
//!     println!("{}: {:?}, of this process {:?}", spent.device.name, spent.energy, spent.own);
//! }
//! ```

use crate::attribution::IdlePolicy;
use crate::attribution::share::Divider;
use crate::device::{Device, DeviceMeter, DeviceReading, DeviceUser};
use crate::host::{Host, Timestamp};
use crate::meter::{Method, ReadError};
use crate::sampler::{Drawing, Tracked};
use crate::units::Energy;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A reading that is older is waited for: devices are not read as long as no reading is asked for.
const OLD: Duration = Duration::from_millis(1500);
/// For so long.
const PATIENCE: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(5);
/// Devices are read once a second: in a shorter time than this the readings lie too far off its ends.
const LONG: Duration = Duration::from_secs(10);

/// Whose a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is the one that is measured for, one that it started, or another")]
pub enum Whose {
    /// It is the one that is measured for.
    Own,
    /// One that it started, or that one of those did.
    Descendant,
    /// Another one's.
    Other,
}

/// Follows accelerators from reading to reading.
pub struct DeviceStopwatch {
    meters: Vec<Metered>,
    followed: Vec<Followed>,
    readings: Vec<Result<DeviceReading, ReadError>>,
    whose: Box<dyn FnMut(u32) -> Whose + Send>,
}

struct Metered {
    meter: Box<dyn DeviceMeter>,
    generation: Option<u64>,
    /// Where its devices stand among all; `None` for one that another meter reads.
    places: Vec<Option<usize>>,
}

struct Followed {
    tracked: Tracked,
    total: Total,
    read_at: Option<Timestamp>,
}

/// What was counted of a device.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    energy: Energy,
    active: Energy,
    own: Energy,
    tree: Energy,
    /// Drawn while neither idle power nor utilisation was known.
    unsplit: Energy,
    /// Lost readings, resets.
    faults: u64,
}

impl std::fmt::Debug for DeviceStopwatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.followed.iter().map(|followed| &followed.tracked.device)).finish()
    }
}

/// A moment, with what was counted of each accelerator until then.
#[derive(Clone, Debug)]
pub struct DeviceMark {
    at: Timestamp,
    devices: Vec<Marked>,
}

#[derive(Clone, Debug)]
struct Marked {
    device: Arc<Device>,
    source: &'static str,
    total: Total,
    read_at: Option<Timestamp>,
    is_faulty: bool,
}

/// What one accelerator drew between two marks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceSpent {
    /// Which one.
    pub device: Arc<Device>,
    /// The meter it is read by.
    pub source: &'static str,
    /// Measured or estimated.
    pub method: Method,
    /// All of it; `None` where there was no reading in between.
    pub energy: Option<Energy>,
    /// The part caused by work; `None` where idle and work could not be told apart all the time.
    pub active: Option<Energy>,
    /// The part of `active` that is of those measured for.
    pub own: Option<Energy>,
    /// The same with their descendants.
    pub tree: Option<Energy>,
    /// The time between the readings that this rests on.
    pub covered: Duration,
    /// Whether less or more may have been drawn: a counter was reset, it could not be read, or its readings are far off the
    /// marks, as they are of a time of less than ten seconds.
    pub is_uncertain: bool,
}

impl DeviceStopwatch {
    /// Follows the devices of these meters. `whose` tells of a process that uses one, by its number in the host's procfs, whose it is.
    #[must_use]
    pub fn new(
        meters: impl IntoIterator<Item = Box<dyn DeviceMeter>>,
        whose: impl FnMut(u32) -> Whose + Send + 'static,
    ) -> Self {
        let metered = |meter| Metered { meter, generation: None, places: Vec::new() };
        let meters = meters.into_iter().map(metered).collect();
        let mut stopwatch =
            DeviceStopwatch { meters, followed: Vec::new(), readings: Vec::new(), whose: Box::new(whose) };
        stopwatch.keep_up();
        stopwatch
    }

    /// Whether there is any accelerator.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.followed.is_empty()
    }

    /// How long it may go unread.
    #[must_use]
    pub const fn longest_gap() -> Duration {
        Duration::from_secs(60)
    }

    /// What is known now. Where no reading was asked for in some time, and there are devices, it waits for a reading, half a second at most.
    pub fn mark(&mut self) -> DeviceMark {
        let begun = Timestamp::now();
        self.keep_up();
        while self.waits_for_a_reading() && Timestamp::now().since(&begun) < PATIENCE {
            std::thread::sleep(LOOK);
            self.keep_up();
        }
        self.mark_at(Timestamp::now())
    }

    /// The same of a moment of your own, without waiting.
    pub fn mark_at(&mut self, at: Timestamp) -> DeviceMark {
        self.keep_up_at(at);
        let marked = |followed: &Followed| Marked {
            device: Arc::clone(&followed.tracked.device),
            source: followed.tracked.source,
            total: followed.total,
            read_at: followed.read_at,
            is_faulty: followed.tracked.fault.is_some(),
        };
        DeviceMark { at, devices: self.followed.iter().map(marked).collect() }
    }

    /// Takes what was read meanwhile, so that nothing of who used what is lost in a long interval.
    pub fn keep_up(&mut self) {
        self.keep_up_at(Timestamp::now());
    }

    /// The same at a moment of your own.
    pub fn keep_up_at(&mut self, at: Timestamp) {
        let mut readings = std::mem::take(&mut self.readings);
        for index in 0..self.meters.len() {
            let Some(metered) = self.meters.get_mut(index) else { continue };
            metered.meter.read(at, &mut readings);
            if metered.generation != Some(metered.meter.generation()) {
                self.follow(index);
            }
            let places = self.meters.get(index).map(|metered| metered.places.as_slice()).unwrap_or_default();
            for (place, reading) in places.iter().zip(readings.drain(..)) {
                let Some(followed) = place.and_then(|place| self.followed.get_mut(place)) else { continue };
                match reading {
                    Ok(reading) => followed.take(&reading, &mut self.whose),
                    Err(error) => followed.fail(error.reason()),
                }
            }
        }
        self.readings = readings;
    }

    fn waits_for_a_reading(&self) -> bool {
        let now = Timestamp::now();
        let is_old = |at: Option<Timestamp>| at.is_none_or(|at| now.since(&at) > OLD);
        self.followed.iter().any(|followed| followed.tracked.fault.is_none() && is_old(followed.read_at))
    }

    /// Takes over a meter's devices after they changed. Totals go on.
    fn follow(&mut self, index: usize) {
        let Some(metered) = self.meters.get_mut(index) else { return };
        metered.generation = Some(metered.meter.generation());
        let source = metered.meter.source();
        let mut places = Vec::new();
        for device in metered.meter.devices() {
            let same = |followed: &Followed| followed.tracked.device.uuid == device.uuid;
            let same_address = |followed: &Followed| {
                device.pci_address.is_some() && followed.tracked.device.pci_address == device.pci_address
            };
            let known = self.followed.iter().position(|followed| same(followed) || same_address(followed));
            let of_another = known.and_then(|place| self.followed.get(place));
            if of_another.is_some_and(|followed| followed.tracked.source != source) {
                places.push(None);
                continue;
            }
            let place = known.unwrap_or_else(|| {
                let tracked = Tracked::new(device, source, None);
                self.followed.push(Followed { tracked, total: Total::default(), read_at: None });
                self.followed.len() - 1
            });
            if let Some(followed) = self.followed.get_mut(place) {
                followed.tracked.appear(device, source, None);
            }
            places.push(Some(place));
        }
        metered.places = places;
    }
}

impl Followed {
    fn fail(&mut self, reason: &'static str) {
        if self.tracked.fault.is_none() {
            self.total.faults += 1;
        }
        self.tracked.fail(reason);
    }

    fn take(&mut self, reading: &DeviceReading, whose: &mut dyn FnMut(u32) -> Whose) {
        let resets = self.tracked.events.resets;
        let Some(Drawing { split, .. }) = self.tracked.advance(reading, IdlePolicy::Baseline) else { return };
        self.read_at = Some(reading.at);
        self.total.faults += self.tracked.events.resets.saturating_sub(resets);
        self.total.energy += split.active + split.idle;
        self.total.active += split.active;
        if self.tracked.idle_policy.is_none() {
            self.total.unsplit += split.idle;
        }
        let mut divider =
            Divider::new(split.active, reading.users.iter().map(DeviceUser::weight).fold(0, u64::saturating_add));
        for user in &reading.users {
            let energy = divider.share(user.weight());
            match if user.pid == 0 { Whose::Other } else { whose(user.pid) } {
                Whose::Own => {
                    self.total.own += energy;
                    self.total.tree += energy;
                }
                Whose::Descendant => self.total.tree += energy,
                Whose::Other => {}
            }
        }
    }
}

impl DeviceMark {
    /// What each accelerator drew from this mark to a `later` one of the same stopwatch. One that came in between counts from there.
    #[must_use]
    pub fn until(&self, later: &DeviceMark) -> Vec<DeviceSpent> {
        let elapsed = later.at.since(&self.at);
        let spent = |(place, after): (usize, &Marked)| {
            let before = self.devices.get(place);
            let total = before.map(|before| before.total).unwrap_or_default();
            let readings = before.and_then(|before| before.read_at).zip(after.read_at);
            let covered = readings.map_or(Duration::ZERO, |(from, to)| to.since(&from));
            let scale = if covered.is_zero() { 0.0 } else { elapsed.as_secs_f64() / covered.as_secs_f64() };
            let scaled = |from: Energy, to: Energy| {
                let joules = to.saturating_sub(from).joules() * scale;
                (!covered.is_zero()).then(|| Energy::from_joules(joules))
            };
            let is_split = after.total.unsplit == total.unsplit;
            // The mean of a time that began and ended that much earlier.
            let late = |marked: &Marked, at: Timestamp| marked.read_at.map_or(Duration::ZERO, |read| at.since(&read));
            let off = before.map_or(Duration::ZERO, |before| late(before, self.at)) + late(after, later.at);
            DeviceSpent {
                device: Arc::clone(&after.device),
                source: after.source,
                method: after.device.method,
                energy: scaled(total.energy, after.total.energy),
                active: scaled(total.active, after.total.active).filter(|_| is_split),
                own: scaled(total.own, after.total.own).filter(|_| is_split),
                tree: scaled(total.tree, after.total.tree).filter(|_| is_split),
                covered,
                is_uncertain: after.is_faulty
                    || after.total.faults != total.faults
                    || elapsed < LONG
                    || off > elapsed / 5,
            }
        };
        // A stopwatch forgets no device, so that each stands where it stood.
        later.devices.iter().enumerate().map(spent).collect()
    }
}

/// Finds out whether a process descends from another one, by the procfs of a host.
#[derive(Clone, Debug)]
pub struct Descent {
    procfs: PathBuf,
    /// The process; `None` for whichever asks, also after a fork.
    process: Option<u32>,
}

/// The deepest tree that is followed.
const DEEPEST: usize = 64;

impl Descent {
    /// From this process.
    pub fn of_this_process(host: &Host) -> impl FnMut(u32) -> Whose + Send + 'static {
        let descent = Descent { procfs: host.procfs().to_owned(), process: None };
        move |pid| descent.whose(pid)
    }

    /// From another one.
    pub fn of(host: &Host, process: u32) -> impl FnMut(u32) -> Whose + Send + 'static {
        let descent = Descent { procfs: host.procfs().to_owned(), process: Some(process) };
        move |pid| descent.whose(pid)
    }

    fn whose(&self, pid: u32) -> Whose {
        let process = self.process.unwrap_or_else(std::process::id);
        if pid == process {
            return Whose::Own;
        }
        let mut at = pid;
        for _ in 0..DEEPEST {
            match self.parent(at) {
                Some(parent) if parent == process => return Whose::Descendant,
                Some(parent) if parent > 1 => at = parent,
                _ => break,
            }
        }
        Whose::Other
    }

    /// The parent of a process: the field after its name and its state.
    fn parent(&self, pid: u32) -> Option<u32> {
        let stat = fs::read_to_string(self.procfs.join(pid.to_string()).join("stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Reading;
    use crate::units::Power;

    /// A device of 300 W with 50 W idle, whose users are this process, its child, and another one.
    struct Busy {
        devices: Vec<Device>,
        begun: Timestamp,
        fails: bool,
    }

    const CHILD: u32 = 4_000_001;
    const OTHER: u32 = 4_000_002;

    impl DeviceMeter for Busy {
        fn source(&self) -> &'static str {
            "busy"
        }

        fn devices(&self) -> &[Device] {
            &self.devices
        }

        fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<DeviceReading, ReadError>>) {
            readings.clear();
            let energy = Energy::from_joules(300.0 * at.since(&self.begun).as_secs_f64());
            let users = [(std::process::id(), 0.4), (CHILD, 0.2), (OTHER, 0.2)];
            let users = users.map(|(pid, busy)| DeviceUser::new(pid, busy)).into();
            let reading = DeviceReading::new(at, Reading::Counter(energy)).with_users(users);
            let invalid = crate::meter::ReadFault::NoAnswer;
            readings.push(match self.fails {
                false => Ok(reading.with_utilisation(Some(0.8))),
                true => Err(ReadError::new(Arc::from("/dev/gpu"), invalid)),
            });
        }
    }

    fn stopwatch(begun: Timestamp, idle: Option<f64>, fails: bool) -> DeviceStopwatch {
        let device =
            Device::new("GPU-1", "nvidia", "H200").with(|device| device.idle_power = idle.map(Power::from_watts));
        let meter = Busy { devices: vec![device], begun, fails };
        let whose = |pid| match pid {
            CHILD => Whose::Descendant,
            OTHER => Whose::Other,
            _ => Whose::Own,
        };
        DeviceStopwatch::new([Box::new(meter) as Box<dyn DeviceMeter>], whose)
    }

    #[test]
    fn energy_beyond_idle_is_divided_by_how_busy_each_kept_it() {
        let now = Timestamp::now();
        let mut devices = stopwatch(now, Some(50.0), false);
        let start = devices.mark_at(now.advanced(Duration::from_secs(1)));
        let end = devices.mark_at(now.advanced(Duration::from_secs(11)));
        let spent = start.until(&end);
        let joules = |energy: Option<Energy>| energy.map(|energy| energy.joules().round());
        let one = &spent[0];
        assert_eq!((joules(one.energy), joules(one.active)), (Some(3000.0), Some(2500.0)));
        assert_eq!((joules(one.own), joules(one.tree)), (Some(1250.0), Some(1875.0)));
        assert_eq!((one.covered, one.is_uncertain), (Duration::from_secs(10), false));
    }

    #[test]
    fn without_a_reading_in_between_nothing_is_known_and_a_fault_is_said() {
        let now = Timestamp::now();
        let mut devices = stopwatch(now, Some(50.0), false);
        let mark = devices.mark_at(now.advanced(Duration::from_secs(1)));
        assert_eq!(mark.until(&mark)[0].energy, None);
        let mut failing = stopwatch(now, None, true);
        let start = failing.mark_at(now.advanced(Duration::from_secs(1)));
        let spent = start.until(&failing.mark_at(now.advanced(Duration::from_secs(2))));
        assert_eq!((spent[0].energy, spent[0].is_uncertain), (None, true));
        assert!(DeviceStopwatch::new([], |_| Whose::Own).is_empty());
    }

    #[test]
    fn a_process_descends_from_those_who_started_it() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let host = Host::default();
        let mut whose = Descent::of_this_process(&host);
        assert_eq!([std::process::id(), child.id(), 1].map(&mut whose), [Whose::Own, Whose::Descendant, Whose::Other]);
        assert_eq!(Descent::of(&host, child.id())(std::process::id()), Whose::Other);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
