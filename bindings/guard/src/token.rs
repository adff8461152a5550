//! A bearer token that is never displayed.

use std::fmt;

/// What clients must know to be answered, sent as `Authorization: Bearer …`. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// From its text, blanks around it cut off; none if nothing is left, which would protect nothing.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Token(text.to_owned()))
    }

    /// The secret, to be sent and for nothing else.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether this is what a client gave, in a time that tells nothing of it.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn is(&self, given: &[u8]) -> bool {
        subtle::ConstantTimeEq::ct_eq(given, self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
