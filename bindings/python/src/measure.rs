//! The stopwatch behind `measure`: marks, and what lies between two of them.

mod counter_thread;

use crate::errors::MeterError;
use crate::fork;
use crate::host::{Host, chain};
use crate::platform::{Asked, Given, MeterRow, Shown, row};
use crate::remedies;
use counter_thread::CounterThread;
use kepler_core::device::{DeviceMeters, DeviceOptions};
use kepler_core::meter::Method;
use kepler_core::stopwatch::{self as core, Descent, DeviceMark, DeviceSpent, DeviceStopwatch};
use kepler_core::units::{Energy, ZoneKind};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// Reads the meters of one machine; made once and shared by all measurements of it.
#[pyclass(frozen, module = "kepler_power._native")]
struct Stopwatch {
    meters: Arc<Mutex<Meters>>,
    counter_thread: CounterThread,
    /// Meters of the whole machine, which are asked on threads of their own.
    platform: Mutex<Asked>,
}

/// The meters of the machine's zones, and of its accelerators where there are some.
struct Meters {
    zones: core::Stopwatch,
    devices: Option<DeviceStopwatch>,
}

impl Meters {
    fn mark(&mut self) -> (core::Mark, Option<DeviceMark>) {
        // Accelerators may be waited for.
        let devices = self.devices.as_mut().map(DeviceStopwatch::mark);
        (self.zones.mark(), devices)
    }

    fn keep_up(&mut self) {
        self.zones.keep_up();
        if let Some(devices) = &mut self.devices {
            devices.keep_up();
        }
    }

    fn longest_gap(&self) -> Option<Duration> {
        let of_devices = self.devices.as_ref().map(|_| DeviceStopwatch::longest_gap());
        self.zones.longest_gap().into_iter().chain(of_devices).min()
    }
}

#[pymethods]
impl Stopwatch {
    #[new]
    #[pyo3(signature = (host=None, sources=None, accelerators=true, nvml_library=None, platform=Vec::new()))]
    fn new(
        py: Python<'_>,
        host: Option<Host>,
        sources: Option<Vec<String>>,
        accelerators: bool,
        nvml_library: Option<PathBuf>,
        platform: Vec<Given>,
    ) -> PyResult<Self> {
        let host = host.as_ref().map(Host::core).unwrap_or_default();
        let options = chain(py, &host, sources)?;
        let opened = py.detach(|| core::Stopwatch::open(&host, options));
        let zones = opened.map_err(|unavailable| MeterError::new_err(remedies::error(&unavailable)))?;
        let devices = DeviceOptions::default().with(|options| {
            options.enabled = accelerators;
            options.nvml_library = nvml_library;
        });
        let found = py.detach(|| DeviceMeters::open(&host, &devices)).meters;
        let is_any = !found.is_empty();
        let devices = is_any.then(|| DeviceStopwatch::new(found, Descent::of_this_process(&host)));
        let meters = Meters { zones, devices };
        let counter_thread = CounterThread::new(meters.longest_gap());
        let platform = Mutex::new(Asked::start(&host, platform)?);
        Ok(Stopwatch { meters: Arc::new(Mutex::new(meters)), counter_thread, platform })
    }

    /// Reads everything now.
    fn mark(&self, py: Python<'_>) -> Mark {
        let (platform, (mark, devices)) = py.detach(|| {
            let _reading = fork::reading();
            let platform = self.platform.lock().unwrap_or_else(PoisonError::into_inner).now();
            (platform, self.meters.lock().unwrap_or_else(PoisonError::into_inner).mark())
        });
        Mark { mark, devices, platform, _held: self.counter_thread.hold(&self.meters) }
    }

    /// Asks meters of the whole machine no more.
    fn leave_platform(&self, py: Python<'_>) {
        py.detach(|| {
            let held = {
                let _reading = fork::reading();
                self.platform.lock().unwrap_or_else(PoisonError::into_inner).take()
            };
            // Waits for what is under way.
            drop(held);
        });
    }

    /// Source, reason and remedy of each better meter that is not in use.
    fn unavailable(&self, py: Python<'_>) -> Vec<(&'static str, String, String)> {
        py.detach(|| {
            let _reading = fork::reading();
            remedies::rows(self.meters.lock().unwrap_or_else(PoisonError::into_inner).zones.unavailable())
        })
    }

    /// Whether a thread reads the counters from time to time, for measurements that outlast a round of them.
    #[getter]
    fn keeps_up(&self) -> bool {
        self.counter_thread.is_running()
    }
}

/// A moment. While it exists, counters are read often enough to miss no round.
#[pyclass(frozen, module = "kepler_power._native")]
struct Mark {
    mark: core::Mark,
    devices: Option<DeviceMark>,
    platform: Shown,
    _held: Arc<()>,
}

#[pymethods]
impl Mark {
    /// Seconds since 1970, for display.
    #[getter]
    fn timestamp(&self) -> f64 {
        self.mark.at().wall.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    }

    /// What was spent from this mark to a later one.
    fn until(&self, later: &Mark) -> Spent {
        let devices = self.devices.as_ref().zip(later.devices.as_ref());
        let devices = devices.map(|(from, to)| from.until(to)).unwrap_or_default();
        let platform = later.platform.since(&self.platform).iter().map(row).collect();
        Spent { spent: self.mark.until(&later.mark), devices, platform }
    }
}

/// What lies between two marks.
#[pyclass(frozen, module = "kepler_power._native")]
struct Spent {
    spent: core::Spent,
    devices: Vec<DeviceSpent>,
    platform: Vec<MeterRow>,
}

impl Spent {
    /// What accelerators add to the machine's energy: nothing where a platform stands for all of it.
    fn accelerators(&self, part: fn(&DeviceSpent) -> Option<Energy>) -> Option<Energy> {
        let is_platform = self.spent.machine().is_some_and(|machine| machine.zones[ZoneKind::Psys]);
        if is_platform {
            return None;
        }
        self.devices.iter().filter_map(part).reduce(|a, b| a + b)
    }

    fn with_accelerators(&self, energy: Option<Energy>, part: fn(&DeviceSpent) -> Option<Energy>) -> Option<u64> {
        let parts = energy.into_iter().chain(self.accelerators(part));
        parts.reduce(|a, b| a + b).map(Energy::microjoules)
    }

    /// All accelerators as one zone.
    fn gpu_zone(&self, is_counted: bool) -> Option<ZoneRow> {
        let first = self.devices.first()?;
        let sum = |part: fn(&DeviceSpent) -> Option<Energy>| self.devices.iter().filter_map(part).sum::<Energy>();
        let is_split = self.devices.iter().all(|device| device.active.is_some());
        let method = self.devices.iter().map(|device| device.method).reduce(Method::weaker).unwrap_or(first.method);
        let energy = sum(|device| device.energy);
        let idle = is_split.then(|| energy.saturating_sub(sum(|device| device.active)).microjoules());
        let is_uncertain = self.devices.iter().any(|device| device.is_uncertain || device.energy.is_none());
        let (source, error) = (first.source, method.error_ratio());
        Some(("gpu", energy.microjoules(), source, method.name(), error, idle, is_uncertain, is_counted))
    }
}

/// UUID, those of its instances, number, name, maker, source, method, relative error of an estimate; µJ: all, idle, of this process, of it
/// and its descendants; the seconds that these rest on, whether uncertain.
type DeviceRow = (
    (String, Vec<String>, u32, String, &'static str),
    (&'static str, &'static str, Option<f64>),
    (Option<u64>, Option<u64>, Option<u64>, Option<u64>),
    (f64, bool),
);

/// Name, energy in µJ, source, method, relative error of an estimate, idle energy in µJ, whether uncertain, whether part of
/// the machine's sum.
type ZoneRow = (&'static str, u64, &'static str, &'static str, Option<f64>, Option<u64>, bool, bool);

#[pymethods]
impl Spent {
    /// Seconds between the marks.
    #[getter]
    fn seconds(&self) -> f64 {
        self.spent.elapsed.as_secs_f64()
    }

    /// CPU seconds of this process.
    #[getter]
    fn own_cpu_seconds(&self) -> f64 {
        self.spent.own_cpu.as_secs_f64()
    }

    /// CPU seconds of this process and its descendants.
    #[getter]
    fn tree_cpu_seconds(&self) -> f64 {
        self.spent.tree_cpu.as_secs_f64()
    }

    /// Logical processors online.
    #[getter]
    fn processors(&self) -> u32 {
        self.spent.processors
    }

    /// The machine's energy in µJ; none without a zone that counts.
    #[getter]
    fn microjoules(&self) -> Option<u64> {
        self.with_accelerators(self.spent.machine().map(|machine| machine.energy), |device| device.energy)
    }

    /// The part of it that is this process's, in µJ.
    #[getter]
    fn own_microjoules(&self) -> Option<u64> {
        self.with_accelerators(self.spent.part_of_machine(self.spent.own_cpu), |device| device.own)
    }

    /// The part of it that is this process's and its descendants', in µJ.
    #[getter]
    fn tree_microjoules(&self) -> Option<u64> {
        self.with_accelerators(self.spent.part_of_machine(self.spent.tree_cpu), |device| device.tree)
    }

    fn zones(&self) -> Vec<ZoneRow> {
        let machine = self.spent.machine();
        let row = |kind: ZoneKind| {
            let zone = self.spent.zones[kind].as_ref()?;
            let error = zone.method.error_ratio();
            Some((
                kind.name(),
                zone.energy.microjoules(),
                zone.source,
                zone.method.name(),
                error,
                zone.idle.map(|idle| idle.microjoules()),
                zone.is_uncertain,
                machine.as_ref().is_some_and(|machine| machine.zones[kind]),
            ))
        };
        let is_platform = machine.as_ref().is_some_and(|machine| machine.zones[ZoneKind::Psys]);
        ZoneKind::ALL.into_iter().filter_map(row).chain(self.gpu_zone(!is_platform)).collect()
    }

    /// Each meter of the whole machine.
    fn platform(&self) -> Vec<MeterRow> {
        self.platform.clone()
    }

    /// Each accelerator.
    fn devices(&self) -> Vec<DeviceRow> {
        let row = |spent: &DeviceSpent| {
            let device = &spent.device;
            let instances = device.instances.iter().flat_map(|one| one.uuids.iter().map(ToString::to_string));
            let micro = |energy: Option<Energy>| energy.map(Energy::microjoules);
            let idle = spent.energy.zip(spent.active).map(|(all, active)| all.saturating_sub(active));
            (
                (device.uuid.to_string(), instances.collect(), device.index, device.name.to_string(), device.vendor),
                (spent.source, spent.method.name(), spent.method.error_ratio()),
                (micro(spent.energy), micro(idle), micro(spent.own), micro(spent.tree)),
                (spent.covered.as_secs_f64(), spent.is_uncertain),
            )
        };
        self.devices.iter().map(row).collect()
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Host>()?;
    module.add_class::<Stopwatch>()?;
    module.add_class::<Mark>()?;
    module.add_class::<Spent>()
}
