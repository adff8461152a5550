//! The whole machine: what its service processor (BMC), its firmware or a meter at the socket says that it draws.
//!
//! Such meters are slow: a BMC answers after a second or a minute, and what it says may be older still. So they are
//! not read at a tick. The task that asks them, on a schedule of its own, reports to a [`PlatformBoard`] each reading with the
//! reading's own time; the board sums up power over the time between two readings, and a tick takes over what is there.
//! A platform contains the zones and devices of the machine, so it is never added to them.
//!
//! ```
//! use kepler_core::host::Timestamp;
//! use kepler_core::platform::{PlatformBoard, PlatformMeter, PlatformReading};
//! use kepler_core::units::{Energy, Power};
//! use std::time::Duration;
//!
//! let board = PlatformBoard::default();
//! let meter = PlatformMeter::new("redfish", "bmc-1", "Chassis-1").with(|meter| meter.source_type = "PowerControl".into());
//! let start = Timestamp::now();
//! for seconds in [0, 10] {
//!     let received = start.advanced(Duration::from_secs(seconds));
//!     // The BMC measured a second before it answered.
//!     board.report(&meter, PlatformReading::new(Power::from_watts(250.0), received).aged(Duration::from_secs(1)));
//! }
//! assert_eq!(board.energy(&meter), Some(Energy::from_joules(2500.0)));
//! ```

mod board;
mod followed;
mod hwmon;
#[cfg(feature = "ipmi")]
mod ipmi;
mod poller;

pub(crate) use board::BoardRow;
pub use board::PlatformBoard;
pub(crate) use followed::Segment;
pub use hwmon::PlatformHwmon;
#[cfg(feature = "ipmi")]
pub use ipmi::Ipmi;
pub use poller::{PlatformError, PlatformPoller, PlatformRound, PlatformRounds, PlatformSource};

use crate::host::Timestamp;
use crate::meter::Method;
use crate::units::Power;
use std::sync::Arc;
use std::time::Duration;

/// A meter of the whole machine, and how far its readings are believed.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PlatformMeter {
    /// By what it is asked, a short fixed word: `redfish`, `ipmi`, `acpi`, `hwmon`, `prometheus`, `http`; `calibration` of an
    /// estimate by what a [calibration](crate::calibration::wall) has learned.
    pub source: &'static str,
    /// Which service processor or outside meter, by its name in the configuration. Empty for meters of the machine itself.
    pub bmc_id: Arc<str>,
    /// Which chassis of it.
    pub chassis_id: Arc<str>,
    /// Which of the chassis' figures was chosen.
    pub source_id: Arc<str>,
    /// The same for people.
    pub source_name: Arc<str>,
    /// The kind of figure: `EnvironmentMetrics`, `PowerSupply`, `PowerControl`, …
    pub source_type: Arc<str>,
    /// Where it is read, for people.
    pub path: Arc<str>,
    /// What it measures.
    pub scope: PlatformScope,
    /// Whether what the machine's accelerators draw is contained.
    pub contains_gpus: bool,
    /// Whether its energy is measured or estimated.
    pub method: Method,
    /// The most that it can plausibly show.
    pub max_power: Power,
    /// A reading that is older says nothing about now.
    pub max_age: Duration,
    /// The longest time between two readings in which the mean of both is taken for what was drawn.
    pub max_gap: Duration,
}

/// Whether what the whole machine draws beside its parts is charged to workloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum PlatformAttribution {
    /// It is shown beside the zones, and charged to none.
    #[default]
    None,
    /// Each workload is charged by its part of what the machine's parts drew meanwhile, as the zone
    /// [`Platform`](crate::units::ZoneKind::Platform): who drew a tenth of that, is charged a tenth of the rest. What they drew idle
    /// takes its part of the rest as well, and that stays idle.
    Proportional,
}

impl PlatformAttribution {
    /// Its name: `none`, `proportional`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PlatformAttribution::None => "none",
            PlatformAttribution::Proportional => "proportional",
        }
    }
}

/// What a [`PlatformMeter`] measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum PlatformScope {
    /// This node, all of it, and nothing else.
    Node,
    /// Something of which it is not known whether it is all of this node: one chassis of several.
    Part,
    /// More than this node: an enclosure, a rack. It must not be summed over the nodes that report it.
    Shared,
}

impl PlatformScope {
    /// Its name: `node`, `part`, `shared`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PlatformScope::Node => "node",
            PlatformScope::Part => "part",
            PlatformScope::Shared => "shared",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [PlatformScope::Node, PlatformScope::Part, PlatformScope::Shared].into_iter().find(|scope| scope.name() == name)
    }
}

impl PlatformMeter {
    /// No single server of today draws more. BMCs have been seen to report 160 kW for one.
    pub const PLAUSIBLE_MAXIMUM: Power = Power::from_watts(30_000.0);
    /// How old a reading may be, if nothing else is said.
    pub const MAX_AGE: Duration = Duration::from_secs(120);
    /// How far apart two readings may be, if nothing else is said: slow BMCs answer once a minute.
    pub const MAX_GAP: Duration = Duration::from_secs(300);

    /// A meter with nothing known but which one it is. It is taken to measure this node with its accelerators.
    #[must_use]
    pub fn new(source: &'static str, bmc_id: impl Into<Arc<str>>, chassis_id: impl Into<Arc<str>>) -> Self {
        let nothing: Arc<str> = Arc::from("");
        let chassis_id = chassis_id.into();
        PlatformMeter {
            source,
            bmc_id: bmc_id.into(),
            path: Arc::clone(&chassis_id),
            chassis_id,
            source_id: Arc::clone(&nothing),
            source_name: Arc::clone(&nothing),
            source_type: nothing,
            scope: PlatformScope::Node,
            contains_gpus: true,
            method: Method::Measured,
            max_power: PlatformMeter::PLAUSIBLE_MAXIMUM,
            max_age: PlatformMeter::MAX_AGE,
            max_gap: PlatformMeter::MAX_GAP,
        }
    }

    /// This meter with a change, as in `PlatformMeter::new("ipmi", "", "").with(|meter| meter.source_id = "dcmi".into())`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Whether both are the same figure of the same meter, however it is believed.
    #[must_use]
    pub fn is_same(&self, other: &PlatformMeter) -> bool {
        self.source == other.source
            && self.bmc_id == other.bmc_id
            && self.chassis_id == other.chassis_id
            && self.source_type == other.source_type
            && self.source_id == other.source_id
    }
}

/// What a meter showed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlatformReading {
    /// The power.
    pub power: Power,
    /// When it was received.
    pub received: Timestamp,
    /// How old it was then.
    pub age: Duration,
}

impl PlatformReading {
    /// A reading that was taken when it was received.
    #[must_use]
    pub const fn new(power: Power, received: Timestamp) -> Self {
        PlatformReading { power, received, age: Duration::ZERO }
    }

    /// The same, of which it is known that it was this old when it was received.
    #[must_use]
    pub const fn aged(self, age: Duration) -> Self {
        PlatformReading { age, ..self }
    }
}
