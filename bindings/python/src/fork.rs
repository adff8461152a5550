//! Forking while meters are being read.
//!
//! A child has only the thread that forked. If another one was reading meters at that moment, with the GIL
//! released, its lock would stay locked in the child for ever. So who reads holds [`READING`] shared, and who
//! forks holds it alone, by way of `os.register_at_fork` (in `kepler_power/__init__.py`). Readers never wait for the GIL while
//! they hold it, so forking waits for a reading's few microseconds at most.

use pyo3::prelude::*;
use std::cell::RefCell;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static READING: RwLock<()> = RwLock::new(());

thread_local! {
    static FORKING: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
}

/// Held while a lock of this package is.
pub(crate) fn reading() -> RwLockReadGuard<'static, ()> {
    READING.read().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until no thread reads meters, and keeps them from it.
#[pyfunction]
fn before_fork() {
    let alone = READING.write().unwrap_or_else(PoisonError::into_inner);
    FORKING.with_borrow_mut(|forking| *forking = Some(alone));
}

/// Lets them read again, in the parent as in the child.
#[pyfunction]
fn after_fork() {
    FORKING.with_borrow_mut(|forking| *forking = None);
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(before_fork, module)?)?;
    module.add_function(wrap_pyfunction!(after_fork, module)?)
}
