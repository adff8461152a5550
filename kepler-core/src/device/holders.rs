//! Which processes hold a descriptor of a device file.

use crate::host::parse_decimal;
use std::fs;
use std::io;
#[cfg(feature = "drm")]
use std::os::unix::fs::DirEntryExt as _;
#[cfg(feature = "nvml")]
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The numbers of the processes in a procfs, each with the inode number of its entry, in any order.
#[cfg(feature = "drm")]
pub(super) fn processes(procfs: &Path, found: &mut Vec<(u32, u64)>) -> io::Result<()> {
    found.clear();
    for entry in fs::read_dir(procfs)?.flatten() {
        let name = entry.file_name();
        if let Some(pid) = parse_decimal(name.as_encoded_bytes()).and_then(|pid| u32::try_from(pid).ok()) {
            found.push((pid, entry.ino()));
        }
    }
    Ok(())
}

/// The descriptors of a process whose files begin with one of `prefixes`, such as `/dev/dri/`.
///
/// # Errors
/// The process has ended, or its descriptors may not be seen.
pub(super) fn descriptors(procfs: &Path, pid: u32, prefixes: &[&str]) -> io::Result<Vec<u32>> {
    let directory = procfs.join(pid.to_string()).join("fd");
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)?.flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let target = target.to_string_lossy();
        if prefixes.iter().any(|prefix| target.starts_with(prefix)) {
            let name = entry.file_name();
            found.extend(parse_decimal(name.as_encoded_bytes()).and_then(|number| u32::try_from(number).ok()));
        }
    }
    Ok(found)
}

/// The inode number of a process's entry: with its number, who it is. `None` if it has ended.
#[cfg(feature = "nvml")]
pub(super) fn identity(procfs: &Path, pid: u32) -> Option<u64> {
    fs::metadata(procfs.join(pid.to_string())).ok().map(|entry| entry.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_process_and_its_descriptors_are_found_in_any_procfs() {
        let tree = tempfile::tempdir().unwrap();
        let process = tree.path().join("42");
        fs::create_dir_all(process.join("fd")).unwrap();
        fs::create_dir_all(tree.path().join("sys")).unwrap();
        symlink("/dev/dri/renderD128", process.join("fd/7")).unwrap();
        symlink("/dev/null", process.join("fd/0")).unwrap();
        symlink("socket:[12]", process.join("fd/3")).unwrap();

        #[cfg(feature = "drm")]
        {
            let mut found = vec![(1, 1)];
            processes(tree.path(), &mut found).unwrap();
            assert_eq!(found.iter().map(|(pid, _)| *pid).collect::<Vec<_>>(), [42]);
        }
        assert_eq!(descriptors(tree.path(), 42, &["/dev/dri/", "/dev/accel/"]).unwrap(), [7]);
        assert!(descriptors(tree.path(), 43, &["/dev/dri/"]).is_err());
        #[cfg(feature = "nvml")]
        assert!(identity(tree.path(), 42).is_some() && identity(tree.path(), 43).is_none());
    }
}
