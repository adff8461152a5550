use super::*;
use crate::device::DeviceUser;
use crate::meter::Reading;
use crate::units::Energy;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

const QUICK: Pace = Pace { period: Duration::from_millis(5), patience: Duration::from_millis(100) };

/// Two devices: the second does not answer while a test holds it up.
struct TwoDevices {
    devices: Vec<Device>,
    gate: Arc<Mutex<Option<Receiver<()>>>>,
    joules: Arc<AtomicU64>,
    count: Arc<AtomicUsize>,
}

impl SlowMeter for TwoDevices {
    fn devices(&self) -> &[Device] {
        &self.devices
    }

    fn begin(&mut self, _at: Timestamp) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        let changed = count != self.devices.len();
        self.devices = devices(count);
        changed
    }

    fn read(&mut self, index: usize, at: Timestamp) -> Result<DeviceReading, ReadError> {
        if index == 1 {
            let gate = self.gate.lock().unwrap().take();
            if let Some(gate) = gate {
                let _released = gate.recv();
            }
        }
        let joules = self.joules.load(Ordering::Relaxed) as f64;
        let reading = DeviceReading::new(at, Reading::Counter(Energy::from_joules(joules)));
        Ok(reading.with_users(vec![DeviceUser::new(7, 0.5)]).with_utilisation(Some(0.75)))
    }
}

fn devices(count: usize) -> Vec<Device> {
    (0..count).map(|index| Device::new(format!("GPU-{index}"), "nvidia", "H200")).collect()
}

struct Rig {
    meter: Background,
    gate: Arc<Mutex<Option<Receiver<()>>>>,
    joules: Arc<AtomicU64>,
    count: Arc<AtomicUsize>,
    readings: Vec<Result<DeviceReading, ReadError>>,
}

impl Rig {
    fn new() -> Self {
        let (gate, joules, count) = (Arc::default(), Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(2)));
        let parts = (Arc::clone(&gate), Arc::clone(&joules), Arc::clone(&count));
        let open = move || {
            let (gate, joules, count) = (Arc::clone(&parts.0), Arc::clone(&parts.1), Arc::clone(&parts.2));
            Ok(TwoDevices { devices: devices(count.load(Ordering::Relaxed)), gate, joules, count })
        };
        let meter = Background::start("test", QUICK, open).unwrap();
        Rig { meter, gate, joules, count, readings: Vec::new() }
    }

    fn tick(&mut self) -> &[Result<DeviceReading, ReadError>] {
        self.meter.read(Timestamp::now(), &mut self.readings);
        &self.readings
    }

    /// Ticks until something is so.
    fn until(&mut self, is_so: impl Fn(&Background, &[Result<DeviceReading, ReadError>]) -> bool) {
        for _ in 0..2000 {
            self.tick();
            if is_so(&self.meter, &self.readings) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("it never came: {:?}", self.readings);
    }
}

#[test]
fn the_newest_reading_has_its_own_time_and_who_used_the_device_meanwhile() {
    let mut rig = Rig::new();
    assert_eq!(rig.meter.devices().len(), 2);
    let first = rig.tick()[0].as_ref().unwrap().at;
    rig.joules.store(9, Ordering::Relaxed);
    let expected = Reading::Counter(Energy::from_joules(9.0));
    rig.until(|_, readings| {
        readings[0].as_ref().is_ok_and(|reading| reading.energy == expected && !reading.users.is_empty())
    });
    let reading = rig.readings[0].as_ref().unwrap();
    assert!(reading.at.monotonic > first.monotonic);
    assert!((reading.users[0].busy - 0.5).abs() < 1e-9 && reading.users[0].pid == 7, "{reading:?}");
    assert!((reading.utilisation.unwrap() - 0.75).abs() < 1e-9);
}

#[test]
fn a_device_that_hangs_is_left_alone_until_its_call_returns_and_others_go_on() {
    let mut rig = Rig::new();
    let (release, gate) = channel();
    *rig.gate.lock().unwrap() = Some(gate);
    rig.until(|meter, _| meter.hanging() == 1);
    assert_eq!(rig.readings[1].as_ref().unwrap_err().reason(), "timeout");

    rig.joules.store(5, Ordering::Relaxed);
    let expected = Reading::Counter(Energy::from_joules(5.0));
    rig.until(|_, readings| readings[0].as_ref().is_ok_and(|reading| reading.energy == expected));
    assert_eq!(rig.readings[1].as_ref().unwrap_err().reason(), "timeout", "it hangs still");

    release.send(()).unwrap();
    rig.until(|meter, readings| meter.hanging() == 0 && readings[1].is_ok());
}

#[test]
fn devices_come_and_go_and_a_tick_never_mixes_them_up() {
    let mut rig = Rig::new();
    let generation = rig.meter.generation();
    rig.count.store(5, Ordering::Relaxed);
    rig.until(|meter, readings| readings.len() == 5 && meter.devices().len() == 5);
    assert!(rig.meter.generation() > generation);
    rig.count.store(1, Ordering::Relaxed);
    rig.until(|meter, readings| readings.len() == 1 && meter.devices().len() == 1);
    rig.count.store(0, Ordering::Relaxed);
    rig.until(|meter, readings| readings.is_empty() && meter.devices().is_empty());
}

#[test]
fn what_cannot_be_opened_says_why() {
    let error = Background::start("test", QUICK, || {
        Err::<TwoDevices, _>(Unavailable::new("test", "there is none", Remedy::None))
    });
    assert_eq!(error.unwrap_err().to_string(), "test: there is none");
}

#[test]
fn a_reading_that_did_not_change_is_that_one_again() {
    let mut slot = Slot::default();
    let device = Device::new("GPU-0", "nvidia", "H200");
    let at = Timestamp::now();
    let reading = |at| {
        DeviceReading::new(at, Reading::Counter(Energy::from_joules(1.0))).with_users(vec![DeviceUser::new(3, 1.0)])
    };
    slot.add(at, Ok(reading(at)));
    assert_eq!(slot.take(&device, Vec::new()).unwrap().at, at);
    // The counter was not refreshed for a second in which process 3 worked, then for another it was.
    let second = at.advanced(Duration::from_secs(1));
    slot.add(second, Ok(reading(at)));
    let same = slot.take(&device, Vec::new()).unwrap();
    assert!(same.at == at && same.users.is_empty());
    let third = at.advanced(Duration::from_secs(2));
    slot.add(third, Ok(reading(third).with_users(vec![DeviceUser::new(4, 0.5)])));
    let users = slot.take(&device, Vec::new()).unwrap().users;
    assert_eq!(users, [DeviceUser::new(3, 0.5), DeviceUser::new(4, 0.25)]);
}
