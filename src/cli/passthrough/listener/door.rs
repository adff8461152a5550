//! The socket of one machine, to which its monitor brings what comes by its vsock.

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

/// A socket at which is listened, or why not.
#[derive(Default)]
pub(super) struct Door {
    open: Option<Open>,
    fault: Option<String>,
}

struct Open {
    listener: UnixListener,
    directory: OwnedFd,
    name: OsString,
    /// Which file the socket is.
    file: (u64, u64),
}

impl Door {
    /// Listens, if it does not yet; again, where the socket was removed.
    pub(super) fn keep_open(&mut self, id: &str, path: &str) {
        if self.open.as_ref().is_some_and(Open::is_there) {
            return;
        }
        self.open = None;
        match Open::at(Path::new(path)) {
            Ok(open) => {
                tracing::info!("virtual machine `{id}` is shown its energy at {path}");
                (self.open, self.fault) = (Some(open), None);
            }
            Err(error) => {
                let fault = Some(error.to_string());
                if fault != self.fault {
                    tracing::warn!("virtual machine `{id}` is shown nothing at {path}: {error}");
                }
                self.fault = fault;
            }
        }
    }

    pub(super) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.open.as_ref().map(|open| open.listener.as_fd())
    }
}

impl Open {
    /// The directory may belong to the machine's monitor, which need not be trusted: all is done below it, and no link is followed.
    fn at(path: &Path) -> io::Result<Self> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "it is no path of a file");
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(invalid()) };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(parent, flags, Mode::empty())?;
        let within = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
        if let Ok(found) = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            let is_socket = FileType::from_raw_mode(found.st_mode) == FileType::Socket;
            if !is_socket || is_used(&within)? {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "something else has that name"));
            }
            rustix::fs::unlinkat(&directory, name, AtFlags::empty())?;
        }
        let listener = UnixListener::bind(&within)?;
        listener.set_nonblocking(true)?;
        // The monitor, which connects, may run as a user of its own; the directory is then that user's.
        let owner = rustix::fs::fstat(&directory)?;
        let made = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if (owner.st_uid, owner.st_gid) != (made.st_uid, made.st_gid) {
            let (user, group) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
            rustix::fs::chownat(&directory, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(Open { listener, directory, name: name.to_owned(), file: (made.st_dev, made.st_ino) })
    }

    fn is_there(&self) -> bool {
        let found = rustix::fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        found.is_ok_and(|found| (found.st_dev, found.st_ino) == self.file)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.is_there() {
            // With the machine its directory may go as well.
            let _ = rustix::fs::unlinkat(&self.directory, &self.name, AtFlags::empty());
        }
    }
}

/// Whether a program listens at a socket; else one has left it behind.
fn is_used(path: &Path) -> io::Result<bool> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    Ok(connect(socket.as_raw_fd(), &UnixAddr::new(path)?) != Err(nix::errno::Errno::ECONNREFUSED))
}
