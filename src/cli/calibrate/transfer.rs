//! A calibration for other machines of the same make, model and processor, as a file.

use super::super::config::Config;
use super::super::exit::Failure;
use super::{file, summary};
use kepler_core::calibration::file as kept;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Writes what was learned of this machine to a file that says on which it was learned.
pub(super) fn export(config: &Config, path: &Path) -> Result<ExitCode, Failure> {
    let mut refused = Vec::new();
    let found = kept::find(&config.host(), config.calibration.as_deref(), |path, error| {
        refused.push(format!("{}: {error}", path.display()));
    });
    let Some((calibration, _)) = found else {
        let reason =
            refused.first().cloned().unwrap_or_else(|| "there is none; run `kepler calibrate` first".to_owned());
        return Err(Failure::Data(format!("no calibration of this machine can be exported: {reason}")));
    };
    let name = rustix::system::uname();
    let calibration = calibration.of_another(&name.nodename().to_string_lossy());
    file::prepare(path)?;
    file::write(path, &calibration)?;
    print(&format!("{}exported    {}\n", summary(&calibration), path.display()))
}

/// Takes over what was learned of another machine, if this one is alike.
pub(super) fn import(config: &Config, path: &Path) -> Result<ExitCode, Failure> {
    let host = config.host();
    let calibration = kept::read(path, &host);
    let calibration = calibration.map_err(|error| {
        Failure::Data(format!("the calibration in {} cannot be used here: {error}", path.display()))
    })?;
    // One that was copied before it was exported does not say whose it is.
    let calibration = calibration.of_another("another machine");
    let target = file::path(config);
    file::prepare(&target)?;
    file::write(&target, &calibration)?;
    let note = match calibration.model.is_empty() {
        true => {
            "note        it does not say the make and model of its machine; processor and number of logical CPUs are the same\n"
        }
        false => "",
    };
    print(&format!("{}{note}calibration {}\n", summary(&calibration), target.display()))
}

fn print(text: &str) -> Result<ExitCode, Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(Failure::to("write the answer"))?;
    Ok(ExitCode::SUCCESS)
}
