//! Logs, one event a line: text, JSON or logfmt. They go to standard error, so that standard output stays for
//! figures; in Go Kepler's manner to standard output, unless figures go there.
//!
//! Messages repeat names of processes, files and whatever clients send: what acts on a terminal is escaped in
//! all formats.

mod logfmt;

use super::config::{Config, LogFormat, Manner};
use kepler_core::printable;
use logfmt::Logfmt;
use std::io::{self, IsTerminal, Write};
use tracing_subscriber::Registry;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format;
use tracing_subscriber::fmt::{FormatFields, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Begins to log as configured. Called once.
pub(super) fn start(config: &Config) {
    let output = Output::of(config);
    let targets = config.log_level >= tracing::Level::DEBUG;
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match format_of(config) {
        LogFormat::Text => tracing_subscriber::fmt::layer()
            .with_writer(move || output.open())
            .with_ansi(output.is_terminal())
            .with_target(targets)
            .fmt_fields(escaped_fields())
            .boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(EscapedJson(output))
            .with_target(targets)
            .boxed(),
        LogFormat::Logfmt => tracing_subscriber::fmt::layer()
            .with_writer(move || output.open())
            .with_ansi(false)
            .event_format(Logfmt)
            .boxed(),
    };
    // The MCP library tells of every message at the level at which we tell of starts and stops, and warns
    // about every mistake of a client, which the client learns of as well.
    let library = if targets { config.log_level } else { tracing::Level::ERROR };
    let levels = Targets::new().with_default(config.log_level).with_target("rmcp", library);
    tracing_subscriber::registry().with(layer.with_filter(levels)).init();
}

/// What Go Kepler calls text is logfmt.
fn format_of(config: &Config) -> LogFormat {
    match (config.manner, config.log_format) {
        (Manner::Kepler, LogFormat::Text) => LogFormat::Logfmt,
        (_, format) => format,
    }
}

/// Where log lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Stdout,
    Stderr,
}

impl Output {
    fn of(config: &Config) -> Self {
        if config.manner == Manner::Kepler && !config.stdout { Output::Stdout } else { Output::Stderr }
    }

    fn open(self) -> Box<dyn Write> {
        match self {
            Output::Stdout => Box::new(io::stdout().lock()),
            Output::Stderr => Box::new(io::stderr().lock()),
        }
    }

    fn is_terminal(self) -> bool {
        match self {
            Output::Stdout => io::stdout().is_terminal(),
            Output::Stderr => io::stderr().is_terminal(),
        }
    }
}

/// The message and the fields of an event, each on the line of the event whatever it holds.
fn escaped_fields() -> impl for<'a> FormatFields<'a> + Send + Sync + 'static {
    format::debug_fn(|writer, field, value| {
        let text = format!("{value:?}");
        let text = printable::line(&text);
        if field.name() == "message" { write!(writer, "{text}") } else { write!(writer, "{}={text}", field.name()) }
    })
    .delimited(" ")
}

/// Writes events that are JSON already.
struct EscapedJson(Output);

impl<'a> MakeWriter<'a> for EscapedJson {
    type Writer = EscapedJsonWriter;

    fn make_writer(&'a self) -> EscapedJsonWriter {
        EscapedJsonWriter(self.0.open())
    }
}

struct EscapedJsonWriter(Box<dyn Write>);

impl Write for EscapedJsonWriter {
    /// Takes an event whole, as it is given whole.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        self.0.write_all(printable::json(&text).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_go_where_figures_do_not() {
        let own = Config::default();
        let kepler = Config { manner: Manner::Kepler, ..Config::default() };
        assert_eq!((Output::of(&own), format_of(&own)), (Output::Stderr, LogFormat::Text));
        assert_eq!((Output::of(&kepler), format_of(&kepler)), (Output::Stdout, LogFormat::Logfmt));
        let table = Config { stdout: true, log_format: LogFormat::Json, ..kepler };
        assert_eq!((Output::of(&table), format_of(&table)), (Output::Stderr, LogFormat::Json));
    }
}
