//! Escaping of untrusted text for display.
//!
//! Names of processes, containers and files, and whatever a server answers, may hold anything: escape
//! sequences that change a terminal, line breaks that forge a log line, marks that turn the direction of
//! writing and so show other words than there are. Text for people passes through here:
//! characters that act instead of being seen are written as escapes, all others stay.
//!
//! ```
//! use kepler_core::printable;
//!
//! assert_eq!(printable::line("\u{1b}[2Jweb\nroot"), r"\u{1b}[2Jweb\nroot");
//! assert_eq!(printable::line("웹 서버"), "웹 서버");
//! assert_eq!(printable::bytes(b"web\xff"), r"web\xff");
//! ```

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether `c` acts on what shows it, or is not seen at all: control characters (C0, DEL, C1), line and
/// paragraph separators, marks of writing direction (Unicode Standard Annex #9, "Trojan Source",
/// CVE-2021-42574), and format characters without a shape.
#[must_use]
pub const fn acts(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{61c}'                   // Arabic letter mark
        | '\u{180e}'                  // Mongolian vowel separator
        | '\u{200b}'                  // zero width space
        | '\u{200e}' | '\u{200f}'     // left-to-right, right-to-left mark
        | '\u{2028}'..='\u{202e}'     // separators, embeddings, overrides
        | '\u{2060}'..='\u{206f}'     // joiners, isolates, deprecated formats
        | '\u{feff}'                  // byte order mark
        | '\u{fff9}'..='\u{fffb}'     // interlinear annotation
        | '\u{e0000}'..='\u{e007f}'   // tags
    )
}

/// For one line, such as a cell of a table or a log message: line breaks and tabs are escaped as well.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, acts, write_escape)
}

/// For a page whose line breaks and tabs are its own.
#[must_use]
pub fn page(text: &str) -> Cow<'_, str> {
    escaped(text, |c| acts(c) && !matches!(c, '\n' | '\t'), write_escape)
}

/// For JSON that is written already: the same characters as JSON's own escapes, which mean the same to every
/// reader. Outside of strings JSON has only blanks of those, which stay.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c| acts(c) && !matches!(c, '\n' | '\t' | '\r'),
        |out, c| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        },
    )
}

/// For bytes that need not be UTF-8, as names of files and processes: a byte that is none is written `\xff`.
#[must_use]
pub fn bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return line(text);
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        out.push_str(&line(chunk.valid()));
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    Cow::Owned(out)
}

/// Characters of a message: it may name what would be valid, which can be long.
const LONGEST_MESSAGE: usize = 2000;

/// A message that may repeat what came from outside, bounded: of one that is too long, its beginning and its end, where
/// it says what would be valid.
///
/// ```
/// use kepler_core::printable;
///
/// let message = format!("`{}` is unknown; valid: a, b", "x".repeat(60_000));
/// let bounded = printable::bounded(message);
/// assert!(bounded.len() < 2100 && bounded.starts_with("`xxx") && bounded.ends_with("valid: a, b"));
/// assert_eq!(printable::bounded("all of it".to_owned()), "all of it");
/// ```
#[must_use]
pub fn bounded(message: String) -> String {
    if message.len() <= LONGEST_MESSAGE {
        return message;
    }
    let count = message.chars().count();
    if count <= LONGEST_MESSAGE {
        return message;
    }
    let (most, kept) = (count - LONGEST_MESSAGE, LONGEST_MESSAGE / 2);
    let (begin, end) = (message.chars().take(kept), message.chars().skip(count - kept));
    begin.chain(format!("… ({most} more) …").chars()).chain(end).collect()
}

/// A parser's message without what it quotes of the file, but for names of fields and of choices: the file may be another
/// one than was meant, and hold secrets anywhere.
///
/// ```
/// use kepler_core::printable::names_only;
///
/// assert_eq!(names_only("invalid type: string \"hunter2\", expected a map"), "invalid type: string \"…\", expected a map");
/// assert_eq!(names_only("unknown field `colour`, expected `color`"), "unknown field `colour`, expected `color`");
/// assert_eq!(names_only("unknown field `x`, expected `$schema`"), "unknown field `x`, expected `$schema`");
/// assert_eq!(names_only("unknown field `root:$6$x`"), "unknown field `…`");
/// assert_eq!(names_only("`22-26` is no range of hours"), "`…` is no range of hours");
/// assert_eq!(names_only("expected one of `pue`, `design_pue_25_percent`"), "expected one of `pue`, `design_pue_25_percent`");
/// ```
#[must_use]
pub fn names_only(message: &str) -> String {
    let mut shown = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, quote, inside)) = quoted(rest) {
        shown.push_str(before);
        shown.push(quote);
        rest = match inside.split_once(quote).filter(|(content, _)| quote == '`' && is_name(content)) {
            Some((name, after)) => {
                shown.push_str(name);
                after
            }
            // The quoted may hold quotes itself: it ends before what the parser says last.
            None => {
                shown.push('…');
                let said = [", expected", " at line "].iter().find_map(|end| inside.rfind(&format!("{quote}{end}")));
                let end = said.or_else(|| inside.rfind(quote));
                end.and_then(|end| inside.get(end + 1..)).unwrap_or_default()
            }
        };
        shown.push(quote);
    }
    shown + rest
}

/// What stands before a quote, the quote, and what follows.
fn quoted(text: &str) -> Option<(&str, char, &str)> {
    let (at, quote) = text.char_indices().find(|(_, c)| matches!(c, '`' | '"'))?;
    Some((text.get(..at)?, quote, text.get(at + 1..)?))
}

/// Whether a text looks as names of fields and choices do: letters, also after a `$`, or words of few small letters and digits.
fn is_name(text: &str) -> bool {
    if let Some(name) = text.strip_prefix('$') {
        return !name.is_empty() && name.len() <= 20 && name.bytes().all(|byte| byte.is_ascii_lowercase());
    }
    let all = |of: fn(&u8) -> bool| text.bytes().all(|byte| byte == b'_' || of(&byte));
    let letters = text.len() <= 40 && all(u8::is_ascii_alphabetic);
    let is_short = text.len() <= 20 || text.len() <= 40 && text.split('_').all(|word| word.len() <= 12);
    let few = is_short && all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && (letters || few)
}

fn write_escape(out: &mut String, c: char) {
    // `\n`, `\t`, `\r`, and `\u{1b}` for the others.
    match c {
        '\n' | '\t' | '\r' => out.extend(c.escape_default()),
        _ => out.extend(c.escape_unicode()),
    }
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool, escape: impl Fn(&mut String, char)) -> Cow<'_, str> {
    let Some(first) = text.find(&is_escaped) else { return Cow::Borrowed(text) };
    let (before, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(before);
    for c in rest.chars() {
        if is_escaped(c) {
            escape(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped() {
        let cases = [
            ("\u{1b}]0;title\u{7}", r"\u{1b}]0;title\u{7}"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("a\r\nb\tc", r"a\r\nb\tc"),
            ("\u{7f}\0", r"\u{7f}\u{0}"),
            ("exe\u{202e}gpj", r"exe\u{202e}gpj"),
            ("\u{2066}x\u{2069}\u{2028}\u{2029}", r"\u{2066}x\u{2069}\u{2028}\u{2029}"),
            ("\u{200f}\u{61c}\u{feff}\u{200b}", r"\u{200f}\u{61c}\u{feff}\u{200b}"),
            ("\u{e0041}", r"\u{e0041}"),
        ];
        for (text, expected) in cases {
            assert_eq!(line(text), expected);
        }
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["web-1", "C:\\x", "한국어 표준", "日本", "ünïcode", "👩\u{200d}💻", "نص", "a\u{a0}b"]
        {
            assert!(matches!(line(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn a_page_keeps_its_lines() {
        assert_eq!(page("a\n\tb\u{1b}\n"), "a\n\tb\\u{1b}\n");
    }

    proptest! {
        #[test]
        fn nothing_that_acts_is_left(text in any::<String>(), raw: Vec<u8>) {
            prop_assert!(!line(&text).chars().any(acts));
            prop_assert!(!bytes(&raw).chars().any(acts));
        }

        #[test]
        fn json_means_the_same_as_before(text in any::<String>()) {
            let plain = serde_json::to_string_pretty(&[&text]).unwrap();
            let shown = json(&plain);
            prop_assert!(!shown.chars().any(|c| acts(c) && c != '\n'));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&shown).unwrap(), [text]);
        }
    }
}
