//! Unparsed values with their origin: a file, a flag, the environment.

use super::duration;
use super::yaml::{Content, Node};
use std::fmt;
use std::time::Duration;

/// Something wrong with the configuration: a whole sentence that names the file or flag, the line and the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem(pub(crate) String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One text, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    /// The text, without blanks around it.
    pub(crate) text: String,
    /// Where it stands, to begin a message with: `kepler.yaml:3: key monitor.interval`, `flag --monitor.interval`.
    pub(crate) origin: String,
}

impl Value {
    /// A value, and where it stands.
    pub(crate) fn new(text: &str, origin: impl Into<String>) -> Self {
        Value { text: text.trim().to_owned(), origin: origin.into() }
    }

    /// The problem `what` with this value.
    pub(crate) fn problem(&self, what: impl fmt::Display) -> Problem {
        Problem(format!("{}: {what}", self.origin))
    }

    /// The one of `choices` that the value names, in upper or lower case.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Problem> {
        choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(&self.text)).map(|&(_, choice)| choice).ok_or_else(
            || {
                let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
                self.problem(format_args!("`{}` is not one of {}", self.text, names.join(", ")))
            },
        )
    }

    fn switch(&self) -> Result<bool, Problem> {
        // What Go's strconv.ParseBool reads (flags), and what its YAML library takes for a bool.
        match self.text.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" | "y" | "yes" | "on" => Ok(true),
            "0" | "f" | "false" | "n" | "no" | "off" => Ok(false),
            _ => Err(self.problem(format_args!("`{}` is not `true` or `false`", self.text))),
        }
    }

    fn duration(&self) -> Result<Duration, Problem> {
        duration::parse(&self.text).map_err(|what| self.problem(what))
    }

    fn integer(&self) -> Result<i64, Problem> {
        self.text.parse().map_err(|_| self.problem(format_args!("`{}` is not a whole number", self.text)))
    }

    fn number(&self) -> Result<f64, Problem> {
        let number = self.text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        number.ok_or_else(|| self.problem(format_args!("`{}` is not a number of 0 or more", self.text)))
    }
}

/// What was given for one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RawSetting {
    /// One value.
    One(Value),
    /// A list, perhaps empty, and where it begins.
    Many(String, Vec<Value>),
    /// A section of a YAML file, or a list that may hold sections, and where it begins.
    Structure(String, Node),
}

/// The form a setting's value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `true` or `false`; as a flag also bare, and with `no-` before its name.
    Switch,
    /// Any text.
    Text,
    /// The path of a directory.
    Directory,
    /// A whole number, negative ones included.
    Integer,
    /// A number of 0 or more.
    Number,
    /// A duration in Go's syntax.
    Duration,
    /// Texts: a YAML list or a single text, a flag that may be repeated, commas in the environment.
    List,
    /// Whatever YAML can hold.
    Any,
}

impl RawSetting {
    /// Where it stands.
    pub(crate) fn origin(&self) -> &str {
        match self {
            RawSetting::One(value) => &value.origin,
            RawSetting::Many(origin, _) | RawSetting::Structure(origin, _) => origin,
        }
    }

    /// What it is in a file.
    pub(crate) fn content(&self) -> Content {
        let text = |value: &Value| Content::Text(value.text.clone());
        match self {
            RawSetting::One(value) => text(value),
            RawSetting::Many(_, values) => {
                Content::List(values.iter().map(|value| Node { line: 0, content: text(value) }).collect())
            }
            RawSetting::Structure(_, node) => node.content.clone(),
        }
    }

    fn one(&self) -> Result<&Value, Problem> {
        match self {
            RawSetting::One(value) => Ok(value),
            RawSetting::Many(origin, _) => Err(Problem(format!("{origin}: must be a single value, not a list"))),
            RawSetting::Structure(origin, _) => {
                Err(Problem(format!("{origin}: must be a single value, not a section")))
            }
        }
    }

    /// The single text.
    pub(crate) fn text(&self) -> Result<&Value, Problem> {
        self.one()
    }

    /// The single text as `true` or `false`.
    pub(crate) fn switch(&self) -> Result<bool, Problem> {
        self.one()?.switch()
    }

    /// The single text as a duration.
    pub(crate) fn duration(&self) -> Result<Duration, Problem> {
        self.one()?.duration()
    }

    /// The single text as a whole number.
    pub(crate) fn integer(&self) -> Result<i64, Problem> {
        self.one()?.integer()
    }

    /// The single text as a number of 0 or more.
    pub(crate) fn number(&self) -> Result<f64, Problem> {
        self.one()?.number()
    }

    /// Whether the single text is a directory that can be listed.
    pub(crate) fn directory(&self) -> Result<(), Problem> {
        let value = self.one()?;
        match std::fs::read_dir(&value.text) {
            Ok(_) => Ok(()),
            Err(error) => Err(value.problem(format_args!("cannot list the directory `{}`: {error}", value.text))),
        }
    }

    /// The texts of a list; a single text is a list of one, an empty one a list of none.
    pub(crate) fn list(&self) -> Result<&[Value], Problem> {
        match self {
            RawSetting::One(value) if value.text.is_empty() => Ok(&[]),
            RawSetting::One(value) => Ok(std::slice::from_ref(value)),
            RawSetting::Many(_, values) => Ok(values),
            RawSetting::Structure(origin, _) => Err(Problem(format!("{origin}: must be a list, not a section"))),
        }
    }

    /// Checks the form of a value that has no effect yet. Says whether it asks for anything: `false`,
    /// `0`, an empty text and an empty list do not.
    pub(crate) fn asks_for_something(&self, form: Form) -> Result<bool, Problem> {
        match form {
            Form::Switch => self.switch(),
            Form::Text | Form::Directory => Ok(!self.one()?.text.is_empty()),
            Form::Integer => Ok(self.integer()? != 0),
            Form::Number => Ok(self.number()? > 0.0),
            Form::Duration => Ok(!self.duration()?.is_zero()),
            Form::List => Ok(!self.list()?.is_empty()),
            Form::Any => Ok(match self {
                RawSetting::One(value) => !value.text.is_empty(),
                RawSetting::Many(_, values) => !values.is_empty(),
                RawSetting::Structure(..) => true,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value::new(text, "flag `--x`")
    }

    #[test]
    fn bools_are_read_as_go_reads_them() {
        for text in ["1", "t", "TRUE", "true", "True", "yes", "on"] {
            assert_eq!(value(text).switch(), Ok(true), "{text}");
        }
        for text in ["0", "f", "FALSE", "false", "no", "off"] {
            assert_eq!(value(text).switch(), Ok(false), "{text}");
        }
        assert_eq!(value("maybe").switch(), Err(Problem("flag `--x`: `maybe` is not `true` or `false`".to_owned())));
    }

    #[test]
    fn a_bad_choice_names_the_good_ones() {
        let choices = [("text", 1), ("json", 2)];
        assert_eq!(value(" JSON ").choice(&choices), Ok(2));
        let problem = value("xml").choice(&choices).unwrap_err();
        assert_eq!(problem.to_string(), "flag `--x`: `xml` is not one of `text`, `json`");
    }

    #[test]
    fn an_infinite_or_negative_number_is_refused() {
        for text in ["inf", "NaN", "-1", "1e999"] {
            assert!(value(text).number().is_err(), "{text}");
        }
        assert_eq!(value("17.5").number(), Ok(17.5));
    }

    #[test]
    fn what_is_off_or_empty_asks_for_nothing() {
        let one = |text| RawSetting::One(value(text));
        assert_eq!(one("false").asks_for_something(Form::Switch), Ok(false));
        assert_eq!(one("").asks_for_something(Form::Text), Ok(false));
        assert_eq!(one("15s").asks_for_something(Form::Duration), Ok(true));
        assert!(one("fifteen").asks_for_something(Form::Duration).is_err());
        assert_eq!(RawSetting::Many(String::new(), Vec::new()).asks_for_something(Form::List), Ok(false));
    }
}
