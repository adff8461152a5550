//! Differences from Go Kepler, by setting.

use super::super::config::settings::{self, Effect, Setting};
use super::super::config::yaml::{Content, Entry};
use super::super::config::{LogFormat, Manner, defaults};
use super::tree;

/// Leaves out of `settings` what has no effect here, and says why.
pub(super) fn adapt(settings: &mut Vec<Entry>) -> Vec<String> {
    let mut changes = Vec::new();
    adapt_section(settings, "", &mut changes);
    if let Some("0" | "0s" | "0ms") = tree::string(settings, "monitor.interval") {
        tree::remove(settings, "monitor.interval");
        changes.push(
            "`monitor.interval`: 0 asked for a measurement at each scrape; measurements follow a schedule of their own \
             here"
                .to_owned(),
        );
    }
    changes
}

fn adapt_section(entries: &mut Vec<Entry>, prefix: &str, changes: &mut Vec<String>) {
    entries.retain_mut(|entry| {
        let key = if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
        match settings::find(&key) {
            Some(setting) => keeps(setting, &key, &entry.value.content, changes),
            None if settings::is_section(&key) => {
                if let Content::Section(inner) = &mut entry.value.content {
                    adapt_section(inner, &key, changes);
                }
                // A section that is left without settings says nothing.
                !matches!(&entry.value.content, Content::Section(inner) if inner.is_empty())
            }
            None => {
                changes.push(format!("`{key}`: unknown, to Go Kepler as well; left out"));
                false
            }
        }
    });
}

fn keeps(setting: &Setting, key: &str, value: &Content, changes: &mut Vec<String>) -> bool {
    match setting.effect {
        Effect::Nothing(reason) => {
            changes.push(format!("`{key}`: left out; {reason}"));
            false
        }
        Effect::Set(_) | Effect::Adapt(_) => !matches!(value, Content::Null),
    }
}

/// Go Kepler's defaults that are others here, of the settings that are not set.
pub(super) fn defaults(settings: &[Entry]) -> Vec<String> {
    let (ours, go) = (Manner::Own.defaults(), Manner::Kepler.defaults());
    let listen = |config: &super::super::config::Config| {
        config.listen.iter().map(|address| format!("`{address}`")).collect::<Vec<_>>().join(", ")
    };
    let seconds = |interval: std::time::Duration| format!("{} s", interval.as_secs_f64());
    let all = [
        ("web.listenAddresses", listen(&ours), listen(&go)),
        ("monitor.interval", seconds(ours.interval), seconds(go.interval)),
        (
            "monitor.minTerminatedEnergyThreshold",
            format!("{} J", defaults::MIN_TERMINATED_ENERGY.joules()),
            format!("{} J", defaults::kepler::MIN_TERMINATED_ENERGY.joules()),
        ),
        ("policy", "baseline (idle power is learned)".to_owned(), "ratio (the only one)".to_owned()),
    ];
    let unset = all.iter().filter(|(key, ..)| tree::find(settings, key).is_none());
    let mut said: Vec<String> = unset.map(|(key, ours, go)| format!("`{key}`: {ours} instead of {go}")).collect();
    if tree::string(settings, "log.format") != Some(LogFormat::Json.name()) {
        said.push("logs: lines of text on standard error instead of logfmt on standard output".to_owned());
    }
    said.push("exit status: 2 configuration, 3 meter, 4 address instead of 1 for all".to_owned());
    said
}
