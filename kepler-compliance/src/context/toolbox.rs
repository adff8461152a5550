//! The owned state for calling the tools: a [`Context`] without the time.

use super::Context;
use crate::choices::{ChoiceSource, NoChoices};
use crate::intensity::IntensitySource;
use crate::settings::Settings;
use crate::standards::Standards;
use crate::view::EnergyView;
use crate::zones::Zones;
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;

/// Owns, or shares, what the tools work with.
///
/// ```
/// use kepler_compliance::intensity::IntensityTable;
/// use kepler_compliance::standards::Standards;
/// use kepler_compliance::tools::{Settings, Toolbox};
/// use kepler_compliance::view::{HistoryRing, RingOptions};
/// use kepler_compliance::zones::Zones;
/// use std::sync::Arc;
///
/// let zones = Zones::embedded()?;
/// let view = Arc::new(HistoryRing::new("live", "node-1", RingOptions::default()));
/// let intensity = Arc::new(IntensityTable::from_zones(&zones));
/// let mut toolbox = Toolbox::new(view, Standards::embedded()?, zones, intensity);
/// toolbox.settings = Settings::default().with(|settings| settings.region = Some("KR".into()));
/// let now = "2026-11-21T00:00:00Z".parse()?;
/// assert_eq!(toolbox.context(now).view.name(), "live");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
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
    /// What pods, namespaces and nodes choose for themselves.
    pub choices: Arc<dyn ChoiceSource>,
}

impl Toolbox {
    /// A toolbox that knows nothing of the facility.
    pub fn new(
        view: Arc<dyn EnergyView>,
        standards: Standards,
        zones: Zones,
        intensity: Arc<dyn IntensitySource>,
    ) -> Self {
        Toolbox { view, standards, zones, intensity, settings: Settings::default(), choices: Arc::new(NoChoices) }
    }

    /// What a tool needs to answer when the clock shows `clock`; see [`Context::new`] for the moment it answers for.
    #[must_use]
    pub fn context(&self, clock: Timestamp) -> Context<'_> {
        let context = Context::new(&*self.view, &self.standards, &self.zones, &*self.intensity, &self.settings, clock);
        context.choosing(&*self.choices)
    }
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (view, intensity) = (self.view.name(), self.intensity.name());
        f.debug_struct("Toolbox").field("view", &view).field("intensity", &intensity).finish_non_exhaustive()
    }
}
