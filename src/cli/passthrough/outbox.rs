//! A record on its way to a machine, through a socket that takes as much as it can.

use std::io::{self, Write};

/// What of a record a socket has not taken yet.
#[derive(Default)]
pub(super) struct Outbox {
    rest: Vec<u8>,
}

impl Outbox {
    /// Sends what is left of an earlier record, else this one, as far as the socket takes it now: who does not read waits for nothing. A
    /// record is sent whole or not at all, so that the next one begins where a record can begin. Whether the socket took anything.
    pub(super) fn send(&mut self, socket: &mut impl Write, record: &str) -> io::Result<bool> {
        if self.rest.is_empty() {
            self.rest.extend_from_slice(record.as_bytes());
        }
        let before = self.rest.len();
        while !self.rest.is_empty() {
            match socket.write(&self.rest) {
                Ok(0) => break,
                Ok(written) => _ = self.rest.drain(..written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.rest.len() < before)
    }
}
