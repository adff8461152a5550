//! How far a figure can be trusted.

use kepler_core::meter::Method;

/// How far a figure can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    Measured,
    /// Measured in part, the rest estimated.
    Partial,
    Estimated,
    /// The source does not say, or there is no figure.
    #[default]
    Unknown,
}

impl Trust {
    pub(crate) fn of(method: Method) -> Self {
        Trust::named(method.name())
    }

    /// By its name in answers of the REST interface.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "measured" => Trust::Measured,
            "partial" => Trust::Partial,
            "estimated" => Trust::Estimated,
            _ => Trust::Unknown,
        }
    }

    /// What stands before a figure.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Trust::Measured => "",
            Trust::Partial => "*",
            Trust::Estimated | Trust::Unknown => "~",
        }
    }

    /// The same as a word, for programs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Trust::Measured => "measured",
            Trust::Partial => "partial",
            Trust::Estimated => "estimated",
            Trust::Unknown => "unknown",
        }
    }
}
