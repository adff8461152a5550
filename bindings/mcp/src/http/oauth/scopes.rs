//! What a token permits.

use kepler_compliance::tools::Toolset;

/// The scope for all tools but those that [`TUNE`] is for, for resources, prompts and completion.
pub(super) const READ: &str = "read";
/// The scope for the tools of the set `tuning`: what would use or emit less.
pub(super) const TUNE: &str = "tune";

/// What a request may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scopes {
    pub(crate) read: bool,
    pub(crate) tune: bool,
}

impl Scopes {
    /// All of it: of the token that the server itself knows.
    pub(super) const ALL: Scopes = Scopes { read: true, tune: true };

    /// Whether a tool of this set may be called.
    pub(crate) fn permit(self, set: Toolset) -> bool {
        if set == Toolset::Tuning { self.tune } else { self.read }
    }
}
