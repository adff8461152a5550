//! Loads the program, and explains why the kernel rejects it.

use super::record::{Control, Cpu, Dying, EVENTS, EndedKey, Group, GroupKey, Task, TaskKey};
use super::table::{Array, PerCpu, Plain, Table, give_memory_back};
use super::{EbpfOptions, SOURCE};
use crate::availability::{Capability, Remedy, ResourceLimit, Root, Unavailable};
use crate::host::{Host, ProcessVisibility};
use crate::usage::cgroup::CgroupTree;
use crate::usage::clock::is_procfs;
use aya::maps::MapData;
use aya::programs::RawTracePoint;
use aya::{Btf, EbpfLoader, include_bytes_aligned};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;

/// Made from `kepler.bpf.c` by `bpf/build.sh`; `./test` checks that it is.
static OBJECT: &[u8] = include_bytes_aligned!("../../../bpf/kepler.bpf.o");

/// What [`EbpfLoader::new`] parses.
const TYPES_OF_LOADER: &str = "/sys/kernel/btf/vmlinux";

/// Program and tracepoint.
const PROGRAMS: [(&str, &str); 3] =
    [("on_exit", "sched_process_exit"), ("on_exec", "sched_process_exec"), ("on_switch", "sched_switch")];

/// The loaded program with its tables. Dropping it takes it out of the kernel.
#[derive(Debug)]
pub(super) struct Program {
    ebpf: aya::Ebpf,
    pub(super) control: Array<Control>,
    pub(super) cpus: PerCpu<Cpu>,
    /// Those of even and of odd epochs.
    pub(super) sets: [Set; 2],
    pub(super) events: [Array<u32>; EVENTS],
    /// Processes of which all threads are on their way out, by number.
    pub(super) dying: Table<u32, Dying>,
}

/// The tables of one epoch.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) tasks: Table<TaskKey, Task>,
    pub(super) ended: Table<EndedKey, Task>,
    pub(super) groups: Table<GroupKey, Group>,
}

impl Program {
    /// Loads the program; it is not attached yet.
    pub(super) fn load(host: &Host, options: &EbpfOptions, domains: u32, counted: u32) -> Result<Self, Unavailable> {
        let types = kernel_types(host)?;
        let load = |has_current| Self::load_with(host, options, domains, counted, has_current, types.as_ref());
        let loaded = match load(true) {
            // Before 5.11 tables counted as locked memory.
            Err(error) if is_denial_of_memory(error.as_ref()) && raise_memory_limit() => load(false),
            Err(error) if !is_denial_of_memory(error.as_ref()) => load(false),
            other => other,
        };
        drop(types);
        give_memory_back();
        loaded.map_err(|error| unavailable(host, error.as_ref()))
    }

    fn load_with(
        host: &Host,
        options: &EbpfOptions,
        domains: u32,
        counted: u32,
        has_current: bool,
        types: Option<&Btf>,
    ) -> Result<Self, Box<dyn Error>> {
        let processors = aya::util::nr_cpus().map_err(|(_, error)| error)?;
        let is_v1 = u32::from(CgroupTree::find(host.cgroup()).is_some_and(|tree| tree.is_v1()));
        let mut loader = EbpfLoader::new();
        if types.is_some() {
            loader.btf(types);
        }
        loader.override_global("domains", &domains, true);
        loader.override_global("counted", &counted, true);
        loader.override_global("cgroup_v1", &is_v1, true);
        let has_current = u32::from(has_current);
        loader.override_global("has_current", &has_current, true);
        for (name, size) in [
            ("tasks_even", options.processes),
            ("tasks_odd", options.processes),
            ("ended_even", options.ended),
            ("ended_odd", options.ended),
            ("groups_even", options.commands),
            ("groups_odd", options.commands),
            ("cycles", processors as u32),
            ("instructions", processors as u32),
            ("misses", processors as u32),
        ] {
            loader.map_max_entries(name, size.max(1));
        }
        let mut ebpf = loader.load(OBJECT)?;
        for (name, _) in PROGRAMS {
            program(&mut ebpf, name)?.load()?;
        }
        let mut set = |parity: &str| -> Result<Set, Box<dyn Error>> {
            Ok(Set {
                tasks: table(&mut ebpf, &format!("tasks_{parity}"))?,
                ended: table(&mut ebpf, &format!("ended_{parity}"))?,
                groups: table(&mut ebpf, &format!("groups_{parity}"))?,
            })
        };
        let sets = [set("even")?, set("odd")?];
        let mut event = |name| -> Result<Array<u32>, Box<dyn Error>> { Ok(Array::new(map(&mut ebpf, name)?)?) };
        let events = [event("cycles")?, event("instructions")?, event("misses")?];
        let dying = table(&mut ebpf, "dying")?;
        Ok(Program {
            dying,
            control: Array::new(map(&mut ebpf, "control")?)?,
            cpus: PerCpu::new(map(&mut ebpf, "cpus")?, processors)?,
            sets,
            events,
            ebpf,
        })
    }

    /// Lets the scheduler call the program.
    pub(super) fn attach(&mut self) -> Result<(), Box<dyn Error>> {
        for (name, tracepoint) in PROGRAMS {
            program(&mut self.ebpf, name)?.attach(tracepoint)?;
        }
        Ok(())
    }
}

/// The types of the running kernel; none where the loader parses them itself, as it does with those below `/sys` whether it
/// is to use them or not. Parsing them takes some 20 ms.
fn kernel_types(host: &Host) -> Result<Option<Btf>, Unavailable> {
    let path = host.sysfs().join("kernel/btf/vmlinux");
    let unavailable = |reason: String| {
        // Linux 5.8 and newer of Debian 11, Ubuntu 20.10, RHEL 8.4 and later have it.
        let option = Remedy::EnableKernelOption { option: "CONFIG_DEBUG_INFO_BTF" };
        let remedy = Remedy::any([option, Remedy::MountRoot { root: Root::Sysfs }]);
        Unavailable::new(
            SOURCE,
            format!("the kernel shows no type information at {}: {reason}", path.display()),
            remedy,
        )
    };
    if path == Path::new(TYPES_OF_LOADER) {
        return fs::File::open(&path).map(|_| None).map_err(|error| unavailable(error.to_string()));
    }
    Btf::parse_file(&path, aya::Endianness::default()).map(Some).map_err(|error| unavailable(whole(&error)))
}

fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the BPF object has no `{name}`"))
}

fn program<'a>(ebpf: &'a mut aya::Ebpf, name: &str) -> Result<&'a mut RawTracePoint, Box<dyn Error>> {
    Ok(ebpf.program_mut(name).ok_or_else(|| missing(name))?.try_into()?)
}

fn map(ebpf: &mut aya::Ebpf, name: &str) -> io::Result<MapData> {
    use aya::maps::Map;
    match ebpf.take_map(name) {
        Some(Map::Array(data) | Map::PerCpuArray(data) | Map::HashMap(data) | Map::PerfEventArray(data)) => Ok(data),
        _ => Err(missing(name)),
    }
}

fn table<K: Plain, V: Plain>(ebpf: &mut aya::Ebpf, name: &str) -> io::Result<Table<K, V>> {
    Table::new(map(ebpf, name)?)
}

/// The program reports processes by their numbers in the initial PID namespace: the procfs has to be of that.
pub(super) fn check_procfs(host: &Host) -> Result<(), Unavailable> {
    // Number 2 is the parent of all threads of the kernel, which live in the first namespace only.
    let is_first = fs::read(host.procfs().join("2/comm")).is_ok_and(|comm| comm == b"kthreadd\n");
    let is_procfs = is_procfs(host.procfs()).unwrap_or(false);
    let visibility = ProcessVisibility::of(host);
    if let ProcessVisibility::Hidden(hiding) = visibility
        && is_procfs
    {
        let procfs = host.procfs().display();
        let reason =
            format!("{procfs} is mounted with hidepid={}, and hides processes from this one", hiding.mode.name());
        return Err(Unavailable::new(SOURCE, reason, visibility.remedy()));
    }
    if is_first && is_procfs {
        return Ok(());
    }
    let reason = format!("{} does not show all processes of this host", host.procfs().display());
    let remedy = Remedy::any([Remedy::SharePidNamespace, Remedy::MountRoot { root: Root::Procfs }]);
    Err(Unavailable::new(SOURCE, reason, remedy))
}

/// The number of the system's error behind an error, if there is one.
fn system_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>().filter(|error| error.raw_os_error().is_some()) {
            return Some(error);
        }
        next = error.source();
    }
    None
}

/// An error with all that stands behind it, on one line.
fn whole(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = error.source();
    }
    // The verifier's log can be long: its end says what was wrong.
    let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.len() > 4 {
        lines.drain(1..lines.len() - 3);
    }
    lines.join(" … ")
}

fn is_denial_of_memory(error: &(dyn Error + 'static)) -> bool {
    matches!(
        system_error(error).map(io::Error::kind),
        Some(io::ErrorKind::PermissionDenied | io::ErrorKind::OutOfMemory)
    )
}

/// Whether the limit on locked memory could be raised.
fn raise_memory_limit() -> bool {
    let unlimited = Rlimit { current: None, maximum: None };
    getrlimit(Resource::Memlock).current.is_some() && setrlimit(Resource::Memlock, unlimited).is_ok()
}

/// Bits of the effective capabilities, `include/uapi/linux/capability.h`.
const SYS_ADMIN: u64 = 21;
const PERFMON: u64 = 38;
const BPF: u64 = 39;

/// Why the kernel did not want the program.
pub(super) fn unavailable(host: &Host, error: &(dyn Error + 'static)) -> Unavailable {
    let denied = system_error(error).is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    if !denied {
        let remedy = Remedy::UpgradeKernel { since: "5.8" };
        return Unavailable::new(SOURCE, format!("the kernel does not load the BPF program: {}", whole(error)), remedy);
    }
    // Our own capabilities stand in our own procfs.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lockdown = fs::read_to_string(host.sysfs().join("kernel/security/lockdown")).unwrap_or_default();
    let (reason, remedy) = denial(&status, &lockdown);
    Unavailable::new(SOURCE, reason, remedy)
}

fn denial(status: &str, lockdown: &str) -> (String, Remedy) {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let has = |bit: u64| held & (1 << bit) != 0 || held & (1 << SYS_ADMIN) != 0;
    let missing: Vec<&str> = [(BPF, "CAP_BPF"), (PERFMON, "CAP_PERFMON")]
        .iter()
        .filter(|(bit, _)| !has(*bit))
        .map(|(_, name)| *name)
        .collect();
    if !missing.is_empty() {
        // Before Linux 5.11 tables count as locked memory.
        let remedy = Remedy::grant([Capability::Bpf, Capability::Perfmon, Capability::SysResource]);
        return (format!("loading a BPF program needs {}, which this process lacks", missing.join(" and ")), remedy);
    }
    if lockdown.contains("[confidentiality]") {
        let reason = "the kernel is locked down in confidentiality mode, in which BPF programs may not read the kernel";
        return (reason.to_owned(), Remedy::LiftLockdown);
    }
    let reason = "bpf(2) is denied although this process has CAP_BPF and CAP_PERFMON: by seccomp, by a security module, or \
                  because the limit on locked memory is too low";
    let calls = Remedy::AllowSystemCall { calls: vec!["bpf", "perf_event_open"] };
    let remedy = Remedy::any([calls, Remedy::RaiseLimit { limit: ResourceLimit::LockedMemory }]);
    (reason.to_owned(), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_remedy() {
        let (reason, remedy) = denial("Uid:\t1000\nCapEff:\t0000004000000000\n", "");
        assert!(reason.contains("CAP_BPF") && !reason.contains("CAP_PERFMON,"), "{reason}");
        assert!(remedy.to_string().contains("CAP_BPF and CAP_PERFMON"), "{remedy}");
        let (reason, _) = denial("CapEff:\t0000000000000000\n", "");
        assert!(reason.contains("CAP_BPF and CAP_PERFMON"), "{reason}");
    }

    #[test]
    fn lockdown_and_seccomp_are_distinguished() {
        let root = "CapEff:\t000001ffffffffff\n";
        assert!(denial(root, "none integrity [confidentiality]\n").0.contains("locked down"));
        assert!(denial(root, "none [integrity] confidentiality\n").0.contains("seccomp"));
        // CAP_SYS_ADMIN stands in for both.
        assert!(denial("CapEff:\t0000000000200000\n", "").0.contains("seccomp"));
    }

    #[test]
    fn a_tree_that_is_no_procfs_is_refused_with_a_remedy() {
        let tree = tempfile::tempdir().unwrap();
        let unavailable = check_procfs(&Host::default().with_procfs(tree.path())).unwrap_err();
        assert!(unavailable.to_string().contains("PID namespace"), "{unavailable}");
    }

    #[test]
    fn a_kernel_without_type_information_is_refused_with_a_remedy() {
        let tree = tempfile::tempdir().unwrap();
        let host = Host::default().with_sysfs(tree.path());
        let unavailable = Program::load(&host, &EbpfOptions::default(), 1, 0).unwrap_err();
        assert!(unavailable.to_string().contains("CONFIG_DEBUG_INFO_BTF"), "{unavailable}");
    }
}
