use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderName};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::session::current::Session;
use crate::session::reply::{absorb, says_written};

/// What the trailers of a reply are for.
pub(super) struct Trailing {
    pub(super) session: Session,
    pub(super) header: HeaderName,
    /// What the head says.
    pub(super) written: bool,
}

impl Trailing {
    fn ended(&self, trailers: &HeaderMap) {
        let written = says_written(trailers).unwrap_or(self.written);
        absorb(&self.session, trailers, &self.header, written);
    }
}

pin_project! {
    /// The body of a reply. If it ends with trailers, their tokens are taken into the session.
    pub struct PropagateBody<B> {
        #[pin]
        body: B,
        trailing: Option<Trailing>,
    }
}

impl<B> PropagateBody<B> {
    pub(super) fn new(body: B, trailing: Option<Trailing>) -> Self {
        Self { body, trailing }
    }
}

impl<B: Body> Body for PropagateBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let (Some(Ok(frame)), Some(trailing)) = (&frame, this.trailing)
            && let Some(trailers) = frame.trailers_ref()
        {
            trailing.ended(trailers);
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

impl<B> fmt::Debug for PropagateBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PropagateBody")
    }
}
