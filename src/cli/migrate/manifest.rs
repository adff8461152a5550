//! Settings in documents of YAML: a configuration itself, Helm values, Kubernetes objects, a Compose file.

use super::super::config::looks_like_settings;
use super::super::config::yaml::{self, Content, Document, Entry, Node};
use super::gitops;
use super::part::{Part, words};
use super::tree::{find, items, put, section, string};
use super::values::{helm_values, of_variables, values_of_a_part};

/// What of a document is for Kepler; nothing where none of it is.
pub(super) fn part(entries: Vec<Entry>) -> Option<Part> {
    let part = match string(&entries, "kind") {
        Some("ConfigMap") => config_map(&entries)?,
        Some("PowerMonitor" | "PowerMonitorInternal") => power_monitor(&entries),
        Some("Kepler") => kepler_resource(&entries),
        Some("DaemonSet" | "Deployment" | "Pod") => workload(&entries)?,
        Some("HelmRelease") => gitops::flux(&entries)?,
        Some("HelmChart" | "HelmChartConfig") => gitops::k3s(&entries)?,
        Some("Application") => gitops::argo(section(&entries, "spec"))?,
        Some("ApplicationSet") => gitops::argo(section(&entries, "spec.template.spec"))?,
        Some(_) if find(&entries, "apiVersion").is_some() => return None,
        _ if find(&entries, "services").is_some() => compose(&entries)?,
        _ => configuration(entries)?,
    };
    Some(part)
}

/// A configuration file, or Helm values.
fn configuration(entries: Vec<Entry>) -> Option<Part> {
    if let Some(part) = values_of_a_part(&entries) {
        return Some(part);
    }
    if looks_like_settings(&entries) {
        return Some(Part { kind: "a configuration of Go Kepler", settings: entries, ..Part::default() });
    }
    helm_values(&entries)
}

/// A ConfigMap with a whole file in it, or with the variables of Kepler up to 0.9.
fn config_map(entries: &[Entry]) -> Option<Part> {
    let data = section(entries, "data");
    for Entry { key, value, .. } in data {
        let Content::Text(text) = &value.content else { continue };
        if !key.ends_with(".yaml") && !key.ends_with(".yml") {
            continue;
        }
        if let Ok(Document { root: Some(Node { content: Content::Section(settings), .. }), .. }) = yaml::parse(text)
            && looks_like_settings(&settings)
        {
            return Some(Part { kind: "a ConfigMap of Go Kepler", settings, ..Part::default() });
        }
    }
    variables(data)
}

/// The variables of Kepler up to 0.9 (its `manifests/config/exporter/exporter.yaml`) that have a like here.
fn variables(data: &[Entry]) -> Option<Part> {
    let is_old = ["KEPLER_NAMESPACE", "BIND_ADDRESS", "METRIC_PATH", "ENABLE_PROCESS_METRICS"];
    let is_old = is_old.iter().any(|name| string(data, name).is_some());
    is_old.then(|| of_variables(data, "a ConfigMap of Kepler up to 0.9"))
}

/// The operator's resource before PowerMonitor.
fn kepler_resource(entries: &[Entry]) -> Part {
    let mut part = Part { kind: "a Kepler of the Kepler Operator", ..Part::default() };
    if let Some(level) = find(entries, "spec.exporter.config.logLevel") {
        put(&mut part.settings, "log.level", level.clone());
    }
    if let Some(port) = string(entries, "spec.exporter.deployment.port") {
        put(&mut part.settings, "web.listenAddresses", Content::Text(format!(":{port}")));
    }
    for key in [
        "spec.nodeSelector",
        "spec.tolerations",
        "spec.exporter.deployment.nodeSelector",
        "spec.exporter.deployment.tolerations",
    ] {
        if find(entries, key).is_some() {
            let name = key.rsplit('.').next().unwrap_or(key);
            part.remarks.push(format!("`{key}`: for the chart, as `daemonset.{name}`; left out here"));
        }
    }
    part
}

/// A resource of the Kepler Operator (its API `v1alpha1`, 2026).
fn power_monitor(entries: &[Entry]) -> Part {
    const KEYS: [(&str, &str); 5] = [
        ("logLevel", "log.level"),
        ("metricLevels", "exporter.prometheus.metricsLevel"),
        ("sampleRate", "monitor.interval"),
        ("staleness", "monitor.staleness"),
        ("maxTerminated", "monitor.maxTerminated"),
    ];
    let mut part = Part { kind: "a PowerMonitor of the Kepler Operator", ..Part::default() };
    for Entry { key, value, .. } in section(entries, "spec.kepler.config") {
        match KEYS.iter().find(|(name, _)| name == key) {
            Some((_, setting)) => put(&mut part.settings, setting, value.content.clone()),
            None if key == "additionalConfigMaps" => part.remarks.push(format!(
                "`spec.kepler.config.{key}`: settings of those that stand in the same file are among these; of others migrate \
                 them as well"
            )),
            None => part.remarks.push(format!("`spec.kepler.config.{key}`: the operator's own; left out")),
        }
    }
    if find(entries, "spec.kepler.deployment").is_some() {
        part.remarks.push(
            "`spec.kepler.deployment`: for the chart, whose value `powerMonitor` takes this resource; left out here"
                .to_owned(),
        );
    }
    if string(entries, "spec.kepler.deployment.security.mode") == Some("rbac") {
        ask_for_tokens(entries, &mut part);
    }
    part
}

/// The operator's `security.mode: rbac`: who reads metrics shows a token for the audience of its Service.
fn ask_for_tokens(entries: &[Entry], part: &mut Part) {
    let name = string(entries, "metadata.name").unwrap_or("power-monitor");
    let namespace = string(entries, "spec.kepler.deployment.namespace").unwrap_or("power-monitor");
    let audience = format!("{name}.{namespace}.svc");
    put(&mut part.settings, "web.kubernetesAudience", Content::Text(audience.clone()));
    part.remarks.push(format!(
        "`spec.kepler.deployment.security.mode`: done without a proxy, by `web.kubernetesAudience`: tokens are for `{audience}`, and \
         their holders may `get` the path. Give certificates by `web.configFile` (tls_server_config), and bind the ServiceAccount \
         to `system:auth-delegator`. In the chart: `kubernetesAuth: {{ enabled: true, audience: {audience} }}` with `tls`"
    ));
}

/// An object with containers, of which one runs Kepler.
fn workload(entries: &[Entry]) -> Option<Part> {
    let template = [items(entries, "spec.template.spec.containers"), items(entries, "spec.containers")].concat();
    let arguments = template.iter().find_map(|container| match &container.content {
        Content::Section(container) => {
            command(container, [items(container, "command"), items(container, "args")].concat())
        }
        _ => None,
    })?;
    Some(Part { kind: "a Kubernetes object that runs Go Kepler", arguments, ..Part::default() })
}

/// A Compose file with a service that runs Kepler.
fn compose(entries: &[Entry]) -> Option<Part> {
    let arguments = section(entries, "services").iter().find_map(|service| match &service.value.content {
        Content::Section(service) => {
            let words: Vec<Node> = match find(service, "command") {
                Some(Content::List(items)) => items.clone(),
                Some(Content::Text(text)) => {
                    let node = |word| Node { line: 0, content: Content::Text(word) };
                    words(text).into_iter().map(node).collect()
                }
                _ => Vec::new(),
            };
            command(service, [items(service, "entrypoint"), &words].concat())
        }
        _ => None,
    })?;
    Some(Part { kind: "a Compose file that runs Go Kepler", arguments, ..Part::default() })
}

/// The arguments of a container's command, if it is Kepler's: `/usr/bin/kepler …`, or what its image begins with.
fn command(container: &[Entry], items: Vec<Node>) -> Option<Vec<String>> {
    let words = items.into_iter().map(|item| match item.content {
        Content::Text(text) => text,
        _ => String::new(),
    });
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    if words.first()?.rsplit('/').next() == Some("kepler") {
        return Some(words.into_iter().skip(1).collect());
    }
    let image = string(container, "image").unwrap_or_default();
    let image = image.rsplit('/').next().unwrap_or_default();
    image.split([':', '@']).next().is_some_and(|name| name == "kepler").then_some(words)
}
