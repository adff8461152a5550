//! Recognises files of other kinds that were given as a configuration.

use super::yaml::{Content, Entry};

/// Kinds of file, each by keys at its top of which all must be there, most telling first.
const KINDS: [(&[&str], &str); 21] = [
    (&["apiVersion", "clusters", "contexts"], "it is a kubeconfig"),
    (&["apiVersion", "kind"], "it is a Kubernetes object"),
    (&["image", "config"], HELM_VALUES),
    (&["daemonset"], HELM_VALUES),
    (&["serviceMonitor"], HELM_VALUES),
    (&["fullnameOverride"], HELM_VALUES),
    (&["config"], HELM_VALUES),
    // What is most often set of a chart's values, alone or among others.
    (&["image"], HELM_VALUES),
    (&["serviceAccount"], HELM_VALUES),
    (&["nodeSelector"], HELM_VALUES),
    (&["tolerations"], HELM_VALUES),
    (&["nameOverride"], HELM_VALUES),
    (&["imagePullSecrets"], HELM_VALUES),
    (&["apiVersion", "name", "version"], "it is the description of a Helm chart, Chart.yaml"),
    (&["services"], "it is a Compose file"),
    (&["scrape_configs"], "it is a configuration of Prometheus"),
    (&["groups"], "it is a file of Prometheus rules"),
    (&["tls_server_config"], WEB_CONFIG),
    (&["basic_auth_users"], WEB_CONFIG),
    (&["http_server_config"], WEB_CONFIG),
    (&["nodes", "bmcs"], "it is a file of BMCs, for `experimental.platform.redfish.configFile`"),
];

const HELM_VALUES: &str = "it looks like a file of Helm values, of which the settings stand under `config`; \
     `kepler migrate FILE` takes them out";
const WEB_CONFIG: &str = "it is a file of TLS and passwords, for `web.configFile`";

/// Kinds of Kubernetes objects that hold settings of Kepler's.
const OBJECTS: [(&str, &str); 9] = [
    ("ConfigMap", "a ConfigMap, of which the settings stand in `data`"),
    ("PowerMonitor", "a PowerMonitor of the Kepler Operator, of which the settings stand in `spec.kepler.config`"),
    ("PowerMonitorInternal", "a PowerMonitorInternal of the Kepler Operator"),
    ("Kepler", "a Kepler of the Kepler Operator"),
    ("HelmRelease", "a HelmRelease of Flux, of which the settings stand in `spec.values.config`"),
    ("HelmChart", "a HelmChart of K3s, of which the settings stand in `spec.valuesContent`"),
    ("Application", "an Application of Argo CD, of which the settings stand below `spec.source.helm`"),
    (
        "ApplicationSet",
        "an ApplicationSet of Argo CD, of which the settings stand below `spec.template.spec.source.helm`",
    ),
    ("DaemonSet", "a DaemonSet, of which the settings stand in the arguments of its container"),
];

/// What `entries`, all of a file's, are known to look like. It repeats no word of the file but what stands in
/// this one.
pub(super) fn recognise(entries: &[Entry]) -> Option<String> {
    let has = |name: &str| entries.iter().any(|entry| entry.key == name);
    let (keys, what) = KINDS.iter().find(|(keys, _)| keys.iter().all(|key| has(key)))?;
    Some(match object(entries) {
        _ if !keys.contains(&"kind") => format!("nothing in it has effect: {what}"),
        Some(kind) => {
            format!("nothing in it has effect: it is {kind}; `kepler migrate FILE` takes the settings out")
        }
        None => "nothing in it has effect: it is a Kubernetes object, and of no kind that holds settings".to_owned(),
    })
}

/// What to say of a file that looks like nothing known, and has this number of keys, where `sections` may stand.
pub(super) fn unknown(number: usize, sections: &str) -> String {
    let keys = if number == 1 { "its one key is not".to_owned() } else { format!("of its {number} keys none is") };
    format!("nothing in it has effect: {keys} a setting; is it the right file? Settings are: {sections}")
}

/// The kind of a Kubernetes object, if settings may stand in it.
fn object(entries: &[Entry]) -> Option<&'static str> {
    let kind = entries.iter().find(|entry| entry.key == "kind").map(|entry| &entry.value.content);
    OBJECTS.iter().find(|(name, _)| matches!(kind, Some(Content::Text(kind)) if kind == name)).map(|(_, what)| *what)
}
