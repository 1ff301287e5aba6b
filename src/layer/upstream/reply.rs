use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use http::HeaderMap;
use http::response::Parts;
use http_body::Body;

use crate::layer::body::{Read, Reader};
use crate::protocol::Reply;

/// Reads a reply's body up to a limit.
pub(super) async fn read_reply<R: Body<Data = Bytes>>(body: R, limit: usize) -> Read<Pin<Box<R>>> {
    let mut reader = Reader::new(Box::pin(body), limit);
    poll_fn(|cx| reader.poll_read(cx)).await
}

/// A reply that was read whole, as a protocol takes it.
pub(super) fn whole<'a>(parts: &'a Parts, body: &'a Bytes, trailers: Option<&'a HeaderMap>) -> Reply<'a> {
    Reply {
        status: parts.status,
        headers: &parts.headers,
        body,
        trailers,
    }
}
