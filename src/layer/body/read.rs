use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;

use crate::layer::body::replay::{End, Replay};
use crate::layer::body::request::RequestBody;

/// Reads a body up to a limit, without copying one that comes in a single frame.
#[derive(Debug)]
pub(in crate::layer) struct Reader<B> {
    body: Option<B>,
    first: Bytes,
    /// What came after the first frame, in one piece: a body of many tiny frames takes no more memory than another.
    more: BytesMut,
    trailers: Option<HeaderMap>,
    polled: bool,
    limit: usize,
}

/// What became of reading a body.
#[derive(Debug)]
pub(in crate::layer) enum Read<B: Body> {
    /// All of it.
    Whole {
        message: Bytes,
        trailers: Option<HeaderMap>,
        end: End,
    },
    /// It is over the limit, or broke off: to be passed on unmodified.
    Unread(Replay<B>),
}

impl<B: RequestBody> Read<B> {
    /// The body that yields what was read, and then the rest.
    pub(in crate::layer) fn into_body(self) -> B {
        match self {
            Self::Whole { message, trailers, end } => B::replay(Replay::read(message, trailers, end)),
            Self::Unread(mut replay) => match replay.untouched() {
                Some(body) => body,
                None => B::replay(replay),
            },
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Reader<B> {
    pub(in crate::layer) fn new(body: B, limit: usize) -> Self {
        Self {
            body: Some(body),
            first: Bytes::new(),
            more: BytesMut::new(),
            trailers: None,
            polled: false,
            limit,
        }
    }

    /// Must not be polled again after it was ready.
    pub(in crate::layer) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Read<B>> {
        loop {
            let read = self.len();
            let Some(body) = &mut self.body else {
                return Poll::Ready(self.whole());
            };
            if read as u64 + body.size_hint().lower() > self.limit as u64 {
                return Poll::Ready(self.unread(None));
            }
            if body.is_end_stream() {
                return Poll::Ready(self.whole());
            }
            self.polled = true;
            match ready!(Pin::new(body).poll_frame(cx)) {
                None => return Poll::Ready(self.whole()),
                Some(Err(error)) => return Poll::Ready(self.unread(Some(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        self.push(data);
                        if self.len() > self.limit {
                            return Poll::Ready(self.unread(None));
                        }
                    }
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
        }
    }

    fn len(&self) -> usize {
        self.first.len() + self.more.len()
    }

    fn push(&mut self, data: Bytes) {
        if self.first.is_empty() {
            self.first = data;
        } else {
            self.more.extend_from_slice(&data);
        }
    }

    fn whole(&mut self) -> Read<B> {
        let first = std::mem::take(&mut self.first);
        let message = if self.more.is_empty() {
            first
        } else {
            let mut all = BytesMut::with_capacity(first.len() + self.more.len());
            all.extend_from_slice(&first);
            all.extend_from_slice(&self.more);
            all.freeze()
        };
        Read::Whole {
            message,
            trailers: self.trailers.take(),
            end: if self.polled { End::Body } else { End::Head },
        }
    }

    fn unread(&mut self, error: Option<B::Error>) -> Read<B> {
        let first = std::mem::take(&mut self.first);
        let more = std::mem::take(&mut self.more).freeze();
        let read = [first, more].into_iter().filter(|data| !data.is_empty()).collect();
        Read::Unread(Replay::new(read, error, self.body.take()))
    }
}
