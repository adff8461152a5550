//! A response body that is produced while the client reads it.
//!
//! A piece is made when the one before has gone to the socket, so an answer of any length holds
//! some pieces of 64 KiB and not 8 MB; a client that reads slowly costs no more. Making a piece
//! takes a third of a millisecond with compression, short enough for the executor's own thread.

use crate::exporter::Exposition;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame};
use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Text made at a time.
const PIECE: usize = 64 * 1024;
/// A row may pass the size asked for; this much room saves the buffer from growing for it.
const ROOM: usize = PIECE + 8 * 1024;

/// An exposition as it is.
pub(crate) struct PlainBody(Option<Exposition>);

impl PlainBody {
    pub(crate) fn new(exposition: Exposition) -> Self {
        PlainBody(Some(exposition))
    }
}

impl Body for PlainBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(exposition) = &mut self.0 else { return Poll::Ready(None) };
        let mut piece = Vec::with_capacity(ROOM);
        if !exposition.write(PIECE, &mut piece) {
            self.0 = None;
        }
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

/// What compresses pieces: it may gather some before it gives any.
pub(crate) trait Encoder: Write + Unpin + Sized {
    /// What it has given so far and was not taken.
    fn output(&mut self) -> &mut Vec<u8>;

    /// The rest.
    fn end(self) -> std::io::Result<Vec<u8>>;
}

impl Encoder for GzEncoder<Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }

    fn end(self) -> std::io::Result<Vec<u8>> {
        self.finish()
    }
}

#[cfg(feature = "zstd")]
impl Encoder for zstd::stream::write::Encoder<'static, Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }

    fn end(self) -> std::io::Result<Vec<u8>> {
        self.finish()
    }
}

/// A compressed exposition.
pub(crate) struct CompressedBody<E>(Option<(Exposition, E)>);

impl CompressedBody<GzEncoder<Vec<u8>>> {
    /// By gzip, at the fastest level: the text is so repetitive that it shrinks 24 times all the same.
    pub(crate) fn gzip(exposition: Exposition) -> Self {
        CompressedBody(Some((exposition, GzEncoder::new(Vec::new(), Compression::fast()))))
    }
}

#[cfg(feature = "zstd")]
impl CompressedBody<zstd::stream::write::Encoder<'static, Vec<u8>>> {
    /// By zstd, at its fastest regular level.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(crate) fn zstd(exposition: Exposition) -> std::io::Result<Self> {
        Ok(CompressedBody(Some((exposition, zstd::stream::write::Encoder::new(Vec::new(), 1)?))))
    }
}

impl<E: Encoder> Body for CompressedBody<E> {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let Some((exposition, encoder)) = &mut self.0 else { return Poll::Ready(None) };
        let mut piece = Vec::with_capacity(ROOM);
        let more = exposition.write(PIECE, &mut piece);
        encoder.write_all(&piece)?;
        if more {
            let ready = std::mem::take(encoder.output());
            if ready.is_empty() {
                // The encoder gathers some pieces before it gives something: others go first.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Some(Ok(Frame::data(ready.into()))));
        }
        let Some((_, encoder)) = self.0.take() else { return Poll::Ready(None) };
        Poll::Ready(Some(encoder.end().map(|rest| Frame::data(rest.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}
