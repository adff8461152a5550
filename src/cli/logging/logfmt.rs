//! Log lines of `key=value` pairs, as Go's `log/slog` text handler writes them: `time`, `level`, `source`,
//! `msg`, then the fields.

use jiff::Timestamp;
use kepler_core::printable;
use std::borrow::Cow;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The format.
pub(super) struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        write!(writer, "time={now} level={}", metadata.level())?;
        if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
            write!(writer, " source={}", value(&format!("{}:{line}", last_parts(file))))?;
        }
        let mut pairs = Pairs { message: String::new(), fields: String::new() };
        event.record(&mut pairs);
        writeln!(writer, " msg={}{}", value(&pairs.message), pairs.fields)
    }
}

/// The last two directories and the name of a file.
fn last_parts(file: &str) -> &str {
    file.rmatch_indices('/').nth(2).and_then(|(at, _)| file.get(at + 1..)).unwrap_or(file)
}

struct Pairs {
    message: String,
    fields: String,
}

impl Visit for Pairs {
    fn record_debug(&mut self, field: &Field, debug: &dyn fmt::Debug) {
        self.record_str(field, &format!("{debug:?}"));
    }

    fn record_str(&mut self, field: &Field, text: &str) {
        match field.name() {
            "message" => self.message = text.to_owned(),
            name => self.fields.push_str(&format!(" {name}={}", value(text))),
        }
    }
}

/// A value, quoted where a reader would not know where it ends.
fn value(text: &str) -> Cow<'_, str> {
    let shown = printable::line(text);
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '"' | '=' | '\\');
    if !shown.is_empty() && shown.chars().all(plain) {
        return shown;
    }
    // Escapes of what acts on a terminal are escapes within quotes as well.
    let quoted = if shown == text { text.replace('\\', r"\\") } else { shown.into_owned() };
    Cow::Owned(format!("\"{}\"", quoted.replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_they_must_be() {
        let cases = [
            ("web", "web"),
            ("", r#""""#),
            ("two words", r#""two words""#),
            ("a=b", r#""a=b""#),
            (r#"say "x""#, r#""say \"x\"""#),
            ("a\nb", r#""a\nb""#),
            ("\u{1b}[31m", r#""\u{1b}[31m""#),
            ("전력", "전력"),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), expected);
        }
    }

    #[test]
    fn a_source_has_its_last_parts() {
        assert_eq!(last_parts("/home/x/kepler-core/src/meter/chain.rs"), "src/meter/chain.rs");
        assert_eq!(last_parts("src/cli.rs"), "src/cli.rs");
    }
}
