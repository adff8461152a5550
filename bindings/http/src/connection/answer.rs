//! A response body and the resources held while it exists.

use super::shares::Share;
use super::slots::BusyRequest;
use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A response's body; the connection counts as busy as long as it lives.
pub(crate) struct AnswerBody {
    body: Body,
    _busy: BusyRequest,
    _shares: [Share; 2],
}

impl AnswerBody {
    pub(crate) fn new(body: Body, busy: BusyRequest, shares: [Share; 2]) -> Self {
        AnswerBody { body, _busy: busy, _shares: shares }
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
