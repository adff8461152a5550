//! Signals of the system.

use super::exit::Failure;
use kepler_http::WebConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a program which serves acts on.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    _held: [Signal; 2],
}

impl Signals {
    /// Waits for them from now on. Call this within the runtime.
    ///
    /// # Errors
    /// The system gives no handler.
    pub(super) fn wait() -> Result<Self, Failure> {
        let [interrupt, terminate, hangup] =
            [of(SignalKind::interrupt())?, of(SignalKind::terminate())?, of(SignalKind::hangup())?];
        Ok(Signals { interrupt, terminate, hangup, _held: hold()? })
    }

    /// Until a signal ends the program. One that asks for it reads certificates and passwords again.
    pub(super) async fn end(&mut self, web: Option<&WebConfig>) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return tracing::info!("interrupted, stopping"),
                _ = self.terminate.recv() => return tracing::info!("asked to terminate, stopping"),
                _ = self.hangup.recv() => match web {
                    None => tracing::info!("asked to reload: there are no certificates or passwords to read again"),
                    Some(web) => reload(web),
                },
            }
        }
    }
}

/// Reads certificates and passwords again at once.
pub(super) fn reload(web: &WebConfig) {
    match web.reload() {
        Ok(()) => tracing::info!("certificates and passwords are read again"),
        Err(error) => tracing::error!("what was read before stays: {error}"),
    }
}

/// Waits for a signal from now on. Call this within the runtime.
///
/// # Errors
/// The system gives no handler.
pub(super) fn of(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(Failure::to("wait for signals"))
}

/// Lets the end of children be heard of, also where the parent of this program ignores that of its own: the kernel would
/// take their status and their CPU time away unseen (`wait(2)`).
///
/// # Errors
/// The system gives no handler.
pub(super) fn hear_of_children() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(Failure::to("wait for signals"))?;
    let _entered = runtime.enter();
    of(SignalKind::child()).map(drop)
}

/// Keeps signals that other programs use for reports from ending this one, whatever it does: a handler stays for the life
/// of the process once there was one (tokio's `signal`).
pub(super) fn outlive_reports() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    // Without a handler it would end as any program does that has none: nothing to refuse work for.
    let _handled = runtime.map(|runtime| {
        let _entered = runtime.enter();
        hold().is_ok()
    });
}

/// Keeps signals that other programs use for reports from ending this one, as they would by default (signal(7)).
///
/// # Errors
/// The system gives no handler.
pub(super) fn hold() -> Result<[Signal; 2], Failure> {
    Ok([of(SignalKind::user_defined1())?, of(SignalKind::user_defined2())?])
}
