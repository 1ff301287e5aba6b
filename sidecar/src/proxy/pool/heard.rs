//! What an upstream says first.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

/// What its first bytes look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Heard {
    #[default]
    Nothing,
    Http1,
    Tls,
    Other,
}

impl Heard {
    fn of(first: &[u8]) -> Self {
        // A record of TLS, mostly an alert.
        match first {
            [] => Self::Nothing,
            [20..=23, 3, ..] => Self::Tls,
            _ if first.starts_with(b"HTTP/") => Self::Http1,
            _ => Self::Other,
        }
    }
}

/// A connection whose first bytes are looked at.
pub(super) struct Listening<S> {
    stream: S,
    heard: Ears,
    has_heard: bool,
}

/// What was heard.
#[derive(Clone, Debug, Default)]
pub(super) struct Ears(Arc<Mutex<Heard>>);

impl Ears {
    pub(super) fn heard(&self) -> Heard {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Listening<S> {
    pub(super) fn new(stream: S, heard: Ears) -> Self {
        Self {
            stream,
            heard,
            has_heard: false,
        }
    }
}

impl<S: Read + Unpin> Read for Listening<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if self.has_heard {
            return Pin::new(&mut self.stream).poll_read(cx, into);
        }
        let mut first = [0; 16];
        let most = first.len().min(into.remaining());
        let mut buffer = ReadBuf::new(&mut first[..most]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer.unfilled()))?;
        let first = buffer.filled();
        *self.heard.0.lock().unwrap_or_else(PoisonError::into_inner) = Heard::of(first);
        into.put_slice(first);
        self.has_heard = true;
        Poll::Ready(Ok(()))
    }
}

impl<S: Write + Unpin> Write for Listening<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }
}
