//! What electricity emits and costs where the node stands, so that rules and dashboards need not be told.

use super::{Family, Levels, RenderContext, Value};
use crate::facility::FacilityFigures;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        header: Family::gauge(
            "kepler_grid_intensity_grams_per_kwh",
            None,
            "Emissions of a kilowatt-hour of the grid in grams of CO2 equivalent",
        ),
        level: Levels::NONE,
        rows: |context| usize::from(figures(context).is_some_and(|figures| figures.grid_intensity.is_some())),
        write: |context, _, samples| {
            let Some(figures) = figures(context) else { return };
            if let Some(figure) = &figures.grid_intensity {
                let sample = samples.sample().rendered(context.node_label).label("zone", &figures.zone);
                sample
                    .label("method", &figure.method)
                    .label("source", &figure.source)
                    .value(Value::Number(figure.value));
            }
        },
    },
    Family {
        header: Family::gauge("kepler_facility_pue", None, "Power usage effectiveness of the facility"),
        level: Levels::NONE,
        rows: |context| usize::from(figures(context).is_some_and(|figures| figures.pue.is_some())),
        write: |context, _, samples| {
            if let Some(figure) = figures(context).and_then(|figures| figures.pue.as_ref()) {
                let sample = samples.sample().rendered(context.node_label);
                sample
                    .label("method", &figure.method)
                    .label("source", &figure.source)
                    .value(Value::Number(figure.value));
            }
        },
    },
    Family {
        header: Family::gauge(
            "kepler_energy_price",
            None,
            "Price of a kilowatt-hour now, in the currency of the label",
        ),
        level: Levels::NONE,
        rows: |context| usize::from(figures(context).is_some_and(|figures| figures.price.is_some())),
        write: |context, _, samples| {
            if let Some((price, currency)) = figures(context).and_then(|figures| figures.price.as_ref()) {
                let sample = samples.sample().rendered(context.node_label);
                sample.label("currency", currency).value(Value::Number(*price));
            }
        },
    },
];

fn figures<'a>(context: &RenderContext<'a>) -> Option<&'a FacilityFigures> {
    context.plan.facility.as_ref()
}
