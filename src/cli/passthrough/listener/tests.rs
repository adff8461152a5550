use super::*;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

fn record(id: &str, sequence: u64) -> GuestRecord {
    let mut record = GuestRecord::new(id, 7);
    record.sequence = sequence;
    record
}

/// Machines with their addresses are shown this.
fn show(listeners: &mut Listeners, machines: &[(&str, Option<u32>)], sequence: u64, at: Instant) {
    let records: Vec<GuestRecord> = machines.iter().map(|(id, _)| record(id, sequence)).collect();
    let guests = machines.iter().zip(&records).map(|((id, cid), record)| Guest { id, name: "", cid: *cid, record });
    listeners.show(&guests.collect::<Vec<_>>(), at);
}

/// A connection as the kernel's vsock would give it, and what is at the machine's end.
fn pair() -> (OwnedFd, UnixStream) {
    let (host, guest) = UnixStream::pair().unwrap();
    host.set_nonblocking(true).unwrap();
    guest.set_nonblocking(true).unwrap();
    (host.into(), guest)
}

/// What has come, and whether it has ended.
fn received(guest: &mut UnixStream) -> (String, bool) {
    let (mut text, mut buffer) = (String::new(), [0; 65536]);
    loop {
        match guest.read(&mut buffer) {
            Ok(0) => return (text, true),
            Ok(length) => text.push_str(std::str::from_utf8(&buffer[..length]).unwrap()),
            Err(_) => return (text, false),
        }
    }
}

fn sequences(text: &str) -> Vec<u64> {
    let records = text.split_inclusive("\nend\n").map(|piece| GuestRecord::parse(piece).unwrap());
    records.map(|record| record.sequence).collect()
}

#[test]
fn a_machine_is_known_by_the_address_that_it_alone_has() {
    let (mut listeners, at) = (Listeners::default(), Instant::now());
    show(&mut listeners, &[("a", Some(3)), ("b", Some(4)), ("c", Some(5)), ("d", Some(5)), ("e", None)], 1, at);
    assert_eq!(listeners.machine_with(3).as_deref(), Some("a"));
    assert_eq!(listeners.machine_with(4).as_deref(), Some("b"));
    // Unknown, claimed twice, the hypervisor, the host itself.
    for cid in [6, 5, 0, 1, 2, u32::MAX] {
        assert_eq!(listeners.machine_with(cid), None, "{cid}");
    }
    // Its address is another's once it has ended.
    show(&mut listeners, &[("b", Some(3))], 2, at);
    assert_eq!(listeners.machine_with(3).as_deref(), Some("b"));
    for cid in 0..1000 {
        listeners.machine_with(100 + cid);
    }
    assert_eq!(listeners.refused.len(), MOST_REFUSED);
}

#[test]
fn who_connects_is_shown_the_newest_record_at_once_then_each_and_the_end_when_its_machine_ends() {
    let (mut listeners, at) = (Listeners::default(), Instant::now());
    show(&mut listeners, &[("a", Some(3)), ("b", Some(4))], 1, at);
    let (host, mut guest) = pair();
    let later = at + Duration::from_millis(1500);
    listeners.admit("a".to_owned(), host, later);
    let (text, _) = received(&mut guest);
    let first = GuestRecord::parse(&text).unwrap();
    assert_eq!((first.vm.as_str(), first.sequence, first.age), ("a", 1, Duration::from_millis(1500)));
    show(&mut listeners, &[("a", Some(3)), ("b", Some(4))], 2, later);
    assert_eq!(sequences(&received(&mut guest).0), [2]);
    // What it says is not even taken.
    assert!(guest.write(b"zone package 5 measured\n").is_err());
    show(&mut listeners, &[("b", Some(4))], 3, later);
    assert_eq!(received(&mut guest), (String::new(), true));
    assert!(listeners.peers.is_empty());
    // One that ended between asking and being let in.
    let (host, mut guest) = pair();
    listeners.admit("a".to_owned(), host, later);
    assert_eq!(received(&mut guest), (String::new(), true));
}

#[test]
fn a_machine_has_a_few_connections_of_which_the_oldest_goes_and_takes_none_from_others() {
    let (mut listeners, at) = (Listeners::default(), Instant::now());
    let ids: Vec<String> = (0..40).map(|number| format!("vm-{number}")).collect();
    let machines: Vec<_> = ids.iter().map(|id| (id.as_str(), None)).collect();
    show(&mut listeners, &machines, 1, at);
    let mut ends = Vec::new();
    for _ in 0..MOST_OF_ONE + 2 {
        let (host, guest) = pair();
        listeners.admit("vm-0".to_owned(), host, at);
        ends.push(guest);
    }
    assert_eq!(listeners.peers.len(), MOST_OF_ONE);
    let closed: Vec<bool> = ends.iter_mut().map(|end| received(end).1).collect();
    assert_eq!(closed, [true, true, false, false, false, false]);
    // Two of each machine, so that there is room for no more: those that have none still get one.
    for id in ids.iter().chain(&ids) {
        let (host, guest) = pair();
        listeners.admit(id.clone(), host, at);
        ends.push(guest);
    }
    assert_eq!(listeners.peers.len(), MOST);
    let has_one = |id: &String| listeners.peers.iter().any(|peer| &peer.id == id);
    assert!(ids.iter().all(has_one));
}

#[test]
fn who_takes_nothing_holds_nothing_up_and_is_disconnected_after_a_while() {
    let (mut listeners, at) = (Listeners::default(), Instant::now());
    show(&mut listeners, &[("a", None)], 0, at);
    let (host, mut idle) = pair();
    listeners.admit("a".to_owned(), host, at);
    let (host, mut busy) = pair();
    listeners.admit("a".to_owned(), host, at);
    for sequence in 1..20_000 {
        show(&mut listeners, &[("a", None)], sequence, at);
        received(&mut busy);
    }
    assert_eq!(listeners.peers.len(), 2);
    show(&mut listeners, &[("a", None)], 20_000, at + PATIENCE);
    assert_eq!(listeners.peers.len(), 1);
    let (text, is_ended) = received(&mut idle);
    assert!(is_ended && text.len() > 4096);
    assert_eq!(sequences(&received(&mut busy).0), [20_000]);
}

#[test]
fn a_socket_of_each_machine_is_made_mended_and_removed_and_what_is_something_elses_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    for id in ["a", "b", "c"] {
        std::fs::create_dir(directory.path().join(id)).unwrap();
    }
    let path = |id: &str| directory.path().join(id).join("v.sock_977");
    // One left behind, and one that is in use.
    drop(UnixListener::bind(path("a")).unwrap());
    let other = UnixListener::bind(path("b")).unwrap();
    std::fs::write(path("c"), "mine").unwrap();
    let pattern = directory.path().join("{id}/v.sock_977");
    let mut listeners = Listeners::open(None, pattern.to_str()).unwrap();
    let (machines, at) = ([("a", None), ("b", None), ("c", None), ("d", None)], Instant::now());
    let connect = |path: &Path| {
        let guest = UnixStream::connect(path).unwrap();
        guest.set_nonblocking(true).unwrap();
        guest
    };
    show(&mut listeners, &machines, 1, at);
    let mut guest = connect(&path("a"));
    listeners.accept(at);
    assert_eq!(sequences(&received(&mut guest).0), [1]);
    assert_eq!(std::fs::read_to_string(path("c")).unwrap(), "mine");
    // The monitor was started again and has cleaned its directory up; the other program is gone.
    std::fs::remove_file(path("a")).unwrap();
    drop(other);
    show(&mut listeners, &machines, 2, at);
    let (mut again, mut second) = (connect(&path("a")), connect(&path("b")));
    listeners.accept(at);
    assert_eq!(sequences(&received(&mut again).0), [2]);
    assert!(received(&mut second).0.contains("\nvm b\n"));
    assert_eq!(sequences(&received(&mut guest).0), [2], "who was connected still is");
    show(&mut listeners, &[("b", None)], 3, at);
    assert!(!path("a").exists() && path("b").exists());
    drop(listeners);
    assert!(!path("b").exists() && path("c").exists());
}

#[test]
fn over_the_kernels_vsock_a_machine_is_shown_its_own_and_an_unknown_address_nothing() {
    use kepler_core::host::Timestamp;
    use kepler_core::meter::host::{HostFigures, HostRoute};
    use kepler_core::meter::{EnergyMeter as _, Method, Reading};

    const SELF: u32 = nix::libc::VMADDR_CID_LOCAL;
    const PORT: u32 = 19_770;
    // Without it a connection to oneself would go to the host of this machine.
    if !Path::new("/sys/module/vsock_loopback").exists() {
        return eprintln!("not tried: this kernel has no vsock_loopback");
    }
    let mut listeners = Listeners::open(Some(PORT), None).unwrap();
    assert!(Listeners::open(Some(PORT), None).is_err(), "the port is taken");
    let route = HostRoute::Vsock { cid: SELF, port: PORT };
    let asked = {
        let route = route.clone();
        std::thread::spawn(move || HostFigures::open(&route).map(drop))
    };
    let at = Instant::now();
    while !asked.is_finished() {
        show(&mut listeners, &[("a", Some(3))], 1, at);
        std::thread::sleep(Duration::from_millis(20));
    }
    let error = asked.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("it does not know this machine"), "{error}");
    assert_eq!(listeners.refused.iter().copied().collect::<Vec<_>>(), [SELF]);
    // As if that address were a machine's.
    let mut record = record("a", 1);
    let energy = kepler_core::units::Energy::from_microjoules(5000);
    let zone = kepler_core::guests::GuestZone::new(kepler_core::units::ZoneKind::Package, energy, Method::Measured);
    record.zones.push(zone);
    let opened = std::thread::spawn(move || HostFigures::open(&route));
    while !opened.is_finished() {
        listeners.show(&[Guest { id: "a", name: "", cid: Some(SELF), record: &record }], at);
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut meter = opened.join().unwrap().unwrap();
    (record.sequence, record.zones[0].energy) = (2, kepler_core::units::Energy::from_microjoules(7000));
    listeners.show(&[Guest { id: "a", name: "", cid: Some(SELF), record: &record }], at);
    std::thread::sleep(Duration::from_millis(500));
    let mut readings = Vec::new();
    meter.read(Timestamp::now(), &mut readings);
    assert!(matches!(readings[..], [Ok(Reading::Counter(shown))] if shown == record.zones[0].energy), "{readings:?}");
    eprintln!("tried over vsock_loopback");
}
