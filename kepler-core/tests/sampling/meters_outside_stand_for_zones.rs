//! A metered socket or an outlet of a rack in the place of a zone. [`Machine::tick`] checks the books of every zone.

use crate::machine::{DRAM, Machine, PACKAGE, Setup, near, process};
use crate::rig::faults;
use kepler_core::meter::Method;
use kepler_core::meter::chain::Source;
use kepler_core::meter::external::ExternalZone;
use kepler_core::platform::{PlatformBoard, PlatformMeter, PlatformReading, PlatformScope};
use kepler_core::snapshot::{NodeZone, Snapshot, State};
use kepler_core::units::{Energy, Power, ZoneKind};
use std::sync::Arc;

struct Socket {
    machine: Machine,
    board: PlatformBoard,
    meter: PlatformMeter,
}

impl Socket {
    /// A machine with powercap, or an estimate, whose zone of this kind is a plug's.
    fn of(kind: ZoneKind, meter: Source, change: impl FnOnce(&mut PlatformMeter)) -> Self {
        let board = PlatformBoard::default();
        let plug = PlatformMeter::new("http", "plug", "").with(|plug| {
            plug.path = "http://192.0.2.7/".into();
            change(plug);
        });
        let before = vec![Source::External(ExternalZone::new(board.clone(), kind, vec![plug.clone()]))];
        let setup = Setup { meter, before, platform: Some(board.clone()), ..Setup::default() };
        let mut machine = Machine::of(setup);
        machine.spawn(10, b"worker", "/");
        machine.tick(1.0);
        Socket { machine, board, meter: plug }
    }

    /// Ten seconds go by, after which the plug shows this, if anything. Package and memory draw 40 W and 10 W.
    fn ten_seconds(&mut self, watts: Option<f64>) -> Arc<Snapshot> {
        let machine = &mut self.machine;
        machine.tree.draw(PACKAGE, Energy::from_joules(400.0)).unwrap();
        machine.tree.draw(DRAM, Energy::from_joules(100.0)).unwrap();
        machine.processes.work(10, 2000, None).unwrap();
        if let Some(watts) = watts {
            let at = machine.at.advanced(std::time::Duration::from_secs(10));
            self.board.report(&self.meter, PlatformReading::new(Power::from_watts(watts), at));
        }
        machine.tick(10.0)
    }

    fn minutes(&mut self, count: u32, watts: Option<f64>) -> Arc<Snapshot> {
        (0..6 * count).map(|_| self.ten_seconds(watts)).last().unwrap()
    }
}

fn zone(snapshot: &Snapshot, kind: ZoneKind) -> &NodeZone {
    snapshot.node.zones[kind].as_ref().unwrap()
}

#[test]
fn a_plug_stands_for_the_package_and_memory_stays_that_of_its_counter() {
    let mut socket = Socket::of(ZoneKind::Package, Source::Powercap, |plug| plug.scope = PlatformScope::Part);
    let snapshot = socket.minutes(1, Some(60.0));
    let package = zone(&snapshot, ZoneKind::Package);
    assert_eq!(
        (package.source, package.method, &*package.path),
        ("external", Method::Measured, "plug (http://192.0.2.7/)")
    );
    assert!(near(package.power.unwrap().total.watts(), 60.0), "{package:?}");
    assert_eq!(zone(&snapshot, ZoneKind::Dram).source, "powercap");
    assert!(near(zone(&snapshot, ZoneKind::Dram).power.unwrap().total.watts(), 10.0));
    // What it drew is charged to who worked.
    let before = package.energy;
    let charged = |snapshot: &Snapshot| process(snapshot, 10, State::Running).unwrap().energy[ZoneKind::Package];
    let (of_worker, after) = (charged(&snapshot), socket.ten_seconds(Some(60.0)));
    assert!(near((zone(&after, ZoneKind::Package).energy - before).joules(), 600.0));
    assert!(near((charged(&after) - of_worker).joules(), 600.0));
    // A row of its own has its age; it is no meter of the whole.
    assert_eq!((after.platform[0].meter.scope, after.platform_residual.is_none()), (PlatformScope::Part, true));
    assert!(after.platform[0].age.is_some());
}

#[test]
fn a_plug_that_shows_nothing_any_more_gives_way_to_the_next_source_and_is_back_afterwards() {
    for (next, method) in [(Source::Powercap, "measured"), (Source::Model, "estimated")] {
        let mut socket = Socket::of(ZoneKind::Package, next.clone(), |_| {});
        let first = socket.minutes(1, Some(60.0));
        assert_eq!(zone(&first, ZoneKind::Package).source, "external");
        // Its last figure holds for two minutes.
        let still = socket.minutes(2, None);
        assert!(near(zone(&still, ZoneKind::Package).power.unwrap().total.watts(), 60.0));
        let stale = socket.minutes(2, None);
        assert_eq!(
            (zone(&stale, ZoneKind::Package).source, zone(&stale, ZoneKind::Package).method.name()),
            (next.name(), method)
        );
        assert!(faults(&stale, "external", "stale") > 0, "{:?}", stale.faults);
        let back = socket.minutes(2, Some(70.0));
        assert_eq!(zone(&back, ZoneKind::Package).source, "external");
        assert!(near(zone(&back, ZoneKind::Package).power.unwrap().total.watts(), 70.0));
    }
}

#[test]
fn a_plug_is_the_platform_beside_counters_or_an_estimate_and_what_is_not_believed_is_none() {
    for next in [Source::Powercap, Source::Model] {
        let is_measured = next == Source::Powercap;
        let mut socket = Socket::of(ZoneKind::Psys, next.clone(), |_| {});
        let snapshot = socket.minutes(1, Some(120.0));
        let (psys, package) = (zone(&snapshot, ZoneKind::Psys), zone(&snapshot, ZoneKind::Package));
        assert_eq!((psys.source, package.source), ("external", next.name()));
        assert!(near(psys.power.unwrap().total.watts(), 120.0));
        // Where processors are only estimated, the measured platform is the machine's total.
        assert_eq!(snapshot.machine_zones()[ZoneKind::Psys], !is_measured);
        let absurd = socket.minutes(1, Some(160_000.0));
        assert_eq!(absurd.platform[0].fault, Some("implausible"));
        assert_eq!(zone(&absurd, ZoneKind::Psys).fault, Some("implausible"));
        let later = socket.minutes(3, Some(160_000.0));
        assert!(zone(&later, ZoneKind::Psys).is_lost && zone(&later, ZoneKind::Psys).power.is_none());
        assert_eq!(zone(&later, ZoneKind::Package).source, next.name());
        let back = socket.minutes(2, Some(130.0));
        assert!(
            near(zone(&back, ZoneKind::Psys).power.unwrap().total.watts(), 130.0),
            "{:?}",
            zone(&back, ZoneKind::Psys)
        );
    }
}

#[test]
fn a_figure_that_stands_still_while_the_load_changes_is_none_and_an_estimate_has_its_error() {
    let mut socket =
        Socket::of(ZoneKind::Package, Source::Model, |plug| plug.method = Method::Estimated { error_ratio: 0.2 });
    let snapshot = (0..12).map(|step| socket.ten_seconds(Some(60.0 + f64::from(step % 2)))).last().unwrap();
    let package = zone(&snapshot, ZoneKind::Package);
    assert_eq!((package.source, package.method), ("external", Method::Estimated { error_ratio: 0.2 }));
    assert!(package.interval.is_some());
    for _ in 0..30 {
        socket.machine.processes.rest(2000).unwrap();
        let at = socket.machine.at;
        socket.board.report(&socket.meter, PlatformReading::new(Power::from_watts(60.0), at));
        socket.machine.tick(10.0);
    }
    let frozen = socket.machine.tick(10.0);
    assert_eq!(frozen.platform[0].fault, Some("frozen"));
    assert_eq!(zone(&frozen, ZoneKind::Package).source, "model");
}
