//! Settings as a tree, and as the YAML text of it.

use super::super::config::yaml::{Content, Entry, Node};

/// An entry that is a single text.
pub(super) fn text(key: &str, text: &str) -> Entry {
    entry(key, Content::Text(text.to_owned()))
}

/// An entry that is made here, and stands at no line.
pub(super) fn entry(key: &str, content: Content) -> Entry {
    Entry { key: key.to_owned(), line: 0, value: Node { line: 0, content } }
}

/// The value at `path`, names joined with dots.
pub(super) fn find<'a>(entries: &'a [Entry], path: &str) -> Option<&'a Content> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let content = &entries.iter().find(|entry| entry.key == name)?.value.content;
    match (rest, content) {
        (None, content) => Some(content),
        (Some(rest), Content::Section(entries)) => find(entries, rest),
        (Some(_), _) => None,
    }
}

/// The section at `path`; nothing where there is none.
pub(super) fn section<'a>(entries: &'a [Entry], path: &str) -> &'a [Entry] {
    match find(entries, path) {
        Some(Content::Section(entries)) => entries,
        _ => &[],
    }
}

/// The single text at `path`.
pub(super) fn string<'a>(entries: &'a [Entry], path: &str) -> Option<&'a str> {
    match find(entries, path) {
        Some(Content::Text(text)) => Some(text),
        _ => None,
    }
}

/// The items of the list at `path`.
pub(super) fn items<'a>(entries: &'a [Entry], path: &str) -> &'a [Node] {
    match find(entries, path) {
        Some(Content::List(items)) => items,
        _ => &[],
    }
}

/// Puts a value at `path`, replacing what is there.
pub(super) fn put(entries: &mut Vec<Entry>, path: &str, content: Content) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let at = entries.iter().position(|entry| entry.key == name).unwrap_or_else(|| {
        entries.push(entry(name, Content::Null));
        entries.len() - 1
    });
    let Some(found) = entries.get_mut(at) else { return };
    let Some(rest) = rest else {
        found.value.content = content;
        return;
    };
    if !matches!(found.value.content, Content::Section(_)) {
        found.value.content = Content::Section(Vec::new());
    }
    if let Content::Section(inner) = &mut found.value.content {
        put(inner, rest, content);
    }
}

/// Takes away what is at `path`.
pub(super) fn remove(entries: &mut Vec<Entry>, path: &str) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    entries.retain_mut(|entry| match (rest, &mut entry.value.content) {
        _ if entry.key != name => true,
        (None, _) => false,
        (Some(rest), Content::Section(inner)) => {
            remove(inner, rest);
            !inner.is_empty()
        }
        (Some(_), _) => true,
    });
}

/// The entries as YAML.
pub(super) fn write(entries: &[Entry]) -> String {
    let mut out = String::new();
    write_section(&mut out, entries, 0);
    out
}

fn write_section(out: &mut String, entries: &[Entry], depth: usize) {
    for Entry { key, value, .. } in entries {
        out.push_str(&"  ".repeat(depth));
        out.push_str(&scalar(key));
        out.push(':');
        write_content(out, &value.content, depth);
    }
}

/// A value after its key, or after the dash of its item.
fn write_content(out: &mut String, content: &Content, depth: usize) {
    match content {
        Content::Null => out.push('\n'),
        Content::Text(text) => out.push_str(&format!(" {}\n", scalar(text))),
        Content::List(items) if items.is_empty() => out.push_str(" []\n"),
        Content::Section(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Content::Section(entries) => {
            out.push('\n');
            write_section(out, entries, depth + 1);
        }
        Content::List(items) => {
            out.push('\n');
            for item in items {
                out.push_str(&"  ".repeat(depth + 1));
                out.push('-');
                write_content(out, &item.content, depth + 1);
            }
        }
    }
}

/// A text, quoted where YAML would read something else than what is meant.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '=');
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    let is_null = text.eq_ignore_ascii_case("null");
    if starts && !is_null && text.chars().all(plain) {
        return text.to_owned();
    }
    // A text of JSON is one of YAML.
    serde_json::Value::from(text).to_string()
}
