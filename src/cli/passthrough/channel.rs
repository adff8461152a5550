//! Virtio-serial channels: a socket a machine, at which its monitor listens. Which socket it is says whose figures go there;
//! nothing is ever read from it.

use super::Guest;
use super::outbox::Outbox;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;

/// The sockets of all machines.
pub(super) struct Channels {
    pattern: String,
    open: BTreeMap<String, Channel>,
}

struct Channel {
    socket: Option<UnixStream>,
    outbox: Outbox,
    fault: Option<String>,
}

impl Channels {
    /// Sockets at this path, with `{id}` or `{name}` in it.
    pub(super) fn new(pattern: &str) -> Self {
        Channels { pattern: pattern.to_owned(), open: BTreeMap::new() }
    }

    /// Sends each machine its record, as far as its socket takes it now: who does not read waits for nothing.
    pub(super) fn show(&mut self, guests: &[Guest<'_>]) {
        self.open.retain(|id, _| guests.iter().any(|guest| guest.id == id));
        for guest in guests {
            let path = guest.path(&self.pattern);
            let nothing = || Channel { socket: None, outbox: Outbox::default(), fault: None };
            let channel = self.open.entry(guest.id.to_owned()).or_insert_with(nothing);
            let fault = channel.send(&path, &guest.record.render()).err().map(|error| error.to_string());
            if fault != channel.fault {
                match &fault {
                    Some(fault) => tracing::warn!("virtual machine `{}` is shown nothing at {path}: {fault}", guest.id),
                    None => tracing::info!("virtual machine `{}` is shown its energy at {path}", guest.id),
                }
            }
            channel.fault = fault;
        }
    }
}

impl Channel {
    fn send(&mut self, path: &str, record: &str) -> io::Result<()> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let socket = UnixStream::connect(path)?;
                socket.set_nonblocking(true)?;
                self.outbox = Outbox::default();
                if self.fault.is_none() {
                    tracing::info!("a channel to a virtual machine is open at {path}");
                }
                socket
            }
        };
        self.outbox.send(&mut socket, record)?;
        self.socket = Some(socket);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepler_core::guests::GuestRecord;
    use std::io::Read as _;
    use std::os::unix::net::UnixListener;

    fn record(id: &str, sequence: u64) -> GuestRecord {
        let mut record = GuestRecord::new(id, 7);
        record.sequence = sequence;
        record
    }

    fn show(channels: &mut Channels, id: &str, name: &str, sequence: u64) {
        let record = record(id, sequence);
        channels.show(&[Guest { id, name, cid: None, record: &record }]);
    }

    #[test]
    fn each_machine_is_sent_its_own_and_a_channel_that_was_closed_is_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("web.sock")).unwrap();
        let mut channels = Channels::new(directory.path().join("{name}.sock").to_str().unwrap());
        show(&mut channels, "id-1", "../web", 1);
        show(&mut channels, "id-1", "web", 2);
        let (mut guest, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        let length = guest.read(&mut buffer).unwrap();
        assert_eq!(GuestRecord::parse(std::str::from_utf8(&buffer[..length]).unwrap()), Ok(record("id-1", 2)));
        drop(guest);
        // The first write after the end may still be taken.
        for sequence in 3..6 {
            show(&mut channels, "id-1", "web", sequence);
        }
        let (mut guest, _) = listener.accept().unwrap();
        assert!(guest.read(&mut buffer).unwrap() > 0);
        channels.show(&[]);
        while guest.read(&mut buffer).unwrap() > 0 {}
    }

    #[test]
    fn a_guest_that_does_not_read_holds_nothing_up_and_gets_whole_records() {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("a")).unwrap();
        let mut channels = Channels::new(directory.path().join("{id}").to_str().unwrap());
        for sequence in 0..20_000 {
            show(&mut channels, "a", "", sequence);
        }
        let (mut guest, _) = listener.accept().unwrap();
        guest.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
        let (mut text, mut buffer) = (String::new(), [0; 65536]);
        while let Ok(length) = guest.read(&mut buffer) {
            text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
            show(&mut channels, "a", "", 30_000);
            if text.contains("sequence 30000\n") && text.ends_with("end\n") {
                break;
            }
        }
        assert!(text.len() > 4096, "{}", text.len());
        for piece in text.split_inclusive("\nend\n") {
            assert!(GuestRecord::parse(piece).is_ok(), "{piece:?}");
        }
    }
}
