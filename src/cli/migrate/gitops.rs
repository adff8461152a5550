//! Values of Helm in the objects by which Flux, Argo CD and K3s install a chart.

use super::super::config::yaml::{self, Content, Document, Entry, Node};
use super::part::Part;
use super::tree::{find, items, put, section, string};
use super::values::values_of_installation;

/// Flux's `HelmRelease`.
pub(super) fn flux(entries: &[Entry]) -> Option<Part> {
    let chart = string(entries, "spec.chart.spec.chart").or_else(|| string(entries, "spec.chartRef.name"));
    if !chart.is_some_and(is_kepler) {
        return None;
    }
    let values = section(entries, "spec.values");
    let mut part = values_of_installation(values);
    part.kind = "a HelmRelease of Flux with Go Kepler's chart";
    if find(entries, "spec.valuesFrom").is_some() {
        part.remarks.push("`spec.valuesFrom`: values that stand in other objects are not among these".to_owned());
    }
    part.remarks.push(name_the_chart("spec.chart"));
    Some(part)
}

/// The `spec` of Argo CD's `Application`, or of the one that an `ApplicationSet` has as its template.
pub(super) fn argo(spec: &[Entry]) -> Option<Part> {
    let one = section(spec, "source");
    let several = items(spec, "sources").iter().filter_map(|item| match &item.content {
        Content::Section(source) => Some(source.as_slice()),
        _ => None,
    });
    let is_ours = |source: &&[Entry]| string(source, "chart").or_else(|| string(source, "path")).is_some_and(is_kepler);
    let source = std::iter::once(one).chain(several).find(is_ours)?;
    let mut remarks = Vec::new();
    // As a text, or as they are; of both, Argo CD takes the object.
    let mut values = match (find(source, "helm.valuesObject"), string(source, "helm.values")) {
        (Some(Content::Section(values)), _) => values.clone(),
        (_, Some(text)) => values_in(text, "helm.values", &mut remarks),
        _ => Vec::new(),
    };
    // They win over values, as with `helm --set`.
    for parameter in items(source, "helm.parameters") {
        let Content::Section(parameter) = &parameter.content else { continue };
        let (name, value) =
            (string(parameter, "name").unwrap_or_default(), string(parameter, "value").unwrap_or_default());
        if !set(&mut values, name, value) {
            remarks.push(format!("`helm.parameters`: `{name}` is not read"));
        }
    }
    for key in ["valueFiles", "fileParameters"] {
        if find(source, &format!("helm.{key}")).is_some() {
            remarks.push(format!("`helm.{key}`: not read; what is set there is not among these"));
        }
    }
    let mut part = values_of_installation(&values);
    part.kind = "an Application of Argo CD with Go Kepler's chart";
    part.remarks.extend(remarks);
    part.remarks.push(name_the_chart("spec.source"));
    Some(part)
}

/// The `HelmChart` or `HelmChartConfig` of K3s and RKE2.
pub(super) fn k3s(entries: &[Entry]) -> Option<Part> {
    let chart = string(entries, "spec.chart").or_else(|| string(entries, "metadata.name"));
    if !chart.is_some_and(is_kepler) {
        return None;
    }
    let mut remarks = Vec::new();
    let text = string(entries, "spec.valuesContent");
    let mut values = text.map(|text| values_in(text, "spec.valuesContent", &mut remarks)).unwrap_or_default();
    for Entry { key, value, .. } in section(entries, "spec.set") {
        let Content::Text(value) = &value.content else { continue };
        if !set(&mut values, key, value) {
            remarks.push(format!("`spec.set`: `{key}` is not read"));
        }
    }
    let mut part = values_of_installation(&values);
    part.kind = "a HelmChart of K3s with Go Kepler's chart";
    part.remarks.extend(remarks);
    if find(entries, "spec.chart").is_some() {
        part.remarks.push(name_the_chart("spec.chart"));
    }
    Some(part)
}

/// Values that stand as a text under `key`.
fn values_in(text: &str, key: &str, remarks: &mut Vec<String>) -> Vec<Entry> {
    match yaml::parse(text) {
        Ok(Document { root: Some(Node { content: Content::Section(values), .. }), .. }) => values,
        Ok(Document { root: None, .. }) => Vec::new(),
        _ => {
            remarks.push(format!("`{key}`: not read, since it is no YAML as it stands; is it a template?"));
            Vec::new()
        }
    }
}

/// Sets a value as `helm --set NAME=VALUE` does: `a.b`, an item `a.b[0]`, a list `{x,y}`. Whether the name is one of these.
fn set(values: &mut Vec<Entry>, name: &str, value: &str) -> bool {
    let node = |text: &str| Node { line: 0, content: Content::Text(text.to_owned()) };
    let (path, index) = match name.strip_suffix(']').and_then(|name| name.rsplit_once('[')) {
        Some((path, index)) => (path, index.parse::<usize>().ok()),
        None => (name, None),
    };
    if path.split('.').any(str::is_empty) || path.contains(['[', ']', '\\']) || (path != name && index.is_none()) {
        return false;
    }
    let content = match (index, value.strip_prefix('{').and_then(|list| list.strip_suffix('}'))) {
        (Some(index), _) => {
            let mut list = items(values, path).to_vec();
            match list.get_mut(index) {
                Some(item) => *item = node(value),
                None => list.push(node(value)),
            }
            Content::List(list)
        }
        (None, Some(list)) => Content::List(list.split(',').filter(|text| !text.is_empty()).map(node).collect()),
        (None, None) => Content::Text(value.to_owned()),
    };
    put(values, path, content);
    true
}

/// `kepler`, `kepler/kepler`, `oci://…/charts/kepler`, the folder `manifests/helm/kepler`.
fn is_kepler(chart: &str) -> bool {
    chart.rsplit('/').next() == Some("kepler")
}

fn name_the_chart(key: &str) -> String {
    format!("`{key}`: it names Go Kepler's chart; name ours (`deploy/helm/kepler`), which takes the values")
}
