//! The CPU time of one cgroup: all that ever ran in it, short-lived processes included.
//!
//! Version 2 counts microseconds in `cpu.stat` (Documentation/admin-guide/cgroup-v2.rst: present
//! whether or not the cpu controller is enabled), version 1 nanoseconds in `cpuacct.usage`
//! (Documentation/admin-guide/cgroup-v1/cpuacct.rst). Both include the cgroups below.
//!
//! ```
//! use kepler_core::usage::cgroup::CgroupCpu;
//!
//! let root = tempfile::tempdir()?;
//! std::fs::create_dir(root.path().join("build.service"))?;
//! std::fs::write(root.path().join("build.service/cpu.stat"), "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n")?;
//! let mut cgroup = CgroupCpu::open(root.path(), "/build.service")?;
//! assert_eq!(cgroup.read()?, 1_500_000, "nanoseconds");
//! # Ok::<(), std::io::Error>(())
//! ```

mod namespace;
mod tree;

pub use namespace::{CgroupNamespace, whole_hierarchy};
pub use tree::CgroupTree;

use crate::host::parse_decimal;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path};

/// Reads a cgroup's CPU time through one descriptor that stays open.
///
/// The descriptor belongs to that very cgroup: one made later under the same path is another, and
/// reading this one fails with [`ErrorKind::NotFound`].
#[derive(Debug)]
pub struct CgroupCpu {
    file: File,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    /// A number of nanoseconds.
    Nanoseconds,
    /// Lines, one of them `usage_usec <number>`.
    CpuStat,
}

/// Where the file is, below the root and below the cgroup's directory, the best first: on a hybrid
/// host the version 1 counter is the finer one.
const PLACES: [(&str, &str, Format); 5] = [
    ("cpuacct", "cpuacct.usage", Format::Nanoseconds),
    ("cpu,cpuacct", "cpuacct.usage", Format::Nanoseconds),
    ("cpuacct,cpu", "cpuacct.usage", Format::Nanoseconds),
    ("unified", "cpu.stat", Format::CpuStat),
    ("", "cpu.stat", Format::CpuStat),
];

impl CgroupCpu {
    /// Opens the cgroup `path`, as `/proc/PID/cgroup` gives it (with a leading slash), below
    /// `cgroup_root`, usually `/sys/fs/cgroup`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when no hierarchy with CPU accounting has that cgroup, and for an
    /// empty path; [`ErrorKind::InvalidInput`] for a path with `..` in it; else what the kernel said.
    pub fn open(cgroup_root: &Path, path: &str) -> io::Result<CgroupCpu> {
        let missing = || {
            let root = cgroup_root.display();
            let message = format!("no CPU accounting for cgroup `{path}` under {root}");
            io::Error::new(ErrorKind::NotFound, message)
        };
        if path.is_empty() {
            return Err(missing());
        }
        let below = Path::new(path.trim_start_matches('/'));
        if !below.components().all(|component| matches!(component, Component::Normal(_))) {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("cgroup path `{path}` leaves its hierarchy")));
        }
        for (hierarchy, name, format) in PLACES {
            match File::open(cgroup_root.join(hierarchy).join(below).join(name)) {
                Ok(file) => return Ok(CgroupCpu { file, format }),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => return Err(error),
            }
        }
        Err(missing())
    }

    /// The CPU time used so far, in nanoseconds. Does not allocate.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the cgroup has been removed, [`ErrorKind::InvalidData`] when the
    /// file is not what it should be; else what the kernel said.
    pub fn read(&mut self) -> io::Result<u64> {
        // `usage_usec` is the first line of `cpu.stat`; later ones may be cut off.
        let mut buffer = [0; 256];
        let length = loop {
            match self.file.read_at(&mut buffer, 0) {
                Ok(length) => break length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_no_device(&error) => return Err(ErrorKind::NotFound.into()),
                Err(error) => return Err(error),
            }
        };
        let text = buffer.get(..length).unwrap_or_default();
        let usage = match self.format {
            Format::Nanoseconds => parse_decimal(text.trim_ascii()),
            Format::CpuStat => cpu_stat_nanoseconds(text),
        };
        usage.ok_or_else(|| ErrorKind::InvalidData.into())
    }
}

/// The kernel answers so once the directory behind an open file has been removed.
fn is_no_device(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error())
}

fn cpu_stat_nanoseconds(text: &[u8]) -> Option<u64> {
    // A line that the buffer cut off has no newline and could be a shortened number.
    let lines = text.split_inclusive(|&byte| byte == b'\n');
    let usage = lines.filter_map(|line| line.strip_suffix(b"\n")?.strip_prefix(b"usage_usec ")).next()?;
    parse_decimal(usage)?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn host_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn usage(files: &[(&str, &str)], path: &str) -> io::Result<u64> {
        CgroupCpu::open(host_with(files).path(), path)?.read()
    }

    #[test]
    fn every_layout_of_hierarchies_is_found() {
        let stat = "usage_usec 7\nuser_usec 5\nsystem_usec 2\n";
        assert_eq!(usage(&[("docker/a/cpu.stat", stat)], "/docker/a").unwrap(), 7000);
        assert_eq!(usage(&[("unified/docker/a/cpu.stat", stat)], "/docker/a").unwrap(), 7000);
        assert_eq!(usage(&[("cpuacct/docker/a/cpuacct.usage", "7123\n")], "/docker/a").unwrap(), 7123);
        assert_eq!(usage(&[("cpu,cpuacct/docker/a/cpuacct.usage", "7123\n")], "/docker/a").unwrap(), 7123);
        assert_eq!(usage(&[("cpu.stat", stat)], "/").unwrap(), 7000);
    }

    #[test]
    fn the_finer_counter_of_a_hybrid_host_is_preferred() {
        let files = [("unified/a/cpu.stat", "usage_usec 7\n"), ("cpuacct/a/cpuacct.usage", "7123\n")];
        assert_eq!(usage(&files, "/a").unwrap(), 7123);
    }

    #[test]
    fn a_cgroup_that_is_not_there_is_not_found() {
        let files = [("cpu.stat", "usage_usec 7\n"), ("plain", "")];
        for path in ["/gone", "", "/plain/below"] {
            assert_eq!(usage(&files, path).unwrap_err().kind(), ErrorKind::NotFound, "{path}");
        }
    }

    #[test]
    fn a_path_cannot_leave_the_hierarchy() {
        let files = [("cpu.stat", "usage_usec 7\n"), ("a/cpu.stat", "usage_usec 8\n")];
        for path in ["/..", "/a/../..", "/../a"] {
            assert_eq!(usage(&files, path).unwrap_err().kind(), ErrorKind::InvalidInput, "{path}");
        }
    }

    #[test]
    fn a_file_without_usage_is_an_error_not_a_zero() {
        for text in ["", "nr_periods 0\n", "usage_usec \n", "usage_usec -1\n", "usage_usec 12"] {
            assert_eq!(usage(&[("a/cpu.stat", text)], "/a").unwrap_err().kind(), ErrorKind::InvalidData, "{text}");
        }
        let enormous = format!("usage_usec {}\n", u64::MAX);
        assert_eq!(usage(&[("a/cpu.stat", &enormous)], "/a").unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
