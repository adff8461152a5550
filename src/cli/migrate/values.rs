//! Values of Helm: of the chart of Go Kepler, and of charts of Kepler up to 0.9.

use super::super::config::looks_like_settings;
use super::super::config::yaml::{Content, Entry};
use super::part::Part;
use super::tree::{find, put, section, string};

/// Whether values are for a chart of Kepler's, also where they hold no settings.
fn names_kepler(values: &[Entry]) -> bool {
    let repository = string(values, "image.repository").unwrap_or_default();
    let is_kepler = |key: &str| find(values, key).is_some();
    repository.ends_with("sustainable_computing_io/kepler") || is_kepler("daemonset") || is_kepler("extraEnvVars")
}

/// Values of a chart that has Kepler's as a part, under `kepler`.
pub(super) fn values_of_a_part(entries: &[Entry]) -> Option<Part> {
    let inner = section(entries, "kepler");
    let is_chart = ["config", "image", "serviceMonitor"].iter().any(|key| find(inner, key).is_some());
    if !is_chart && !names_kepler(inner) {
        return None;
    }
    let mut part = values_of_chart(inner);
    part.remarks.insert(0, "these are the values of a chart that has Kepler's as a part, under `kepler`".to_owned());
    Some(part)
}

/// Values of an installation that is known to be of a chart of Kepler's, or of one that has it as a part.
pub(super) fn values_of_installation(entries: &[Entry]) -> Part {
    values_of_a_part(entries).unwrap_or_else(|| values_of_chart(entries))
}

/// Values that are of a chart of Kepler's, as far as can be seen.
pub(super) fn helm_values(entries: &[Entry]) -> Option<Part> {
    let is_kepler = names_kepler(entries) || looks_like_settings(section(entries, "config"));
    is_kepler.then(|| values_of_chart(entries))
}

/// Values that are known to be of a chart of Kepler's.
fn values_of_chart(entries: &[Entry]) -> Part {
    let settings = section(entries, "config");
    let variables = section(entries, "extraEnvVars");
    // Charts up to 0.9 have no `config`; where it stands beside their variables, those were left over.
    if !variables.is_empty() && !looks_like_settings(settings) {
        let mut part = of_variables(variables, "Helm values of Kepler up to 0.9");
        let others = names(entries, &["extraEnvVars"]);
        if !others.is_empty() {
            part.remarks.push(format!(
                "{others}: of another chart than ours, which has its own values (`deploy/helm/kepler/values.yaml`); left out here"
            ));
        }
        part.remarks.extend(for_the_chart(entries));
        return part;
    }
    let others = names(entries, &["config", "extraEnvVars"]);
    let mut remarks = Vec::new();
    if !variables.is_empty() {
        remarks.push(
            "`extraEnvVars`: of charts of Kepler up to 0.9; the chart with `config` has none, left out".to_owned(),
        );
    }
    if !others.is_empty() {
        remarks.push(format!(
            "{others}: for the chart, which takes these values as they are (`deploy/helm/kepler`); left out here"
        ));
    }
    remarks.extend(for_the_chart(entries));
    Part { kind: "Helm values of Go Kepler", settings: settings.to_vec(), remarks, ..Part::default() }
}

/// The names of all entries but some.
fn names(entries: &[Entry], but: &[&str]) -> String {
    let others =
        entries.iter().filter(|entry| !but.contains(&entry.key.as_str())).map(|entry| format!("`{}`", entry.key));
    others.collect::<Vec<_>>().join(", ")
}

/// Values that Go Kepler's documentation and older charts have at the top, and its chart and ours below `daemonset`.
const OF_THE_DAEMONSET: [&str; 11] = [
    "resources",
    "tolerations",
    "nodeSelector",
    "affinity",
    "securityContext",
    "podSecurityContext",
    "podLabels",
    "podAnnotations",
    "priorityClassName",
    "updateStrategy",
    "hostPID",
];

/// What of Helm values the chart takes, and users may want to change.
fn for_the_chart(entries: &[Entry]) -> Vec<String> {
    let mut remarks = Vec::new();
    let repository = string(entries, "image.repository").unwrap_or_default();
    if repository.ends_with("sustainable_computing_io/kepler") {
        remarks.push("`image.repository`: that is Go Kepler's image; leave it out, and `image.tag` with it".to_owned());
    }
    if repository.is_empty() && find(entries, "image.tag").is_some() {
        remarks.push("`image.tag`: of Go Kepler's image; leave it out".to_owned());
    }
    for key in OF_THE_DAEMONSET.iter().filter(|key| find(entries, key).is_some()) {
        remarks.push(format!("`{key}`: the chart has it as `daemonset.{key}`; at the top it has no effect"));
    }
    if string(entries, "daemonset.securityContext.privileged") == Some("true") {
        remarks.push(
            "`daemonset.securityContext.privileged`: only the MSR driver needs it; left out, the chart gives four \
             capabilities"
                .to_owned(),
        );
    }
    remarks
}

/// The settings in variables of Kepler up to 0.9.
pub(super) fn of_variables(data: &[Entry], kind: &'static str) -> Part {
    let value = |name: &str| string(data, name);
    let mut part = Part { kind, ..Part::default() };
    let text = |text: &str| Content::Text(text.to_owned());
    for Entry { key, .. } in data {
        let given = value(key).unwrap_or_default();
        match key.as_str() {
            "BIND_ADDRESS" => {
                // It may have been a port alone, or an address with one.
                let address = given.rsplit_once(':').map_or(given, |(_, port)| port);
                put(&mut part.settings, "web.listenAddresses", text(&format!(":{address}")));
            }
            "METRIC_PATH" => put(&mut part.settings, "web.telemetryPath", text(given)),
            "KEPLER_LOG_LEVEL" => {
                let level = if given.parse::<u32>().is_ok_and(|level| level >= 5) { "debug" } else { "info" };
                put(&mut part.settings, "log.level", text(level));
            }
            "ENABLE_GPU" => put(&mut part.settings, "experimental.gpu.enabled", text(given)),
            "ENABLE_PROCESS_METRICS" | "KEPLER_NAMESPACE" => {}
            _ => part.remarks.push(format!("`{key}`: nothing here does what it did; left out")),
        }
    }
    put(&mut part.settings, "exporter.prometheus.compat", text("kepler-0.7"));
    part.remarks
        .push("the names of metrics of Kepler 0.7 are exported as well (`exporter.prometheus.compat`)".to_owned());
    part
}
