//! The calibration file.

use super::super::config::Config;
use super::super::exit::Failure;
use kepler_core::calibration::Calibration;
use kepler_core::calibration::file;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file to write: as configured, else the service's or the user's state, or the system's for root.
pub(in crate::cli) fn path(config: &Config) -> PathBuf {
    if let Some(path) = &config.calibration {
        return path.clone();
    }
    let root = rustix::process::geteuid().is_root();
    let own = file::own().filter(|_| !root || std::env::var_os("STATE_DIRECTORY").is_some());
    own.unwrap_or_else(file::system)
}

/// Makes sure that the file can be written.
pub(super) fn prepare(path: &Path) -> Result<(), Failure> {
    let folder = folder(path);
    let cannot = |error: io::Error| {
        let name = path.display();
        Failure::Data(format!("cannot write {name}: {error}; name another file with --calibration.path"))
    };
    fs::create_dir_all(folder).map_err(cannot)?;
    let trial = beside(path);
    File::create(&trial).map_err(cannot)?;
    fs::remove_file(&trial).map_err(cannot)
}

/// Writes the whole file or nothing.
pub(super) fn write(path: &Path, calibration: &Calibration) -> Result<(), Failure> {
    write_json(path, calibration).map_err(Failure::to("write the calibration"))
}

/// Writes all of a JSON file or nothing, and its folder where there is none.
pub(in crate::cli) fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    fs::create_dir_all(folder(path))?;
    let trial = beside(path);
    let mut file = File::create(&trial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&trial, path)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
