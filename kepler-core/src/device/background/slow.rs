//! What is read on a thread of its own, and how often.

use crate::availability::Unavailable;
use crate::device::{Device, DeviceReading};
use crate::host::Timestamp;
use crate::meter::ReadError;
use std::time::Duration;

/// A meter that is read device by device on the thread that opened it.
pub trait SlowMeter {
    /// The devices that there are now.
    fn devices(&self) -> &[Device];

    /// Called before the devices are read, each time: does what is needed once for all of them, and looks now and then for
    /// devices that came or went. Whether [`SlowMeter::devices`] has changed.
    fn begin(&mut self, _at: Timestamp) -> bool {
        false
    }

    /// Reads a device, by its place among the [devices](SlowMeter::devices). What it says of use is of the time since the call before;
    /// `at` may be earlier than now, where a counter is refreshed now and then only.
    ///
    /// # Errors
    /// When it cannot be read this time. Others go on.
    fn read(&mut self, index: usize, at: Timestamp) -> Result<DeviceReading, ReadError>;

    /// What was found and is not read, each with the reason.
    fn unavailable(&self) -> &[Unavailable] {
        &[]
    }
}

/// How often devices are read, and how long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pace {
    /// From one reading to the next. It gets longer where reading takes more than a quarter of it.
    pub period: Duration,
    /// How long a call may take.
    pub patience: Duration,
}

impl Default for Pace {
    /// Every second; 3 s, within which a sleeping device wakes up.
    fn default() -> Self {
        Pace { period: Duration::from_secs(1), patience: Duration::from_secs(3) }
    }
}

impl Pace {
    /// This pace with a change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}
