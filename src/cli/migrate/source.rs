//! Recognises files made for Go Kepler, and extracts their settings.

use super::super::config::yaml::{self, Content, Document, Entry, Node};
use super::super::config::{Flags, parse_flags};
use super::part::{Part, words};
use super::{manifest, tree};

/// The settings of a file.
#[derive(Debug)]
pub(super) struct Source {
    /// What it is, for people.
    pub(super) kind: &'static str,
    /// Its settings, under the keys of a configuration file.
    pub(super) settings: Vec<Entry>,
    /// What else was found, and where that belongs.
    pub(super) remarks: Vec<String>,
}

/// Said of a file in which nothing is found; nothing of it is repeated.
const NOTHING: &str = "it holds no settings of Kepler's that could be found; `kepler migrate --help` says what is read";

impl Source {
    /// Finds the settings in `text`.
    ///
    /// # Errors
    /// There are none. The message repeats nothing of the file.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let parts = match lines_of_arguments(text) {
            Some(part) => vec![part],
            None => documents(text).filter_map(manifest::part).collect(),
        };
        if parts.is_empty() {
            return Err(NOTHING.to_owned());
        }
        let kind =
            if parts.len() == 1 { parts.first().map_or("", |part| part.kind) } else { "several Kubernetes objects" };
        let mut source = Source { kind, settings: Vec::new(), remarks: Vec::new() };
        let mut arguments = Vec::new();
        for part in parts {
            merge(&mut source.settings, part.settings);
            arguments.extend(part.arguments);
            source.remarks.extend(part.remarks);
        }
        // Arguments win over the file, wherever they stand.
        source.take_arguments(arguments)?;
        Ok(source)
    }

    fn take_arguments(&mut self, arguments: Vec<String>) -> Result<(), String> {
        let Flags { config_file, settings, .. } = parse_flags(arguments)?;
        // Where the file stands beside them, its settings are here already.
        if let Some(file) = config_file.filter(|_| self.settings.is_empty()) {
            self.remarks.push(format!(
                "flag `--config.file`: the settings in `{}` hold as well; migrate that file too, or put these into it",
                file.display()
            ));
        }
        for (setting, raw) in settings {
            if let Some(flag) = setting.flag.as_ref().filter(|_| is_replaced(&raw.content())) {
                self.remarks.push(format!(
                    "flag `--{}`: Kubernetes puts a variable into it, which it does in arguments only; keep the flag",
                    flag.name
                ));
                continue;
            }
            tree::put(&mut self.settings, setting.key, raw.content());
        }
        Ok(())
    }
}

/// Whether Kubernetes replaces a part of it: `$(NODE_NAME)`.
fn is_replaced(content: &Content) -> bool {
    matches!(content, Content::Text(text) if text.contains("$("))
}

/// The documents of a file, each as far as it can be read.
fn documents(text: &str) -> impl Iterator<Item = Vec<Entry>> {
    let mut texts = vec![String::new()];
    for line in text.lines() {
        match texts.last_mut() {
            Some(last) if !line.starts_with("---") => {
                last.push_str(line);
                last.push('\n');
            }
            _ => texts.push(String::new()),
        }
    }
    texts.into_iter().flat_map(|text| match yaml::parse(&text) {
        Ok(Document { root: Some(Node { content: Content::Section(entries), .. }), .. }) => objects(entries),
        _ => Vec::new(),
    })
}

/// The objects of a list, as `kubectl get --output=yaml` writes it; else the document itself.
fn objects(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    if tree::string(&entries, "kind") != Some("List") {
        return vec![entries];
    }
    let items = tree::items(&entries, "items").iter().filter_map(|item| match &item.content {
        Content::Section(entries) => Some(entries.clone()),
        _ => None,
    });
    items.collect()
}

/// Puts `more` into `settings`, section by section; what comes later wins.
pub(super) fn merge(settings: &mut Vec<Entry>, more: Vec<Entry>) {
    for entry in more {
        match settings.iter_mut().find(|known| known.key == entry.key) {
            None => settings.push(entry),
            Some(known) => match (&mut known.value.content, entry.value.content) {
                (Content::Section(inner), Content::Section(entries)) => merge(inner, entries),
                (content, other) => *content = other,
            },
        }
    }
}

/// A file with a flag on each line, or a systemd unit that starts Kepler with flags.
fn lines_of_arguments(text: &str) -> Option<Part> {
    // A command goes on where a line ends with a backslash.
    let text = text.replace("\\\n", " ");
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])).collect();
    let start = lines.iter().find_map(|line| line.strip_prefix("ExecStart="));
    if let Some(command) = start.filter(|_| lines.iter().any(|line| line.starts_with('['))) {
        let arguments = words(command).into_iter().skip(1).collect();
        return Some(Part { kind: "a systemd unit", arguments, ..Part::default() });
    }
    if !lines.first()?.starts_with("--") || lines.first()?.starts_with("---") {
        return None;
    }
    let arguments = lines.iter().flat_map(|line| words(line)).collect();
    Some(Part { kind: "a file of flags", arguments, ..Part::default() })
}
