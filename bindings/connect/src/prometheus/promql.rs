//! PromQL with escaping.

use std::fmt::Write as _;
use std::time::Duration;

/// A string in quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            // Writing to a string cannot fail.
            control if control.is_control() => drop(write!(quoted, "\\u{:04x}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A regular expression (RE2) that matches one of `texts` and nothing else.
pub(super) fn one_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let escape = |text: &str| {
        let special = |character| if r"\.+*?()|[]{}^$".contains(character) { Some('\\') } else { None };
        text.chars().flat_map(|character| special(character).into_iter().chain([character])).collect::<String>()
    };
    texts.into_iter().map(escape).collect::<Vec<_>>().join("|")
}

/// Label matchers, for behind a metric's name.
#[derive(Clone, Debug, Default)]
pub(super) struct Matchers(String);

impl Matchers {
    #[must_use]
    pub(super) fn equal(mut self, label: &str, value: &str) -> Self {
        self.push(label, "=", value);
        self
    }

    #[must_use]
    pub(super) fn one_of<'a>(mut self, label: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        self.push(label, "=~", &one_of(values));
        self
    }

    /// None of these values, if there are any.
    #[must_use]
    pub(super) fn none_of<'a>(mut self, label: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        let values = one_of(values);
        if !values.is_empty() {
            self.push(label, "!~", &values);
        }
        self
    }

    fn push(&mut self, label: &str, operator: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(label);
        self.0.push_str(operator);
        self.0.push_str(&quoted(value));
    }

    /// `metric{matchers}`.
    pub(super) fn of(&self, metric: &str) -> String {
        format!("{metric}{{{}}}", self.0)
    }
}

/// A duration as PromQL takes it.
pub(super) fn duration(length: Duration) -> String {
    format!("{}ms", length.as_millis().max(1))
}

/// Whether a label can be named in a query without quotes.
pub(super) fn is_label(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|other| other.is_ascii_alphanumeric() || other == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_line_breaks_and_backslashes_cannot_leave_a_matcher() {
        let matchers = Matchers::default().equal("a", "x\"} or up{b=\"\\\n").equal("c", "\u{1}");
        assert_eq!(matchers.of("m"), r#"m{a="x\"} or up{b=\"\\\n",c="\u0001"}"#);
    }

    #[test]
    fn an_expression_matches_its_texts_literally() {
        assert_eq!(one_of(["a.b", "c|d(1)"]), r"a\.b|c\|d\(1\)");
        assert_eq!(Matchers::default().one_of("a", ["x.y"]).of("m"), r#"m{a=~"x\\.y"}"#);
        assert_eq!(Matchers::default().none_of("a", ["x"]).none_of("b", []).of("m"), r#"m{a!~"x"}"#);
    }
}
