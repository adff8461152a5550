//! The server's answers, read within limits of size and time: the server is not trusted.

use super::failure::Failure;
use reqwest::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The longest answer that is passed on, 16 MiB. Answers of tools are some KiB.
pub(super) const LIMIT: usize = 16 << 20;
/// Bytes of all answers that are being read.
const HELD: usize = 64 << 20;
/// In this time an answer must have begun, and then have come whole; as long may a stream of events be silent that
/// has not brought its answer.
pub(super) const TIME: Duration = Duration::from_secs(5 * 60);
/// What is read of an HTTP error's body, in bytes and time.
const ERROR_LIMIT: usize = 64 << 10;
const ERROR_TIME: Duration = Duration::from_secs(5);

/// Room for what is being read, shared by all answers.
#[derive(Debug)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new() -> Self {
        Room(Arc::new(Semaphore::new(HELD)))
    }

    pub(super) fn hold(&self) -> Held {
        Held { room: Arc::clone(&self.0), permit: None }
    }
}

/// The room that one answer takes.
#[derive(Debug)]
pub(super) struct Held {
    room: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Takes room for `bytes` in all, or gives back what is more.
    ///
    /// # Errors
    /// There is not as much.
    pub(super) fn resize(&mut self, bytes: usize) -> Result<(), Failure> {
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if bytes < held {
            // What is split off is given back.
            drop(self.permit.as_mut().and_then(|permit| permit.split(held - bytes)));
            return Ok(());
        }
        let more = u32::try_from(bytes - held).unwrap_or(u32::MAX);
        let full = |_| Failure::Lost(format!("its answers fill the {} MiB that are kept for them", HELD >> 20));
        let more = Arc::clone(&self.room).try_acquire_many_owned(more).map_err(full)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

/// The next piece of a body, which must come within `silence`.
pub(super) async fn next(response: &mut Response, silence: Option<Duration>) -> Result<Option<Vec<u8>>, Failure> {
    let chunk = response.chunk();
    let chunk = match silence {
        None => chunk.await,
        Some(silence) => tokio::time::timeout(silence, chunk)
            .await
            .map_err(|_| Failure::Lost(format!("it has sent nothing for {} s", silence.as_secs())))?,
    };
    Ok(chunk?.map(|bytes| bytes.to_vec()))
}

/// A whole body of at most [`LIMIT`] bytes, within [`TIME`].
pub(super) async fn text(mut response: Response, room: &Room) -> Result<String, Failure> {
    let by = Instant::now() + TIME;
    let late = |_| Failure::Lost(format!("its answer did not come within {} s", TIME.as_secs()));
    let (mut bytes, mut held) = (Vec::new(), room.hold());
    while let Some(chunk) = tokio::time::timeout_at(by, response.chunk()).await.map_err(late)?? {
        let length = bytes.len() + chunk.len();
        if length > LIMIT {
            return Err(Failure::Lost(format!("its answer is longer than {} MiB", LIMIT >> 20)));
        }
        held.resize(length)?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The beginning of an HTTP error's body: as much as comes soon.
pub(super) async fn error_text(mut response: Response) -> String {
    let by = Instant::now() + ERROR_TIME;
    let mut bytes = Vec::new();
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(by, response.chunk()).await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= ERROR_LIMIT {
            bytes.truncate(ERROR_LIMIT);
            break;
        }
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
