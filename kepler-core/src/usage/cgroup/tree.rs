//! Which cgroup has which number: the inode numbers of the directories of one hierarchy.

use crate::usage::CgroupId;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The hierarchy that accounts for CPU time, the same in which [`CgroupCpu`](super::CgroupCpu) looks first.
#[derive(Debug)]
pub struct CgroupTree {
    root: PathBuf,
    is_v1: bool,
    paths: HashMap<CgroupId, String>,
}

impl CgroupTree {
    /// Looks for the hierarchy below `cgroup_root`, usually `/sys/fs/cgroup`.
    #[must_use]
    pub fn find(cgroup_root: &Path) -> Option<Self> {
        let v1 = ["cpuacct", "cpu,cpuacct", "cpuacct,cpu"].map(|name| (cgroup_root.join(name), "cpuacct.usage", true));
        let v2 = ["unified", ""].map(|name| (cgroup_root.join(name), "cgroup.procs", false));
        let found = v1.into_iter().chain(v2).find(|(root, file, _)| root.join(file).is_file());
        found.map(|(root, _, is_v1)| CgroupTree { root, is_v1, paths: HashMap::new() })
    }

    /// The directory where it is mounted.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether it is the `cpuacct` hierarchy of version 1.
    #[must_use]
    pub fn is_v1(&self) -> bool {
        self.is_v1
    }

    /// Reads all directories' numbers: two or three system calls each. Directories that vanish meanwhile
    /// are left out.
    pub fn read(&mut self) {
        self.paths.clear();
        if let Ok(root) = fs::metadata(&self.root) {
            self.paths.insert(CgroupId(root.ino()), "/".to_owned());
        }
        let mut left = vec![String::new()];
        while let Some(path) = left.pop() {
            let directory = self.root.join(path.trim_start_matches('/'));
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    let below = format!("{path}/{}", entry.file_name().to_string_lossy());
                    self.paths.insert(CgroupId(entry.ino()), below.clone());
                    left.push(below);
                }
            }
        }
    }

    /// The paths of all cgroups that were there at the last [`read`](CgroupTree::read), in no order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.values().map(String::as_str)
    }

    /// The line that `/proc/PID/cgroup` has for processes in this cgroup, if it was there at the last
    /// [`read`](CgroupTree::read).
    #[must_use]
    pub fn line(&self, cgroup: CgroupId) -> Option<String> {
        let path = self.paths.get(&cgroup)?;
        Some(if self.is_v1 { format!("1:cpuacct:{path}\n") } else { format!("0::{path}\n") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_directory_is_found_by_its_number_and_named_as_the_kernel_names_it() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("docker/abc");
        fs::create_dir_all(&deep).unwrap();
        fs::write(root.path().join("cgroup.procs"), "").unwrap();
        let mut tree = CgroupTree::find(root.path()).unwrap();
        tree.read();
        let number = |path: &Path| CgroupId(fs::metadata(path).unwrap().ino());
        assert!(!tree.is_v1());
        assert_eq!(tree.line(number(&deep)).as_deref(), Some("0::/docker/abc\n"));
        assert_eq!(tree.line(number(root.path())).as_deref(), Some("0::/\n"));
        assert_eq!(tree.line(CgroupId(0)), None);
    }

    #[test]
    fn the_accounting_hierarchy_of_a_hybrid_host_is_taken() {
        let root = tempfile::tempdir().unwrap();
        for file in ["cpuacct/cpuacct.usage", "unified/cgroup.procs"] {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "0").unwrap();
        }
        fs::create_dir(root.path().join("cpuacct/a")).unwrap();
        let mut tree = CgroupTree::find(root.path()).unwrap();
        tree.read();
        let number = CgroupId(fs::metadata(root.path().join("cpuacct/a")).unwrap().ino());
        assert_eq!(tree.line(number).as_deref(), Some("1:cpuacct:/a\n"));
    }

    #[test]
    fn a_host_without_cgroups_has_no_tree() {
        assert!(CgroupTree::find(Path::new("/nonexistent")).is_none());
    }
}
