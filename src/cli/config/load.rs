//! Loads a configuration from a file, the environment and flags.

use super::flags::Flags;
use super::layers::{Layers, Loaded, Rejected, Use};
use super::{file, variables};
use std::ffi::OsString;
use std::path::Path;

/// Reads the file that `flags` or the environment name, the environment, and `flags`.
///
/// # Errors
/// All problems: unreadable or malformed file, bad values, and unknown keys where they are to be errors.
pub(crate) fn load(
    flags: Flags,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, Rejected> {
    let variables = variables::read(variables);
    let mut layers = Layers { problems: variables.problems, ..Layers::default() };
    if let Some(path) = flags.config_file.as_deref().or(variables.config_file.as_deref()) {
        file::read(path, &mut layers);
    }
    layers.warnings.extend(variables.warnings);
    layers.settings.extend(variables.settings);
    layers.settings.extend(flags.settings);
    layers.finish(flags.strict.or(variables.strict).unwrap_or(false), Use::Here)
}

/// Reads a file as [`load`] does, and tells about it alone: unknown keys are errors, and directories of the
/// machine that it is for need not be here.
///
/// # Errors
/// As [`load`].
pub(crate) fn check(path: &Path) -> Result<Loaded, Rejected> {
    let mut layers = Layers::default();
    file::read(path, &mut layers);
    layers.finish(true, Use::Elsewhere)
}

/// The same of a text for another machine, which messages call `name`.
///
/// # Errors
/// As [`load`].
pub(crate) fn check_text(name: &str, text: &str) -> Result<Loaded, Rejected> {
    let mut layers = Layers::default();
    file::walk(Path::new(name), text, &mut layers);
    layers.finish(true, Use::OnAnotherMachine)
}
