//! Running in another region.

use super::{Advice, Change, Complexity, MIGRATION_MARGIN_PERCENT, OptimizationKind, Outcome, bounded};
use crate::carbon::effective_intensity;
use crate::context::Context;
use crate::facility::{Facility, date, year};
use crate::intensity::{AccountingMethod, Boundary, IntensityKind, Provenance};
use crate::messages::{FacilityMessage, Message, MigrationMessage, RegionMessage};
use crate::standards::{Basis, FigureSource};
use crate::text::Text;
use crate::units::{CarbonIntensity, Pue};
use crate::zones::{GridZone, UnknownZone};
use std::collections::BTreeSet;

/// A region to compare with, with all that is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) region: String,
    pub(crate) zone: String,
    pub(crate) zone_name: Text,
    pub(crate) grid: CarbonIntensity,
    /// Whose figure that is: a larger area's where the zone's own is not published.
    pub(crate) grid_zone: String,
    pub(crate) grid_source: FigureSource,
    pub(crate) grid_year: Option<i16>,
    /// Unknown where the current facility's is: then regions compare by grid intensity alone.
    pub(crate) pue: Option<(Pue, Basis)>,
    pub(crate) caveats: Vec<Message>,
}

impl Candidate {
    /// The current facility as one of the ranking, where its intensity is known.
    pub(crate) fn current(facility: &Facility) -> Option<Self> {
        let grid = facility.grid.as_ref()?;
        Some(Candidate {
            region: facility.region.clone(),
            zone: facility.zone.clone(),
            zone_name: facility.zone_name.clone(),
            grid: grid.figure.value,
            grid_zone: grid.figure.provenance.zone.clone(),
            grid_source: grid.source(),
            grid_year: year(grid.figure.period),
            pue: facility.pue.as_ref().map(|pue| (pue.value, pue.basis)),
            caveats: Vec::new(),
        })
    }

    /// Grid intensity times PUE, where that is known.
    pub(crate) fn effective(&self) -> Option<CarbonIntensity> {
        self.pue.map(|(pue, _)| effective_intensity(self.grid, pue))
    }

    /// By what candidates are ranked: grid intensity, times PUE where the comparison has one; g/kWh.
    pub(crate) fn rank(&self, by_pue: bool) -> f64 {
        let ranked = if by_pue { self.effective().unwrap_or(self.grid) } else { self.grid };
        ranked.grams_per_kilowatt_hour()
    }
}

/// Regions that compare with the current one, and those that do not.
pub(crate) struct Compared {
    pub(crate) found: Vec<Candidate>,
    /// A region and why it does not compare.
    pub(crate) left_out: Vec<(String, RegionMessage)>,
}

/// Regions as candidates; of those that cannot be compared, why not.
///
/// Intensities are made alike: of the current figure's method and kind, direct and average where there is no current
/// one. A region of the current grid zone has the current figure: moving within a grid changes nothing of it. A region
/// whose PUE is not published gets the current facility's, and says so.
pub(crate) fn candidates(
    context: &Context<'_>,
    current: &Facility,
    regions: &[String],
) -> Result<Compared, UnknownZone> {
    let mut compared = Compared { found: Vec::new(), left_out: Vec::new() };
    let like = current.grid.as_ref().map_or_else(|| unspecified(&current.zone), |grid| grid.figure.provenance.clone());
    for region in regions {
        let mut facility = Facility::published(context, region, &like)?;
        if let Some(grid) = current.grid.as_ref().filter(|_| facility.zone == current.zone) {
            facility.grid = Some(grid.clone());
        }
        let Some(theirs) = &facility.grid else {
            let any = context.zones.intensity(context.zones.find(region)?).is_some();
            let why = if any { RegionMessage::OtherMethod { method: like.method } } else { RegionMessage::NoFigure };
            compared.left_out.push((region.clone(), why));
            continue;
        };
        let mut caveats = Vec::new();
        if let Some(own) = &current.grid {
            // Of the same method and kind they compare, with whatever else differs as caveats.
            let differences = own.figure.compare(&theirs.figure).map(|comparison| comparison.caveats);
            caveats.extend(differences.unwrap_or_default().into_iter().map(Message::from));
        }
        // That no PUE is published is said below, with what stands in.
        let is_of_pue = |caveat: &&Message| matches!(caveat, Message::Facility(FacilityMessage::NoPublishedPue { .. }));
        caveats.extend(facility.caveats.iter().filter(|caveat| !is_of_pue(caveat)).cloned());
        let pue = match (&facility.pue, current.ratio()) {
            (Some(pue), _) => Some((pue.value, pue.basis)),
            (None, Some(own)) => {
                caveats.push(RegionMessage::PueAssumed { region: region.clone(), pue: own.ratio() }.into());
                Some((own, Basis::Assumed))
            }
            (None, None) => None,
        };
        let (grid, grid_source, grid_year) = (theirs.figure.value, theirs.source(), year(theirs.figure.period));
        let grid_zone = theirs.figure.provenance.zone.clone();
        compared.found.push(Candidate {
            region: region.clone(),
            zone: facility.zone,
            zone_name: facility.zone_name,
            grid,
            grid_zone,
            grid_source,
            grid_year,
            pue,
            caveats,
        });
    }
    Ok(compared)
}

/// The current facility as it compares with `regions`: with its own figure, or, where that leaves out a region
/// that was asked for or most of the default ones, with one of the method that leaves out fewer.
pub(crate) fn comparable(
    context: &Context<'_>,
    current: &Facility,
    regions: &[String],
    asked: bool,
) -> Option<Facility> {
    let own = current.grid.as_ref()?.figure.provenance.method;
    let left_out = |method| {
        let without = |region: &&String| {
            let zone = context.zones.find(region).ok();
            zone.is_some_and(|zone| {
                zone.id != current.zone && context.zones.value_by(zone, method, IntensityKind::Average).is_none()
            })
        };
        regions.iter().filter(without).count()
    };
    let (ours, theirs) = (left_out(own), left_out(own.other()));
    let too_many = if asked { ours > 0 } else { ours * 2 > regions.len() };
    let free = context.settings.intensity_method.is_none();
    (free && too_many && theirs < ours).then(|| current.by_method(context, own.other())).flatten()
}

/// How intensities are compared where the current one does not say.
fn unspecified(zone: &str) -> Provenance {
    Provenance::new(zone, AccountingMethod::Direct, Boundary::Unstated, IntensityKind::Average, "")
        .with_assumed_method()
}

/// The effective intensity that [`candidates`] finds for a region, in g/kWh.
fn effective_at(context: &Context<'_>, current: &Facility, region: &str) -> Option<f64> {
    let zone = context.zones.find(region).ok()?;
    let own = &current.grid.as_ref()?.figure;
    let like = &own.provenance;
    let same_grid = (zone.id == current.zone).then_some(own.value);
    let grid = same_grid.or_else(|| context.zones.value_by(zone, like.method, like.kind))?;
    let named = context.zones.resolve(region).ok()?;
    let published = context.zones.newest_pue(&named, date(context).year()).map(|published| published.pue);
    Some(effective_intensity(grid, published.or(current.ratio())?).grams_per_kilowatt_hour())
}

/// The regions worth comparing when none are named: those of the same cloud provider. A place that is no cloud region has
/// no provider: the countries in which any of them has a region, since work can move there.
pub(crate) fn neighbours(context: &Context<'_>, current: &Facility) -> Vec<String> {
    match context.zones.resolve(&current.region).ok().and_then(|named| named.provider()) {
        Some(provider) => {
            let regions = context.zones.iter().filter_map(|zone| zone.aliases.get(&provider)).flatten();
            regions.cloned().collect()
        }
        None => {
            let hosts = context.zones.iter().filter(|zone| zone.aliases.keys().any(|scheme| scheme.is_cloud()));
            let countries: BTreeSet<&str> = hosts.map(|zone| zone.country.as_str()).collect();
            let is_country = |zone: &&GridZone| zone.parent.is_none() && countries.contains(zone.country.as_str());
            context.zones.iter().filter(is_country).map(|zone| zone.id.clone()).collect()
        }
    }
}

/// The cleanest of those worth comparing, or a named one, where it is lower by more than `margin` per cent.
pub(crate) fn regional_migration(
    context: &Context<'_>,
    current: &Facility,
    target: Option<&str>,
    margin_percent: Option<f64>,
) -> Result<Outcome, UnknownZone> {
    let Some(effective) = current.effective() else { return Ok(Err(MigrationMessage::CurrentUnknown.into())) };
    let regions = match target {
        Some(target) => vec![target.to_owned()],
        None => neighbours(context, current),
    };
    // Only of the best one all is worth knowing: to say it of each region would take half of an answer's time.
    let best = regions.iter().filter_map(|region| Some((effective_at(context, current, region)?, region)));
    let best = best.min_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
    let looked_at = best.map_or(regions.as_slice(), |(_, best)| std::slice::from_ref(best));
    let Compared { found, left_out } = candidates(context, current, looked_at)?;
    let best = found.into_iter().find_map(|best| Some((best.effective()?.grams_per_kilowatt_hour(), best.pue?, best)));
    let Some((there, (pue, pue_basis), best)) = best else {
        let reason = left_out.into_iter().next().map_or(MigrationMessage::NoRegion, |(region, why)| {
            MigrationMessage::NotComparable { region, reason: Box::new(why.into()) }
        });
        return Ok(Err(reason.into()));
    };
    let here = effective.grams_per_kilowatt_hour();
    let factor = bounded(there / here);
    let margin_percent = margin_percent.unwrap_or(MIGRATION_MARGIN_PERCENT);
    let Candidate { region, zone_name: zone, grid, grid_source, mut caveats, .. } = best;
    caveats.extend(current.method_caveat());
    if (1.0 - factor) * 100.0 <= margin_percent {
        return Ok(Err(MigrationMessage::NoneLower { margin_percent, region, there, here }.into()));
    }
    let source = grid_source;
    let basis = MigrationMessage::MoveBasis {
        grid: grid.grams_per_kilowatt_hour(),
        source: source.clone(),
        pue: pue.ratio(),
        caveats,
    };
    Ok(Ok(Advice {
        kind: OptimizationKind::RegionalMigration,
        change: Change::Region { region: region.clone(), grid, source, pue, pue_basis },
        factor,
        range: (factor, 1.0),
        complexity: Complexity::High,
        description: MigrationMessage::Move { region, zone, there, here }.into(),
        basis: basis.into(),
    }))
}
