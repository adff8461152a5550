//! Running elsewhere.

use super::{Advice, Change, MIGRATION_MARGIN_PERCENT, Outcome, bounded};
use crate::carbon::effective_intensity;
use crate::standards::Basis;
use crate::text::Text;
use crate::tools::{Complexity, Context, Facility, OptimizationKind, ToolError, date};
use crate::units::{CarbonIntensity, Pue};
use crate::zones::Scheme;

/// A region to compare with, with all that is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) region: String,
    pub(crate) zone: String,
    pub(crate) zone_name: String,
    pub(crate) grid: CarbonIntensity,
    pub(crate) grid_source: String,
    pub(crate) grid_year: Option<i16>,
    pub(crate) pue: Pue,
    pub(crate) pue_basis: Basis,
    pub(crate) caveats: Vec<Text>,
}

impl Candidate {
    pub(crate) fn effective(&self) -> CarbonIntensity {
        effective_intensity(self.grid, self.pue)
    }
}

/// Regions that compare with the current one, and those that do not.
pub(crate) struct Compared {
    pub(crate) found: Vec<Candidate>,
    /// A region and why it does not compare.
    pub(crate) left: Vec<(String, Text)>,
}

/// Regions as candidates; of those that cannot be compared, why not.
///
/// Intensities are made alike: of the current figure's method and kind. A region whose PUE nobody
/// publishes gets the current facility's, and says so.
pub(crate) fn candidates(context: &Context<'_>, current: &Facility, regions: &[String]) -> Result<Compared, ToolError> {
    let mut compared = Compared { found: Vec::new(), left: Vec::new() };
    let Some(grid) = &current.grid else { return Ok(compared) };
    for region in regions {
        let facility = Facility::published(context, region, &grid.figure.provenance)?;
        let Some(theirs) = facility.grid else {
            compared.left.push((
                region.clone(),
                Text::new(
                    format!(
                        "no intensity of the same method ({:?}) and kind is published",
                        grid.figure.provenance.method
                    ),
                    format!("같은 산정 방법({:?})과 종류의 공표 수치가 없습니다", grid.figure.provenance.method),
                ),
            ));
            continue;
        };
        // Of the same method and kind they compare, with whatever else differs as caveats.
        let Ok(comparison) = grid.figure.compare(&theirs.figure) else { continue };
        let mut caveats = comparison.caveats;
        let (pue, pue_basis) = match (&facility.pue, current.ratio()) {
            (Some(pue), _) => {
                caveats.extend(facility.caveats);
                (pue.value, pue.basis)
            }
            (None, Some(own)) => {
                caveats.push(Text::new(
                    format!("No PUE is published for {region}; the current facility's {own} is assumed."),
                    format!("{region}의 공표 PUE가 없어 현재 시설의 {own}로 가정했습니다."),
                ));
                (own, Basis::Assumed)
            }
            (None, None) => {
                compared.left.push((region.clone(), Text::new("its PUE is not known", "PUE를 알 수 없습니다")));
                continue;
            }
        };
        let grid_year = match theirs.figure.period {
            crate::intensity::Period::Year(year) => Some(year),
            _ => None,
        };
        compared.found.push(Candidate {
            region: region.clone(),
            zone: facility.zone,
            zone_name: facility.zone_name,
            grid: theirs.figure.value,
            grid_source: theirs.figure.provenance.source,
            grid_year,
            pue,
            pue_basis,
            caveats,
        });
    }
    Ok(compared)
}

/// The effective intensity that [`candidates`] finds for a region, in g/kWh.
fn effective_at(context: &Context<'_>, current: &Facility, region: &str) -> Option<f64> {
    let zone = context.zones.find(region).ok()?;
    let like = &current.grid.as_ref()?.figure.provenance;
    let grid = context.zones.value_by(zone, like.method, like.kind)?;
    let published = context.zones.newest_pue(region, date(context).year()).map(|published| published.pue);
    Some(effective_intensity(grid, published.or(current.ratio())?).grams_per_kilowatt_hour())
}

/// The regions worth comparing when none are named: those of the same cloud provider, and for a place
/// that is no cloud region, all countries' zones.
pub(crate) fn neighbours(context: &Context<'_>, current: &Facility) -> Vec<String> {
    let clouds = [Scheme::Aws, Scheme::Gcp, Scheme::Azure];
    let own = |scheme: &Scheme| {
        context.zones.find(&current.region).ok().is_some_and(|zone| {
            zone.aliases
                .get(scheme)
                .is_some_and(|names| names.iter().any(|name| name.eq_ignore_ascii_case(&current.region)))
        })
    };
    match clouds.into_iter().find(own) {
        Some(provider) => {
            let regions = context.zones.iter().filter_map(|zone| zone.aliases.get(&provider)).flatten();
            regions.cloned().collect()
        }
        None => context.zones.iter().filter(|zone| zone.parent.is_none()).map(|zone| zone.id.clone()).collect(),
    }
}

/// The cleanest of the provider's regions, or a named one, where it is lower by more than `margin` per cent.
pub(crate) fn regional_migration(
    context: &Context<'_>,
    current: &Facility,
    target: Option<&str>,
    margin_percent: Option<f64>,
) -> Result<Outcome, ToolError> {
    let Some(effective) = current.effective() else {
        return Ok(Err(Text::new(
            "The current intensity or PUE is not known.",
            "현재 탄소집약도 또는 PUE를 알 수 없습니다.",
        )));
    };
    let regions = match target {
        Some(target) => vec![target.to_owned()],
        None => neighbours(context, current),
    };
    // Only of the best one all is worth knowing: to say it of each region would take half of an answer's time.
    let best = regions.iter().filter_map(|region| Some((effective_at(context, current, region)?, region)));
    let best = best.min_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
    let looked_at = best.map_or(regions.as_slice(), |(_, best)| std::slice::from_ref(best));
    let Compared { found, left } = candidates(context, current, looked_at)?;
    let Some(best) = found.into_iter().next() else {
        let reason = left.into_iter().next().map_or_else(
            || Text::new("There is no region to compare with.", "비교할 리전이 없습니다."),
            |(region, why)| Text::new(format!("{region}: {}", why.en), format!("{region}: {}", why.ko)),
        );
        return Ok(Err(reason));
    };
    let (before, after) = (effective.grams_per_kilowatt_hour(), best.effective().grams_per_kilowatt_hour());
    let factor = bounded(after / before);
    let margin = margin_percent.unwrap_or(MIGRATION_MARGIN_PERCENT);
    if (1.0 - factor) * 100.0 <= margin {
        return Ok(Err(Text::new(
            format!(
                "No region is lower by more than {margin} %: {} has {after:.0} g/kWh against {before:.0}.",
                best.region
            ),
            format!(
                "{margin} % 넘게 낮은 리전이 없습니다: {}은(는) {after:.0} g/kWh, 현재 {before:.0} g/kWh.",
                best.region
            ),
        )));
    }
    let caveats = |lang| best.caveats.iter().map(|text| text.lang(lang).to_owned()).collect::<Vec<_>>().join(" ");
    let (en, ko) = (caveats(crate::text::Lang::En), caveats(crate::text::Lang::Ko));
    Ok(Ok(Advice {
        kind: OptimizationKind::RegionalMigration,
        change: Change::Place {
            region: best.region.clone(),
            grid: best.grid,
            source: best.grid_source.clone(),
            pue: best.pue,
            pue_basis: best.pue_basis,
        },
        factor,
        range: (factor, 1.0),
        complexity: Complexity::High,
        description: Text::new(
            format!(
                "Move it to {} ({}): {after:.0} instead of {before:.0} g per kWh of IT energy.",
                best.region, best.zone_name
            ),
            format!(
                "{} ({})(으)로 이전: IT 전력 1 kWh당 {before:.0} g 대신 {after:.0} g.",
                best.region, best.zone_name
            ),
        ),
        basis: Text::new(
            format!(
                "Intensity {} g/kWh ({}) and PUE {}. {en}",
                best.grid.grams_per_kilowatt_hour(),
                best.grid_source,
                best.pue
            )
            .trim_end()
            .to_owned(),
            format!(
                "탄소집약도 {} g/kWh ({}), PUE {}. {ko}",
                best.grid.grams_per_kilowatt_hour(),
                best.grid_source,
                best.pue
            )
            .trim_end()
            .to_owned(),
        ),
    }))
}
