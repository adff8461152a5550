//! One gRPC call at a time over a socket of this machine: HTTP/2 by `h2`, without a framework.

use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use h2::client;
use http::{HeaderMap, Request};
use prost::Message;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;

/// A call has to have ended by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// A kubelet with 250 pods answers with some hundred kilobytes. Those of Go take no more than 16 MiB either.
const MOST_BYTES: usize = 16 << 20;

/// The status of a call that went well.
const OK: u32 = 0;

/// A call that brought nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrpcError {
    /// No connection.
    #[error("{} cannot be opened: {source}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Too slow.
    #[error("{} has not answered within {} s", path.display(), after.as_secs())]
    TimedOut {
        /// The socket.
        path: PathBuf,
        /// The time allowed.
        after: Duration,
    },
    /// What answers is no gRPC server, or breaks off.
    #[error("{} does not answer as a gRPC server: {reason}", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// How.
        reason: String,
    },
    /// The server refuses.
    #[error("{} refuses {method} with status {code}: {message}", path.display())]
    Status {
        /// The socket.
        path: PathBuf,
        /// The method.
        method: &'static str,
        /// The status of gRPC: 12 of a method that it does not have, 8 of too many calls.
        code: u32,
        /// What it says.
        message: String,
    },
    /// The answer is too long.
    #[error("the answer of {} is longer than {limit} bytes", path.display())]
    TooLarge {
        /// The socket.
        path: PathBuf,
        /// Bytes allowed.
        limit: usize,
    },
}

/// Calls a method with one message, which answers with one.
pub(super) fn call<Answer: Message + Default>(
    path: &Path,
    method: &'static str,
    message: &impl Message,
) -> Result<Answer, GrpcError> {
    let unreachable = |source| GrpcError::Unreachable { path: path.to_owned(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.map_err(unreachable)?;
    let body = framed(message);
    let answer = runtime.block_on(async {
        let call = Call { path, method };
        tokio::time::timeout(PATIENCE, call.make(body)).await
    });
    // What is still under way is not waited for.
    runtime.shutdown_background();
    let answer = answer.map_err(|_| GrpcError::TimedOut { path: path.to_owned(), after: PATIENCE })??;
    let broken = |reason: String| GrpcError::Broken { path: path.to_owned(), reason };
    let message = unframed(&answer).map_err(|reason| broken(reason.to_owned()))?;
    Answer::decode(message).map_err(|error| broken(error.to_string()))
}

struct Call<'a> {
    path: &'a Path,
    method: &'static str,
}

impl Call<'_> {
    async fn make(&self, body: Bytes) -> Result<Bytes, GrpcError> {
        let stream = UnixStream::connect(self.path)
            .await
            .map_err(|source| GrpcError::Unreachable { path: self.path.to_owned(), source })?;
        let (sender, connection) = client::handshake(stream).await.map_err(|error| self.broken(&error))?;
        let connection = tokio::spawn(connection);
        // The authority of a socket is not looked at; it has to be there.
        let request = Request::post(format!("http://localhost{}", self.method))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", concat!("kepler-connect/", env!("CARGO_PKG_VERSION")))
            .body(())
            .map_err(|error| self.broken(&error))?;
        let mut sender = sender.ready().await.map_err(|error| self.broken(&error))?;
        let (response, mut outgoing) = sender.send_request(request, false).map_err(|error| self.broken(&error))?;
        outgoing.send_data(body, true).map_err(|error| self.broken(&error))?;
        let response = response.await.map_err(|error| self.broken(&error))?;
        if !response.status().is_success() {
            return Err(self.broken(&format!("its status is {}", response.status())));
        }
        // An answer without a message has its status here.
        if let Some(code) = status(response.headers()) {
            self.accept(code, response.headers())?;
        }
        let mut incoming = response.into_body();
        let answer = self.body(&mut incoming).await?;
        let trailers = incoming.trailers().await.map_err(|error| self.broken(&error))?.unwrap_or_default();
        match status(&trailers) {
            Some(code) => self.accept(code, &trailers)?,
            None => return Err(self.broken(&"it breaks off without a status")),
        }
        connection.abort();
        Ok(answer)
    }

    async fn body(&self, incoming: &mut RecvStream) -> Result<Bytes, GrpcError> {
        let mut answer = BytesMut::new();
        while let Some(chunk) = incoming.data().await {
            let chunk = chunk.map_err(|error| self.broken(&error))?;
            if answer.len() + chunk.len() > MOST_BYTES {
                return Err(GrpcError::TooLarge { path: self.path.to_owned(), limit: MOST_BYTES });
            }
            answer.extend_from_slice(&chunk);
            incoming.flow_control().release_capacity(chunk.len()).map_err(|error| self.broken(&error))?;
        }
        Ok(answer.freeze())
    }

    fn accept(&self, code: u32, headers: &HeaderMap) -> Result<(), GrpcError> {
        if code == OK {
            return Ok(());
        }
        let message = headers.get("grpc-message").map(|message| String::from_utf8_lossy(message.as_bytes()));
        let message = message.unwrap_or_default().chars().take(200).collect();
        Err(GrpcError::Status { path: self.path.to_owned(), method: self.method, code, message })
    }

    fn broken(&self, reason: &dyn std::fmt::Display) -> GrpcError {
        GrpcError::Broken { path: self.path.to_owned(), reason: reason.to_string() }
    }
}

fn status(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.trim().parse().ok()
}

/// A message as gRPC sends it: not compressed, its length, itself.
fn framed(message: &impl Message) -> Bytes {
    let encoded = message.encode_to_vec();
    let mut frame = BytesMut::with_capacity(encoded.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(encoded.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&encoded);
    frame.freeze()
}

/// The message in a frame.
fn unframed(frame: &[u8]) -> Result<&[u8], &'static str> {
    let (head, message) = frame.split_at_checked(5).ok_or("its answer has no message")?;
    let &[compressed, first, second, third, fourth] = head else { return Err("its answer has no message") };
    let length = u32::from_be_bytes([first, second, third, fourth]);
    if compressed != 0 {
        return Err("its answer is compressed, which was not asked for");
    }
    if usize::try_from(length) == Ok(message.len()) {
        Ok(message)
    } else {
        Err("its message is not as long as it says")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_says_how_long_its_message_is() {
        assert_eq!(unframed(&[0, 0, 0, 0, 2, 7, 8]), Ok(&[7, 8][..]));
        assert_eq!(unframed(&[0, 0, 0, 0, 0]), Ok(&[][..]));
        for wrong in [&[][..], &[0, 0, 0, 0], &[1, 0, 0, 0, 1, 7], &[0, 0, 0, 0, 2, 7], &[0, 0, 0, 0, 1, 7, 8]] {
            assert!(unframed(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn no_frame_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = unframed(&bytes);
            let _ = super::super::messages::ListResponse::decode(&bytes[..]);
        }
    }
}
