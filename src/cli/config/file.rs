//! Settings from a YAML file: walks its tree along the table, and finds what the table does not know.

use super::layers::Layers;
use super::raw_setting::{Form, Problem, RawSetting, Value};
use super::resemblance;
use super::settings::{SETTINGS, Setting};
use super::yaml::{self, Content, Document, Entry, Node};
use kepler_core::host::file::{self, FileFault, FileLimits};
use kepler_core::printable;
use std::path::Path;

/// A configuration is a page or two; a larger file is something else.
const MAX_BYTES: u64 = 1 << 20;

/// As much of an unknown key as is repeated.
const SHOWN_OF_KEY: usize = 64;

/// Reads `path` into `layers`, problems included.
pub(super) fn read(path: &Path, layers: &mut Layers) {
    match text(path) {
        Ok(text) => walk(path, &text, layers),
        Err(problem) => layers.problems.push(problem),
    }
}

fn text(path: &Path) -> Result<String, Problem> {
    file::read_text(path, FileLimits::bytes(MAX_BYTES)).map_err(|error| match error.reason() {
        FileFault::NotText(line) => Problem(format!("{}:{line}: not UTF-8 text", path.display())),
        reason => Problem(format!("{}: cannot read the configuration: {reason}", path.display())),
    })
}

pub(super) fn walk(path: &Path, text: &str, layers: &mut Layers) {
    let Document { root, further } = match yaml::parse(text) {
        Ok(document) => document,
        Err(malformed) => {
            let (line, what) = (malformed.line, malformed.what);
            layers.problems.push(Problem(format!("{}:{line}: malformed YAML: {what}", path.display())));
            return;
        }
    };
    if let Some(line) = further {
        let what = "a second document begins here, which is not read: settings must stand in the first";
        layers.unknown.push(format!("{}:{line}: {what}", path.display()));
    }
    match root {
        None | Some(Node { content: Content::Null, .. }) => {}
        Some(Node { content: Content::Section(entries), .. }) => match foreign(&entries) {
            None => Walk { path, layers }.section("", entries),
            Some(what) => layers.unknown.push(format!("{}: {what}", path.display())),
        },
        Some(Node { line, .. }) => {
            layers
                .problems
                .push(Problem(format!("{}:{line}: the file must consist of keys and values", path.display())));
        }
    }
}

/// What a file with these keys at its top is, if it is not meant for us. Nothing of such a file is repeated:
/// it may hold secrets.
fn foreign(entries: &[Entry]) -> Option<String> {
    let sections = names_below("");
    if entries.is_empty() || entries.iter().any(|entry| sections.contains(&entry.key.as_str())) {
        return None;
    }
    let recognised = resemblance::recognise(entries);
    if recognised.is_none() && entries.iter().any(|entry| is_nearly_ours(&entry.key)) {
        return None;
    }
    recognised.or_else(|| Some(resemblance::unknown(entries.len(), &quoted(&sections))))
}

/// Whether a section with these entries is a configuration, perhaps with slips.
pub(crate) fn looks_like_settings(entries: &[Entry]) -> bool {
    !entries.is_empty() && foreign(entries).is_none()
}

/// Whether a key that is no section was meant as one: it is nearly written so, an extension, or the name of a
/// key that belongs elsewhere and that no other program has.
fn is_nearly_ours(name: &str) -> bool {
    similar("", name).is_some() || name.starts_with("x-") || (name.len() >= 8 && elsewhere("", name).is_some())
}

struct Walk<'a> {
    path: &'a Path,
    layers: &'a mut Layers,
}

impl Walk<'_> {
    fn origin(&self, line: usize, key: &str) -> String {
        let key: String = key.chars().take(SHOWN_OF_KEY).collect();
        format!("{}:{line}: key `{}`", self.path.display(), printable::line(&key))
    }

    fn section(&mut self, prefix: &str, entries: Vec<Entry>) {
        let mut seen: Vec<(String, usize)> = Vec::with_capacity(entries.len());
        for Entry { key: name, line, value } in entries {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            let origin = self.origin(line, &key);
            if let Some((_, first)) = seen.iter().find(|(earlier, _)| *earlier == name) {
                self.layers.problems.push(Problem(format!("{origin} is given twice, first at line {first}")));
                continue;
            }
            seen.push((name.clone(), line));
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) {
                self.setting(setting, &origin, value);
            } else if SETTINGS.iter().any(|setting| is_below(setting.key, &key)) {
                match value.content {
                    Content::Section(entries) => self.section(&key, entries),
                    Content::Null => {}
                    Content::Text(_) | Content::List(_) => {
                        let keys = quoted(&names_below(&key));
                        self.layers.problems.push(Problem(format!("{origin} must be a section with keys: {keys}")));
                    }
                }
            } else {
                self.layers.unknown.push(format!("{origin} has no effect: {}", advice(prefix, &name)));
            }
        }
    }

    fn setting(&mut self, setting: &'static Setting, origin: &str, node: Node) {
        let raw = match node.content {
            // A key without a value leaves the default, as in Go.
            Content::Null => return,
            Content::Text(text) => RawSetting::One(Value::new(&text, origin)),
            content @ Content::Section(_) => {
                RawSetting::Structure(origin.to_owned(), Node { line: node.line, content })
            }
            Content::List(items) if setting.form == Form::Any && !items.is_empty() => {
                RawSetting::Structure(origin.to_owned(), Node { line: node.line, content: Content::List(items) })
            }
            Content::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    let origin = self.origin(item.line, setting.key);
                    match item.content {
                        Content::Text(text) => values.push(Value::new(&text, origin)),
                        Content::Null => values.push(Value::new("", origin)),
                        Content::List(_) | Content::Section(_) => {
                            self.layers
                                .problems
                                .push(Problem(format!("{origin}: an item of the list must be a single value")));
                        }
                    }
                }
                RawSetting::Many(origin.to_owned(), values)
            }
        };
        self.layers.settings.push((setting, raw));
    }
}

fn is_below(key: &str, section: &str) -> bool {
    section.is_empty() || key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))
}

/// The names that can stand in a section, in the order of the table.
fn names_below(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for setting in SETTINGS.iter().filter(|setting| is_below(setting.key, section)) {
        let rest = if section.is_empty() { Some(setting.key) } else { setting.key.get(section.len() + 1..) };
        let name = rest.and_then(|rest| rest.split('.').next()).unwrap_or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The name in a section that `name` nearly is.
fn similar(prefix: &str, name: &str) -> Option<&'static str> {
    nearest(name, names_below(prefix))
}

/// Of the `known` names the one that `name` nearly is.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > SHOWN_OF_KEY {
        return None;
    }
    let plain = |text: &str| text.replace(['-', '_'], "").to_lowercase();
    let wanted = plain(name);
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&plain(known), &wanted), known))
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len().div_ceil(2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// The setting that has this name in another section, or as a flag.
fn elsewhere(prefix: &str, name: &str) -> Option<&'static Setting> {
    let here = in_section(prefix, name);
    SETTINGS.iter().find(|setting| {
        setting.key.split('.').skip(1).any(|part| part == name && name != "enabled")
            || setting.flag.as_ref().is_some_and(|flag| flag.name == here)
    })
}

fn in_section(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// What the author of an unknown key may have meant: a similar name in the same section, the same name
/// in another one, or else all names of the section.
fn advice(prefix: &str, name: &str) -> String {
    if prefix.is_empty() && name.starts_with("x-") {
        return "it is an extension, which only anchors can use".to_owned();
    }
    if let Some(known) = similar(prefix, name) {
        return format!("it is unknown; did you mean `{}`?", in_section(prefix, known));
    }
    match elsewhere(prefix, name) {
        Some(setting) => {
            let end = setting.key.find(name).map_or(setting.key.len(), |start| start + name.len());
            format!("it is unknown here; did you mean `{}`?", setting.key.get(..end).unwrap_or(setting.key))
        }
        None => format!("it is unknown; here can stand: {}", quoted(&names_below(prefix))),
    }
}
