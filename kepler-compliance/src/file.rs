//! Reads the text files that users name: series of intensities, standards, tariffs.

use kepler_core::host::file::{self, FileError, FileLimits};
use std::io;
use std::path::Path;

/// A yearly series in 5-minute steps, as Electricity Maps gives it, has 25 MB.
const LONGEST: u64 = 64 << 20;

/// The text of a regular file, without a byte order mark.
///
/// # Errors
/// It is no regular file, takes too long to read, is too long, or is not UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    file::read_text(path, FileLimits::bytes(LONGEST)).map_err(FileError::into_io)
}

/// What some editors begin a file with.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A text that may come with a byte order mark, without it.
pub(crate) fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_left_out_and_other_encodings_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        std::fs::write(&path, b"\xef\xbb\xbf{}").unwrap();
        assert_eq!(read_text(&path).unwrap(), "{}");
        std::fs::write(&path, b"\xff\xfe{\0}\0").unwrap();
        assert!(read_text(&path).unwrap_err().to_string().contains("UTF-16"));
        std::fs::write(&path, b"\xb1").unwrap();
        assert!(read_text(&path).unwrap_err().to_string().contains("not UTF-8"));
    }

    #[test]
    fn only_regular_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        assert!(read_text(directory.path()).unwrap_err().to_string().contains("not a file"));
        assert!(read_text(Path::new("/dev/zero")).unwrap_err().to_string().contains("not a file"));
        assert_eq!(read_text(&directory.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
