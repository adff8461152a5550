//! What was learned of the estimate by a meter of the whole machine, kept in a file over a restart.

use super::calibrate::file::{path as calibration_path, write_json};
use super::config::Config;
use super::exit::Failure;
use kepler_core::calibration::KeptCorrection;
use kepler_core::host::file::{self, FileLimits};
use kepler_core::snapshot::Feed;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Time between two writings: what a crash loses is this long, of hours.
const WRITTEN: Duration = Duration::from_secs(600);
/// A file larger than this is none of ours.
const MAX_BYTES: u64 = 1 << 16;

/// The file: beside the calibration's.
fn path(config: &Config) -> PathBuf {
    calibration_path(config).with_file_name("correction.json")
}

/// What an earlier run has kept. What cannot be used is said and left alone.
pub(super) fn read(config: &Config) -> Option<KeptCorrection> {
    let path = path(config);
    let refused = |reason: String| tracing::warn!("the correction in {} is not used: {reason}", path.display());
    match file::read(&path, FileLimits::bytes(MAX_BYTES)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string())).ok(),
        Err(error) if error.is_missing() => None,
        Err(error) => {
            refused(error.into_io().to_string());
            None
        }
    }
}

/// Writes what is learned, now and then and at the end, for as long as it lives.
pub(super) struct Keeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Begins to keep what snapshots say.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(config: &Config, feed: Feed) -> Result<Self, Failure> {
        let path = path(config);
        let (stop, stopped) = channel();
        let keep = move || {
            let mut written = None;
            loop {
                let ends = !matches!(stopped.recv_timeout(WRITTEN), Err(RecvTimeoutError::Timeout));
                let kept = feed.latest().and_then(|snapshot| snapshot.kept_correction.clone());
                if let Some(kept) = kept.filter(|kept| written.as_ref() != Some(kept)) {
                    write(&path, &kept);
                    written = Some(kept);
                }
                if ends {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("kepler-keeper".into()).spawn(keep);
        let thread = thread.map_err(Failure::to("start keeping what is learned"))?;
        Ok(Keeper { stop: Some(stop), thread: Some(thread) })
    }
}

/// Without a place for it, it is learned again after a restart: no reason not to measure.
fn write(path: &Path, kept: &Arc<KeptCorrection>) {
    if let Err(error) = write_json(path, kept.as_ref()) {
        tracing::debug!("what was learned of the estimate is not kept in {}: {error}", path.display());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been reported where it happened.
            let _ = thread.join();
        }
    }
}
