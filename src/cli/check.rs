//! `kepler config check`: is a configuration file right?

use super::config;
use super::exit::Failure;
use clap::{Args, Subcommand};
use kepler_core::printable;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit status of a file with problems: that of a program that would not start with it.
const PROBLEMS: u8 = 2;

/// What to do with a configuration file.
#[derive(Debug, Subcommand)]
pub(super) enum Configuration {
    /// Report every problem of a file; unknown keys are problems.
    Check(Check),
}

/// Which file.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 nothing is wrong; 2 something is. Directories of the machine that the file is for need not be here."
)]
pub(super) struct Check {
    /// The configuration file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Writes the findings on standard output, and gives the exit status that says them.
///
/// # Errors
/// When standard output cannot be written.
pub(super) fn run(asked: &Configuration) -> Result<ExitCode, Failure> {
    let Configuration::Check(Check { file }) = asked;
    let (text, status) = match config::check(file) {
        Ok(loaded) => {
            let mut text = lines("warning", &loaded.warnings) + &lines("note", &loaded.notes);
            text.push_str(&format!("{}: nothing is wrong\n", file.display()));
            (text, ExitCode::SUCCESS)
        }
        Err(rejected) => {
            let problems: Vec<String> = rejected.problems.iter().map(ToString::to_string).collect();
            (lines("error", &problems) + &lines("warning", &rejected.warnings), ExitCode::from(PROBLEMS))
        }
    };
    let written = io::stdout().lock().write_all(printable::page(&text).as_bytes());
    written.map_err(Failure::to("write the findings"))?;
    Ok(status)
}

fn lines(kind: &str, texts: &[String]) -> String {
    texts.iter().map(|text| format!("{kind}: {text}\n")).collect()
}
