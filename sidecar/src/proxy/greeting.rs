//! What a connection's first bytes say.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A record of TLS that begins a handshake.
const TLS: u8 = 22;

/// What a caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    Http1,
    Http2,
    Tls,
    /// It has gone without a word.
    Nothing,
}

/// A connection whose first bytes were read.
#[derive(Debug)]
pub(super) struct Greeted<S> {
    first: Bytes,
    stream: S,
}

/// Reads until it is known what a caller speaks.
pub(super) async fn greeted<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<(Greeting, Greeted<S>)> {
    let mut first = BytesMut::with_capacity(HTTP2.len());
    let greeting = loop {
        let missing = HTTP2.len() - first.len();
        if stream.read_buf(&mut (&mut first).limit(missing)).await? == 0 {
            break Greeting::Nothing;
        }
        if first[..] == *HTTP2 {
            break Greeting::Http2;
        }
        if !HTTP2.starts_with(&first) {
            break match first[0] {
                TLS => Greeting::Tls,
                _ => Greeting::Http1,
            };
        }
    };
    let first = first.freeze();
    Ok((greeting, Greeted { first, stream }))
}

/// Whether a connection begins with TLS. Nothing is read of it; one that has gone may have begun anything.
pub(super) async fn begins_tls(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [TLS];
    stream.peek(&mut first).await?;
    Ok(first == [TLS])
}

impl<S: AsyncRead + Unpin> AsyncRead for Greeted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, into);
        }
        let read = self.first.len().min(into.remaining());
        into.put_slice(&self.first[..read]);
        self.first.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Greeted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
