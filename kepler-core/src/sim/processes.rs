//! A procfs and a cgroup hierarchy of plain files.

use crate::host::Host;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A directory that looks like `/proc`, with a cgroup v2 hierarchy beside it. Times are in clock ticks
/// of 10 ms, as the kernel shows them.
#[derive(Debug)]
pub struct ProcessTree {
    procfs: PathBuf,
    cgroup: PathBuf,
    /// Ticks of each processor.
    idle: Vec<u64>,
    busy: Vec<u64>,
    processes: BTreeMap<u32, Process>,
    cgroups: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Process {
    comm: Vec<u8>,
    start: u64,
    ticks: u64,
}

impl ProcessTree {
    /// An empty machine with some processors under `root`, which is created.
    ///
    /// # Errors
    /// When its files cannot be written.
    pub fn create(root: impl AsRef<Path>, processors: u32) -> io::Result<Self> {
        let tree = ProcessTree {
            procfs: root.as_ref().join("proc"),
            cgroup: root.as_ref().join("cgroup"),
            idle: vec![0; processors as usize],
            busy: vec![0; processors as usize],
            processes: BTreeMap::new(),
            cgroups: BTreeMap::new(),
        };
        fs::create_dir_all(&tree.procfs)?;
        fs::create_dir_all(&tree.cgroup)?;
        fs::write(tree.cgroup.join("cgroup.procs"), "")?;
        tree.show_node()?;
        Ok(tree)
    }

    /// A host whose processes and cgroups are the simulated ones, and whose sysfs is `sysfs`.
    #[must_use]
    pub fn host(&self, sysfs: &Path) -> Host {
        Host::default().with_procfs(&self.procfs).with_sysfs(sysfs).with_cgroup(&self.cgroup)
    }

    /// The simulated procfs.
    #[must_use]
    pub fn procfs(&self) -> &Path {
        &self.procfs
    }

    /// From now on the machine says which package each of its processors is in.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_packages(&self, packages: &[u32]) -> io::Result<()> {
        let processors = packages.iter().enumerate();
        let text = processors.map(|(number, package)| format!("processor\t: {number}\nphysical id\t: {package}\n\n"));
        fs::write(self.procfs.join("cpuinfo"), text.collect::<String>())
    }

    /// A process is born in a cgroup (`/` for none).
    ///
    /// # Errors
    /// When its files cannot be written.
    pub fn spawn(&mut self, pid: u32, start: u64, comm: &[u8], cgroup: &str) -> io::Result<()> {
        let directory = self.procfs.join(pid.to_string());
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("cgroup"), format!("0::{cgroup}\n"))?;
        fs::write(directory.join("cmdline"), [comm, b"\0"].concat())?;
        fs::write(directory.join("comm"), [comm, b"\n"].concat())?;
        let executable = PathBuf::from("/usr/bin").join(OsStr::from_bytes(comm));
        let _ = fs::remove_file(directory.join("exe"));
        symlink(executable, directory.join("exe"))?;
        self.processes.insert(pid, Process { comm: comm.to_vec(), start, ticks: 0 });
        if cgroup != "/" {
            self.cgroups.entry(cgroup.to_owned()).or_default();
            self.show_cgroup(cgroup)?;
        }
        self.show(pid)
    }

    /// A process works for some ticks; its cgroup, if named, accounts for them.
    ///
    /// # Errors
    /// For an unknown process, or when its files cannot be written.
    pub fn work(&mut self, pid: u32, ticks: u64, cgroup: Option<&str>) -> io::Result<()> {
        let process = self.processes.get_mut(&pid).ok_or(io::ErrorKind::NotFound)?;
        process.ticks += ticks;
        self.show(pid)?;
        self.account(cgroup, ticks, None)
    }

    /// A process works for some ticks on one processor; its cgroup, if named, accounts for them.
    ///
    /// # Errors
    /// For an unknown process, or when its files cannot be written.
    pub fn work_on(&mut self, processor: usize, pid: u32, ticks: u64, cgroup: Option<&str>) -> io::Result<()> {
        let process = self.processes.get_mut(&pid).ok_or(io::ErrorKind::NotFound)?;
        process.ticks += ticks;
        self.show(pid)?;
        self.account(cgroup, ticks, Some(processor))
    }

    /// Short-lived processes, never listed, work for some ticks on one processor, in a cgroup if one is named.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn work_unseen_on(&mut self, processor: usize, ticks: u64, cgroup: Option<&str>) -> io::Result<()> {
        self.account(cgroup, ticks, Some(processor))
    }

    /// Short-lived processes, never listed, work for some ticks, in a cgroup if one is named.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn work_unseen(&mut self, ticks: u64, cgroup: Option<&str>) -> io::Result<()> {
        self.account(cgroup, ticks, None)
    }

    /// A process ends.
    ///
    /// # Errors
    /// When its files cannot be removed.
    pub fn exit(&mut self, pid: u32) -> io::Result<()> {
        self.processes.remove(&pid);
        fs::remove_dir_all(self.procfs.join(pid.to_string()))
    }

    /// A cgroup is removed.
    ///
    /// # Errors
    /// When its files cannot be removed.
    pub fn remove_cgroup(&mut self, cgroup: &str) -> io::Result<()> {
        self.cgroups.remove(cgroup);
        let directory = self.cgroup.join(cgroup.trim_start_matches('/'));
        // A removed cgroup's file cannot be read any more by those who have it open; an empty one is
        // the nearest that a plain file comes to that.
        fs::write(directory.join("cpu.stat"), "")?;
        fs::remove_dir_all(directory)
    }

    /// The node is idle for some ticks, summed over its processors.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn rest(&mut self, ticks: u64) -> io::Result<()> {
        spread(&mut self.idle, ticks);
        self.show_node()
    }

    /// One processor is idle for some ticks.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn rest_on(&mut self, processor: usize, ticks: u64) -> io::Result<()> {
        *self.idle.get_mut(processor).ok_or(io::ErrorKind::NotFound)? += ticks;
        self.show_node()
    }

    fn account(&mut self, cgroup: Option<&str>, ticks: u64, processor: Option<usize>) -> io::Result<()> {
        match processor {
            Some(processor) => *self.busy.get_mut(processor).ok_or(io::ErrorKind::NotFound)? += ticks,
            None => spread(&mut self.busy, ticks),
        }
        self.show_node()?;
        let Some(cgroup) = cgroup else { return Ok(()) };
        // A cgroup's time contains that of the cgroups below it.
        let above: Vec<String> =
            self.cgroups.keys().filter(|other| Path::new(cgroup).starts_with(other)).cloned().collect();
        for cgroup in above {
            *self.cgroups.entry(cgroup.clone()).or_default() += ticks;
            self.show_cgroup(&cgroup)?;
        }
        Ok(())
    }

    fn show(&self, pid: u32) -> io::Result<()> {
        let Some(process) = self.processes.get(&pid) else { return Ok(()) };
        let mut stat = format!("{pid} (").into_bytes();
        stat.extend_from_slice(&process.comm);
        let Process { start, ticks, .. } = process;
        let rest = format!(") S 1 {pid} {pid} 0 -1 4194304 0 0 0 0 {ticks} 0 0 0 20 0 1 0 {start} 0 0\n");
        stat.extend_from_slice(rest.as_bytes());
        fs::write(self.procfs.join(pid.to_string()).join("stat"), stat)
    }

    fn show_cgroup(&self, cgroup: &str) -> io::Result<()> {
        let directory = self.cgroup.join(cgroup.trim_start_matches('/'));
        fs::create_dir_all(&directory)?;
        let microseconds = self.cgroups.get(cgroup).copied().unwrap_or(0) * 10_000;
        fs::write(
            directory.join("cpu.stat"),
            format!("usage_usec {microseconds}\nuser_usec {microseconds}\nsystem_usec 0\n"),
        )
    }

    fn show_node(&self) -> io::Result<()> {
        let (busy, idle): (u64, u64) = (self.busy.iter().sum(), self.idle.iter().sum());
        let mut stat = format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\n");
        for (processor, (busy, idle)) in self.busy.iter().zip(&self.idle).enumerate() {
            stat.push_str(&format!("cpu{processor} {busy} 0 0 {idle} 0 0 0 0 0 0\n"));
        }
        stat.push_str("intr 0\n");
        fs::write(self.procfs.join("stat"), stat)
    }
}

/// Spreads ticks over all processors, the first ones getting what is left.
fn spread(processors: &mut [u64], ticks: u64) {
    let count = processors.len().max(1) as u64;
    for (processor, number) in processors.iter_mut().zip(0..) {
        *processor += ticks / count + u64::from(number < ticks % count);
    }
}
