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
    let id = [&uuid, &name].into_iter().find(|id| !id.is_empty()).cloned();
    let id = id.unwrap_or_else(|| format!("pid-{}-{}", process.pid, process.start_ticks));
    let name = if name.is_empty() { given_name(hypervisor, &uuid, cmdline.as_bytes()) } else { name };
    Some(VmInfo { id, name, hypervisor })
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
        Monitor::Firecracker => (String::new(), option("-id")),
        Monitor::Crosvm => (String::new(), option("-name")),
        Monitor::VirtualBox => (option("-startvm"), option("-comment")),
        Monitor::Vmware => (String::new(), vmx_file(arguments).unwrap_or_default().to_owned()),
    }
}

/// The UUID of QEMU's `-smbios type=1,uuid=…`; empty where there is none.
fn smbios_uuid(arguments: &Arguments<'_>) -> String {
    let values = arguments.0.windows(2).filter_map(|pair| match pair {
        ["-smbios" | "--smbios", value] => Some(*value),
        _ => None,
    });
    let of_system = values.filter(|value| value.split(',').any(|part| part == "type=1"));
    let uuid = of_system.flat_map(|value| value.split(',')).find_map(|part| part.strip_prefix("uuid="));
    uuid.unwrap_or_default().to_owned()
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
