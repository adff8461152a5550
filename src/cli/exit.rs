//! Failures of the program: message and exit status.

use super::config::{Manner, Problem};
use super::remedies;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::ToolError;
use kepler_core::availability::Unavailable;
use kepler_core::printable;
use kepler_core::sampler::SamplerError;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

/// The exit statuses, for `--help`.
pub(super) const HELP: &str = "Exit status: 0 done, or stopped by a signal; 1 any other failure; \
     2 bad flag or configuration; 3 the meter or source of CPU time asked for cannot be used; 4 an address cannot be listened at.";

/// Set once the configuration is known.
static MANNER: OnceLock<Manner> = OnceLock::new();

/// Set once the language asked for is known.
static LANG: OnceLock<Lang> = OnceLock::new();

/// Says why a tool has no answer in this language.
pub(super) fn speak(lang: Lang) {
    let _known = LANG.set(lang);
}

/// Ends the program in this manner: Go Kepler knows one exit status for all failures.
pub(super) fn behave(manner: Manner) {
    // Only the first configuration of a process counts; there is one.
    let _known = MANNER.set(manner);
}

/// Why the program ends early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The command line cannot be understood.
    #[error("{0}")]
    CommandLine(String),
    /// Arguments are wrong, or help was asked for.
    #[error(transparent)]
    Arguments(clap::Error),
    /// Something is wrong with the configuration.
    #[error("{} in the configuration:\n{}", problems(.0.len()), lines(.0))]
    Config(Vec<Problem>),
    /// The meter that was asked for cannot be used.
    #[error("cannot measure with {}: {}\nremedy: {}", .0.source_name, .0.reason, remedies::text(&.0.remedy))]
    Meter(Unavailable),
    /// A command needs measured figures, and there are none.
    #[error("{reason}\nremedy: {remedy}")]
    NothingMeasured {
        /// Why that matters.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// The source of CPU time that was asked for cannot be used.
    #[error("cannot read CPU time with {}: {}\nremedy: {}", .0.source_name, .0.reason, remedies::text(&.0.remedy))]
    Usage(Unavailable),
    /// The host cannot be read.
    #[error("{}\nremedy: {}", .0, remedies::text(&.0.remedy()))]
    Host(SamplerError),
    /// An address cannot be listened at.
    #[error("cannot listen at {address}: {reason}")]
    Address {
        /// The address, as configured.
        address: String,
        /// Why not, and where known who listens there.
        reason: String,
    },
    /// A standard, a region or a file of data is not what it should be.
    #[error("{0}")]
    Data(String),
    /// What was named is not there.
    #[error("{0}")]
    Missing(String),
    /// An address of a source of energy figures cannot be used.
    #[error("--source: {0}")]
    Source(String),
    /// A tool has no answer.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// Anything else.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What went wrong.
        source: std::io::Error,
    },
}

impl Failure {
    /// Makes an [`std::io::Error`] a failure to do `what`.
    pub(super) fn to(what: &'static str) -> impl Fn(std::io::Error) -> Failure {
        move |source| Failure::Io { what, source }
    }

    /// Says on standard error what went wrong, and gives the exit status for it.
    pub(super) fn report(&self) -> ExitCode {
        if let Failure::Arguments(error) = self {
            return arguments(error);
        }
        let text = match self {
            Failure::Tool(error) => format!("kepler: {}\n", error.render(LANG.get().copied().unwrap_or_default())),
            _ => format!("kepler: {self}\n"),
        };
        // If standard error is closed, no one reads it.
        let _closed = io::stderr().lock().write_all(printable::page(&text).as_bytes());
        status(match self {
            Failure::Tool(
                ToolError::UnknownStandard(_) | ToolError::UnknownRegion(_) | ToolError::InvalidArgument { .. },
            ) => 2,
            Failure::Io { .. } | Failure::Host(_) | Failure::Missing(_) | Failure::Tool(_) => 1,
            Failure::CommandLine(_) | Failure::Arguments(_) => 2,
            Failure::Config(_) | Failure::Data(_) | Failure::Source(_) => 2,
            Failure::Meter(_) | Failure::Usage(_) | Failure::NothingMeasured { .. } => 3,
            Failure::Address { .. } => 4,
        })
    }
}

/// What clap has to say: help on standard output, mistakes on standard error.
fn arguments(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let text = printable::page(&text);
    if error.use_stderr() {
        let _closed = io::stderr().lock().write_all(text.as_bytes());
        return status(2);
    }
    // A pager that was left early is no failure.
    let _closed = io::stdout().lock().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn status(own: u8) -> ExitCode {
    ExitCode::from(match MANNER.get() {
        Some(Manner::Kepler) => 1,
        _ => own,
    })
}

fn problems(number: usize) -> String {
    if number == 1 { "a problem".to_owned() } else { format!("{number} problems") }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
}
