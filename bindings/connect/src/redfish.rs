//! What a server draws as its service processor (BMC) shows it over Redfish, reported to a
//! [`PlatformBoard`](kepler_core::platform::PlatformBoard).
//!
//! | requires | an account that may read (`ReadOnly`, `Login` privilege), or none where the BMC asks for none |
//! |---|---|
//! | units | watts, as the BMC rounds them; joules by the readings' own times |
//! | limits | 1 MiB an answer, 64 chassis, 32 power supplies; each request ends in time, and nothing waits for it |
//! | cost | one to two requests a chassis and round on a thread of its own, a round every 10 s at most |
//!
//! For each chassis one figure is chosen, the first that answers plausibly, and named in the meter's labels:
//!
//! 1. `EnvironmentMetrics`: `PowerWatts`, with the `ReadingTime` of the sensor behind it;
//! 2. `PowerSupply`: the input power of all supplies of the `PowerSubsystem`, if all of them tell;
//! 3. `PowerControl`: `PowerConsumedWatts` of the server's entry in the older `Power`.
//!
//! Figures are never added up across chassis: a blade's may be contained in its enclosure's.
//!
//! ```no_run
//! use kepler_connect::http::Secret;
//! use kepler_connect::redfish::{Bmc, BmcAccount, RedfishPoller};
//! use kepler_core::platform::PlatformBoard;
//!
//! let board = PlatformBoard::default();
//! let bmc = Bmc::new("bmc-1", "https://192.0.2.17").with(|bmc| {
//!     bmc.account = Some(BmcAccount::new("monitor", Secret::new("…")));
//! });
//! let poller = RedfishPoller::start(bmc, board.clone());
//! # drop(poller);
//! ```

mod chassis;
mod client;
mod error;
mod figure;
mod identity;
mod poller;
mod resource;
mod round;

pub use error::RedfishError;
pub use identity::HostIdentity;
pub use poller::RedfishPoller;
pub use round::{FoundChassis, probe};

use crate::http::Secret;
use kepler_core::platform::PlatformMeter;
use kepler_core::units::Power;
use std::path::PathBuf;
use std::time::Duration;

/// A service processor, and how it is asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Bmc {
    /// Its name in the configuration, the `bmc_id` label.
    pub id: String,
    /// Its address: `https://192.0.2.17`.
    pub endpoint: String,
    /// Where it is configured, for messages: a file and a line.
    pub origin: String,
    /// Who asks; `None` where no account is needed.
    pub account: Option<BmcAccount>,
    /// Whether any certificate is believed. BMCs often have one that is self-signed.
    pub insecure: bool,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How long a request may take. If nothing is said, 5 s, and up to 60 s of a BMC that needs more.
    pub timeout: Option<Duration>,
    /// The time between two rounds. It gets longer where a round takes longer.
    pub interval: Duration,
    /// The chassis of this node, where there are several.
    pub chassis: Option<String>,
    /// Other nodes that have the same BMC.
    pub shared_with: Vec<String>,
    /// Who this node is, to find its chassis among several.
    pub host: HostIdentity,
    /// Whether its figures contain what accelerators draw.
    pub contains_gpus: bool,
    /// The most that a chassis can plausibly draw.
    pub max_power: Power,
}

/// User and password at a BMC.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BmcAccount {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// How they are shown.
    pub login: BmcLogin,
}

/// How an account is shown to a BMC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BmcLogin {
    /// By a session, and with each request where the BMC has no room for another session.
    #[default]
    Auto,
    /// By a session only.
    Session,
    /// With each request only.
    Basic,
}

impl Bmc {
    /// A BMC that is asked without an account, with the limits that suit most.
    #[must_use]
    pub fn new(id: impl Into<String>, endpoint: impl Into<String>) -> Self {
        Bmc {
            id: id.into(),
            endpoint: endpoint.into(),
            origin: String::new(),
            account: None,
            insecure: false,
            ca_file: None,
            timeout: None,
            interval: Duration::from_secs(10),
            chassis: None,
            shared_with: Vec::new(),
            host: HostIdentity::default(),
            contains_gpus: true,
            max_power: PlatformMeter::PLAUSIBLE_MAXIMUM,
        }
    }

    /// This BMC with a change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl BmcAccount {
    /// An account that is shown by a session where the BMC has room for one.
    #[must_use]
    pub fn new(user: impl Into<String>, password: Secret) -> Self {
        BmcAccount { user: user.into(), password, login: BmcLogin::default() }
    }
}
