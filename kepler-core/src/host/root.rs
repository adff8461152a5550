//! The host's root file system, or that of one process: reading below it, and never beside it.

use super::Host;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
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
            Err(Errno::NOSYS | Errno::PERM) => self.resolve_plainly(Path::new(below), flags),
            other => other,
        }
    }

    /// The same for paths without any symbolic link.
    fn resolve_plainly(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut current = rustix::fs::openat(&self.directory, ".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let mut components = path.components().peekable();
        while let Some(component) = components.next() {
            let Component::Normal(name) = component else { return Err(Errno::INVAL) };
            let flags = if components.peek().is_none() { flags } else { OFlags::PATH | OFlags::DIRECTORY };
            let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            current = rustix::fs::openat(current.as_fd(), name, flags, Mode::empty())?;
        }
        Ok(current)
    }
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
        let plainly = |path: &str| root.resolve_plainly(Path::new(path), OFlags::RDONLY);
        assert!(plainly("run/pid").is_ok() && plainly("var/run/pid").is_err() && plainly("../x").is_err());
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
