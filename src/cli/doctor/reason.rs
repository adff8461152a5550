//! Why something is not in use, and how that is shown.

use super::super::remedies;
use kepler_core::availability::{Remedy, Unavailable};
use serde::Serialize;
use std::fmt;

/// Why something is not in use, and how to change that.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Reason {
    /// The source, by name.
    pub(super) source: &'static str,
    pub(super) reason: String,
    /// What to do, in words.
    pub(super) remedy: String,
    /// The same as data.
    pub(super) action: Remedy,
}

impl Reason {
    pub(super) fn of(unavailable: &Unavailable) -> Self {
        Reason {
            source: unavailable.source_name,
            reason: unavailable.reason.clone(),
            remedy: remedies::text(&unavailable.remedy),
            action: unavailable.remedy.clone(),
        }
    }
}

/// `text` after `head`, its further lines under the first.
pub(super) fn indented(f: &mut fmt::Formatter<'_>, head: &str, text: &str) -> fmt::Result {
    let margin = " ".repeat(head.trim_start_matches('\n').len());
    writeln!(f, "{head}{}", text.replace('\n', &format!("\n{margin}")))
}
