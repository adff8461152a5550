//! Merges file, environment and flags into one configuration.

use super::apply::Remark;
use super::raw_setting::{Form, Problem, RawSetting};
use super::settings::{Effect, Setting};
use super::{Config, Manner};

/// A configuration, and what its author should know about it.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// What was configured.
    pub(crate) config: Config,
    /// Settings that were accepted but do not do what their author may expect.
    pub(crate) warnings: Vec<String>,
    /// Settings that were accepted and have no effect here, for a good reason.
    pub(crate) notes: Vec<String>,
}

/// Why there is no configuration.
#[derive(Clone, Debug)]
pub(crate) struct Rejected {
    /// Everything that is wrong.
    pub(crate) problems: Vec<Problem>,
    /// What was to be known about the rest.
    pub(crate) warnings: Vec<String>,
    /// In whose manner the program was asked to behave.
    pub(crate) manner: Manner,
}

/// Everything that was given, from the weakest source to the strongest.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) settings: Vec<(&'static Setting, RawSetting)>,
    pub(super) warnings: Vec<String>,
    /// What a file has that no setting is: a warning, or an error if asked for.
    pub(super) unknown: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

/// Where a configuration is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// In this process.
    Here,
    /// Somewhere else, perhaps on another machine.
    Elsewhere,
    /// On a machine that is known to be another one.
    OnAnotherMachine,
}

impl Layers {
    /// Applies everything, and says what is wrong and what is to be known.
    pub(super) fn finish(mut self, strict: bool, used: Use) -> Result<Loaded, Rejected> {
        let unknown = std::mem::take(&mut self.unknown);
        if strict {
            self.problems.splice(0..0, unknown.into_iter().map(Problem));
        } else {
            self.warnings.splice(0..0, unknown);
        }
        let manner = self.manner();
        let mut config = manner.defaults();
        let notes = self.apply(&mut config);
        self.look_for_directories(used);
        if !config.prometheus && !config.stdout {
            self.warnings.push(
                "both exporters are off, so nothing is shown; set `exporter.prometheus` or `exporter.stdout`"
                    .to_owned(),
            );
        }
        if self.problems.is_empty() {
            Ok(Loaded { config, warnings: self.warnings, notes })
        } else {
            Err(Rejected { problems: self.problems, warnings: self.warnings, manner })
        }
    }

    /// It decides what all other settings are set upon, so it is looked for first.
    fn manner(&self) -> Manner {
        let given = self.settings.iter().rev().find(|(setting, _)| setting.key == Manner::KEY);
        // A bad value is found with the others.
        given.and_then(|(_, raw)| Manner::read(raw).ok()).unwrap_or_default()
    }

    /// Applies everything to `config`, and gives the notes.
    fn apply(&mut self, config: &mut Config) -> Vec<String> {
        let mut notes = Vec::new();
        for (setting, raw) in &self.settings {
            let asks = || raw.asks_for_something(setting.form);
            let outcome = match setting.effect {
                Effect::Set(set) => set(config, raw),
                Effect::Adapt(adapt) => adapt(config, raw).map(|remark| match remark {
                    Some(Remark::Warning(text)) => self.warnings.push(text),
                    Some(Remark::Note(text)) => notes.push(text),
                    None => {}
                }),
                Effect::Nothing(reason) => asks().map(|asks| {
                    if asks {
                        notes.push(format!("{}: accepted without effect; {reason}", raw.origin()));
                    }
                }),
            };
            self.problems.extend(outcome.err());
        }
        notes
    }

    /// Of each setting that names a directory the value that holds must be one.
    fn look_for_directories(&mut self, used: Use) {
        let mut seen: Vec<&str> = Vec::new();
        for (setting, raw) in self.settings.iter().rev().filter(|(setting, _)| setting.form == Form::Directory) {
            if seen.contains(&setting.key) {
                continue;
            }
            seen.push(setting.key);
            match (raw.directory(), used) {
                (Ok(()), _) | (Err(_), Use::OnAnotherMachine) => {}
                (Err(problem), Use::Here) => self.problems.push(problem),
                (Err(problem), Use::Elsewhere) => self.warnings.push(format!("{problem}; on this machine")),
            }
        }
    }
}
