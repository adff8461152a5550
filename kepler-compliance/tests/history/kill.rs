//! A writer that is killed in the middle of writing leaves a whole file behind.

use crate::snapshots::{at, row, snapshot, unit};
use crate::{TempHistory, number};
use kepler_compliance::history::{History, HistoryOptions};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Tells the child of [`a_killed_writer_loses_no_record`] which file to write.
const FILE: &str = "KEPLER_TEST_HISTORY";

/// Workloads in each of the child's records.
const UNITS: u64 = 50;

/// Not a test: the process that gets killed. It records for ever, and says so after each record.
#[test]
#[ignore = "the child process of another test"]
fn writes_until_it_is_killed() {
    let Ok(path) = std::env::var(FILE) else { return };
    let options = HistoryOptions::default().with(|options| options.max_bytes = Some(400_000));
    let history = History::open(path, options).unwrap();
    for sequence in 1.. {
        // A minute a record: intervals, blocks and the size bound all come around often.
        let mut snapshot = snapshot(sequence, at(sequence * 60), sequence * UNITS * 8);
        snapshot.units = (0..UNITS).map(|n| row(unit(&format!("{n}.service")), sequence * 8)).collect();
        history.record(&snapshot).unwrap();
        println!("recorded {sequence}");
    }
}

struct Writer {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Writer {
    fn start(temp: &TempHistory) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(FILE, temp.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Writer { child, lines }
    }

    /// The number of the next record that the child says is stored; none when it has ended.
    fn next_record(&mut self) -> Option<u64> {
        loop {
            let line = self.lines.next()?.unwrap();
            // The test harness prints the test's name before the first one, on the same line.
            if let Some((_, number)) = line.split_once("recorded ") {
                return number.trim().parse().ok();
            }
        }
    }

    /// Kills it with SIGKILL; returns the last record that it said was stored.
    fn kill(mut self) -> u64 {
        self.child.kill().unwrap();
        let mut last = 0;
        while let Some(number) = self.next_record() {
            last = number;
        }
        self.child.wait().unwrap();
        last
    }
}

#[test]
fn a_killed_writer_loses_no_record() {
    let temp = TempHistory::new();
    for round in 0..6u64 {
        let before = if round == 0 { 0 } else { number(&temp.path(), "SELECT max(id) FROM interval") };
        let mut writer = Writer::start(&temp);
        writer.next_record().expect("the child records");
        std::thread::sleep(Duration::from_micros(60_000 + 17_351 * round));
        let acknowledged = writer.kill();
        assert!(acknowledged > 2, "the child got to write: {acknowledged}");

        assert_eq!(check(&temp), "ok", "round {round}");
        // Every interval is whole: the workloads' energy is the node's, in each of them.
        let torn = number(
            &temp.path(),
            "SELECT count(*) FROM interval AS i WHERE
                 (SELECT energy_uj FROM node_energy WHERE interval = i.id) IS NOT
                 (SELECT sum(package_uj) FROM workload_energy WHERE block = i.block AND interval = i.id)",
        );
        assert_eq!(torn, 0, "round {round}");
        // Each record but the first, which only lays the ground, is a minute of an interval: five records
        // an interval. What the child said is stored is stored, at most one more was on its way.
        let newest = "SELECT max(end_ms) FROM interval WHERE id > ";
        let end = number(&temp.path(), &format!("{newest}{before}")) / 1000;
        let recorded = (end as u64 - crate::snapshots::START) / 60;
        assert!((acknowledged..=acknowledged + 1).contains(&recorded), "{acknowledged} said, {recorded} stored");
    }
    drop(temp.open());
}

fn check(temp: &TempHistory) -> String {
    let connection = rusqlite::Connection::open(temp.path()).unwrap();
    connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}
