//! What a frontend keeps to call the tools: everything of a [`Context`] but the time.

use super::{Context, Settings};
use crate::intensity::IntensitySource;
use crate::series::span;
use crate::standards::Standards;
use crate::view::EnergyView;
use crate::zones::Zones;
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Owns, or shares, what the tools work with.
///
/// ```
/// use kepler_compliance::intensity::Table;
/// use kepler_compliance::standards::Standards;
/// use kepler_compliance::tools::{Settings, Toolbox};
/// use kepler_compliance::view::{HistoryRing, RingOptions};
/// use kepler_compliance::zones::Zones;
/// use std::sync::Arc;
///
/// let zones = Zones::embedded()?;
/// let toolbox = Toolbox {
///     view: Arc::new(HistoryRing::new("live", "node-1", RingOptions::default())),
///     standards: Standards::embedded()?,
///     intensity: Arc::new(Table::from_zones(&zones)),
///     zones,
///     settings: Settings::default(),
/// };
/// let now = "2026-11-21T00:00:00Z".parse()?;
/// assert_eq!(toolbox.context(now).view.name(), "live");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Toolbox {
    /// Energy.
    pub view: Arc<dyn EnergyView>,
    /// Rules.
    pub standards: Standards,
    /// Regions.
    pub zones: Zones,
    /// Grid intensity.
    pub intensity: Arc<dyn IntensitySource>,
    /// The facility and what electricity costs there.
    pub settings: Settings,
}

/// A newest reading that is older than this says that reading has stopped, and answers must show it.
const FRESH: Duration = Duration::from_secs(60);

impl Toolbox {
    /// The time to answer for at `now`: that of the view's newest reading, so that all who ask before the next
    /// one are told the same; `now` itself where that is not known or not recent.
    #[must_use]
    pub fn moment(&self, now: Timestamp) -> Timestamp {
        let newest = self.view.newest().filter(|newest| *newest <= now && span(*newest, now) <= FRESH);
        newest.unwrap_or(now)
    }

    /// What a tool needs to answer at `now`.
    #[must_use]
    pub fn context(&self, now: Timestamp) -> Context<'_> {
        Context {
            view: &*self.view,
            standards: &self.standards,
            zones: &self.zones,
            intensity: &*self.intensity,
            settings: &self.settings,
            now,
        }
    }
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (view, intensity) = (self.view.name(), self.intensity.name());
        f.debug_struct("Toolbox").field("view", &view).field("intensity", &intensity).finish_non_exhaustive()
    }
}
