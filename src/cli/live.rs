//! Data of the tools in a long-running program: measurements and embedded tables.

mod recorder;

use super::carbon;
use super::config::Config;
use super::exit::Failure;
use kepler_compliance::tools::Toolbox;
use kepler_compliance::view::{EnergyView, LayeredView, LiveView, RingOptions};
use kepler_core::monitor::Monitor;
use recorder::Recorder;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

/// The tools over what `view` knows.
///
/// # Errors
/// When the data cannot be read, or a source of intensities cannot be used.
pub(super) fn toolbox(config: &Config, view: Arc<dyn EnergyView>) -> Result<Toolbox, Failure> {
    let zones = carbon::zones()?;
    let intensity = carbon::intensity(config, &zones)?;
    let mut toolbox = Toolbox::new(view, carbon::standards(config)?, zones, intensity);
    toolbox.settings = config.facility.clone();
    Ok(toolbox)
}

/// Keeps what a monitor sees, for as long as it lives: in memory, and in a file where one is configured.
///
/// It does so on a thread of its own: a record of a large node takes milliseconds, and a disk may take longer.
pub(super) struct HistoryThread {
    view: Arc<dyn EnergyView>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HistoryThread {
    /// Begins with what `monitor` has seen already.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(config: &Config, monitor: &Monitor) -> Result<Self, Failure> {
        let feed = monitor.feed();
        let live = Arc::new(LiveView::new(feed.clone(), config.node_name(), RingOptions::default()));
        let older: Arc<OnceLock<Arc<dyn EnergyView>>> = Arc::default();
        let view = Arc::new(LayeredView::new(Arc::clone(&live) as Arc<dyn EnergyView>, Arc::clone(&older)));
        let interval = monitor.interval();
        let mut recorder = Recorder::new(config, older);
        let (stop, stopped) = channel();
        let keep = move || {
            loop {
                live.observe();
                let ends = !matches!(stopped.recv_timeout(interval), Err(RecvTimeoutError::Timeout));
                if let (Some(recorder), Some(snapshot)) = (&mut recorder, feed.latest()) {
                    recorder.record(&snapshot, ends);
                }
                if ends {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("kepler-history".into()).spawn(keep);
        let thread = thread.map_err(Failure::to("start remembering what was measured"))?;
        Ok(HistoryThread { view, stop: Some(stop), thread: Some(thread) })
    }

    /// What is kept.
    pub(super) fn view(&self) -> Arc<dyn EnergyView> {
        Arc::clone(&self.view)
    }
}

impl Drop for HistoryThread {
    /// Waits until the last snapshot is recorded.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been reported where it happened.
            let _ = thread.join();
        }
    }
}
