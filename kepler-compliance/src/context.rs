//! The inputs of the tools: energy, rules, regions, intensities, the facility, and one moment.

mod toolbox;

pub use toolbox::Toolbox;

use crate::choices::{ChoiceSource, NoChoices};
use crate::intensity::IntensitySource;
use crate::series::span;
use crate::settings::Settings;
use crate::standards::Standards;
use crate::view::{EnergyView, NewestReading, TimeRange};
use crate::zones::Zones;
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// What the tools work with: where figures come from, the data, the facility, and the moment.
///
/// A context fixes the moment once: that of the view's newest reading ([`Context::new`]). Every request before the
/// next reading, over whatever protocol, asks for the same window and gets the same answer.
///
/// ```
/// use kepler_compliance::intensity::IntensityTable;
/// use kepler_compliance::standards::Standards;
/// use kepler_compliance::tools::{Context, Settings};
/// use kepler_compliance::view::NoView;
/// use kepler_compliance::zones::Zones;
///
/// let (zones, standards, settings) = (Zones::embedded()?, Standards::embedded()?, Settings::default());
/// let intensity = IntensityTable::from_zones(&zones);
/// let clock = "2026-11-21T00:00:00Z".parse()?;
/// let context = Context::new(&NoView, &standards, &zones, &intensity, &settings, clock);
/// assert_eq!(context.now, clock, "a view without readings leaves the clock's time");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Context<'a> {
    /// Energy.
    pub view: &'a dyn EnergyView,
    /// Rules.
    pub standards: &'a Standards,
    /// Regions.
    pub zones: &'a Zones,
    /// Grid intensity.
    pub intensity: &'a dyn IntensitySource,
    /// The facility and what electricity costs there.
    pub settings: &'a Settings,
    /// The moment to answer for. Windows end here.
    pub now: Timestamp,
    /// What pods, namespaces and nodes choose for themselves.
    pub choices: &'a dyn ChoiceSource,
    /// How old the newest reading is, where readings have stopped: figures are then of a past state.
    pub stale: Option<Duration>,
}

/// A newest reading that is older than this, and than [`MISSED_READINGS`] intervals, says that reading has stopped.
const FRESH: Duration = Duration::from_secs(60);

/// Intervals without a reading after which reading is taken to have stopped.
const MISSED_READINGS: u32 = 3;

impl<'a> Context<'a> {
    /// A context that answers when the clock shows `clock`: for the moment of the view's newest reading, or, where
    /// that is not known or old, for `clock` itself.
    #[must_use]
    pub fn new(
        view: &'a dyn EnergyView,
        standards: &'a Standards,
        zones: &'a Zones,
        intensity: &'a dyn IntensitySource,
        settings: &'a Settings,
        clock: Timestamp,
    ) -> Self {
        // A reading may come in while the clock is read; one far ahead of the clock is of another time.
        let newest = view.newest().filter(|newest| span(clock, newest.at) <= FRESH);
        let (now, stale) = match newest {
            Some(newest) if is_fresh(newest, clock) => (newest.at, None),
            Some(newest) => (clock, Some(span(newest.at, clock))),
            None => (clock, None),
        };
        Context { view, standards, zones, intensity, settings, now, choices: &NoChoices, stale }
    }

    /// The same for a given moment, whatever the view's newest reading.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Context { now, stale: None, ..self }
    }

    /// The same where pods, namespaces and nodes may choose.
    #[must_use]
    pub fn choosing(self, choices: &'a dyn ChoiceSource) -> Self {
        Context { choices, ..self }
    }

    /// The same at the same moment, asking through views that wrap those of this context: to watch what is asked.
    #[must_use]
    pub fn through<'b>(self, view: &'b dyn EnergyView, intensity: &'b dyn IntensitySource) -> Context<'b>
    where
        'a: 'b,
    {
        Context { view, intensity, ..self }
    }

    /// The window of a length that ends at the moment.
    #[must_use]
    pub fn window(&self, length: Duration) -> TimeRange {
        TimeRange::ending(self.now, length)
    }
}

fn is_fresh(newest: NewestReading, clock: Timestamp) -> bool {
    span(newest.at, clock) <= FRESH.max(newest.interval.saturating_mul(MISSED_READINGS))
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("view", &self.view.name()).field("now", &self.now).finish_non_exhaustive()
    }
}
