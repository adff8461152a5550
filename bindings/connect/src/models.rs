//! Power models from a URL, kept on disk: fetched once, asked for changes after that, and read from disk where the server
//! cannot be reached.
//!
//! - **What**: a weight file, a model of our own format, or a zip of a model's directory; at most
//!   [`MAX_FILE_BYTES`].
//! - **Trust**: certificates are verified; a SHA-256 that is given must match, and what does not match is neither used nor kept. The
//!   copy on disk is used only if it still has the checksum it was stored with.
//! - **Changes**: the entity tag of the last answer is sent (`If-None-Match`); a 304 makes the copy current again.
//! - **Offline**: the last good copy is used, with its age ([`Origin::Stale`]).
//! - **Cost**: one request a call, bounded in time by [`ClientOptions`].
//!
//! ```
//! use kepler_connect::models::{ModelOptions, fetch};
//!
//! let options = ModelOptions::new("/var/cache/kepler");
//! # let options = options.with(|options| options.cache = std::env::temp_dir().join("kepler-example"));
//! match fetch("http://127.0.0.1:9/model.json", &options) {
//!     Ok(fetched) => println!("SHA-256 {}", fetched.sha256),
//!     Err(error) => println!("{error}"),
//! }
//! ```

mod cache;

use crate::http::{Auth, ClientOptions, Http, HttpError, Tagged, base_url, shown};
use cache::{Cache, Kept};
use kepler_core::model::{MAX_FILE_BYTES, Model, ModelError};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How to fetch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelOptions {
    /// Where copies are kept. It is made if need be.
    pub cache: PathBuf,
    /// What the model's SHA-256 must be, in hexadecimal.
    pub sha256: Option<String>,
    /// Time-outs, trusted certificates. Its limit of a body is lowered to that of a model's file.
    pub http: ClientOptions,
}

impl ModelOptions {
    /// With the default limits, and copies kept in `cache`.
    #[must_use]
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        ModelOptions { cache: cache.into(), sha256: None, http: ClientOptions::default() }
    }

    /// These options with a change, as in `ModelOptions::new(cache).with(|options| options.sha256 = Some(sum))`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// A model and its origin.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// The model.
    pub model: Model,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    /// Its source now.
    pub origin: Origin,
}

/// Origin of a model.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a cache has no other outcome")]
pub enum Origin {
    /// The server, just now.
    Server,
    /// The copy on disk, which the server says is current.
    Unchanged,
    /// The copy on disk, since the server has no usable answer.
    Stale {
        /// How long ago the server last said that it is current.
        age: Duration,
        /// Why the server's answer was not used.
        reason: FetchError,
    },
}

/// A model that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The server does not give it.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It is another one than was asked for.
    #[error("{url} has SHA-256 {found}, not {expected}; check both, and who could have changed the file")]
    Checksum {
        /// The address.
        url: String,
        /// What was asked for.
        expected: String,
        /// What came.
        found: String,
    },
    /// A checksum that is none.
    #[error("`{0}` is no SHA-256: give 64 hexadecimal digits")]
    NoChecksum(String),
    /// What came is no model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The copy cannot be kept.
    #[error("cannot keep the model in {}: {source}; choose another directory for copies", path.display())]
    Cache {
        /// The place.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Fetches the model at `url`, or uses the copy of it.
///
/// # Errors
/// The server does not give it, or gives another or none, and there is no good copy.
pub fn fetch(url: &str, options: &ModelOptions) -> Result<Fetched, FetchError> {
    let expected = options.sha256.as_deref().map(checksum).transpose()?;
    let address = base_url(url)?;
    let name = address.path_segments().and_then(|mut segments| segments.next_back().map(str::to_owned));
    let name = name.unwrap_or_default();
    let stem = name.strip_suffix(".json").or_else(|| name.strip_suffix(".zip")).unwrap_or(&name).to_owned();
    let cache = Cache::new(&options.cache, address.as_str());
    // A copy of something else than is wanted is none.
    let copy = cache.read().filter(|copy| expected.as_ref().is_none_or(|expected| *expected == copy.sha256));

    let limits =
        ClientOptions { max_body_bytes: options.http.max_body_bytes.min(MAX_FILE_BYTES), ..options.http.clone() };
    let http = Http::new(limits, address.scheme() == "https")?;
    let etag = copy.as_ref().and_then(|copy| copy.etag.as_deref());
    let answer = http.get_if_changed(address.clone(), &Auth::None, etag).map_err(FetchError::from).and_then(|answer| {
        let Some(Tagged { body: bytes, etag }) = answer else { return Ok(None) };
        let sha256 = cache::sha256(&bytes);
        if let Some(expected) = expected.filter(|expected| *expected != sha256) {
            return Err(FetchError::Checksum { url: shown(&address), expected, found: sha256 });
        }
        // What is no model must not replace one that is.
        let model = parse(&stem, &bytes)?;
        Ok(Some((Kept { bytes, sha256, etag, current: SystemTime::now() }, model)))
    });
    match (answer, copy) {
        (Ok(Some((copy, model))), _) => {
            cache.write(&copy)?;
            Ok(Fetched { model, sha256: copy.sha256, origin: Origin::Server })
        }
        (Ok(None), Some(copy)) => {
            let copy = Kept { current: SystemTime::now(), ..copy };
            cache.write(&copy)?;
            Ok(Fetched { model: parse(&stem, &copy.bytes)?, sha256: copy.sha256, origin: Origin::Unchanged })
        }
        (Err(reason), Some(copy)) => {
            let age = SystemTime::now().duration_since(copy.current).unwrap_or_default();
            let model = parse(&stem, &copy.bytes)?;
            Ok(Fetched { model, sha256: copy.sha256, origin: Origin::Stale { age, reason } })
        }
        (Err(reason), None) => Err(reason),
        // A server that answers 304 to who did not ask for changes.
        (Ok(None), None) => Err(HttpError::Status {
            url: shown(&address),
            status: 304,
            redirect: None,
            retry_after: None,
            body: Vec::new(),
        }
        .into()),
    }
}

fn parse(name: &str, bytes: &[u8]) -> Result<Model, ModelError> {
    if bytes.starts_with(b"PK\x03\x04") { Model::from_zip(name, bytes) } else { Model::from_json(name, bytes) }
}

fn checksum(text: &str) -> Result<String, FetchError> {
    let text = text.trim().to_ascii_lowercase();
    let is_one = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_one { Ok(text) } else { Err(FetchError::NoChecksum(text.chars().take(80).collect())) }
}
