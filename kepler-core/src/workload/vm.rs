//! Recognition of virtual machines among processes.
//!
//! A virtual machine is one process of a virtual machine monitor that runs a guest. Monitors are
//! known by the file name of their executable, never by words on the command line: `grep qemu`,
//! `vim qemu-system.txt` and `qemu-img` are none. An unknown monitor is found by its open
//! `/dev/kvm` ([`opens_kvm`]). Xen guests are no processes; a domain is seen here by its device
//! model, if it has one.
//!
//! ```
//! use kepler_core::workload::vm;
//!
//! assert!(vm::is_monitor("/usr/bin/qemu-system-x86_64"));
//! assert!(!vm::is_monitor("/usr/bin/qemu-img"));
//! ```

use super::process::{self, has_exited};
use super::{ProcessInfo, VmInfo};
use rustix::fs::{CWD, Mode, OFlags, RawDir};
use rustix::path::DecInt;
use std::io;
use std::mem::MaybeUninit;
use std::path::Path;

/// A virtual machine monitor, by its command line conventions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Monitor {
    Qemu,
    XenQemu,
    CloudHypervisor,
    Firecracker,
    Crosvm,
    VirtualBox,
    Vmware,
}

impl Monitor {
    fn of_executable(path: &str) -> Option<Self> {
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        let file = path.rsplit('/').next().unwrap_or(path);
        // NixOS wraps executables and calls the real one so.
        let file = file.strip_prefix('.').and_then(|file| file.strip_suffix("-wrapped")).unwrap_or(file);
        match file {
            "qemu-kvm" | "kvm" => Some(Monitor::Qemu),
            "qemu-dm" => Some(Monitor::XenQemu),
            "cloud-hypervisor" => Some(Monitor::CloudHypervisor),
            "firecracker" => Some(Monitor::Firecracker),
            "crosvm" => Some(Monitor::Crosvm),
            "VBoxHeadless" | "VirtualBoxVM" => Some(Monitor::VirtualBox),
            "vmware-vmx" => Some(Monitor::Vmware),
            _ if file.starts_with("qemu-system-") => Some(Monitor::Qemu),
            _ => None,
        }
    }

    /// The `hypervisor` label.
    fn name(self) -> &'static str {
        match self {
            Monitor::Qemu => "kvm",
            Monitor::XenQemu => "xen",
            Monitor::CloudHypervisor => "cloud-hypervisor",
            Monitor::Firecracker => "firecracker",
            Monitor::Crosvm => "crosvm",
            Monitor::VirtualBox => "virtualbox",
            Monitor::Vmware => "vmware",
        }
    }
}

/// Whether an executable is a known virtual machine monitor, so that its command line is worth
/// reading for [`detect`].
#[must_use]
pub fn is_monitor(exe: &str) -> bool {
    Monitor::of_executable(exe).is_some()
}

/// Tells whether `process` is a virtual machine, and which.
///
/// `cmdline` is the content of its `/proc/PID/cmdline`. If its executable could not be read, the
/// first argument stands for it. `opens_kvm` makes a virtual machine of a process whose executable
/// is not known; pass `false` if that was not checked.
#[must_use]
pub fn detect(process: &ProcessInfo, cmdline: &[u8], opens_kvm: bool) -> Option<VmInfo> {
    let cmdline = String::from_utf8_lossy(cmdline);
    let arguments: Vec<&str> = cmdline.strip_suffix('\0').unwrap_or(&cmdline).split('\0').collect();
    let (program, arguments) = arguments.split_first()?;
    let exe = if process.exe.is_empty() { program } else { process.exe.as_str() };
    if exe.is_empty() {
        return None; // a thread of the kernel
    }
    let arguments = Arguments(arguments);
    let monitor = match Monitor::of_executable(exe) {
        Some(Monitor::Qemu) if arguments.value("-xen-domid").is_some() => Some(Monitor::XenQemu),
        monitor => monitor,
    };
    if !monitor.map_or(opens_kvm, |monitor| runs_guest(monitor, &arguments)) {
        return None;
    }
    let (uuid, name) = monitor.map(|monitor| identifiers(monitor, &arguments)).unwrap_or_default();
    let hypervisor = monitor.map_or("kvm", Monitor::name);
    // No manager gives a longer one; a process can be started with anything there.
    let [uuid, name] = [uuid, name].map(|id| if id.len() > LONGEST { String::new() } else { id });
    let id = [&uuid, &name].into_iter().find(|id| !id.is_empty()).cloned();
    let id = id.unwrap_or_else(|| format!("pid-{}-{}", process.pid, process.start_ticks));
    let mut vm = VmInfo::new(id, "", hypervisor);
    match monitor {
        Some(Monitor::Qemu) => {
            vm.domain.clone_from(&name);
            of_manager(&mut vm, &arguments);
        }
        Some(monitor @ (Monitor::CloudHypervisor | Monitor::Firecracker)) if name.is_empty() && uuid.is_empty() => {
            vm.name = socket_name(monitor, &arguments).unwrap_or_default().to_owned();
        }
        _ => {}
    }
    if vm.name.is_empty() {
        vm.name = if name.is_empty() { given_name(hypervisor, &uuid, cmdline.as_bytes()) } else { name };
    }
    vm.cid = monitor.and_then(|monitor| vsock_cid(monitor, &arguments));
    Some(vm)
}

/// What managers of QEMU's machines write on its command line.
fn of_manager(vm: &mut VmInfo, arguments: &Arguments<'_>) {
    let proxmox =
        arguments.value("-pidfile").and_then(|path| path.rsplit_once("/qemu-server/")?.1.strip_suffix(".pid"));
    if let Some(number) =
        proxmox.filter(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    {
        // Of its own, `-id`, QEMU knows nothing: Proxmox's build takes it and does nothing with it.
        (vm.manager, vm.domain) = ("proxmox", number.to_owned());
        return;
    }
    let mut systems = arguments.values("-smbios").filter(|value| value.split(',').any(|part| part == "type=1"));
    let is_kubevirt = systems.any(|value| value.split(',').any(|part| KUBEVIRT.contains(&part)));
    // KubeVirt calls a domain by namespace and name, which have no underscore (RFC 1123).
    if let Some((namespace, _)) =
        vm.domain.split_once('_').filter(|(namespace, _)| is_kubevirt && !namespace.is_empty())
    {
        (vm.manager, vm.project) = ("kubevirt", namespace.to_owned());
    }
}

/// What KubeVirt writes of the system in the firmware's tables; OpenShift has it write its own.
const KUBEVIRT: [&str; 4] = [
    "manufacturer=KubeVirt",
    "family=KubeVirt",
    "product=OpenShift Virtualization",
    "product=Container-native virtualization",
];

/// No identifier or name has more bytes: QEMU's and libvirt's own limits are below, and one that is longer than a file's name is none of theirs.
const LONGEST: usize = 255;

/// A name by the socket at which a monitor takes orders: its file's, or where that says nothing of the machine its directory's.
fn socket_name<'a>(monitor: Monitor, arguments: &Arguments<'a>) -> Option<&'a str> {
    let option = if monitor == Monitor::Firecracker { "-api-sock" } else { "-api-socket" };
    let path = arguments.value(option)?;
    let path = path.split(',').find_map(|part| part.strip_prefix("path=")).unwrap_or(path);
    let mut parts = path.split('/').rev();
    let file = parts.next()?;
    let stem = ["sock", "socket"].iter().find_map(|end| file.strip_suffix(end)?.strip_suffix('.')).unwrap_or(file);
    let general = ["api", "api-socket", "ch", "clh-api", "cloud-hypervisor", "firecracker", "fc", "run", "tmp", "root"];
    let mut names = [stem].into_iter().chain(parts);
    names
        .find(|name| !general.contains(name))
        .filter(|name| (1..=LONGEST).contains(&name.len()) && !name.starts_with("fd="))
}

/// A name for a machine that has none: its hypervisor, and the start of its UUID or, without one, a number made
/// of its command line. Both are the same whenever the machine is started again in the same way.
fn given_name(hypervisor: &str, uuid: &str, cmdline: &[u8]) -> String {
    match uuid.get(..8) {
        Some(start) => format!("{hypervisor}-{start}"),
        None if !uuid.is_empty() => format!("{hypervisor}-{uuid}"),
        None => format!("{hypervisor}-{:08x}", fingerprint(cmdline)),
    }
}

/// FNV-1a of 32 bits (Fowler, Noll, Vo; RFC 9923): the standard library's hashes may change with its version.
fn fingerprint(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Monitors are also started to say their version or, by libvirt, what they can do.
fn runs_guest(monitor: Monitor, arguments: &Arguments<'_>) -> bool {
    let asks = ["-h", "-help", "--help", "-version", "--version", "-V"];
    match monitor {
        Monitor::Qemu | Monitor::XenQemu => {
            let machine = arguments.value("-machine").or_else(|| arguments.value("-M")).unwrap_or_default();
            let machine = machine.strip_prefix("type=").unwrap_or(machine);
            // `-machine none` is libvirt's probe: no memory, no processors.
            let lists = arguments.0.iter().any(|argument| matches!(*argument, "help" | "?"));
            machine.split(',').next() != Some("none") && !lists && !arguments.contain_any(&asks)
        }
        Monitor::CloudHypervisor | Monitor::Firecracker => !arguments.contain_any(&asks),
        Monitor::Crosvm => arguments.0.contains(&"run"),
        Monitor::VirtualBox => arguments.value("-startvm").is_some(),
        Monitor::Vmware => vmx_file(arguments).is_some(),
    }
}

/// UUID and name, each empty if not given.
fn identifiers(monitor: Monitor, arguments: &Arguments<'_>) -> (String, String) {
    let option = |name| arguments.value(name).unwrap_or_default().to_owned();
    match monitor {
        Monitor::Qemu | Monitor::XenQemu => {
            let uuid = option("-uuid");
            // Proxmox gives it in the firmware's tables only; its names are not unique.
            let uuid = if uuid.is_empty() { smbios_uuid(arguments) } else { uuid };
            (uuid, arguments.value("-name").map(qemu_name).unwrap_or_default())
        }
        Monitor::CloudHypervisor => {
            let platform = arguments.value("-platform").unwrap_or_default();
            let uuid = platform.split(',').find_map(|part| part.strip_prefix("uuid=")).unwrap_or_default();
            (uuid.to_owned(), String::new())
        }
        // Without one, all are called this (firecracker --help).
        Monitor::Firecracker => {
            (String::new(), Some(option("-id")).filter(|id| id != "anonymous-instance").unwrap_or_default())
        }
        Monitor::Crosvm => (String::new(), option("-name")),
        Monitor::VirtualBox => (option("-startvm"), option("-comment")),
        Monitor::Vmware => (String::new(), vmx_file(arguments).unwrap_or_default().to_owned()),
    }
}

/// The UUID of QEMU's `-smbios type=1,uuid=…`; empty where there is none.
fn smbios_uuid(arguments: &Arguments<'_>) -> String {
    let of_system = arguments.values("-smbios").filter(|value| value.split(',').any(|part| part == "type=1"));
    let uuid = of_system.flat_map(|value| value.split(',')).find_map(|part| part.strip_prefix("uuid="));
    uuid.unwrap_or_default().to_owned()
}

/// The machine's address for vsock in the host's kernel. None where its monitor has a vsock of its own, as Firecracker, Cloud Hypervisor and
/// vhost-user's devices do: their numbers are not the kernel's.
fn vsock_cid(monitor: Monitor, arguments: &Arguments<'_>) -> Option<u32> {
    let number = match monitor {
        Monitor::Qemu => arguments.values("-device").find_map(qemu_cid)?,
        Monitor::Crosvm => {
            let value = arguments.value("-vsock").or_else(|| arguments.value("-cid"))?;
            value
                .split(',')
                .find_map(|part| part.strip_prefix("cid=").or(Some(part).filter(|part| !part.contains('='))))?
        }
        _ => return None,
    };
    let cid = match number.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    // 0 to 2 are the hypervisor, the machine itself and the host; the last number is any (vsock(7)).
    (3..u32::MAX).contains(&cid).then_some(cid)
}

/// `guest-cid` of a device of the kernel's vhost: `vhost-vsock-pci,guest-cid=3`, or, as libvirt writes it since 7.5, JSON.
fn qemu_cid(device: &str) -> Option<&str> {
    if device.starts_with('{') {
        let (_, driver) = device.split_once("\"driver\":")?;
        let driver = driver.trim_start().strip_prefix('"')?;
        let (_, number) = device.split_once("\"guest-cid\":").filter(|_| driver.starts_with("vhost-vsock-"))?;
        return number.trim_start().split(|c: char| !c.is_ascii_alphanumeric()).next();
    }
    let mut parts = device.split(',');
    let driver = parts.next()?;
    let driver = driver.strip_prefix("driver=").unwrap_or(driver);
    parts.find_map(|part| part.strip_prefix("guest-cid=")).filter(|_| driver.starts_with("vhost-vsock-"))
}

/// The file name, without its ending, of the machine's description.
fn vmx_file<'a>(arguments: &Arguments<'a>) -> Option<&'a str> {
    arguments.0.iter().rev().find_map(|argument| argument.strip_suffix(".vmx")?.rsplit('/').next())
}

/// The name in QEMU's `-name [guest=]name[,option=value…]`, where `,,` is a comma of the name.
fn qemu_name(value: &str) -> String {
    // No argument contains NUL, so it can stand for the doubled comma while the value is split.
    let value = value.replace(",,", "\0");
    let mut parts = value.split(',');
    let guest = parts.clone().find_map(|part| part.strip_prefix("guest="));
    // Only the first part may leave out that it is the name; `process=x` is the name of the process.
    let implied = || parts.next().filter(|part| !part.contains('='));
    guest.or_else(implied).unwrap_or_default().replace('\0', ",")
}

struct Arguments<'a>(&'a [&'a str]);

impl<'a> Arguments<'a> {
    /// The value of `-option value` or `-option=value`, with one dash or two: QEMU and VirtualBox take both.
    fn value(&self, option: &str) -> Option<&'a str> {
        self.0.iter().enumerate().find_map(|(at, argument)| {
            let argument = argument.strip_prefix('-').filter(|rest| rest.starts_with('-')).unwrap_or(argument);
            match argument.strip_prefix(option)? {
                "" => self.0.get(at + 1).copied(),
                rest => rest.strip_prefix('='),
            }
        })
    }

    /// The values of an option that may stand there several times.
    fn values(&self, option: &str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.windows(2).filter_map(|pair| match pair {
            [name, value] => Some((*name, *value)),
            _ => None,
        });
        pairs.filter(move |(name, _)| *name == option || name.strip_prefix('-') == Some(option)).map(|(_, value)| value)
    }

    fn contain_any(&self, options: &[&str]) -> bool {
        self.0.iter().any(|argument| options.contains(argument))
    }
}

/// Whether process `pid` has `/dev/kvm` open, or a machine or processor made with it.
///
/// Costs one system call an open file: for processes that live long enough to matter, not for each
/// new one.
///
/// # Errors
/// As the kernel says; see [`has_exited`]. Other users' files need `CAP_SYS_PTRACE`.
pub fn opens_kvm(procfs: &Path, pid: u32) -> io::Result<bool> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let procfs = rustix::fs::openat(CWD, procfs, flags, Mode::empty())?;
    let process = rustix::fs::openat(&procfs, DecInt::new(pid), flags, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(&process, "fd", flags, Mode::empty())?;
    // Longer targets are none of ours; what is cut off does not match.
    let mut buffer = [0; 64];
    let mut listing = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(&directory, &mut listing);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if entry.file_name().to_bytes().starts_with(b".") {
            continue;
        }
        match process::read_link(&directory, entry.file_name(), &mut buffer) {
            Ok(target) if target == b"/dev/kvm" || target.starts_with(b"anon_inode:kvm-v") => return Ok(true),
            Ok(_) => {}
            Err(errno) if has_exited(&errno.into()) => {} // closed meanwhile
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
