//! What all sources of pods are.

use super::failure::SourceFailure;
use kepler_core::directory::PodEntry;
use std::io::{self, Read};

/// A list is not longer: 10,000 pods have some 70 MB.
pub(super) const MAX_BODY: u64 = 256 << 20;

/// Lists the pods of this node.
pub(super) trait PodSource: Send {
    /// Its fixed name.
    fn name(&self) -> &'static str;

    /// Whether it is read at once, from this machine alone.
    fn is_local(&self) -> bool {
        false
    }

    /// All pods of this node, as far as it knows them.
    fn list(&mut self) -> Result<Vec<PodEntry>, SourceFailure>;
}

/// Reads up to a limit, and says so.
pub(super) struct Bounded<R> {
    from: R,
    left: u64,
    limit: u64,
}

impl<R> Bounded<R> {
    pub(super) fn new(from: R, limit: u64) -> Self {
        Bounded { from, left: limit, limit }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {} bytes", self.limit))
        })?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_an_error_and_not_cut() {
        let mut text = String::new();
        assert!(Bounded::new(&b"12345"[..], 5).read_to_string(&mut text).is_ok());
        let error = Bounded::new(&b"123456"[..], 5).read_to_string(&mut text).unwrap_err();
        assert_eq!(error.to_string(), "it is longer than 5 bytes");
    }
}
