//! What pods, namespaces and nodes choose, in English.

use crate::choices::{ChoiceOrigin, NAMES, REGION};
use crate::messages::ChoiceMessage;

fn is_known(name: &str) -> bool {
    NAMES.contains(&name) || name == REGION
}

/// The name of an annotation or label, with its prefix.
fn key(name: &str, origin: ChoiceOrigin) -> String {
    match origin {
        ChoiceOrigin::NodeLabel => format!("topology.kubernetes.io/{name}"),
        _ => format!("kepler.energy/{name}"),
    }
}

/// What to write instead.
fn remedy(name: &str) -> &'static str {
    match name {
        "standard" => "give the code of a standard, such as KR_CARBON_2050",
        "budget" => "give what may be emitted, such as `20 g/h` or `5 kg/month`",
        "pue" => "give a number from 1 on, such as 1.3",
        "language" => "give en or ko",
        "energy-unit" => "give J, kJ, MJ, Wh or kWh",
        _ => "state the region in the settings (facility.region)",
    }
}

pub(super) fn choice(message: &ChoiceMessage) -> String {
    use ChoiceMessage as M;
    match message {
        M::Unusable { name, origin, place, .. } if !is_known(name) => format!(
            "The {} {} of {place} is not known and is ignored: standard, budget, pue, language and energy-unit are.",
            origin.name(),
            key(name, *origin)
        ),
        M::Unusable { name, value, origin, place } => format!(
            "The {} {} of {place} is `{value}`, which cannot be used and is ignored: {}.",
            origin.name(),
            key(name, *origin),
            remedy(name)
        ),
        M::Differ { name, values, origin } => format!(
            "Its pods differ in {} ({} {}), so that it is ignored: give all of them the same.",
            values.join(", "),
            origin.name(),
            key(name, *origin)
        ),
        M::RegionOfNodes { region } => {
            format!("The region is {region}, as the node label topology.kubernetes.io/region says.")
        }
        M::MoreUnusable { count } => format!("{count} more annotations or labels cannot be used and are ignored."),
    }
}
