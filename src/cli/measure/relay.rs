//! Signals while a command runs: received one by one with their origin, and passed on.
//!
//! The command stays in this program's process group, as with `time`: a terminal's Ctrl-C, Ctrl-\ and Ctrl-Z reach both, and
//! pipelines with a pager keep working. What a process sends to this one alone is passed on. A descriptor tells the two
//! apart (`signalfd(2)`: the kernel sends for the terminal); a handler would not.

use nix::sys::signal::{SigSet, SigmaskHow, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, getpid, kill_process};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::time::Duration;

/// What is received instead of acting on this program.
const RECEIVED: [Number; 9] = [
    Number::SIGINT,
    Number::SIGTERM,
    Number::SIGHUP,
    Number::SIGQUIT,
    Number::SIGUSR1,
    Number::SIGUSR2,
    Number::SIGTSTP,
    Number::SIGCONT,
    Number::SIGCHLD,
];

/// `si_code` of what the kernel itself sends, as a terminal driver does to a whole process group (`sigaction(2)`).
const SI_KERNEL: i32 = 0x80;

/// A signal, and whether a terminal sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) signal: Signal,
    is_from_terminal: bool,
}

/// Receives signals for as long as the program lives.
pub(super) struct Relay {
    descriptor: SignalFd,
    inherited: SigSet,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The time is over.
    Time,
    /// What was watched has ended.
    Ended,
    /// A signal came.
    Signal(Received),
}

impl Relay {
    /// Begins to receive. Threads that exist already must not be there: they would be hit by the signals.
    pub(super) fn start() -> io::Result<Self> {
        let signals: SigSet = RECEIVED.into_iter().collect();
        let inherited = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let descriptor = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Relay { descriptor, inherited })
    }

    /// Waits for a signal, or for the end of the process behind a descriptor.
    pub(super) fn wait(&self, longest: Duration, watched: Option<BorrowedFd<'_>>) -> io::Result<Event> {
        if let Some(received) = self.next()? {
            return Ok(Event::Signal(received));
        }
        let own = PollFd::from_borrowed_fd(self.descriptor.as_fd(), PollFlags::IN);
        let mut descriptors = vec![own];
        descriptors.extend(watched.map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN)));
        let timeout = Timespec::try_from(longest).map_err(io::Error::other)?;
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(received) = self.next()? {
            return Ok(Event::Signal(received));
        }
        let has_ended = descriptors.get(1).is_some_and(|descriptor| !descriptor.revents().is_empty());
        Ok(if has_ended { Event::Ended } else { Event::Time })
    }

    fn next(&self) -> io::Result<Option<Received>> {
        let Some(info) = self.descriptor.read_signal()? else { return Ok(None) };
        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
        let signal = Signal::from_named_raw(number);
        Ok(signal.map(|signal| Received { signal, is_from_terminal: info.ssi_code == SI_KERNEL }))
    }

    /// Starts a command with the signals as they were before. This program keeps receiving meanwhile: one that comes between
    /// would end it, and leave the command alone.
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let inherited = self.inherited;
        let restore = move || inherited.thread_set_mask().map_err(io::Error::from);
        // SAFETY: between fork and exec nothing is done but `pthread_sigmask`, which is async-signal-safe
        // (signal-safety(7)) and allocates nothing.
        unsafe { command.pre_exec(restore) }.spawn()
    }

    /// Passes a signal on to `child` unless the terminal has sent it there as well; stops with it, and goes on with it.
    pub(super) fn pass_on(&self, received: Received, child: Pid) -> io::Result<()> {
        if !received.is_from_terminal {
            // It may have ended just now.
            let _gone = kill_process(child, received.signal);
        }
        if received.signal == Signal::TSTP {
            // By the default action, which a process group without a shell is spared.
            let stop: SigSet = [Number::SIGTSTP].into_iter().collect();
            kill_process(getpid(), Signal::TSTP)?;
            stop.thread_unblock()?;
            stop.thread_block()?;
        }
        Ok(())
    }
}

impl Received {
    /// Whether it asks a program to end.
    pub(super) fn asks_to_end(self) -> bool {
        [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT].contains(&self.signal)
    }

    pub(super) fn is_child(self) -> bool {
        self.signal == Signal::CHILD
    }
}
