//! Settings in one part of a file, and splitting of command lines.

use super::super::config::yaml::Entry;

/// What one document, or one list of arguments, gives.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) kind: &'static str,
    pub(super) settings: Vec<Entry>,
    pub(super) arguments: Vec<String>,
    pub(super) remarks: Vec<String>,
}

/// The words of a command, as a shell and systemd divide it.
pub(super) fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in command.chars() {
        match (c, quote) {
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
