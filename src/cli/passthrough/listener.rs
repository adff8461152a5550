//! Sockets at which machines ask: a port of vsock, where a machine is known by its address (CID), and the sockets to which monitors with a
//! vsock of their own (Firecracker, Cloud Hypervisor) bring their machine's connections, where it is known by the socket.
//!
//! What a machine sends is refused by the kernel: the side to read from is shut. It gets its records until it closes, takes nothing for
//! [`PATIENCE`], or ends.

mod door;

use super::Guest;
use super::outbox::Outbox;
use door::Door;
use kepler_core::guests::GuestRecord;
use nix::sys::socket::{
    AddressFamily, Backlog, Shutdown, SockFlag, SockType, VsockAddr, bind, getpeername, listen, shutdown, socket,
};
use rustix::net::{SocketFlags, accept_with};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

/// Connections at a time, of all machines; each may always have one.
const MOST: usize = if cfg!(test) { 64 } else { 512 };
/// Connections at a time of one machine.
const MOST_OF_ONE: usize = 4;
/// Connections that are let in in a row: there is other work.
const MOST_AT_ONCE: usize = 256;
/// Addresses that are no machine's, of which is written.
const MOST_REFUSED: usize = 100;
/// Who takes nothing for so long is disconnected.
const PATIENCE: Duration = Duration::from_secs(30);

/// All sockets, and who is connected.
#[derive(Default)]
pub(super) struct Listeners {
    vsock: Option<OwnedFd>,
    pattern: Option<String>,
    doors: BTreeMap<String, Door>,
    machines: BTreeMap<String, Machine>,
    peers: Vec<Peer>,
    refused: BTreeSet<u32>,
}

/// A machine, and what it was shown last.
struct Machine {
    cid: Option<u32>,
    record: GuestRecord,
    at: Instant,
}

struct Peer {
    id: String,
    socket: File,
    outbox: Outbox,
    /// When it took something.
    at: Instant,
}

impl Listeners {
    /// Listens at a port of vsock, if there is one, and at a socket of this pattern for each machine.
    ///
    /// # Errors
    /// The port is taken, or the kernel has no vsock.
    pub(super) fn open(port: Option<u32>, pattern: Option<&str>) -> io::Result<Self> {
        let vsock = port.map(listen_at).transpose()?;
        if let Some(port) = port {
            tracing::info!("virtual machines are shown their energy at port {port} of vsock");
        }
        Ok(Listeners { vsock, pattern: pattern.map(str::to_owned), ..Listeners::default() })
    }

    /// Sends each machine that is connected its record.
    pub(super) fn show(&mut self, guests: &[Guest<'_>], at: Instant) {
        let machine = |guest: &Guest<'_>| Machine { cid: guest.cid, record: guest.record.clone(), at };
        self.machines = guests.iter().map(|guest| (guest.id.to_owned(), machine(guest))).collect();
        self.open_doors(guests);
        let machines = &self.machines;
        self.peers.retain_mut(|peer| machines.get(&peer.id).is_some_and(|machine| peer.send(&machine.record, at)));
        self.accept(at);
    }

    /// Lets those in who wait, and shows them what their machine was shown last.
    pub(super) fn accept(&mut self, at: Instant) {
        let mut waiting = Vec::new();
        for (id, door) in &self.doors {
            let sockets = std::iter::from_fn(|| door.as_fd().as_ref().and_then(next)).take(MOST_OF_ONE);
            waiting.extend(sockets.map(|socket| (id.clone(), socket)));
        }
        for _ in 0..MOST_AT_ONCE {
            let Some(socket) = self.vsock.as_ref().and_then(next) else { break };
            // Who is dropped sees the end of the connection.
            waiting.extend(self.machine_at(&socket).map(|id| (id, socket)));
        }
        for (id, socket) in waiting {
            self.admit(id, socket, at);
        }
    }

    /// The machine that has the address from which a connection comes. No other program can have it: it is the kernel's.
    fn machine_at(&mut self, socket: &OwnedFd) -> Option<String> {
        self.machine_with(getpeername::<VsockAddr>(socket.as_raw_fd()).ok()?.cid())
    }

    fn machine_with(&mut self, cid: u32) -> Option<String> {
        let machine = by_address(&self.machines, cid);
        if let Err(what) = machine
            && self.refused.len() < MOST_REFUSED
            && self.refused.insert(cid)
        {
            tracing::warn!("a connection by vsock from the address (CID) {cid} is refused: {what}");
        }
        machine.ok().map(str::to_owned)
    }

    fn admit(&mut self, id: String, socket: OwnedFd, at: Instant) {
        let Some(machine) = self.machines.get(&id) else { return };
        let others = self.peers.iter().filter(|peer| peer.id == id).count();
        if others >= MOST_OF_ONE || (others > 0 && self.peers.len() >= MOST) {
            // Its oldest is the one that it has most likely left.
            if let Some(oldest) = self.peers.iter().position(|peer| peer.id == id) {
                self.peers.remove(oldest);
            }
        }
        if let Err(error) = shutdown(socket.as_raw_fd(), Shutdown::Read) {
            tracing::debug!("a connection of virtual machine `{id}` has ended: {error}");
            return;
        }
        let mut record = machine.record.clone();
        let since = at.saturating_duration_since(machine.at);
        (record.time, record.age) = (record.time + since, record.age + since);
        let mut peer = Peer { id, socket: File::from(socket), outbox: Outbox::default(), at };
        if peer.send(&record, at) {
            self.peers.push(peer);
        }
    }

    fn open_doors(&mut self, guests: &[Guest<'_>]) {
        let Some(pattern) = &self.pattern else { return };
        self.doors.retain(|id, _| guests.iter().any(|guest| guest.id == id));
        for guest in guests {
            self.doors.entry(guest.id.to_owned()).or_default().keep_open(guest.id, &guest.path(pattern));
        }
    }
}

/// The one machine that has an address.
fn by_address(machines: &BTreeMap<String, Machine>, cid: u32) -> Result<&str, &'static str> {
    let mut found = machines.iter().filter(|(_, machine)| machine.cid == Some(cid)).map(|(id, _)| id.as_str());
    let first = found.next().ok_or("no virtual machine that is known here has it")?;
    if found.next().is_some() { Err("more than one virtual machine claims it") } else { Ok(first) }
}

impl Peer {
    /// Whether it is still there.
    fn send(&mut self, record: &GuestRecord, at: Instant) -> bool {
        match self.outbox.send(&mut self.socket, &record.render()) {
            Ok(true) => self.at = at,
            Ok(false) => {}
            Err(_) => return false,
        }
        at.saturating_duration_since(self.at) < PATIENCE
    }
}

/// The next connection that waits.
fn next(listener: &impl AsFd) -> Option<OwnedFd> {
    accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).ok()
}

fn listen_at(port: u32) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Vsock, SockType::Stream, flags, None)?;
    bind(socket.as_raw_fd(), &VsockAddr::new(nix::libc::VMADDR_CID_ANY, port))?;
    listen(&socket, Backlog::new(128)?)?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
