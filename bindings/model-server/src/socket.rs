//! The estimator's Unix socket.
//!
//! The reference's exporter connects, writes one JSON object, reads once, and closes. Neither side marks an end: a request
//! ends where its braces do. So does the answer here, which is written whole, however long, and then the connection is closed,
//! so that a client may as well read to its end. A client of ours says `"framing": "lines"` in its request: its answers end
//! with a line break, and it may ask again on the same connection.

use crate::MAX_REQUEST_BYTES;
use crate::estimate::{PowerReply, estimate};
use crate::request::PowerRequest;
use crate::scanner::{Progress, Scanner};
use crate::store::Store;
use kepler_core::model::Machine;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Read at a time.
const CHUNK: usize = 16 * 1024;

/// Limits of the socket.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SocketOptions {
    /// Connections at a time; more wait to be accepted. Default 64.
    pub max_connections: usize,
    /// In this time a request must have come; default 10 s.
    pub read_timeout: Duration,
    /// In this time an answer must have been taken; default 10 s.
    pub write_timeout: Duration,
    /// Who may connect, as file permissions; default 0o660: the owner and its group.
    pub mode: u32,
}

impl SocketOptions {
    /// These options with a change, as in `SocketOptions::default().with(|options| options.mode = 0o600)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for SocketOptions {
    fn default() -> Self {
        let timeout = Duration::from_secs(10);
        SocketOptions { max_connections: 64, read_timeout: timeout, write_timeout: timeout, mode: 0o660 }
    }
}

/// The socket cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// A server answers there.
    #[error("another process listens at {}; stop it, or choose another path", path.display())]
    Taken {
        /// The path.
        path: PathBuf,
    },
    /// Something else than a socket has that name.
    #[error("{} is not a socket, and is left as it is; choose another path", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("cannot listen at {}: {source}; its directory must exist and be writable", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

/// Answers at `path` until `shutdown` resolves; then removes the socket. A socket that a dead process left there is
/// replaced. Needs a Tokio runtime with time and IO.
///
/// `machine` describes the callers' machine, which is this one.
///
/// # Errors
/// The socket cannot be made.
pub async fn serve_socket(
    path: &Path,
    store: Arc<Store>,
    machine: Machine,
    options: SocketOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), SocketError> {
    let listener = bind(path, options.mode).await?;
    let _removed_at_end = Remove(path.to_owned());
    let places = Arc::new(Semaphore::new(options.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let shared = Arc::new((store, machine, options));
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            while connections.try_join_next().is_some() {}
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        let _place = place;
                        let (store, machine, options) = &*shared;
                        if let Err(error) = answer(stream, store, machine, options).await {
                            tracing::debug!(%error, "an estimator's client left early");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to the estimator's socket");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown => {}
    }
    Ok(())
}

/// Removes the socket when serving ends, however it does.
struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        // It may have been removed already.
        let _ = fs::remove_file(&self.0);
    }
}

async fn bind(path: &Path, mode: u32) -> Result<UnixListener, SocketError> {
    let failed = |source| SocketError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(SocketError::NotASocket { path: path.to_owned() });
        }
        Ok(_) if UnixStream::connect(path).await.is_ok() => return Err(SocketError::Taken { path: path.to_owned() }),
        Ok(_) => fs::remove_file(path).map_err(failed)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)?;
    Ok(listener)
}

async fn answer(mut stream: UnixStream, store: &Store, machine: &Machine, options: &SocketOptions) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let read = tokio::time::timeout(options.read_timeout, request(&mut stream, &mut bytes)).await;
        let (reply, goes_on) = match read {
            Ok(Ok(Some(end))) => {
                let text: Vec<u8> = bytes.drain(..end).collect();
                reply(&text, store, machine)
            }
            // The client is done.
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(reason)) => (PowerReply::rejection(reason).to_json(), false),
            Err(_) => {
                let reason = format!("no complete request within {} s", options.read_timeout.as_secs_f64());
                (PowerReply::rejection(reason).to_json(), false)
            }
        };
        tokio::time::timeout(options.write_timeout, stream.write_all(&reply)).await??;
        if !goes_on {
            return stream.shutdown().await;
        }
    }
}

/// The answer to one request, and whether another may follow.
fn reply(text: &[u8], store: &Store, machine: &Machine) -> (Vec<u8>, bool) {
    let request: PowerRequest = match serde_json::from_slice(text) {
        Ok(request) => request,
        Err(error) => {
            return (PowerReply::rejection(format!("the request is not understood: {error}")).to_json(), false);
        }
    };
    let mut reply = estimate(store, &request, Some(machine));
    match request.framing.as_deref() {
        Some("lines") => {
            let mut json = reply.to_json();
            json.push(b'\n');
            (json, true)
        }
        Some(other) => {
            let reason = format!("framing: `{other}` is not known; leave it out, or say `lines`");
            (PowerReply::rejection(reason).to_json(), false)
        }
        None => {
            reply.round();
            (reply.to_json(), false)
        }
    }
}

/// Reads on until `bytes` begin with a whole object: where it ends, or `None` if the client closed before another.
async fn request(stream: &mut UnixStream, bytes: &mut Vec<u8>) -> Result<Option<usize>, String> {
    let mut scanner = Scanner::default();
    loop {
        match scanner.advance(bytes) {
            Progress::Complete(end) => return Ok(Some(end)),
            Progress::NotAnObject => return Err("the request is not a JSON object".to_owned()),
            Progress::Partial if bytes.len() > MAX_REQUEST_BYTES => {
                return Err(format!("the request is longer than {MAX_REQUEST_BYTES} bytes"));
            }
            Progress::Partial => {}
        }
        let before = bytes.len();
        bytes.resize(before + CHUNK, 0);
        let read = stream.read(bytes.get_mut(before..).unwrap_or_default()).await;
        let read = read.map_err(|error| error.to_string())?;
        bytes.truncate(before + read);
        if read == 0 {
            return match bytes.iter().all(u8::is_ascii_whitespace) {
                true => Ok(None),
                false => Err("the request ends early".to_owned()),
            };
        }
    }
}
