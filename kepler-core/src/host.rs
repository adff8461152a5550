//! The host: injected roots, clocks, processors.
//!
//! Nothing in this crate names `/proc` or `/sys` but [`Host::default`]. A test tree, a container
//! with the host's filesystems mounted elsewhere, and a real machine are one case.
//!
//! ```
//! use kepler_core::host::{Host, Topology};
//!
//! // In a container with the host's file systems below /host.
//! let host = Host::default().with_procfs("/host/proc").with_sysfs("/host/sys");
//! assert_eq!(host.cgroup(), std::path::Path::new("/host/sys/fs/cgroup"));
//! // What cannot be read is empty, not an error.
//! println!("{} logical processors", Topology::read(&host).processors.len());
//! ```

mod clock;
mod cpu_domains;
mod cpu_time;
pub mod file;
#[cfg(feature = "perf")]
pub(crate) mod perf_events;
mod root;
mod topology;
mod visibility;

pub use clock::Timestamp;
pub use cpu_domains::{CpuDomain, CpuDomains};
pub(crate) use cpu_time::SharedReading;
pub use cpu_time::{BusyTime, BusyWindow, CpuTimes, CpuTimesError, CpuTimesReader, SoftInterrupts};
pub use root::HostRoot;
pub use topology::{Processor, Topology};
pub use visibility::{HidePid, Hiding, ProcessVisibility, ProcfsMount};

use cpu_time::SharedCpuTimes;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// As long as a text of the firmware's tables may be: a page, which is what the kernel shows of an attribute.
const LONGEST_FIRMWARE_TEXT: u64 = 4096;

/// The roots under which the kernel's interfaces are found.
///
/// Clones share what is read of the node's CPU times: `/proc/stat` is read once a tick for all of them.
#[derive(Clone, Debug)]
pub struct Host {
    procfs: PathBuf,
    sysfs: PathBuf,
    cgroup: PathBuf,
    msr: PathBuf,
    root: PathBuf,
    cpu_times: SharedCpuTimes,
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        let Host { procfs, sysfs, cgroup, msr, root, cpu_times: _ } = self;
        (procfs, sysfs, cgroup, msr, root) == (&other.procfs, &other.sysfs, &other.cgroup, &other.msr, &other.root)
    }
}

impl Eq for Host {}

impl Default for Host {
    /// This machine: `/proc`, `/sys`, `/sys/fs/cgroup`, `/dev/cpu`, `/`.
    fn default() -> Self {
        Host {
            procfs: "/proc".into(),
            sysfs: "/sys".into(),
            cgroup: "/sys/fs/cgroup".into(),
            msr: "/dev/cpu".into(),
            root: "/".into(),
            cpu_times: SharedCpuTimes::default(),
        }
    }
}

impl Host {
    /// Another procfs (`/host/proc` in a container). A directory of plain files works too.
    #[must_use]
    pub fn with_procfs(mut self, procfs: impl Into<PathBuf>) -> Self {
        self.procfs = procfs.into();
        self.cpu_times = SharedCpuTimes::default();
        self
    }

    /// Another sysfs; the cgroup hierarchy is then looked for under its `fs/cgroup`.
    #[must_use]
    pub fn with_sysfs(mut self, sysfs: impl Into<PathBuf>) -> Self {
        self.sysfs = sysfs.into();
        self.cgroup = self.sysfs.join("fs/cgroup");
        self
    }

    /// Another cgroup hierarchy. Call it after [`Host::with_sysfs`], which sets it as well.
    #[must_use]
    pub fn with_cgroup(mut self, cgroup: impl Into<PathBuf>) -> Self {
        self.cgroup = cgroup.into();
        self
    }

    /// Another directory of model-specific registers, one `<cpu>/msr` file a processor.
    #[must_use]
    pub fn with_msr(mut self, msr: impl Into<PathBuf>) -> Self {
        self.msr = msr.into();
        self
    }

    /// Another root file system, where container engines keep their state (for names).
    #[must_use]
    pub fn with_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// The node's CPU times at this moment, which are read once for all who ask for it.
    pub(crate) fn cpu_times(&self, at: Timestamp) -> Result<SharedReading<'_>, CpuTimesError> {
        self.cpu_times.at(&self.procfs, at)
    }

    /// The node's CPU times now.
    pub(crate) fn cpu_times_now(&self) -> Result<SharedReading<'_>, CpuTimesError> {
        self.cpu_times.now(&self.procfs)
    }

    /// How often they were read.
    #[cfg(test)]
    pub(crate) fn cpu_time_readings(&self) -> u64 {
        self.cpu_times.readings()
    }

    /// The procfs in use.
    #[must_use]
    pub fn procfs(&self) -> &Path {
        &self.procfs
    }

    /// The sysfs in use.
    #[must_use]
    pub fn sysfs(&self) -> &Path {
        &self.sysfs
    }

    /// The cgroup hierarchy in use (version 1, 2 or both).
    #[must_use]
    pub fn cgroup(&self) -> &Path {
        &self.cgroup
    }

    /// The directory of model-specific registers in use.
    #[must_use]
    pub fn msr(&self) -> &Path {
        &self.msr
    }

    /// The root file system in use.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the firmware's tables (SMBIOS, by the kernel's `class/dmi/id`) say under a name, such as `sys_vendor`: without blanks
    /// around it; `None` where that is nothing, or may not be read.
    #[must_use]
    pub fn firmware(&self, name: &str) -> Option<String> {
        let mut text = Vec::new();
        let file = file::opened(&self.sysfs.join("class/dmi/id").join(name)).ok()?;
        file.take(LONGEST_FIRMWARE_TEXT).read_to_end(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text).trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// Reads an unsigned decimal number as the kernel prints it: digits only, no sign, no blank, fits 64 bits.
pub(crate) fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &digit| {
        let value = char::from(digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(value))
    })
}

/// Reads a list of processors as the kernel writes it: `0,28` or `0-3,8`.
pub(crate) fn parse_processor_list(list: &str) -> Option<Vec<u32>> {
    let mut processors = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        // No kernel has more processors than this: a damaged mask must not ask for a billion counters.
        if last < first || last > 65_535 {
            return None;
        }
        processors.extend(first..=last);
    }
    Some(processors)
}
