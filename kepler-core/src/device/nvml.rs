//! NVIDIA's accelerators, by the library of their driver (NVML): the `nvml` meter.
//!
//! **Requirements.** NVIDIA's kernel driver and its `libnvidia-ml.so.1`, which is loaded when there is a device; the right to open
//! `/dev/nvidiactl` (all users have it as the driver installs it). Processes of other users are named where their descriptors can be
//! seen (`CAP_SYS_PTRACE`).
//!
//! **Energy.** The device's counter (`nvmlDeviceGetTotalEnergyConsumption`, mJ, Volta and later). It is refreshed every 20 to
//! 100 ms, so one that stands still is the reading before, for up to two seconds. Elsewhere power is integrated, every second: its
//! average over a second where the driver knows that (field 185), else `nvmlDeviceGetPowerUsage`. On A100 and H100
//! that sensor looks at a quarter of the time only (Yang, Adamek, Armour: *Part-time power measurements*, SC 2024): a load that
//! comes and goes with its rhythm is off by tens of percent.
//!
//! **Users.** `nvmlDeviceGetProcessUtilization`, weighted by time; compute and graphics processes both. Processes that are known
//! to the driver, and of whose use nothing is said, have the share 0. Where the device is divided into instances (MIG) the
//! driver says nothing of use, and energy is that of the whole device: see [`SharesBy`]. A process number that is not one of
//! the host's procfs, or that holds no descriptor of the driver's there, becomes 0.
//!
//! **What changes.** A device that is lost, a driver that is loaded again and devices that are added are followed by
//! opening the library again. A device that the kernel has suspended is not woken: it counts as drawing nothing.
//!
//! ```no_run
//! use kepler_core::device::nvml::{self, NvmlOptions};
//! use kepler_core::device::DeviceMeter as _;
//! use kepler_core::host::Host;
//!
//! let meter = nvml::open(&Host::default(), &NvmlOptions::default())?;
//! for device in meter.devices() {
//!     println!("{} {}", device.uuid, device.name);
//! }
//! # Ok::<(), kepler_core::availability::Unavailable>(())
//! ```

mod elf;
mod instances;
mod library;
mod load;
mod presence;
mod sensor;
mod usage;

use super::background::{Background, Pace, SlowMeter};
use super::integral::PowerIntegral;
use super::{Device, DeviceDirectory, DeviceReading, DeviceUser, SharesBy};
use crate::availability::{Remedy, Unavailable};
use crate::host::{Host, Timestamp};
use crate::meter::{ReadError, ReadFault, Reading};
use crate::units::{Energy, Power};
use instances::Instances;
use library::{Code, Handle, Nvml, UtilisationSample};
use load::{load, refused, remedy};
use presence::Presence;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use usage::{Identities, Usage};

/// The `source` label of this meter.
pub(super) const SOURCE: &str = "nvml";

/// How long a counter may stand still before that is taken for what the device drew.
const REFRESH: Duration = Duration::from_secs(2);

/// Refreshes after which a device that could not be listed is tried again.
const LOOKS: u32 = 6;

/// How the library is found, and how often it is asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NvmlOptions {
    /// The library; `None` for where it usually is, below the host's root too.
    pub library: Option<PathBuf>,
    /// How often it is asked.
    pub pace: Pace,
    /// How often devices and instances are looked for, and a lost device is tried again.
    pub look_again: Duration,
    /// Where it is found how busy instances are, which the library does not tell.
    pub directory: Option<DeviceDirectory>,
}

impl Default for NvmlOptions {
    fn default() -> Self {
        NvmlOptions { library: None, pace: Pace::default(), look_again: Duration::from_secs(10), directory: None }
    }
}

impl NvmlOptions {
    /// These options with a change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// Opens the meter, on a thread of its own. Nothing is loaded where the kernel shows no NVIDIA device, unless a library is named.
///
/// # Errors
/// There is no device, driver or library, or it refuses: which, and what to do.
pub fn open(host: &Host, options: &NvmlOptions) -> Result<Background, Unavailable> {
    if options.library.is_none() {
        let presence = Presence::of(host);
        if presence.is_none() {
            let devices = host.sysfs().join("bus/pci/devices");
            let reason = format!("there is no NVIDIA device under {}", devices.display());
            return Err(Unavailable::new(SOURCE, reason, Remedy::None));
        }
        if !presence.has_driver {
            let reason = format!("{} has no NVIDIA driver in the kernel", presence.addresses.join(", "));
            return Err(Unavailable::new(SOURCE, reason, Remedy::load(["nvidia"])));
        }
    }
    let (host, options) = (host.clone(), options.clone());
    Background::start(SOURCE, options.pace, move || Meter::open(&host, &options))
}

/// The meter of devices that are there and cannot be read yet: their driver or its library may be installed later, as NVIDIA's
/// operator does. `None` where there is no device.
#[must_use]
pub fn open_when_possible(host: &Host, options: &NvmlOptions) -> Option<Background> {
    if Presence::of(host).is_none() {
        return None;
    }
    let pace = options.pace;
    let (host, options) = (host.clone(), options.clone());
    let open = move || match Presence::of(&host).has_driver {
        true => Meter::open(&host, &options),
        false => Err(Unavailable::new(SOURCE, "its driver is not loaded", Remedy::load(["nvidia"]))),
    };
    Some(Background::when_possible(SOURCE, pace, open))
}

struct Meter {
    host: Host,
    options: NvmlOptions,
    presence: Presence,
    nvml: Option<Nvml>,
    /// Why there is none now.
    fault: &'static str,
    devices: Vec<Device>,
    /// In the order of `devices`.
    gpus: Vec<Gpu>,
    unavailable: Vec<Unavailable>,
    /// Whether a call has said that the library must be opened again.
    is_broken: bool,
    /// Whether a device could not be listed, and how often it was not looked for again.
    is_incomplete: bool,
    looks: u32,
    /// Whether a device is described otherwise than before.
    is_changed: bool,
    looked: Timestamp,
    identities: Identities,
    samples: Vec<UtilisationSample>,
    pids: Vec<u32>,
}

/// What is kept of a device from reading to reading.
#[derive(Default)]
struct Gpu {
    /// Until the library is opened again; the code that it gave in place of one.
    handle: Option<Handle>,
    fault: &'static str,
    /// The counter's value, and when it was seen to have moved there.
    counter: Option<(u64, Timestamp)>,
    /// Where there is no counter.
    integral: Option<PowerIntegral>,
    usage: Usage,
    used: Option<Timestamp>,
    /// Where it is divided.
    instances: Option<Instances>,
}

impl Gpu {
    /// Where it is read, for people, as far as that is known without reading it: a device that hangs must not keep the others from being
    /// listed.
    fn path(&self, index: u32) -> Arc<str> {
        let how = match self.integral {
            None => format!("nvmlDeviceGetTotalEnergyConsumption({index})"),
            Some(_) => format!("nvmlDeviceGetPowerUsage({index}), integrated"),
        };
        match &self.instances {
            Some(instances) => match instances.list().len() {
                1 => format!("{how}, divided into 1 instance (MIG)").into(),
                count => format!("{how}, divided into {count} instances (MIG)").into(),
            },
            None => how.into(),
        }
    }

    /// Takes over how the device is divided now, and describes it so.
    fn divide(&mut self, nvml: &Nvml, device: &mut Device) {
        self.instances = self.handle.and_then(|handle| Instances::of(nvml, handle));
        let found = self.instances.as_ref();
        device.instances = found.map(|instances| instances.list().to_vec()).unwrap_or_default();
        device.slices = found.map_or(0, Instances::slices);
        device.path = self.path(device.index);
    }
}

/// Who used a device, how that was found, and how busy it was as far as they tell.
struct Use {
    users: Vec<DeviceUser>,
    shares_by: SharesBy,
    utilisation: Option<f64>,
}

impl Meter {
    fn open(host: &Host, options: &NvmlOptions) -> Result<Self, Unavailable> {
        let mut meter = Meter {
            identities: Identities::new(host.procfs()),
            host: host.clone(),
            options: options.clone(),
            presence: Presence::of(host),
            nvml: None,
            fault: "it sleeps",
            devices: Vec::new(),
            gpus: Vec::new(),
            unavailable: Vec::new(),
            is_broken: false,
            is_incomplete: false,
            looks: 0,
            is_changed: false,
            looked: Timestamp::now(),
            samples: Vec::new(),
            pids: Vec::new(),
        };
        // To initialise the library is to wake every device.
        if !meter.presence.sleeps(host) {
            let nvml = load(host, options.library.as_deref())?;
            let count = nvml.count().map_err(|code| refused(code, "nvmlDeviceGetCount_v2"))?;
            meter.find_devices(nvml, count);
            if meter.devices.is_empty() {
                let none = || Unavailable::new(SOURCE, "the driver shows no device", Remedy::CheckKernelLog);
                return Err(meter.unavailable.first().cloned().unwrap_or_else(none));
            }
        }
        Ok(meter)
    }

    /// Lists the devices again. What is known of those that were there goes on.
    fn find_devices(&mut self, nvml: Nvml, count: u32) {
        let before: Vec<(Device, Gpu)> = self.devices.drain(..).zip(self.gpus.drain(..)).collect();
        let mut before: Vec<Option<(Device, Gpu)>> = before.into_iter().map(Some).collect();
        self.is_incomplete = false;
        for index in 0..count {
            let found = nvml.handle(index).and_then(|handle| self.describe(&nvml, index, handle));
            let (device, gpu) = match found {
                Ok((mut device, handle)) => {
                    let same = before.iter_mut().find(|old| old.as_ref().is_some_and(|old| old.0.uuid == device.uuid));
                    let gpu = same.and_then(Option::take).map(|(_, gpu)| gpu).unwrap_or_default();
                    let mut gpu = Gpu { handle: Some(handle), ..gpu };
                    gpu.divide(&nvml, &mut device);
                    (device, gpu)
                }
                Err(code) => {
                    // One that was listed before stays, and says why it is not read.
                    let same = before.iter_mut().find(|old| old.as_ref().is_some_and(|old| old.0.index == index));
                    let Some((device, gpu)) = same.and_then(Option::take) else {
                        let reason = format!("device {index}: {code}");
                        if !self.unavailable.iter().any(|other| other.reason == reason) {
                            self.unavailable.push(Unavailable::new(SOURCE, reason, remedy(code)));
                        }
                        self.is_incomplete = true;
                        continue;
                    };
                    (device, Gpu { handle: None, fault: code.meaning(), ..gpu })
                }
            };
            self.devices.push(device);
            self.gpus.push(gpu);
        }
        self.is_broken = self.gpus.iter().any(|gpu| gpu.handle.is_none());
        self.nvml = Some(nvml);
    }

    fn describe(&self, nvml: &Nvml, index: u32, handle: Handle) -> Result<(Device, Handle), Code> {
        let name = nvml.name(handle).unwrap_or_else(|_| "NVIDIA device".to_owned());
        let mut device = Device::new(nvml.uuid(handle)?, "nvidia", name);
        device.index = index;
        device.observed_ratio = sensor::observed(&device.name);
        device.minor = nvml.minor(handle).ok();
        device.pci_address = nvml.pci_address(handle).ok().map(Arc::from);
        if let Ok(limit) = nvml.largest_power_limit(handle) {
            // Limits hold on average: spikes go to twice as much.
            let most = Power::from_watts(f64::from(limit) / 1000.0 * 2.0);
            device.max_power = if limit > 0 { most } else { device.max_power };
        }
        Ok((device, handle))
    }

    /// Opens the library again.
    fn reopen(&mut self) {
        // Shut down and unloaded first: a driver that was loaded again may be of another version.
        self.nvml = None;
        for gpu in &mut self.gpus {
            (gpu.handle, gpu.used) = (None, None);
        }
        self.is_broken = true;
        self.presence = Presence::of(&self.host);
        match load(&self.host, self.options.library.as_deref()) {
            Ok(nvml) => match nvml.count() {
                Ok(count) => self.find_devices(nvml, count),
                Err(code) => self.fault = code.meaning(),
            },
            Err(unavailable) => {
                tracing::debug!(%unavailable, "the library cannot be opened again");
                self.fault = "the library cannot be opened again";
            }
        }
    }

    /// The energy of a device, and when it was so.
    fn energy(&mut self, index: usize, at: Timestamp) -> Result<(Energy, Timestamp), Code> {
        let (Some(nvml), Some(gpu)) = (&self.nvml, self.gpus.get_mut(index)) else {
            return Err(Code::DRIVER_NOT_LOADED);
        };
        let Some(handle) = gpu.handle else { return Err(Code::NOT_FOUND) };
        if gpu.integral.is_none() {
            match nvml.energy(handle) {
                Ok(millijoules) => {
                    let same = gpu.counter.filter(|(value, moved)| *value == millijoules && at.since(moved) < REFRESH);
                    let moved = same.map_or(at, |(_, moved)| moved);
                    gpu.counter = Some((millijoules, moved));
                    return Ok((Energy::from_microjoules(millijoules.saturating_mul(1000)), moved));
                }
                // What has counted before does so again.
                Err(code) if gpu.counter.is_some() || !is_lacking(code) => return Err(code),
                Err(_) => {
                    gpu.integral = Some(PowerIntegral::default());
                    if let Some(device) = self.devices.get_mut(index) {
                        device.path = gpu.path(device.index);
                    }
                    self.is_changed = true;
                }
            }
        }
        let power = Power::from_watts(f64::from(nvml.power(handle)?) / 1000.0);
        let integral = gpu.integral.get_or_insert_default();
        integral.add(power, at);
        Ok((integral.total(), at))
    }

    /// Who used a device since the call before.
    fn users(&mut self, index: usize, at: Timestamp) -> Use {
        let mut found = Use { users: Vec::new(), shares_by: SharesBy::Utilisation, utilisation: None };
        let (Some(nvml), Some(gpu), Some(device)) = (&self.nvml, self.gpus.get_mut(index), self.devices.get(index))
        else {
            return found;
        };
        let Some(handle) = gpu.handle else { return found };
        let now = at.wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_micros() as u64);
        let span = gpu.used.replace(at).map(|before| at.since(&before).as_secs_f64());
        // An instance's processes are not sampled, and what is said of them then is of another time.
        if let Some(instances) = &mut gpu.instances {
            let directory = self.options.directory.as_ref();
            let busy = |instance| directory.and_then(|known| known.activity_of(&device.uuid, instance, at));
            return instances.used(nvml, busy, &mut self.identities, &mut self.pids);
        }
        let users = &mut found.users;
        let mut busy = Vec::new();
        if nvml.samples(handle, gpu.usage.since(now), &mut self.samples).is_ok() {
            gpu.usage.add(&mut self.samples, now, &mut busy);
        }
        for user in &busy {
            let share = span.filter(|span| *span > 0.0).map_or(0.0, |span| user.busy / span);
            usage::add(users, self.identities.pid(user.pid), share);
        }
        if nvml.processes(handle, &mut self.pids).is_ok() {
            for pid in self.pids.iter().filter(|pid| busy.iter().all(|user| user.pid != **pid)) {
                usage::add(users, self.identities.pid(*pid), 0.0);
            }
        }
        let utilisation = nvml.utilisation(handle).ok();
        found.utilisation = utilisation.map(|percent| f64::from(percent.min(100)) / 100.0);
        found
    }

    /// A device that is not to be woken: it draws next to nothing.
    fn asleep(&mut self, index: usize, at: Timestamp) -> Option<DeviceReading> {
        let address = self.devices.get(index)?.pci_address.as_ref()?;
        if !presence::is_suspended(&self.host, address) {
            return None;
        }
        let gpu = self.gpus.get_mut(index)?;
        let energy = match (&mut gpu.integral, gpu.counter) {
            (Some(integral), _) => {
                integral.pause();
                integral.total()
            }
            (None, counter) => Energy::from_microjoules(counter?.0.saturating_mul(1000)),
        };
        Some(DeviceReading::new(at, Reading::Counter(energy)).with_utilisation(Some(0.0)))
    }
}

impl SlowMeter for Meter {
    fn devices(&self) -> &[Device] {
        &self.devices
    }

    fn unavailable(&self) -> &[Unavailable] {
        &self.unavailable
    }

    fn begin(&mut self, at: Timestamp) -> bool {
        let mut is_changed = std::mem::take(&mut self.is_changed);
        // An instance that is not there any more is no reason to wait.
        let is_divided_again = self.gpus.iter().any(|gpu| gpu.instances.as_ref().is_some_and(Instances::is_outdated));
        if at.since(&self.looked) < self.options.look_again && !is_divided_again {
            return is_changed;
        }
        self.looked = at;
        self.identities.forget_ended();
        let presence = Presence::of(&self.host);
        if self.nvml.is_none() && presence.sleeps(&self.host) {
            return is_changed;
        }
        // To open it again costs those that work an interval of their users: less often for one that never worked.
        self.looks = if self.is_incomplete { self.looks + 1 } else { 0 };
        let is_due = self.looks >= LOOKS && std::mem::take(&mut self.looks) > 0;
        if self.is_broken || is_due || self.nvml.is_none() || presence != self.presence {
            self.reopen();
            return true;
        }
        if let Some(nvml) = &self.nvml {
            for (gpu, device) in self.gpus.iter_mut().zip(&mut self.devices) {
                let before = gpu.instances.as_ref().map(|instances| instances.list().to_vec());
                gpu.divide(nvml, device);
                is_changed |= before.as_deref() != gpu.instances.as_ref().map(Instances::list);
            }
        }
        is_changed
    }

    fn read(&mut self, index: usize, at: Timestamp) -> Result<DeviceReading, ReadError> {
        if let Some(reading) = self.asleep(index, at) {
            return Ok(reading);
        }
        let path = || self.devices.get(index).map_or_else(|| SOURCE.into(), |device| Arc::clone(&device.path));
        let path: Arc<str> = path();
        let fault = match (&self.nvml, self.gpus.get(index)) {
            (None, _) => Some(self.fault),
            (_, Some(gpu)) if gpu.handle.is_none() => Some(gpu.fault),
            _ => None,
        };
        if let Some(fault) = fault {
            return Err(ReadError::new(path, ReadFault::Invalid(fault)));
        }
        let (energy, moved) = self.energy(index, at).map_err(|code| {
            self.is_broken |= code.asks_for_reopening();
            ReadError::new(path, code.into_io())
        })?;
        let Use { users, shares_by, utilisation } = self.users(index, at);
        let reading = DeviceReading::new(moved, Reading::Counter(energy)).with_utilisation(utilisation);
        Ok(reading.with_users(users).with_shares_by(shares_by))
    }
}

/// Whether a device lacks a function, as opposed to failing at it.
fn is_lacking(code: Code) -> bool {
    code == Code::NOT_SUPPORTED || code == Code::FUNCTION_NOT_FOUND
}
