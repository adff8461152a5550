//! Settings from flags: the table as clap arguments, in the forms that Kepler's own parser takes.

use super::environment::variable;
use super::given::{Form, Given, Value};
use super::settings::{SETTINGS, Setting};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::path::PathBuf;

const CONFIG_FILE: &str = "config.file";

/// What the flags say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// `--config.file`, where given.
    pub(super) config_file: Option<PathBuf>,
    /// The settings, in the order of the table.
    pub(super) given: Vec<(&'static Setting, Given)>,
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG_FILE)
            .long(CONFIG_FILE)
            .value_name("FILE")
            .help(format!("Read settings from this YAML file [env: {}]", variable(CONFIG_FILE)));
        SETTINGS.iter().fold(command.arg(file), add)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn add(command: Command, setting: &'static Setting) -> Command {
    let Some(flag) = &setting.flag else { return command };
    let argument = Arg::new(flag.name).long(flag.name).value_name(flag.value_name).help(flag.help);
    match setting.form {
        // `--exporter.stdout`, `--exporter.stdout=true`, `--no-exporter.stdout`; the last one wins.
        Form::Switch => {
            let negation = negation(flag.name);
            command
                .arg(
                    argument
                        .num_args(0..=1)
                        .require_equals(true)
                        .default_missing_value("true")
                        .overrides_with_all([flag.name.to_owned(), negation.clone()]),
                )
                .arg(
                    Arg::new(negation.clone())
                        .long(negation.clone())
                        .hide(true)
                        .action(ArgAction::SetTrue)
                        .overrides_with_all([flag.name.to_owned(), negation.clone()]),
                )
        }
        Form::List => command.arg(argument.action(ArgAction::Append)),
        Form::Text | Form::Integer | Form::Number | Form::Duration | Form::Any => {
            command.arg(argument.allow_hyphen_values(setting.form == Form::Integer))
        }
    }
}

fn negation(flag: &str) -> String {
    format!("no-{flag}")
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let config_file = matches.get_one::<String>(CONFIG_FILE).map(PathBuf::from);
        let given = SETTINGS.iter().filter_map(|setting| Some((setting, given(matches, setting)?))).collect();
        Ok(Flags { config_file, given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn given(matches: &ArgMatches, setting: &Setting) -> Option<Given> {
    let flag = setting.flag.as_ref()?;
    let origin = format!("flag `--{}`", flag.name);
    if setting.form == Form::Switch && matches.value_source(&negation(flag.name)) == Some(ValueSource::CommandLine) {
        return Some(Given::One(Value::new("false", origin)));
    }
    let mut texts = matches.get_many::<String>(flag.name)?;
    if setting.form == Form::List {
        let values = texts.flat_map(|text| text.split(',')).map(|text| Value::new(text, &*origin)).collect();
        return Some(Given::Many(origin, values));
    }
    texts.next_back().map(|text| Given::One(Value::new(text, origin)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};

    fn parse(arguments: &[&str]) -> Result<Flags, clap::Error> {
        let command = Flags::augment_args(Command::new("kepler").no_binary_name(true));
        Flags::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }

    fn switch(arguments: &[&str]) -> bool {
        parse(arguments).unwrap().given[0].1.switch().unwrap()
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
    fn values_follow_an_equals_sign_or_a_blank_and_may_be_negative() {
        for arguments in [&["--monitor.max-terminated=-1"][..], &["--monitor.max-terminated", "-1"]] {
            assert_eq!(parse(arguments).unwrap().given[0].1.integer(), Ok(-1));
        }
    }

    #[test]
    fn lists_gather_repetitions_and_commas() {
        let flags = parse(&["--metrics=node", "--metrics", "pod,vm"]).unwrap();
        let texts: Vec<_> = flags.given[0].1.list().unwrap().iter().map(|value| value.text.clone()).collect();
        assert_eq!(texts, ["node", "pod", "vm"]);
    }

    #[test]
    fn a_flag_that_was_not_given_says_nothing() {
        assert!(parse(&[]).unwrap().given.is_empty());
        assert!(parse(&["--monitor.intervall=3s"]).is_err());
    }
}
