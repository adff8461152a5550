//! What would make a source usable, in the words of Python: keyword arguments of this package.

use kepler_core::availability::{Remedy, Root, Setting, Unavailable};

/// Source, reason and remedy of each.
pub(crate) fn rows(unavailable: &[Unavailable]) -> Vec<(&'static str, String, String)> {
    unavailable.iter().map(|one| (one.source_name, one.reason.clone(), text(&one.remedy))).collect()
}

/// Message and remedy, the arguments of a `KeplerError`.
pub(crate) fn error(unavailable: &Unavailable) -> (String, String) {
    (format!("{}: {}", unavailable.source_name, unavailable.reason), text(&unavailable.remedy))
}

/// What to do.
pub(crate) fn text(remedy: &Remedy) -> String {
    match remedy {
        Remedy::None => String::new(),
        Remedy::MountRoot { root } => match root {
            Root::Procfs => "mount the host's /proc and pass Host(procfs=...)".to_owned(),
            Root::Sysfs => "mount the host's /sys and pass Host(sysfs=...)".to_owned(),
            Root::Cgroup => "mount the host's cgroup hierarchy and pass Host(cgroup=...)".to_owned(),
            Root::Msr => "mount the host's /dev/cpu and pass Host(msr=...)".to_owned(),
            _ => remedy.to_string(),
        },
        Remedy::SelectSource { sources } if sources.is_empty() => "leave out sources".to_owned(),
        Remedy::SelectSource { sources } => format!("pass sources={sources:?}"),
        Remedy::CorrectSetting { setting: Setting::Trace } => "name a recorded trace".to_owned(),
        Remedy::AnyOf { remedies } => remedies.iter().map(text).collect::<Vec<_>>().join("; or "),
        other => other.to_string(),
    }
}
