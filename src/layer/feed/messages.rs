use std::future::poll_fn;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;

use crate::layer::feed::source::Source;
use crate::protocol::{FeedFailure, Protocol, Reply, Unreadable};

/// The messages of a stream of replies.
pub(super) struct Messages<R> {
    parts: Parts,
    body: Pin<Box<R>>,
    arrived: BytesMut,
}

impl<R: Body<Data = Bytes>> Messages<R> {
    pub(super) fn new(reply: Response<R>) -> Self {
        let (parts, body) = reply.into_parts();
        Self {
            parts,
            body: Box::pin(body),
            arrived: BytesMut::new(),
        }
    }

    /// The next message. `None` if the stream has ended with success.
    pub(super) async fn next<P: Protocol>(&mut self, source: &Source<P>) -> Result<Option<Bytes>, FeedFailure> {
        let longest = source.longest_message();
        loop {
            if self.parts.status == StatusCode::OK {
                let next = source.api()?.next(&mut self.arrived, longest);
                if let Some(message) = next.map_err(|Unreadable(why)| FeedFailure::lost(why))? {
                    return Ok(Some(message));
                }
            }
            let frame = match poll_fn(|cx| self.body.as_mut().poll_frame(cx)).await {
                None => return self.end(source, None),
                Some(Err(_)) => return Err(FeedFailure::interrupted("the connection was lost")),
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(data) => self.arrived.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return self.end(source, Some(&trailers));
                }
            }
            if self.parts.status != StatusCode::OK && self.arrived.len() > longest {
                return self.end(source, None);
            }
        }
    }

    fn end<P: Protocol>(
        &mut self,
        source: &Source<P>,
        trailers: Option<&HeaderMap>,
    ) -> Result<Option<Bytes>, FeedFailure> {
        let rest = self.arrived.split().freeze();
        let reply = Reply::new(self.parts.status, &self.parts.headers, &rest, trailers);
        source.api()?.ended(&reply)?;
        match rest.is_empty() {
            true => Ok(None),
            false => Err(FeedFailure::interrupted("the reply ended within a message")),
        }
    }
}
