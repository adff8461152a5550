//! User-named files: read as a whole, within limits of size and time.
//!
//! A path in a setting may name anything: a named pipe that has no writer, a device that never ends, a
//! terminal, a file on a server that no longer answers. Reading it must neither hang nor fill the memory, so
//! only regular files are read, up to a size, for a time. A pipe is read where the path says that one is
//! meant: `/dev/stdin`, `/dev/fd/N` (as a shell's `<(command)` gives it), `/proc/self/fd/N`.
//!
//! ```
//! use kepler_core::host::file::{self, FileLimits};
//!
//! let directory = std::env::temp_dir();
//! let error = file::read(&directory, FileLimits::bytes(1 << 20)).unwrap_err();
//! assert!(error.to_string().ends_with("it is a directory, not a file"), "{error}");
//! ```

use rustix::fs::{CWD, Mode, OFlags};
use std::fs::{File, FileType};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// How much of a file is read, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimits {
    max_bytes: u64,
    timeout: Duration,
}

impl FileLimits {
    /// Up to `max_bytes`, within 10 s.
    #[must_use]
    pub const fn bytes(max_bytes: u64) -> Self {
        FileLimits { max_bytes, timeout: Duration::from_secs(10) }
    }

    /// Within another time.
    #[must_use]
    pub const fn within(self, timeout: Duration) -> Self {
        FileLimits { timeout, ..self }
    }
}

/// A file that could not be read. It never holds any of the file's content.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {reason}", path.display())]
pub struct FileError {
    path: PathBuf,
    #[source]
    reason: FileFault,
}

impl FileError {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it, without its name.
    #[must_use]
    pub fn reason(&self) -> &FileFault {
        &self.reason
    }

    /// The same as an error of the system, without the name, for an error that names the file itself.
    #[must_use]
    pub fn into_io(self) -> io::Error {
        match self.reason {
            FileFault::System(error) => error,
            FileFault::TimedOut(_) => io::Error::new(io::ErrorKind::TimedOut, self.reason),
            _ => io::Error::new(io::ErrorKind::InvalidData, self.reason),
        }
    }

    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(&self.reason, FileFault::System(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// The system refused.
    #[error("{0}")]
    System(#[from] io::Error),
    /// It is something else than a file, such as `a named pipe`.
    #[error("it is {0}, not a file")]
    NotAFile(&'static str),
    /// It holds more than this many bytes.
    #[error("it is larger than {}", size(*.0))]
    TooLarge(u64),
    /// It could not be read within this time: the server or device that it is on does not answer, or the process that
    /// writes the pipe has not ended.
    #[error("it could not be read within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It is UTF-16, by the byte order mark that it begins with.
    #[error("it is UTF-16: save it as UTF-8")]
    Utf16,
    /// It is not UTF-8 text, from this line on.
    #[error("line {0} is not UTF-8 text")]
    NotText(usize),
}

fn size(bytes: u64) -> String {
    let (unit, name) = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        .into_iter()
        .find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit))
        .unwrap_or((1, "bytes"));
    format!("{} {name}", bytes / unit)
}

/// Reads a whole file.
///
/// # Errors
/// It is no regular file, larger or slower than the limits allow, or the system refuses.
pub fn read(path: &Path, limits: FileLimits) -> Result<Vec<u8>, FileError> {
    in_time(path, limits.timeout, move |path| {
        let mut bytes = Vec::new();
        opened(path)?.take(limits.max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limits.max_bytes {
            return Err(FileFault::TooLarge(limits.max_bytes));
        }
        Ok(bytes)
    })
}

/// Reads a whole file of UTF-8 text. A byte order mark at its start, as some editors write it, is left out.
///
/// # Errors
/// As [`read`]; it is not UTF-8.
pub fn read_text(path: &Path, limits: FileLimits) -> Result<String, FileError> {
    let mut bytes = read(path, limits)?;
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(FileError { path: path.to_owned(), reason: FileFault::Utf16 });
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        FileError { path: path.to_owned(), reason: FileFault::NotText(line) }
    })
}

/// Opens a file whose reader bounds by itself how much it takes, within the time of `limits`.
///
/// # Errors
/// It is no regular file, larger than the limits allow, cannot be opened in time, or the system refuses.
pub fn open(path: &Path, limits: FileLimits) -> Result<File, FileError> {
    in_time(path, limits.timeout, move |path| {
        let file = opened(path)?;
        if file.metadata()?.len() > limits.max_bytes {
            return Err(FileFault::TooLarge(limits.max_bytes));
        }
        Ok(file)
    })
}

/// Does `work` on a thread of its own, as no system call on a file system that hangs can be interrupted. The
/// thread of one that hangs stays behind until the file system answers.
fn in_time<T: Send + 'static>(
    path: &Path,
    timeout: Duration,
    work: impl FnOnce(&Path) -> Result<T, FileFault> + Send + 'static,
) -> Result<T, FileError> {
    let (sender, receiver) = sync_channel(1);
    let owned = path.to_owned();
    let thread = thread::Builder::new().name("kepler-file".into()).spawn(move || {
        // It fails where the time is over and the result no longer wanted.
        let _late = sender.send(work(&owned));
    });
    let result = match thread {
        Ok(_) => match receiver.recv_timeout(timeout) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(FileFault::TimedOut(timeout)),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the thread that read it ended").into()),
        },
        Err(error) => Err(error.into()),
    };
    result.map_err(|reason| FileError { path: path.to_owned(), reason })
}

/// A regular file, opened without waiting for anything.
pub(super) fn opened(path: &Path) -> Result<File, FileFault> {
    let names_a_pipe = names_a_descriptor(path);
    // Looked at before it is opened: to open some devices does something already.
    admit(std::fs::metadata(path)?.file_type(), names_a_pipe)?;
    // A named pipe without a writer would block here, were it put in the place of the file meanwhile.
    let waiting = if names_a_pipe { OFlags::empty() } else { OFlags::NONBLOCK };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | waiting;
    let file = File::from(rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(io::Error::from)?);
    admit(file.metadata()?.file_type(), names_a_pipe)?;
    Ok(file)
}

/// Whether the path itself says that a descriptor of this process is meant, whatever it is.
fn names_a_descriptor(path: &Path) -> bool {
    path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

fn admit(kind: FileType, pipes_too: bool) -> Result<(), FileFault> {
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_block_device() {
        "a block device"
    } else if pipes_too {
        return Ok(());
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(FileFault::NotAFile(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixListener;

    const LIMITS: FileLimits = FileLimits::bytes(8);

    fn fault(path: &Path) -> String {
        read(path, LIMITS).unwrap_err().reason().to_string()
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_being_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(fault(&pipe), "it is a named pipe, not a file");
        assert_eq!(fault(&socket), "it is a socket, not a file");
        assert_eq!(fault(folder.path()), "it is a directory, not a file");
        assert_eq!(fault(Path::new("/dev/zero")), "it is a device, not a file");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        assert_eq!(fault(&link), "it is a named pipe, not a file");
    }

    #[test]
    fn size_is_bounded_to_the_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345678").unwrap();
        assert_eq!(read(&path, LIMITS).unwrap(), b"12345678");
        assert!(open(&path, LIMITS).is_ok());
        std::fs::write(&path, b"123456789").unwrap();
        assert_eq!(fault(&path), "it is larger than 8 bytes");
        assert!(matches!(open(&path, LIMITS).unwrap_err().reason(), FileFault::TooLarge(8)));
        // A kernel's file says that it is empty and is not.
        assert!(matches!(read(Path::new("/proc/self/stat"), LIMITS).unwrap_err().reason(), FileFault::TooLarge(8)));
    }

    #[test]
    fn a_pipe_is_read_where_the_path_says_that_it_is_one_but_not_for_ever() {
        let (reader, mut writer) = io::pipe().unwrap();
        let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
        writer.write_all(b"content").unwrap();
        let limits = LIMITS.within(Duration::from_millis(50));
        assert!(matches!(read(&path, limits).unwrap_err().reason(), FileFault::TimedOut(_)));
        writer.write_all(b"again").unwrap();
        drop(writer);
        // The thread that waits has taken what came first.
        assert!(read(&path, LIMITS).is_ok());
    }

    #[test]
    fn text_has_no_byte_order_mark_and_errors_show_no_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "\u{feff}a\n").unwrap();
        assert_eq!(read_text(&path, LIMITS).unwrap(), "a\n");
        std::fs::write(&path, b"pass\n\xffx\n").unwrap();
        let error = read_text(&path, LIMITS).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read {}: line 2 is not UTF-8 text", path.display()));
        assert!(read_text(&folder.path().join("none"), LIMITS).unwrap_err().is_missing());
    }

    #[test]
    fn sizes_are_written_as_people_write_them() {
        assert_eq!([size(1 << 20), size(3 << 10), size(1000)], ["1 MiB", "3 KiB", "1000 bytes"]);
    }
}
