//! The file of meters outside of the machine. What is wrong is named with its line, and the rest goes on.

use super::super::config::yaml::{Content, Entry, Node};
use super::super::config::{duration, nearest};
use kepler_connect::external::{ExternalMeter, ExternalPlace};
use kepler_connect::http::{Auth, Secret};
use kepler_core::host::file::{self, FileLimits};
use kepler_core::platform::PlatformScope;
use kepler_core::units::{Power, ZoneKind};
use std::path::Path;
use std::time::Duration;

const MAX_PASSWORD: u64 = 4096;

/// The keys of a meter.
const KEYS: [&str; 20] = [
    "node",
    "zone",
    "prometheus",
    "query",
    "url",
    "field",
    "timeField",
    "unit",
    "interval",
    "timeout",
    "maxAge",
    "maxWatts",
    "scope",
    "containsGpus",
    "errorRatio",
    "username",
    "password",
    "passwordFile",
    "login",
    "tokenFile",
];

/// A meter, and how often it is read.
#[derive(Clone, Debug)]
pub(super) struct Outside {
    pub(super) meter: ExternalMeter,
    pub(super) interval: Duration,
    /// The zone that it stands for, if any.
    pub(super) zone: Option<ZoneKind>,
    /// Where it is configured: a file and a line.
    pub(super) origin: String,
}

/// The meters of this node, and what is wrong with others.
#[derive(Debug, Default)]
pub(super) struct MeterFile {
    pub(super) meters: Vec<Outside>,
    pub(super) problems: Vec<String>,
}

impl MeterFile {
    /// Reads a document: the meters of the node `name`, and those that name no node.
    ///
    /// # Errors
    /// When it lists no meters.
    pub(super) fn of(root: &Node, path: &Path, name: &str) -> Result<Self, String> {
        let at = |line: usize| format!("{}:{line}", path.display());
        let mut file = MeterFile::default();
        let Content::Section(entries) = &root.content else {
            return Err(format!("{}: it has no `meters:`", at(root.line)));
        };
        let mut lines: Vec<(&str, usize)> = Vec::new();
        for entry in entries {
            let Content::Section(meters) = &entry.value.content else {
                return Err(format!(
                    "{}: `{}` must be a section: a name, then what belongs to it",
                    at(entry.line),
                    entry.key
                ));
            };
            if entry.key != "meters" {
                let hint = nearest(&entry.key, ["meters"]).map(|near| format!("; did you mean `{near}`?"));
                let hint = hint.unwrap_or_default();
                file.problems.push(format!("{}: unknown key `{}` has no effect{hint}", at(entry.line), entry.key));
                continue;
            }
            for meter in meters {
                let origin = at(meter.line);
                if let Some((_, line)) = lines.iter().find(|(known, _)| *known == meter.key) {
                    let what =
                        format!("{origin}: meter `{}` stands in line {line} already; this one is not read", meter.key);
                    file.problems.push(what);
                    continue;
                }
                lines.push((&meter.key, meter.line));
                match Draft::of(meter, &at, &mut file.problems) {
                    Ok(draft) if draft.node.as_deref().is_none_or(|node| node == name) => {
                        let Draft { meter, interval, zone, .. } = draft;
                        file.meters.extend(meter.map(|meter| Outside { meter, interval, zone, origin }));
                    }
                    Ok(_) => {}
                    Err(problem) => file.problems.push(problem),
                }
            }
        }
        if lines.is_empty() {
            return Err(format!("{}: it lists no meters (`meters:`)", path.display()));
        }
        Ok(file)
    }
}

/// A meter while its keys are read.
struct Draft {
    node: Option<String>,
    meter: Option<ExternalMeter>,
    interval: Duration,
    zone: Option<ZoneKind>,
}

/// The texts of a meter's keys, each with its line.
struct Keys<'a>(Vec<(&'a str, &'a str, usize)>);

impl<'a> Keys<'a> {
    fn text(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, text, _)| *known == key && !text.is_empty()).map(|(_, text, _)| *text)
    }
}

impl Draft {
    fn of(entry: &Entry, at: &impl Fn(usize) -> String, problems: &mut Vec<String>) -> Result<Self, String> {
        let (id, origin) = (&entry.key, at(entry.line));
        let Content::Section(entries) = &entry.value.content else {
            return Err(format!(
                "{origin}: meter `{id}` must be a section with `prometheus:` and `query:`, or `url:` and `field:`"
            ));
        };
        let mut keys = Keys(Vec::new());
        for key in entries {
            if !KEYS.contains(&key.key.as_str()) {
                let hint = nearest(&key.key, KEYS).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                problems.push(format!(
                    "{}: unknown key `{}` of meter `{id}` has no effect{hint}",
                    at(key.line),
                    key.key
                ));
                continue;
            }
            match &key.value.content {
                Content::Text(text) => keys.0.push((&key.key, text.trim(), key.line)),
                Content::Null => {}
                _ => return Err(format!("{}: `{}` of meter `{id}` must be a single value", at(key.line), key.key)),
            }
        }
        let lacks = |what: &str| Err(format!("{origin}: meter `{id}` {what}"));
        let place = match (keys.text("prometheus"), keys.text("url")) {
            (Some(url), None) => match keys.text("query") {
                Some(query) => ExternalPlace::prometheus(url, query),
                None => return lacks("has no `query`"),
            },
            (None, Some(url)) => match keys.text("field") {
                Some(field) if field.starts_with('/') => {
                    let (url, field) = (url.to_owned(), field.to_owned());
                    ExternalPlace::Json { url, field, time_field: keys.text("timeField").map(str::to_owned) }
                }
                Some(_) => {
                    return lacks("has a `field` that does not begin with `/`: it is a JSON pointer, as `/apower`");
                }
                None => return lacks("has no `field`"),
            },
            (Some(_), Some(_)) => return lacks("has both `prometheus` and `url`; keep one of them"),
            (None, None) => return lacks("has neither `prometheus` nor `url`"),
        };
        let is_json = matches!(place, ExternalPlace::Json { .. });
        let mut draft = Draft { node: None, meter: None, interval: Duration::from_secs(10), zone: None };
        let mut meter = ExternalMeter::new(id.as_str(), place);
        for (key, text, line) in &keys.0 {
            draft
                .set(&mut meter, key, text)
                .map_err(|what| format!("{}: `{key}` of meter `{id}` {what}", at(*line)))?;
        }
        if let Some(zone) = draft.zone {
            stand_for(&mut meter, zone, keys.text("scope").is_some())
                .map_err(|what| format!("{origin}: meter `{id}` {what}"))?;
        }
        meter.auth = match (keys.text("username"), keys.text("tokenFile")) {
            (Some(_), Some(_)) => return lacks("has both `username` and `tokenFile`; keep one of them"),
            (None, Some(path)) => Auth::BearerFile(path.into()),
            (Some(user), None) => {
                let from_file = |path: &str| {
                    file::read_text(Path::new(path), FileLimits::bytes(MAX_PASSWORD))
                        .map_err(|error| format!("{origin}: the password of meter `{id}` cannot be read: {error}"))
                };
                let password = match (keys.text("password"), keys.text("passwordFile")) {
                    (Some(password), _) => password.to_owned(),
                    (None, Some(path)) => from_file(path)?,
                    (None, None) => return lacks("has a `username` and no `password`"),
                };
                let (user, password) = (user.to_owned(), Secret::new(&password));
                match keys.text("login").unwrap_or("basic") {
                    "basic" => Auth::Basic { user, password },
                    "digest" if is_json => Auth::Digest { user, password },
                    "digest" => return lacks("cannot ask Prometheus with `login: digest`; use `basic`"),
                    other => return lacks(&format!("has `login: {other}`, which is none of `basic`, `digest`")),
                }
            }
            (None, None) => Auth::None,
        };
        draft.meter = Some(meter);
        Ok(draft)
    }

    /// Takes a key; else what is wrong with its value.
    fn set(&mut self, meter: &mut ExternalMeter, key: &str, text: &str) -> Result<(), String> {
        let between = |least: u64, most: u64| {
            let length = duration(text)?;
            if !(Duration::from_secs(least)..=Duration::from_secs(most)).contains(&length) {
                return Err(format!("must be {least}s to {most}s"));
            }
            Ok(length)
        };
        let positive = || {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
            number.ok_or_else(|| "must be a number above 0".to_owned())
        };
        match key {
            "node" => self.node = Some(text.to_owned()),
            "zone" => {
                let zone = text.parse().ok().filter(|zone| ZoneKind::METERED.contains(zone));
                self.zone = Some(zone.ok_or_else(|| {
                    let known = ZoneKind::METERED.map(|zone| format!("`{zone}`")).join(", ");
                    format!("is `{text}`, which is none of {known}")
                })?);
            }
            "interval" => self.interval = between(1, 600)?,
            "timeout" => meter.timeout = between(1, 60)?,
            "maxAge" => meter.max_age = between(1, 3600)?,
            "maxWatts" => meter.max_power = Power::from_watts(positive()?),
            "errorRatio" => {
                meter.error_ratio =
                    Some(positive().ok().filter(|ratio| *ratio <= 1.0).ok_or("must be above 0 and at most 1")?);
            }
            "unit" => {
                meter.unit_watts = match text {
                    "W" => 1.0,
                    "kW" => 1000.0,
                    "mW" => 0.001,
                    // A unit of its own: APC's devices show hundredths of a kilowatt.
                    _ => positive().map_err(|_| {
                        format!("is `{text}`, which is none of `W`, `kW`, `mW`, and no number of watts")
                    })?,
                }
            }
            "scope" => {
                meter.scope = match text {
                    "node" => PlatformScope::Node,
                    "part" => PlatformScope::Part,
                    "shared" => PlatformScope::Shared,
                    _ => return Err(format!("is `{text}`, which is none of `node`, `part`, `shared`")),
                }
            }
            "containsGpus" => {
                meter.contains_gpus = match text.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "on" => true,
                    "false" | "no" | "off" => false,
                    _ => return Err("must be `true` or `false`".to_owned()),
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The meter stands for a zone of this node: it is a part of the machine, unless it is said to be all of it.
fn stand_for(meter: &mut ExternalMeter, zone: ZoneKind, is_scoped: bool) -> Result<(), String> {
    if meter.scope == PlatformScope::Shared {
        return Err(format!(
            "cannot stand for the zone `{zone}` of one node with `scope: shared`; divide it in a query, with `scope: node` and an \
             `errorRatio`"
        ));
    }
    if zone != ZoneKind::Psys && !is_scoped {
        meter.scope = PlatformScope::Part;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::config::yaml;
    use super::*;

    fn file(text: &str) -> Result<MeterFile, String> {
        let root = yaml::parse(text).unwrap().root.unwrap();
        MeterFile::of(&root, Path::new("meters.yaml"), "worker-1")
    }

    #[test]
    fn meters_of_this_node_and_of_none_are_read_with_their_limits() {
        let found = file(
            "meters:\n  pdu:\n    prometheus: http://prometheus:9090\n    query: outlet_watts{outlet=\"7\"}\n    unit: kW\n    \
             maxAge: 90s\n    node: worker-1\n    interval: 30s\n    errorRatio: 0.05\n    containsGpus: false\n  plug:\n    \
             url: http://192.0.2.7/rpc/Switch.GetStatus?id=0\n    field: /apower\n    scope: part\n  other:\n    node: worker-2\n    \
             url: http://192.0.2.8/\n    field: /apower\n",
        )
        .unwrap();
        assert_eq!(found.problems, Vec::<String>::new());
        let ids: Vec<&str> = found.meters.iter().map(|outside| outside.meter.id.as_str()).collect();
        assert_eq!(ids, ["pdu", "plug"]);
        let pdu = &found.meters[0];
        assert_eq!(
            (pdu.meter.unit_watts, pdu.interval, pdu.meter.max_age.as_secs()),
            (1000.0, Duration::from_secs(30), 90)
        );
        assert!(!pdu.meter.contains_gpus && pdu.meter.error_ratio == Some(0.05) && pdu.origin == "meters.yaml:2");
        assert_eq!(found.meters[1].meter.scope, PlatformScope::Part);
    }

    #[test]
    fn a_meter_that_stands_for_a_zone_is_a_part_of_the_machine_unless_it_is_all_of_it() {
        let text = |zone: &str, rest: &str| {
            format!("meters:\n  plug:\n    url: http://a/\n    field: /w\n    zone: {zone}\n{rest}")
        };
        let found = |zone: &str, rest: &str| {
            let found = file(&text(zone, rest)).unwrap().meters.remove(0);
            (found.zone.unwrap(), found.meter.scope)
        };
        assert_eq!(found("psys", ""), (ZoneKind::Psys, PlatformScope::Node));
        assert_eq!(found("package", ""), (ZoneKind::Package, PlatformScope::Part));
        assert_eq!(found("package", "    scope: node\n"), (ZoneKind::Package, PlatformScope::Node));
        for (zone, rest, said) in [
            ("gpu", "", "meters.yaml:5: `zone` of meter `plug` is `gpu`, which is none of `package`, `core`"),
            ("psys", "    scope: shared\n", "cannot stand for the zone `psys` of one node"),
        ] {
            let found = file(&text(zone, rest)).unwrap();
            assert!(found.problems.concat().contains(said), "{:?}", found.problems);
            assert!(found.meters.is_empty());
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_the_rest_is_read() {
        let good = "  good:\n    url: http://a/\n    field: /w\n";
        for (text, said) in [
            ("  bad:\n    url: http://a/\n", "meters.yaml:2: meter `bad` has no `field`"),
            ("  bad:\n    url: http://a/\n    field: apower\n", "does not begin with `/`"),
            ("  bad:\n    prometheus: http://a/\n", "meters.yaml:2: meter `bad` has no `query`"),
            ("  bad:\n    field: /w\n", "has neither `prometheus` nor `url`"),
            (
                "  bad:\n    url: http://a/\n    field: /w\n    unit: VA\n",
                "meters.yaml:5: `unit` of meter `bad` is `VA`",
            ),
            ("  bad:\n    url: http://a/\n    field: /w\n    interval: 0s\n", "must be 1s to 600s"),
            ("  bad:\n    url: http://a/\n    field: /w\n    username: x\n", "has a `username` and no `password`"),
            (
                "  bad:\n    url: http://a/\n    field: /w\n    username: x\n    password: y\n    login: ntlm\n",
                "meters.yaml:2: meter `bad` has `login: ntlm`",
            ),
            (
                "  bad:\n    prometheus: http://a/\n    query: w\n    username: x\n    password: y\n    login: digest\n",
                "cannot ask Prometheus",
            ),
            ("  bad: 5\n", "meters.yaml:2: meter `bad` must be a section"),
        ] {
            let found = file(&format!("meters:\n{text}{good}")).unwrap();
            assert!(found.problems.len() == 1 && found.problems[0].contains(said), "{:?}", found.problems);
            assert_eq!(found.meters.len(), 1, "{said}");
        }
        let unknown = file(&format!("meters:\n{good}    felt: 3\n")).unwrap();
        assert!(unknown.problems[0].contains("meters.yaml:5: unknown key `felt`"), "{:?}", unknown.problems);
        assert!(file("meters: {}\n").is_err() && file("metres:\n  a: 1\n").is_err());
    }

    #[test]
    fn a_meter_that_stands_twice_is_read_once() {
        let found = file("meters:\n  a:\n    url: http://a/\n    field: /w\n  a:\n    url: http://b/\n    field: /w\n");
        // A parser may refuse that itself.
        if let Ok(found) = found {
            assert!(found.meters.len() == 1 && found.problems[0].contains("stands in line 2 already"));
        }
    }
}
