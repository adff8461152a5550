//! What a tick pays for devices: it takes what a thread has read, and allocates nothing for that.

use crate::counting::allocations;
use kepler_core::device::background::{Background, Pace, SlowMeter};
use kepler_core::device::{Device, DeviceMeter, DeviceReading, DeviceUser};
use kepler_core::host::Timestamp;
use kepler_core::meter::{ReadError, Reading};
use kepler_core::units::Energy;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// 8 devices with 50 users each, which take as long to read as NVIDIA's do.
struct Busy(Vec<Device>);

impl SlowMeter for Busy {
    fn devices(&self) -> &[Device] {
        &self.0
    }

    fn read(&mut self, index: usize, at: Timestamp) -> Result<DeviceReading, ReadError> {
        sleep(Duration::from_millis(2));
        let users = (1..=50).map(|pid| DeviceUser::new(pid, 0.02)).collect();
        let joules = at.monotonic.as_secs_f64() * 300.0 + index as f64;
        Ok(DeviceReading::new(at, Reading::Counter(Energy::from_joules(joules))).with_users(users))
    }
}

#[test]
fn a_steady_tick_of_8_devices_with_50_users_each_allocates_nothing() {
    let open = || Ok(Busy((0..8).map(|index| Device::new(format!("GPU-{index}"), "nvidia", "H200")).collect()));
    let pace = Pace::default().with(|pace| pace.period = Duration::from_millis(5));
    let mut meter = Background::start("test", pace, open).unwrap();
    let mut readings = Vec::new();
    let (mut most, mut taken) = (Duration::ZERO, 0);
    for tick in 0..60 {
        sleep(Duration::from_millis(50));
        let (before, begun) = (allocations(), Instant::now());
        meter.read(Timestamp::now(), &mut readings);
        most = most.max(begun.elapsed());
        // The first ones make room.
        if tick > 5 {
            assert_eq!(allocations(), before, "tick {tick}");
        }
        taken += readings.iter().flatten().map(|reading| reading.users.len()).sum::<usize>();
    }
    // Most ticks have a new reading of each device, with all its users; on a busy machine some have not.
    assert!(taken > 2_000, "{taken}");
    println!("at most {most:?} a tick");
}
