//! `libnvidia-ml.so.1`: the functions that are needed, and no more.
//!
//! The library is part of NVIDIA's driver, so it is loaded when the program runs, and looked for where it is. The crate
//! `nvml-wrapper` covers all of its 400 functions; it takes 13 s of processor time to build on the machine of
//! `docs/performance.md`, and refuses values that are newer than it. `libloading` takes 0.2 s. This is the only file of this meter with
//! `unsafe`: it turns each function into a safe one with plain values.
//!
//! Every signature is that of `nvml.h` as of NVML 12 (API version 11 and later); functions that older or partial libraries lack are `None`, and
//! answer as the library itself does: "function not found".
#![allow(unsafe_code, reason = "calls into a C library that is found at run time")]

use libloading::Library;
use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::fmt;
use std::io;
use std::path::Path;

/// What a function of the library returns: 0 or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code(c_uint);

impl Code {
    pub(super) const NOT_SUPPORTED: Code = Code(3);
    pub(super) const NO_PERMISSION: Code = Code(4);
    pub(super) const NOT_FOUND: Code = Code(6);
    pub(super) const DRIVER_NOT_LOADED: Code = Code(9);
    const INSUFFICIENT_SIZE: Code = Code(7);
    pub(super) const FUNCTION_NOT_FOUND: Code = Code(13);
    pub(super) const OTHER_VERSION: Code = Code(18);

    /// What it means.
    pub(super) const fn meaning(self) -> &'static str {
        match self.0 {
            1 => "the library is not initialised",
            2 => "an argument is invalid",
            3 => "this device does not support it",
            4 => "permission denied",
            6 => "not found",
            7 => "the answer does not fit",
            8 => "the device's power connectors are not attached",
            9 => "NVIDIA's kernel driver is not loaded",
            10 => "the driver timed out",
            11 => "the kernel found a fault in the device's interrupts",
            12 => "a library is missing",
            13 => "the library lacks the function",
            14 => "the device's information ROM is corrupted",
            15 => "the device is lost: it has fallen off the bus",
            16 => "the device needs a reset",
            17 => "the operating system refuses access to the device",
            18 => "library and kernel driver are of different versions",
            19 => "the device is in use",
            20 => "out of memory",
            21 => "no data",
            27 => "the device is not ready",
            28 => "there is no such device",
            29 => "the device is in a state that does not allow it",
            _ => "unknown error of the library",
        }
    }

    /// Whether only reopening the library can help.
    pub(super) const fn asks_for_reopening(self) -> bool {
        matches!(self.0, 1 | 9 | 12 | 15..=18 | 28 | 999)
    }

    /// The same as an error of the system.
    pub(super) fn into_io(self) -> io::Error {
        let kind = match self.0 {
            4 | 17 => io::ErrorKind::PermissionDenied,
            6 | 9 | 12 | 15 | 28 => io::ErrorKind::NotFound,
            10 => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self.meaning())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (NVML code {})", self.meaning(), self.0)
    }
}

/// A device, as the library names it until it is shut down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handle(*mut c_void);

/// `nvmlProcessUtilizationSample_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UtilisationSample {
    pub(super) pid: c_uint,
    /// Microseconds of the wall clock.
    pub(super) time_stamp: c_ulonglong,
    /// Percent of the time, as the following.
    pub(super) multiprocessors: c_uint,
    pub(super) memory: c_uint,
    pub(super) encoder: c_uint,
    pub(super) decoder: c_uint,
}

/// `nvmlProcessInfo_v2_t`, of the `_v2` and `_v3` functions.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct ProcessInfo {
    pid: c_uint,
    used_memory: c_ulonglong,
    gpu_instance: c_uint,
    compute_instance: c_uint,
}

/// `nvmlPciInfo_t`.
#[repr(C)]
struct PciInfo {
    bus_id_legacy: [c_char; 16],
    domain: c_uint,
    bus: c_uint,
    device: c_uint,
    device_id: c_uint,
    subsystem_id: c_uint,
    bus_id: [c_char; 32],
}

/// `nvmlUtilization_t`.
#[repr(C)]
#[derive(Default)]
struct Utilisation {
    gpu: c_uint,
    memory: c_uint,
}

/// `nvmlFieldValue_t`; its value is a union of 8 bytes.
#[repr(C)]
#[derive(Default)]
struct FieldValue {
    field: c_uint,
    scope: c_uint,
    time_stamp: i64,
    latency: i64,
    value_type: c_uint,
    code: c_uint,
    value: u64,
}

/// `nvmlDeviceAttributes_t`, of an instance.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    /// Multiprocessors; engines that copy, decode, encode, decode JPEG, and for optical flow.
    engines: [c_uint; 6],
    gpu_instance_slices: c_uint,
    compute_instance_slices: c_uint,
    memory_mib: c_ulonglong,
}

/// `nvmlGpuInstanceInfo_t`.
#[repr(C)]
struct InstanceInfo {
    device: *mut c_void,
    id: c_uint,
    profile: c_uint,
    start: c_uint,
    size: c_uint,
}

/// `NVML_FI_DEV_POWER_AVERAGE`: over a second, in mW.
const FIELD_POWER_AVERAGE: c_uint = 185;
/// `NVML_VALUE_TYPE_UNSIGNED_INT`.
const UNSIGNED_INT: c_uint = 1;

/// The most users of a device that are asked for.
const MOST: usize = 4096;

type Plain = unsafe extern "C" fn() -> c_uint;
type OfIndex = unsafe extern "C" fn(c_uint, *mut *mut c_void) -> c_uint;
type OfNumber = unsafe extern "C" fn(*mut c_void, c_uint, *mut *mut c_void) -> c_uint;
type Number = unsafe extern "C" fn(*mut c_void, *mut c_uint) -> c_uint;
type TwoNumbers = unsafe extern "C" fn(*mut c_void, *mut c_uint, *mut c_uint) -> c_uint;
type Long = unsafe extern "C" fn(*mut c_void, *mut c_ulonglong) -> c_uint;
type Text = unsafe extern "C" fn(*mut c_void, *mut c_char, c_uint) -> c_uint;
type Samples = unsafe extern "C" fn(*mut c_void, *mut UtilisationSample, *mut c_uint, c_ulonglong) -> c_uint;
type Processes = unsafe extern "C" fn(*mut c_void, *mut c_uint, *mut ProcessInfo) -> c_uint;

/// The loaded library, initialised.
pub(super) struct Nvml {
    shutdown: Option<Plain>,
    count: unsafe extern "C" fn(*mut c_uint) -> c_uint,
    handle: OfIndex,
    uuid: Text,
    name: Option<Text>,
    pci: Option<unsafe extern "C" fn(*mut c_void, *mut PciInfo) -> c_uint>,
    energy: Option<Long>,
    power: Option<Number>,
    fields: Option<unsafe extern "C" fn(*mut c_void, c_int, *mut FieldValue) -> c_uint>,
    power_limits: Option<TwoNumbers>,
    utilisation: Option<unsafe extern "C" fn(*mut c_void, *mut Utilisation) -> c_uint>,
    samples: Option<Samples>,
    /// Compute, graphics, and clients of a multi-process server (MPS), which are in neither of the other lists.
    processes: [Option<Processes>; 3],
    mig_mode: Option<TwoNumbers>,
    minor: Option<Number>,
    most_instances: Option<Number>,
    instance_handle: Option<OfNumber>,
    instance_id: Option<Number>,
    attributes: Option<unsafe extern "C" fn(*mut c_void, *mut Attributes) -> c_uint>,
    gpu_instance: Option<OfNumber>,
    instance_info: Option<unsafe extern "C" fn(*mut c_void, *mut InstanceInfo) -> c_uint>,
    /// Last, so that it is unloaded after everything that points into it.
    library: Library,
}

/// Why the library cannot be used.
#[derive(Debug)]
pub(super) enum LoadError {
    /// The loader's words.
    NotLoaded(String),
    /// It is not NVIDIA's library, or a very old one.
    NoFunction(&'static str),
    /// It could be loaded and not initialised.
    NotInitialised(Code),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::NotLoaded(reason) => f.write_str(reason),
            LoadError::NoFunction(name) => write!(f, "the library has no function {name}"),
            LoadError::NotInitialised(code) => write!(f, "{code}"),
        }
    }
}

impl Nvml {
    /// Loads the library and initialises it.
    pub(super) fn load(path: &Path) -> Result<Self, LoadError> {
        // SAFETY: NVIDIA's library, or what the operator put in its place, runs its initialisers; it has none that touch
        // this program's memory. This is what trusting a driver means.
        let library = unsafe { Library::new(path) }.map_err(|error| LoadError::NotLoaded(words(&error)))?;
        /// A function by the first of its names that there is.
        fn find<T: Copy>(library: &Library, names: &[&str]) -> Option<T> {
            // SAFETY: the type is that of `nvml.h` for each of these names, and the pointer does not outlive the
            // library, which is dropped after all of them.
            names.iter().find_map(|name| unsafe { library.get::<T>(*name) }.ok().map(|symbol| *symbol))
        }
        let init: Plain = find(&library, &["nvmlInit_v2", "nvmlInit"]).ok_or(LoadError::NoFunction("nvmlInit_v2"))?;
        let processes = |kind: &str| {
            let base = format!("nvmlDeviceGet{kind}RunningProcesses");
            find(&library, &[&format!("{base}_v3"), &format!("{base}_v2")])
        };
        let mut nvml = Nvml {
            shutdown: None,
            count: find(&library, &["nvmlDeviceGetCount_v2"]).ok_or(LoadError::NoFunction("nvmlDeviceGetCount_v2"))?,
            handle: find(&library, &["nvmlDeviceGetHandleByIndex_v2"])
                .ok_or(LoadError::NoFunction("nvmlDeviceGetHandleByIndex_v2"))?,
            uuid: find(&library, &["nvmlDeviceGetUUID"]).ok_or(LoadError::NoFunction("nvmlDeviceGetUUID"))?,
            name: find(&library, &["nvmlDeviceGetName"]),
            pci: find(&library, &["nvmlDeviceGetPciInfo_v3"]),
            energy: find(&library, &["nvmlDeviceGetTotalEnergyConsumption"]),
            power: find(&library, &["nvmlDeviceGetPowerUsage"]),
            fields: find(&library, &["nvmlDeviceGetFieldValues"]),
            power_limits: find(&library, &["nvmlDeviceGetPowerManagementLimitConstraints"]),
            utilisation: find(&library, &["nvmlDeviceGetUtilizationRates"]),
            samples: find(&library, &["nvmlDeviceGetProcessUtilization"]),
            processes: ["Compute", "Graphics", "MPSCompute"].map(processes),
            mig_mode: find(&library, &["nvmlDeviceGetMigMode"]),
            minor: find(&library, &["nvmlDeviceGetMinorNumber"]),
            most_instances: find(&library, &["nvmlDeviceGetMaxMigDeviceCount"]),
            instance_handle: find(&library, &["nvmlDeviceGetMigDeviceHandleByIndex"]),
            instance_id: find(&library, &["nvmlDeviceGetGpuInstanceId"]),
            attributes: find(&library, &["nvmlDeviceGetAttributes_v2"]),
            gpu_instance: find(&library, &["nvmlDeviceGetGpuInstanceById"]),
            instance_info: find(&library, &["nvmlGpuInstanceGetInfo"]),
            library,
        };
        // SAFETY: it takes no argument.
        check(unsafe { init() }).map_err(LoadError::NotInitialised)?;
        // From now on only: what was not initialised is not shut down.
        nvml.shutdown = find(&nvml.library, &["nvmlShutdown"]);
        Ok(nvml)
    }

    /// How many devices there are.
    pub(super) fn count(&self) -> Result<u32, Code> {
        let mut count = 0;
        // SAFETY: it writes one number.
        check(unsafe { (self.count)(&raw mut count) })?;
        Ok(count)
    }

    /// A device by its number.
    pub(super) fn handle(&self, index: u32) -> Result<Handle, Code> {
        let mut handle = std::ptr::null_mut();
        // SAFETY: it writes one pointer, which is only ever handed back to it.
        check(unsafe { (self.handle)(index, &raw mut handle) })?;
        Ok(Handle(handle))
    }

    /// `GPU-…`.
    pub(super) fn uuid(&self, device: Handle) -> Result<String, Code> {
        text(self.uuid, device)
    }

    /// The name of the product.
    pub(super) fn name(&self, device: Handle) -> Result<String, Code> {
        text(self.name.ok_or(Code::FUNCTION_NOT_FOUND)?, device)
    }

    /// The PCI address as the kernel writes it: `0000:41:00.0`.
    pub(super) fn pci_address(&self, device: Handle) -> Result<String, Code> {
        let call = self.pci.ok_or(Code::FUNCTION_NOT_FOUND)?;
        let mut info = std::mem::MaybeUninit::<PciInfo>::zeroed();
        // SAFETY: it fills a structure of this layout.
        check(unsafe { call(device.0, info.as_mut_ptr()) })?;
        // SAFETY: all zeros, which it was before, is valid for numbers and characters, and so is what was written.
        let info = unsafe { info.assume_init() };
        // Devices have one function; the library's own text has a domain of eight digits.
        Ok(format!("{:04x}:{:02x}:{:02x}.0", info.domain, info.bus, info.device))
    }

    /// Millijoules since the driver was loaded, from Volta on.
    pub(super) fn energy(&self, device: Handle) -> Result<u64, Code> {
        let call = self.energy.ok_or(Code::FUNCTION_NOT_FOUND)?;
        let mut energy = 0;
        // SAFETY: it writes one number of 64 bits.
        check(unsafe { call(device.0, &raw mut energy) })?;
        Ok(energy)
    }

    /// Milliwatts: averaged over a second where the device knows that, else as it shows them.
    pub(super) fn power(&self, device: Handle) -> Result<u32, Code> {
        if let Some(call) = self.fields {
            let mut field = FieldValue { field: FIELD_POWER_AVERAGE, ..FieldValue::default() };
            // SAFETY: it fills one structure of this layout.
            let is_filled = check(unsafe { call(device.0, 1, &raw mut field) }).is_ok();
            if is_filled && check(field.code).is_ok() && field.value_type == UNSIGNED_INT && field.value != 0 {
                // The union's first four bytes.
                let [first, second, third, fourth, ..] = field.value.to_ne_bytes();
                return Ok(u32::from_ne_bytes([first, second, third, fourth]));
            }
        }
        number(self.power, device)
    }

    /// The largest power limit that can be set, in milliwatts.
    pub(super) fn largest_power_limit(&self, device: Handle) -> Result<u32, Code> {
        Ok(two_numbers(self.power_limits, device)?.1)
    }

    /// The percentage of time in which something ran, over the device's last sampling period (1/6 s to 1 s).
    pub(super) fn utilisation(&self, device: Handle) -> Result<u32, Code> {
        let call = self.utilisation.ok_or(Code::FUNCTION_NOT_FOUND)?;
        let mut utilisation = Utilisation::default();
        // SAFETY: it fills a structure of two numbers.
        check(unsafe { call(device.0, &raw mut utilisation) })?;
        Ok(utilisation.gpu)
    }

    /// Samples of the use by process that are newer than `since`, in microseconds of the wall clock. Nothing new is none.
    pub(super) fn samples(&self, device: Handle, since: u64, samples: &mut Vec<UtilisationSample>) -> Result<(), Code> {
        samples.clear();
        let call = self.samples.ok_or(Code::FUNCTION_NOT_FOUND)?;
        let mut count: c_uint = 0;
        // SAFETY: without a buffer it writes the number of samples that it has room for.
        match check(unsafe { call(device.0, std::ptr::null_mut(), &raw mut count, since) }) {
            Ok(()) | Err(Code::INSUFFICIENT_SIZE) => {}
            Err(Code::NOT_FOUND) => return Ok(()),
            Err(code) => return Err(code),
        }
        if count == 0 {
            return Ok(());
        }
        // There may be more by the time of the second call.
        let room = (count as usize * 2).clamp(128, MOST);
        samples.resize(room, UtilisationSample::default());
        count = room as c_uint;
        // SAFETY: it fills at most as many structures of this layout as it is told that there are.
        let result = check(unsafe { call(device.0, samples.as_mut_ptr(), &raw mut count, since) });
        samples.truncate(if result.is_ok() { count as usize } else { 0 });
        match result {
            Err(Code::NOT_FOUND | Code::INSUFFICIENT_SIZE) => Ok(()),
            result => result,
        }
    }

    /// The processes that have a compute or a graphics context on a device, clients of MPS included. Numbers may be those of another namespace.
    pub(super) fn processes(&self, device: Handle, pids: &mut Vec<u32>) -> Result<(), Code> {
        pids.clear();
        let mut is_known = false;
        for call in self.processes.into_iter().flatten() {
            let mut infos = [ProcessInfo::default(); 1024];
            let mut count = infos.len() as c_uint;
            // SAFETY: it fills at most as many structures of this layout as it is told that there are.
            if check(unsafe { call(device.0, &raw mut count, infos.as_mut_ptr()) }).is_ok() {
                is_known = true;
                pids.extend(infos.iter().take(count as usize).map(|info| info.pid));
            }
        }
        pids.sort_unstable();
        pids.dedup();
        if is_known { Ok(()) } else { Err(Code::NOT_SUPPORTED) }
    }

    /// The number of its device file: 0 of `/dev/nvidia0`.
    pub(super) fn minor(&self, device: Handle) -> Result<u32, Code> {
        number(self.minor, device)
    }

    /// How many instances a device can be divided into: as many as it has slices of processors.
    pub(super) fn most_instances(&self, device: Handle) -> Result<u32, Code> {
        number(self.most_instances, device)
    }

    /// An instance of a device, by its place: places may be empty.
    pub(super) fn instance(&self, device: Handle, index: u32) -> Result<Handle, Code> {
        let call = self.instance_handle.ok_or(Code::FUNCTION_NOT_FOUND)?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: it writes one pointer, which is only ever handed back to it.
        check(unsafe { call(device.0, index, &raw mut handle) })?;
        Ok(Handle(handle))
    }

    /// The number of an instance, by its handle.
    pub(super) fn instance_id(&self, instance: Handle) -> Result<u32, Code> {
        number(self.instance_id, instance)
    }

    /// How many slices of processors an instance has, by its handle.
    pub(super) fn slices(&self, instance: Handle) -> Result<u32, Code> {
        let call = self.attributes.ok_or(Code::FUNCTION_NOT_FOUND)?;
        let mut attributes = Attributes::default();
        // SAFETY: it fills a structure of this layout.
        check(unsafe { call(instance.0, &raw mut attributes) })?;
        Ok(attributes.gpu_instance_slices)
    }

    /// The number of the profile of an instance, and its first slice of memory; by its number. For the administrator alone.
    pub(super) fn placement(&self, device: Handle, id: u32) -> Result<(u32, u32), Code> {
        let (of_id, info_of) = (self.gpu_instance.zip(self.instance_info)).ok_or(Code::FUNCTION_NOT_FOUND)?;
        let mut instance = std::ptr::null_mut();
        // SAFETY: it writes one pointer, which is only handed back to the library.
        check(unsafe { of_id(device.0, id, &raw mut instance) })?;
        let mut info = std::mem::MaybeUninit::<InstanceInfo>::zeroed();
        // SAFETY: it fills a structure of this layout.
        check(unsafe { info_of(instance, info.as_mut_ptr()) })?;
        // SAFETY: all zeros, which it was before, is valid for numbers and a pointer that is not read, and so is what was written.
        let info = unsafe { info.assume_init() };
        Ok((info.profile, info.start))
    }

    /// Whether the device is divided into instances (MIG).
    pub(super) fn is_partitioned(&self, device: Handle) -> bool {
        two_numbers(self.mig_mode, device).is_ok_and(|(current, _pending)| current == 1)
    }
}

impl Drop for Nvml {
    fn drop(&mut self) {
        if let Some(shutdown) = self.shutdown {
            // SAFETY: it takes no argument; no handle is used afterwards, since each comes from `self`.
            let _code = unsafe { shutdown() };
        }
    }
}

fn check(code: c_uint) -> Result<(), Code> {
    if code == 0 { Ok(()) } else { Err(Code(code)) }
}

fn number(call: Option<Number>, device: Handle) -> Result<u32, Code> {
    let call = call.ok_or(Code::FUNCTION_NOT_FOUND)?;
    let mut number = 0;
    // SAFETY: it writes one number.
    check(unsafe { call(device.0, &raw mut number) })?;
    Ok(number)
}

fn two_numbers(call: Option<TwoNumbers>, device: Handle) -> Result<(u32, u32), Code> {
    let call = call.ok_or(Code::FUNCTION_NOT_FOUND)?;
    let (mut first, mut second) = (0, 0);
    // SAFETY: it writes two numbers.
    check(unsafe { call(device.0, &raw mut first, &raw mut second) })?;
    Ok((first, second))
}

fn text(call: Text, device: Handle) -> Result<String, Code> {
    let mut buffer = [0u8; 128];
    // SAFETY: it writes at most as many bytes as it is told that there are.
    check(unsafe { call(device.0, buffer.as_mut_ptr().cast(), buffer.len() as c_uint) })?;
    let text = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
    Ok(text.to_string_lossy().into_owned())
}

/// The loader's own words where it has some.
fn words(error: &libloading::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}
