//! Lines to the client, in order, buffered up to a limit of bytes.

use std::io;
use std::sync::Arc;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Bytes that wait to be taken by the client; then reading from the server waits.
const HELD: usize = 32 << 20;

/// The sending end of the lines to the client.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    lines: mpsc::UnboundedSender<(String, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

/// The end that writes them.
#[derive(Debug)]
pub(super) struct LineWriter(mpsc::UnboundedReceiver<(String, OwnedSemaphorePermit)>);

pub(super) fn lines() -> (Lines, LineWriter) {
    // Bounded by the room for them.
    let (lines, written) = mpsc::unbounded_channel();
    (Lines { lines, room: Arc::new(Semaphore::new(HELD)) }, LineWriter(written))
}

impl Lines {
    /// Sends a JSON-RPC message as one line, when there is room for it.
    pub(super) async fn send(&self, text: &str) {
        let size = u32::try_from(text.len().clamp(1, HELD)).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(size).await else { return };
        // Line ends in JSON stand between tokens only: those within texts are escaped.
        let line = text.replace(['\n', '\r'], " ");
        // An error means that the client is gone.
        let _ = self.lines.send((line, room));
    }
}

impl LineWriter {
    /// Writes each message on a line of its own, until all senders are gone.
    pub(super) async fn write(mut self, mut output: impl AsyncWrite + Unpin) -> io::Result<()> {
        while let Some((mut line, _room)) = self.0.recv().await {
            line.push('\n');
            output.write_all(line.as_bytes()).await?;
            output.flush().await?;
        }
        Ok(())
    }
}
