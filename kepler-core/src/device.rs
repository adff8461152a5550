//! Accelerators: GPUs and NPUs, what they draw, and which processes keep them busy.
//!
//! A device is read like a zone, by a counter or a sensor, but its users are not those of the processors: a meter of
//! devices says itself which processes used a device, and how much of its time. The sampler divides each device's
//! energy into idle and active, and the active part among those processes, as it does for zones.
//!
//! ```
//! use kepler_core::device::{Device, DeviceMeter, DeviceReading, DeviceUser};
//! use kepler_core::host::Timestamp;
//! use kepler_core::meter::{ReadError, Reading};
//! use kepler_core::units::Power;
//!
//! /// A meter with one device that process 42 keeps busy.
//! struct OneDevice([Device; 1]);
//!
//! impl DeviceMeter for OneDevice {
//!     fn source(&self) -> &'static str {
//!         "one"
//!     }
//!
//!     fn devices(&self) -> &[Device] {
//!         &self.0
//!     }
//!
//!     fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<DeviceReading, ReadError>>) {
//!         readings.clear();
//!         let users = vec![DeviceUser::new(42, 0.8)];
//!         let reading = DeviceReading::new(at, Reading::Power(Power::from_watts(210.0))).with_users(users);
//!         readings.push(Ok(reading.with_utilisation(Some(0.8))));
//!     }
//! }
//!
//! let mut meter = OneDevice([Device::new("GPU-4f1c", "nvidia", "H200")]);
//! let mut readings = Vec::new();
//! meter.read(Timestamp::now(), &mut readings);
//! assert_eq!(&*meter.devices()[0].uuid, "GPU-4f1c");
//! assert_eq!(readings[0].as_ref().map(|reading| reading.users.len()).ok(), Some(1));
//! ```

mod allocation;
#[cfg(any(feature = "drm", feature = "nvml", feature = "commands"))]
pub mod background;
#[cfg(feature = "commands")]
pub mod command;
mod directory;
#[cfg(feature = "drm")]
pub mod drm;
pub mod fake;
#[cfg(any(feature = "drm", feature = "nvml"))]
mod holders;
mod instance;
#[cfg(any(feature = "drm", feature = "nvml", feature = "commands"))]
mod integral;
#[cfg(feature = "nvml")]
pub mod nvml;
mod options;

pub use allocation::{DeviceAllocation, DeviceId, DevicePart};
pub use directory::{DeviceDirectory, InstanceActivity};
pub use instance::{DeviceInstance, SharesBy};
pub use options::{DeviceMeters, DeviceOptions};

use crate::host::Timestamp;
use crate::meter::{Method, ReadError, Reading};
use crate::units::{Energy, Power};
use std::sync::Arc;

/// Reads the energy of some devices, and who used them.
///
/// It is called at each tick, so it must return at once: a meter whose library or driver may take long reads on a
/// thread of its own and hands out its newest reading, which carries its own time.
pub trait DeviceMeter: Send {
    /// Short fixed name, the `source` label: `nvml`, `drm`, …
    fn source(&self) -> &'static str;

    /// The devices, in the order in which [`DeviceMeter::read`] reports them. It may change between two readings.
    fn devices(&self) -> &[Device];

    /// Rises when [`DeviceMeter::devices`] has changed.
    fn generation(&self) -> u64 {
        0
    }

    /// Reads every device: clears `readings` and fills it with one entry a device. A reading with the same time as the one
    /// before is that one again.
    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<DeviceReading, ReadError>>);
}

/// One accelerator, or a partition of one that is read by itself.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Device {
    /// Its globally unique identifier: `GPU-…`, `MIG-…`, else its PCI address.
    pub uuid: Arc<str>,
    /// Its number on this machine, as tools count it.
    pub index: u32,
    /// The number of its device file, such as 0 of `/dev/nvidia0` and `/dev/dri/card0`, where that is known.
    pub minor: Option<u32>,
    /// `nvidia`, `amd`, `intel`, …
    pub vendor: &'static str,
    /// The name of the product.
    pub name: Arc<str>,
    /// Its PCI address, such as `0000:41:00.0`, where it has one.
    pub pci_address: Option<Arc<str>>,
    /// Where it is read, for people: a sysfs path, a library and its function.
    pub path: Arc<str>,
    /// After how much energy its counter returns to zero; `None` if it does not within 64 bits, or it reports power.
    pub modulus: Option<Energy>,
    /// The most that it can plausibly draw. A counter that rose faster did not count.
    pub max_power: Power,
    /// Its idle power, where that is configured or known.
    pub idle_power: Option<Power>,
    /// Whether its energy is measured or estimated.
    pub method: Method,
    /// The share of time that its power sensor looks at, where that is known to be less than all of it. What is drawn meanwhile is
    /// not seen, so a load that comes and goes with the sensor's rhythm is over- or underestimated.
    pub observed_ratio: Option<f64>,
    /// The instances that it is divided into (MIG), where it is.
    pub instances: Vec<DeviceInstance>,
    /// How many slices of processors instances can have together; 0 of a device that is not divided.
    pub slices: u32,
}

impl Device {
    /// No accelerator of today draws more; modules of several chips come to 2.8 kW.
    pub const PLAUSIBLE_MAXIMUM: Power = Power::from_watts(5000.0);

    /// A device with nothing known but who it is.
    #[must_use]
    pub fn new(uuid: impl Into<Arc<str>>, vendor: &'static str, name: impl Into<Arc<str>>) -> Self {
        let uuid = uuid.into();
        Device {
            path: Arc::clone(&uuid),
            uuid,
            index: 0,
            minor: None,
            vendor,
            name: name.into(),
            pci_address: None,
            modulus: None,
            max_power: Device::PLAUSIBLE_MAXIMUM,
            idle_power: None,
            method: Method::Measured,
            observed_ratio: None,
            instances: Vec::new(),
            slices: 0,
        }
    }

    /// This device with a change, as in `Device::new("GPU-4f1c", "nvidia", "H200").with(|device| device.index = 3)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// What a device showed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeviceReading {
    /// When it was read.
    pub at: Timestamp,
    /// Its counter of energy, or its power.
    pub energy: Reading,
    /// The share of time in which it was busy since the reading before, 0 … 1, where that is known.
    pub utilisation: Option<f64>,
    /// The processes that used it since the reading before.
    pub users: Vec<DeviceUser>,
    /// How their shares were found.
    pub shares_by: SharesBy,
}

impl DeviceReading {
    /// A reading of which no more is known than the energy.
    #[must_use]
    pub fn new(at: Timestamp, energy: Reading) -> Self {
        DeviceReading { at, energy, utilisation: None, users: Vec::new(), shares_by: SharesBy::Utilisation }
    }

    /// The same with the share of time in which the device was busy.
    #[must_use]
    pub fn with_utilisation(self, utilisation: Option<f64>) -> Self {
        DeviceReading { utilisation, ..self }
    }

    /// The same with the processes that used the device.
    #[must_use]
    pub fn with_users(self, users: Vec<DeviceUser>) -> Self {
        DeviceReading { users, ..self }
    }

    /// The same with the way in which the users' shares were found.
    #[must_use]
    pub fn with_shares_by(self, shares_by: SharesBy) -> Self {
        DeviceReading { shares_by, ..self }
    }
}

/// What a share of 1 of a device's time weighs.
const WHOLE: f64 = 1e9;
/// A process can keep several engines of a device busy, but not more than this.
const MOST_BUSY: f64 = 1e3;

/// A process that used a device.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeviceUser {
    /// Its number, in the PID namespace of the host's procfs. Where the driver hides it, 0: its share is then known, and
    /// not whose it is.
    pub pid: u32,
    /// The share of the device's time that it used since the reading before, 0 … 1. The shares of several may add up to more
    /// than 1, since they run side by side.
    pub busy: f64,
    /// The instance of the device that it uses, where the device is divided.
    pub instance: Option<u32>,
}

impl DeviceUser {
    /// A process and its share of the device's time.
    #[must_use]
    pub const fn new(pid: u32, busy: f64) -> Self {
        DeviceUser { pid, busy, instance: None }
    }

    /// What its share of the device's time weighs, beside those of others.
    pub(crate) fn weight(&self) -> u64 {
        let is_busy = self.busy.is_finite() && self.busy > 0.0;
        if is_busy { (self.busy.min(MOST_BUSY) * WHOLE) as u64 } else { 0 }
    }

    /// The same, of an instance of the device.
    #[must_use]
    pub const fn of_instance(self, instance: u32) -> Self {
        DeviceUser { instance: Some(instance), ..self }
    }
}
