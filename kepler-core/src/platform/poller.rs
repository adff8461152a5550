//! A thread that reads a slow meter of the whole machine for as long as it is held.

use super::{PlatformBoard, PlatformMeter, PlatformReading};
use crate::availability::{Remedy, Unavailable};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long the end waits for a reading under way.
const PATIENCE_AT_END: Duration = Duration::from_secs(1);

/// A source of readings of the whole machine. Each reading may take seconds; it must end in time by itself.
pub trait PlatformSource: Send {
    /// By what it is asked, a short fixed word as in [`PlatformMeter::source`].
    fn source(&self) -> &'static str;

    /// Which one of that kind, as in [`PlatformMeter::bmc_id`]; empty for meters of the machine itself.
    fn id(&self) -> &str {
        ""
    }

    /// Reads all its meters once.
    ///
    /// # Errors
    /// Why there is no reading, and what would change that.
    fn read(&mut self) -> Result<Vec<(PlatformMeter, PlatformReading)>, PlatformError>;
}

/// Why a source shows no power.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{unavailable}")]
#[non_exhaustive]
pub struct PlatformError {
    /// In a fixed word, as counted at the board: `timeout`, `refused`, …
    pub fault: &'static str,
    /// In a sentence, with what would change that.
    pub unavailable: Unavailable,
}

impl PlatformError {
    /// The source cannot be read for this reason.
    #[must_use]
    pub fn new(source: &'static str, fault: &'static str, reason: impl Into<String>, remedy: Remedy) -> Self {
        PlatformError { fault, unavailable: Unavailable::new(source, reason, remedy) }
    }
}

/// What is asked for readings round by round, on a thread of its own.
pub trait PlatformRounds: Send {
    /// Asks once, and reports to a board what comes of it. A round that takes long ends early where `is_stopped` says so.
    fn round(&mut self, is_stopped: &dyn Fn() -> bool) -> PlatformRound;

    /// The pause after a round that brought readings and took this long.
    fn pause(&self, interval: Duration, took: Duration) -> Duration {
        interval.saturating_sub(took).max(took.min(interval))
    }

    /// There will be no more rounds.
    fn end(&mut self) {}
}

/// What came of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlatformRound {
    /// Readings.
    Read,
    /// Nothing: it is tried again, ever more rarely.
    Failed,
    /// Nothing, and who asks again at once does harm: an account may be locked out.
    Refused,
}

/// Asks for readings on a thread of its own for as long as it lives.
#[derive(Debug)]
pub struct PlatformPoller {
    stop: Arc<AtomicBool>,
    thread: Option<Thread>,
    ended: Receiver<()>,
    patience: Duration,
}

impl PlatformPoller {
    /// Begins to read, once an `interval`. What cannot be had is counted at the board and said in the log, by `name`; it is
    /// tried again and again, ever more rarely.
    #[must_use]
    pub fn start(source: Box<dyn PlatformSource>, name: String, interval: Duration, board: PlatformBoard) -> Self {
        let of = source.source();
        let work = Work { source, name, board, known: Vec::new(), said: None };
        PlatformPoller::run(Box::new(work), of, interval, PATIENCE_AT_END)
    }

    /// Begins to ask round by round, once an `interval`. The thread is named by `source`; when this is dropped, a round under way
    /// and the end are waited for with `patience`.
    #[must_use]
    pub fn run(rounds: Box<dyn PlatformRounds>, source: &str, interval: Duration, patience: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (ending, ended) = mpsc::channel();
        let stopped = Arc::clone(&stop);
        let spawned = thread::Builder::new().name(format!("kepler-{source}")).spawn(move || {
            work(rounds, interval, &|| stopped.load(Ordering::Acquire));
            // The receiver may be gone.
            let _ = ending.send(());
        });
        let thread = match spawned {
            Ok(handle) => Some(handle.thread().clone()),
            Err(error) => {
                tracing::error!("no thread can be started to read the power of the machine: {error}");
                None
            }
        };
        PlatformPoller { stop, thread, ended, patience }
    }
}

impl Drop for PlatformPoller {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.unpark();
            // One that hangs is not waited for: its thread ends with the process.
            let _ = self.ended.recv_timeout(self.patience);
        }
    }
}

fn work(mut rounds: Box<dyn PlatformRounds>, interval: Duration, is_stopped: &dyn Fn() -> bool) {
    let mut failures = 0;
    while !is_stopped() {
        let begun = Instant::now();
        let pause = match rounds.round(is_stopped) {
            PlatformRound::Read => {
                failures = 0;
                rounds.pause(interval, begun.elapsed())
            }
            outcome => {
                failures += 1;
                pause_after(outcome, interval, failures)
            }
        };
        let until = Instant::now() + pause;
        while !is_stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            thread::park_timeout(left);
        }
    }
    rounds.end();
}

/// The pause after so many rounds in a row that brought nothing.
fn pause_after(outcome: PlatformRound, interval: Duration, failures: u32) -> Duration {
    if outcome == PlatformRound::Refused {
        return LONGEST_PAUSE;
    }
    (interval * 2u32.saturating_pow(failures.saturating_sub(1).min(16))).min(LONGEST_PAUSE.max(interval))
}

struct Work {
    source: Box<dyn PlatformSource>,
    name: String,
    board: PlatformBoard,
    /// The meters of the round before.
    known: Vec<PlatformMeter>,
    /// What is wrong, as it was said last.
    said: Option<&'static str>,
}

impl PlatformRounds for Work {
    /// Reads once.
    fn round(&mut self, _is_stopped: &dyn Fn() -> bool) -> PlatformRound {
        let Work { source, name, board, known, said } = self;
        match source.read() {
            Ok(readings) => {
                let mut doubted = None;
                for (meter, reading) in &readings {
                    if !known.iter().any(|known| known.is_same(meter)) {
                        let PlatformMeter { source_type, source_name, path, .. } = meter;
                        tracing::info!("{name}: platform power by {source_type} `{source_name}` ({path})");
                    }
                    board.report(meter, *reading);
                    doubted = doubted.or_else(|| board.fault(meter));
                }
                let is_gone = |old: &&PlatformMeter| !readings.iter().any(|(new, _)| new.is_same(old));
                known.iter().filter(is_gone).for_each(|gone| board.withdraw(gone));
                *known = readings.into_iter().map(|(meter, _)| meter).collect();
                match (doubted, said.take()) {
                    (Some(fault), before) => {
                        if before != Some(fault) {
                            tracing::warn!("{name}: the figure is {fault} and adds no energy");
                        }
                        *said = Some(fault);
                    }
                    (None, Some(_)) => tracing::info!("{name}: platform power is read again"),
                    (None, None) => {}
                }
                PlatformRound::Read
            }
            Err(error) => {
                board.fail_all(source.source(), source.id(), error.fault);
                if *said != Some(error.fault) {
                    tracing::warn!("{name}: no platform power: {error}");
                    *said = Some(error.fault);
                }
                PlatformRound::Failed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Timestamp;
    use crate::units::Power;

    /// Says what it is told, one after the other, then nothing more.
    struct Told(Vec<Result<Vec<&'static str>, &'static str>>);

    impl PlatformSource for Told {
        fn source(&self) -> &'static str {
            "acpi"
        }

        fn read(&mut self) -> Result<Vec<(PlatformMeter, PlatformReading)>, PlatformError> {
            let reading = PlatformReading::new(Power::from_watts(100.0), Timestamp::now());
            let of = |chassis: &str| (PlatformMeter::new("acpi", "", chassis), reading);
            match self.0.pop() {
                Some(Ok(meters)) => Ok(meters.into_iter().map(of).collect()),
                Some(Err(fault)) => Err(PlatformError::new("acpi", fault, "it is told so", Remedy::None)),
                None => Err(PlatformError::new("acpi", "no_power", "there is nothing left", Remedy::None)),
            }
        }
    }

    #[test]
    fn readings_and_failures_reach_the_board_and_a_meter_that_went_is_withdrawn() {
        let board = PlatformBoard::default();
        let told = vec![Ok(vec!["b"]), Err("timeout"), Ok(vec!["a", "b"])];
        let mut work = Work {
            source: Box::new(Told(told)),
            name: "test".into(),
            board: board.clone(),
            known: Vec::new(),
            said: None,
        };
        let meter = |chassis: &str| PlatformMeter::new("acpi", "", chassis);
        assert_eq!(work.round(&|| false), PlatformRound::Read);
        assert_eq!((board.fault(&meter("a")), board.fault(&meter("b"))), (None, None));
        assert_eq!(work.round(&|| false), PlatformRound::Failed);
        assert_eq!(board.fault(&meter("b")), Some("timeout"));
        assert_eq!(work.round(&|| false), PlatformRound::Read);
        assert_eq!((board.fault(&meter("a")), board.fault(&meter("b"))), (Some("replaced"), None));
    }

    #[test]
    fn a_source_is_read_until_it_is_dropped() {
        let board = PlatformBoard::default();
        let poller = PlatformPoller::start(
            Box::new(Told(vec![Ok(vec!["a"])])),
            "test".into(),
            Duration::from_millis(1),
            board.clone(),
        );
        let (meter, since) = (PlatformMeter::new("acpi", "", "a"), Instant::now());
        while board.fault(&meter) != Some("no_power") {
            assert!(since.elapsed() < Duration::from_secs(30), "it is not read");
            thread::yield_now();
        }
        drop(poller);
    }

    #[test]
    fn pauses_keep_the_pace_and_grow_with_failures() {
        let seconds = Duration::from_secs;
        let rounds = Work {
            source: Box::new(Told(Vec::new())),
            name: String::new(),
            board: PlatformBoard::default(),
            known: Vec::new(),
            said: None,
        };
        assert_eq!(rounds.pause(seconds(5), seconds(1)), seconds(4));
        assert_eq!(rounds.pause(seconds(5), seconds(60)), seconds(5));
        let failed = |failures| pause_after(PlatformRound::Failed, seconds(5), failures);
        assert_eq!([1, 2, 3, 60].map(failed), [5, 10, 20, 300].map(seconds));
        assert_eq!(pause_after(PlatformRound::Refused, seconds(5), 1), LONGEST_PAUSE);
    }
}
