//! Settings from environment variables: `KEPLER_` and a flag's name in capitals, `_` for `.` and `-`.

use super::flags::CONFIG_STRICT;
use super::raw_setting::{Form, Problem, RawSetting, Value};
use super::settings::{SETTINGS, Setting};
use kepler_core::printable;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// How the names of all our variables begin.
const PREFIX: &str = "KEPLER_";

/// What the environment says.
#[derive(Debug, Default)]
pub(super) struct VariableSettings {
    /// `KEPLER_CONFIG_FILE`, where set and not empty.
    pub(super) config_file: Option<PathBuf>,
    /// `KEPLER_CONFIG_STRICT`, where set and not empty.
    pub(super) strict: Option<bool>,
    /// The settings, in the order of their names.
    pub(super) settings: Vec<(&'static Setting, RawSetting)>,
    /// Variables that look like ours and are not.
    pub(super) warnings: Vec<String>,
    /// What cannot be read.
    pub(super) problems: Vec<Problem>,
}

/// The environment variable of a flag: `monitor.max-terminated` is `KEPLER_MONITOR_MAX_TERMINATED`.
pub(super) fn variable(flag: &str) -> String {
    format!("KEPLER_{}", flag.replace(['.', '-'], "_").to_ascii_uppercase())
}

/// Takes the variables that are ours. An empty one counts as not set, as an unset variable in a manifest
/// often arrives.
pub(super) fn read(variables: impl IntoIterator<Item = (OsString, OsString)>) -> VariableSettings {
    let mut found = VariableSettings::default();
    let mut variables: Vec<(String, OsString)> = variables
        .into_iter()
        .filter(|(name, text)| {
            name.as_bytes().starts_with(PREFIX.as_bytes()) && !text.as_bytes().trim_ascii().is_empty()
        })
        .map(|(name, text)| (printable::bytes(name.as_bytes()).into_owned(), text))
        .filter(|(name, _)| !is_service_link(name))
        .collect();
    variables.sort();
    for (name, text) in variables {
        match text.into_string() {
            Ok(text) => found.take(&name, &text),
            Err(_) => found.problems.push(Problem(format!("environment variable `{name}` is not UTF-8 text"))),
        }
    }
    found
}

impl VariableSettings {
    fn take(&mut self, name: &str, text: &str) {
        if name == variable("config.file") {
            self.config_file = Some(PathBuf::from(text));
            return;
        }
        if name == variable(CONFIG_STRICT) {
            match raw_setting(Form::Switch, text, name).switch() {
                Ok(strict) => self.strict = Some(strict),
                Err(problem) => self.problems.push(problem),
            }
            return;
        }
        let flag = |setting: &&Setting| setting.flag.as_ref().is_some_and(|flag| variable(flag.name) == name);
        match SETTINGS.iter().find(flag) {
            Some(setting) => self.settings.push((setting, raw_setting(setting.form, text, name))),
            None => self.warnings.push(format!(
                "environment variable `{name}` is unknown and has no effect; \
                 a setting's variable is its flag's name in capitals, such as `KEPLER_MONITOR_INTERVAL`"
            )),
        }
    }
}

fn raw_setting(form: Form, text: &str, name: &str) -> RawSetting {
    let origin = format!("environment variable `{name}`");
    if form == Form::List {
        let values = text.split(',').filter(|part| !part.trim().is_empty()).map(|part| Value::new(part, &*origin));
        return RawSetting::Many(origin.clone(), values.collect());
    }
    RawSetting::One(Value::new(text, origin))
}

/// Kubernetes puts variables into each container for every service of its namespace, and a service of
/// ours is likely called `kepler`: `KEPLER_SERVICE_HOST`, `KEPLER_PORT_28282_TCP_ADDR`, …
/// (Kubernetes documentation, "Accessing the Service", environment variables).
fn is_service_link(name: &str) -> bool {
    let numbered_port =
        name.split_once("_PORT_").is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.ends_with("_PORT") || numbered_port
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(variables: &[(&str, &str)]) -> VariableSettings {
        read(variables.iter().map(|&(name, text)| (name.into(), text.into())))
    }

    #[test]
    fn a_variable_is_a_flags_name_in_capitals() {
        let found =
            read_all(&[("KEPLER_MONITOR_MAX_TERMINATED", "7"), ("PATH", "/bin"), ("KEPLER_CONFIG_FILE", "a.yaml")]);
        let [(setting, raw)] = found.settings.as_slice() else { panic!("{found:?}") };
        assert_eq!(setting.key, "monitor.maxTerminated");
        assert_eq!(raw.integer(), Ok(7));
        assert_eq!(raw.origin(), "environment variable `KEPLER_MONITOR_MAX_TERMINATED`");
        assert_eq!(found.config_file, Some(PathBuf::from("a.yaml")));
    }

    #[test]
    fn commas_separate_the_values_of_a_list() {
        let found = read_all(&[("KEPLER_WEB_LISTEN_ADDRESS", ":28282, localhost:9000,")]);
        let [(_, raw)] = found.settings.as_slice() else { panic!("{found:?}") };
        let texts: Vec<_> = raw.list().unwrap().iter().map(|value| value.text.as_str()).collect();
        assert_eq!(texts, [":28282", "localhost:9000"]);
    }

    #[test]
    fn an_unknown_variable_is_named_but_kubernetes_own_are_not() {
        let found = read_all(&[
            ("KEPLER_MONITOR_INTERVALL", "5s"),
            ("KEPLER_SERVICE_HOST", "10.0.0.1"),
            ("KEPLER_SERVICE_PORT_HTTP", "28282"),
            ("KEPLER_PORT", "tcp://10.0.0.1:28282"),
            ("KEPLER_PORT_28282_TCP_ADDR", "10.0.0.1"),
            ("KEPLER_EXPORTER_SERVICE_PORT", "28282"),
        ]);
        assert_eq!(found.warnings.len(), 1, "{found:?}");
        assert!(found.warnings[0].contains("`KEPLER_MONITOR_INTERVALL` is unknown"));
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        assert!(read_all(&[("KEPLER_LOG_LEVEL", "")]).settings.is_empty());
    }

    #[test]
    fn a_value_that_is_not_text_is_an_error_that_names_the_variable() {
        use std::os::unix::ffi::OsStringExt as _;
        let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let found = read([
            (bytes(b"KEPLER_LOG_LEVEL"), bytes(b"in\xfffo")),
            (bytes(b"KEPLER_\xff\x1b"), bytes(b"x")),
            (bytes(b"OTHER\xff"), bytes(b"\xff")),
        ]);
        assert_eq!(found.problems, [Problem("environment variable `KEPLER_LOG_LEVEL` is not UTF-8 text".to_owned())]);
        assert!(found.warnings[0].contains(r"`KEPLER_\xff\u{1b}` is unknown"), "{:?}", found.warnings);
        assert_eq!((found.warnings.len(), found.settings.len()), (1, 0));
    }

    #[test]
    fn no_two_flags_share_a_variable() {
        let mut names: Vec<_> =
            SETTINGS.iter().filter_map(|s| s.flag.as_ref()).map(|flag| variable(flag.name)).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
