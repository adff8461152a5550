//! Server-sent events out of a stream of bytes.
//!
//! Read as the HTML standard says (section 9.2.6), which is milder than the parser that the SDK uses:
//! unknown fields and repeated ones are no errors. Bytes may be cut anywhere: within a character,
//! between CR and LF, within or between events.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Its type; empty means `message`.
    pub(super) event: String,
    /// Its data, lines joined by LF.
    pub(super) data: String,
    /// The id to go on from after it, where one was given.
    pub(super) id: Option<String>,
    /// How long to wait before connecting again, in milliseconds, where the stream said so.
    pub(super) retry: Option<u64>,
}

/// A line longer than this is no event of a tool but a fault or an attack.
const MAX_EVENT: usize = super::answer::LIMIT;

/// An event that does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {} MiB", MAX_EVENT / 1024 / 1024)]
pub(super) struct TooLong;

/// Takes bytes as they come, gives events as they are complete.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    begun: bool,
    current: Event,
    has_data: bool,
}

impl Parser {
    /// Bytes of an event that has not ended.
    pub(super) fn held(&self) -> usize {
        self.line.len() + self.current.data.len()
    }

    /// The events that `bytes` complete.
    ///
    /// # Errors
    /// An event is longer than [`MAX_EVENT`].
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (text, end) = match piece.split_last() {
                Some((end @ (b'\n' | b'\r'), text)) => (text, Some(*end)),
                _ => (piece, None),
            };
            // The LF of a CRLF, perhaps in another chunk than the CR, ends no further line.
            let second_half = self.after_cr && text.is_empty() && end == Some(b'\n');
            self.after_cr = end == Some(b'\r');
            if second_half {
                continue;
            }
            self.line.extend_from_slice(text);
            if self.held() > MAX_EVENT {
                return Err(TooLong);
            }
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                events.extend(self.end_line(&line));
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, line: &[u8]) -> Option<Event> {
        let line = if self.begun { line } else { line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line) };
        self.begun = true;
        if line.is_empty() {
            let event = std::mem::take(&mut self.current);
            let has_data = std::mem::take(&mut self.has_data);
            // The standard drops an event without data; what it said of ids and retries still holds.
            return (has_data || event.id.is_some() || event.retry.is_some()).then_some(event);
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.current.event),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.current.data.push('\n');
                }
                self.current.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.current.id = Some(value.to_owned()),
            "retry" => self.current.retry = value.parse().ok().or(self.current.retry),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(chunks: &[&[u8]]) -> Vec<Event> {
        let mut parser = Parser::default();
        chunks.iter().flat_map(|chunk| parser.feed(chunk).unwrap()).collect()
    }

    fn data(text: &str) -> Event {
        Event { data: text.to_owned(), ..Event::default() }
    }

    #[test]
    fn two_events_in_one_chunk_are_two() {
        assert_eq!(read(&[b"data: 1\n\ndata: 2\n\n"]), [data("1"), data("2")]);
    }

    #[test]
    fn lines_end_with_lf_cr_or_both_and_the_stream_may_begin_with_a_mark() {
        for end in ["\n", "\r", "\r\n"] {
            let text = format!("\u{feff}event: message{end}data: a{end}data: b{end}id: 7{end}retry: 20{end}{end}");
            let expected =
                Event { event: "message".into(), data: "a\nb".into(), id: Some("7".into()), retry: Some(20) };
            assert_eq!(read(&[text.as_bytes()]), [expected], "{end:?}");
        }
    }

    #[test]
    fn comments_and_unknown_fields_say_nothing_and_an_unfinished_event_is_none() {
        assert_eq!(read(&[b": ping\n\nfoo: bar\ndata:x\nretry: soon\nretry\n\ndata: lost\n"]), [data("x")]);
    }

    #[test]
    fn an_event_without_end_is_an_error() {
        let mut parser = Parser::default();
        let chunk = vec![b'x'; MAX_EVENT / 4];
        let outcomes: Vec<bool> = (0..5).map(|_| parser.feed(&chunk).is_ok()).collect();
        assert_eq!(outcomes, [true, true, true, true, false]);
    }

    proptest! {
        #[test]
        fn wherever_the_stream_is_cut_the_events_are_the_same(
            texts in prop::collection::vec("[a-z가-힣😀 :]{0,12}", 0..6),
            crlf in any::<bool>(),
            cuts in prop::collection::vec(1usize..9, 1..40),
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let stream: String = texts.iter().map(|text| format!("id: 1{end}data: {text}{end}{end}")).collect();
            let mut chunks = Vec::new();
            let mut rest = stream.as_bytes();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (chunk, left) = rest.split_at((*cut).min(rest.len()));
                chunks.push(chunk);
                rest = left;
            }
            let expected: Vec<Event> =
                texts.iter().map(|text| Event { id: Some("1".into()), ..data(text) }).collect();
            prop_assert_eq!(read(&chunks), expected);
        }
    }
}
