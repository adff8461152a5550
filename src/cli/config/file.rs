//! Settings from a YAML file: walks its tree along the table, and finds what the table does not know.

use super::Layers;
use super::given::{Form, Given, Problem, Value};
use super::settings::{SETTINGS, Setting};
use super::yaml::{self, Content, Entry, Node};
use std::path::Path;

/// A configuration is a page or two; a larger file is something else, such as a device that never ends.
const MAX_BYTES: u64 = 1 << 20;

/// Reads `path` into `layers`, problems included.
pub(super) fn read(path: &Path, layers: &mut Layers) {
    match text(path) {
        Ok(text) => walk(path, &text, layers),
        Err(problem) => layers.problems.push(problem),
    }
}

fn text(path: &Path) -> Result<String, Problem> {
    use std::io::Read;
    let cannot =
        |what: &dyn std::fmt::Display| Problem(format!("{}: cannot read the configuration: {what}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| cannot(&error))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(cannot(&"it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        Problem(format!("{}:{line}: not UTF-8 text", path.display()))
    })
}

fn walk(path: &Path, text: &str, layers: &mut Layers) {
    match yaml::parse(text) {
        Err(malformed) => {
            layers.problems.push(Problem(format!(
                "{}:{}: malformed YAML: {}",
                path.display(),
                malformed.line,
                malformed.what
            )));
        }
        Ok(None | Some(Node { content: Content::Null, .. })) => {}
        Ok(Some(Node { content: Content::Section(entries), .. })) => Walk { path, layers }.section("", entries),
        Ok(Some(Node { line, .. })) => {
            layers
                .problems
                .push(Problem(format!("{}:{line}: the file must consist of keys and values", path.display())));
        }
    }
}

struct Walk<'a> {
    path: &'a Path,
    layers: &'a mut Layers,
}

impl Walk<'_> {
    fn origin(&self, line: usize, key: &str) -> String {
        format!("{}:{line}: key `{key}`", self.path.display())
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
                self.layers.problems.push(Problem(format!("{origin} is unknown; {}", advice(prefix, &name))));
            }
        }
    }

    fn setting(&mut self, setting: &'static Setting, origin: &str, node: Node) {
        let given = match node.content {
            // A key without a value leaves the default, as in Go.
            Content::Null => return,
            Content::Text(text) => Given::One(Value::new(&text, origin)),
            content @ Content::Section(_) => Given::Structure(origin.to_owned(), Node { line: node.line, content }),
            Content::List(items) if setting.form == Form::Any && !items.is_empty() => {
                Given::Structure(origin.to_owned(), Node { line: node.line, content: Content::List(items) })
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
                Given::Many(origin.to_owned(), values)
            }
        };
        self.layers.given.push((setting, given));
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

/// What the author of an unknown key may have meant: a similar name in the same section, the same name
/// in another one, or else all names of the section.
fn advice(prefix: &str, name: &str) -> String {
    let here = names_below(prefix);
    let in_section = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    let plain = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
    let similar = here
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&plain(known), &plain(name)), known))
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len().div_ceil(2))
        .min_by_key(|(distance, _)| *distance);
    if let Some((_, known)) = similar {
        return format!("did you mean `{}`?", in_section(known));
    }
    let elsewhere = SETTINGS.iter().find(|setting| {
        setting.key.rsplit('.').next() == Some(name) && name != "enabled"
            || setting.flag.as_ref().is_some_and(|flag| flag.name == in_section(name))
    });
    match elsewhere {
        Some(setting) => format!("did you mean `{}`?", setting.key),
        None => format!("here can stand: {}", quoted(&here)),
    }
}
