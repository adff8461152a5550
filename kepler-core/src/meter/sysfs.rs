//! Attribute files that are read again and again through one descriptor.

use crate::host::parse_decimal;
use crate::meter::{ReadError, ReadFault};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file whose device has gone is looked for again at every fifth read.
const READS_BETWEEN_REOPENS: u32 = 5;

/// The longest text that an attribute's number or name may have.
const LONGEST_TEXT: usize = 4096;

/// One attribute, kept open: reading it is one `pread(2)`.
///
/// The kernel removes attributes when processors go offline, a driver is bound again or a module is unloaded. A
/// descriptor that was kept then fails for ever, even after the attribute is back, so it is opened again.
#[derive(Debug)]
pub(super) struct Attribute {
    path: PathBuf,
    name: Arc<str>,
    file: Opened,
}

#[derive(Debug)]
enum Opened {
    File(File),
    Gone { error: Errno, reads: u32 },
}

impl Attribute {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = Opened::File(open(&path)?);
        Ok(Attribute { name: path.to_string_lossy().into(), path, file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with this attribute.
    pub(super) fn error(&self, fault: impl Into<ReadFault>) -> ReadError {
        ReadError::new(Arc::clone(&self.name), fault)
    }

    /// The attribute's value, an unsigned number of 64 bits. Allocates nothing.
    pub(super) fn read(&mut self) -> Result<u64, ReadFault> {
        if let Opened::Gone { error, reads } = &mut self.file {
            *reads += 1;
            if !reads.is_multiple_of(READS_BETWEEN_REOPENS) {
                return Err(io::Error::from(*error).into());
            }
            self.file = Opened::File(open(&self.path)?);
        }
        let Opened::File(file) = &self.file else { return Err(io::Error::from(Errno::NODEV).into()) };
        let value = pread_decimal(file);
        if let Some(error @ (Errno::NODEV | Errno::NXIO | Errno::NOENT | Errno::SRCH | Errno::STALE)) =
            value.as_ref().err().and_then(errno)
        {
            self.file = Opened::Gone { error, reads: 0 };
        }
        value
    }
}

/// Opens an attribute, which is a regular file: opening a named pipe would wait for its writer.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        Ok(file)
    } else if kind.is_fifo() {
        let reason = "it does not answer: it is a named pipe, not a regular file";
        Err(io::Error::new(io::ErrorKind::TimedOut, reason))
    } else {
        Err(invalid("it is not a regular file"))
    }
}

/// The text of a small attribute, such as a name.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let mut buffer = vec![0; LONGEST_TEXT];
    let length = open(path)?.read_at(&mut buffer, 0)?;
    buffer.truncate(length);
    Ok(String::from_utf8_lossy(&buffer).into_owned())
}

/// The names in a directory; none of one that cannot be listed.
pub(super) fn names(directory: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(directory).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok())
}

/// The first line of an open file as an unsigned number.
pub(super) fn pread_decimal(file: &File) -> Result<u64, ReadFault> {
    // 20 digits are the longest number of 64 bits.
    let mut buffer = [0; 24];
    let length = file.read_at(&mut buffer, 0)?;
    let text = buffer.get(..length).unwrap_or_default();
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    parse_decimal(line).ok_or(ReadFault::Invalid("not an unsigned number of 64 bits"))
}

/// The number of the system's error, if it is one.
pub(super) fn errno(fault: &ReadFault) -> Option<Errno> {
    match fault {
        ReadFault::Io(error) => Errno::from_io_error(error),
        _ => None,
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
