//! Where the library is, and what to do where it cannot be loaded.

use super::SOURCE;
use super::elf;
use super::library::{Code, LoadError, Nvml};
use crate::availability::{Remedy, Setting, Unavailable};
use crate::host::Host;
use std::path::{Path, PathBuf};

/// The library's name, for the loader to find.
const LIBRARY: &str = "libnvidia-ml.so.1";

/// Where distributions and NVIDIA's operator put it, below the root of a host.
const DIRECTORIES: [&str; 5] = [
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
    "run/nvidia/driver/usr/lib/x86_64-linux-gnu",
    "run/nvidia/driver/usr/lib/aarch64-linux-gnu",
];

/// Loads the library from where it is.
pub(super) fn load(host: &Host, library: Option<&Path>) -> Result<Nvml, Unavailable> {
    let mut candidates = vec![library.map_or_else(|| PathBuf::from(LIBRARY), Path::to_owned)];
    if library.is_none() && host.root() != Path::new("/") {
        let below = DIRECTORIES.iter().map(|directory| host.root().join(directory).join(LIBRARY));
        candidates.extend(below.filter(|path| path.exists()));
    }
    let mut first = None;
    for path in &candidates {
        match Nvml::load(path) {
            Ok(nvml) => return Ok(nvml),
            // One that was found says more than one that was not.
            Err(error) => match first {
                Some((_, LoadError::NotLoaded(_))) | None => first = Some((path, error)),
                Some(_) => {}
            },
        }
    }
    // The loader's words often begin with the library's name.
    let reason = |path: &Path, error: &LoadError| {
        let (path, words) = (path.display().to_string(), error.to_string());
        // Of a library for another processor the loader says that there is no file.
        let words = match error {
            LoadError::NotLoaded(_) => elf::fault(Path::new(&path)).unwrap_or(words),
            _ => words,
        };
        if words.contains(&path) { words } else { format!("{path}: {words}") }
    };
    let is_named = library.is_some();
    Err(match first {
        Some((path, error)) => Unavailable::new(SOURCE, reason(path, &error), load_remedy(path, &error, is_named)),
        None => Unavailable::new(SOURCE, "no library to load", Remedy::None),
    })
}

fn load_remedy(path: &Path, error: &LoadError, is_named: bool) -> Remedy {
    let directory =
        if cfg!(target_arch = "aarch64") { "/usr/lib/aarch64-linux-gnu" } else { "/usr/lib/x86_64-linux-gnu" };
    let another = || match is_named {
        true => Remedy::CorrectSetting { setting: Setting::NvmlLibrary },
        false => Remedy::MountHostPath { path: Path::new(directory).join(LIBRARY) },
    };
    match error {
        LoadError::NotLoaded(reason) if reason.contains("Permission denied") => {
            Remedy::MakeReadable { path: path.into() }
        }
        LoadError::NotLoaded(_) | LoadError::NoFunction(_) => another(),
        LoadError::NotInitialised(code) => remedy(*code),
    }
}

/// What a function refused.
pub(super) fn refused(code: Code, function: &str) -> Unavailable {
    Unavailable::new(SOURCE, format!("{function}: {code}"), remedy(code))
}

/// What may help against a code.
pub(super) fn remedy(code: Code) -> Remedy {
    match code {
        Code::DRIVER_NOT_LOADED => Remedy::load(["nvidia"]),
        Code::OTHER_VERSION => Remedy::ReloadModule { modules: vec!["nvidia"] },
        Code::NO_PERMISSION => Remedy::MakeReadable { path: "/dev/nvidiactl".into() },
        Code::NOT_SUPPORTED => Remedy::None,
        _ => Remedy::CheckKernelLog,
    }
}
