//! The body of an answer, made while the client takes it.
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

/// An exposition compressed by gzip, at the fastest level: the text is so repetitive that it
/// shrinks 24 times all the same.
pub(crate) struct GzipBody(Option<(Exposition, GzEncoder<Vec<u8>>)>);

impl GzipBody {
    pub(crate) fn new(exposition: Exposition) -> Self {
        GzipBody(Some((exposition, GzEncoder::new(Vec::new(), Compression::fast()))))
    }
}

impl Body for GzipBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let Some((exposition, encoder)) = &mut self.0 else { return Poll::Ready(None) };
        let mut piece = Vec::with_capacity(ROOM);
        let more = exposition.write(PIECE, &mut piece);
        encoder.write_all(&piece)?;
        if more {
            let ready = std::mem::take(encoder.get_mut());
            if ready.is_empty() {
                // The encoder gathers a dozen pieces before it gives something: others go first.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Some(Ok(Frame::data(ready.into()))));
        }
        let Some((_, encoder)) = self.0.take() else { return Poll::Ready(None) };
        Poll::Ready(Some(encoder.finish().map(|rest| Frame::data(rest.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

/// An exposition compressed by zstd, at its fastest regular level.
#[cfg(feature = "zstd")]
pub(crate) struct ZstdBody(Option<(Exposition, zstd::stream::write::Encoder<'static, Vec<u8>>)>);

#[cfg(feature = "zstd")]
impl ZstdBody {
    /// # Errors
    /// There is no memory for it.
    pub(crate) fn new(exposition: Exposition) -> std::io::Result<Self> {
        Ok(ZstdBody(Some((exposition, zstd::stream::write::Encoder::new(Vec::new(), 1)?))))
    }
}

#[cfg(feature = "zstd")]
impl Body for ZstdBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let Some((exposition, encoder)) = &mut self.0 else { return Poll::Ready(None) };
        let mut piece = Vec::with_capacity(ROOM);
        let more = exposition.write(PIECE, &mut piece);
        encoder.write_all(&piece)?;
        if more {
            let ready = std::mem::take(encoder.get_mut());
            if ready.is_empty() {
                // The encoder gathers some pieces before it gives something: others go first.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Some(Ok(Frame::data(ready.into()))));
        }
        let Some((_, encoder)) = self.0.take() else { return Poll::Ready(None) };
        Poll::Ready(Some(encoder.finish().map(|rest| Frame::data(rest.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}
