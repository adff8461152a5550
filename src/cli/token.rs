//! The token that clients of the HTTP interfaces must send, from the file that holds it.

use super::config::Problem;
use kepler_core::host::file::{self, FileLimits};
use kepler_http::Token;
use std::path::Path;

/// Longer than any token.
const MAX_BYTES: u64 = 64 << 10;

/// Reads the token that the file at `path` holds.
///
/// # Errors
/// When it cannot be read or is empty: an empty token would protect nothing.
pub(super) fn read(path: &Path) -> Result<Token, Problem> {
    let text = file::read_text(path, FileLimits::bytes(MAX_BYTES)).map_err(|error| Problem(error.to_string()))?;
    Token::new(&text).ok_or_else(|| Problem(format!("{} holds no token; write one into it", path.display())))
}
