//! What a hub remembers in a file.

use super::super::super::config::Config;
use super::super::super::exit::Failure;
use jiff::Timestamp;
use kepler_compliance::history::{FleetHistory, FleetHistoryOptions, HistoryError};
use kepler_compliance::view::{EnergyView, LayeredView, TimeRange, ViewError};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The length of a record. What is in memory reaches further back.
const RECORD: Duration = Duration::from_secs(15 * 60);
/// How often it is looked whether one is due, or a file that could not be used can be.
const LOOK: Duration = Duration::from_secs(10);

/// Records what a view tells, on a thread of its own, as long as it lives.
pub(super) struct HubHistory {
    /// The view over what is in memory and in the file.
    pub(super) view: Arc<dyn EnergyView>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HubHistory {
    /// Begins to record what `recent` tells.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(config: &Config, recent: &Arc<dyn EnergyView>, path: PathBuf) -> Result<Self, Failure> {
        let options = FleetHistoryOptions::default().with(|options| {
            options.max_age = Some(config.history.retention);
            options.max_bytes = Some(config.history.max_bytes);
        });
        let older: Arc<OnceLock<Arc<dyn EnergyView>>> = Arc::default();
        let view = Arc::new(LayeredView::new(Arc::clone(recent), Arc::clone(&older)));
        let mut recorder = Recorder {
            path,
            options,
            recent: Arc::clone(recent),
            older,
            history: None,
            from: Timestamp::now(),
            fault: None,
        };
        let (stop, stopped) = channel();
        let keep = move || {
            loop {
                let ends = !matches!(stopped.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout));
                recorder.look(ends);
                if ends {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("kepler-history".into()).spawn(keep);
        let thread = thread.map_err(Failure::to("start remembering what was measured"))?;
        Ok(HubHistory { view, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for HubHistory {
    /// Waits until what is known is recorded.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been reported where it happened.
            let _ = thread.join();
        }
    }
}

struct Recorder {
    path: PathBuf,
    options: FleetHistoryOptions,
    recent: Arc<dyn EnergyView>,
    /// Where readers find the file once it is open.
    older: Arc<OnceLock<Arc<dyn EnergyView>>>,
    history: Option<Arc<FleetHistory>>,
    /// What was used before is recorded.
    from: Timestamp,
    /// What was last complained about, so that it is said once.
    fault: Option<String>,
}

impl Recorder {
    /// Records if it is time, or the program `ends`. A file that cannot be used is no reason not to poll: it is tried again.
    fn look(&mut self, ends: bool) {
        let fault = self.open().and_then(|history| self.record(&history, ends)).err().map(|error| error.to_string());
        if fault != self.fault {
            match &fault {
                Some(fault) => tracing::error!("nothing is remembered: {fault}"),
                None => tracing::info!("remembering again in {}", self.path.display()),
            }
        }
        self.fault = fault;
    }

    fn record(&mut self, history: &FleetHistory, ends: bool) -> Result<(), HistoryError> {
        let Some(newest) = self.recent.newest() else { return Ok(()) };
        let range = TimeRange { start: self.from, end: newest.at };
        if range.length() < if ends { Duration::from_secs(1) } else { RECORD } {
            return Ok(());
        }
        match self.recent.inventory(range) {
            Ok(inventory) => history.record(&inventory).map(drop)?,
            // A time in which no node answered is a gap.
            Err(ViewError::NoData { .. } | ViewError::Unavailable { .. }) => {}
            Err(error) => tracing::debug!("nothing to remember: {error}"),
        }
        self.from = range.end;
        Ok(())
    }

    fn open(&mut self) -> Result<Arc<FleetHistory>, HistoryError> {
        if let Some(history) = &self.history {
            return Ok(Arc::clone(history));
        }
        let history = Arc::new(FleetHistory::open(&self.path, self.options.clone())?);
        tracing::info!("keeping history in {}", self.path.display());
        self.from = history.end().map_or(self.from, |end| end.max(self.from));
        let _ = self.older.set(Arc::clone(&history) as Arc<dyn EnergyView>);
        Ok(Arc::clone(self.history.insert(history)))
    }
}
