//! Identity of a process.

use crate::host::Host;
use crate::meter::reason;
use crate::sampler::faults::Faults;
use crate::sampler::groups::{GroupIndex, GroupInfo, Groups};
use crate::sampler::retired::Identified;
#[cfg(feature = "names")]
use crate::workload::names::MachineFiles;
use crate::workload::process::{ProcessReader, RawIdentity, has_exited, read_stat};
use crate::workload::{ProcessInfo, VmInfo, Workload, WorkloadKind, vm};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Reads who processes are.
pub(super) struct Identifier {
    procfs: PathBuf,
    reader: ProcessReader,
    #[cfg(feature = "names")]
    machines: MachineFiles,
}

impl Identifier {
    pub(super) fn open(host: &Host, deleted_mark: bool) -> io::Result<Self> {
        let reader = ProcessReader::open(host.procfs())?.with_deleted_mark(deleted_mark);
        Ok(Identifier {
            procfs: host.procfs().to_owned(),
            reader,
            #[cfg(feature = "names")]
            machines: MachineFiles::open(host),
        })
    }

    /// Reads who a process is. `None`: it has ended in the meantime, or cannot be read, which is counted.
    pub(super) fn read_identity(&mut self, pid: u32, faults: &mut Faults) -> Option<RawIdentity<'_>> {
        unless_gone(self.reader.read_identity(pid), faults)
    }

    /// Reads only when a process started.
    pub(super) fn start_ticks(&self, pid: u32, faults: &mut Faults) -> Option<u64> {
        let stat = unless_gone(read_stat(&self.procfs, pid), faults)?;
        Some(stat.start_ticks)
    }

    /// Whether a process has `/dev/kvm` open. One that does not let us see is taken for one that has not.
    pub(super) fn opens_kvm(&self, pid: u32) -> bool {
        vm::opens_kvm(&self.procfs, pid).unwrap_or(false)
    }

    /// The virtual machine that a process is, by its program or by what it has open.
    pub(super) fn virtual_machine(
        &mut self,
        info: &ProcessInfo,
        groups: &mut Groups,
        opens_kvm: bool,
    ) -> Option<GroupIndex> {
        if !vm::is_monitor(&info.exe) && !opens_kvm {
            return None;
        }
        let cmdline = self.reader.cmdline(info.pid).unwrap_or_default();
        let mut found = vm::detect(info, cmdline, opens_kvm)?;
        self.complete(&mut found);
        Some(groups.vm(found))
    }

    /// Adds what its manager may have written of a machine only after it was started. Whether it has.
    pub(super) fn name_later(&self, vm: GroupIndex, groups: &mut Groups) -> bool {
        groups.complete_vm(vm, |info| self.complete(info))
    }

    #[cfg(feature = "names")]
    fn complete(&self, vm: &mut VmInfo) -> bool {
        vm.manager.is_empty() && self.machines.complete(vm)
    }

    #[cfg(not(feature = "names"))]
    fn complete(&self, _vm: &mut VmInfo) -> bool {
        false
    }
}

/// What was read of a process; that it could not be is a fault, unless it has ended.
fn unless_gone<T>(read: io::Result<T>, faults: &mut Faults) -> Option<T> {
    if let Err(error) = &read
        && !has_exited(error)
    {
        faults.failed("procfs", reason(error));
    }
    read.ok()
}

/// The description of a process, without its groups.
pub(super) fn info(pid: u32, read: &RawIdentity<'_>) -> ProcessInfo {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let mut info = ProcessInfo::new(pid, read.start_ticks, text(read.comm));
    info.exe = text(read.exe);
    info
}

/// Enters what the groups say into a process's description.
pub(super) fn describe(info: &mut ProcessInfo, group: Option<GroupIndex>, vm: Option<GroupIndex>, groups: &Groups) {
    (info.container, info.unit, info.job, info.vm) = (None, None, None, None);
    for group in [group, vm].into_iter().flatten() {
        match groups.info(group) {
            Some(GroupInfo::Container(container)) => {
                info.job.clone_from(&container.job);
                info.container = Some(Arc::clone(container));
            }
            Some(GroupInfo::Unit(unit)) => info.unit = Some(Arc::clone(unit)),
            Some(GroupInfo::Job(job)) => {
                info.container.clone_from(&job.container);
                info.job = Some(Arc::clone(job));
            }
            Some(GroupInfo::Vm(vm)) => info.vm = Some(Arc::clone(vm)),
            Some(GroupInfo::Pod(_)) | None => {}
        }
    }
}

impl Identified for Arc<ProcessInfo> {
    fn kind(&self) -> WorkloadKind {
        WorkloadKind::Process
    }

    /// An exporter would give both the same labels: the number was reused by a process of the same name.
    fn is_same(&self, other: &Self) -> bool {
        self.pid == other.pid && self.attributes().labels().eq(other.attributes().labels())
    }
}

/// Whether `text` is what these bytes were read as: bytes that are not UTF-8 were replaced.
pub(super) fn is_text(bytes: &[u8], text: &str) -> bool {
    let mut rest = text;
    bytes.utf8_chunks().all(|chunk| {
        let replaced = if chunk.invalid().is_empty() { "" } else { "\u{fffd}" };
        let next = rest.strip_prefix(chunk.valid()).and_then(|rest| rest.strip_prefix(replaced));
        next.map(|next| rest = next).is_some()
    }) && rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::is_text;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_is_known_again_by_the_bytes_it_was_read_from(
            bytes in prop::collection::vec(any::<u8>(), 0..20), other in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let text = String::from_utf8_lossy(&bytes);
            prop_assert!(is_text(&bytes, &text));
            prop_assert_eq!(is_text(&other, &text), String::from_utf8_lossy(&other) == text);
        }
    }
}
