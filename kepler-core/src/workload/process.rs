//! Identification of a process: name, start, executable, cgroup, command line.
//!
//! Not through the `procfs` crate: this runs for every process that starts, and the crate refuses a
//! cgroup file that is not UTF-8. [`ProcessReader::identify`] takes 24 µs, 19 of them in the kernel;
//! the crate's `stat()`, `exe()` and `cgroups()` 30 µs (2-vCPU VM, ten cgroup hierarchies).
//!
//! Everything of one process is read below one descriptor of its `/proc/PID` directory. Should the
//! number pass to another process meanwhile, that descriptor does not: the reads fail, and never
//! mix two processes.
//!
//! ```
//! use kepler_core::workload::process::ProcessReader;
//! use std::path::Path;
//!
//! let mut reader = ProcessReader::open(Path::new("/proc"))?;
//! let own = reader.identify(std::process::id())?;
//! assert!(own.stat.start_ticks > 0 && !own.exe.is_empty());
//! # Ok::<(), std::io::Error>(())
//! ```

use crate::host::parse_decimal;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::DecInt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// From `/proc/PID/stat` (proc_pid_stat(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcStat {
    /// Command name, at most 15 bytes (kernel workers: longer); bytes that are not UTF-8 are replaced.
    pub comm: String,
    /// The parent's number; 0 for the first process and for kernel threads' own parent.
    pub parent: u32,
    /// Whether it is a thread of the kernel, which has no executable.
    pub kernel_thread: bool,
    /// User and system time of all its threads, exited ones included, in clock ticks.
    pub cpu_ticks: u64,
    /// Start time after boot, in clock ticks.
    pub start_ticks: u64,
}

/// All that is needed to place a new process.
#[derive(Debug)]
#[non_exhaustive]
pub struct ProcessIdentity<'buffer> {
    /// Its `stat`.
    pub stat: ProcStat,
    /// Path of its executable, bytes that are not UTF-8 replaced. Empty for kernel threads, zombies
    /// and where the kernel refuses to tell. The kernel's mark ` (deleted)` for an executable
    /// replaced by an update is left out, so that a program keeps its name through updates
    /// ([`ProcessReader::with_deleted_mark`] leaves it).
    pub exe: String,
    /// Whether the kernel refused to tell `exe` (no `CAP_SYS_PTRACE`, or another user's process).
    pub exe_hidden: bool,
    /// Content of its `cgroup` file, for [`classify`](super::cgroup::classify); empty on a kernel
    /// without cgroups.
    pub cgroup: &'buffer [u8],
}

/// The same as [`ProcessIdentity`], borrowed from the reader's buffers as the kernel wrote it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawIdentity<'buffer> {
    /// Start time after boot, in clock ticks.
    pub(crate) start_ticks: u64,
    /// Command name.
    pub(crate) comm: &'buffer [u8],
    /// Path of its executable.
    pub(crate) exe: &'buffer [u8],
    /// Whether the kernel refused to tell `exe`.
    pub(crate) exe_hidden: bool,
    /// Content of its `cgroup` file.
    pub(crate) cgroup: &'buffer [u8],
    stat: RawStat<'buffer>,
}

/// Reads processes below one procfs, through buffers that it keeps.
#[derive(Debug)]
pub struct ProcessReader {
    procfs: OwnedFd,
    buffer: Vec<u8>,
    stat: Vec<u8>,
    exe: Vec<u8>,
    deleted_mark: bool,
}

/// Nothing this module reads is longer, but for arguments (which may fill 2 MiB and more; a virtual
/// machine's or a container's name does not stand that far behind).
const LONGEST: usize = 256 * 1024;

/// `PF_KTHREAD` of the kernel's `include/linux/sched.h`.
const KERNEL_THREAD_FLAG: u64 = 0x0020_0000;

impl ProcessReader {
    /// Opens a procfs; a directory of plain files works too.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn open(procfs: &Path) -> io::Result<Self> {
        let procfs = open_directory(CWD, procfs)?;
        let (buffer, stat, exe) = (vec![0; 4096], vec![0; 1024], vec![0; 4096]);
        Ok(ProcessReader { procfs, buffer, stat, exe, deleted_mark: false })
    }

    /// Leaves the kernel's mark ` (deleted)` at executables that were replaced or removed, if `kept`.
    #[must_use]
    pub fn with_deleted_mark(self, kept: bool) -> Self {
        ProcessReader { deleted_mark: kept, ..self }
    }

    /// Reads who process `pid` is: nine or ten system calls.
    ///
    /// # Errors
    /// As the kernel says; see [`has_exited`]. An executable that may not be seen is no error.
    pub fn identify(&mut self, pid: u32) -> io::Result<ProcessIdentity<'_>> {
        let RawIdentity { exe, exe_hidden, cgroup, stat, .. } = self.read_identity(pid)?;
        Ok(ProcessIdentity { stat: stat.into(), exe: String::from_utf8_lossy(exe).into_owned(), exe_hidden, cgroup })
    }

    /// The same without allocating: the sampler checks again and again whether anything has changed.
    pub(crate) fn read_identity(&mut self, pid: u32) -> io::Result<RawIdentity<'_>> {
        let process = open_directory(&self.procfs, DecInt::new(pid))?;
        let stat = read_file(&process, "stat", &mut self.stat)?;
        let stat = parse_stat(stat).ok_or(ErrorKind::InvalidData)?;
        let (exe, exe_hidden) = if stat.kernel_thread { (&[][..], false) } else { read_exe(&process, &mut self.exe)? };
        let exe = if self.deleted_mark { exe } else { exe.strip_suffix(DELETED).unwrap_or(exe) };
        let cgroup = match read_file(&process, "cgroup", &mut self.buffer) {
            Ok(text) => text.len(),
            // Gone, or a kernel without cgroups? `stat` tells.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                read_file(&process, "stat", &mut self.buffer)?;
                0
            }
            Err(error) => return Err(error),
        };
        let cgroup = self.buffer.get(..cgroup).unwrap_or_default();
        Ok(RawIdentity { start_ticks: stat.start_ticks, comm: stat.comm, exe, exe_hidden, cgroup, stat })
    }

    /// Arguments of process `pid`, each ended by a NUL byte; empty for kernel threads and zombies.
    /// Cut off after 256 KiB.
    ///
    /// # Errors
    /// As the kernel says; see [`has_exited`].
    pub fn cmdline(&mut self, pid: u32) -> io::Result<&[u8]> {
        self.read(pid, "cmdline")
    }

    /// Environment that process `pid` was started with, each variable ended by a NUL byte. Cut off
    /// after 256 KiB.
    ///
    /// # Errors
    /// As the kernel says; see [`has_exited`]. Other users' environments need `CAP_SYS_PTRACE`.
    pub fn environ(&mut self, pid: u32) -> io::Result<&[u8]> {
        self.read(pid, "environ")
    }

    fn read(&mut self, pid: u32, name: &str) -> io::Result<&[u8]> {
        let process = open_directory(&self.procfs, DecInt::new(pid))?;
        read_file(&process, name, &mut self.buffer)
    }
}

/// Reads `/proc/PID/stat` alone.
///
/// # Errors
/// As the kernel says; see [`has_exited`]. [`ErrorKind::InvalidData`] when it is no such file.
pub fn read_stat(procfs: &Path, pid: u32) -> io::Result<ProcStat> {
    let process = open_directory(CWD, procfs.join(pid.to_string()).as_path())?;
    let mut buffer = vec![0; 1024];
    let text = read_file(&process, "stat", &mut buffer)?;
    parse_stat(text).map(ProcStat::from).ok_or_else(|| ErrorKind::InvalidData.into())
}

/// Whether `error` only says that the process is no longer there, which is no fault: processes end.
#[must_use]
pub fn has_exited(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
}

fn open_directory(at: impl AsFd, path: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, path, flags, Mode::empty())?)
}

/// Reads a file into the front of `buffer`, which grows as needed, and returns that part.
fn read_file<'a>(directory: &OwnedFd, name: &str, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
    let file = rustix::fs::openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut file = File::from(file);
    let mut filled = 0;
    loop {
        let rest = buffer.get_mut(filled..).unwrap_or_default();
        let room = rest.len();
        match file.read(rest) {
            Ok(read) => {
                filled += read;
                // These files are written into the buffer in one go: one that left room has ended,
                // and asking again for the end would be one system call more for each file.
                if read < room || filled >= LONGEST {
                    break;
                }
                buffer.resize((filled * 2).max(4096), 0);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(buffer.get(..filled).unwrap_or_default())
}

/// The mark of an executable that was replaced or removed (`proc_pid_exe(5)`).
const DELETED: &[u8] = b" (deleted)";

/// The executable's path as the kernel tells it, and whether the kernel refused to tell it.
fn read_exe<'a>(process: &OwnedFd, buffer: &'a mut [u8]) -> io::Result<(&'a [u8], bool)> {
    match read_link(process, "exe", buffer) {
        Ok(path) => Ok((path, false)),
        Err(Errno::NOENT) => Ok((&[], false)),
        Err(Errno::ACCESS | Errno::PERM) => Ok((&[], true)),
        Err(errno) => Err(errno.into()),
    }
}

/// The target of a symbolic link, cut off at the buffer's end.
pub(super) fn read_link(directory: impl AsFd, name: impl rustix::path::Arg, buffer: &mut [u8]) -> Result<&[u8], Errno> {
    let length = rustix::fs::readlinkat_raw(directory, name, &mut *buffer)?;
    Ok(buffer.get(..length).unwrap_or_default())
}

/// [`ProcStat`] with its name as the kernel wrote it.
#[derive(Clone, Copy, Debug)]
struct RawStat<'buffer> {
    comm: &'buffer [u8],
    parent: u32,
    kernel_thread: bool,
    cpu_ticks: u64,
    start_ticks: u64,
}

impl From<RawStat<'_>> for ProcStat {
    fn from(raw: RawStat<'_>) -> Self {
        let RawStat { comm, parent, kernel_thread, cpu_ticks, start_ticks } = raw;
        ProcStat { comm: String::from_utf8_lossy(comm).into_owned(), parent, kernel_thread, cpu_ticks, start_ticks }
    }
}

fn parse_stat(text: &[u8]) -> Option<RawStat<'_>> {
    // The name stands in parentheses and may itself contain these, blanks and newlines; what
    // follows it may not.
    let open = text.iter().position(|&byte| byte == b'(')?;
    let close = text.iter().rposition(|&byte| byte == b')')?;
    let comm = text.get(open + 1..close)?;
    let mut fields = text.get(close + 1..)?.split(|byte| byte.is_ascii_whitespace()).filter(|field| !field.is_empty());
    // The field after the name is number 3, `state`; `nth` counts on from the one taken last.
    let parent = parse_decimal(fields.nth(1)?)?; // 4
    let flags = parse_decimal(fields.nth(4)?)?; // 9
    let user = parse_decimal(fields.nth(4)?)?; // 14
    let system = parse_decimal(fields.next()?)?; // 15
    let start_ticks = parse_decimal(fields.nth(6)?)?; // 22
    Some(RawStat {
        comm,
        parent: u32::try_from(parent).ok()?,
        kernel_thread: flags & KERNEL_THREAD_FLAG != 0,
        cpu_ticks: user.saturating_add(system),
        start_ticks,
    })
}

#[cfg(test)]
mod tests;
