//! The thread that asks a BMC.

use super::Bmc;
use super::error::RedfishError;
use super::round::Rounds;
use kepler_core::platform::{PlatformBoard, PlatformPoller, PlatformRound, PlatformRounds};
use std::time::Duration;

/// How long the end waits for a request under way and for the session to be ended.
const PATIENCE_AT_END: Duration = Duration::from_secs(3);

/// Asks a BMC on a thread of its own for as long as it lives, and ends its session.
#[derive(Debug)]
pub struct RedfishPoller {
    _poller: Option<PlatformPoller>,
}

impl RedfishPoller {
    /// Begins to ask. What cannot be had is counted at the board and said in the log; it is tried again and again.
    #[must_use]
    pub fn start(bmc: Bmc, board: PlatformBoard) -> Self {
        let (id, origin, interval) = (bmc.id.clone(), bmc.origin.clone(), bmc.interval);
        let poller = match Rounds::new(bmc, board.clone()) {
            Ok(rounds) => Some(PlatformPoller::run(Box::new(rounds), "redfish", interval, PATIENCE_AT_END)),
            Err(error) => {
                board.fail_all("redfish", &id, error.fault());
                tracing::error!("{origin}: BMC `{id}` cannot be asked: {error}");
                None
            }
        };
        RedfishPoller { _poller: poller }
    }
}

impl PlatformRounds for Rounds {
    fn round(&mut self, is_stopped: &dyn Fn() -> bool) -> PlatformRound {
        match self.run(is_stopped) {
            Ok(()) => PlatformRound::Read,
            // Some BMCs lock out an account that tries again.
            Err(RedfishError::Refused { .. } | RedfishError::Certificate { .. }) => PlatformRound::Refused,
            Err(_) => PlatformRound::Failed,
        }
    }

    /// A BMC that needs half a minute for an answer has as long a rest.
    fn pause(&self, interval: Duration, took: Duration) -> Duration {
        interval.saturating_sub(took).max(took)
    }

    fn end(&mut self) {
        self.client.log_out();
    }
}
