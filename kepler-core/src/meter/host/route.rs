//! Where the host's records come from, and how they are read there.

use crate::guests::{GuestRecord, RecordError};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrLike, UnixAddr, VsockAddr, connect, getsockopt, socket, sockopt,
};
use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags};
use std::convert::Infallible;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// As much is read at a time, and kept of a record that is not whole yet.
const MOST: usize = 64 << 10;
/// A socket that was closed is opened again so long after it was opened last.
const PAUSE: Duration = Duration::from_secs(1);
/// The host's own number in vsock (vsock(7)).
const HOST: u32 = 2;

/// Where the host's records come from.
///
/// ```
/// use kepler_core::meter::host::HostRoute;
///
/// let route: HostRoute = "vsock:977".parse()?;
/// assert_eq!((route.to_string().as_str(), &route), ("vsock:2:977", &HostRoute::Vsock { cid: 2, port: 977 }));
/// assert!(matches!("/mnt/kepler/record".parse()?, HostRoute::Path(_)));
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostRoute {
    /// A virtio-serial port, a socket, or a file that is replaced by each record.
    Path(PathBuf),
    /// A port of the host in vsock.
    Vsock {
        /// Whose port: 2 is the host's own number.
        cid: u32,
        /// Which port.
        port: u32,
    },
}

impl FromStr for HostRoute {
    type Err = Infallible;

    /// `vsock:PORT` or `vsock:CID:PORT`; anything else is a path.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let vsock = text.strip_prefix("vsock:").and_then(|rest| {
            let (cid, port) = rest.split_once(':').map_or((Some(HOST), rest), |(cid, port)| (cid.parse().ok(), port));
            Some(HostRoute::Vsock { cid: cid?, port: port.parse().ok()? })
        });
        Ok(vsock.unwrap_or_else(|| HostRoute::Path(text.into())))
    }
}

impl fmt::Display for HostRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostRoute::Path(path) => path.display().fmt(f),
            HostRoute::Vsock { cid, port } => write!(f, "vsock:{cid}:{port}"),
        }
    }
}

/// Records as they come.
#[derive(Debug)]
pub(super) enum Channel {
    /// A file that is replaced by each record.
    File(PathBuf),
    /// A port or socket, in which they come one after the other.
    Stream(Box<Stream>),
}

#[derive(Debug)]
pub(super) struct Stream {
    file: File,
    /// A socket, which is opened again when it was closed. A port stays open.
    socket: Option<Socket>,
    /// What has come of a record that is not whole.
    pending: Vec<u8>,
}

#[derive(Debug)]
struct Socket {
    route: HostRoute,
    opened: Instant,
    is_closed: bool,
}

impl Channel {
    pub(super) fn open(route: &HostRoute) -> io::Result<Self> {
        let HostRoute::Path(path) = route else { return Ok(Channel::Stream(Stream::connect(route)?)) };
        match FileType::from_raw_mode(rustix::fs::stat(path)?.st_mode) {
            FileType::RegularFile => Ok(Channel::File(path.clone())),
            FileType::CharacterDevice => {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
                let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
                Ok(Channel::Stream(Box::new(Stream { file, socket: None, pending: Vec::new() })))
            }
            FileType::Socket => Ok(Channel::Stream(Stream::connect(route)?)),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file, a port nor a socket")),
        }
    }

    /// The newest record, if there is one that has not been read before (of a file: any).
    pub(super) fn newest(&mut self) -> io::Result<Option<GuestRecord>> {
        match self {
            Channel::File(path) => in_file(path),
            Channel::Stream(stream) => stream.newest(),
        }
    }

    /// Whether it is a socket that the host has closed.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Channel::Stream(stream) if stream.socket.as_ref().is_some_and(|socket| socket.is_closed))
    }

    /// The same as [`newest`](Self::newest) where a socket that is closed, or cannot be opened, is opened again rather than an error.
    pub(super) fn newest_again(&mut self) -> io::Result<Option<GuestRecord>> {
        let Channel::Stream(stream) = self else { return self.newest() };
        let found = match stream.newest() {
            Err(_) if stream.socket.is_some() => None,
            other => other?,
        };
        stream.mend();
        Ok(found)
    }
}

fn in_file(path: &Path) -> io::Result<Option<GuestRecord>> {
    let mut text = String::new();
    match fs::File::open(path) {
        Ok(file) => file.take(MOST as u64).read_to_string(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match GuestRecord::parse(&text) {
        Ok(record) => Ok(Some(record)),
        Err(RecordError::Incomplete) => Ok(None),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

impl Stream {
    fn connect(route: &HostRoute) -> io::Result<Box<Self>> {
        let file = File::from(open_socket(route)?);
        let socket = Socket { route: route.clone(), opened: Instant::now(), is_closed: false };
        Ok(Box::new(Stream { file, socket: Some(socket), pending: Vec::new() }))
    }

    fn newest(&mut self) -> io::Result<Option<GuestRecord>> {
        let mut buffer = [0_u8; 4096];
        let mut found = None;
        // A host that wrote while this machine was paused has left many.
        for _ in 0..MOST {
            match self.file.read(&mut buffer) {
                // The host has closed it; a port may be opened there again.
                Ok(0) => {
                    self.close();
                    break;
                }
                Ok(length) => {
                    self.pending.extend_from_slice(buffer.get(..length).unwrap_or_default());
                    let text = String::from_utf8_lossy(&self.pending);
                    let (record, end) = GuestRecord::last_in(&text);
                    found = record.or(found);
                    let is_text = text.len() == self.pending.len();
                    if !is_text || self.pending.len() - end.min(self.pending.len()) > MOST {
                        self.pending.clear();
                    } else {
                        self.pending.drain(..end);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The connection is still being made, or could not be.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    match getsockopt(&self.file, sockopt::SocketError)? {
                        0 => break,
                        code => {
                            self.close();
                            return Err(io::Error::from_raw_os_error(code));
                        }
                    }
                }
                Err(error) => {
                    self.close();
                    return Err(error);
                }
            }
        }
        Ok(found)
    }

    fn close(&mut self) {
        if let Some(socket) = &mut self.socket {
            socket.is_closed = true;
        }
    }

    /// Opens a socket again that was closed, or that has come to nothing.
    fn mend(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        if !socket.is_closed || socket.opened.elapsed() < PAUSE {
            return;
        }
        socket.opened = Instant::now();
        if let Ok(fd) = open_socket(&socket.route) {
            socket.is_closed = false;
            (self.file, self.pending) = (File::from(fd), Vec::new());
        }
    }
}

/// A socket that is connected, or is being connected: nothing waits.
fn open_socket(route: &HostRoute) -> io::Result<OwnedFd> {
    let (family, address): (_, &dyn SockaddrLike) = match route {
        HostRoute::Path(path) => (AddressFamily::Unix, &UnixAddr::new(path.as_path())?),
        HostRoute::Vsock { cid, port } => (AddressFamily::Vsock, &VsockAddr::new(*cid, *port)),
    };
    let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    match connect(fd.as_raw_fd(), address) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(fd),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_a_port_of_the_host_or_a_path() {
        let route = |text: &str| text.parse::<HostRoute>().unwrap();
        assert_eq!(route("vsock:3:977"), HostRoute::Vsock { cid: 3, port: 977 });
        // A file may be called so.
        for text in ["vsock:", "vsock:x", "vsock:-1", "vsock:2:3:4", "vsock:4294967296", "/run/vsock:977"] {
            assert_eq!(route(text), HostRoute::Path(text.into()), "{text}");
        }
    }
}
