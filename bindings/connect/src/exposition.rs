//! Reads the Prometheus text format 0.0.4, and the samples of OpenMetrics 1.0 text.
//!
//! Samples only: `# HELP`, `# TYPE` and other comments are passed over, timestamps and exemplars are
//! checked and dropped. Label values may hold anything, `}`, `,`, `=` and escaped quotes and line
//! breaks included; bytes that are not UTF-8 are replaced. A line that is not of the format is an error
//! with its number, so that a sum is never silently short.
//!
//! Formats: the Prometheus documentation, "Exposition formats"; OpenMetrics 1.0, section "ABNF".
//! Names quoted in the braces (Prometheus 3 with `escaping=allow-utf-8`) are not read: they are sent only
//! to clients that ask for them.
//!
//! ```
//! use kepler_connect::exposition::samples;
//!
//! let text = b"# TYPE kepler_process_cpu_watts gauge\nkepler_process_cpu_watts{comm=\"a}\\\",b\",zone=\"dram\"} 1.5\n";
//! for sample in samples(text) {
//!     let sample = sample?;
//!     assert_eq!((sample.name, sample.label("comm"), sample.value), ("kepler_process_cpu_watts", Some("a}\",b"), 1.5));
//! }
//! # Ok::<(), kepler_connect::exposition::ParseError>(())
//! ```

use std::borrow::Cow;

/// One sample. It borrows from the text wherever nothing had to be unescaped.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample<'a> {
    /// The metric's name.
    pub name: &'a str,
    /// The labels, in the order of the text, each name once.
    pub labels: Vec<(&'a str, Cow<'a, str>)>,
    /// The value; may be NaN or infinite.
    pub value: f64,
}

impl Sample<'_> {
    /// A label's value.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| *label == name).map(|(_, value)| value.as_ref())
    }
}

/// A line that is not of the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not of the Prometheus text format: {reason}")]
#[non_exhaustive]
pub struct ParseError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: &'static str,
}

/// The samples of a text. After an error it goes on with the next line.
#[must_use]
pub fn samples(text: &[u8]) -> Samples<'_> {
    Samples { rest: text, line: 0, ended: false }
}

/// Iterator of [`samples`].
#[derive(Clone, Debug)]
pub struct Samples<'a> {
    rest: &'a [u8],
    line: usize,
    /// After `# EOF`.
    ended: bool,
}

impl<'a> Iterator for Samples<'a> {
    type Item = Result<Sample<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            self.line += 1;
            let error = |reason| Some(Err(ParseError { line: self.line, reason }));
            let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') else {
                let tail = std::mem::take(&mut self.rest);
                // OpenMetrics lets the last line break out; in 0.0.4 its absence means a cut text.
                return if tail == b"# EOF" { None } else { error("it has no line break: the text is cut off") };
            };
            let (line, rest) = self.rest.split_at(end);
            self.rest = rest.get(1..).unwrap_or_default();
            let line = trim(line);
            if line.is_empty() {
                continue;
            }
            if self.ended {
                self.rest = &[];
                return error("it follows `# EOF`");
            }
            if line.starts_with(b"#") {
                self.ended = line == b"# EOF";
                continue;
            }
            return match sample(line) {
                Ok(sample) => Some(Ok(sample)),
                Err(reason) => error(reason),
            };
        }
        None
    }
}

type Parsed<T> = Result<T, &'static str>;

/// A line without its blanks and line break.
fn sample(line: &[u8]) -> Parsed<Sample<'_>> {
    let (name, rest) = name(line, |byte| byte == b':')?;
    let (labels, rest) = match trim(rest).strip_prefix(b"{") {
        Some(rest) => labels(rest)?,
        None if rest.first().is_some_and(|&byte| !blank(byte)) => {
            return Err("the name holds a character that it may not");
        }
        None => (Vec::new(), rest),
    };
    // Outside of quotes a `#` can only begin an exemplar.
    let (figures, exemplar) = match rest.iter().position(|&byte| byte == b'#') {
        Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 1..)),
        None => (rest, None),
    };
    if let Some(exemplar) = exemplar {
        let rest = trim(exemplar).strip_prefix(b"{").ok_or("the exemplar has no labels")?;
        let (_, rest) = self::labels(rest)?;
        numbers(rest, "the exemplar has no value")?;
    }
    Ok(Sample { name, labels, value: numbers(figures, "there is no value")? })
}

/// A value and perhaps a timestamp; gives the value.
fn numbers(text: &[u8], missing: &'static str) -> Parsed<f64> {
    let mut fields = text.split(|&byte| blank(byte)).filter(|field| !field.is_empty());
    let value = number(fields.next().ok_or(missing)?).ok_or("the value is not a number")?;
    if let Some(time) = fields.next() {
        number(time).ok_or("the timestamp is not a number")?;
    }
    if fields.next().is_some() { Err("there is text after the value and the timestamp") } else { Ok(value) }
}

fn number(text: &[u8]) -> Option<f64> {
    // Go writes +Inf, -Inf and NaN; Rust reads these, in any case.
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Labels, from behind `{` to behind `}`.
#[allow(clippy::type_complexity, reason = "the field of Sample and the rest of the line")]
fn labels(mut text: &[u8]) -> Parsed<(Vec<(&str, Cow<'_, str>)>, &[u8])> {
    let mut labels: Vec<(&str, Cow<'_, str>)> = Vec::new();
    loop {
        text = trim_start(text);
        if let Some(rest) = text.strip_prefix(b"}") {
            return Ok((labels, rest));
        }
        let (name, rest) = name(text, |_| false)?;
        let rest = trim_start(rest).strip_prefix(b"=").ok_or("a label has no `=`")?;
        let rest = trim_start(rest).strip_prefix(b"\"").ok_or("a label's value is not in quotes")?;
        let (value, rest) = quoted(rest)?;
        if labels.iter().any(|(other, _)| *other == name) {
            return Err("a label comes twice");
        }
        labels.push((name, value));
        text = trim_start(rest);
        match text.split_first() {
            Some((b',', rest)) => text = rest,
            Some((b'}', _)) => {}
            _ => return Err("labels do not end with `}`"),
        }
    }
}

/// A value, from behind its first quote to behind its last.
fn quoted(text: &[u8]) -> Parsed<(Cow<'_, str>, &[u8])> {
    let mut unescaped: Vec<u8> = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    loop {
        let plain = |to| text.get(copied..to).unwrap_or_default();
        match text.get(at).ok_or("a label's value has no closing quote")? {
            b'"' => {
                let rest = text.get(at + 1..).unwrap_or_default();
                if copied == 0 {
                    return Ok((String::from_utf8_lossy(plain(at)), rest));
                }
                unescaped.extend_from_slice(plain(at));
                return Ok((String::from_utf8_lossy(&unescaped).into_owned().into(), rest));
            }
            b'\\' => {
                unescaped.extend_from_slice(plain(at));
                match text.get(at + 1).ok_or("a label's value has no closing quote")? {
                    b'n' => unescaped.push(b'\n'),
                    &escaped @ (b'"' | b'\\') => unescaped.push(escaped),
                    // OpenMetrics: before any other character a backslash is itself.
                    &other => unescaped.extend_from_slice(&[b'\\', other]),
                }
                at += 2;
                copied = at;
            }
            _ => at += 1,
        }
    }
}

/// A name of letters, digits and `_`, not beginning with a digit, and what follows it.
fn name(text: &[u8], also: fn(u8) -> bool) -> Parsed<(&str, &[u8])> {
    let allowed = |&byte: &u8| byte.is_ascii_alphanumeric() || byte == b'_' || also(byte);
    let end = text.iter().position(|byte| !allowed(byte)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let name = std::str::from_utf8(name).map_err(|_| "a name is not of ASCII letters")?;
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("a name does not begin with a letter or `_`");
    }
    Ok((name, rest))
}

fn blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn trim_start(text: &[u8]) -> &[u8] {
    text.get(text.iter().position(|&byte| !blank(byte)).unwrap_or(text.len())..).unwrap_or_default()
}

/// Without blanks at both ends; a carriage return is one, for servers that write CRLF.
fn trim(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| !blank(byte) && byte != b'\r').map_or(0, |last| last + 1);
    trim_start(text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests;
