//! `kepler doctor`: what can be measured here, what cannot, why, and what would change that.
mod accelerators;
mod environment;
mod kubernetes;
mod platform;
mod reason;
mod report;

use super::config::Config;
use super::exit::Failure;
use kepler_core::printable;
use std::io::{self, Write};
use std::process::ExitCode;

/// Exit status when nothing is measured: figures would be estimates, or there would be none.
const NOTHING_MEASURED: u8 = 1;

/// Writes the findings on standard output, as a page or as JSON.
///
/// # Errors
/// When standard output cannot be written.
pub(super) fn run(config: &Config, json: bool) -> Result<ExitCode, Failure> {
    let report = report::Report::make(config);
    let text = if json {
        let text = serde_json::to_string_pretty(&report).map_err(io::Error::from);
        text.map(|text| printable::json(&text).into_owned() + "\n")
    } else {
        Ok(printable::page(&report.to_string()).into_owned())
    };
    let written = text.and_then(|text| io::stdout().lock().write_all(text.as_bytes()));
    match written {
        // The reader has closed the pipe (`kepler doctor | head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other.map_err(Failure::to("write the findings"))?,
    }
    Ok(if report.measured { ExitCode::SUCCESS } else { ExitCode::from(NOTHING_MEASURED) })
}
