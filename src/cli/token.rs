//! The token that clients of the HTTP interfaces must send, from the file that holds it.

use super::config::Problem;
use kepler_http::Token;
use std::fs;
use std::path::Path;

/// Reads the token that `file` holds.
///
/// # Errors
/// When it cannot be read or is empty: an empty token would protect nothing.
pub(super) fn read(file: &Path) -> Result<Token, Problem> {
    let text = fs::read_to_string(file).map_err(|error| Problem(format!("cannot read {}: {error}", file.display())))?;
    Token::new(&text).ok_or_else(|| Problem(format!("{} holds no token; write one into it", file.display())))
}
