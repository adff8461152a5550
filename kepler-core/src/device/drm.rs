//! Accelerators that the kernel's own drivers show, by sysfs and procfs: the `drm` meter.
//!
//! **Requirements.** None for energy: the files are world-readable. Processes of other users are seen with `CAP_SYS_PTRACE`; in a container, with
//! the host's procfs and sysfs.
//!
//! | driver | energy | users |
//! |---|---|---|
//! | `amdgpu` | the `gpu_metrics` table's counter where it agrees with power over time; else power (`power1_average`, `power1_input`, the table), integrated every second | fdinfo; for ROCm, the compute units that each process occupies |
//! | `i915`, `xe` | `energy1_input` of the card, else `energy2_input` of its package; never their sum | fdinfo |
//! | others | `energy1_input`, else `power1_average` or `power1_input`, integrated | fdinfo where the driver has it |
//!
//! NVIDIA's own driver shows nothing of that; see [`nvml`](../index.html). A device whose power is part of a processor's package (an APU, integrated graphics) is
//! not read, since the package is; [`Background::unavailable`] says so. Of an MI250 the first die shows the power of both, so the second is part of it.
//!
//! **Units and range.** `gpu_metrics` counts in 2⁻¹⁶ J; hwmon in µJ and µW. The power of `amdgpu` is that of the socket: on many cards
//! without memory, fans and voltage regulators.
//!
//! **What changes.** Devices that are added or removed are looked for every 10 s. A device that the kernel has suspended is not
//! read, which would wake it: it counts as drawing nothing.
//!
//! ```
//! use kepler_core::device::drm::{self, DrmOptions};
//! use kepler_core::device::DeviceMeter as _;
//! use kepler_core::host::Host;
//!
//! match drm::open(&Host::default(), &DrmOptions::default()) {
//!     Ok(meter) => println!("{} devices", meter.devices().len()),
//!     Err(unavailable) => println!("{unavailable}"),
//! }
//! ```

mod amdgpu;
mod cards;
mod clients;
mod fdinfo;
mod gpu_metrics;
mod kfd;
mod sensor;

use super::background::{Background, Pace, SlowMeter};
use super::{Device, DeviceReading, DeviceUser};
use crate::availability::{Remedy, Root, Unavailable};
use crate::host::{Host, Timestamp};
use crate::meter::{ReadError, Reading};
use crate::units::Energy;
use amdgpu::Amdgpu;
use cards::Card;
use clients::Clients;
use kfd::Kfd;
use sensor::Sensor;
use std::sync::Arc;
use std::time::Duration;

/// The `source` label of this meter.
pub(super) const SOURCE: &str = "drm";

/// Drivers whose devices another meter reads.
const DRIVERS_OF_OTHERS: [&str; 2] = ["nvidia", "nvidia-drm"];

/// How often the meter reads and looks for devices.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrmOptions {
    /// How often it reads.
    pub pace: Pace,
    /// How often it looks for devices.
    pub look_again: Duration,
}

impl Default for DrmOptions {
    fn default() -> Self {
        DrmOptions { pace: Pace::default(), look_again: Duration::from_secs(10) }
    }
}

impl DrmOptions {
    /// These options with a change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// Opens the meter, on a thread of its own.
///
/// # Errors
/// There is no device whose energy can be read: which there are instead, and why not.
pub fn open(host: &Host, options: &DrmOptions) -> Result<Background, Unavailable> {
    let is_read = |card: &Card| !DRIVERS_OF_OTHERS.contains(&card.driver.as_str());
    if !Card::all(host).iter().any(is_read) {
        let class = host.sysfs().join("class");
        let reason = format!("there is no device under {0}/drm or {0}/accel", class.display());
        let remedy = if class.exists() { Remedy::None } else { Remedy::MountRoot { root: Root::Sysfs } };
        return Err(Unavailable::new(SOURCE, reason, remedy));
    }
    let (host, options) = (host.clone(), options.clone());
    Background::start(SOURCE, options.pace, move || Meter::open(&host, &options))
}

struct Meter {
    host: Host,
    options: DrmOptions,
    cards: Vec<Card>,
    devices: Vec<Device>,
    /// In the order of `devices`.
    sources: Vec<Source>,
    unavailable: Vec<Unavailable>,
    clients: Clients,
    kfd: Kfd,
    looked: Timestamp,
    /// Whether a device that slept is not known yet.
    is_incomplete: bool,
    is_changed: bool,
}

/// Where a device is read.
struct Source {
    card: Card,
    energy: EnergySource,
    /// The second die, whose power is part of the first one's.
    second: Option<Card>,
    last: Energy,
}

enum EnergySource {
    Amdgpu(Amdgpu),
    Sensor(Sensor),
}

impl EnergySource {
    /// Where it is read, for people.
    fn path(&self) -> Arc<str> {
        match self {
            EnergySource::Amdgpu(amdgpu) if amdgpu.is_counted() => {
                format!("{} (counter)", amdgpu.table_path().display())
            }
            EnergySource::Amdgpu(amdgpu) => format!("{}, integrated", amdgpu.path().display()),
            EnergySource::Sensor(sensor @ Sensor::Energy(_)) => sensor.path().display().to_string(),
            EnergySource::Sensor(sensor @ Sensor::Power(..)) => format!("{}, integrated", sensor.path().display()),
        }
        .into()
    }

    /// It sleeps: what is read next is not joined to what was read before.
    fn pause(&mut self) {
        match self {
            EnergySource::Amdgpu(amdgpu) => amdgpu.pause(),
            EnergySource::Sensor(Sensor::Power(_, integral)) => integral.pause(),
            EnergySource::Sensor(Sensor::Energy(_)) => {}
        }
    }
}

impl Meter {
    fn open(host: &Host, options: &DrmOptions) -> Result<Self, Unavailable> {
        let mut meter = Meter {
            host: host.clone(),
            options: options.clone(),
            cards: Vec::new(),
            devices: Vec::new(),
            sources: Vec::new(),
            unavailable: Vec::new(),
            clients: Clients::new(host.procfs()),
            kfd: Kfd::new(host),
            looked: Timestamp::now(),
            is_incomplete: false,
            is_changed: false,
        };
        meter.look(Card::all(host));
        match meter.unavailable.first() {
            Some(unavailable) if meter.devices.is_empty() && !meter.is_incomplete => Err(unavailable.clone()),
            _ => Ok(meter),
        }
    }

    /// Lists the devices again. What is known of those that were there goes on.
    fn look(&mut self, cards: Vec<Card>) {
        let before: Vec<(Device, Source)> = self.devices.drain(..).zip(self.sources.drain(..)).collect();
        let mut before: Vec<Option<(Device, Source)>> = before.into_iter().map(Some).collect();
        self.is_incomplete = false;
        let read_here = cards.iter().filter(|card| !DRIVERS_OF_OTHERS.contains(&card.driver.as_str()));
        for (index, card) in read_here.enumerate() {
            let same = before.iter_mut().find(|old| old.as_ref().is_some_and(|(_, source)| source.card == *card));
            if let Some((device, source)) = same.and_then(Option::take) {
                self.devices.push(device);
                self.sources.push(Source { second: None, ..source });
                continue;
            }
            // Whether it is a processor's, its sensors tell.
            if card.is_suspended() {
                self.is_incomplete = true;
                continue;
            }
            match self.source(card) {
                Ok(energy) => self.add(card, energy, index),
                Err(reason) => {
                    let reason = format!("{} ({}): {reason}", card.node, card.key());
                    if !self.unavailable.iter().any(|other| other.reason == reason) {
                        self.unavailable.push(Unavailable::new(SOURCE, reason, Remedy::None));
                    }
                }
            }
        }
        self.cards = cards;
        self.is_changed = true;
    }

    /// Where a card's energy is read, or why it is not.
    fn source(&mut self, card: &Card) -> Result<EnergySource, &'static str> {
        const OF_PROCESSOR: &str = "its power is part of the processor's package";
        if card.driver != "amdgpu" {
            let sensor = Sensor::find(&card.directory, &card.driver).map(EnergySource::Sensor);
            return match (sensor, card.driver.as_str()) {
                (Some(sensor), _) => Ok(sensor),
                // Cards have sensors, integrated graphics have none.
                (None, "i915" | "xe") => Err(OF_PROCESSOR),
                (None, _) => Err("its driver shows neither energy nor power"),
            };
        }
        let amdgpu = Amdgpu::new(&card.directory);
        let table = amdgpu.table();
        if card.is_mi300a() || table.is_some_and(|table| table.is_processor) {
            return Err(OF_PROCESSOR);
        }
        let power = amdgpu.power(table.as_ref());
        if card.is_one_of_two_dies() && power.as_ref().map_or(true, |power| power.watts() == 0.0) {
            let first = self.sources.iter_mut().rfind(|source| source.card.product == card.product);
            if let Some(first) = first.filter(|first| first.second.is_none()) {
                first.second = Some(card.clone());
                return Err("its power is part of that of the module's first die");
            }
        }
        power.map(|_| EnergySource::Amdgpu(amdgpu)).map_err(|_| "its driver shows no power")
    }

    fn add(&mut self, card: &Card, energy: EnergySource, index: usize) {
        let uuid = card.address.clone().unwrap_or_else(|| card.node.clone());
        let mut device = Device::new(uuid, card.maker(), card.name());
        device.minor = card.number();
        device.index = index as u32;
        device.pci_address = card.address.as_deref().map(Arc::from);
        device.path = energy.path();
        self.devices.push(device);
        self.sources.push(Source { card: card.clone(), energy, second: None, last: Energy::ZERO });
    }

    /// Who used a device. The dies of one module count half each.
    fn users(&self, source: &Source) -> Vec<DeviceUser> {
        let mut users = self.users_of(&source.card);
        if let Some(second) = &source.second {
            users.extend(self.users_of(second));
            users.sort_unstable_by_key(|user| user.pid);
            users.dedup_by(|later, earlier| {
                let is_same = later.pid == earlier.pid;
                earlier.busy += if is_same { later.busy } else { 0.0 };
                is_same
            });
            users.iter_mut().for_each(|user| user.busy /= 2.0);
        }
        users
    }

    fn users_of(&self, card: &Card) -> Vec<DeviceUser> {
        let mut users = self.clients.users(card.key()).to_vec();
        if card.driver == "amdgpu" {
            self.kfd.add_users(card.key(), &mut users);
        }
        users
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
        self.clients.scan(at);
        if at.since(&self.looked) >= self.options.look_again {
            self.looked = at;
            let cards = Card::all(&self.host);
            if self.is_incomplete || cards != self.cards {
                self.kfd = Kfd::new(&self.host);
                self.look(cards);
            }
        }
        std::mem::take(&mut self.is_changed)
    }

    fn read(&mut self, index: usize, at: Timestamp) -> Result<DeviceReading, ReadError> {
        let is_asleep = self.sources.get(index).is_some_and(|source| source.card.is_suspended());
        let users = match self.sources.get(index) {
            Some(source) if !is_asleep => self.users(source),
            _ => Vec::new(),
        };
        let gone = || ReadError::new(SOURCE, std::io::Error::from(std::io::ErrorKind::NotFound));
        let Some(source) = self.sources.get_mut(index) else { return Err(gone()) };
        if is_asleep {
            source.energy.pause();
            return Ok(DeviceReading::new(at, Reading::Counter(source.last)).with_utilisation(Some(0.0)));
        }
        let (energy, utilisation) = match &mut source.energy {
            EnergySource::Amdgpu(amdgpu) => {
                let was_counted = amdgpu.is_counted();
                let shown = amdgpu.read(at)?;
                if amdgpu.is_counted() != was_counted {
                    self.is_changed = true;
                }
                shown
            }
            EnergySource::Sensor(sensor) => {
                let energy = sensor.read(at).map_err(|fault| sensor::error(sensor.path(), fault))?;
                (energy, None)
            }
        };
        source.last = energy;
        if self.is_changed
            && let Some(device) = self.devices.get_mut(index)
        {
            device.path = source.energy.path();
        }
        Ok(DeviceReading::new(at, Reading::Counter(energy)).with_utilisation(utilisation).with_users(users))
    }
}
