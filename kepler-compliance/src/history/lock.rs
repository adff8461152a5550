//! One writer: a lock on a file beside the history.
//!
//! SQLite lets any number of processes write in turn, which here would count energy twice. The lock is
//! the kernel's (`flock`): it goes with its process, however that ends. It is not taken on the history
//! itself, because closing a second descriptor of that file would drop SQLite's own locks (POSIX
//! record locks belong to the process, not to the descriptor).
//!
//! The file's name is known to all, and its directory may be writable to others (`/tmp`, `/var/tmp`). So it is opened
//! without following a link, it must be a regular file of this user with one name, and it is emptied only if what
//! stands in it is the signature of a holder: whatever a stranger put there is left as it is, and not shown.

use super::HistoryError;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The right to write; ends with its drop.
#[derive(Debug)]
pub(super) struct WriterLock {
    file: File,
}

/// No signature is longer, bytes.
const LONGEST: u64 = 512;

impl WriterLock {
    /// Takes the lock of the history at `history`, or says who has it.
    pub(super) fn take(history: &Path) -> Result<Self, HistoryError> {
        let path = lock_path(history);
        let failed = |source| HistoryError::Lock { path: path.clone(), source };
        let foreign = |found: &str| HistoryError::ForeignLock { path: path.clone(), found: found.to_owned() };
        let mut file = match open(&path) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                return Err(foreign("a symbolic link"));
            }
            other => other.map_err(failed)?,
        };
        if let Some(found) = not_ours(&file).map_err(failed)? {
            return Err(foreign(found));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = signature(&mut file).ok().flatten().unwrap_or_else(|| "another process".to_owned());
                return Err(HistoryError::Locked { path: history.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Until the lock is ours the text in it is the holder's.
        if signature(&mut file).map_err(failed)?.is_none() {
            return Err(foreign("its text is another program's"));
        }
        sign(&mut file).map_err(failed)?;
        Ok(WriterLock { file })
    }
}

impl Drop for WriterLock {
    /// Closing alone would not do while a child that was just forked still holds a copy of the descriptor.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Opens or makes the file, and no other one: links are not followed, and nothing is waited for.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    // The bits are the kernel's, whatever type they are passed in.
    let flags = flags.bits().cast_signed();
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).custom_flags(flags).open(path)
}

/// What the file is, if it is none that a writer of this user made.
fn not_ours(file: &File) -> io::Result<Option<&'static str>> {
    let metadata = file.metadata()?;
    let own = rustix::process::geteuid().as_raw();
    Ok(if !metadata.is_file() {
        Some("no regular file")
    } else if metadata.nlink() > 1 {
        Some("a file that has other names")
    } else if metadata.uid() != own {
        Some("a file of another user")
    } else {
        None
    })
}

/// The holder's signature: empty where there is none yet, `None` where the text is no signature.
fn signature(file: &mut File) -> io::Result<Option<String>> {
    file.rewind()?;
    let mut text = Vec::new();
    Read::take(&mut *file, LONGEST + 1).read_to_end(&mut text)?;
    let Ok(text) = String::from_utf8(text) else { return Ok(None) };
    let line = text.strip_suffix('\n').unwrap_or(&text);
    if line.is_empty() {
        return Ok(Some(String::new()).filter(|_| text.is_empty()));
    }
    let parts =
        line.strip_prefix("process ").and_then(|rest| rest.strip_suffix(')')).and_then(|rest| rest.split_once(" ("));
    let is_ours = parts.is_some_and(|(number, name)| number.parse::<u32>().is_ok() && !name.contains(char::is_control));
    Ok((is_ours && text.len() as u64 <= LONGEST).then(|| line.to_owned()))
}

fn sign(file: &mut File) -> io::Result<()> {
    let program = std::env::current_exe().ok();
    let name =
        program.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().replace(char::is_control, "?"));
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "process {} ({})", std::process::id(), name.unwrap_or_default())
}

/// The lock file: the history's name with `.lock` behind it.
fn lock_path(history: &Path) -> PathBuf {
    let mut name = history.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Takes the lock beside a history that does not exist.
    fn take(directory: &Path) -> Result<WriterLock, HistoryError> {
        WriterLock::take(&directory.join("energy.db"))
    }

    fn refused(directory: &Path, why: &str) {
        match take(directory) {
            Err(HistoryError::ForeignLock { found, .. }) => assert!(found.contains(why), "{found}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_link_to_a_strangers_file_is_not_followed_whether_that_exists_or_not() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        symlink(&victim, directory.path().join("energy.db.lock")).unwrap();
        refused(directory.path(), "a symbolic link");
        assert!(!victim.exists(), "nothing is made at the end of a dangling link");
        fs::write(&victim, "precious").unwrap();
        refused(directory.path(), "a symbolic link");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn a_hard_link_to_a_strangers_file_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        fs::write(&victim, "").unwrap();
        fs::hard_link(&victim, directory.path().join("energy.db.lock")).unwrap();
        refused(directory.path(), "other names");
    }

    #[test]
    fn a_file_with_other_text_is_neither_emptied_nor_shown() {
        for text in ["precious", "process x (kepler)\n", "process 1 (a)\nprocess 2 (b)\n", "\n", &"a".repeat(10_000)] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("energy.db.lock");
            fs::write(&path, text).unwrap();
            refused(directory.path(), "another program's");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_pipe_and_a_directory_are_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("energy.db.lock");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        refused(directory.path(), "no regular file");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(take(directory.path()), Err(HistoryError::Lock { .. })));
    }

    #[test]
    fn a_lock_that_a_dead_writer_left_is_taken_and_a_held_one_names_its_holder() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("energy.db.lock"), "process 4194304 (kepler)\n").unwrap();
        let held = take(directory.path()).unwrap();
        let Err(HistoryError::Locked { holder, .. }) = take(directory.path()) else { panic!("taken twice") };
        assert!(holder.starts_with(&format!("process {} (", std::process::id())), "{holder}");
        drop(held);
        take(directory.path()).unwrap();
    }
}
