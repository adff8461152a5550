//! Incremental search for the end of a JSON object: the estimator's requests have no framing.

/// Looks at each byte once.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    depth: usize,
    in_string: bool,
    escaped: bool,
    seen: usize,
}

/// What has arrived so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not all of it.
    Partial,
    /// An object, which ends before this byte.
    Complete(usize),
    /// Something that does not begin as an object.
    NotAnObject,
}

impl Scanner {
    /// Goes on where it stopped; `bytes` are all that arrived.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Progress {
        for &byte in bytes.get(self.seen..).unwrap_or_default() {
            self.seen += 1;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' if self.depth > 0 => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' if self.depth > 0 || byte == b'{' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Progress::Complete(self.seen);
                    }
                }
                _ if self.depth > 0 || byte.is_ascii_whitespace() => {}
                _ => return Progress::NotAnObject,
            }
        }
        Progress::Partial
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(text: &[u8]) -> Progress {
        Scanner::default().advance(text)
    }

    #[test]
    fn an_object_ends_where_its_braces_do_and_not_in_a_string() {
        let text = br#" {"a": "}\"}", "b": [{}, {"c": "\\"}]}"#;
        assert_eq!(scan(text), Progress::Complete(text.len()));
        assert_eq!(scan(&text[..text.len() - 1]), Progress::Partial);
        let two = br#"{}{"next": 1}"#;
        assert_eq!(scan(two), Progress::Complete(2));
    }

    #[test]
    fn what_is_no_object_is_known_at_once() {
        for text in [&b"GET / HTTP/1.1"[..], b"[1]", b"\"x\"", b"}", b"\x16\x03\x01"] {
            assert_eq!(scan(text), Progress::NotAnObject, "{text:?}");
        }
        assert_eq!(scan(b" \n"), Progress::Partial);
    }

    proptest! {
        /// However it is cut, its end is found, and at the same index.
        #[test]
        fn pieces_make_no_difference(key in ".*", text in ".*", cuts in proptest::collection::vec(0usize..200, 0..5)) {
            let bytes = serde_json::to_vec(&serde_json::json!({"k": {key: [text, 1.5, {}]}})).unwrap();
            let mut scanner = Scanner::default();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|&cut| cut < bytes.len()).collect();
            cuts.sort_unstable();
            for cut in cuts {
                prop_assert_eq!(scanner.advance(&bytes[..cut]), Progress::Partial);
            }
            prop_assert_eq!(scanner.advance(&bytes), Progress::Complete(bytes.len()));
        }
    }
}
