//! The host's root file system, or that of one process: reading below it, and never beside it.

use super::Host;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// A directory that stands for the root: absolute paths and symbolic links below it are taken from there.
///
/// ```
/// use kepler_core::host::HostRoot;
///
/// let tree = tempfile::tempdir()?;
/// std::fs::write(tree.path().join("today.pem"), "text")?;
/// std::os::unix::fs::symlink("/today.pem", tree.path().join("current.pem"))?;
/// let root = HostRoot::open(tree.path()).ok_or("it cannot be opened")?;
/// assert_eq!(root.read("/current.pem", 100).as_deref(), Some(&b"text"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HostRoot {
    directory: OwnedFd,
}

impl HostRoot {
    /// The roots of a host that can be opened, the best first.
    pub(crate) fn of(host: &Host) -> Vec<Self> {
        let own = Path::new("/");
        let candidates: Vec<PathBuf> = if host.root() == own {
            vec![host.procfs().join("1/root"), own.to_owned()]
        } else {
            vec![host.root().to_owned()]
        };
        candidates.iter().filter_map(|path| Self::open(path)).collect()
    }

    /// The directory `path` as a root; `None` where it cannot be opened.
    #[must_use]
    pub fn open(path: &Path) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Some(HostRoot { directory: rustix::fs::open(path, flags, Mode::empty()).ok()? })
    }

    /// The content of a regular file, if there is one that is not larger than `limit` bytes.
    #[must_use]
    pub fn read(&self, path: &str, limit: u64) -> Option<Vec<u8>> {
        // Neither a pipe nor a terminal may hold us up.
        let file = self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY).ok()?;
        let file = File::from(file);
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.len() > limit {
            return None;
        }
        let mut content = Vec::new();
        file.take(limit + 1).read_to_end(&mut content).ok()?;
        (content.len() as u64 <= limit).then_some(content)
    }

    /// The names in a directory, up to a limit; those that are not UTF-8 are left out.
    #[must_use]
    pub fn list(&self, path: &str, most: usize) -> Vec<String> {
        let Ok(directory) = self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY) else { return Vec::new() };
        let Ok(entries) = Dir::read_from(&directory) else { return Vec::new() };
        let names =
            entries.map_while(Result::ok).filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
        names.filter(|name| name != "." && name != "..").take(most).collect()
    }

    fn resolve(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let below = path.trim_start_matches('/');
        match rustix::fs::openat2(&self.directory, below, flags, Mode::empty(), within) {
            // Before Linux 5.6, or where a seccomp profile does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => self.resolve_by_steps(Path::new(below), flags),
            other => other,
        }
    }

    /// The same a step at a time: each is opened below the one before it, links are read, and nothing is above the root.
    fn resolve_by_steps(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut above: Vec<OwnedFd> = Vec::new();
        let mut left = steps(path);
        let mut links = 0;
        while let Some(step) = left.pop() {
            let here = above.last().map_or(self.directory.as_fd(), OwnedFd::as_fd);
            match step {
                Step::Up => drop(above.pop()),
                Step::To(name) => match rustix::fs::readlinkat(here, &name, Vec::new()) {
                    Ok(target) => {
                        links += 1;
                        let target = Path::new(OsStr::from_bytes(target.as_bytes()));
                        if links > MOST_LINKS {
                            return Err(Errno::LOOP);
                        }
                        if target.has_root() {
                            above.clear();
                        }
                        left.extend(steps(target));
                    }
                    // It is no link; one that takes its place now is not followed.
                    Err(Errno::INVAL) if left.is_empty() => return open(here, &name, flags),
                    Err(Errno::INVAL) => {
                        let next = open(here, &name, OFlags::PATH | OFlags::DIRECTORY)?;
                        above.push(next);
                    }
                    Err(error) => return Err(error),
                },
            }
        }
        open(above.last().map_or(self.directory.as_fd(), OwnedFd::as_fd), OsStr::new("."), flags)
    }
}

fn open(below: BorrowedFd<'_>, name: &OsStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(below, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Links on the way to a file, at most: as many as the kernel follows.
const MOST_LINKS: u32 = 40;

/// A part of a path.
enum Step {
    Up,
    To(OsString),
}

/// The parts of a path, the last one first.
fn steps(path: &Path) -> Vec<Step> {
    let step = |part: Component<'_>| match part {
        Component::Normal(name) => Some(Step::To(name.to_owned())),
        Component::ParentDir => Some(Step::Up),
        _ => None,
    };
    path.components().rev().filter_map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType};
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_link_leads_out_of_the_root_and_absolute_ones_are_taken_from_there() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "outside").unwrap();
        let inside = tempfile::tempdir().unwrap();
        fs::create_dir_all(inside.path().join("run")).unwrap();
        fs::create_dir_all(inside.path().join("var")).unwrap();
        fs::write(inside.path().join("run/pid"), "7").unwrap();
        symlink("/run", inside.path().join("var/run")).unwrap();
        symlink(outside.path().join("secret"), inside.path().join("absolute")).unwrap();
        symlink("../../../../../../../../etc/hostname", inside.path().join("up")).unwrap();
        let root = HostRoot::open(inside.path()).unwrap();
        assert_eq!(root.read("/var/run/pid", 10).as_deref(), Some(&b"7"[..]));
        assert_eq!((root.read("absolute", 100), root.read("up", 100)), (None, None));
        assert_eq!(root.read("../../../../etc/hostname", 100), None);
        fs::create_dir_all(inside.path().join("run/deep")).unwrap();
        symlink("../..//./../var/run", inside.path().join("run/deep/back")).unwrap();
        symlink("round", inside.path().join("round")).unwrap();
        let by_steps = |path: &str| {
            let mut text = String::new();
            File::from(root.resolve_by_steps(Path::new(path), OFlags::RDONLY)?).read_to_string(&mut text).unwrap();
            Ok(text)
        };
        for path in ["run/pid", "var/run/pid", "run/deep/back/pid", "../../run/pid", "run/deep/../pid"] {
            assert_eq!(by_steps(path).as_deref(), Ok("7"), "{path}");
            assert_eq!(root.read(path, 10).as_deref(), Some(&b"7"[..]), "{path}");
        }
        for path in ["absolute", "up", "../../../../etc/hostname", "run/nothing", "run/pid/x"] {
            assert!(by_steps(path).is_err() && root.read(path, 100).is_none(), "{path}");
        }
        assert_eq!(by_steps("round"), Err(Errno::LOOP));
        for path in ["var/..", "run/deep/..", ".", "run/deep/back"] {
            let directory = root.resolve_by_steps(Path::new(path), OFlags::RDONLY | OFlags::DIRECTORY).unwrap();
            assert!(Dir::read_from(directory).is_ok_and(|entries| entries.count() > 2), "{path}");
        }
    }

    #[test]
    fn what_is_no_file_or_too_large_is_not_read() {
        let tree = tempfile::tempdir().unwrap();
        let fifo = tree.path().join("fifo");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        fs::write(tree.path().join("large"), "12345").unwrap();
        let root = HostRoot::open(tree.path()).unwrap();
        assert_eq!((root.read("fifo", 100), root.read("large", 4), root.read(".", 100)), (None, None, None));
        assert_eq!(root.list(".", 1).len(), 1);
        assert_eq!(root.list("nothing", 9), Vec::<String>::new());
    }
}
