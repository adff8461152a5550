//! From the paths that a cgroup namespace shows to those of the host.
//!
//! `/proc/PID/cgroup` gives paths relative to the root of the *reader's* cgroup namespace (cgroup_namespaces(7)), whatever
//! procfs it is read from. On version 2 hosts containerd and CRI-O give each container that is not privileged a namespace of
//! its own, so an agent there reads `/` for itself, `/../cri-containerd-….scope` for another container of its pod and
//! `/../../kubepods-….slice/…` for another pod (seen by the users of inspektor-gadget, pull request 3085).

use super::CgroupTree;
use crate::host::Host;
use crate::host::file::{self, FileLimits};
use crate::usage::CgroupId;
use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;

/// A `cgroup` file has some kilobytes; the root's `cgroup.procs` of a large host some hundred.
const LONGEST: u64 = 1 << 20;

/// Where the reader's own cgroup namespace begins in the host's hierarchy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgroupNamespace {
    /// Its root's path; empty where it is the host's own, or not known.
    root: String,
    is_v1: bool,
}

impl CgroupNamespace {
    /// Finds the root by this process: where the host's hierarchy lists it, less where its own `cgroup` file says that it is.
    ///
    /// `cgroup.procs` has numbers of the reader's own PID namespace, so this needs no more than the hierarchy in view. All of it is
    /// looked through in a namespace only.
    #[must_use]
    pub fn find(host: &Host) -> Self {
        Self::look(host).unwrap_or_default()
    }

    fn look(host: &Host) -> Option<Self> {
        let mut tree = CgroupTree::find(host.cgroup())?;
        let is_v1 = tree.is_v1();
        let text = file::read_text(&host.procfs().join("self/cgroup"), FileLimits::bytes(LONGEST)).ok()?;
        let shown = text.lines().find_map(|line| accounting_path(line, is_v1))?.trim_end_matches('/');
        let hierarchy = tree.root().to_owned();
        let has_us = |path: &str| lists(&hierarchy.join(path.trim_start_matches('/')), process::id());
        if has_us(shown) {
            return None;
        }
        tree.read();
        let own = tree.paths().find(|path| path.ends_with(shown) && has_us(path))?;
        let root = own.strip_suffix(shown)?.trim_end_matches('/').to_owned();
        Some(CgroupNamespace { root, is_v1 })
    }

    /// Its root's path in the host's hierarchy; `None` where it is the host's own, or not known.
    #[must_use]
    pub fn root(&self) -> Option<&str> {
        (!self.root.is_empty()).then_some(self.root.as_str())
    }

    /// The content of a `/proc/PID/cgroup`, with the host's path in the line of the hierarchy that accounts for CPU time.
    #[must_use]
    pub fn absolute<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        if self.root.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut absolute = Vec::with_capacity(text.len() + self.root.len());
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let path = std::str::from_utf8(line)
                .ok()
                .and_then(|line| accounting_path(line.trim_end_matches('\n'), self.is_v1));
            match path {
                Some(path) => {
                    let end = line.strip_suffix(b"\n").unwrap_or(line);
                    absolute.extend_from_slice(end.get(..end.len() - path.len()).unwrap_or_default());
                    absolute.extend_from_slice(self.host_path(path).as_bytes());
                    absolute.extend_from_slice(line.get(end.len()..).unwrap_or_default());
                }
                None => absolute.extend_from_slice(line),
            }
        }
        Cow::Owned(absolute)
    }

    /// The host's path of one that is relative to the root. What is above the host's hierarchy is left out.
    fn host_path(&self, path: &str) -> String {
        let (mut base, mut rest) = (self.root.as_str(), path);
        while let Some(below) = rest.strip_prefix("/..").filter(|below| below.is_empty() || below.starts_with('/')) {
            base = base.rsplit_once('/').map_or("", |(above, _)| above);
            rest = below;
        }
        let joined = format!("{base}{}", if rest == "/" { "" } else { rest });
        if joined.is_empty() { "/".to_owned() } else { joined }
    }
}

/// Where the host's first process has the whole of a hierarchy of which the host's [`cgroup`](Host::cgroup) is a part only.
///
/// A container in a cgroup namespace of its own has its own part mounted, unless it is given the host's. `None` where nothing is
/// missing, or that process cannot be looked into, which takes `CAP_SYS_PTRACE`.
#[must_use]
pub fn whole_hierarchy(host: &Host) -> Option<PathBuf> {
    let place = host.procfs().join("1/root/sys/fs/cgroup");
    let (part, mut whole) = (CgroupTree::find(host.cgroup())?, CgroupTree::find(&place)?);
    let (root, above) = (fs::metadata(part.root()).ok()?, fs::metadata(whole.root()).ok()?);
    if root.dev() != above.dev() || root.ino() == above.ino() {
        return None;
    }
    whole.read();
    whole.line(CgroupId(root.ino())).map(|_| place)
}

/// Whether a process is in the cgroup of this directory.
fn lists(directory: &Path, process: u32) -> bool {
    let processes = file::read_text(&directory.join("cgroup.procs"), FileLimits::bytes(LONGEST)).unwrap_or_default();
    processes.lines().any(|line| line.parse() == Ok(process))
}

/// The path in a line, if it is of the hierarchy that accounts for CPU time.
fn accounting_path(line: &str, is_v1: bool) -> Option<&str> {
    let mut columns = line.splitn(3, ':');
    let (number, controllers, path) = (columns.next()?, columns.next()?, columns.next()?);
    let is_it = match is_v1 {
        true => controllers.split(',').any(|controller| controller == "cpuacct"),
        false => number == "0" && controllers.is_empty(),
    };
    (is_it && path.starts_with('/')).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const POD: &str = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podaa.slice";

    /// A host whose `hierarchy` lists this process in `place`, and whose procfs shows it `shown`.
    fn host(root: &Path, file: &str, hierarchy: &str, place: &str, shown: &str) -> Host {
        let tree = root.join("sys/fs/cgroup").join(hierarchy);
        let below = format!("{POD}/agent.scope/below");
        for path in ["", POD, &format!("{POD}/agent.scope"), &below, "/system.slice/ssh.service"] {
            let directory = tree.join(path.trim_start_matches('/'));
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(file), "").unwrap();
            let processes = if path == place { format!("1{0}\n{0}\n", process::id()) } else { "1\n0\n".to_owned() };
            fs::write(directory.join("cgroup.procs"), processes).unwrap();
        }
        fs::create_dir_all(root.join("proc/self")).unwrap();
        fs::write(root.join("proc/self/cgroup"), shown).unwrap();
        Host::default().with_procfs(root.join("proc")).with_sysfs(root.join("sys"))
    }

    fn v2(place: &str, shown: &str) -> CgroupNamespace {
        let root = tempfile::tempdir().unwrap();
        CgroupNamespace::find(&host(root.path(), "cpu.stat", "", place, shown))
    }

    #[test]
    fn paths_of_an_agent_in_a_namespace_of_its_own_become_those_of_the_host() {
        let namespace = v2(&format!("{POD}/agent.scope"), "0::/\n");
        assert_eq!(namespace.root(), Some(&*format!("{POD}/agent.scope")));
        let host_path = |text: &str| String::from_utf8(namespace.absolute(text.as_bytes()).into_owned()).unwrap();
        assert_eq!(host_path("0::/\n"), format!("0::{POD}/agent.scope\n"), "the agent itself");
        assert_eq!(host_path("0::/below\n"), format!("0::{POD}/agent.scope/below\n"));
        assert_eq!(host_path("0::/../pause.scope\n"), format!("0::{POD}/pause.scope\n"), "its pod's sandbox");
        let other = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podbb.slice/web.scope";
        assert_eq!(host_path("0::/../../kubepods-burstable-podbb.slice/web.scope"), format!("0::{other}"));
        assert_eq!(host_path("0::/../../../../system.slice/ssh.service\n"), "0::/system.slice/ssh.service\n");
        assert_eq!(host_path("0::/../../../..\n"), "0::/\n", "a kernel thread");
        assert_eq!(host_path("0::/../../../../../../a\n"), "0::/a\n", "above the root is nothing");
        assert_eq!(host_path("0::/..a/b\n"), format!("0::{POD}/agent.scope/..a/b\n"));
        assert_eq!(host_path("1:name=systemd:/../x\n0::/\n"), format!("1:name=systemd:/../x\n0::{POD}/agent.scope\n"));
    }

    #[test]
    fn a_reader_below_the_root_of_its_namespace_is_told_from_one_without_a_namespace() {
        let (agent, below) = (format!("{POD}/agent.scope"), format!("{POD}/agent.scope/below"));
        assert_eq!(v2(&below, "0::/below\n").root(), Some(&*agent));
        assert_eq!(v2(&agent, &format!("0::{agent}\n")).root(), None, "privileged: the host's namespace");
        assert_eq!(v2("", "0::/\n").root(), None, "the hierarchy in view begins where the namespace does");
        assert_eq!(v2("", &format!("0::{agent}\n")).root(), None, "only its own part is in view, and no namespace");
        assert_eq!(v2("/elsewhere", "0::/\n").root(), None, "it is not in what is in view");
        let plain = CgroupNamespace::default();
        assert_eq!(plain.absolute(b"0::/../x\n"), Cow::Borrowed(b"0::/../x\n"));
    }

    #[test]
    fn all_of_a_hierarchy_is_found_where_the_first_process_has_it() {
        let root = tempfile::tempdir().unwrap();
        let own = host(root.path(), "cpu.stat", "", "", "0::/\n");
        let whole = own.cgroup().to_owned();
        assert_eq!(whole_hierarchy(&own), None, "there is no first process");
        let place = own.procfs().join("1/root/sys/fs/cgroup");
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        symlink(&whole, &place).unwrap();
        assert_eq!(whole_hierarchy(&own), None, "it is the same");
        let part = own.clone().with_cgroup(whole.join(format!("{POD}/agent.scope").trim_start_matches('/')));
        assert_eq!(whole_hierarchy(&part), Some(place.clone()));
        fs::remove_file(&place).unwrap();
        symlink(part.cgroup(), &place).unwrap();
        assert_eq!(whole_hierarchy(&own), None, "the first process has less");
    }

    #[test]
    fn the_accounting_hierarchy_of_version_1_has_namespaces_too() {
        let root = tempfile::tempdir().unwrap();
        let shown = "4:memory:/elsewhere\n3:cpu,cpuacct:/\n";
        let host = host(root.path(), "cpuacct.usage", "cpu,cpuacct", &format!("{POD}/agent.scope"), shown);
        let text = CgroupNamespace::find(&host).absolute(b"4:memory:/x\n3:cpu,cpuacct:/../pause.scope\n").into_owned();
        assert_eq!(String::from_utf8(text).unwrap(), format!("4:memory:/x\n3:cpu,cpuacct:{POD}/pause.scope\n"));
    }
}
