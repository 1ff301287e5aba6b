use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// What told that a body had ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::layer) enum End {
    /// The head, which had no body.
    Head,
    /// The body.
    Body,
}

/// A body of which a part was read: that part again, then the rest, with the size that the whole had.
pub struct Replay<B: Body> {
    read: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    error: Option<B::Error>,
    rest: Option<B>,
}

impl<B: Body> Replay<B> {
    pub(super) fn new(read: VecDeque<Bytes>, error: Option<B::Error>, rest: Option<B>) -> Self {
        Self {
            read,
            trailers: None,
            error,
            rest,
        }
    }

    /// A body of these bytes and trailers.
    pub(in crate::layer) fn whole(message: Bytes, trailers: Option<HeaderMap>) -> Self {
        let read = if message.is_empty() {
            VecDeque::new()
        } else {
            VecDeque::from([message])
        };
        Self {
            read,
            trailers,
            error: None,
            rest: None,
        }
    }

    /// Whether the body broke off.
    pub(in crate::layer) fn is_broken(&self) -> bool {
        self.error.is_some()
    }

    /// A body that was read. One without a message ends as it did: a gRPC server written in Go takes the end in a frame after
    /// the head for a missing message, and waits for ever for a message after a head that ends the request.
    pub(in crate::layer) fn read(message: Bytes, trailers: Option<HeaderMap>, end: End) -> Self {
        let mut replay = Self::whole(message, trailers);
        if end == End::Body && replay.is_empty() {
            replay.read.push_back(Bytes::new());
        }
        replay
    }

    fn is_empty(&self) -> bool {
        self.read.is_empty() && self.trailers.is_none()
    }

    /// The body itself, if nothing was read of it.
    pub(super) fn untouched(&mut self) -> Option<B> {
        let untouched = self.read.is_empty() && self.trailers.is_none() && self.error.is_none();
        self.rest.take_if(|_| untouched)
    }

    /// All the bytes, if there is nothing else to come.
    pub fn into_bytes(mut self) -> Bytes {
        match self.read.len() {
            0 | 1 => self.read.pop_front().unwrap_or_default(),
            _ => self.read.into_iter().flatten().collect(),
        }
    }
}

/// Nothing in it is ever pinned: the rest is polled as the `Unpin` body that it is.
impl<B: Body> Unpin for Replay<B> {}

impl<B: Body<Data = Bytes> + Unpin> Body for Replay<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(data) = self.read.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(error) = self.error.take() {
            self.rest = None;
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(rest) = &mut self.rest {
            return Pin::new(rest).poll_frame(cx);
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty()
            && self.trailers.is_none()
            && self.error.is_none()
            && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.read.iter().map(|data| data.len() as u64).sum();
        let rest = self.rest.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(read.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(read))
            && self.trailers.is_none()
        {
            hint.set_upper(upper);
        }
        hint
    }
}

impl<B: Body> fmt::Debug for Replay<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("frames_read", &self.read.len())
            .finish_non_exhaustive()
    }
}
