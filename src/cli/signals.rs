//! Signals of the system.

use super::exit::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for a signal from now on. Call this within the runtime.
///
/// # Errors
/// The system gives no handler.
pub(super) fn of(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(Failure::to("wait for signals"))
}

/// Keeps signals that other programs use for reports and reloads from ending this one, as they would by
/// default (signal(7)).
///
/// # Errors
/// The system gives no handler.
pub(super) fn hold() -> Result<[Signal; 3], Failure> {
    Ok([of(SignalKind::hangup())?, of(SignalKind::user_defined1())?, of(SignalKind::user_defined2())?])
}
