//! What is stored is what the counters rose by, whatever happens to clocks and samplers.

use crate::TempHistory;
use crate::snapshots::{at, process, row, snapshot, unit};
use kepler_compliance::history::HistoryOptions;
use kepler_core::host::Timestamp;
use kepler_core::snapshot::State;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// What happens between two records.
#[derive(Clone, Debug)]
enum Event {
    /// Each unit uses this much; what it counts rises.
    Use([u32; 3]),
    /// The unit ends and is not listed any more.
    End(usize),
    /// The wall clock is set, by this number of seconds.
    SetClock(i32),
    /// The machine sleeps.
    Suspend(u16),
    /// The sampler starts again: all counters at zero.
    Restart,
    /// The history is closed and opened; nothing is used meanwhile.
    Reopen,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => prop::array::uniform3(0u32..5_000_000).prop_map(Event::Use),
        1 => (0usize..3).prop_map(Event::End),
        1 => (-200_000i32..200_000).prop_map(Event::SetClock),
        1 => (0u16..20_000).prop_map(Event::Suspend),
        1 => Just(Event::Restart),
        1 => Just(Event::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn stored_energy_is_what_the_counters_rose_by(events in prop::collection::vec(event(), 1..40), second in 1u64..400) {
        let temp = TempHistory::new();
        let options = HistoryOptions::default().with(|options| {
            (options.max_age, options.max_bytes, options.thin_after) = (None, None, None);
        });
        let mut history = temp.open_with(options.clone());
        let (mut moment, mut sequence, mut package) = (at(0), 1, 0u64);
        // Per unit: whether it is there, what its counter shows, and what it used in truth.
        let mut units = [(true, 0u64, 0u64); 3];
        let mut node_truth = 0u64;
        let take = |moment: Timestamp, sequence: u64, package: u64, units: &[(bool, u64, u64); 3]| {
            let mut snapshot = snapshot(sequence, moment, package);
            for (number, (there, counter, _)) in units.iter().enumerate() {
                if *there {
                    snapshot.units.push(row(unit(&format!("{number}.service")), *counter));
                    // Two processes of one name share the same work.
                    let half = counter / 2;
                    snapshot.processes.push(row(process(100 + number as u32, "worker"), half));
                    snapshot.processes.push(row(process(200 + number as u32, "worker"), counter - half));
                }
            }
            snapshot
        };
        history.record(&take(moment, sequence, package, &units)).unwrap();
        for event in events {
            match event {
                Event::Use(amounts) => {
                    for (unit, amount) in units.iter_mut().zip(amounts) {
                        let amount = u64::from(amount);
                        *unit = (true, unit.1 + amount, unit.2 + amount);
                        package += amount;
                        node_truth += amount;
                    }
                }
                Event::End(number) => units[number] = (false, 0, units[number].2),
                Event::SetClock(by) => {
                    let wall = Duration::from_secs(by.unsigned_abs().into());
                    moment.wall = if by < 0 { moment.wall - wall } else { moment.wall + wall };
                }
                Event::Suspend(seconds) => {
                    let slept = Duration::from_secs(seconds.into());
                    (moment.boottime, moment.wall) = (moment.boottime + slept, moment.wall + slept);
                }
                Event::Restart => {
                    (sequence, package) = (0, 0);
                    for unit in &mut units {
                        unit.1 = 0;
                    }
                }
                Event::Reopen => {
                    drop(history);
                    history = temp.open_with(options.clone());
                    history.record(&take(moment, sequence, package, &units)).unwrap();
                }
            }
            moment = moment.advanced(Duration::from_secs(second));
            sequence += 1;
            history.record(&take(moment, sequence, package, &units)).unwrap();
        }
        for (number, (_, _, truth)) in units.iter().enumerate() {
            let stored = temp.number(&format!(
                "SELECT sum(package_uj) FROM workload_energy AS e JOIN workload AS w ON w.id = e.workload
                 WHERE w.kind = 'unit' AND w.name = '{number}.service'"
            ));
            prop_assert_eq!(stored as u64, *truth, "unit {}", number);
        }
        let by_name = temp.number(
            "SELECT sum(package_uj) FROM workload_energy AS e JOIN workload AS w ON w.id = e.workload
             WHERE w.kind = 'process' AND w.name = 'worker'",
        );
        prop_assert_eq!(by_name as u64, node_truth);
        prop_assert_eq!(temp.number("SELECT sum(energy_uj) FROM node_energy") as u64, node_truth);
        let negative = "SELECT count(*) FROM workload_energy WHERE package_uj < 0 OR cpu_us < 0";
        prop_assert_eq!(temp.number(negative), 0);
        prop_assert_eq!(temp.number("SELECT count(*) FROM interval WHERE end_ms < start_ms OR covered_ms < 0"), 0);
    }
}

#[test]
fn a_clock_set_back_overwrites_nothing() {
    let temp = TempHistory::new();
    let history = temp.open();
    let mut sums = BTreeMap::new();
    for (sequence, (up, wall)) in [(0, 0), (300, 300), (600, 600), (900, 300), (1200, 600)].into_iter().enumerate() {
        let moment = Timestamp { wall: at(wall).wall, ..at(up) };
        history.record(&snapshot(sequence as u64 + 1, moment, up * 1_000_000)).unwrap();
        sums.insert(sequence, temp.number("SELECT sum(energy_uj) FROM node_energy"));
    }
    assert_eq!(sums.into_values().collect::<Vec<_>>(), [0, 300_000_000, 600_000_000, 900_000_000, 1_200_000_000]);
    assert_eq!(temp.number("SELECT count(*) FROM block"), 2, "a clock that is set begins a block");
}

#[test]
fn a_sampler_that_starts_again_counts_from_zero() {
    let temp = TempHistory::new();
    let history = temp.open();
    for (sequence, seconds, counter) in [(1, 0, 50), (2, 10, 70), (1, 20, 3), (2, 30, 8)] {
        let mut snapshot = snapshot(sequence, at(seconds), counter);
        snapshot.units.push(row(unit("a.service"), counter));
        history.record(&snapshot).unwrap();
    }
    assert_eq!(temp.number("SELECT sum(energy_uj) FROM node_energy"), 20 + 8);
    assert_eq!(temp.number("SELECT sum(package_uj) FROM workload_energy"), 20 + 8);
}

#[test]
fn the_same_snapshot_again_adds_nothing() {
    let temp = TempHistory::new();
    let history = temp.open();
    history.record(&snapshot(1, at(0), 0)).unwrap();
    for _ in 0..3 {
        history.record(&snapshot(2, at(5), 40)).unwrap();
    }
    assert_eq!(temp.number("SELECT sum(energy_uj) FROM node_energy"), 40);
}

#[test]
fn cpu_time_older_than_the_last_record_does_not_count() {
    let temp = TempHistory::new();
    let history = temp.open();
    history.record(&snapshot(1, at(0), 0)).unwrap();
    let mut second = snapshot(2, at(10), 0);
    second.units = vec![row(unit("old.service"), 0), row(unit("new.service"), 0)];
    second.units[0].cpu_time = Duration::from_secs(41); // 4 processors for 10 s are 40 s
    second.units[1].cpu_time = Duration::from_secs(39);
    history.record(&second).unwrap();
    assert_eq!(temp.number("SELECT sum(cpu_us) FROM workload_energy"), 39_000_000);
}

#[test]
fn a_terminated_workload_keeps_its_last_energy_and_gets_no_more_rows() {
    let temp = TempHistory::new();
    let history = temp.open();
    let seen = |sequence, seconds, counter, state| {
        let mut snapshot = snapshot(sequence, at(seconds), counter);
        snapshot.units.push(row(unit("job.service"), counter));
        snapshot.units[0].state = state;
        history.record(&snapshot).unwrap();
    };
    seen(1, 0, 0, State::Running);
    seen(2, 10, 5, State::Running);
    seen(3, 300, 9, State::Terminated);
    seen(4, 600, 9, State::Terminated);
    assert_eq!(temp.number("SELECT sum(package_uj) FROM workload_energy"), 9);
    assert_eq!(temp.number("SELECT count(*) FROM workload_energy"), 1);
    assert_eq!(temp.number("SELECT running FROM workload"), 0);
}
