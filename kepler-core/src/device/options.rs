//! Which accelerators are read, and by which meters.

#[cfg(any(feature = "drm", feature = "nvml", feature = "commands"))]
use super::background::Background;
#[cfg(feature = "commands")]
use super::command::{self, CommandOptions};
#[cfg(feature = "drm")]
use super::drm::{self, DrmOptions};
#[cfg(feature = "nvml")]
use super::nvml::{self, NvmlOptions};
use super::{DeviceDirectory, DeviceMeter};
use crate::availability::Unavailable;
use crate::host::Host;
use crate::units::Power;
use std::path::PathBuf;

/// Which accelerators are read. By default all that this build has meters for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceOptions {
    /// Whether any is read. If not, nothing is looked for and no library is loaded.
    pub enabled: bool,
    /// What each of them draws when idle, where that is known better than it can be learned.
    pub idle_power: Option<Power>,
    /// NVIDIA's library, where it is not in its usual place. It is loaded whether there seems to be a device or not.
    pub nvml_library: Option<PathBuf>,
    /// What the network knows of devices, if it is asked.
    pub directory: Option<DeviceDirectory>,
    /// Vendors' tools that are run for what no driver shows. None unless asked for.
    #[cfg(feature = "commands")]
    pub commands: Vec<CommandOptions>,
}

impl Default for DeviceOptions {
    fn default() -> Self {
        DeviceOptions {
            enabled: true,
            idle_power: None,
            nvml_library: None,
            directory: None,
            #[cfg(feature = "commands")]
            commands: Vec::new(),
        }
    }
}

impl DeviceOptions {
    /// These options with a change, as in `DeviceOptions::default().with(|options| options.enabled = false)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// The meters of a host's accelerators.
#[derive(Default)]
#[non_exhaustive]
pub struct DeviceMeters {
    /// Those in use. What two of them find is read by the first.
    pub meters: Vec<Box<dyn DeviceMeter>>,
    /// Why others are not.
    pub unavailable: Vec<Unavailable>,
}

impl std::fmt::Debug for DeviceMeters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sources = self.meters.iter().map(|meter| meter.source());
        f.debug_list().entries(sources).finish()
    }
}

impl DeviceMeters {
    /// Opens the meters that this build has, of accelerators that this host has. Without any nothing is loaded, and nothing logged:
    /// the reasons are there for who asks. A meter waits up to 3 s for its driver, and goes on without it.
    ///
    /// ```
    /// use kepler_core::device::{DeviceMeters, DeviceOptions};
    /// use kepler_core::host::Host;
    ///
    /// let devices = DeviceMeters::open(&Host::default(), &DeviceOptions::default());
    /// for meter in &devices.meters {
    ///     meter.devices().iter().for_each(|device| println!("{}: {} ({})", meter.source(), device.name, device.uuid));
    /// }
    /// devices.unavailable.iter().for_each(|unavailable| println!("{unavailable}"));
    /// ```
    #[must_use]
    pub fn open(host: &Host, options: &DeviceOptions) -> Self {
        #[cfg(any(feature = "drm", feature = "nvml", feature = "commands"))]
        let mut meters = DeviceMeters::default();
        #[cfg(not(any(feature = "drm", feature = "nvml", feature = "commands")))]
        let meters = DeviceMeters::default();
        if !options.enabled {
            return meters;
        }
        #[cfg(feature = "nvml")]
        {
            let of_nvml = NvmlOptions::default().with(|of_nvml| {
                of_nvml.library.clone_from(&options.nvml_library);
                of_nvml.directory.clone_from(&options.directory);
            });
            let meter = nvml::open(host, &of_nvml);
            // Where the devices are there, the rest may come.
            let later = if meter.is_err() { nvml::open_when_possible(host, &of_nvml) } else { None };
            meters.add(meter);
            meters.meters.extend(later.map(|meter| Box::new(meter) as Box<dyn DeviceMeter>));
        }
        #[cfg(feature = "drm")]
        meters.add(drm::open(host, &DrmOptions::default()));
        #[cfg(feature = "commands")]
        options.commands.iter().for_each(|tool| meters.add(command::open(tool)));
        #[cfg(not(any(feature = "drm", feature = "nvml")))]
        let _nothing_to_open = host;
        meters
    }

    /// Takes a meter with what it found and does not read, or why there is none.
    #[cfg(any(feature = "drm", feature = "nvml", feature = "commands"))]
    fn add(&mut self, meter: Result<Background, Unavailable>) {
        match meter {
            Ok(meter) => {
                self.unavailable.extend(meter.unavailable());
                self.meters.push(Box::new(meter));
            }
            Err(unavailable) => self.unavailable.push(unavailable),
        }
    }
}
