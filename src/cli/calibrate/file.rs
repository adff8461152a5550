//! Where what was learned of this machine is kept.

use super::super::config::Config;
use super::super::exit::Failure;
use kepler_core::calibration::Calibration;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "calibration.json";
/// The machine's, which root writes and everybody reads.
const SYSTEM: &str = "/var/lib/kepler";
/// A file larger than this is none of ours.
const MAX_BYTES: u64 = 1 << 20;

/// The file to write: as configured, else the service's or the user's state, or the system's for root.
pub(super) fn place(config: &Config) -> PathBuf {
    if let Some(path) = &config.calibration {
        return path.clone();
    }
    let root = rustix::process::geteuid().is_root();
    let own = own_folder().filter(|_| !root || std::env::var_os("STATE_DIRECTORY").is_some());
    own.unwrap_or_else(|| SYSTEM.into()).join(NAME)
}

/// `$STATE_DIRECTORY` of systemd, else the user's.
fn own_folder() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    of("STATE_DIRECTORY")
        .or_else(|| of("XDG_STATE_HOME").map(|path| path.join("kepler")))
        .or_else(|| of("HOME").map(|path| path.join(".local/state/kepler")))
}

/// What was learned of this machine, if anything was. What cannot be used is said and left alone: measuring goes on without.
pub(crate) fn read(config: &Config) -> Option<Arc<Calibration>> {
    let named = config.calibration.clone();
    let is_named = named.is_some();
    let places = match named {
        Some(path) => vec![path],
        None => own_folder().into_iter().chain([PathBuf::from(SYSTEM)]).map(|folder| folder.join(NAME)).collect(),
    };
    for path in places {
        match open(&path, config) {
            Ok(calibration) => {
                tracing::info!("calibrated by {} at {} ({})", calibration.source, calibration.made, path.display());
                return Some(Arc::new(calibration));
            }
            Err(None) if !is_named => {}
            Err(None) => tracing::warn!("no calibration in {}; make it with `kepler calibrate`", path.display()),
            Err(Some(reason)) => tracing::warn!("the calibration in {} is not used: {reason}", path.display()),
        }
    }
    None
}

/// The file's content; no reason if there is no file.
fn open(path: &Path, config: &Config) -> Result<Calibration, Option<String>> {
    let remedy = "make it anew with `kepler calibrate`";
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(None),
        Err(error) => return Err(Some(error.to_string())),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let calibration: Calibration = serde_json::from_slice(&bytes).map_err(|error| format!("{error}; {remedy}"))?;
    calibration.check(&config.host()).map_err(|error| error.to_string())?;
    Ok(calibration)
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
    let write = || {
        let mut text = serde_json::to_string_pretty(calibration)?;
        text.push('\n');
        let trial = beside(path);
        let mut file = File::create(&trial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&trial, path)
    };
    write().map_err(Failure::to("write the calibration"))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
