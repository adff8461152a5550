use super::*;
use crate::units::{Energy, ZoneKind};
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A zone that counts its readings, and hangs on request.
struct Scripted {
    path: PathBuf,
    count: u64,
    is_hanging: Receiver<bool>,
    release: Receiver<()>,
    hangs: bool,
}

struct Handle {
    hang: Sender<bool>,
    release: Sender<()>,
}

impl Handle {
    fn hang(&self) {
        self.hang.send(true).unwrap();
    }

    fn answer(&self) {
        self.hang.send(false).unwrap();
        self.release.send(()).unwrap();
    }
}

impl Probe for Scripted {
    fn read(&mut self) -> Result<Reading, ReadError> {
        self.hangs = self.is_hanging.try_iter().last().unwrap_or(self.hangs);
        if self.hangs {
            let _ended = self.release.recv();
            self.hangs = false;
        }
        self.count += 1;
        Ok(Reading::Counter(Energy::from_microjoules(self.count)))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

fn meter(name: &str, zones: usize) -> (Guarded<Scripted>, Vec<Handle>) {
    let (mut probes, mut handles, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..zones {
        let ((hang, is_hanging), (release, released)) = (channel(), channel());
        let path = PathBuf::from(format!("/of-this-test/{name}/{number}"));
        found.push(Zone::new(ZoneKind::Package, path.display().to_string()));
        probes.push(Scripted { path, count: 0, is_hanging, release: released, hangs: false });
        handles.push(Handle { hang, release });
    }
    (Guarded::new("test", found, Vec::new(), probes), handles)
}

fn read(meter: &mut Guarded<Scripted>) -> (Vec<Option<u64>>, Duration) {
    let (begun, mut readings) = (Instant::now(), Vec::new());
    meter.read(Timestamp::now(), &mut readings);
    let counter = |reading: Result<Reading, ReadError>| match reading {
        Ok(Reading::Counter(energy)) => Some(energy.microjoules()),
        Ok(Reading::Power(_)) => None,
        Err(error) => {
            assert_eq!((error.reason(), error.source.kind()), ("timeout", io::ErrorKind::TimedOut));
            assert!(error.to_string().contains("does not answer"), "{error}");
            None
        }
    };
    (readings.into_iter().map(counter).collect(), begun.elapsed())
}

#[test]
fn zones_that_answer_are_read_in_their_order() {
    let (mut meter, _handles) = meter("order", 3);
    for round in 1..=50 {
        assert_eq!(read(&mut meter).0, [Some(round); 3]);
    }
    assert!(meter.shared.lock().readers <= 2, "one thread reads them all, two on a machine that stalls");
}

#[test]
fn one_that_hangs_holds_up_one_reading_and_no_other_zone() {
    let (mut meter, handles) = meter("hang", 3);
    read(&mut meter);
    handles[1].hang();
    let (values, elapsed) = read(&mut meter);
    assert_eq!(values, [Some(2), None, Some(2)]);
    assert!(elapsed < PATIENCE * 10, "{elapsed:?}");
    let rounds = (3..8).map(|round| {
        let (values, elapsed) = read(&mut meter);
        assert_eq!(values, [Some(round), None, Some(round)]);
        elapsed
    });
    assert!(rounds.min().unwrap() < PATIENCE / 2, "it is not waited for again");
    handles[1].answer();
    let back = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(5));
        read(&mut meter).0[1].is_some()
    });
    assert!(back, "the zone comes back when its read returns");
    thread::sleep(Duration::from_millis(20));
    let all = (0..20).any(|_| read(&mut meter).0.iter().all(Option::is_some));
    assert!(all && meter.shared.lock().readers <= 2);
}

#[test]
fn all_may_hang_and_come_back() {
    let (mut meter, handles) = meter("all", 6);
    read(&mut meter);
    handles.iter().for_each(Handle::hang);
    let mut waited = Duration::ZERO;
    for _ in 0..10 {
        let (values, elapsed) = read(&mut meter);
        assert_eq!(values, [None; 6]);
        waited += elapsed;
    }
    assert!(waited < PATIENCE * 8, "{waited:?} for ten readings");
    assert!(meter.shared.lock().readers <= 7, "no more threads than zones hang");
    handles.iter().for_each(Handle::answer);
    let back = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(5));
        read(&mut meter).0.iter().all(Option::is_some)
    });
    assert!(back);
}

#[test]
fn a_meter_with_a_hanging_zone_can_be_dropped() {
    let (mut meter, handles) = meter("drop", 2);
    handles[0].hang();
    read(&mut meter);
    drop(meter);
    // On a busy machine the reader began later than it was asked to.
    let refused = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(5));
        super::super::in_time(Path::new("/of-this-test/drop/0"), || ()).is_err()
    });
    assert!(refused, "its device still hangs");
    handles[0].answer();
    let returned = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(5));
        super::super::in_time(Path::new("/of-this-test/drop/0"), || ()).is_ok()
    });
    assert!(returned);
}
