//! The known data of a facility, for callers with formulas of their own.

use super::{Facility, Input};
use crate::context::Context;
use crate::messages::render_all;
use crate::text::Lang;
use crate::units::{CarbonIntensity, Pue};
use crate::zones::UnknownZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A facility: where it is and what its electricity emits, each figure with its origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Site {
    /// The region, as it was named.
    pub region: String,
    /// It was not named: it is the default one.
    pub is_region_assumed: bool,
    /// Its grid zone.
    pub zone: String,
    /// The zone's name.
    pub zone_name: String,
    /// ISO 3166-1 alpha-2 code of its country.
    pub country: String,
    /// IANA time zone; `null` where the zone has several.
    pub time_zone: Option<String>,
    /// Grid intensity, gCO2e/kWh; `null` where none is published.
    pub grid_intensity: Option<Input>,
    /// PUE; `null` where none is published.
    pub pue: Option<Input>,
    /// What weakens the figures.
    pub caveats: Vec<String>,
}

impl Site {
    /// Intensity of the grid, where known.
    #[must_use]
    pub fn grid(&self) -> Option<CarbonIntensity> {
        self.grid_intensity.as_ref().map(|grid| CarbonIntensity::from_grams_per_kilowatt_hour(grid.value))
    }

    /// PUE, where known.
    #[must_use]
    pub fn ratio(&self) -> Option<Pue> {
        self.pue.as_ref().and_then(|pue| Pue::new(pue.value).ok())
    }
}

/// The facility that a request for `region` means: as every tool takes it.
///
/// # Errors
/// No zone has the name.
pub fn site(context: &Context<'_>, region: Option<&str>, lang: Lang) -> Result<Site, UnknownZone> {
    let facility = Facility::of(context, region)?;
    let input = |name: &str| facility.inputs(lang).into_iter().find(|input| input.name == name);
    Ok(Site {
        grid_intensity: input("grid_intensity"),
        pue: input("pue"),
        caveats: render_all(&facility.caveats, lang),
        is_region_assumed: region.or(context.settings.region.as_deref()).is_none(),
        region: facility.region,
        zone: facility.zone,
        zone_name: facility.zone_name.lang(lang).to_owned(),
        country: facility.country,
        time_zone: facility.time_zone,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intensity::IntensityTable;
    use crate::standards::{Basis, Standards};
    use crate::tools::{Settings, Toolbox};
    use crate::view::{HistoryRing, RingOptions};
    use crate::zones::Zones;
    use std::sync::Arc;

    #[test]
    fn a_site_has_the_figures_that_the_tools_reckon_with() {
        let zones = Zones::embedded().unwrap();
        let mut toolbox = Toolbox {
            view: Arc::new(HistoryRing::new("live", "node-1", RingOptions::default())),
            standards: Standards::embedded().unwrap(),
            intensity: Arc::new(IntensityTable::from_zones(&zones)),
            zones,
            settings: Settings::default(),
            choices: Arc::new(crate::choices::NoChoices),
        };
        let now = "2026-11-21T00:00:00Z".parse().unwrap();
        let assumed = site(&toolbox.context(now), None, Lang::En).unwrap();
        assert_eq!((assumed.country.as_str(), assumed.grid_intensity.unwrap().value), ("KR", 417.3));
        assert!(assumed.caveats.iter().any(|caveat| caveat.contains("No region is configured")));
        toolbox.settings.grid_intensity = Some(CarbonIntensity::from_grams_per_kilowatt_hour(50.0));
        let stated = site(&toolbox.context(now), None, Lang::En).unwrap();
        assert_eq!(stated.grid_intensity.map(|grid| (grid.value, grid.basis)), Some((50.0, Basis::Assumed)));
        let error = site(&toolbox.context(now), Some("atlantis"), Lang::En).unwrap_err();
        assert!(error.to_string().contains("atlantis"), "{error}");
    }
}
