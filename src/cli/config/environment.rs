//! Settings from environment variables: `KEPLER_` and a flag's name in capitals, `_` for `.` and `-`.

use super::given::{Form, Given, Value};
use super::settings::{SETTINGS, Setting};
use std::path::PathBuf;

/// What the environment says.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// `KEPLER_CONFIG_FILE`, where set and not empty.
    pub(super) config_file: Option<PathBuf>,
    /// The settings, in the order of the table.
    pub(super) given: Vec<(&'static Setting, Given)>,
    /// Variables that look like ours and are not.
    pub(super) warnings: Vec<String>,
}

/// The environment variable of a flag: `monitor.max-terminated` is `KEPLER_MONITOR_MAX_TERMINATED`.
pub(super) fn variable(flag: &str) -> String {
    format!("KEPLER_{}", flag.replace(['.', '-'], "_").to_ascii_uppercase())
}

/// Takes the variables that are ours. An empty one counts as not set, as an unset variable in a manifest
/// often arrives.
pub(super) fn read(variables: impl IntoIterator<Item = (String, String)>) -> Environment {
    let mut environment = Environment::default();
    let mut variables: Vec<(String, String)> =
        variables.into_iter().filter(|(name, text)| name.starts_with("KEPLER_") && !text.trim().is_empty()).collect();
    variables.sort();
    for (name, text) in variables {
        if name == variable("config.file") {
            environment.config_file = Some(PathBuf::from(text));
            continue;
        }
        let setting =
            SETTINGS.iter().find(|setting| setting.flag.as_ref().is_some_and(|flag| variable(flag.name) == name));
        match setting {
            Some(setting) => environment.given.push((setting, given(setting.form, &text, &name))),
            None if is_service_link(&name) => {}
            None => environment.warnings.push(format!(
                "environment variable `{name}` is unknown and has no effect; \
                 a setting's variable is its flag's name in capitals, such as `KEPLER_MONITOR_INTERVAL`"
            )),
        }
    }
    environment
}

fn given(form: Form, text: &str, name: &str) -> Given {
    let origin = format!("environment variable `{name}`");
    if form == Form::List {
        let values = text.split(',').filter(|part| !part.trim().is_empty()).map(|part| Value::new(part, &*origin));
        return Given::Many(origin.clone(), values.collect());
    }
    Given::One(Value::new(text, origin))
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

    fn read_all(variables: &[(&str, &str)]) -> Environment {
        read(variables.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())))
    }

    #[test]
    fn a_variable_is_a_flags_name_in_capitals() {
        let environment =
            read_all(&[("KEPLER_MONITOR_MAX_TERMINATED", "7"), ("PATH", "/bin"), ("KEPLER_CONFIG_FILE", "a.yaml")]);
        let [(setting, given)] = environment.given.as_slice() else { panic!("{environment:?}") };
        assert_eq!(setting.key, "monitor.maxTerminated");
        assert_eq!(given.integer(), Ok(7));
        assert_eq!(given.origin(), "environment variable `KEPLER_MONITOR_MAX_TERMINATED`");
        assert_eq!(environment.config_file, Some(PathBuf::from("a.yaml")));
    }

    #[test]
    fn commas_separate_the_values_of_a_list() {
        let environment = read_all(&[("KEPLER_WEB_LISTEN_ADDRESS", ":28282, localhost:9000,")]);
        let [(_, given)] = environment.given.as_slice() else { panic!("{environment:?}") };
        let texts: Vec<_> = given.list().unwrap().iter().map(|value| value.text.as_str()).collect();
        assert_eq!(texts, [":28282", "localhost:9000"]);
    }

    #[test]
    fn an_unknown_variable_is_named_but_kubernetes_own_are_not() {
        let environment = read_all(&[
            ("KEPLER_MONITOR_INTERVALL", "5s"),
            ("KEPLER_SERVICE_HOST", "10.0.0.1"),
            ("KEPLER_SERVICE_PORT_HTTP", "28282"),
            ("KEPLER_PORT", "tcp://10.0.0.1:28282"),
            ("KEPLER_PORT_28282_TCP_ADDR", "10.0.0.1"),
            ("KEPLER_EXPORTER_SERVICE_PORT", "28282"),
        ]);
        assert_eq!(environment.warnings.len(), 1, "{environment:?}");
        assert!(environment.warnings[0].contains("`KEPLER_MONITOR_INTERVALL` is unknown"));
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        assert!(read_all(&[("KEPLER_LOG_LEVEL", "")]).given.is_empty());
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
