//! Reads files of standards; every error names file, line and field.

use super::Rule;
use super::format::RuleForm;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Standards that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file or directory cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A rule is not valid.
    #[error("{path}:{line}: {}{reason}", field.as_deref().map(|field| format!("`{field}`: ")).unwrap_or_default())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The field, where one is to blame.
        field: Option<String>,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    #[serde(rename = "$schema", default)]
    _schema: Option<String>,
    #[serde(borrow)]
    rules: Vec<&'a RawValue>,
}

/// The `*.json` files of a directory, in order of their names.
pub(super) fn json_files(directory: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let failed = |source| LoadError::Read { path: directory.to_path_buf(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// A file's text.
pub(super) fn read(path: &Path) -> Result<String, LoadError> {
    crate::file::read_text(path).map_err(|source| LoadError::Read { path: path.to_path_buf(), source })
}

/// The rules of a file, by code, each with its versions in order of time.
pub(super) fn rules(path: &Path, text: &str) -> Result<BTreeMap<String, Vec<Rule>>, LoadError> {
    let text = crate::file::without_byte_order_mark(text);
    let source = SourceText { path, text };
    source.object(0, text, "a file of standards", r#"{"rules": [...]}"#)?;
    let file: File<'_> = serde_json::from_str(text).map_err(|error| source.json(0, None, &error))?;
    let mut rules: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
    for raw in file.rules {
        // The raw value is a slice of the text: the distance of the two is where it begins.
        let offset = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        source.object(offset, raw.get(), "a rule", r#"{"code": ..., "kind": ...}"#)?;
        let reader = &mut serde_json::Deserializer::from_str(raw.get());
        let form: RuleForm = serde_path_to_error::deserialize(reader).map_err(|error| {
            let path = error.path().to_string();
            source.json(offset, Some(path), error.inner())
        })?;
        let fault = |(field, reason): (&str, String)| source.fault(offset, raw.get(), field, reason);
        let rule = form.into_rule().map_err(fault)?;
        let versions = rules.entry(rule.code.clone()).or_default();
        if let Some(other) = versions.iter().find(|other| overlap(other, &rule)) {
            let since = other.valid_from.map_or("ever".into(), |date| date.to_string());
            let reason = format!("two versions of {} are in force at once (one since {since})", rule.code);
            return Err(fault(("valid_from", reason)));
        }
        versions.push(rule);
        versions.sort_by_key(|rule| rule.valid_from);
    }
    Ok(rules)
}

fn overlap(a: &Rule, b: &Rule) -> bool {
    let from = |rule: &Rule| rule.valid_from.unwrap_or(Date::MIN);
    let to = |rule: &Rule| rule.valid_to.unwrap_or(Date::MAX);
    from(a) <= to(b) && from(b) <= to(a)
}

/// Finds lines and fields.
struct SourceText<'a> {
    path: &'a Path,
    text: &'a str,
}

impl SourceText<'_> {
    /// Serde would read a list as an object whose first field is its first value, and blame that.
    fn object(&self, offset: usize, text: &str, what: &str, form: &str) -> Result<(), LoadError> {
        match text.trim_start().starts_with(['[', '"']) {
            true => Err(LoadError::Invalid {
                path: self.path.to_path_buf(),
                line: self.line(offset),
                field: None,
                reason: format!("{what} is a JSON object: {form}"),
            }),
            false => Ok(()),
        }
    }

    /// An error of serde in the part of the text that begins at `offset`; `path` leads to the value it is about.
    fn json(&self, offset: usize, path: Option<String>, error: &serde_json::Error) -> LoadError {
        let line = self.line(offset) + error.line().saturating_sub(1);
        let message = kepler_core::printable::names_only(&error.to_string());
        let reason = message.split(" at line ").next().unwrap_or(&message).to_owned();
        // The text of a rule is JSON: what is no error of data is a choice in another form than a text or an object of one.
        let is_rule = path.is_some();
        let reason =
            if is_rule && error.is_syntax() { "is not of the form that the field takes".to_owned() } else { reason };
        // A missing, unknown or repeated field is named in the message; the path ends at what holds it.
        let holder = path.filter(|path| !matches!(path.as_str(), "." | "?"));
        // A key that is no choice has no place of its own in the path.
        let (holder, of_key) = match holder.as_deref().and_then(|path| path.strip_suffix(".?")) {
            Some(path) => (Some(path.to_owned()), "unknown variant `"),
            None => (holder, "missing field `"),
        };
        let quoted = [of_key, "missing field `", "unknown field `", "duplicate field `"]
            .iter()
            .find_map(|start| reason.strip_prefix(start)?.split('`').next());
        let field = match (holder, quoted) {
            (Some(holder), Some(name)) if !holder.ends_with(name) => Some(format!("{holder}.{name}")),
            (Some(holder), _) => Some(holder),
            (None, name) => name.map(str::to_owned),
        };
        // Text that is no JSON has no fields.
        let field = field.filter(|_| error.is_data() || is_rule);
        LoadError::Invalid { path: self.path.to_path_buf(), line, field, reason }
    }

    /// A fault of a field in the rule that begins at `offset`: the field's line, or the rule's.
    fn fault(&self, offset: usize, rule: &str, field: &str, reason: String) -> LoadError {
        let line = self.line(offset + key(rule, field).unwrap_or(0));
        LoadError::Invalid { path: self.path.to_path_buf(), line, field: Some(field.to_owned()), reason }
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
    }
}

/// Where a key of a JSON object itself stands, not one of an object within it nor a text that looks like it.
fn key(object: &str, name: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_u32, 0);
    let bytes = object.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = string_end(bytes, at)?;
                let is_key = bytes.iter().skip(end).find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
                if depth == 1 && is_key && object.get(at + 1..end - 1) == Some(name) {
                    return Some(at);
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The index after the string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut escaped = false;
    let rest = bytes.iter().enumerate().skip(start + 1);
    let end = rest.into_iter().find(|(_, byte)| {
        let ends = **byte == b'"' && !escaped;
        escaped = **byte == b'\\' && !escaped;
        ends
    });
    end.map(|(at, _)| at + 1)
}
