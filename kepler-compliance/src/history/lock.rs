//! One writer: a lock on a file beside the history.
//!
//! SQLite lets any number of processes write in turn, which here would count energy twice. The lock is
//! the kernel's (`flock`): it goes with its process, however that ends. It is not taken on the history
//! itself, because closing a second descriptor of that file would drop SQLite's own locks (POSIX
//! record locks belong to the process, not to the descriptor).

use super::HistoryError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The right to write; ends with its drop.
#[derive(Debug)]
pub(super) struct WriterLock {
    file: File,
}

impl WriterLock {
    /// Takes the lock of the history at `history`, or says who has it.
    pub(super) fn take(history: &Path) -> Result<Self, HistoryError> {
        let path = lock_path(history);
        let failed = |source| HistoryError::Lock { path: path.clone(), source };
        // Not truncated: until the lock is ours the text in it is another's.
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut signature = String::new();
                let known = file.read_to_string(&mut signature).is_ok() && !signature.trim().is_empty();
                let holder = if known { signature.trim().to_owned() } else { "another process".to_owned() };
                return Err(HistoryError::Locked { path: history.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let program = std::env::current_exe().ok();
        let name = program.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        file.set_len(0).map_err(failed)?;
        writeln!(file, "process {} ({})", std::process::id(), name.unwrap_or_default()).map_err(failed)?;
        Ok(WriterLock { file })
    }
}

impl Drop for WriterLock {
    /// Closing alone would not do while a child that was just forked still holds a copy of the descriptor.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// The lock file: the history's name with `.lock` behind it.
fn lock_path(history: &Path) -> PathBuf {
    let mut name = history.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
