//! The host's figures inside its guests: what each virtual machine is shown, of its own share and nothing else.
//!
//! On the host [`GuestShares`] follows snapshots and makes a [`GuestRecord`] for each virtual machine: the energy charged to it since
//! its epoch began, by zone, as counters that never fall. A record is a short text; what carries it (a file of a share, a
//! virtio-serial channel) tells which machine it is for. In the guest the meter [`HostFigures`](crate::meter::host::HostFigures) reads them.
//!
//! Hidden from a guest is what the counters of its host could tell it of others (PLATYPUS, Lipp et al. 2021): figures are a machine's own
//! share by CPU time, a second apart at least, in whole millijoules. Host totals are no part of a record.
//!
//! ```
//! use kepler_core::guests::{GuestOptions, GuestShares};
//! use kepler_core::host::Timestamp;
//! use kepler_core::snapshot::Snapshot;
//!
//! let mut shares = GuestShares::new(GuestOptions::default());
//! let records = shares.follow(&Snapshot::empty(Timestamp::now()));
//! assert!(records.is_empty(), "no virtual machine runs here");
//! ```

mod record;
mod shares;

pub use record::{GuestRecord, GuestZone, RecordError};
pub use shares::{GuestIdle, GuestOptions, GuestShares};

/// Whether a machine's identifier can stand in the name of a file: letters, digits, `.`, `_` and `-`, not at the beginning a dot.
/// Libvirt's UUIDs are, and the names of most machines.
#[must_use]
pub fn is_plain(id: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=128).contains(&id.len()) && !id.starts_with('.') && id.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_of_a_directory_is_no_identifier() {
        for id in ["", ".", "..", "../x", "a/b", ".hidden", "a b", "a\n", "ä", &"x".repeat(129)] {
            assert!(!is_plain(id), "{id}");
        }
        for id in ["6f1c1f1e-9d7c-4f5e-a7b4-0c9d1f4c9a01", "instance-00000001", "vm_1.prod"] {
            assert!(is_plain(id), "{id}");
        }
    }
}
