//! Settings in documents of YAML: a configuration itself, Helm values, Kubernetes objects, a Compose file.

use super::super::config::looks_like_settings;
use super::super::config::yaml::{self, Content, Document, Entry, Node};
use super::gitops;
use super::part::{Part, words};
use super::tree::{find, items, put, section, string};

/// What of a document is for Kepler; nothing where none of it is.
pub(super) fn part(entries: Vec<Entry>) -> Option<Part> {
    let part = match string(&entries, "kind") {
        Some("ConfigMap") => config_map(&entries)?,
        Some("PowerMonitor" | "PowerMonitorInternal") => power_monitor(&entries),
        Some("Kepler") => kepler_resource(&entries),
        Some("DaemonSet" | "Deployment" | "Pod") => workload(&entries)?,
        Some("HelmRelease") => gitops::flux(&entries)?,
        Some("Application") => gitops::argo(&entries)?,
        Some(_) if find(&entries, "apiVersion").is_some() => return None,
        _ if find(&entries, "services").is_some() => compose(&entries)?,
        _ => configuration(entries)?,
    };
    Some(part)
}

/// A configuration file, or Helm values: of the chart itself, or of one that has it as a part.
fn configuration(entries: Vec<Entry>) -> Option<Part> {
    let inner = section(&entries, "kepler");
    if !inner.is_empty() && names_kepler(inner) {
        let mut part = helm_values(inner)?;
        part.remarks
            .insert(0, "these are the values of a chart that has Kepler's as a part, under `kepler`".to_owned());
        return Some(part);
    }
    if looks_like_settings(&entries) {
        return Some(Part { kind: "a configuration of Go Kepler", settings: entries, ..Part::default() });
    }
    helm_values(&entries)
}

/// Whether values are for a chart of Kepler's, also where they hold no settings.
fn names_kepler(values: &[Entry]) -> bool {
    let repository = string(values, "image.repository").unwrap_or_default();
    let is_kepler = |key: &str| find(values, key).is_some();
    repository.ends_with("sustainable_computing_io/kepler") || is_kepler("daemonset") || is_kepler("extraEnvVars")
}

fn helm_values(entries: &[Entry]) -> Option<Part> {
    let is_kepler = !section(entries, "extraEnvVars").is_empty() || names_kepler(entries);
    (is_kepler || looks_like_settings(section(entries, "config"))).then(|| values_of_chart(entries))
}

/// Values that are known to be of a chart of Kepler's.
pub(super) fn values_of_chart(entries: &[Entry]) -> Part {
    if !section(entries, "extraEnvVars").is_empty() {
        let mut part = of_variables(section(entries, "extraEnvVars"), "Helm values of Kepler up to 0.9");
        let others = names(entries, "extraEnvVars");
        if !others.is_empty() {
            part.remarks.push(format!(
                "{others}: of another chart than ours, which has its own values (`deploy/helm/kepler/values.yaml`); left out here"
            ));
        }
        part.remarks.extend(for_the_chart(entries));
        return part;
    }
    let settings = section(entries, "config").to_vec();
    let others = names(entries, "config");
    let mut remarks = Vec::new();
    if !others.is_empty() {
        remarks.push(format!(
            "{others}: for the chart, which takes these values as they are (`deploy/helm/kepler`); left out here"
        ));
    }
    remarks.extend(for_the_chart(entries));
    Part { kind: "Helm values of Go Kepler", settings, remarks, ..Part::default() }
}

/// The names of all entries but one.
fn names(entries: &[Entry], but: &str) -> String {
    let others = entries.iter().filter(|entry| entry.key != but).map(|entry| format!("`{}`", entry.key));
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

fn of_variables(data: &[Entry], kind: &'static str) -> Part {
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
