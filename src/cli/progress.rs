//! One line on a terminal while something takes long.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What takes less needs no line.
const LONG: Duration = Duration::from_secs(2);

/// Time between two changes of the line.
const STEP: Duration = Duration::from_millis(150);

/// A line on standard error that is written again and again; nothing where that is no terminal.
pub(super) struct Progress {
    is_terminal: bool,
    begun: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// Begins now: the line comes when it has taken two seconds.
    pub(super) fn start() -> Self {
        Progress { is_terminal: io::stderr().is_terminal(), begun: Instant::now(), shown: None }
    }

    /// Whether anyone can see it.
    pub(super) fn is_shown(&self) -> bool {
        self.is_terminal
    }

    /// Shows a text in place of the one before.
    pub(super) fn show(&mut self, text: impl FnOnce() -> String) {
        let is_fresh = self.shown.is_some_and(|shown| shown.elapsed() < STEP);
        if !self.is_terminal || is_fresh || self.begun.elapsed() < LONG {
            return;
        }
        self.shown = Some(Instant::now());
        say(&format!("\r\x1b[K{} ", text()));
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if self.shown.take().is_some() {
            say("\r\x1b[K");
        }
    }
}

/// How far work is, in words that any of its threads may set.
#[derive(Debug, Default)]
pub(super) struct Stage(Mutex<String>);

impl Stage {
    /// Shown from now on, in place of what was set before. Only training sets anything.
    #[cfg(feature = "model-server")]
    pub(super) fn set(&self, text: String) {
        if let Ok(mut shown) = self.0.lock() {
            *shown = text;
        }
    }

    fn text(&self) -> String {
        self.0.lock().map(|text| text.clone()).unwrap_or_default()
    }
}

/// Does something, and shows for how long it has been going on, and the stage that it sets. What it has to say goes to
/// standard output afterwards, when the line is gone.
pub(super) fn during<T>(what: &str, work: impl FnOnce(&Stage) -> T) -> T {
    let stage = Stage::default();
    if !io::stderr().is_terminal() {
        return work(&stage);
    }
    let (done, ended) = channel::<()>();
    thread::scope(|scope| {
        let stage = &stage;
        scope.spawn(move || {
            let mut progress = Progress::start();
            while matches!(ended.recv_timeout(STEP), Err(RecvTimeoutError::Timeout)) {
                let seconds = progress.begun.elapsed().as_secs();
                progress.show(|| format!("{what}: {seconds} s {}", stage.text()));
            }
        });
        let value = work(stage);
        drop(done);
        value
    })
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Writes on standard error; if that is closed, no one reads it.
pub(super) fn say(text: &str) {
    let _closed = io::stderr().lock().write_all(text.as_bytes());
}
