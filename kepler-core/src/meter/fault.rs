//! Why a zone could not be read.

use std::io;
use std::sync::Arc;

/// Why a zone could not be read this time. Others go on.
///
/// Making one takes no memory for the faults that can last: a zone that is never believed, or that a driver refuses at
/// every reading, must not cost an allocation a tick.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}")]
#[non_exhaustive]
pub struct ReadError {
    /// What was read.
    pub path: Arc<str>,
    /// What went wrong. It decides the `reason` label.
    pub source: ReadFault,
}

impl ReadError {
    /// What went wrong when reading `path`.
    #[must_use]
    pub fn new(path: impl Into<Arc<str>>, source: impl Into<ReadFault>) -> Self {
        ReadError { path: path.into(), source: source.into() }
    }

    /// The `reason` label: a short word for the kind of fault.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.source.reason()
    }
}

/// What is wrong with a reading.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadFault {
    /// The system refused it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It did not return in time.
    #[error("it does not answer")]
    NoAnswer,
    /// What it says means nothing.
    #[error("{0}")]
    Invalid(&'static str),
    /// It was read, and is not believed.
    #[error(transparent)]
    NotBelieved(#[from] Distrust),
    /// A meter that is read elsewhere shows nothing, in its own fixed word: `stale`, `timeout`, …
    #[error("its meter shows no power: {0}")]
    NotShown(&'static str),
}

impl ReadFault {
    /// The kind of the fault, as the system would say it.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            ReadFault::Io(error) => error.kind(),
            ReadFault::NoAnswer | ReadFault::NotShown(_) => io::ErrorKind::TimedOut,
            ReadFault::Invalid(_) | ReadFault::NotBelieved(_) => io::ErrorKind::InvalidData,
        }
    }

    /// A short fixed word for it, the `reason` label.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            ReadFault::NotBelieved(distrust) => distrust.name(),
            ReadFault::NotShown(fault) => fault,
            fault => reason_of(fault.kind()),
        }
    }
}

/// Why a reading that succeeded is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// The counter stands still although processors are busy, as in virtual machines that show counters they lack.
    #[error("it stands still while processors are busy")]
    Stuck,
    /// The counter is reset at every reading, or its unit is not what it says.
    #[error("it is reset at every reading, or its unit is wrong")]
    Resets,
}

impl Distrust {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Distrust::Stuck => "stuck",
            Distrust::Resets => "resets",
        }
    }
}

/// A short fixed word for a kind of input/output fault, used as a metric's `reason` label.
#[must_use]
pub fn reason(error: &io::Error) -> &'static str {
    reason_of(error.kind())
}

fn reason_of(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "not_found",
        io::ErrorKind::PermissionDenied => "permission_denied",
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => "invalid_data",
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "timeout",
        _ => "io",
    }
}
