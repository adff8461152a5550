//! The host's figures, inside its guest: what this virtual machine was charged there.
//!
//! | requires | a host that passes them on ([`guests`](crate::guests)): a virtio-serial port, vsock, or a file of a share |
//! |---|---|
//! | units | microjoules in whole thousands, a second apart or more |
//! | limits | 4 KiB a record; a host that is silent for 10 s, or three of its intervals, is none |
//! | cost | one to two system calls a reading |
//!
//! The figures are this machine's own share, whatever the host's counters were. A new epoch (the host's program was started again, the
//! machine was moved to another host) goes on from where the last one ended: no energy falls or jumps; what was charged in between is not
//! known.
//!
//! ```no_run
//! use kepler_core::host::Timestamp;
//! use kepler_core::meter::EnergyMeter;
//! use kepler_core::meter::host::{HostFigures, HostRoute};
//!
//! let mut meter = HostFigures::open(&HostRoute::Path(HostFigures::PORT.into()))?;
//! let mut readings = Vec::new();
//! meter.read(Timestamp::now(), &mut readings);
//! # Ok::<(), kepler_core::Unavailable>(())
//! ```

mod route;

pub use route::HostRoute;

use super::{EnergyMeter, MeterInventory, Method, Quality, ReadError, Reading, Zone};
use crate::availability::{Remedy, Unavailable};
use crate::guests::GuestRecord;
use crate::host::Timestamp;
use crate::units::Energy;
use route::Channel;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SOURCE: &str = "host";
/// A host that says nothing new for this long, or three of its own intervals, is silent.
const SILENT: Duration = Duration::from_secs(10);
/// How long the first record is waited for: hosts make one a second to one every five seconds.
const PATIENCE: Duration = Duration::from_millis(5500);

/// Reads the host's figures. See the [module](self).
#[derive(Debug)]
pub struct HostFigures {
    path: Arc<str>,
    channel: Channel,
    zones: Vec<Zone>,
    method: Method,
    last: GuestRecord,
    /// When that came, or when it was made if that is known.
    last_at: Timestamp,
    /// Of all epochs, by zone.
    totals: Vec<Energy>,
}

impl HostFigures {
    /// The port of a virtio-serial channel with our name.
    pub const PORT: &str = "/dev/virtio-ports/org.kepler.energy.0";

    /// Opens a port, a socket or a file, and waits for the first record.
    ///
    /// # Errors
    /// When it cannot be opened, or no record comes within 5 s.
    pub fn open(route: &HostRoute) -> Result<Self, Unavailable> {
        let shown = route.to_string();
        let refuse = |reason: String, remedy| Unavailable::new(SOURCE, reason, remedy);
        let failed = |error: io::Error| {
            let remedy = match route {
                HostRoute::Path(path) if error.kind() == io::ErrorKind::PermissionDenied => {
                    Remedy::MakeReadable { path: path.clone() }
                }
                HostRoute::Vsock { .. } if lacks_vsock(&error) => Remedy::load(["vmw_vsock_virtio_transport"]),
                _ => Remedy::None,
            };
            refuse(format!("{shown} cannot be read: {error}"), remedy)
        };
        let mut channel = Channel::open(route).map_err(failed)?;
        let begun = Instant::now();
        let mut stale: Option<GuestRecord> = None;
        let first = loop {
            match channel.newest() {
                Ok(Some(record)) => {
                    let is_stream = matches!(channel, Channel::Stream(_));
                    let is_new = stale.as_ref().is_some_and(|stale| !is_same(stale, &record));
                    if is_stream || is_new || is_recent(&record) {
                        break record;
                    }
                    stale = Some(record);
                }
                Ok(None) if channel.is_closed() => {
                    let what = "the host has closed it: it does not know this machine, or passes nothing on";
                    return Err(refuse(format!("{shown}: {what}"), Remedy::Wait));
                }
                Ok(None) => {}
                Err(error) => return Err(failed(error)),
            }
            if begun.elapsed() > PATIENCE {
                let what = match stale {
                    Some(_) => "the host's record does not change",
                    None => "no record of the host comes",
                };
                return Err(refuse(format!("{shown}: {what}; it may pass nothing on now"), Remedy::Wait));
            }
            thread::sleep(Duration::from_millis(20));
        };
        if first.zones.is_empty() {
            return Err(refuse(format!("{shown}: the host has no zones"), Remedy::None));
        }
        let path: Arc<str> = shown.into();
        let zones = first.zones.iter().map(|zone| Zone::new(zone.kind, Arc::clone(&path))).collect();
        let totals = first.zones.iter().map(|zone| zone.energy).collect();
        let method = weakest(&first);
        Ok(HostFigures { path, channel, zones, method, last: first, last_at: Timestamp::now(), totals })
    }

    fn take(&mut self, record: GuestRecord, at: Timestamp) {
        if is_same(&self.last, &record) {
            return;
        }
        // In an epoch counters rise; a record that came late, after a newer one, is none.
        if record.epoch == self.last.epoch {
            if record.sequence < self.last.sequence {
                return;
            }
            for (zone, total) in self.zones.iter().zip(&mut self.totals) {
                let energy = |record: &GuestRecord| {
                    record.zones.iter().find(|shown| shown.kind == zone.kind).map(|shown| shown.energy)
                };
                if let (Some(now), Some(before)) = (energy(&record), energy(&self.last)) {
                    *total += now.saturating_sub(before);
                }
            }
        }
        self.method = weakest(&record);
        (self.last, self.last_at) = (record, at);
    }
}

/// Whether both are the same record.
fn is_same(a: &GuestRecord, b: &GuestRecord) -> bool {
    a.epoch == b.epoch && a.sequence == b.sequence
}

/// Whether the kernel has no vsock, or no device for it.
fn lacks_vsock(error: &io::Error) -> bool {
    matches!(rustix::io::Errno::from_io_error(error), Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::NODEV))
}

/// Whether a record was made just now, by clocks that agree.
fn is_recent(record: &GuestRecord) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.abs_diff(record.time) < SILENT
}

fn weakest(record: &GuestRecord) -> Method {
    record.zones.iter().map(|zone| zone.method).reduce(Method::weaker).unwrap_or(Method::Measured)
}

impl EnergyMeter for HostFigures {
    fn source(&self) -> &'static str {
        SOURCE
    }

    fn inventory(&self) -> MeterInventory<'_> {
        MeterInventory::of(&self.zones)
    }

    fn quality(&self) -> Quality {
        Quality::of(self.method)
    }

    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        readings.clear();
        let error = match self.channel.newest_again() {
            Ok(record) => {
                if let Some(record) = record {
                    self.take(record, at);
                }
                None
            }
            Err(error) => Some(error),
        };
        let allowed = SILENT.max(self.last.interval.min(Duration::from_secs(60)) * 3);
        let is_silent = at.since(&self.last_at) > allowed;
        let fault = error.or_else(|| {
            let what = "the host has said nothing new for longer than three of its intervals";
            is_silent.then(|| io::Error::new(io::ErrorKind::TimedOut, what))
        });
        let kind = fault.as_ref().map(|error| (error.kind(), error.to_string()));
        readings.extend(self.totals.iter().map(|&total| match &kind {
            None => Ok(Reading::Counter(total)),
            Some((kind, what)) => Err(ReadError::new(Arc::clone(&self.path), io::Error::new(*kind, what.clone()))),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guests::GuestZone;
    use crate::units::ZoneKind;
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    fn record(epoch: u64, sequence: u64, millijoules: u64) -> GuestRecord {
        let mut record = GuestRecord::new("vm", epoch);
        record.sequence = sequence;
        record.time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let energy = Energy::from_microjoules(millijoules * 1000);
        record.zones = vec![GuestZone::new(ZoneKind::Package, energy, Method::Measured)];
        record
    }

    fn read(meter: &mut HostFigures, at: Timestamp) -> Result<u64, &'static str> {
        let mut readings = Vec::new();
        meter.read(at, &mut readings);
        match readings.remove(0) {
            Ok(Reading::Counter(energy)) => Ok(energy.microjoules() / 1000),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.reason()),
        }
    }

    struct Share(tempfile::TempDir);

    impl Share {
        fn with(record: &GuestRecord) -> Self {
            let share = Share(tempfile::tempdir().unwrap());
            share.show(record);
            share
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("record")
        }

        fn show(&self, record: &GuestRecord) {
            let draft = self.0.path().join("draft");
            fs::write(&draft, record.render()).unwrap();
            fs::rename(draft, self.path()).unwrap();
        }
    }

    #[test]
    fn counters_follow_the_host_and_a_new_epoch_neither_falls_nor_jumps() {
        let share = Share::with(&record(1, 1, 5000));
        let mut meter = HostFigures::open(&HostRoute::Path(share.path())).unwrap();
        assert_eq!((meter.source(), meter.zones()[0].kind), ("host", ZoneKind::Package));
        let at = Timestamp::now();
        assert_eq!(read(&mut meter, at), Ok(5000));
        share.show(&record(1, 2, 6500));
        assert_eq!(read(&mut meter, at), Ok(6500));
        // Another host, whose counter has come far, or begins.
        for (epoch, first, then, total) in [(2, 900_000, 900_010, 6510), (3, 0, 7, 6517)] {
            share.show(&record(epoch, 1, first));
            let before = read(&mut meter, at).unwrap();
            share.show(&record(epoch, 2, then));
            assert_eq!((before + then - first, read(&mut meter, at)), (total, Ok(total)));
        }
        // An older record of the epoch is none.
        share.show(&record(3, 1, 0));
        assert_eq!(read(&mut meter, at), Ok(6517));
    }

    #[test]
    fn a_host_that_falls_silent_is_an_error_until_it_speaks_again() {
        let share = Share::with(&record(1, 1, 0));
        let mut meter = HostFigures::open(&HostRoute::Path(share.path())).unwrap();
        let later = Timestamp::now().advanced(Duration::from_secs(60));
        assert_eq!(read(&mut meter, later), Err("timeout"));
        share.show(&record(1, 2, 3));
        assert_eq!(read(&mut meter, later), Ok(3));
        fs::remove_file(share.path()).unwrap();
        assert_eq!(read(&mut meter, later), Ok(3), "it is being replaced");
        assert_eq!(read(&mut meter, later.advanced(Duration::from_secs(60))), Err("timeout"));
        fs::write(share.path(), "something else").unwrap();
        assert_eq!(read(&mut meter, later), Err("invalid_data"));
    }

    #[test]
    fn what_is_no_channel_and_a_record_of_yesterday_are_refused() {
        assert!(HostFigures::open(&HostRoute::Path("/no/such/port".into())).is_err());
        let directory = tempfile::tempdir().unwrap();
        assert!(
            HostFigures::open(&HostRoute::Path(directory.path().into()))
                .unwrap_err()
                .to_string()
                .contains("neither a file")
        );
        let mut old = record(1, 1, 0);
        old.time -= Duration::from_secs(86_400);
        let share = Share::with(&old);
        let error = HostFigures::open(&HostRoute::Path(share.path())).unwrap_err();
        assert!(error.to_string().contains("does not change"), "{error}");
    }

    #[test]
    fn of_a_socket_the_newest_of_many_records_counts_and_a_cut_one_waits() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("channel");
        let listener = UnixListener::bind(&path).unwrap();
        let host = thread::spawn(move || {
            let mut host = listener.accept().unwrap().0;
            host.write_all(record(1, 1, 100).render().as_bytes()).unwrap();
            host
        });
        let mut meter = HostFigures::open(&HostRoute::Path(path.clone())).unwrap();
        let mut host = host.join().unwrap();
        let at = Timestamp::now();
        assert_eq!(read(&mut meter, at), Ok(100));
        let many: String = (2..200).map(|sequence| record(1, sequence, 100 + sequence).render()).collect();
        let (whole, cut) = many.split_at(many.len() - 9);
        host.write_all(whole.as_bytes()).unwrap();
        assert_eq!(read(&mut meter, at), Ok(298));
        host.write_all(cut.as_bytes()).unwrap();
        assert_eq!(read(&mut meter, at), Ok(299));
        drop(host);
        assert_eq!(read(&mut meter, at), Ok(299));
        assert_eq!(read(&mut meter, at.advanced(Duration::from_secs(60))), Err("timeout"));
    }

    #[test]
    fn a_socket_that_the_host_closed_is_opened_again_and_one_closed_from_the_start_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let route = HostRoute::Path(directory.path().join("channel"));
        let bind = || UnixListener::bind(directory.path().join("channel")).unwrap();
        let listener = bind();
        let host = thread::spawn(move || {
            let mut host = listener.accept().unwrap().0;
            host.write_all(record(1, 1, 100).render().as_bytes()).unwrap();
        });
        let mut meter = HostFigures::open(&route).unwrap();
        host.join().unwrap();
        let at = Timestamp::now();
        assert_eq!(read(&mut meter, at), Ok(100));
        // Nothing listens until Kepler on the host is there again, with another epoch.
        fs::remove_file(directory.path().join("channel")).unwrap();
        let listener = bind();
        let host = thread::spawn(move || {
            let mut host = listener.accept().unwrap().0;
            host.write_all(record(2, 1, 7000).render().as_bytes()).unwrap();
            host
        });
        while meter.last.epoch == 1 {
            assert_eq!(read(&mut meter, at), Ok(100));
            thread::sleep(Duration::from_millis(50));
        }
        let mut host = host.join().unwrap();
        host.write_all(record(2, 2, 7005).render().as_bytes()).unwrap();
        assert_eq!(read(&mut meter, at), Ok(105));
        fs::remove_file(directory.path().join("channel")).unwrap();
        let listener = bind();
        let host = thread::spawn(move || drop(listener.accept().unwrap()));
        let error = HostFigures::open(&route).unwrap_err();
        assert!(error.to_string().contains("closed"), "{error}");
        host.join().unwrap();
    }
}
