//! The copy of a model on disk: one file with a header line.
//!
//! One file, so that content and header are replaced together.

use super::FetchError;
use kepler_core::host::file::{self, FileLimits};
use kepler_core::model::MAX_FILE_BYTES;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Room for the first line.
const MAX_HEAD_BYTES: u64 = 64 << 10;

/// The place of one URL's copy.
pub(super) struct Cache {
    path: PathBuf,
}

/// A copy.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: String,
    pub(super) etag: Option<String>,
    /// When the server last said that it is current.
    pub(super) current: SystemTime,
}

/// The first line.
#[derive(Deserialize, Serialize)]
struct Head {
    sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    current_unix_seconds: u64,
}

impl Cache {
    /// The file is named after the URL's hash: a URL may hold secrets, and what no file name can.
    pub(super) fn new(directory: &Path, url: &str) -> Self {
        let mut name = sha256(url.as_bytes());
        name.truncate(32);
        name.push_str(".model");
        Cache { path: directory.join(name) }
    }

    /// The copy, if there is one and it is as it was stored.
    pub(super) fn read(&self) -> Option<Kept> {
        let mut content = file::read(&self.path, FileLimits::bytes(MAX_FILE_BYTES + MAX_HEAD_BYTES)).ok()?;
        let end = content.iter().position(|&byte| byte == b'\n')?;
        let head: Head = serde_json::from_slice(content.get(..end)?).ok()?;
        let bytes = content.split_off(end + 1);
        if sha256(&bytes) != head.sha256 {
            tracing::warn!(path = %self.path.display(), "the copy of a model is damaged, and not used");
            return None;
        }
        let current = UNIX_EPOCH.checked_add(Duration::from_secs(head.current_unix_seconds))?;
        Some(Kept { bytes, sha256: head.sha256, etag: head.etag, current })
    }

    /// Replaces the copy.
    pub(super) fn write(&self, copy: &Kept) -> Result<(), FetchError> {
        let failed = |source| FetchError::Cache { path: self.path.clone(), source };
        let current = copy.current.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let head = Head { sha256: copy.sha256.clone(), etag: copy.etag.clone(), current_unix_seconds: current };
        let mut content = serde_json::to_vec(&head).map_err(|error| failed(error.into()))?;
        content.push(b'\n');
        content.extend_from_slice(&copy.bytes);
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        // Another process may do the same: each writes its own file, and renaming is one step.
        let part = self.path.with_extension(format!("{}.part", std::process::id()));
        let written = File::create(&part)
            .and_then(|mut file| file.write_all(&content).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&part, &self.path));
        if written.is_err() {
            // It may not be there at all.
            let _ = fs::remove_file(&part);
        }
        written.map_err(failed)
    }
}

/// In hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
