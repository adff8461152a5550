//! From snapshots to the history file.

use super::super::config::Config;
use kepler_compliance::history::{History, HistoryError, HistoryOptions};
use kepler_compliance::view::EnergyView;
use kepler_core::snapshot::Snapshot;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Time between two records. Counters lose nothing in between, so it need not be each snapshot; what a crash
/// loses is this long.
const RECORD: Duration = Duration::from_secs(30);

/// Writes the history. A file that cannot be used is no reason not to measure: it is tried again, as who
/// writes it now may end, and a disk may be mounted or emptied.
pub(super) struct Recorder {
    path: PathBuf,
    options: HistoryOptions,
    history: Option<Arc<History>>,
    /// Where readers find it once it is open.
    readable: Arc<OnceLock<Arc<dyn EnergyView>>>,
    recorded: Option<Instant>,
    /// What was last complained about, so that it is said once.
    fault: Option<String>,
}

impl Recorder {
    /// None where nothing is to be remembered.
    pub(super) fn new(config: &Config, readable: Arc<OnceLock<Arc<dyn EnergyView>>>) -> Option<Self> {
        let options = HistoryOptions::default().with(|options| {
            options.node = config.node_name().into();
            options.max_age = Some(config.history.retention);
            options.max_bytes = Some(config.history.max_bytes);
        });
        let path = config.history.path.clone()?;
        Some(Recorder { path, options, history: None, readable, recorded: None, fault: None })
    }

    /// Records `snapshot` if it is time, or `at_once`.
    pub(super) fn record(&mut self, snapshot: &Snapshot, at_once: bool) {
        if !at_once && self.recorded.is_some_and(|at| at.elapsed() < RECORD) {
            return;
        }
        self.recorded = Some(Instant::now());
        let done = self.open().and_then(|history| history.record(snapshot));
        let fault = done.err().map(|error| error.to_string());
        if fault != self.fault {
            match &fault {
                Some(fault) => tracing::error!("nothing is remembered: {fault}"),
                None => tracing::info!("remembering again in {}", self.path.display()),
            }
        }
        self.fault = fault;
    }

    fn open(&mut self) -> Result<&History, HistoryError> {
        let history = match self.history.take() {
            Some(history) => history,
            None => {
                let history = Arc::new(History::open(&self.path, self.options.clone())?);
                tracing::info!("keeping history in {}", self.path.display());
                let _ = self.readable.set(Arc::clone(&history) as Arc<dyn EnergyView>);
                history
            }
        };
        Ok(self.history.insert(history))
    }
}
