//! All settings: key in the file, flag, form, effect.

mod passthrough;
mod platform;
mod table;

pub(crate) use table::SETTINGS;

use super::Config;
use super::apply::Remark;
use super::raw_setting::{Form, Problem, RawSetting};

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its key in the file, sections joined with dots.
    pub(crate) key: &'static str,
    /// The form of its value.
    pub(crate) form: Form,
    /// What it does.
    pub(crate) effect: Effect,
    /// Its flag, if it has one; flags give the names of environment variables.
    pub(crate) flag: Option<Flag>,
}

/// A setting on the command line.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Its name without the dashes.
    pub(crate) name: &'static str,
    /// Other programs' names for it.
    pub(crate) aliases: &'static [&'static str],
    /// What `--help` calls its value.
    pub(crate) value_name: &'static str,
    /// What `--help` says about it.
    pub(crate) help: &'static str,
}

/// What a setting does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effect {
    /// Changes the configuration.
    Set(fn(&mut Config, &RawSetting) -> Result<(), Problem>),
    /// Changes the configuration as far as that makes sense, and says where it does not.
    Adapt(fn(&mut Config, &RawSetting) -> Result<Option<Remark>, Problem>),
    /// Nothing, for the reason in the text.
    Nothing(&'static str),
}

const fn key(key: &'static str, form: Form, effect: Effect) -> Setting {
    Setting { key, form, effect, flag: None }
}

impl Setting {
    const fn flag(self, name: &'static str, value_name: &'static str, help: &'static str) -> Self {
        Setting { flag: Some(Flag { name, aliases: &[], value_name, help }), ..self }
    }

    const fn or(self, aliases: &'static [&'static str]) -> Self {
        match self.flag {
            Some(flag) => Setting { flag: Some(Flag { aliases, ..flag }), ..self },
            None => self,
        }
    }
}

/// The setting with this key.
pub(crate) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// Whether settings stand below this key.
pub(crate) fn is_section(key: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}
