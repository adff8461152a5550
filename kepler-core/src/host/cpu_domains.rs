//! CPU domains: groups of like processors, one for each core type of each package.
//!
//! Each package has energy counters of its own, and an efficiency core of a hybrid processor draws less than a
//! performance core. So CPU time is kept apart by [`CpuDomain`]: package and core type.
//!
//! | core types are read from | where |
//! |---|---|
//! | `devices/system/cpu/types/<type>/cpulist` | kernels that name types there |
//! | `devices/cpu_core/cpus`, `devices/cpu_atom/cpus`, `devices/cpu_lowpower/cpus` | Intel hybrid: one PMU a core type |
//! | `devices/system/cpu/cpuN/cpu_capacity` | Arm big.LITTLE and DynamIQ (Documentation/devicetree/bindings/cpu/cpu-capacity.txt) |

use super::{Host, Topology, parse_processor_list};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The processors of one core type in one package.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CpuDomain {
    /// Package (socket) number.
    pub package: u32,
    /// What kind of core: `core`, `atom`, `lowpower` (Intel), `capacity-446` (Arm). `None` where all are alike.
    pub core_type: Option<String>,
    /// How much work a processor of this domain does in a given time, relative to [`CpuDomain::FULL_CAPACITY`] for the strongest
    /// processors of the host: the kernel's `cpu_capacity`, else what ACPI CPPC calls the highest performance,
    /// else the highest frequency. 1 or more.
    pub capacity: u32,
    /// The logical processors, by number; empty on a host that does not list them.
    pub processors: Vec<u32>,
}

impl CpuDomain {
    /// The capacity of the strongest processors (`SCHED_CAPACITY_SCALE` of the kernel).
    pub const FULL_CAPACITY: u32 = 1024;
}

/// All CPU domains of a host, at least one. Their order is fixed: packages by number, then core types by
/// falling capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuDomains {
    list: Vec<CpuDomain>,
    /// The domain of each processor, by its number.
    of_processor: Vec<Option<u16>>,
}

impl Default for CpuDomains {
    /// A single domain that all processors belong to.
    fn default() -> Self {
        let only =
            CpuDomain { package: 0, core_type: None, capacity: CpuDomain::FULL_CAPACITY, processors: Vec::new() };
        CpuDomains { list: vec![only], of_processor: Vec::new() }
    }
}

impl CpuDomains {
    /// The domains of this host's online processors. A host that shows nothing has one domain: nothing here
    /// is an error.
    ///
    /// ```
    /// use kepler_core::host::{CpuDomains, Host};
    ///
    /// let domains = CpuDomains::read(&Host::default());
    /// assert!(domains.len() >= 1);
    /// assert!(domains.get(0).is_some());
    /// ```
    #[must_use]
    pub fn read(host: &Host) -> Self {
        let topology = Topology::read(host);
        let numbers: Vec<u32> = topology.processors.iter().map(|processor| processor.number).collect();
        let types = core_types(host.sysfs(), &numbers);
        let mut groups: BTreeMap<(u32, Option<&str>), Vec<u32>> = BTreeMap::new();
        for processor in &topology.processors {
            let core_type = types.get(&processor.number).map(String::as_str);
            groups.entry((processor.physical_id, core_type)).or_default().push(processor.number);
        }
        let capacities = capacities(host.sysfs(), &types);
        let capacity = |processors: &[u32]| processors.iter().filter_map(|cpu| capacities.get(cpu)).max().copied();
        let mut list: Vec<CpuDomain> = groups
            .into_iter()
            .map(|((package, core_type), processors)| CpuDomain {
                package,
                core_type: core_type.map(str::to_owned),
                capacity: capacity(&processors).unwrap_or(CpuDomain::FULL_CAPACITY),
                processors,
            })
            .collect();
        if list.is_empty() {
            return Self::default();
        }
        list.sort_by_key(|domain| (domain.package, std::cmp::Reverse(domain.capacity)));
        let mut of_processor = Vec::new();
        for (domain, index) in list.iter().zip(0u16..) {
            for &processor in &domain.processors {
                let processor = processor as usize;
                if of_processor.len() <= processor {
                    of_processor.resize(processor + 1, None);
                }
                if let Some(entry) = of_processor.get_mut(processor) {
                    *entry = Some(index);
                }
            }
        }
        CpuDomains { list, of_processor }
    }

    /// The domain of a processor, an index into [`CpuDomains::iter`]. `None` for one that was not online when the
    /// domains were read, unless there is only one domain.
    #[must_use]
    pub fn of(&self, processor: u32) -> Option<u16> {
        if self.list.len() == 1 {
            return Some(0);
        }
        self.of_processor.get(processor as usize).copied().flatten()
    }

    /// The domain with this index.
    #[must_use]
    pub fn get(&self, index: u16) -> Option<&CpuDomain> {
        self.list.get(usize::from(index))
    }

    /// All domains, by index.
    pub fn iter(&self) -> impl Iterator<Item = &CpuDomain> {
        self.list.iter()
    }

    /// How many there are: 1 or more.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether all domains have the same capacity, so that time is the same everywhere.
    #[must_use]
    pub fn are_alike(&self) -> bool {
        self.list.iter().all(|domain| self.list.first().is_some_and(|first| first.capacity == domain.capacity))
    }
}

fn read_number(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn read_list(path: &Path) -> Vec<u32> {
    let text = fs::read_to_string(path).unwrap_or_default();
    parse_processor_list(text.trim()).unwrap_or_default()
}

/// The type of each core; empty where all are of one type.
fn core_types(sysfs: &Path, processors: &[u32]) -> BTreeMap<u32, String> {
    let mut types = BTreeMap::new();
    let mut add = |name: &str, list: &Path| {
        types.extend(read_list(list).into_iter().map(|processor| (processor, name.to_owned())));
    };
    for entry in fs::read_dir(sysfs.join("devices/system/cpu/types")).into_iter().flatten().flatten() {
        add(&entry.file_name().to_string_lossy(), &entry.path().join("cpulist"));
    }
    for (pmu, name) in [("cpu_core", "core"), ("cpu_atom", "atom"), ("cpu_lowpower", "lowpower")] {
        add(name, &sysfs.join("devices").join(pmu).join("cpus"));
    }
    if types.is_empty() {
        for &processor in processors {
            if let Some(capacity) = read_capacity(sysfs, processor, "cpu_capacity") {
                types.insert(processor, format!("capacity-{capacity}"));
            }
        }
    }
    types.retain(|processor, _| processors.contains(processor));
    let mut names: Vec<&String> = types.values().collect();
    names.sort_unstable();
    names.dedup();
    if names.len() < 2 {
        types.clear();
    }
    types
}

fn read_capacity(sysfs: &Path, processor: u32, file: &str) -> Option<u32> {
    read_number(&sysfs.join(format!("devices/system/cpu/cpu{processor}")).join(file)).filter(|&value| value > 0)
}

/// The capacity of each processor that has a core type, the strongest being [`CpuDomain::FULL_CAPACITY`]; empty
/// where no file has a value for all of them. Without core types nothing is read: on other processors the
/// same files rank the cores of one kind by how well they turned out.
fn capacities(sysfs: &Path, types: &BTreeMap<u32, String>) -> BTreeMap<u32, u32> {
    for file in ["cpu_capacity", "acpi_cppc/highest_perf", "cpufreq/cpuinfo_max_freq"] {
        let read = |&processor| Some((processor, read_capacity(sysfs, processor, file)?));
        let Some(values) = types.keys().map(read).collect::<Option<BTreeMap<u32, u32>>>() else { continue };
        let least = values.values().min().copied().unwrap_or_default();
        let most = values.values().max().copied().unwrap_or_default();
        if least == most {
            continue; // It does not distinguish them.
        }
        let scaled = |value: u32| u64::from(value) * u64::from(CpuDomain::FULL_CAPACITY) / u64::from(most);
        let scaled = |value| u32::try_from(scaled(value).max(1)).unwrap_or(CpuDomain::FULL_CAPACITY);
        return values.into_iter().map(|(processor, value)| (processor, scaled(value))).collect();
    }
    BTreeMap::new()
}

#[cfg(test)]
mod tests;
