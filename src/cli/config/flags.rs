//! Settings from flags: the table as clap arguments, in the forms that Kepler's own parser takes.

use super::raw_setting::{Form, Problem, RawSetting, Value};
use super::settings::{SETTINGS, Setting};
use super::variables::{CONFIG_STRICT, variable};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use kepler_core::printable;
use std::path::PathBuf;

const CONFIG_FILE: &str = "config.file";

/// What the flags say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// `--config.file`, where given.
    pub(crate) config_file: Option<PathBuf>,
    /// `--config.strict`, where given.
    pub(crate) strict: Option<bool>,
    /// The settings, in the order of the table.
    pub(crate) settings: Vec<(&'static Setting, RawSetting)>,
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG_FILE)
            .long(CONFIG_FILE)
            .value_name("FILE")
            .help(format!("Read settings from this YAML file [env: {}]", variable(CONFIG_FILE)));
        let strict = Arg::new(CONFIG_STRICT)
            .long(CONFIG_STRICT)
            .value_name("BOOL")
            .help("Treat unknown keys of the file as errors instead of warnings [default: false]");
        SETTINGS.iter().fold(switch(command.arg(file), CONFIG_STRICT, strict), add)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn add(command: Command, setting: &'static Setting) -> Command {
    let Some(flag) = &setting.flag else { return command };
    let argument = Arg::new(flag.name).long(flag.name).value_name(flag.value_name).help(flag.help);
    let argument = argument.visible_aliases(flag.aliases.iter().copied());
    match setting.form {
        Form::Switch => switch(command, flag.name, argument),
        Form::List => command.arg(argument.action(ArgAction::Append)),
        Form::Text | Form::Directory | Form::Integer | Form::Number | Form::Duration | Form::Any => {
            command.arg(argument.allow_hyphen_values(setting.form == Form::Integer))
        }
    }
}

/// `--exporter.stdout`, `--exporter.stdout=true`, `--no-exporter.stdout`; the last one wins.
fn switch(command: Command, name: &str, argument: Arg) -> Command {
    let negation = negation(name);
    let both = [name.to_owned(), negation.clone()];
    let argument = argument.num_args(0..=1).require_equals(true).default_missing_value("true");
    let no = Arg::new(negation.clone()).long(negation).hide(true).action(ArgAction::SetTrue);
    command.arg(argument.overrides_with_all(both.clone())).arg(no.overrides_with_all(both))
}

/// Reads flags of `serve` from somewhere else than the command line.
///
/// # Errors
/// One is unknown or lacks its value. The message repeats no value.
pub(crate) fn parse(arguments: Vec<String>) -> Result<Flags, String> {
    use clap::{Args as _, FromArgMatches as _};
    let mut value = false;
    for argument in &arguments {
        let flag = argument.strip_prefix("--");
        if !value && !flag.is_some_and(is_known) {
            let name = flag.map_or("", |flag| flag.split('=').next().unwrap_or_default());
            let shown: String = name.chars().take(64).collect();
            return Err(match name {
                "" => "an argument is no flag of Kepler's".to_owned(),
                _ => format!("`--{}` is no flag of Kepler's", printable::line(&shown)),
            });
        }
        value = !value && flag.is_some_and(needs_value);
    }
    let command = Flags::augment_args(Command::new("kepler").no_binary_name(true).disable_help_flag(true));
    let wrong = |error: clap::Error| format!("its flags cannot be read: {}", error.kind());
    Flags::from_arg_matches(&command.try_get_matches_from(arguments).map_err(wrong)?).map_err(wrong)
}

/// Whether `text`, a flag without its dashes and perhaps with a value, is one of `serve`.
pub(crate) fn is_known(text: &str) -> bool {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    find(name).is_some() || name.strip_prefix("no-").and_then(find) == Some(true)
}

/// Whether `text`, a flag of `serve` without its dashes, takes the next argument as its value.
pub(crate) fn needs_value(text: &str) -> bool {
    find(text) == Some(false)
}

/// Whether a flag of this name exists, and is a switch.
fn find(name: &str) -> Option<bool> {
    match name {
        CONFIG_FILE => Some(false),
        CONFIG_STRICT | "help" | "help-long" => Some(true),
        _ => SETTINGS
            .iter()
            .find(|setting| setting.flag.as_ref().is_some_and(|flag| flag.name == name || flag.aliases.contains(&name)))
            .map(|setting| setting.form == Form::Switch),
    }
}

fn negation(flag: &str) -> String {
    format!("no-{flag}")
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let config_file = matches.get_one::<String>(CONFIG_FILE).map(PathBuf::from);
        let settings = SETTINGS.iter().filter_map(|setting| Some((setting, raw_setting(matches, setting)?))).collect();
        Ok(Flags { config_file, strict: switched(matches, CONFIG_STRICT)?, settings })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What a switch of the command line alone was set to.
fn switched(matches: &ArgMatches, name: &str) -> Result<Option<bool>, clap::Error> {
    if matches.value_source(&negation(name)) == Some(ValueSource::CommandLine) {
        return Ok(Some(false));
    }
    let Some(text) = matches.get_one::<String>(name) else { return Ok(None) };
    let value = RawSetting::One(Value::new(text, format!("flag `--{name}`")));
    let problem = |problem: Problem| clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{problem}\n"));
    value.switch().map(Some).map_err(problem)
}

fn raw_setting(matches: &ArgMatches, setting: &Setting) -> Option<RawSetting> {
    let flag = setting.flag.as_ref()?;
    let origin = format!("flag `--{}`", flag.name);
    if setting.form == Form::Switch && matches.value_source(&negation(flag.name)) == Some(ValueSource::CommandLine) {
        return Some(RawSetting::One(Value::new("false", origin)));
    }
    let mut texts = matches.get_many::<String>(flag.name)?;
    if setting.form == Form::List {
        let values = texts.flat_map(|text| text.split(',')).map(|text| Value::new(text, &*origin)).collect();
        return Some(RawSetting::Many(origin, values));
    }
    texts.next_back().map(|text| RawSetting::One(Value::new(text, origin)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};

    fn parsed(arguments: &[&str]) -> Result<Flags, clap::Error> {
        let command = Flags::augment_args(Command::new("kepler").no_binary_name(true));
        Flags::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }

    fn switch(arguments: &[&str]) -> bool {
        parsed(arguments).unwrap().settings[0].1.switch().unwrap()
    }

    #[test]
    fn the_table_makes_a_sound_command() {
        Flags::augment_args(Command::new("kepler")).debug_assert();
    }

    #[test]
    fn every_form_of_a_switch_is_taken_and_the_last_wins() {
        assert!(switch(&["--exporter.stdout"]));
        assert!(switch(&["--exporter.stdout=true"]));
        assert!(switch(&["--exporter.stdout=1"]));
        assert!(!switch(&["--exporter.stdout=false"]));
        assert!(!switch(&["--no-exporter.stdout"]));
        assert!(switch(&["--no-exporter.stdout", "--exporter.stdout"]));
        assert!(!switch(&["--exporter.stdout", "--no-exporter.stdout"]));
    }

    #[test]
    fn flags_are_known_by_name_alias_and_negation() {
        for text in ["log.level", "log.level=info", "web.config.file=x", "no-kube.enable", "config.file", "help-long"] {
            assert!(is_known(text), "{text}");
        }
        for text in ["", "log", "no-log.level", "passwd=x"] {
            assert!(!is_known(text), "{text}");
        }
        assert!(needs_value("kube.node-name") && !needs_value("kube.enable") && !needs_value("log.level=info"));
        assert_eq!(parsed(&["--web.config.file=w.yaml"]).unwrap().settings[0].0.key, "web.configFile");
    }

    #[test]
    fn a_file_is_read_strictly_only_where_asked_for() {
        assert_eq!(parsed(&[]).unwrap().strict, None);
        assert_eq!(parsed(&["--config.strict"]).unwrap().strict, Some(true));
        assert_eq!(parsed(&["--no-config.strict"]).unwrap().strict, Some(false));
        assert!(parsed(&["--config.strict=perhaps"]).is_err());
    }

    #[test]
    fn values_follow_an_equals_sign_or_a_blank_and_may_be_negative() {
        for arguments in [&["--monitor.max-terminated=-1"][..], &["--monitor.max-terminated", "-1"]] {
            assert_eq!(parsed(arguments).unwrap().settings[0].1.integer(), Ok(-1));
        }
    }

    #[test]
    fn lists_gather_repetitions_and_commas() {
        let flags = parsed(&["--metrics=node", "--metrics", "pod,vm"]).unwrap();
        let texts: Vec<_> = flags.settings[0].1.list().unwrap().iter().map(|value| value.text.clone()).collect();
        assert_eq!(texts, ["node", "pod", "vm"]);
    }

    #[test]
    fn a_flag_that_was_not_given_says_nothing() {
        assert!(parsed(&[]).unwrap().settings.is_empty());
        assert!(parsed(&["--monitor.intervall=3s"]).is_err());
    }
}
