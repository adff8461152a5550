//! Meters of accelerators, against stand-ins: a `libnvidia-ml.so.1` of ours, and sysfs and procfs trees of AMD and Intel.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what tests share fails as tests do"
)]

#[path = "../counting/mod.rs"]
mod counting;

#[cfg(feature = "commands")]
mod command;
mod drm;
#[cfg(feature = "sim")]
mod end_to_end;
mod instances;
mod nvml;
mod taking_readings_is_cheap;

use kepler_core::device::background::Background;
use kepler_core::device::{DeviceMeter, DeviceReading};
use kepler_core::host::Timestamp;
use kepler_core::meter::ReadError;
use std::time::Duration;

/// Reads until something is so.
fn until(
    meter: &mut Background,
    readings: &mut Vec<Result<DeviceReading, ReadError>>,
    pace: Duration,
    is_so: impl Fn(&[Result<DeviceReading, ReadError>]) -> bool,
) {
    for _ in 0..1500 {
        meter.read(Timestamp::now(), readings);
        if is_so(readings) {
            return;
        }
        std::thread::sleep(pace / 2);
    }
    panic!("it never came: {readings:?}");
}
