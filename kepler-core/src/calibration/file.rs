//! The calibration file: its paths and how it is read.
//!
//! ```
//! use kepler_core::calibration::file;
//! use kepler_core::host::Host;
//! use std::path::Path;
//!
//! let mut refused = Vec::new();
//! let named = Some(Path::new("/no/such/calibration.json"));
//! let found = file::find(&Host::default(), named, |path, error| refused.push(format!("{}: {error}", path.display())));
//! assert!(found.is_none());
//! assert_eq!(refused, ["/no/such/calibration.json: there is no such file; calibrate this machine first"]);
//! ```

use super::{Calibration, CalibrationError};
use crate::host::Host;
use crate::host::file::{self, FileLimits};
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "calibration.json";
/// The system's, written by root and readable by all users.
const SYSTEM: &str = "/var/lib/kepler";
/// A file larger than this is none of ours.
const MAX_BYTES: u64 = 1 << 20;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationFileError {
    /// There is none.
    #[error("there is no such file; calibrate this machine first")]
    Absent,
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// It is no calibration.
    #[error("{}; calibrate this machine again", crate::printable::names_only(&.0.to_string()))]
    Malformed(#[from] serde_json::Error),
    /// It cannot be used on this host.
    #[error(transparent)]
    Unusable(#[from] CalibrationError),
}

/// The user's own file, or the service's: in `$STATE_DIRECTORY` of systemd, `$XDG_STATE_HOME/kepler` or
/// `~/.local/state/kepler`. `None` if none of them is known.
#[must_use]
pub fn own() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = of("STATE_DIRECTORY")
        .or_else(|| of("XDG_STATE_HOME").map(|path| path.join("kepler")))
        .or_else(|| of("HOME").map(|path| path.join(".local/state/kepler")));
    folder.map(|folder| folder.join(NAME))
}

/// The system's file, written by root and readable by all users: `/var/lib/kepler/calibration.json`.
#[must_use]
pub fn system() -> PathBuf {
    Path::new(SYSTEM).join(NAME)
}

/// What was learned of this host, and the file it stands in: the one that is named, else one's [own] or the [system]'s.
///
/// `refused` is called with each unusable file and the reason; measuring goes on without it. An absent file is reported
/// only if it was named.
pub fn find(
    host: &Host,
    named: Option<&Path>,
    mut refused: impl FnMut(&Path, CalibrationFileError),
) -> Option<(Calibration, PathBuf)> {
    let places = match named {
        Some(path) => vec![path.to_owned()],
        None => own().into_iter().chain([system()]).collect(),
    };
    for path in places {
        match read(&path, host) {
            Ok(calibration) => return Some((calibration, path)),
            Err(CalibrationFileError::Absent) if named.is_none() => {}
            Err(error) => refused(&path, error),
        }
    }
    None
}

/// Reads a file, and checks that it is of this host.
///
/// # Errors
/// It cannot be read, is no calibration, or is of another machine.
pub fn read(path: &Path, host: &Host) -> Result<Calibration, CalibrationFileError> {
    let bytes = file::read(path, FileLimits::bytes(MAX_BYTES)).map_err(|error| match error.is_missing() {
        true => CalibrationFileError::Absent,
        false => CalibrationFileError::Unreadable(error.into_io()),
    })?;
    let calibration: Calibration = serde_json::from_slice(&bytes)?;
    calibration.check(host)?;
    Ok(calibration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_named_file_is_read_or_refused_with_its_reason() {
        let (host, folder) = (Host::default(), tempfile::tempdir().unwrap());
        let find = |path: &Path| {
            let mut errors = Vec::new();
            let found = find(&host, Some(path), |path, error| errors.push(format!("{}: {error}", path.display())));
            (found.map(|(calibration, _)| calibration), errors)
        };
        let path = folder.path().join("mine.json");
        let (none, errors) = find(&path);
        assert!(none.is_none() && errors[0].contains("mine.json: there is no such file"), "{errors:?}");
        let own = Calibration { made: "2026-11-26T00:00:00Z".into(), ..Calibration::of(&host) };
        fs::write(&path, serde_json::to_vec(&own).unwrap()).unwrap();
        assert_eq!(find(&path), (Some(own.clone()), vec![]));
        for (text, reason) in [
            ("{\"format\"".into(), "calibrate this machine again"),
            (serde_json::to_string(&Calibration { threads: 9999, ..own }).unwrap(), "another machine"),
            ("[".repeat(1 << 19), "calibrate this machine again"),
            ("[".repeat(1 << 21), "larger than 1 MiB"),
        ] {
            fs::write(&path, text).unwrap();
            let (none, errors) = find(&path);
            assert!(none.is_none() && errors[0].contains(reason), "{errors:?}");
        }
        let (none, errors) = find(folder.path());
        assert!(none.is_none() && errors[0].contains("directory"), "{errors:?}");
    }
}
