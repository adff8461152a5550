//! Values of Helm in the objects by which Flux and Argo CD install a chart.

use super::super::config::yaml::{self, Content, Document, Entry, Node};
use super::part::Part;
use super::tree::{find, items, section, string};
use super::values::values_of_chart;

/// Flux's `HelmRelease`.
pub(super) fn flux(entries: &[Entry]) -> Option<Part> {
    let chart = string(entries, "spec.chart.spec.chart").or_else(|| string(entries, "spec.chartRef.name"));
    if !chart.is_some_and(is_kepler) {
        return None;
    }
    let mut part = values_of_chart(section(entries, "spec.values"));
    part.kind = "a HelmRelease of Flux with Go Kepler's chart";
    if find(entries, "spec.valuesFrom").is_some() {
        part.remarks.push("`spec.valuesFrom`: values that stand in other objects are not among these".to_owned());
    }
    part.remarks.push(name_the_chart("spec.chart"));
    Some(part)
}

/// Argo CD's `Application`.
pub(super) fn argo(entries: &[Entry]) -> Option<Part> {
    let one = section(entries, "spec.source");
    let several = items(entries, "spec.sources").iter().filter_map(|item| match &item.content {
        Content::Section(source) => Some(source.as_slice()),
        _ => None,
    });
    let is_ours = |source: &&[Entry]| string(source, "chart").is_some_and(is_kepler);
    let source = std::iter::once(one).chain(several).find(is_ours)?;
    // As a text, or as they are; of both, Argo CD takes the object.
    let text = string(source, "helm.values").map(yaml::parse);
    let mut part = match (find(source, "helm.valuesObject"), text) {
        (Some(Content::Section(values)), _) => values_of_chart(values),
        (_, Some(Ok(Document { root: Some(Node { content: Content::Section(values), .. }), .. }))) => {
            values_of_chart(&values)
        }
        _ => values_of_chart(&[]),
    };
    part.kind = "an Application of Argo CD with Go Kepler's chart";
    for key in ["parameters", "valueFiles", "fileParameters"] {
        if find(source, &format!("helm.{key}")).is_some() {
            part.remarks.push(format!("`helm.{key}`: not read; what is set there is not among these"));
        }
    }
    part.remarks.push(name_the_chart("spec.source"));
    Some(part)
}

/// `kepler`, `kepler/kepler`, `oci://…/charts/kepler`.
fn is_kepler(chart: &str) -> bool {
    chart.rsplit('/').next() == Some("kepler")
}

fn name_the_chart(key: &str) -> String {
    format!("`{key}`: it names Go Kepler's chart; name ours (`deploy/helm/kepler`), which takes the values")
}
