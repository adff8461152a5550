//! Shared code of the compliance commands: flags, data, output.

use super::carbon;
use super::config::Config;
use super::config::flags::Flags;
use super::exit::Failure;
use super::view::Energy;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use jiff::Timestamp;
use kepler_compliance::intensity::IntensitySource;
use kepler_compliance::numbers::to_json_pretty;
use kepler_compliance::standards::{Standards, Status};
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{Context, Length, Scope, Settings};
use kepler_compliance::view::EnergyView;
use kepler_compliance::zones::Zones;
use kepler_core::printable;
use serde::Serialize;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

/// Exit status of a workload that does not meet the standard.
const NON_COMPLIANT: u8 = 10;

/// Exit status where too little is known to judge.
const INSUFFICIENT_DATA: u8 = 11;

/// For `--help` of the commands that judge.
pub(super) const STATUS: &str = "Exit status: 0 compliant, or the standard does not apply; 10 non-compliant; \
     11 too little is known; 1 no such workload, or the source cannot answer; 2 bad flag or configuration. \
     The facility can be stated in the configuration file as well (facility.region, facility.pue, facility.facts, carbon.grid_intensity, price); \
     where energy is measured here, the flags of `kepler serve` for measuring apply too.";

/// Arguments of the commands that ask a tool.
#[derive(Debug, Args)]
pub(super) struct ToolArguments {
    /// How far back figures are taken; local and kepler measure for that long [default: 6s; prometheus: 5m]
    #[arg(long)]
    window: Option<Length>,
    #[command(flatten)]
    answer: Answer,
    #[command(flatten)]
    facility: Facility,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Answer {
    /// Language of sentences: en, ko
    #[arg(long, global = true, default_value = "en", value_parser = language)]
    lang: Lang,
    /// Write the answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

pub(super) fn language(text: &str) -> Result<Lang, String> {
    match text {
        "en" => Ok(Lang::En),
        "ko" => Ok(Lang::Ko),
        _ => Err("it is en or ko".to_owned()),
    }
}

/// The settings of `kepler serve`; of their flags `--help` shows those of the facility only.
#[derive(Debug, Default)]
pub(super) struct Facility(pub(super) Flags);

impl Facility {
    /// The configuration that they make.
    ///
    /// # Errors
    /// Something in it is wrong.
    pub(super) fn configure(self) -> Result<Config, Failure> {
        super::configure(self.0)
    }
}

/// The flags that every command that judges shows.
const SHOWN: [&str; 18] = [
    "config.file",
    "source",
    "source.ca-file",
    "region",
    "pue",
    "pue-basis",
    "fact",
    "grid-intensity",
    "price",
    "currency",
    "intensity",
    "intensity.method",
    "intensity.validity",
    "intensity.token-file",
    "intensity.url",
    "intensity.region",
    "standards-dir",
    "tariff",
];

impl Args for Facility {
    fn augment_args(command: Command) -> Command {
        let own: Vec<String> = command.get_arguments().map(|argument| argument.get_id().to_string()).collect();
        Flags::augment_args(command).mut_args(|argument| {
            let id = argument.get_id().as_str();
            let hide = !SHOWN.contains(&id) && !own.iter().any(|known| known == id);
            if hide { argument.hide(true) } else { argument }
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Facility {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Flags::from_arg_matches(matches).map(Facility)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// All that a tool works with, and how its answer is written.
pub(super) struct ToolSession {
    /// Energy; nothing where the command needs none.
    energy: Energy,
    standards: Standards,
    zones: Zones,
    intensity: Arc<dyn IntensitySource>,
    settings: Settings,
    now: Timestamp,
    /// The window that figures are taken over.
    window: Length,
    /// Language of sentences.
    pub(super) lang: Lang,
    answer: Answer,
}

impl ToolArguments {
    /// Loads the data; measures or connects where `needs_energy`.
    ///
    /// # Errors
    /// The configuration or a data file is wrong, or nothing can be measured.
    pub(super) fn open(self, needs_energy: bool) -> Result<ToolSession, Failure> {
        super::exit::speak(self.answer.lang);
        let config = self.facility.configure()?;
        let zones = carbon::zones()?;
        let standards = carbon::standards(&config)?;
        let intensity = carbon::intensity(&config, &zones)?;
        let window = self.window.unwrap_or_else(|| config.source.usual_window());
        let energy = if needs_energy { config.source.open(&config, window)? } else { Energy::none() };
        Ok(ToolSession {
            energy,
            standards,
            zones,
            intensity,
            settings: config.facility,
            now: Timestamp::now(),
            window,
            lang: self.answer.lang,
            answer: self.answer,
        })
    }
}

impl ToolSession {
    /// What a tool is given.
    pub(super) fn context(&self) -> Context<'_> {
        Context::new(
            self.energy.view() as &dyn EnergyView,
            &self.standards,
            &self.zones,
            &*self.intensity,
            &self.settings,
            self.now,
        )
        .choosing(self.energy.choices())
    }

    /// What every question says.
    pub(super) fn scope(&self) -> Scope {
        Scope::new(self.window, self.lang)
    }

    /// What a reader must know of how the energy was found.
    pub(super) fn caveat(&self) -> Option<String> {
        self.energy.caveat().map(|text| text.lang(self.lang).to_owned())
    }

    /// Writes an answer as JSON or as the page that `page` makes of it.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(super) fn write<T: Serialize>(&self, answer: &T, page: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        self.answer.write(answer, page)
    }
}

impl Answer {
    /// Writes an answer as JSON or as a page.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(super) fn write<T: Serialize>(self, answer: &T, page: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        let text = if self.json {
            let text = to_json_pretty(answer).map_err(io::Error::from);
            text.map(|text| printable::json(&text).into_owned() + "\n")
        } else {
            let text = page(answer);
            Ok(printable::page(&text).into_owned())
        };
        match text.and_then(|text| io::stdout().lock().write_all(text.as_bytes())) {
            // The reader has closed the pipe (`kepler regions | head`).
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(Failure::to("write the answer")),
        }
    }

    /// The language of sentences.
    pub(super) const fn lang(self) -> Lang {
        self.lang
    }
}

/// The exit status that says a judgement.
pub(super) fn exit(status: Status) -> ExitCode {
    match status {
        Status::Compliant | Status::NotApplicable => ExitCode::SUCCESS,
        Status::NonCompliant => ExitCode::from(NON_COMPLIANT),
        Status::InsufficientData => ExitCode::from(INSUFFICIENT_DATA),
    }
}
