//! One run of a command.

use super::meter::{Drawn, INTERVAL, Meter};
use super::own_cgroup::OwnCgroup;
use super::relay::{Event, Relay};
use crate::cli::exit::Failure;
use kepler_core::stopwatch::Spent;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, set_child_subreaper, wait};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::process::Command;
use std::time::Duration;

/// How the processes of a command are distinguished from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Follow {
    /// A cgroup of its own where this user may make one, else process clocks.
    Auto,
    /// A cgroup of its own.
    Cgroup,
    /// Clocks of living processes, and what those that ended left to the ones that waited for them.
    Clocks,
}

/// A command that has ended.
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) drawn: Drawn,
    /// Processes that it started and that still run.
    pub(super) left: usize,
    /// The signal that asked for the end meanwhile.
    pub(super) interrupted: Option<Signal>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With a status.
    Status(i32),
    /// By a signal.
    Signal(i32),
}

impl End {
    fn of(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(status), _) => End::Status(status),
            (None, signal) => End::Signal(signal.unwrap_or(0)),
        }
    }

    /// As a shell gives it.
    pub(super) fn code(self) -> u8 {
        u8::try_from(match self {
            End::Status(status) => status,
            End::Signal(signal) => 128 + signal,
        })
        .unwrap_or(u8::MAX)
    }
}

/// A command cannot be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("there is no command `{0}`")]
    NotFound(String),
    #[error("`{0}` cannot be run: {1}")]
    NotExecutable(String, io::Error),
    #[error(transparent)]
    Other(#[from] io::Error),
}

/// Who counts the CPU time of the command and its descendants.
enum Counted {
    /// Their cgroup, which this program is in as well, and where it stood before.
    Cgroup(OwnCgroup, Duration),
    Clocks,
}

impl Counted {
    fn open(follow: Follow) -> io::Result<Self> {
        match follow {
            Follow::Cgroup => OwnCgroup::enter().map(|group| Counted::Cgroup(group, Duration::ZERO)),
            _ => Ok(Counted::Clocks),
        }
    }

    fn begin(&mut self) {
        if let Counted::Cgroup(group, before) = self {
            *before = group.cpu_time().unwrap_or_default();
        }
    }

    fn cpu_time(&mut self, spent: &Spent) -> Option<Duration> {
        match self {
            Counted::Cgroup(group, before) => {
                Some(group.cpu_time()?.saturating_sub(*before).saturating_sub(spent.own_cpu))
            }
            Counted::Clocks => Some(spent.tree_cpu.saturating_sub(spent.own_cpu)),
        }
    }

    /// Processes that still run.
    fn left(&self) -> usize {
        match self {
            Counted::Cgroup(group, _) => group.others(),
            Counted::Clocks => {
                let children = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
                children.split_whitespace().count()
            }
        }
    }
}

/// Runs a command until it ends.
///
/// # Errors
/// It cannot be started.
pub(super) fn run(command: &[OsString], follow: Follow, meter: &mut Meter, relay: &Relay) -> Result<Ended, StartError> {
    let mut counted = Counted::open(follow)?;
    let (program, arguments) = command.split_first().ok_or_else(|| io::Error::other("no command"))?;
    let mut account = meter.begin();
    counted.begin();
    let child = relay.spawn(Command::new(program).args(arguments));
    let child = child.map_err(|error| not_started(&program.to_string_lossy(), error))?;
    let child = Pid::from_child(&child);
    let mut interrupted = None;
    let status = loop {
        if let Event::Signal(received) = relay.wait(INTERVAL, None)?
            && !received.is_child()
        {
            if received.asks_to_end() {
                interrupted = Some(received.signal);
            }
            relay.pass_on(received, child)?;
        }
        let ended = reap(child)?;
        account.advance(meter, &mut |spent| counted.cpu_time(spent));
        if let Some(status) = ended {
            break status;
        }
    };
    let drawn = account.end(meter);
    Ok(Ended { end: End::of(status), drawn, left: counted.left(), interrupted })
}

/// How the command ended, if it did. Waits also for what it left behind, whose CPU time is known from then on.
fn reap(child: Pid) -> io::Result<Option<WaitStatus>> {
    let mut ended = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((process, status))) if process == child => ended = Some(status),
            Ok(Some(_)) => {}
            Ok(None) => return Ok(ended),
            Err(Errno::CHILD) if ended.is_some() => return Ok(ended),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Makes what a command leaves behind a child of this program, so that its CPU time is not lost (`prctl(2)`).
///
/// # Errors
/// The kernel refuses.
pub(super) fn adopt() -> Result<(), Failure> {
    let own = Some(rustix::process::getpid());
    set_child_subreaper(own).map_err(|error| Failure::to("follow the command's children")(error.into()))
}

fn not_started(program: &str, error: io::Error) -> StartError {
    match error.kind() {
        io::ErrorKind::NotFound => StartError::NotFound(program.to_owned()),
        _ => StartError::NotExecutable(program.to_owned(), error),
    }
}
