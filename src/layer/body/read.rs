use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;

use super::Replay;

/// Reads a body up to a limit, without copying one that comes in a single frame.
#[derive(Debug)]
pub(in crate::layer) struct Reader<B> {
    body: Option<B>,
    chunks: Vec<Bytes>,
    first: Option<Bytes>,
    len: usize,
    limit: usize,
}

/// What became of reading a body.
#[derive(Debug)]
pub(in crate::layer) enum Read<B: Body> {
    /// All of it.
    Whole {
        message: Bytes,
        trailers: Option<HeaderMap>,
    },
    /// It is over the limit, or broke off: to be passed on as it came.
    Unread(Replay<B>),
}

impl<B: Body<Data = Bytes> + Unpin> Reader<B> {
    pub(in crate::layer) fn new(body: B, limit: usize) -> Self {
        Self {
            body: Some(body),
            chunks: Vec::new(),
            first: None,
            len: 0,
            limit,
        }
    }

    /// Must not be polled again after it was ready.
    pub(in crate::layer) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Read<B>> {
        let mut trailers = None;
        loop {
            let Some(body) = &mut self.body else {
                return Poll::Ready(self.whole(trailers));
            };
            if self.len as u64 + body.size_hint().lower() > self.limit as u64 {
                return Poll::Ready(self.unread(None));
            }
            if body.is_end_stream() {
                return Poll::Ready(self.whole(trailers));
            }
            match ready!(Pin::new(body).poll_frame(cx)) {
                None => return Poll::Ready(self.whole(trailers)),
                Some(Err(error)) => return Poll::Ready(self.unread(Some(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        self.len += data.len();
                        self.push(data);
                        if self.len > self.limit {
                            return Poll::Ready(self.unread(None));
                        }
                    }
                    Err(frame) => trailers = frame.into_trailers().ok(),
                },
            }
        }
    }

    fn push(&mut self, data: Bytes) {
        match self.first {
            None => self.first = Some(data),
            Some(_) => self.chunks.push(data),
        }
    }

    fn whole(&mut self, trailers: Option<HeaderMap>) -> Read<B> {
        let first = self.first.take().unwrap_or_default();
        let message = if self.chunks.is_empty() {
            first
        } else {
            let mut all = BytesMut::with_capacity(self.len);
            all.extend_from_slice(&first);
            self.chunks.drain(..).for_each(|chunk| all.extend_from_slice(&chunk));
            all.freeze()
        };
        Read::Whole { message, trailers }
    }

    fn unread(&mut self, error: Option<B::Error>) -> Read<B> {
        let read = self.first.take().into_iter().chain(self.chunks.drain(..)).collect();
        Read::Unread(Replay::new(read, error, self.body.take()))
    }
}
