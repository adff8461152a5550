//! Accelerators whose readings a test sets.

use kepler_core::device::{Device, DeviceMeter, DeviceReading, DeviceUser, SharesBy};
use kepler_core::host::Timestamp;
use kepler_core::meter::{ReadError, ReadFault, Reading};
use kepler_core::units::{Energy, Power};
use std::sync::{Arc, Mutex};

/// What the meter shows at the next tick.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) devices: Vec<Device>,
    /// One for each device; `None` of one that cannot be read.
    pub(crate) readings: Vec<Option<DeviceReading>>,
    pub(crate) generation: u64,
    /// Whether a reading is of the moment of the tick; else of the moment that it says.
    pub(crate) is_fresh: bool,
}

/// What a test holds to change it.
#[derive(Clone)]
pub(crate) struct Accelerators(Arc<Mutex<Shown>>);

impl Accelerators {
    pub(crate) fn new(devices: &[Device]) -> Self {
        let shown =
            Shown { devices: devices.to_vec(), readings: vec![None; devices.len()], generation: 0, is_fresh: true };
        Accelerators(Arc::new(Mutex::new(shown)))
    }

    pub(crate) fn meter(&self) -> Box<dyn DeviceMeter> {
        self.named_meter("stand-in")
    }

    pub(crate) fn named_meter(&self, source: &'static str) -> Box<dyn DeviceMeter> {
        Box::new(Meter { source, shown: self.clone(), devices: self.0.lock().unwrap().devices.clone() })
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.0.lock().unwrap());
    }

    /// A device's counter, how busy it was, and who kept it so.
    pub(crate) fn count(&self, place: usize, joules: f64, busy: Option<f64>, users: &[(u32, f64)]) {
        self.show(place, Reading::Counter(Energy::from_joules(joules)), busy, users);
    }

    /// The same of a device that shows power.
    pub(crate) fn draw(&self, place: usize, watts: f64, busy: Option<f64>, users: &[(u32, f64)]) {
        self.show(place, Reading::Power(Power::from_watts(watts)), busy, users);
    }

    /// A device's counter, with users that are told apart by instance, and how their shares were found.
    pub(crate) fn divide(&self, place: usize, joules: f64, users: Vec<DeviceUser>, shares_by: SharesBy) {
        let reading = DeviceReading::new(Timestamp::now(), Reading::Counter(Energy::from_joules(joules)));
        let reading = reading.with_users(users).with_shares_by(shares_by);
        self.change(|shown| shown.readings[place] = Some(reading));
    }

    fn show(&self, place: usize, energy: Reading, busy: Option<f64>, users: &[(u32, f64)]) {
        let users = users.iter().map(|&(pid, busy)| DeviceUser::new(pid, busy)).collect();
        let reading = DeviceReading::new(Timestamp::now(), energy).with_utilisation(busy).with_users(users);
        self.change(|shown| shown.readings[place] = Some(reading));
    }
}

struct Meter {
    source: &'static str,
    shown: Accelerators,
    devices: Vec<Device>,
}

impl DeviceMeter for Meter {
    fn source(&self) -> &'static str {
        self.source
    }

    fn devices(&self) -> &[Device] {
        &self.devices
    }

    fn generation(&self) -> u64 {
        self.shown.0.lock().unwrap().generation
    }

    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<DeviceReading, ReadError>>) {
        let shown = self.shown.0.lock().unwrap();
        self.devices.clone_from(&shown.devices);
        readings.clear();
        readings.extend(shown.readings.iter().map(|reading| {
            let mut reading = reading.clone().ok_or_else(|| ReadError::new("stand-in", ReadFault::NoAnswer))?;
            if shown.is_fresh {
                reading.at = at;
            }
            Ok(reading)
        }));
    }
}
