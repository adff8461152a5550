//! Traces: recorded, checked, and said again.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use kepler_core::counter::{CounterTracker, EnergyDelta};
use kepler_core::host::Timestamp;
use kepler_core::meter::replay::{Recorder, Replay, TraceError};
use kepler_core::meter::{EnergyMeter, MeterInventory, Method, Quality, ReadError, Reading, Zone};
use kepler_core::units::{Energy, Power, ZoneKind};
use proptest::prelude::*;
use std::io;
use std::time::Duration;
use tempfile::NamedTempFile;

const TRACE: &str = "\
# an example
trace,1,powercap,measured

seconds,package:0,dram:1,psys
modulus,262144000000,65536000000,
max_watts,1500,600,10000
10,262143999000,5,7
11.5,1000,,8
13,2000,6,9
";

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn replay(text: &str) -> Replay {
    Replay::open(file(text).path()).unwrap()
}

/// Microjoules of each zone, or why not.
fn read(meter: &mut dyn EnergyMeter, at: Timestamp) -> Vec<Result<u64, String>> {
    let mut readings = Vec::new();
    meter.read(at, &mut readings);
    let value = |reading| match reading {
        Ok(Reading::Counter(energy)) => Ok(Energy::microjoules(energy)),
        Ok(Reading::Power(_)) => panic!("a trace has counters"),
        Err(error) => Err(ReadError::to_string(&error)),
    };
    readings.into_iter().map(value).collect()
}

#[test]
fn zones_come_back_with_all_that_is_known_of_them() {
    let meter = replay(TRACE);
    let zones: Vec<_> = meter.zones().iter().map(|z| (z.kind, z.package, z.modulus, z.max_power)).collect();
    let (energy, watts) = (Energy::from_microjoules, Power::from_watts);
    assert_eq!(
        zones,
        [
            (ZoneKind::Package, Some(0), Some(energy(262_144_000_000)), watts(1500.0)),
            (ZoneKind::Dram, Some(1), Some(energy(65_536_000_000)), watts(600.0)),
            (ZoneKind::Psys, None, None, watts(10_000.0)),
        ]
    );
    assert_eq!((meter.source(), meter.recorded_source(), meter.method()), ("replay", "powercap", Method::Measured));
}

#[test]
fn an_estimate_stays_an_estimate_when_replayed() {
    let meter = replay(&TRACE.replace("powercap,measured", "model,estimated:0.25"));
    assert_eq!(meter.method(), Method::Estimated { error_ratio: 0.25 });
}

#[test]
fn the_first_read_is_the_start_and_lines_come_at_their_time() {
    let mut meter = replay(TRACE);
    let start = Timestamp::now();
    let after = |milliseconds| start.advanced(Duration::from_millis(milliseconds));
    assert_eq!(read(&mut meter, start), [Ok(262_143_999_000), Ok(5), Ok(7)]);
    // The package is on its way through a wrap, the memory before a gap.
    assert_eq!(read(&mut meter, after(750)), [Ok(0), Ok(5), Ok(7)]);
    let readings = read(&mut meter, after(1500));
    assert_eq!((&readings[0], &readings[2]), (&Ok(1000), &Ok(8)));
    assert!(readings[1].as_ref().unwrap_err().contains("when the trace was recorded"), "{readings:?}");
    assert_eq!(read(&mut meter, after(2250))[0], Ok(1500));
    assert_eq!(read(&mut meter, after(3000)), [Ok(2000), Ok(6), Ok(9)]);
}

#[test]
fn a_counter_does_not_glide_through_a_reset() {
    let mut meter = replay(
        "trace,1,msr,measured\nseconds,package:0\nmodulus,262144000000\nmax_watts,100\n0,1000000000\n2,5000000\n",
    );
    let start = Timestamp::now();
    assert_eq!(read(&mut meter, start), [Ok(1_000_000_000)]);
    assert_eq!(read(&mut meter, start.advanced(Duration::from_secs(1))), [Ok(1_000_000_000)]);
    assert_eq!(read(&mut meter, start.advanced(Duration::from_secs(2))), [Ok(5_000_000)]);
}

#[test]
fn after_the_end_the_last_line_is_said_once_and_then_every_zone_is_an_error() {
    let mut meter = replay(TRACE);
    let start = Timestamp::now();
    read(&mut meter, start);
    assert_eq!(read(&mut meter, start.advanced(Duration::from_secs(60))), [Ok(2000), Ok(6), Ok(9)]);
    for seconds in 61..64 {
        let readings = read(&mut meter, start.advanced(Duration::from_secs(seconds)));
        assert_eq!(readings.len(), 3);
        assert!(readings.iter().all(|r| r.as_ref().is_err_and(|e| e.contains("has ended"))), "{readings:?}");
    }
}

#[test]
fn every_fault_is_reported_with_its_line_and_column() {
    let faults = [
        ("trace,1", "trace,9", 2, 2, "version `9`"),
        ("trace,1,powercap,measured", "hello", 2, 1, "the `trace` line should be here"),
        ("measured", "guessed", 2, 4, "`guessed` is neither"),
        ("measured", "estimated:NaN", 2, 4, "neither"),
        (",measured", "", 2, 4, "ends before this cell"),
        ("dram:1", "gpu:1", 4, 3, "`gpu:1` is not a zone"),
        ("dram:1", "dram:x", 4, 3, "`dram:x` is not a zone"),
        ("modulus,262144000000", "modulus,0", 5, 2, "microjoules above zero"),
        (
            "modulus,262144000000,65536000000,",
            "modulus,262144000000,65536000000",
            5,
            4,
            "3 cells where the zones ask for 4",
        ),
        ("max_watts,1500", "max_watts,-1", 6, 2, "watts above zero"),
        ("max_watts,1500", "max_watts,inf", 6, 2, "watts above zero"),
        ("10,262143999000", "ten,262143999000", 7, 1, "`ten` is not a number of seconds"),
        ("10,262143999000", "-1,262143999000", 7, 1, "`-1` is not a number of seconds"),
        ("262143999000", "-5", 7, 2, "whole microjoules"),
        ("262143999000", "1.5", 7, 2, "whole microjoules"),
        ("262143999000", "262144000000", 7, 2, "not below its modulus"),
        ("11.5,1000,,8", "11.5,1000,,8,9", 8, 5, "5 cells"),
        ("11.5,", "10,", 8, 1, "time does not rise"),
    ];
    for (from, to, line, column, problem) in faults {
        let file = file(&TRACE.replacen(from, to, 1));
        let error = Replay::open(file.path()).unwrap_err();
        let TraceError::Invalid { line: found_line, column: found_column, .. } = &error else { panic!("{error}") };
        assert_eq!((*found_line, *found_column), (line, column), "{to}: {error}");
        let message = error.to_string();
        assert!(message.contains(problem) && message.contains(&*file.path().to_string_lossy()), "{message}");
    }
}

#[test]
fn a_trace_that_stops_early_says_what_is_missing() {
    let first_lines = |count: usize| TRACE.lines().take(count).collect::<Vec<_>>().join("\n");
    for (count, missing) in [(0, "`trace` line"), (3, "`seconds` line"), (5, "`max_watts` line"), (6, "first reading")]
    {
        let message = Replay::open(file(&first_lines(count)).path()).unwrap_err().to_string();
        assert!(message.contains(missing), "{message}");
    }
    let message = Replay::open("no/such/trace.csv").unwrap_err().to_string();
    assert!(message.contains("no/such/trace.csv"), "{message}");
}

/// A meter with given readings.
struct Script {
    zones: Vec<Zone>,
    lines: std::vec::IntoIter<Vec<Result<Reading, ReadError>>>,
}

impl EnergyMeter for Script {
    fn source(&self) -> &'static str {
        "script"
    }
    fn quality(&self) -> Quality {
        Quality::of(Method::Estimated { error_ratio: 0.1 })
    }
    fn inventory(&self) -> MeterInventory<'_> {
        MeterInventory::of(&self.zones)
    }
    fn read(&mut self, _at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        *readings = self.lines.next().unwrap();
    }
}

#[test]
fn power_is_recorded_as_the_energy_it_integrates_to_and_errors_as_gaps() {
    let power = |watts| Ok(Reading::Power(Power::from_watts(watts)));
    let error = || Err(ReadError::new("x", io::Error::other("broken")));
    let mut meter = Script {
        zones: vec![Zone::new(ZoneKind::Psys, "board")],
        lines: vec![vec![power(100.0)], vec![power(200.0)], vec![error()], vec![power(200.0)]].into_iter(),
    };
    let mut recorder = Recorder::new(Vec::new(), &meter).unwrap();
    let (mut at, mut readings) = (Timestamp::now(), Vec::new());
    for _ in 0..4 {
        meter.read(at, &mut readings);
        recorder.record(at, &readings).unwrap();
        at = at.advanced(Duration::from_secs(2));
    }
    let text = String::from_utf8(recorder.finish().unwrap()).unwrap();
    assert_eq!(
        text,
        "trace,1,script,estimated:0.1\nseconds,psys\nmodulus,\nmax_watts,10000\n\
         0.000000000,0\n2.000000000,300000000\n4.000000000,\n6.000000000,1100000000\n"
    );
    assert_eq!(replay(&text).method(), Method::Estimated { error_ratio: 0.1 });
}

#[test]
fn time_that_stands_still_is_not_recorded() {
    let meter = Script { zones: Vec::new(), lines: Vec::new().into_iter() };
    let mut recorder = Recorder::new(Vec::new(), &meter).unwrap();
    let at = Timestamp::now();
    recorder.record(at, &[]).unwrap();
    assert_eq!(recorder.record(at, &[]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

proptest! {
    /// Whatever was recorded, wraps included: replayed at any other rate the same energy is found.
    #[test]
    fn a_replay_at_another_rate_draws_the_same_energy(
        steps in prop::collection::vec((1u64..3_000, 0u64..100), 1..40),
        period in 100u64..5_000,
    ) {
        let modulus = 1_000_000_000u64; // 1000 J: a round takes at least 10 s at the 100 W that are drawn at most
        let mut zone = Zone::new(ZoneKind::Package, "script");
        zone.modulus = Some(Energy::from_microjoules(modulus));
        zone.max_power = Power::from_watts(100.0);
        let meter = Script { zones: vec![zone], lines: Vec::new().into_iter() };
        let mut recorder = Recorder::new(Vec::new(), &meter).unwrap();
        let (start, mut truth) = (Timestamp::now(), 0u64);
        let mut at = start;
        let counter = |truth| Ok(Reading::Counter(Energy::from_microjoules(truth % modulus)));
        recorder.record(at, &[counter(truth)]).unwrap();
        for (milliseconds, watts) in steps {
            truth += watts * milliseconds * 1000;
            at = at.advanced(Duration::from_millis(milliseconds));
            recorder.record(at, &[counter(truth)]).unwrap();
        }
        let length = at.since(&start);

        let mut meter = replay(&String::from_utf8(recorder.finish().unwrap()).unwrap());
        let zone = meter.zones()[0].clone();
        let mut tracker = CounterTracker::new(zone.modulus, zone.max_power);
        let (mut total, mut at) = (Energy::ZERO, start);
        loop {
            let mut readings = Vec::new();
            meter.read(at, &mut readings);
            let Ok(reading) = readings[0] else { break };
            let delta = tracker.update(reading, at);
            prop_assert!(!matches!(delta, EnergyDelta::Reset { .. } | EnergyDelta::Ambiguous { .. }), "{delta:?}");
            total += delta.energy();
            at = at.advanced(Duration::from_millis(period));
        }
        prop_assert!(at.since(&start) >= length);
        prop_assert_eq!(total.microjoules(), truth);
    }
}
