//! Lines from the client, read independently of their processing, so that the end of input is noticed at once.

use std::io;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// The longest line that is taken.
const LONGEST: usize = 16 << 20;
/// Bytes of lines that wait to be delivered.
const HELD: usize = 64 << 20;

/// A line from the client, or why there is none.
#[derive(Debug)]
pub(super) enum Line {
    /// Its text, and the room that it takes until it is delivered.
    Text(String, OwnedSemaphorePermit),
    /// It is longer than may be, or came while too many waited.
    Refused(&'static str),
}

/// Reads lines until `input` ends, and hands them on. Never waits for the receiver.
///
/// # Errors
/// `input` fails.
pub(super) async fn read(input: impl AsyncRead + Unpin, lines: mpsc::UnboundedSender<Line>) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(HELD));
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
        if (&mut input).take(most).read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n") || line.len() < LONGEST;
        let next = if whole { text(&line, &room) } else { Some(Line::Refused("a message is longer than 16 MiB")) };
        if !whole {
            skip_line(&mut input).await?;
        }
        // The other end is gone when the bridge ends.
        if next.is_some_and(|next| lines.send(next).is_err()) {
            return Ok(());
        }
    }
}

fn text(line: &[u8], room: &Arc<Semaphore>) -> Option<Line> {
    let text = String::from_utf8_lossy(line);
    // A mark of byte order comes from Windows, as does CR LF.
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return None;
    }
    let size = u32::try_from(text.len()).unwrap_or(u32::MAX);
    Some(match Arc::clone(room).try_acquire_many_owned(size) {
        Ok(room) => Line::Text(text.to_owned(), room),
        Err(_) => Line::Refused("too many messages wait for the server"),
    })
}

async fn skip_line(input: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf().await?;
        let (length, end) = match buffer.iter().position(|&byte| byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(length);
        if end {
            return Ok(());
        }
    }
}
