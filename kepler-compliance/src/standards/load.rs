//! Reads files of standards; every error names file, line and field.

use super::Rule;
use super::format::RuleForm;
use jiff::civil::Date;
use kepler_core::host::file::{self, FileLimits};
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

/// A hundred times the built-in rules.
const MAX_BYTES: u64 = 16 << 20;

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
    file::read_text(path, FileLimits::bytes(MAX_BYTES))
        .map_err(|error| LoadError::Read { path: path.to_path_buf(), source: error.into_io() })
}

/// The rules of a file, by code, each with its versions in order of time.
pub(super) fn rules(path: &Path, text: &str) -> Result<BTreeMap<String, Vec<Rule>>, LoadError> {
    let place = Place { path, text };
    let file: File<'_> = serde_json::from_str(text).map_err(|error| place.json(0, &error))?;
    let mut rules: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
    for raw in file.rules {
        // The raw value is a slice of the text: the distance of the two is where it begins.
        let offset = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let form: RuleForm = serde_json::from_str(raw.get()).map_err(|error| place.json(offset, &error))?;
        let rule = form.into_rule().map_err(|(field, reason)| place.fault(offset, raw.get(), field, reason))?;
        let versions = rules.entry(rule.code.clone()).or_default();
        if let Some(other) = versions.iter().find(|other| overlap(other, &rule)) {
            let since = other.valid_from.map_or("ever".into(), |date| date.to_string());
            let reason = format!("two versions of {} are in force at once (one since {since})", rule.code);
            return Err(place.fault(offset, raw.get(), "valid_from", reason));
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
struct Place<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Place<'_> {
    /// An error of serde in the part of the text that begins at `offset`.
    fn json(&self, offset: usize, error: &serde_json::Error) -> LoadError {
        let line = self.line(offset) + error.line().saturating_sub(1);
        let message = error.to_string();
        let reason = message.split(" at line ").next().unwrap_or(&message).to_owned();
        // serde quotes the field it misses or does not know; for a wrong value it is the key that
        // stands before it on the line.
        let quoted = reason.contains("field `").then(|| reason.split('`').nth(1)).flatten();
        let before = || self.text.lines().nth(line.saturating_sub(1)).and_then(last_key);
        let field = quoted.map(str::to_owned).or_else(|| before().map(str::to_owned));
        LoadError::Invalid { path: self.path.to_path_buf(), line, field, reason }
    }

    /// A fault of a field in the rule that begins at `offset`: the field's line, or the rule's.
    fn fault(&self, offset: usize, rule: &str, field: &str, reason: String) -> LoadError {
        let inside = rule.find(&format!("\"{field}\"")).unwrap_or(0);
        let line = self.line(offset + inside);
        LoadError::Invalid { path: self.path.to_path_buf(), line, field: Some(field.to_owned()), reason }
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
    }
}

/// The last key on a line of JSON: `"limit": {"at_most": "x"}` gives `at_most`.
fn last_key(line: &str) -> Option<&str> {
    let (before, _) = line.rsplit_once("\":")?;
    before.rsplit('"').next()
}
