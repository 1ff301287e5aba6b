//! One call's place in a connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::Sender;
use super::state::Shared;

/// A call under way in a connection, until it is dropped.
pub(super) struct Lease {
    shared: Arc<Shared>,
    connection: u64,
    sender: Sender,
    ended: bool,
}

impl Lease {
    pub(super) fn new(shared: Arc<Shared>, connection: u64, sender: Sender) -> Self {
        Self {
            shared,
            connection,
            sender,
            ended: false,
        }
    }

    pub(super) fn sender(&mut self) -> &mut Sender {
        &mut self.sender
    }

    /// The call has ended, so that dropping this cancels nothing.
    pub(super) fn ended(&mut self) {
        self.ended = true;
    }

    /// The connection takes no more calls.
    pub(super) fn is_broken(&self) {
        self.shared.remove(self.connection);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.give_back(self.connection, !self.ended);
    }
}

/// A reply's body. Dropped before its end, it cancels the call.
pub struct ReplyBody {
    body: Incoming,
    lease: Option<Lease>,
}

impl ReplyBody {
    pub(super) fn leased(body: Incoming, lease: Lease) -> Self {
        let mut body = Self {
            body,
            lease: Some(lease),
        };
        if body.body.is_end_stream() {
            body.end();
        }
        body
    }

    fn end(&mut self) {
        if let Some(mut lease) = self.lease.take() {
            lease.ended();
        }
    }
}

/// The only call of its connection.
impl From<Incoming> for ReplyBody {
    fn from(body: Incoming) -> Self {
        Self { body, lease: None }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let has_more = matches!(&frame, Some(Ok(frame)) if frame.is_data()) && !self.body.is_end_stream();
        if !has_more {
            self.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
