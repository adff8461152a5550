//! An artificial meter of accelerators, for tests and demonstrations.

use super::{Device, DeviceMeter, DeviceReading, DeviceUser};
use crate::host::Timestamp;
use crate::meter::{Method, ReadError, Reading};
use crate::units::{Energy, Power};
use std::time::Duration;

/// What one draws when idle.
const IDLE: Power = Power::from_watts(50.0);
/// What one draws beyond that while it is fully used.
const ACTIVE: Power = Power::from_watts(250.0);

/// Devices that draw 50 W, and up to 250 W more while they are used. It is never asked by itself.
///
/// ```
/// use kepler_core::device::{DeviceMeter, DeviceUser, fake::FakeDevices};
///
/// let meter = FakeDevices::new(2, vec![DeviceUser::new(42, 0.6), DeviceUser::new(43, 0.3)]);
/// assert_eq!(&*meter.devices()[1].uuid, "FAKE-1");
/// ```
#[derive(Debug)]
pub struct FakeDevices {
    devices: Vec<Device>,
    /// Who uses the first of them.
    users: Vec<DeviceUser>,
    start: Option<Timestamp>,
}

impl FakeDevices {
    /// `count` devices, of which `users` use the first.
    #[must_use]
    pub fn new(count: u32, users: Vec<DeviceUser>) -> Self {
        let device = |index: u32| {
            Device::new(format!("FAKE-{index}"), "fake", "made up").with(|device| {
                device.index = index;
                device.path = format!("fake gpu {index}").into();
                device.idle_power = Some(IDLE);
                device.method = Method::Estimated { error_ratio: 1.0 };
            })
        };
        FakeDevices { devices: (0..count).map(device).collect(), users, start: None }
    }

    fn reading(&self, index: usize, at: Timestamp, elapsed: Duration) -> DeviceReading {
        let users = if index == 0 { self.users.clone() } else { Vec::new() };
        let busy = users.iter().map(|user| user.busy).sum::<f64>().clamp(0.0, 1.0);
        let energy: Energy = (IDLE + ACTIVE * busy) * elapsed;
        DeviceReading::new(at, Reading::Counter(energy)).with_utilisation(Some(busy)).with_users(users)
    }
}

impl DeviceMeter for FakeDevices {
    fn source(&self) -> &'static str {
        "fake"
    }

    fn devices(&self) -> &[Device] {
        &self.devices
    }

    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<DeviceReading, ReadError>>) {
        let elapsed = at.since(self.start.get_or_insert(at));
        readings.clear();
        readings.extend((0..self.devices.len()).map(|index| Ok(self.reading(index, at, elapsed))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_looks_measured_and_draws_what_its_users_ask_for() {
        let mut meter = FakeDevices::new(2, vec![DeviceUser::new(42, 0.6), DeviceUser::new(43, 0.4)]);
        let (start, mut readings) = (Timestamp::now(), Vec::new());
        meter.read(start, &mut readings);
        meter.read(start.advanced(Duration::from_secs(10)), &mut readings);
        let energies: Vec<_> = readings.iter().map(|reading| reading.as_ref().unwrap().energy).collect();
        let joules = |joules| Reading::Counter(Energy::from_joules(joules));
        assert_eq!(energies, [joules(3000.0), joules(500.0)]);
        assert!(meter.devices().iter().all(|device| matches!(device.method, Method::Estimated { .. })));
    }
}
